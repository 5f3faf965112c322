"""Deals, repair orders, appointments and vehicles led through their changes, as a user does it."""

from __future__ import annotations

import contextlib
import json
import signal
import time
import typing as t

import pytest
from support.dealership import Dealership, dealership, start
from support.pushing import Pushing, counts, push
from support.singer import state

if t.TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.singer import Message

    Record = dict[str, t.Any]

END: t.Final = state({"end": 1})
PATIENCE: t.Final = 30
"""Seconds after which what should have happened is a failure of the test."""
STATUS_LOCKED: t.Final = "POST /deals/{id}/status 423"
DOCUMENTED: t.Final = {"cashDown": 1500, "termMonths": 60, "aprPercent": 5.5, "lenderCode": "AFC"}


class Showroom:
    """A target, and what its users would write about the dealership's vehicles.

    Attributes:
        pushing: The target.
    """

    def __init__(self, pushing: Pushing) -> None:
        self.pushing = pushing
        self._vehicles = iter(
            vehicle
            for vehicle in pushing.dealer.records("vehicles")
            if vehicle["status"] == "in_stock"
            and vehicle["salePrice"]
            and vehicle["salePrice"] < vehicle["listPrice"]
        )

    def vehicle(self) -> Record:
        """Take a vehicle in stock that nobody else of the test has."""
        return next(self._vehicles)

    def deal(self, number: int = 1, profit: int = 3000) -> Message:
        """Pencil a deal with so much of a front gross."""
        vehicle = self.vehicle()
        return self.pushing.deal(
            number,
            vehicle={"vin": vehicle["vin"]},
            pricing={"salePrice": float(vehicle["cost"] + profit)},
            finance=DOCUMENTED,
        )

    def steps(self, *statuses: str, number: int = 1) -> list[Message]:
        """Lead a deal from status to status."""
        return [
            self.pushing.record(
                "deal_statuses", dealReferenceId=self.pushing.key(number), status=status
            )
            for status in statuses
        ]

    def work(self, *statuses: str, number: int = 1) -> list[Message]:
        """Lead a repair order from status to status."""
        return [
            self.pushing.record(
                "repair_order_statuses",
                repairOrderExternalId=self.pushing.key(number),
                status=status,
            )
            for status in statuses
        ]

    def order(self, number: int = 1, **changes: t.Any) -> Message:  # noqa: ANN401 - fields
        """Write up a repair order of the customer of the same number."""
        fields = {
            "externalId": self.pushing.key(number),
            "customerExternalId": self.pushing.key(number),
            "vin": self.pushing.vin(number),
        }
        return self.pushing.record("repair_orders", **fields | changes)

    def price(self, vehicle: Record, amount: t.Any, **more: t.Any) -> Message:  # noqa: ANN401 - JSON
        """Price a vehicle."""
        return self.pushing.record(
            "vehicle_prices", vin=vehicle["vin"], salePrice=float(amount), **more
        )

    def held(self, vehicle: Record) -> Record:
        """Read a vehicle as the DMS holds it."""
        return next(
            record
            for record in self.pushing.dealer.records("vehicles")
            if record["vehicleId"] == vehicle["vehicleId"]
        )

    def reprice(self, vehicle: Record, amount: t.Any) -> None:  # noqa: ANN401 - a number
        """Have somebody else change a price, a minute later than the record was changed last."""
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 60))
        changed = {**self.held(vehicle), "salePrice": amount, "updatedAt": at}
        body = json.loads(json.dumps(changed, default=float))
        self.pushing.dealer.control("import", {"stream": "vehicles", "records": [body]})


@pytest.fixture
def showroom(pushing: Pushing) -> Showroom:
    return Showroom(pushing)


def calls(pushing: Pushing, record_id: str | None = None) -> list[str]:
    """List the writes that the DMS has carried out, of all records or of one, in order."""
    return [
        entry["key"]
        for entry in pushing.history()
        if entry["stream"] is None
        and entry["key"].split()[0] in {"POST", "PATCH", "PUT"}
        and record_id in {None, entry["write"].get("id")}
    ]


def everything_again_changes_nothing(pushing: Pushing, *messages: Message) -> None:
    """Feed the same once more, and hold the target to sending none of it."""
    before, refusals = len(calls(pushing)), pushing.dealer.stats()["refusals"]
    again = pushing.push(*messages, END)
    assert again.code == 0, again.err
    assert again.out == '{"end":1}\n'
    assert len(calls(pushing)) == before
    assert pushing.dealer.stats()["refusals"] == refusals
    with pushing.journal() as journal:
        assert {state.value for _, state in journal.counts()} <= {"ACKED", "DROPPED"}


def until(happened: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait until something has happened that a running program brings about."""
    end = time.monotonic() + PATIENCE
    while not happened():
        assert process.poll() is None, "it has ended before"
        assert time.monotonic() < end, "it has not happened"
        time.sleep(0.02)


@contextlib.contextmanager
def at_work(pushing: Pushing, *messages: Message, **settings: t.Any) -> Iterator[t.Any]:  # noqa: ANN401 - settings
    """Have a target work on messages while the block runs; what is left of it then is killed."""
    log = pushing.folder / "log"
    process = start(log, "target-automate", "--config", pushing.config(**settings))
    assert process.stdin is not None
    try:
        process.stdin.write(pushing.lines(*messages))
        process.stdin.close()
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)
        assert process.stdout is not None
        process.stdout.close()


def test_a_deal_is_led_from_pencil_to_the_lender_s_payment_in_one_pipe(showroom: Showroom) -> None:
    pushing = showroom.pushing
    terms = pushing.record(
        "deal_terms", dealReferenceId=pushing.key(1), finance={"termMonths": 48, "aprPercent": 4.9}
    )
    story = [
        pushing.customer(),
        showroom.deal(),
        *showroom.steps("pending"),
        terms,
        *showroom.steps("contracted", "delivered", "finalized"),
    ]
    done = pushing.push(*story, END)
    assert done.code == 0, done.err
    assert pushing.states("deal_statuses") == ["ACKED"] * 4
    assert pushing.states("deal_terms") == ["ACKED"]
    (deal,) = pushing.records("deals")
    assert deal["status"] == "finalized"
    assert (deal["finance"]["termMonths"], float(deal["finance"]["aprPercent"])) == (48, 4.9)
    step, patch = "POST /deals/{id}/status", "PATCH /deals/{id}"
    assert calls(pushing, deal["dealId"])[-5:] == [step, patch, step, step, step]
    sent = [write["expectedStatus"] for write in pushing.written("deal_statuses")]
    assert sent == ["penciled", "pending", "contracted", "delivered"]
    posted = [
        entry for entry in pushing.dealer.records("gl_entries") if entry["dealId"] == deal["dealId"]
    ]
    assert posted, "its journal is in the books"
    with pushing.journal() as journal:
        rows = [row for row in journal.rows() if row["object"] == "deal_statuses"]
    assert {row["dms_number"] for row in rows} == {deal["dealNumber"]}
    everything_again_changes_nothing(pushing, *story)


def test_no_step_leads_a_deal_back_and_the_reject_says_where_it_is(showroom: Showroom) -> None:
    pushing = showroom.pushing
    story = [pushing.customer(), showroom.deal(), *showroom.steps("contracted", "delivered")]
    assert pushing.push(*story).code == 0
    before = pushing.posts("deal_statuses")
    done = pushing.push(*showroom.steps("pending"), END)
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n'
    assert counts(done, "deal_statuses") == {"rejected": 1}
    (deal,) = pushing.records("deals")
    assert deal["status"] == "delivered"
    assert pushing.reasons("deal_statuses")[-1] == (
        f"it is further on; the DMS holds status delivered, changed at {deal['updatedAt']}"
    )
    assert pushing.posts("deal_statuses") == before
    listed = push(pushing, "rejects list")
    assert "superseded" in " ".join(listed.out.split())


def test_a_repair_order_is_led_from_its_appointment_to_the_books_in_one_pipe(
    showroom: Showroom,
) -> None:
    pushing = showroom.pushing
    key = pushing.key(1)
    results = [{"item": "Brakes", "result": "yellow"}, {"item": "Tyres", "result": "green"}]
    story = [
        pushing.customer(),
        pushing.appointment(externalId=key, concern="Brakes squeal"),
        pushing.record("appointment_changes", appointmentExternalId=key, status="confirmed"),
        pushing.record("appointment_changes", appointmentExternalId=key, status="arrived"),
        pushing.record(
            "repair_orders", externalId=key, appointmentExternalId=key, odometerIn=41200
        ),
        pushing.record(
            "repair_order_inspections", repairOrderExternalId=key, lineCode="A", inspection=results
        ),
        *showroom.work("in_progress", "completed", "closed"),
    ]
    done = pushing.push(*story, END)
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n'
    for name in ("repair_orders", "repair_order_inspections"):
        assert pushing.states(name) == ["ACKED"], pushing.reasons(name)
    assert pushing.states("repair_order_statuses") == ["ACKED"] * 3
    (order,) = pushing.records("repair_orders")
    (appointment,) = pushing.records("service_appointments")
    assert order["status"] == "closed"
    assert order["odometerIn"] == 41200
    assert [item["result"] for item in order["lines"][0]["inspection"]] == ["yellow", "green"]
    assert (appointment["status"], appointment["repairOrderId"]) == (
        "converted",
        order["repairOrderId"],
    )
    posted = pushing.dealer.records("gl_entries")
    assert [entry for entry in posted if entry["repairOrderId"] == order["repairOrderId"]]
    everything_again_changes_nothing(pushing, *story)


def test_an_appointment_is_moved_and_cancelled_and_stays_so(showroom: Showroom) -> None:
    pushing = showroom.pushing
    key = pushing.key(1)
    assert pushing.push(pushing.customer(), pushing.appointment(externalId=key)).code == 0
    moved = pushing.record(
        "appointment_changes",
        appointmentExternalId=key,
        appointmentTime="2027-03-08T10:00:00-05:00",
        status="rescheduled",
    )
    cancelled = pushing.record(
        "appointment_changes",
        appointmentExternalId=key,
        status="cancelled",
        cancelReason="Sold the car",
    )
    assert pushing.push(moved).code == 0
    (appointment,) = pushing.records("service_appointments")
    assert appointment["appointmentTime"] == "2027-03-08T10:00:00-05:00"
    assert appointment["status"] == "rescheduled"
    assert pushing.push(cancelled).code == 0
    (appointment,) = pushing.records("service_appointments")
    assert (appointment["status"], appointment["cancelReason"]) == ("cancelled", "Sold the car")
    late = pushing.record("appointment_changes", appointmentExternalId=key, status="confirmed")
    before = pushing.posts("appointment_changes")
    done = pushing.push(late)
    assert done.code == 0, done.err
    assert pushing.states("appointment_changes") == ["ACKED", "ACKED", "REJECTED superseded"]
    assert "the DMS holds status cancelled" in pushing.reasons("appointment_changes")[-1]
    assert pushing.posts("appointment_changes") == before


def test_a_price_that_somebody_has_changed_since_it_was_read_stays_theirs(
    showroom: Showroom,
) -> None:
    pushing, vehicle = showroom.pushing, showroom.vehicle()
    theirs = vehicle["salePrice"] - 300
    showroom.reprice(vehicle, theirs)
    ours = showroom.price(vehicle, vehicle["salePrice"] - 100, ifUpdatedAt=vehicle["updatedAt"])
    done = pushing.push(ours, END)
    assert done.code == 0, done.err
    assert pushing.states("vehicle_prices") == ["REJECTED superseded"]
    held = showroom.held(vehicle)
    assert held["salePrice"] == theirs
    assert (
        f"the DMS holds salePrice {theirs}, changed at {held['updatedAt']}"
        in (pushing.reasons("vehicle_prices")[0])
    )
    known = showroom.price(vehicle, vehicle["salePrice"] - 200, ifUpdatedAt=held["updatedAt"])
    assert pushing.push(known).code == 0
    assert showroom.held(vehicle)["salePrice"] == vehicle["salePrice"] - 200


def test_a_price_that_somebody_changes_while_ours_is_on_its_way_stays_theirs(
    showroom: Showroom,
) -> None:
    """The API asks for patience; meanwhile a person at the dealership sets another price."""
    pushing, vehicle = showroom.pushing, showroom.vehicle()
    theirs = vehicle["salePrice"] - 300
    busy = {"method": "PATCH", "path": "/vehicles/*"}
    pushing.dealer.faults({"kind": "rate_limit", "retry_after": 2, "count": 1, "match": busy})
    before = pushing.posts("vehicle_prices")
    with at_work(pushing, showroom.price(vehicle, vehicle["salePrice"] - 100), END) as process:
        until(lambda: pushing.posts("vehicle_prices") > before, process)
        showroom.reprice(vehicle, theirs)
        assert process.wait(PATIENCE) == 0
    assert pushing.states("vehicle_prices") == ["REJECTED superseded"]
    assert pushing.reasons("vehicle_prices")[0].startswith(
        f"somebody has changed it since it was read first; the DMS holds salePrice {theirs}, "
    )
    assert showroom.held(vehicle)["salePrice"] == theirs


def test_two_prices_of_one_extraction_are_both_set_the_later_one_last(showroom: Showroom) -> None:
    """Both know the vehicle as it was before the first of them."""
    pushing, vehicle = showroom.pushing, showroom.vehicle()
    read = vehicle["updatedAt"]
    prices = [vehicle["salePrice"] - cut for cut in (100, 200)]
    done = pushing.push(*(showroom.price(vehicle, price, ifUpdatedAt=read) for price in prices))
    assert done.code == 0, done.err
    assert pushing.states("vehicle_prices") == ["ACKED", "ACKED"]
    assert [write["salePrice"] for write in pushing.written("vehicle_prices")] == prices


def test_photos_are_replaced_in_their_order_and_comments_are_set(showroom: Showroom) -> None:
    pushing, vehicle = showroom.pushing, showroom.vehicle()
    urls = [f"https://photos.example/{name}.jpg" for name in "bca"]
    photos = pushing.record(
        "vehicle_photos", vin=vehicle["vin"].lower(), photos=[{"url": url} for url in urls]
    )
    comments = pushing.record(
        "vehicle_comments", vehicle_id=vehicle["vehicleId"], comments="One owner"
    )
    done = pushing.push(photos, comments, END)
    assert done.code == 0, done.err
    held = showroom.held(vehicle)
    assert [photo["url"] for photo in held["photos"]] == urls, pushing.reasons("vehicle_photos")
    assert (held["comments"], held["salePrice"]) == ("One owner", vehicle["salePrice"])
    everything_again_changes_nothing(pushing, photos, comments)
    none = pushing.record("vehicle_photos", vin=vehicle["vin"], photos=[])
    assert pushing.push(none).code == 0
    assert showroom.held(vehicle)["photos"] == []


def test_a_locked_deal_is_tried_once_a_run_and_goes_on_once_a_manager_has_approved_it(
    showroom: Showroom,
) -> None:
    pushing = showroom.pushing
    start_from: int = pushing.dealer.stats()["refusals"].get(STATUS_LOCKED, 0)

    def tried() -> int:
        refused: int = pushing.dealer.stats()["refusals"].get(STATUS_LOCKED, 0)
        return refused - start_from

    story = [
        pushing.customer(),
        showroom.deal(profit=-3000),
        *showroom.steps("contracted", "delivered", "finalized"),
    ]
    first = pushing.push(*story, END, workers=8)
    assert first.code == 0, first.err
    assert first.out == '{"end":1}\n'
    assert tried() == 1
    assert pushing.states("deal_statuses") == ["ACKED", "WAITING_APPROVAL", "WAITING_APPROVAL"]
    assert pushing.push(END).code == 0
    assert tried() == 2
    (deal,) = pushing.records("deals")
    assert deal["status"] == "contracted"
    pushing.dealer.control("approve", {"dealId": deal["dealId"]})
    last = pushing.push(*story, END)
    assert last.code == 0, last.err
    assert tried() == 2
    (deal,) = pushing.records("deals")
    assert deal["status"] == "finalized"
    steps = [write["status"] for write in pushing.written("deal_statuses")]
    assert steps == ["contracted", "delivered", "finalized"]


def test_a_price_drop_over_a_limit_is_held_until_a_plan_with_it_is_applied(
    showroom: Showroom,
) -> None:
    pushing, vehicle = showroom.pushing, showroom.vehicle()
    half = (vehicle["salePrice"] / 2).quantize(vehicle["salePrice"])
    rules = [{"object": "vehicle_prices", "when": "salePrice < dms.salePrice * 0.9"}]
    message = showroom.price(vehicle, half)
    assert pushing.push(message, approvals=rules).code == 0
    assert pushing.states("vehicle_prices") == ["WAITING_APPROVAL"]
    assert showroom.held(vehicle)["salePrice"] == vehicle["salePrice"]
    plan = pushing.folder / "plan"
    shown = push(pushing, "plan", "--out", plan, stdin=pushing.lines(message), approvals=rules)
    assert shown.code == 0, shown.err
    told = " ".join(shown.out.split())
    assert f"salePrice: {vehicle['salePrice']} -> {float(half)}" in told
    assert showroom.held(vehicle)["salePrice"] == vehicle["salePrice"]
    applied = push(pushing, "apply", plan, approvals=rules)
    assert applied.code == 0, applied.err
    assert showroom.held(vehicle)["salePrice"] == half
    assert pushing.states("vehicle_prices") == ["ACKED"]


@pytest.mark.parametrize("workers", [1, 8, 32])
def test_what_belongs_to_one_deal_is_written_in_its_order_by_any_number_of_workers(
    showroom: Showroom, workers: int
) -> None:
    pushing, number = showroom.pushing, 4
    scans = []
    for place in range(number):
        scan = pushing.folder / f"scan-{place}.pdf"
        scan.write_bytes(b"%%PDF %d" % place)
        scans.append(
            pushing.record("attachments", dealReferenceId=pushing.key(place), path=str(scan))
        )
    deals = [showroom.deal(place) for place in range(number)]
    customers = [pushing.customer(place) for place in range(number)]
    first, second = (
        [showroom.steps(status, number=place)[0] for place in range(number)]
        for status in ("contracted", "delivered")
    )
    done = pushing.push(*deals, *first, *customers, *second, *scans, END, workers=workers)
    assert done.code == 0, done.err
    with pushing.journal() as journal:
        assert {state.value for _, state in journal.counts()} == {"ACKED"}
    attached = {
        record["attachmentId"]: record["entityId"]
        for record in pushing.dealer.records("attachments")
    }
    for deal in pushing.records("deals"):
        assert deal["status"] == "delivered"
        about = [
            (entry["write"]["payload"] or {}).get("status") or entry["key"]
            for entry in pushing.history()
            if entry["stream"] is None
            and deal["dealId"] in {written := entry["write"].get("id"), attached.get(written)}
        ]
        assert about == ["contracted", "delivered", "POST /attachments/{id}/complete"]


@pytest.mark.parametrize("workers", [1, 8])
def test_changes_that_come_before_what_they_are_about_wait_for_it(
    showroom: Showroom, workers: int
) -> None:
    pushing = showroom.pushing
    key = pushing.key(1)
    deal = showroom.deal()
    done = pushing.push(
        *showroom.steps("contracted"),
        *showroom.work("in_progress"),
        *showroom.steps("delivered"),
        pushing.record("repair_orders", externalId=key, appointmentExternalId=key),
        pushing.appointment(externalId=key),
        deal,
        pushing.customer(),
        END,
        workers=workers,
    )
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n'
    with pushing.journal() as journal:
        assert {state.value for _, state in journal.counts()} == {"ACKED"}
    assert [record["status"] for record in pushing.records("deals")] == ["delivered"]
    assert [record["status"] for record in pushing.records("repair_orders")] == ["in_progress"]
    steps = [write["status"] for write in pushing.written("deal_statuses")]
    assert steps == ["contracted", "delivered"]


def test_steps_of_a_deal_that_comes_in_a_later_run_are_taken_then(showroom: Showroom) -> None:
    pushing = showroom.pushing
    first = pushing.push(*showroom.steps("contracted", "delivered"), END)
    assert first.code == 0, first.err
    assert first.out == '{"end":1}\n'
    assert pushing.states("deal_statuses") == ["WAITING_PARENT"] * 2
    later = pushing.push(pushing.customer(), showroom.deal(), END)
    assert later.code == 0, later.err
    assert pushing.states("deal_statuses") == ["ACKED"] * 2
    assert [record["status"] for record in pushing.records("deals")] == ["delivered"]


def test_a_merged_customer_whom_a_deal_an_appointment_and_an_order_name_is_followed(
    showroom: Showroom,
) -> None:
    pushing = showroom.pushing
    assert pushing.push(pushing.customer(1), pushing.customer(2)).code == 0
    ids = {record["externalId"]: record["customerId"] for record in pushing.records("customers")}
    gone, left = ids[pushing.key(1)], ids[pushing.key(2)]
    pushing.dealer.control("merge", {"from": gone, "into": left})
    by_id = {"customerExternalId": None, "customerId": gone}
    done = pushing.push(
        showroom.deal(1),
        pushing.appointment(1),
        showroom.order(1),
        showroom.order(3, **by_id),
        *showroom.steps("contracted"),
        *showroom.work("in_progress"),
        END,
    )
    assert done.code == 0, done.err
    with pushing.journal() as journal:
        assert {state.value for _, state in journal.counts()} == {"ACKED"}
    for name in ("deals", "service_appointments", "repair_orders"):
        assert {record["customerId"] for record in pushing.records(name)} == {left}, name
    assert len(pushing.records("repair_orders")) == 2


@pytest.fixture
def queueing(tmp_path: Path) -> Iterator[Dealership]:
    """A DMS that queues changes of deals' statuses for ten minutes of its own time."""
    options = ("--vehicles", "40", "--days", "3", "--mfa-type", "none")
    queue = ("--queue-deals", "--queue-milliseconds", "600000")
    folder = tmp_path / "dms"
    folder.mkdir()
    with dealership(folder, *options, *queue) as dealer:
        yield dealer


def until_queued(pushing: Pushing, number: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many statuses have been sent, and the last has been asked for."""

    def asked() -> int:
        count: int = pushing.dealer.stats()["requests"].get("GET /operations/{id}", 0)
        return count

    until(lambda: pushing.posts("deal_statuses") == number, process)
    before = asked()
    until(lambda: asked() > before, process)


def carry_out(queueing: Dealership) -> None:
    """Let the time of what is queued pass: it is begun after the half, and done after the whole."""
    for _ in range(2):
        queueing.pass_time(310)


def test_what_the_dms_queues_is_followed_through_a_kill_and_done_once(
    queueing: Dealership, tmp_path: Path
) -> None:
    showroom = Showroom(Pushing(queueing, tmp_path))
    pushing = showroom.pushing
    story = [pushing.customer(), showroom.deal(), *showroom.steps("contracted", "delivered")]

    with at_work(pushing, *story, END) as process:
        until_queued(pushing, 1, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
    carry_out(queueing)
    with at_work(pushing, END) as process:
        until_queued(pushing, 2, process)
        process.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE) == -signal.SIGKILL
    carry_out(queueing)
    done = pushing.push(END, idempotency_honoured="honoured")
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n'
    assert pushing.posts("deal_statuses") == 2
    assert pushing.states("deal_statuses") == ["ACKED", "ACKED"]
    (deal,) = pushing.records("deals")
    assert deal["status"] == "delivered"


def test_what_stays_queued_beyond_the_time_limit_is_left_and_not_lost(
    queueing: Dealership, tmp_path: Path
) -> None:
    showroom = Showroom(Pushing(queueing, tmp_path))
    pushing = showroom.pushing
    story = [pushing.customer(), showroom.deal(), *showroom.steps("contracted", "delivered")]
    first = pushing.push(*story, END, max_wait_seconds=1)
    assert first.code == 4, first.err
    assert first.out == ""
    assert pushing.states("deal_statuses") == ["UNKNOWN", "PLANNED"]
    carry_out(queueing)
    with at_work(pushing, END) as process:
        until_queued(pushing, 2, process)
        carry_out(queueing)
        assert process.wait(PATIENCE) == 0
    assert pushing.states("deal_statuses") == ["ACKED", "ACKED"]
    assert [record["status"] for record in pushing.records("deals")] == ["delivered"]


@pytest.fixture
def late(tmp_path: Path) -> Iterator[Dealership]:
    """A DMS whose reads show what it held two seconds ago."""
    options = ("--vehicles", "40", "--days", "3", "--mfa-type", "none")
    folder = tmp_path / "dms"
    folder.mkdir()
    with dealership(folder, *options, "--visible-after", "2000") as dealer:
        yield dealer


def test_a_price_there_and_back_again_is_two_writes_also_where_reads_lag(
    late: Dealership, tmp_path: Path
) -> None:
    showroom = Showroom(Pushing(late, tmp_path))
    pushing, vehicle = showroom.pushing, showroom.vehicle()
    prices = [vehicle["salePrice"] - 100, vehicle["salePrice"]]
    done = pushing.push(*(showroom.price(vehicle, price) for price in prices), cooldown_seconds=2)
    assert done.code == 0, done.err
    assert [write["salePrice"] for write in pushing.written("vehicle_prices")] == prices
    assert showroom.held(vehicle)["salePrice"] == vehicle["salePrice"]


def test_a_deal_is_led_through_its_steps_also_where_reads_lag(
    late: Dealership, tmp_path: Path
) -> None:
    showroom = Showroom(Pushing(late, tmp_path))
    pushing = showroom.pushing
    done = pushing.push(
        pushing.customer(),
        showroom.deal(),
        *showroom.steps("contracted", "delivered"),
        cooldown_seconds=2,
    )
    assert done.code == 0, done.err
    assert pushing.states("deal_statuses") == ["ACKED", "ACKED"]
    assert [record["status"] for record in pushing.records("deals")] == ["delivered"]
