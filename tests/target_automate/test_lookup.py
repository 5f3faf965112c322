"""Records are found in the DMS by their key, in lists that were read whole."""

from __future__ import annotations

import typing as t

import pytest
from support.listing import NOW, Lists

from automate_api.client import Answer
from automate_api.errors import NotEntitledError, NotOfferedError, ProtocolError, TryLaterError
from target_automate.checks.lookup import LONGEST_PAGES, NONSENSE, READS, CannotLookUpError, holds
from target_automate.sinks.table import by_object

CUSTOMERS, DEALS, APPOINTMENTS = map(by_object, ("customers", "deals", "service_appointments"))
VIN: t.Final = "1HGCM82633A004352"


def deal(number: int, **changes: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - fields
    return {"dealId": f"deal_{number}", "referenceId": f"web-{number}", **changes}


def appointment(number: int, **changes: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - fields
    return {
        "appointmentId": f"appt_{number}",
        "customerId": "cust_1",
        "vin": VIN,
        "appointmentTime": "2026-02-03T09:30:00-05:00",
        **changes,
    }


BOOKING: t.Final = {
    "customerId": "cust_1",
    "vin": VIN.lower(),
    "appointmentTime": "2026-02-03T14:30:00Z",
}


def test_a_deal_is_found_by_its_reference_alone() -> None:
    lists = Lists(deals=[deal(1), deal(2), deal(3, referenceId=None)])
    assert lists.lookup().find(DEALS, {"referenceId": "web-2", "vehicle": {}}) == [deal(2)]
    (asked,) = lists.asked
    assert asked == ("/deals", {"referenceId": "web-2", "page": 1, "pageSize": 200})


def test_a_filter_that_the_tenant_does_not_know_finds_no_wrong_record() -> None:
    lists = Lists(deals=[deal(1), deal(2)])
    lists.ignored = {"referenceId"}
    assert lists.lookup().find(DEALS, {"referenceId": "web-2"}) == [deal(2)]
    assert lists.lookup().find(DEALS, {"referenceId": "web-9"}) == []


def test_a_tenant_without_the_filter_and_with_a_long_list_cannot_be_asked() -> None:
    lists = Lists(deals=[deal(number) for number in range(2 * (LONGEST_PAGES + 1))])
    lists.ignored, lists.page_size = {"referenceId"}, 2
    with pytest.raises(CannotLookUpError, match="does not filter"):
        lists.lookup().find(DEALS, {"referenceId": "web-2"})
    assert len(lists.asked) == LONGEST_PAGES


def test_an_appointment_is_the_same_in_another_offset_and_case() -> None:
    lists = Lists(service_appointments=[appointment(1)])
    lists.ignored = {"vin"}
    assert lists.lookup().find(APPOINTMENTS, BOOKING) == [appointment(1)]


@pytest.mark.parametrize(
    "changes",
    [
        {"customerId": "cust_2"},
        {"vin": "2HGCM82633A004352"},
        {"appointmentTime": "2026-02-03T09:31:00-05:00"},
        {"appointmentTime": None},
        {"externalId": "bk-2"},
    ],
    ids=str,
)
def test_another_appointment_is_not_taken_for_it(changes: dict[str, t.Any]) -> None:
    lists = Lists(service_appointments=[appointment(1, **changes)])
    lists.ignored = {"customerId", "vin", "appointmentFrom", "appointmentTo"}
    assert lists.lookup().find(APPOINTMENTS, {**BOOKING, "externalId": "bk-1"}) == []


@pytest.mark.parametrize("echo", ["bk-1", None])
def test_an_appointment_is_found_whether_its_id_is_echoed_or_not(echo: str | None) -> None:
    lists = Lists(service_appointments=[appointment(1, externalId=echo)])
    lists.ignored = {"vin"}
    assert lists.lookup().find(APPOINTMENTS, {**BOOKING, "externalId": "bk-1"})


@pytest.mark.parametrize("status", ["cancelled", "voided", "lost"])
def test_a_dead_record_does_not_stand_for_a_new_one_but_for_what_was_sent(status: str) -> None:
    lists = Lists(deals=[deal(1, status=status)])
    assert lists.lookup().find(DEALS, {"referenceId": "web-1"}) == []
    assert lists.lookup().find(DEALS, {"referenceId": "web-1"}, age=60) != []


def test_only_later_changes_are_asked_for_when_the_time_of_sending_is_known() -> None:
    lists = Lists(deals=[deal(1)])
    lists.lookup().find(DEALS, {"referenceId": "web-1"}, age=100)
    # 100 s and a margin of two minutes before 14:13:40 by the server's clock.
    assert lists.asked[0][1]["updatedFrom"] == "2026-09-21T14:10:00Z"


def test_all_pages_are_read() -> None:
    lists = Lists(deals=[deal(number, referenceId="same") for number in range(7)])
    lists.page_size = 3
    assert len(lists.lookup().find(DEALS, {"referenceId": "same"})) == 7
    assert [query["page"] for _, query in lists.asked] == [1, 2, 3]


def test_a_list_that_loses_a_row_between_its_pages_is_read_again() -> None:
    lists = Lists(deals=[deal(number, referenceId="same") for number in range(4)])
    lists.page_size = 2

    def shift(page: int) -> None:
        if page == 2 and len(lists.asked) == 2:
            lists.records["deals"].insert(0, lists.records["deals"].pop())

    lists.before_page = shift
    found = lists.lookup().find(DEALS, {"referenceId": "same"})
    assert {record["dealId"] for record in found} == {f"deal_{number}" for number in range(4)}
    assert len(lists.asked) == 4


def test_a_list_that_never_holds_still_is_given_up_for_later() -> None:
    lists = Lists(deals=[deal(number, referenceId="same") for number in range(4)])
    lists.page_size = 2

    def shift(page: int) -> None:
        if page == 2:
            lists.records["deals"].insert(0, lists.records["deals"].pop())

    lists.before_page = shift
    with pytest.raises(TryLaterError, match=f"{READS} attempts"):
        lists.lookup().find(DEALS, {"referenceId": "same"})


@pytest.mark.parametrize("error", [NotOfferedError, NotEntitledError])
def test_a_list_that_the_tenant_or_login_has_not_cannot_be_asked(error: type) -> None:
    lists = Lists()
    lists.failure = error("GET /deals: no", status=403)
    with pytest.raises(CannotLookUpError, match="GET /deals: no"):
        lists.lookup().find(DEALS, {"referenceId": "web-1"})


def test_a_detail_that_is_not_there_is_none() -> None:
    lists = Lists(customers=[{"customerId": "cust_1"}])
    assert lists.lookup().detail(CUSTOMERS.entity, "cust_1") == {"customerId": "cust_1"}
    assert lists.lookup().detail(CUSTOMERS.entity, "cust_2") is None


@pytest.mark.parametrize(
    "body", [[], None, "gone", {}, {"customerId": None}, {"customerId": "cust_2"}], ids=str
)
def test_what_is_not_the_record_that_was_asked_for_does_not_say_that_it_is_gone(
    body: object,
) -> None:
    class Odd(Lists):
        def get(self, path: str) -> Answer:
            self.asked.append((path, {}))
            return Answer(body, NOW, None)

    with pytest.raises(ProtocolError, match="expected a record with the customerId asked for"):
        Odd().lookup().detail(CUSTOMERS.entity, "cust_1")


@pytest.mark.parametrize(
    ("record", "body", "same"),
    [
        ({"a": 1, "b": 2}, {"a": 1}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ({"a": {"b": [1, {"c": 2, "d": 3}]}}, {"a": {"b": [1, {"c": 2}]}}, True),
        ({"a": [1, 2]}, {"a": [1]}, False),
        ({"a": [1]}, {"a": [1, 2]}, False),
        ({"a": None}, {"a": 1}, False),
        ({"a": 1}, {}, True),
    ],
)
def test_a_record_holds_a_payload_when_it_says_at_least_that(
    record: object, body: object, *, same: bool
) -> None:
    assert holds(record, body) is same


def nonsense(lists: Lists, times: int) -> None:
    """Have a proxy answer so many questions in the DMS's place."""
    get, left = lists.get, iter(range(times))

    def faulty(path: str) -> Answer:
        answer = get(path)
        return Answer([answer.body], NOW, None) if next(left, None) is not None else answer

    lists.get = faulty  # type: ignore[method-assign]  # a fault


def test_a_record_is_asked_for_again_when_what_comes_is_none() -> None:
    lists = Lists(deals=[deal(1)])
    nonsense(lists, NONSENSE)
    assert lists.lookup().detail(DEALS.entity, "deal_1") == deal(1)


def test_an_answer_that_is_no_record_does_not_say_that_there_is_none() -> None:
    lists = Lists(deals=[deal(1)])
    nonsense(lists, NONSENSE + 1)
    with pytest.raises(ProtocolError, match="dealId"):
        lists.lookup().detail(DEALS.entity, "deal_1")
    assert lists.lookup().detail(DEALS.entity, "deal_9") is None
