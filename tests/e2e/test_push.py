"""target-automate from the outside: each record once, changes alone, and STATE as far as it is."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.dealership import run
from support.failures import refused, shows_none_of, warned
from support.pushing import Pushing, checkpoints, counts
from support.singer import schema, state


def test_a_customer_with_a_deal_and_an_appointment_arrives_with_its_ids(pushing: Pushing) -> None:
    done = pushing.push(*checkpoints(pushing.customer(), pushing.deal(), pushing.appointment()))
    assert done.code == 0, done.err
    (customer,), (deal,), (appointment,) = (
        pushing.records(name) for name in ("customers", "deals", "service_appointments")
    )
    assert deal["customerId"] == appointment["customerId"] == customer["customerId"]
    assert deal["status"] == "penciled"
    assert deal["pricing"]["salePrice"] == 20001
    assert appointment["appointmentTime"] == "2027-03-01T09:30:00-05:00"
    assert json.loads(done.out.splitlines()[-1]) == {"records": 3}
    with pushing.journal() as journal:
        rows = {row["object"]: row for row in journal.rows(rejected=False)}
    assert rows["deals"]["dms_id"] == deal["dealId"]
    assert rows["deals"]["dms_number"] == deal["dealNumber"]
    assert rows["customers"]["dms_id"] == customer["customerId"]
    assert counts(done, "deals") == {"sent": 1}


def test_the_same_customer_as_a_b_and_a_is_three_writes_and_a_at_the_end(
    pushing: Pushing,
) -> None:
    done = pushing.push(*(pushing.customer(notes=notes) for notes in ("A", "B", "A")))
    assert done.code == 0, done.err
    assert [write["notes"] for write in pushing.written("customers")] == ["A", "B", "A"]
    (customer,) = pushing.records("customers")
    assert customer["notes"] == "A"


def test_a_rerun_of_the_same_file_sends_nothing(pushing: Pushing) -> None:
    messages = [
        message
        for number in range(4)
        for message in (
            pushing.customer(number),
            pushing.deal(number),
            pushing.appointment(number),
        )
    ]
    first = pushing.push(*messages, state({"end": 1}))
    assert first.code == 0, first.err
    requests = pushing.dealer.stats()["requests"]
    again = pushing.push(*messages, state({"end": 1}))
    assert again.code == 0, again.err
    assert pushing.dealer.stats()["requests"] == requests
    assert again.out == '{"end":1}\n'
    assert {name: counts(again, name) for name in ("customers", "deals")} == {
        "customers": {"unchanged": 4},
        "deals": {"unchanged": 4},
    }


def test_the_same_record_twice_in_one_file_is_sent_once(pushing: Pushing) -> None:
    trio = [pushing.customer(), pushing.deal(), pushing.appointment()]
    done = pushing.push(*trio, *trio, *trio)
    assert done.code == 0, done.err
    assert [len(pushing.written(name)) for name in ("customers", "deals")] == [1, 1]
    assert len(pushing.written("service_appointments")) == 1


def test_a_record_says_the_same_in_any_spelling(pushing: Pushing) -> None:
    camel = pushing.deal(1, customerExternalId=None, customerId="cust_x")["record"]
    customer = pushing.customer(phones=[{"type": "cell", "number": "+12025550143"}])
    assert pushing.push(customer).code == 0
    (known,) = pushing.records("customers")
    camel["customerId"] = known["customerId"]
    snake = {
        "reference_id": camel["referenceId"],
        "customer_id": camel["customerId"],
        "vehicle__vin": camel["vehicle"]["vin"],
        "pricing": json.dumps({"sale_price": "20001.00"}),
        "trade_in": None,
    }
    both = [{"type": "RECORD", "stream": "deals", "record": record} for record in (camel, snake)]
    done = pushing.push(*both)
    assert done.code == 0, done.err
    assert len(pushing.written("deals")) == 1
    again = pushing.push(
        {
            "type": "RECORD",
            "stream": "leads",
            "record": {
                "external_id": pushing.key(1),
                "first_name": "Dana",
                "lastName": pushing.key(1),
                "phones": '[{"type": "cell", "number": "+12025550143"}]',
            },
        }
    )
    assert again.code == 0, again.err
    assert len(pushing.written("customers")) == 1


def test_a_changed_deal_that_was_created_is_rejected_with_its_id_and_not_doubled(
    pushing: Pushing,
) -> None:
    assert pushing.push(pushing.customer(), pushing.deal()).code == 0
    (deal,) = pushing.records("deals")
    changed = pushing.deal(pricing={"salePrice": 19000})
    done = pushing.push(changed, state({"end": 1}))
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n'
    assert pushing.states("deals") == ["ACKED", "REJECTED exists"]
    assert f"exists as {deal['dealId']}" in pushing.reasons("deals")[1]
    back = pushing.push(pushing.deal())
    assert counts(back, "deals") == {"unchanged": 1}
    assert len(pushing.written("deals")) == 1


@pytest.mark.parametrize("name", ["deals", "service_appointments"])
def test_what_was_read_from_the_dms_is_not_sent_back_as_new(pushing: Pushing, name: str) -> None:
    read = {
        "deals": pushing.deal(dealId="deal_123"),
        "service_appointments": pushing.appointment(appointment_id="appt_123"),
    }
    before = pushing.posts(name)
    done = pushing.push(pushing.customer(), read[name])
    assert done.code == 0, done.err
    assert pushing.states(name) == ["REJECTED invalid"]
    assert "is not sent back as new" in pushing.reasons(name)[0]
    assert pushing.posts(name) == before


def test_streams_that_nobody_takes_are_skipped_with_one_warning_each(pushing: Pushing) -> None:
    odd = {"type": "RECORD", "stream": "opportunities", "record": {"id": 1}}
    done = pushing.push(
        odd, pushing.customer(1), odd, schema("opportunities", id="integer"), odd, state({"end": 1})
    )
    assert done.code == 0, done.err
    warned(done, "'opportunities' is skipped", "customers, deals, service_appointments")
    assert done.out == '{"end":1}\n'
    assert len(pushing.written("customers")) == 1


def test_fields_that_the_api_does_not_take_are_not_sent_and_told_once(pushing: Pushing) -> None:
    done = pushing.push(
        *(pushing.customer(number, favouriteColour="teal-canary") for number in range(3))
    )
    assert done.code == 0, done.err
    warned(done, "favouriteColour")
    shows_none_of(done.err, ["teal-canary"])
    assert all("favouriteColour" not in write for write in pushing.written("customers"))


def test_a_tap_s_stream_is_mapped_onto_ours_by_name_and_by_field(pushing: Pushing) -> None:
    row = {"id": 7, "given": "Dana", "family": "Example", "mail": f"{pushing.name}@example.com"}
    maps = {
        "public-people": {
            "externalId": f"'{pushing.name}-' + str(id)",
            "firstName": "given",
            "lastName": "family",
            "emails": "[mail.lower()]",
            "__else__": None,
            "__alias__": "customers",
            "__key_properties__": ["externalId"],
        }
    }
    done = pushing.push(
        schema("public-people", id="integer", given="string", family="string", mail="string"),
        {"type": "RECORD", "stream": "public-people", "record": row},
        stream_maps=maps,
    )
    assert done.code == 0, done.err
    assert pushing.written("customers") == [
        {
            "externalId": pushing.key(7),
            "firstName": "Dana",
            "lastName": "Example",
            "emails": [f"{pushing.name}@example.com"],
        }
    ]


@pytest.mark.parametrize("lines", [[], [state({"end": 1})]])
def test_input_without_records_asks_nothing_of_the_dms(
    pushing: Pushing, lines: list[dict[str, t.Any]]
) -> None:
    before = pushing.dealer.stats()["requests"]
    done = pushing.push(*lines)
    assert done.code == 0, done.err
    assert done.out == ('{"end":1}\n' if lines else "")
    assert pushing.dealer.stats()["requests"] == before


def test_state_is_written_as_it_came_in_order_and_once_each(pushing: Pushing) -> None:
    values = [{"n": 0.10}, {"n": 10**20}, None, {"n": 10**20}, {"n": 10**20}]
    done = pushing.push(
        *(
            message
            for number, value in enumerate(values)
            for message in (pushing.customer(number), state(value))
        )
    )
    assert done.code == 0, done.err
    written = done.out.splitlines()
    assert written[-1] == '{"n":100000000000000000000}'
    # One may pass over those before it, where the records of several were settled together.
    in_order = iter(['{"n":0.1}', '{"n":100000000000000000000}', "null", written[-1]])
    assert all(line in in_order for line in written)


BAD: t.Final = {
    "firstName": "Plantania-canary",
    "emails": ["not-an-email-canary", 7],
    "phones": [{"type": "cell", "number": ["canary"]}],
    "dateOfBirth": "31.12.1961-canary",
    "customerType": "vip-canary",
    "marketingOptIn": {"email": "maybe-canary"},
    "address": "77 Quagmire Row canary",
}


def one_bad_among(pushing: Pushing, number: int) -> None:
    """Push so many customers of which one is wrong in many ways."""
    messages = [pushing.customer(place) for place in range(number)]
    messages[number // 2] = pushing.customer(number // 2, **BAD)
    done = pushing.push(*messages, state({"end": 1}), workers=8)
    assert done.code == 0, done.err
    assert done.out == '{"end":1}\n'
    assert counts(done, "customers") == {"sent": number - 1, "rejected": 1}
    arrived = {write["externalId"] for write in pushing.written("customers")}
    assert arrived == {pushing.key(place) for place in range(number)} - {pushing.key(number // 2)}
    with pushing.journal() as journal:
        (rejected,) = journal.rows(rejected=True)
    assert rejected["business_key"] == pushing.key(number // 2)
    wrong = {"phones[0].number", "dateOfBirth", "customerType", "marketingOptIn.email", "address"}
    missing = [field for field in wrong if f"{field}: " not in rejected["reason"]]
    assert missing == []
    shows_none_of(done.err + done.out + json.dumps(rejected), ["canary", "Quagmire", "Plantania"])


def test_one_bad_record_stops_no_other_and_all_that_is_wrong_with_it_is_told(
    pushing: Pushing,
) -> None:
    one_bad_among(pushing, 2000)


@pytest.mark.slow
def test_one_bad_record_among_ten_thousand_stops_no_other(pushing: Pushing) -> None:
    one_bad_among(pushing, 10_000)


def test_about_names_every_setting_and_needs_none(pushing: Pushing) -> None:
    done = run("target-automate", "--about", "--format", "json")
    assert done.code == 0, done.err
    about = json.loads(done.out)
    settings = about["settings"]["properties"]
    assert settings.keys() >= {"api_url", "journal_path", "journal_key", "workers", "approvals"}
    assert settings["workers"]["default"] == 8
    assert done.err == ""
    assert not pushing.journal_path.exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"workers": 0, "journal_key": "short-canary"}, ("`workers` must", "`journal_key` must")),
        ({"api_url": "http://dms.example"}, ("`api_url` must be", "https")),
    ],
    ids=["schema", "address"],
)
def test_settings_that_cannot_be_used_are_said_in_one_line(
    pushing: Pushing, wrong: dict[str, t.Any], words: tuple[str, ...]
) -> None:
    done = pushing.push(pushing.customer(), **wrong)
    refused(done, 2, *words)
    shows_none_of(done.err, ["short-canary"])
    assert done.out == ""
    assert not pushing.journal_path.exists()
