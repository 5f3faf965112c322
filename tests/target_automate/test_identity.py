"""Records that are the same have the same key and hash however they are spelled, and no others."""

from __future__ import annotations

import inspect
import json
import re
import typing as t
import unicodedata
import uuid
from decimal import Decimal

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from target_automate.journal import identity
from target_automate.sinks import table as sinks

if t.TYPE_CHECKING:
    from target_automate.sinks.declarations import SinkDeclaration

CUSTOMERS, DEALS, APPOINTMENTS = sinks.SINKS[:3]
APPOINTMENT = {
    "customerExternalId": "crm-10492",
    "vin": "1HGCM82633A004352",
    "appointmentTime": "2026-02-03T09:30:00-05:00",
}
KEY: dict[str, t.Any] = {
    "tenant": "api.example.com/integrations/1",
    "object": "deals",
    "operation": "create",
    "business_key": "web-1",
    "content_hash": "0" * 64,
    "sequence": 1,
    "generation": 0,
    "journal_id": None,
}

NUMBERS = st.integers() | st.decimals(allow_nan=False, allow_infinity=False)
CONTENT = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
BODIES = st.dictionaries(st.text(), CONTENT, max_size=4)


def hashed(value: object) -> str:
    return identity.content_hash({"value": value})


def appointment_key(**changes: object) -> str:
    return identity.business_key(APPOINTMENTS, APPOINTMENT | changes)


def same(one: t.Any, other: t.Any) -> bool:  # noqa: ANN401 - any JSON value
    """Equality as JSON has it: true is not 1, text is text in NFC."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other)


@pytest.mark.parametrize("spelling", [100, 100.0, Decimal(100), Decimal("1E2"), Decimal("100.00")])
def test_a_number_hashes_alike_in_every_spelling(spelling: object) -> None:
    assert hashed(spelling) == hashed(Decimal("1.00E+2"))
    assert hashed(spelling) != hashed("100")
    assert hashed(spelling) != hashed(Decimal("100.01"))


@pytest.mark.parametrize("zero", [0, 0.0, -0.0, Decimal("-0.00"), Decimal("0E+99")])
def test_every_zero_hashes_alike(zero: object) -> None:
    assert hashed(zero) == hashed(0)
    assert hashed(zero) != hashed(False)  # noqa: FBT003 - the value of a field


def test_digits_beyond_those_of_a_float_count() -> None:
    long = Decimal("0." + "1" * 60)

    assert hashed(long) != hashed(long + Decimal("1E-60"))
    assert hashed(10**40) != hashed(10**40 + 1)
    assert hashed(Decimal("1E+999999")) != hashed(Decimal("1E+999998"))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), Decimal("NaN")])
def test_what_is_no_number_of_json_has_no_form(number: object) -> None:
    with pytest.raises(TypeError, match="not finite"):
        hashed(number)


def test_text_hashes_alike_in_every_normal_form() -> None:
    assert hashed("Zo\u00eb") == hashed("Zoe\u0308")
    assert hashed("Zoe") != hashed("Zo\u00eb")


@settings(deadline=None)
@given(BODIES)
def test_the_order_of_fields_does_not_count(body: dict[str, t.Any]) -> None:
    turned = dict(reversed(body.items()))

    assert identity.canonical(turned) == identity.canonical(body)


@settings(deadline=None)
@given(BODIES)
def test_the_canonical_form_is_json_that_says_the_same(body: dict[str, t.Any]) -> None:
    again = json.loads(identity.canonical(body), parse_float=Decimal, parse_int=Decimal)

    assert same(again, body)
    assert identity.canonical(again) == identity.canonical(body)


@settings(deadline=None)
@given(BODIES, BODIES)
def test_bodies_hash_alike_when_they_say_the_same_and_only_then(
    one: dict[str, t.Any], other: dict[str, t.Any]
) -> None:
    assert (identity.content_hash(one) == identity.content_hash(other)) == same(one, other)


@settings(deadline=None)
@given(NUMBERS, NUMBERS)
def test_numbers_hash_alike_when_they_are_equal_and_only_then(
    one: float | Decimal, other: float | Decimal
) -> None:
    assert (hashed(one) == hashed(other)) == (one == other)


def test_a_record_that_nests_without_end_has_a_hash() -> None:
    deep: list[object] = []
    for _ in range(10_000):
        deep = [deep]

    assert hashed(deep) != hashed([])


def test_a_hash_is_sha_256_in_hex() -> None:
    assert re.fullmatch("[0-9a-f]{64}", identity.content_hash({}))
    assert identity.content_hash({}) == (
        "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    )


def test_a_business_key_is_the_writers_own_id() -> None:
    assert identity.business_key(CUSTOMERS, {"externalId": "crm-10492"}) == "crm-10492"
    assert identity.business_key(DEALS, {"referenceId": "web-1", "customerId": "c"}) == "web-1"
    assert appointment_key(externalId="apt-1") == "apt-1"


def test_an_appointment_without_an_id_is_known_by_customer_vehicle_and_time() -> None:
    assert appointment_key() == (
        "customerExternalId:crm-10492 | 1HGCM82633A004352 | 2026-02-03T14:30:00.000Z"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"appointmentTime": "2026-02-03T14:30:00Z"},
        {"appointmentTime": "2026-02-03T14:30:00.0004Z"},
        {"appointmentTime": "2026-02-03T20:00:00+05:30"},
        {"vin": "1hgcm82633a004352"},
        {"notes": "other content"},
    ],
)
def test_an_appointment_is_the_same_in_every_spelling(changes: dict[str, str]) -> None:
    assert appointment_key(**changes) == appointment_key()


@pytest.mark.parametrize(
    "changes",
    [
        {"appointmentTime": "2026-02-03T09:30:00Z"},
        {"appointmentTime": "2026-02-03T14:30:00.001Z"},
        {"vin": "1HGCM82633A004353"},
        {"customerExternalId": "CRM-10492"},
        {"customerId": "crm-10492"},
        {"externalId": appointment_key()},
    ],
)
def test_another_appointment_has_another_key(changes: dict[str, str]) -> None:
    assert appointment_key(**changes) != appointment_key()


@settings(deadline=None)
@given(st.lists(st.text(alphabet="|\\ a:", max_size=6), min_size=4, max_size=4, unique=True))
def test_no_two_keys_read_the_same(parts: list[str]) -> None:
    one, two, three, four = parts
    keys = {
        appointment_key(customerExternalId=one, vin=two),
        appointment_key(customerExternalId=one, vin=three),
        appointment_key(customerExternalId=four, vin=two),
        appointment_key(customerExternalId=f"{one} | {two}", vin=three),
        *(appointment_key(externalId=part) for part in parts),
    }
    assume(len({part.strip().upper() for part in parts}) == len(parts))

    assert len(keys) == 8


@settings(deadline=None)
@given(st.text(alphabet="|\\ ", max_size=5), st.text(alphabet="|\\ ", max_size=5))
@example("|", "\\|")
def test_two_ids_of_the_writer_are_two_keys(one: str, other: str) -> None:
    keys = [identity.business_key(DEALS, {"referenceId": text}) for text in (one, other)]

    assert (keys[0] == keys[1]) == (one == other)


@pytest.mark.parametrize(
    ("name", "body", "key"),
    [
        ("deal_statuses", {"dealReferenceId": "web-1"}, "dealReferenceId:web-1"),
        ("deal_statuses", {"dealId": "deal_1", "dealReferenceId": "web-1"}, "dealId:deal_1"),
        ("deal_terms", {"dealReferenceId": "a | b"}, r"dealReferenceId:a \| b"),
        ("vehicle_prices", {"vin": "1hgcm82633a004352"}, "vin:1HGCM82633A004352"),
        ("vehicle_photos", {"vehicleId": "veh_1"}, "vehicleId:veh_1"),
        ("appointment_changes", {"appointmentExternalId": "bk"}, "appointmentExternalId:bk"),
        ("repair_orders", {"externalId": "ro-1", "appointmentId": "appt_1"}, "ro-1"),
        ("repair_order_statuses", {"repairOrderId": "ro_1"}, "repairOrderId:ro_1"),
        (
            "repair_order_inspections",
            {"repairOrderExternalId": "ro-1", "lineId": "l_1"},
            "repairOrderExternalId:ro-1 | l_1",
        ),
        (
            "repair_order_inspections",
            {"repairOrderExternalId": "ro-1", "lineCode": "A"},
            "repairOrderExternalId:ro-1 | A",
        ),
        ("attachments", {"vin": "1hg", "sha256": "0"}, "vin:1HG | 0"),
    ],
    ids=str,
)
def test_a_change_is_known_by_what_it_is_about_as_its_writer_names_it(
    name: str, body: dict[str, str], key: str
) -> None:
    assert identity.business_key(sinks.by_object(name), body) == key


@pytest.mark.parametrize("field", ["updatedAt", "ifUpdatedAt", "expectedUpdatedAt"])
def test_versions_of_a_record_are_the_same_in_every_offset_and_in_the_order_of_time(
    field: str,
) -> None:
    spellings = ["2026-02-03T14:30:00Z", "2026-02-03T09:30:00.000-05:00"]
    later = ["2026-02-03T14:30:00.001Z", "2026-02-03T14:30:01Z", "2026-02-03T23:59:00+01:00"]

    assert len({identity.comparable(field, text) for text in spellings}) == 1
    keys = [identity.comparable(field, text) for text in (*spellings[1:], *later)]
    assert keys == sorted(keys)


@pytest.mark.parametrize("sink", sinks.SINKS, ids=lambda sink: sink.object)
def test_a_body_without_its_key_has_none(sink: SinkDeclaration) -> None:
    with pytest.raises(LookupError):
        identity.business_key(sink, {"customerId": "cust_1", "appointmentTime": "?"})


@pytest.mark.parametrize(
    "odd", ["", "tomorrow", "2026-02-03T09:30:00", "0001-01-01T00:00:00+14:00"]
)
def test_what_is_no_instant_equals_none(odd: str) -> None:
    assert identity.comparable("appointmentTime", odd) == odd


def test_fields_of_the_dms_compare_by_what_they_mean() -> None:
    assert identity.comparable("vin", " 1hgcm826 ") == identity.comparable("vin", "1HGCM826")
    assert identity.comparable("referenceId", "a") != identity.comparable("referenceId", "A")
    assert identity.comparable("customerId", None) not in {"None", "null"}


def test_an_idempotency_key_is_a_uuid_of_version_8() -> None:
    key = identity.idempotency_key(**KEY)

    assert len(key) == 36
    assert str(uuid.UUID(key)) == key
    assert uuid.UUID(key).variant == uuid.RFC_4122
    assert key[14] == "8"
    assert identity.idempotency_key(**KEY) == key


def test_every_part_counts_in_an_idempotency_key() -> None:
    others = [
        KEY | {name: value + 1 if isinstance(value, int) else f"{value}x"}
        for name, value in KEY.items()
    ]
    keys = {identity.idempotency_key(**parts) for parts in [KEY, *others]}

    assert list(inspect.signature(identity.idempotency_key).parameters) == list(KEY)
    assert len(keys) == len(KEY) + 1


def test_parts_of_an_idempotency_key_do_not_run_into_each_other() -> None:
    moved = KEY | {"tenant": KEY["tenant"] + "deals", "object": ""}
    quoted = KEY | {"tenant": KEY["tenant"] + '","deals', "object": "create", "operation": ""}

    keys = {identity.idempotency_key(**parts) for parts in (KEY, moved, quoted)}

    assert len(keys) == 3


def test_the_journal_s_own_id_counts_unlike_none() -> None:
    assert identity.idempotency_key(**KEY) != identity.idempotency_key(**KEY | {"journal_id": ""})
