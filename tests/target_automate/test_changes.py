"""Changes of what is there: nothing needless, nothing back, nothing over what others did since."""

from __future__ import annotations

import itertools
import typing as t
from decimal import Decimal

import pytest
from support.clock import START, FakeClock
from support.intents import AT, new

from automate_api.errors import NotEntitledError, NotOfferedError
from target_automate.checks.changes import GONE, NO_LINE, PASSED, UNCHANGED, UNSEEN, Changes
from target_automate.checks.comparing import differences, lasting, says, told
from target_automate.checks.lookup import CannotLookUpError
from target_automate.checks.references import lane_of
from target_automate.checks.visibility import Visibility
from target_automate.journal import identity
from target_automate.journal.intents import Cause, State
from target_automate.sending.steps import Desk, Later, Ready, Settled, body_of, guarded
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from support.listing import Lists, Record

    from target_automate.journal.intents import Intent
    from target_automate.journal.journal import Journal

CANARY: t.Final = "Plantania Quorndon"
NOON: t.Final = "2026-09-21T12:00:00Z"
LATER: t.Final = "2026-09-21T12:00:05Z"
LATEST: t.Final = "2026-09-21T12:00:09Z"

VEHICLE: t.Final[dict[str, t.Any]] = {
    "vehicleId": "veh_1",
    "vin": "1HG",
    "stockNumber": "S-1",
    "listPrice": Decimal(30000),
    "salePrice": Decimal(28000),
    "comments": CANARY,
    "photos": [{"url": "https://a.example/1.jpg", "attachmentId": None, "caption": CANARY}],
    "updatedAt": NOON,
}
DEAL: t.Final[dict[str, t.Any]] = {
    "dealId": "deal_1",
    "dealNumber": "D-1",
    "referenceId": "web-1",
    "status": "contracted",
    "finance": {"termMonths": 60, "aprPercent": Decimal("5.5"), "lenderCode": CANARY},
    "updatedAt": NOON,
}
APPOINTMENT: t.Final[dict[str, t.Any]] = {
    "appointmentId": "appt_1",
    "status": "scheduled",
    "appointmentTime": "2027-03-01T09:30:00-05:00",
    "advisorId": "u_1",
    "updatedAt": NOON,
}
ORDER: t.Final[dict[str, t.Any]] = {
    "repairOrderId": "ro_1",
    "roNumber": "R-1",
    "status": "open",
    "lines": [
        {"lineId": "l_1", "lineCode": "A", "inspection": None},
        {
            "lineId": "l_2",
            "lineCode": "B",
            "inspection": [{"item": "Brakes", "result": "red", "note": CANARY}],
        },
    ],
    "updatedAt": NOON,
}
IDS: t.Final = {
    "vehicles": "veh_1",
    "deals": "deal_1",
    "service_appointments": "appt_1",
    "repair_orders": "ro_1",
}
_sequence = itertools.count(1)


class Office:
    """Changes of records that the DMS holds.

    Attributes:
        journal: Where the writes are.
        lists: What the DMS holds.
        clock: The time; an hour after all records came.
        changes: That judge them.
    """

    def __init__(self, journal: Journal, lists: Lists) -> None:
        self.journal = journal
        self.lists = lists
        self.clock = FakeClock(AT + 3600)
        desk, visibility = Desk(journal, self.clock), Visibility(journal, self.clock, 60.0)
        self.changes = Changes(desk, lists.lookup(), visibility)
        self.hold("vehicles", VEHICLE)
        self.hold("deals", DEAL)
        self.hold("service_appointments", APPOINTMENT)
        self.hold("repair_orders", ORDER)

    def hold(self, name: str, record: Record, **fields: t.Any) -> None:  # noqa: ANN401 - JSON
        """Have the DMS hold a record, with other content in some fields."""
        self.lists.records[name] = [{**record, **fields}]

    def intent(self, object_name: str, /, state: State = State.PLANNED, **payload: t.Any) -> Intent:  # noqa: ANN401 - JSON
        """Keep a change of the one record of its kind."""
        sink = by_object(object_name)
        (name,) = (name for name in IDS if name == sink.entity.name)
        body = {sink.id_field: IDS[name], **payload}
        key = identity.business_key(sink, body)
        number = self.journal.add(
            new(
                object_name,
                key,
                payload=body,
                state=state,
                sequence=next(_sequence),
                content_hash=identity.record_hash(sink, body),
                lane=lane_of(self.journal, sink, key, body),
            ),
            AT,
        )
        return self.journal.get(number)

    def prepare(self, intent: Intent) -> Ready | Settled | Later:
        sink = by_object(intent.object)
        return self.changes.prepare(intent, sink, IDS[sink.entity.name])

    def ready(self, intent: Intent) -> Ready:
        ready = self.prepare(intent)
        assert isinstance(ready, Ready), self.journal.get(intent.id).reason
        return ready

    def refused(self, intent: Intent) -> str:
        """Hold a change to be superseded, and return the reason."""
        assert self.prepare(intent) == Settled(State.REJECTED)
        kept = self.journal.get(intent.id)
        assert kept.cause is Cause.SUPERSEDED
        assert kept.reason is not None
        assert CANARY not in kept.reason
        return kept.reason

    def sent(self, intent: Intent, **columns: t.Any) -> Intent:  # noqa: ANN401 - columns
        """Keep that a change was sent as it was prepared, and that nobody knows the outcome."""
        ready = self.ready(intent)
        self.journal.change(
            intent.id,
            State.UNKNOWN,
            AT,
            attempts=1,
            sent_at=START,
            resolved=ready.resolved,
            guard=ready.guard,
            **columns,
        )
        return self.journal.get(intent.id)

    def acked(self, intent: Intent, version: str, at: float = AT) -> None:
        """Keep that the DMS has carried a change out, and is at a version since."""
        ready = self.ready(intent)
        facts = {"guard": ready.guard, "resolved": ready.resolved, "version": version}
        self.journal.change(intent.id, State.ACKED, at, attempts=1, **facts)

    def settle(self, intent: Intent) -> Settled | str:
        sink = by_object(intent.object)
        return self.changes.after_sending(intent, sink, IDS[sink.entity.name])


@pytest.fixture
def office(journal: Journal, lists: Lists) -> Office:
    return Office(journal, lists)


@pytest.mark.parametrize(
    ("object_name", "payload"),
    [
        ("deal_statuses", {"status": "contracted", "reason": "signed"}),
        ("deal_terms", {"finance": {"termMonths": 60}}),
        ("deal_terms", {"finance": {"aprPercent": Decimal("5.50")}, "expectedUpdatedAt": NOON}),
        ("vehicle_prices", {"salePrice": 28000}),
        ("vehicle_prices", {"salePrice": Decimal("28000.00"), "ifUpdatedAt": "2020-01-01T00:00Z"}),
        ("vehicle_photos", {"photos": [{"url": "https://a.example/1.jpg"}]}),
        ("appointment_changes", {"appointmentTime": "2027-03-01T14:30:00Z"}),
        ("appointment_changes", {"status": "scheduled", "advisorId": "u_1"}),
        ("repair_order_statuses", {"status": "open", "expectedStatus": "estimate"}),
        (
            "repair_order_inspections",
            {"lineId": "l_2", "inspection": [{"item": "Brakes", "result": "red"}]},
        ),
    ],
    ids=str,
)
def test_what_the_dms_holds_already_is_not_sent(
    office: Office, object_name: str, payload: dict[str, t.Any]
) -> None:
    intent = office.intent(object_name, **payload)
    assert office.prepare(intent) == Settled(State.DROPPED)
    assert office.journal.get(intent.id).reason == UNCHANGED


@pytest.mark.parametrize(
    ("object_name", "payload", "status", "version"),
    [
        ("deal_statuses", {"status": "delivered"}, "contracted", None),
        ("deal_terms", {"finance": {"termMonths": 48}}, None, NOON),
        ("vehicle_prices", {"salePrice": 27500}, None, NOON),
        ("vehicle_prices", {"comments": "One owner"}, None, NOON),
        ("vehicle_photos", {"photos": []}, None, None),
        ("appointment_changes", {"appointmentTime": "2027-03-01T09:30:00Z"}, "scheduled", None),
        ("appointment_changes", {"status": "cancelled"}, "scheduled", None),
        ("repair_order_statuses", {"status": "in_progress"}, "open", None),
        ("repair_order_inspections", {"lineId": "l_1", "inspection": []}, None, None),
    ],
    ids=str,
)
def test_what_is_sent_says_what_the_record_was_where_the_call_takes_it(
    office: Office,
    object_name: str,
    payload: dict[str, t.Any],
    status: str | None,
    version: str | None,
) -> None:
    intent, sink = office.intent(object_name, **payload), by_object(object_name)
    ready = office.ready(intent)
    body = guarded(body_of(intent, sink, ready.resolved), sink, ready.guard)
    guards = {"expectedStatus": status, "expectedUpdatedAt": None, "ifUpdatedAt": None}
    if version is not None and sink.change and sink.change.version:
        guards[sink.change.version] = version
    assert body == payload | {name: value for name, value in guards.items() if value is not None}


@pytest.mark.parametrize(
    ("object_name", "held", "wanted"),
    [
        ("deal_statuses", "delivered", "contracted"),
        ("deal_statuses", "delivered", "pending"),
        ("deal_statuses", "finalized", "delivered"),
        ("deal_statuses", "lost", "contracted"),
        ("deal_statuses", "voided", "pending"),
        ("deal_statuses", "unwound", "delivered"),
        ("appointment_changes", "in_progress", "confirmed"),
        ("appointment_changes", "cancelled", "confirmed"),
        ("appointment_changes", "no_show", "arrived"),
        ("repair_order_statuses", "closed", "in_progress"),
        ("repair_order_statuses", "invoiced", "completed"),
        ("repair_order_statuses", "voided", "open"),
    ],
)
def test_no_status_goes_back_and_the_refusal_says_where_the_record_is(
    office: Office, object_name: str, held: str, wanted: str
) -> None:
    name = by_object(object_name).entity.name
    office.hold(name, office.lists.records[name][0], status=held)
    reason = office.refused(office.intent(object_name, status=wanted))
    assert reason == f"it is further on; the DMS holds status {held}, changed at {NOON}"


def test_a_step_that_was_taken_before_and_comes_again_is_no_fault(office: Office) -> None:
    first = office.intent("deal_statuses", status="contracted", expectedStatus="penciled")
    office.journal.change(first.id, State.ACKED, AT)
    office.hold("deals", DEAL, status="delivered")
    again = office.intent("deal_statuses", status="contracted", expectedStatus="penciled")
    assert office.prepare(again) == Settled(State.DROPPED)
    assert office.journal.get(again.id).reason == PASSED
    other = office.intent("deal_statuses", status="pending")
    assert "it is further on" in office.refused(other)


def test_a_price_of_a_version_that_was_set_before_and_comes_again_is_no_fault(
    office: Office,
) -> None:
    """A feed that begins anew says once more what it said of the vehicle as it was then."""
    first = office.intent("vehicle_prices", salePrice=27000, ifUpdatedAt=NOON)
    office.journal.change(first.id, State.ACKED, AT)
    office.hold("vehicles", VEHICLE, salePrice=Decimal(26000), updatedAt=LATER)
    again = office.intent("vehicle_prices", salePrice=27000, ifUpdatedAt=NOON)
    assert office.prepare(again) == Settled(State.DROPPED)
    assert office.journal.get(again.id).reason == PASSED
    other = office.intent("vehicle_prices", salePrice=25000, ifUpdatedAt=NOON)
    assert "it was changed after" in office.refused(other)


@pytest.mark.parametrize("state", [State.REJECTED, State.DROPPED, State.PARKED])
def test_a_step_that_came_before_and_was_never_taken_is_refused_when_it_lies_behind(
    office: Office, state: State
) -> None:
    first = office.intent("deal_statuses", status="pending")
    office.journal.change(first.id, state, AT)
    office.hold("deals", DEAL, status="delivered")
    assert "it is further on" in office.refused(office.intent("deal_statuses", status="pending"))


@pytest.mark.parametrize(
    ("object_name", "payload", "reason"),
    [
        (
            "deal_statuses",
            {"status": "delivered", "expectedStatus": "pending"},
            (
                "the record expects status pending; the DMS holds status contracted, changed at "
                f"{NOON}"
            ),
        ),
        (
            "appointment_changes",
            {"appointmentTime": "2027-03-02T09:30:00-05:00", "expectedStatus": "confirmed"},
            (
                "the record expects status confirmed; the DMS holds appointmentTime "
                f"2027-03-01T09:30:00-05:00, changed at {NOON}"
            ),
        ),
        (
            "vehicle_prices",
            {"listPrice": 29000, "salePrice": 27000, "ifUpdatedAt": "2026-09-21T07:59:59-04:00"},
            (
                "it was changed after the ifUpdatedAt of the record; the DMS holds "
                f"listPrice 30000, salePrice 28000, changed at {NOON}"
            ),
        ),
        (
            "deal_terms",
            {"finance": {"termMonths": 48}, "expectedUpdatedAt": "2026-09-21T11:59:59Z"},
            (
                "it was changed after the expectedUpdatedAt of the record; the DMS holds "
                f"finance.termMonths 60, changed at {NOON}"
            ),
        ),
    ],
    ids=str,
)
def test_a_guard_of_the_record_that_does_not_hold_refuses_it_with_what_the_dms_holds(
    office: Office, object_name: str, payload: dict[str, t.Any], reason: str
) -> None:
    assert office.refused(office.intent(object_name, **payload)) == reason


@pytest.mark.parametrize("given", [NOON, "2026-09-21T08:00:00.000-04:00", LATER])
def test_a_guard_of_the_record_that_holds_lets_it_go(office: Office, given: str) -> None:
    ready = office.ready(office.intent("vehicle_prices", salePrice=27000, ifUpdatedAt=given))
    assert ready.guard is not None
    # A DMS that is behind the record is held to what the record has seen.
    assert ready.guard["updatedAt"] == (LATER if given == LATER else NOON)


def test_what_comments_and_names_say_is_never_told(office: Office) -> None:
    prices = office.intent(
        "vehicle_prices", salePrice=1, comments="mine", ifUpdatedAt="2020-01-01T00:00:00Z"
    )
    assert office.refused(prices).endswith(
        f"the DMS holds salePrice 28000, comments another, changed at {NOON}"
    )
    terms = office.intent(
        "deal_terms",
        finance={"lenderCode": "AFC", "termMonths": 1},
        expectedUpdatedAt="2020-01-01T00:00:00Z",
    )
    assert "finance.lenderCode another, finance.termMonths 60" in office.refused(terms)


@pytest.mark.parametrize(
    "held",
    [
        CANARY,
        [CANARY],
        [{"url": CANARY}],
        {"text": CANARY},
        {"salePrice": CANARY},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["salePrice", "comments", "photos", "advisorId"])
def test_whatever_a_dms_holds_in_a_field_no_text_of_it_is_told(name: str, held: object) -> None:
    assert CANARY not in told({name: held}, {name: 1}, {})


@pytest.mark.parametrize(
    "name", ["dateOfBirth", "driversLicense", "customer.phones", "address.postalCode"]
)
def test_what_is_personal_is_not_told_as_a_number_either(name: str) -> None:
    *above, leaf = name.split(".")
    held: dict[str, t.Any] = {leaf: 19610507}
    wanted: dict[str, t.Any] = {leaf: 1}
    for outer in above:
        held, wanted = {outer: held}, {outer: wanted}
    assert told(held, wanted, {}) == f"{name} another"


def test_long_lists_of_differences_are_cut() -> None:
    wanted = {f"field{number}": 0 for number in range(20)}
    assert told(dict.fromkeys(wanted, 1), wanted, {}).count("field") == 5


def test_own_writes_of_the_record_are_no_conflict_with_what_was_read_before_them(
    office: Office,
) -> None:
    """Two records of one extraction: both know the vehicle as it was before the first of them."""
    office.acked(office.intent("vehicle_prices", salePrice=27000, ifUpdatedAt=NOON), LATER)
    office.hold("vehicles", VEHICLE, salePrice=Decimal(27000), updatedAt=LATER)
    office.acked(office.intent("vehicle_photos", photos=[]), LATEST)
    office.hold("vehicles", VEHICLE, salePrice=Decimal(27000), photos=[], updatedAt=LATEST)
    ready = office.ready(office.intent("vehicle_prices", listPrice=29000, ifUpdatedAt=NOON))
    assert ready.guard is not None
    assert ready.guard["updatedAt"] == LATEST


def test_a_change_of_others_between_own_writes_is_a_conflict(office: Office) -> None:
    office.acked(office.intent("vehicle_prices", salePrice=27000), LATER)
    # Somebody else, at 12:00:07; the next own write has read that.
    office.hold("vehicles", VEHICLE, updatedAt="2026-09-21T12:00:07Z")
    office.acked(office.intent("vehicle_photos", photos=[]), LATEST)
    office.hold("vehicles", VEHICLE, photos=[], updatedAt=LATEST)
    intent = office.intent("vehicle_prices", listPrice=29000, ifUpdatedAt=NOON)
    assert "it was changed after the ifUpdatedAt" in office.refused(intent)
    seen = office.intent("vehicle_prices", listPrice=29000, ifUpdatedAt="2026-09-21T12:00:07Z")
    assert isinstance(office.prepare(seen), Ready)


def test_an_own_write_of_which_nobody_knows_what_was_there_before_it_proves_nothing(
    office: Office,
) -> None:
    first = office.intent("vehicle_prices", salePrice=27000)
    guard = {"status": None, "updatedAt": None, "seen": ""}
    office.journal.change(first.id, State.ACKED, AT, guard=guard, version=LATER)
    office.hold("vehicles", VEHICLE, salePrice=Decimal(27000), updatedAt=LATER)
    intent = office.intent("vehicle_prices", listPrice=29000, ifUpdatedAt=NOON)
    assert "it was changed after" in office.refused(intent)


def test_own_writes_of_another_record_count_for_nothing(office: Office) -> None:
    other = office.intent("deal_terms", finance={"termMonths": 48})
    office.acked(other, LATER)
    office.hold("vehicles", VEHICLE, updatedAt=LATER)
    intent = office.intent("vehicle_prices", listPrice=29000, ifUpdatedAt=NOON)
    assert "it was changed after" in office.refused(intent)


def test_a_write_that_was_put_off_is_not_sent_over_what_somebody_did_meanwhile(
    office: Office,
) -> None:
    intent = office.intent("vehicle_prices", salePrice=27000)
    guard = office.ready(intent).guard
    office.journal.change(intent.id, State.PLANNED, AT, attempts=1, guard=guard)
    intent = office.journal.get(intent.id)
    office.hold("vehicles", VEHICLE, comments="another field", updatedAt=LATER)
    ready = office.ready(intent)
    assert ready.guard is not None
    assert ready.guard["updatedAt"] == LATER, "what it is not about may change"
    office.hold("vehicles", VEHICLE, salePrice=Decimal(26000), updatedAt=LATEST)
    assert office.refused(intent) == (
        "somebody has changed it since it was read first; the DMS holds salePrice 26000, "
        f"changed at {LATEST}"
    )


def test_a_record_that_is_gone_rejects_its_change(office: Office) -> None:
    intent = office.intent("vehicle_prices", salePrice=1)
    office.lists.records["vehicles"] = []
    assert office.prepare(intent) == Settled(State.REJECTED)
    kept = office.journal.get(intent.id)
    assert (kept.cause, kept.reason) == (Cause.PARENT, GONE)


@pytest.mark.parametrize(
    "failure",
    [
        NotEntitledError("GET /vehicles: no", status=403),
        NotOfferedError("GET /vehicles: no", status=501),
    ],
)
def test_a_record_that_cannot_be_read_is_not_changed(office: Office, failure: Exception) -> None:
    intent = office.intent("vehicle_prices", salePrice=1)
    office.lists.failure = failure
    with pytest.raises(CannotLookUpError, match="GET /vehicles: no"):
        office.prepare(intent)


@pytest.mark.parametrize(
    ("object_name", "payload", "held"),
    [
        ("deal_statuses", {"status": "delivered"}, {"status": "delivered"}),
        ("vehicle_prices", {"salePrice": 27000}, {"salePrice": Decimal("27000.00")}),
        ("vehicle_photos", {"photos": []}, {"photos": []}),
        ("appointment_changes", {"status": "confirmed"}, {"status": "confirmed"}),
    ],
    ids=str,
)
def test_an_unknown_outcome_is_settled_by_what_the_dms_holds(
    office: Office, object_name: str, payload: dict[str, t.Any], held: dict[str, t.Any]
) -> None:
    sink = by_object(object_name)
    intent = office.sent(office.intent(object_name, **payload))
    assert office.settle(intent) == "unchanged"
    name = sink.entity.name
    office.hold(name, office.lists.records[name][0], **held, updatedAt=LATER)
    assert office.settle(intent) == Settled(State.ACKED)
    (row,) = office.journal.rows()
    number = None if sink.number_field is None else {"deals": "D-1", "vehicles": "S-1"}[name]
    assert (row["dms_id"], row["dms_number"], row["matched_by"]) == (IDS[name], number, "readBack")


@pytest.mark.parametrize(
    ("object_name", "payload", "held", "reason"),
    [
        ("deal_statuses", {"status": "delivered"}, {"status": "lost"}, "it is further on"),
        ("deal_statuses", {"status": "delivered"}, {"status": "finalized"}, "it is further on"),
        ("vehicle_prices", {"salePrice": 27000}, {"salePrice": 1}, "changed it meanwhile"),
        ("vehicle_photos", {"photos": []}, {"photos": [{"url": "x"}]}, "changed it meanwhile"),
        (
            "appointment_changes",
            {"status": "confirmed", "appointmentTime": "2027-03-02T09:30:00Z"},
            {"appointmentTime": "2027-03-03T09:30:00Z"},
            "changed it meanwhile",
        ),
    ],
    ids=str,
)
def test_an_unknown_outcome_under_what_somebody_did_since_is_superseded_and_never_sent_again(
    office: Office,
    object_name: str,
    payload: dict[str, t.Any],
    held: dict[str, t.Any],
    reason: str,
) -> None:
    intent = office.sent(office.intent(object_name, **payload))
    name = by_object(object_name).entity.name
    office.hold(name, office.lists.records[name][0], **held)
    assert office.settle(intent) == Settled(State.REJECTED)
    kept = office.journal.get(intent.id)
    assert kept.cause is Cause.SUPERSEDED
    assert reason in (kept.reason or "")


def test_an_unknown_outcome_is_not_judged_by_what_was_held_before_it_was_sent(
    office: Office,
) -> None:
    office.hold("vehicles", VEHICLE, salePrice=Decimal(27500), updatedAt=LATER)
    intent = office.sent(office.intent("vehicle_prices", salePrice=27000))
    office.hold("vehicles", VEHICLE)
    assert office.settle(intent) == UNSEEN
    ours = office.sent(office.intent("vehicle_prices", salePrice=26000, ifUpdatedAt=LATEST))
    assert office.settle(ours) == "unchanged", "a time of the record's own was never read"


def test_an_unknown_step_is_not_taken_again_where_others_may_have_gone_on_from_it(
    office: Office,
) -> None:
    """Work that was taken up and is paused again looks as if it had never been taken up."""
    office.hold("repair_orders", ORDER, status="on_hold")
    intent = office.sent(office.intent("repair_order_statuses", status="in_progress"))
    assert office.settle(intent) == "unchanged"
    office.hold("repair_orders", ORDER, status="waiting_parts")
    assert office.settle(intent) == Settled(State.REJECTED)
    assert office.journal.get(intent.id).reason == (
        f"somebody has changed it meanwhile; the DMS holds status waiting_parts, changed at {NOON}"
    )


def test_an_unknown_step_is_taken_again_from_a_status_that_can_only_come_before_it(
    office: Office,
) -> None:
    office.hold("deals", DEAL, status="penciled")
    intent = office.sent(office.intent("deal_statuses", status="contracted"))
    office.hold("deals", DEAL, status="pending")
    assert office.settle(intent) == "unchanged", "the DMS refuses it for expectedStatus penciled"


@pytest.mark.parametrize(
    ("object_name", "payload", "current", "settled"),
    [
        ("deal_statuses", {"status": "delivered"}, "delivered", State.ACKED),
        ("deal_statuses", {"status": "delivered", "reason": "x"}, "delivered", State.ACKED),
        ("deal_statuses", {"status": "delivered"}, "finalized", State.REJECTED),
        ("deal_statuses", {"status": "delivered"}, "lost", State.REJECTED),
        ("deal_statuses", {"status": "delivered"}, "pending", None),
        ("deal_statuses", {"status": "delivered"}, None, None),
        ("appointment_changes", {"status": "confirmed"}, "confirmed", State.ACKED),
        (
            "appointment_changes",
            {"status": "confirmed", "advisorId": "u_2"},
            "confirmed",
            None,
        ),
        ("appointment_changes", {"advisorId": "u_2"}, "arrived", None),
        ("vehicle_prices", {"salePrice": 1}, LATER, None),
    ],
    ids=str,
)
def test_a_refusal_that_says_what_the_dms_holds_settles_a_step_where_that_is_enough(
    office: Office,
    object_name: str,
    payload: dict[str, t.Any],
    current: str | None,
    settled: State | None,
) -> None:
    intent = office.intent(object_name, **payload)
    found = office.changes.conflicts(intent, by_object(object_name), current)
    assert found == (None if settled is None else Settled(settled))
    kept = office.journal.get(intent.id)
    if settled is State.REJECTED:
        assert kept.cause is Cause.SUPERSEDED
        assert kept.reason == f"it is further on; the DMS holds status {current}"


@pytest.mark.parametrize("line", [{"lineId": "l_9"}, {"lineCode": "C"}], ids=str)
def test_a_line_that_the_order_does_not_have_rejects_its_change(
    office: Office, line: dict[str, str]
) -> None:
    payload: dict[str, t.Any] = {**line, "inspection": []}
    intent = office.intent("repair_order_inspections", **payload)
    assert office.prepare(intent) == Settled(State.REJECTED)
    kept = office.journal.get(intent.id)
    assert (kept.cause, kept.reason) == (Cause.PARENT, f"{NO_LINE}A, B")


def test_a_line_that_is_named_by_its_code_is_sent_by_its_id(office: Office) -> None:
    results = [{"item": "Brakes", "result": "green"}]
    intent = office.intent("repair_order_inspections", lineCode="B", inspection=results)
    ready, sink = office.ready(intent), by_object(intent.object)
    sent = guarded(body_of(intent, sink, ready.resolved), sink, ready.guard)
    assert sent == {"lineId": "l_2", "inspection": results}


def test_another_line_s_inspection_is_none_of_a_change_s_business(office: Office) -> None:
    results = [{"item": "Tyres", "result": "green"}]
    intent = office.sent(
        office.intent("repair_order_inspections", lineId="l_1", inspection=results)
    )
    lines = [ORDER["lines"][0], {"lineId": "l_2", "inspection": []}]
    office.hold("repair_orders", ORDER, lines=lines)
    assert office.settle(intent) == "unchanged"


def test_a_link_that_is_signed_anew_each_time_is_no_change_of_others(office: Office) -> None:
    def photos(signature: str) -> list[dict[str, str]]:
        return [{"url": f"https://files.example/1.jpg?signature={signature}"}]

    office.hold("vehicles", VEHICLE, photos=photos("a"))
    intent = office.sent(office.intent("vehicle_photos", photos=[]))
    office.hold("vehicles", VEHICLE, photos=photos("b"))
    assert office.settle(intent) == "unchanged"
    office.hold("vehicles", VEHICLE, photos=[{"url": "https://files.example/2.jpg"}])
    assert office.settle(intent) == Settled(State.REJECTED)
    assert lasting({"a": ["https://x.example/?b", "?b", 1]}) == {
        "a": ["https://x.example/", "?b", 1]
    }


def test_what_was_just_written_and_is_not_shown_yet_is_waited_for(office: Office) -> None:
    """There and back again: the DMS still shows the price as it was before the first of the two."""
    office.acked(office.intent("vehicle_prices", salePrice=27000), LATER, office.clock.time())
    back = office.intent("vehicle_prices", salePrice=28000)
    assert office.prepare(back) == Later(0.2)
    assert office.journal.get(back.id).state is State.PLANNED
    office.clock.pass_by(10)
    assert office.prepare(back) == Later(5.0)
    office.hold("vehicles", VEHICLE, salePrice=Decimal(27000), updatedAt=LATER)
    assert isinstance(office.prepare(back), Ready)


def test_what_is_never_shown_is_waited_for_no_longer_than_the_settings_say(office: Office) -> None:
    office.acked(office.intent("vehicle_prices", salePrice=27000), LATER, office.clock.time())
    back = office.intent("vehicle_prices", salePrice=28000)
    office.clock.pass_by(59)
    assert office.prepare(back) == Later(1.0)
    office.clock.pass_by(1)
    assert office.prepare(back) == Settled(State.DROPPED)


def test_a_version_after_the_own_one_is_not_waited_for(office: Office) -> None:
    office.acked(office.intent("vehicle_prices", salePrice=27000), LATER, office.clock.time())
    office.hold("vehicles", VEHICLE, salePrice=Decimal(28000), updatedAt=LATEST)
    assert office.prepare(office.intent("vehicle_prices", salePrice=28000)) == Settled(
        State.DROPPED
    )


def test_what_the_dms_has_made_of_an_own_write_is_told_by_its_version(office: Office) -> None:
    """It rounds a price, or trims a text: what it shows is not what was sent, and not old."""
    office.acked(office.intent("vehicle_prices", salePrice=27000), LATER, office.clock.time())
    office.hold("vehicles", VEHICLE, salePrice=Decimal(26999), updatedAt=LATER)
    assert isinstance(office.prepare(office.intent("vehicle_prices", salePrice=26500)), Ready)


def test_an_own_write_that_brought_no_version_is_told_by_what_it_set(office: Office) -> None:
    now = office.clock.time()
    office.acked(office.intent("vehicle_prices", salePrice=27000), LATER, now)
    office.hold("vehicles", VEHICLE, salePrice=Decimal(27000), updatedAt=LATER)
    other = office.intent("vehicle_photos", photos=[])
    office.journal.change(other.id, State.ACKED, now, guard=office.ready(other).guard)
    intent = office.intent("vehicle_prices", salePrice=26500)
    assert office.prepare(intent) == Later(0.2)
    office.hold("vehicles", VEHICLE, salePrice=Decimal(27000), photos=[], updatedAt=LATER)
    assert isinstance(office.prepare(intent), Ready)


def test_several_own_writes_in_one_second_are_told_apart_by_what_they_set(office: Office) -> None:
    now = office.clock.time()
    office.acked(office.intent("vehicle_prices", salePrice=27000), NOON, now)
    office.hold("vehicles", VEHICLE, salePrice=Decimal(27000))
    office.acked(office.intent("vehicle_prices", salePrice=26000), NOON, now)
    back = office.intent("vehicle_prices", salePrice=27000, comments=CANARY)
    assert office.prepare(back) == Later(0.2)
    office.hold("vehicles", VEHICLE, salePrice=Decimal(26000))
    assert isinstance(office.prepare(back), Ready)


def test_a_record_that_was_just_made_and_is_not_shown_yet_is_waited_for(office: Office) -> None:
    number = office.journal.add(new("deals", "web-1"), AT)
    office.journal.change(number, State.ACKED, office.clock.time(), dms_id="deal_1")
    step = office.intent("deal_statuses", status="delivered")
    deals = office.lists.records.pop("deals")
    office.lists.records["deals"] = []
    assert office.prepare(step) == Later(0.2)
    office.clock.pass_by(60)
    office.lists.records["deals"] = deals
    assert isinstance(office.prepare(step), Ready)
    office.lists.records["deals"] = []
    assert office.prepare(step) == Settled(State.REJECTED)


def test_differences_are_named_by_their_path_with_both_values() -> None:
    wanted = {"status": "contracted", "finance": {"termMonths": 48, "lenderCode": CANARY}}
    assert differences(DEAL, wanted) == {"finance.termMonths": (60, 48)}
    assert differences({"finance": None}, wanted).keys() == {
        "status",
        "finance.termMonths",
        "finance.lenderCode",
    }
    assert says(DEAL, {"finance": {"termMonths": 60}})
    assert not says({}, {"finance": {"termMonths": 60}})
