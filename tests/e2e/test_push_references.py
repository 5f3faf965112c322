"""Deals and appointments find their customer by the writer's own id, whenever it comes."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.dealership import run
from support.failures import warned
from support.pushing import Pushing, counts
from support.singer import state

END: t.Final = state({"end": 1})
UNFIT: t.Final = {"customerType": "vip"}


def order(pushing: Pushing) -> list[str]:
    """List what was written, in order."""
    return [
        entry["key"].split("/")[-1]
        for entry in pushing.history()
        if entry["stream"] is None and entry["key"].startswith("POST")
    ]


@pytest.mark.parametrize("workers", [1, 8])
def test_what_comes_before_its_customer_in_another_stream_waits_and_goes(
    pushing: Pushing, workers: int
) -> None:
    done = pushing.push(
        pushing.appointment(), pushing.deal(), pushing.customer(), END, workers=workers
    )
    assert done.code == 0, done.err
    assert order(pushing)[0] == "customers"
    assert sorted(order(pushing)) == ["appointments", "customers", "deals"]
    (customer,) = pushing.records("customers")
    assert {pushing.records("deals")[0]["customerId"]} == {customer["customerId"]}
    assert done.out == '{"end":1}\n'


def test_a_customer_that_never_comes_is_waited_for_in_later_runs(pushing: Pushing) -> None:
    done = pushing.push(pushing.customer(2), pushing.deal(1), pushing.deal(2), END)
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n', "it holds STATE until the end of the run, then lets it pass"
    assert sorted(pushing.states("deals")) == ["ACKED", "WAITING_PARENT"]
    assert counts(done, "deals") == {"sent": 1, "waiting": 1}
    idle = pushing.push(END)
    assert idle.code == 0, idle.err
    assert counts(idle, "deals") == {"waiting": 1}
    later = pushing.push(pushing.customer(1), END)
    assert later.code == 0, later.err
    assert pushing.states("deals") == ["ACKED", "ACKED"]
    assert len(pushing.written("deals")) == 2


def test_a_customer_that_somebody_else_has_entered_is_found_in_the_dms(pushing: Pushing) -> None:
    other = Pushing(pushing.dealer, pushing.folder)
    other.name = pushing.name
    assert other.push(pushing.customer()).code == 0
    pushing.journal_path.unlink()
    done = pushing.push(pushing.deal())
    assert done.code == 0, done.err
    assert pushing.states("deals") == ["ACKED"]


def test_a_rejected_customer_s_deals_are_rejected_with_it_and_go_when_it_is_corrected(
    pushing: Pushing,
) -> None:
    done = pushing.push(pushing.deal(1), pushing.customer(1, **UNFIT), pushing.appointment(1), END)
    assert done.code == 0, done.err
    for name in ("deals", "service_appointments"):
        assert pushing.states(name) == ["REJECTED parent"]
        assert pushing.reasons(name) == ["its customer is rejected (invalid)"]
    assert pushing.written("deals") == []
    fixed = pushing.push(pushing.customer(1), END)
    assert fixed.code == 0, fixed.err
    assert pushing.states("deals") == pushing.states("service_appointments") == ["ACKED"]
    assert pushing.states("customers") == ["DROPPED invalid", "ACKED"]
    assert order(pushing)[0] == "customers"
    assert len(order(pushing)) == 3


def test_what_was_rejected_with_many_customers_goes_when_the_file_is_corrected_and_fed_again(
    pushing: Pushing,
) -> None:
    """The corrected file begins with 30 records whose customers are still rejected."""
    deals = [pushing.deal(number) for number in range(30)]
    unfit = [pushing.customer(number, **UNFIT) for number in range(30)]
    assert pushing.push(*unfit[:15], *deals, *unfit[15:], END).code == 3
    fixed = pushing.push(*deals, *(pushing.customer(number) for number in range(30)), END)
    assert fixed.code == 0, fixed.err
    assert fixed.out == '{"end":1}\n'
    assert set(pushing.states("deals")) == {"ACKED"}
    assert len(pushing.written("deals")) == 30


def test_a_deal_of_a_merged_customer_goes_to_the_one_that_is_left(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer(1), pushing.customer(2)).code == 0
    ids = {record["externalId"]: record["customerId"] for record in pushing.records("customers")}
    gone, left = ids[pushing.key(1)], ids[pushing.key(2)]
    pushing.dealer.control("merge", {"from": gone, "into": left})
    by_own_id = pushing.deal(2, customerExternalId=pushing.key(1))
    by_dms_id = pushing.deal(3, customerExternalId=None, customerId=gone)
    done = pushing.push(by_own_id, by_dms_id, pushing.appointment(1), END)
    assert done.code == 0, done.err
    assert {deal["customerId"] for deal in pushing.records("deals")} == {left}
    assert len(pushing.records("deals")) == 2
    assert [record["customerId"] for record in pushing.records("service_appointments")] == [left]
    again = pushing.push(by_own_id, by_dms_id, pushing.appointment(1), END)
    assert counts(again, "deals") == {"unchanged": 2}


def test_a_customer_id_that_the_dms_does_not_know_is_rejected(pushing: Pushing) -> None:
    done = pushing.push(pushing.deal(customerExternalId=None, customerId="cust_000000"), END)
    assert done.code == 0, done.err
    assert pushing.states("deals") == ["REJECTED parent"]
    assert "fields customerId" in pushing.reasons("deals")[0]


def test_the_dms_s_own_id_counts_where_both_are_given(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer(1)).code == 0
    (known,) = pushing.records("customers")
    both = pushing.deal(1, customerId=known["customerId"], customerExternalId="nobody")
    done = pushing.push(both)
    assert done.code == 0, done.err
    (written,) = pushing.written("deals")
    assert written["customerId"] == known["customerId"]
    assert "customerExternalId" not in written


def met_by_name(pushing: Pushing) -> dict[str, t.Any]:
    """Have a customer in the DMS whom it will find by name and contact, and a record of theirs."""
    contact = f"{pushing.name}@example.com"
    person = {"firstName": "Dana", "lastName": pushing.name, "emails": [contact]}
    theirs = pushing.dealer.settings(mfa_type="none")
    known = write_directly(pushing, theirs, person)
    assert known["matchedBy"] is None
    return pushing.customer(1, **person)


def write_directly(
    pushing: Pushing, settings: dict[str, t.Any], person: dict[str, t.Any]
) -> dict[str, t.Any]:
    """Enter a customer without externalId, as somebody at the dealership would."""
    from automate_api.client import Client  # noqa: PLC0415 - of this helper alone
    from automate_api.config import ApiConfig  # noqa: PLC0415 - of this helper alone
    from automate_api.replies import Reply  # noqa: PLC0415 - of this helper alone
    from automate_api.session import Session  # noqa: PLC0415 - of this helper alone

    api = ApiConfig.from_settings(settings, program=pushing.name)
    session = Session(api)
    client = Client(api, session)
    try:
        reply = client.attempt("POST", "/customers", body=person)
    finally:
        client.close()
        session.close()
    assert isinstance(reply, Reply)
    answer: dict[str, t.Any] = reply.body
    return answer


def test_a_customer_whom_the_dms_found_by_name_is_told(pushing: Pushing) -> None:
    record = met_by_name(pushing)
    done = pushing.push(record)
    assert done.code == 0, done.err
    warned(done, "by nameAndContact", "was updated", "on_fuzzy_match")
    with pushing.journal() as journal:
        (row,) = journal.rows()
    assert row["matched_by"] == "nameAndContact"


def test_nothing_is_told_where_it_is_accepted(pushing: Pushing) -> None:
    done = pushing.push(met_by_name(pushing), on_fuzzy_match="accept")
    assert done.code == 0, done.err
    assert "nameAndContact" not in done.err


def test_a_customer_whom_the_dms_would_find_by_name_is_rejected_before_it_is_sent(
    pushing: Pushing,
) -> None:
    record = met_by_name(pushing)
    before = pushing.posts("customers")
    done = pushing.push(record, pushing.customer(2), END, on_fuzzy_match="reject")
    assert done.code == 0, done.err
    assert sorted(pushing.states("customers")) == ["ACKED", "REJECTED fuzzy"]
    assert pushing.posts("customers") == before + 1
    (reason,) = filter(None, pushing.reasons("customers"))
    assert "by name and email with cust_" in reason
    assert pushing.name not in reason


def test_ids_and_how_they_were_found_come_back_as_a_stream(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer(), pushing.deal()).code == 0
    config = pushing.folder / "results.json"
    config.write_text(json.dumps({"journal_path": str(pushing.journal_path)}))
    done = run("tap-automate-results", "--config", config)
    assert done.code == 0, done.err
    (deal,) = pushing.records("deals")
    results = done.records("write_results")
    assert deal["dealId"] in {value for row in results for value in row.values()}
