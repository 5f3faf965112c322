"""What happens to a record on its way: sentinels, personal data, drift, lines."""

from __future__ import annotations

import typing as t
from decimal import Decimal

import msgspec
import pytest

from automate_api import contract
from automate_api.differences import NOT_SHOWN
from automate_api.errors import ConfigError, ProtocolError
from tap_automate.lines import Cutter
from tap_automate.privacy import Privacy
from tap_automate.reading.codec import Codec, plain
from tap_automate.reading.drift import MOST_COUNTED, NO_DATE, Finding, Kind
from tap_automate.reading.records import Normaliser
from tap_automate.streams import Lines

CONTRACT = contract.load()
KEY = "a key of sixteen characters"


def privacy(**treatment: str) -> Privacy:
    return Privacy(treatment, KEY, CONTRACT.pii_fields)


def normaliser(path: str, **treatment: str) -> Normaliser:
    return Normaliser(CONTRACT.resource(path).record_schema, privacy(**treatment))


def cut(
    parent: dict[str, t.Any],
    field: str,
    inherited: tuple[str, ...],
    *,
    single: str | None = None,
    numbered: bool = False,
) -> list[t.Any]:
    return Cutter(Lines("lines", field, single), inherited, numbered=numbered).cut([parent])


@pytest.mark.parametrize("sentinel", ["1000-01-01", "0001-01-01", "1910-01-01", "", "  "])
def test_sentinel_dates_become_null_and_are_counted(sentinel: str) -> None:
    normalise = normaliser("/vehicles")
    record = normalise({"vehicleId": "v", "acquisitionDate": sentinel})
    assert record["acquisitionDate"] is None
    assert normalise.drift.sentinels == {"acquisitionDate": 1}
    assert list(normalise.drift.findings()) == []


def test_a_sentinel_with_a_time_counts_as_one_too_and_a_real_date_does_not() -> None:
    normalise = normaliser("/service/repair-orders")
    record = normalise(
        {"openedAt": "0001-01-01T00:00:00Z", "closedAt": "2026-01-20T13:45:00Z", "lines": []}
    )
    assert (record["openedAt"], record["closedAt"]) == (None, "2026-01-20T13:45:00Z")


@pytest.mark.parametrize(
    ("text", "is_odd"),
    [
        ("23.11.2026", True),
        ("2026-02-30T00:00:00Z", True),
        ("0000-00-00", True),
        ("9999-12-31T23:59:59-05:00", True),
        ("9999-12-31", False),
        ("2026-11-23T10:00:00.5+01:00", False),
        ("2026-11-23 10:00:00", False),
    ],
)
@pytest.mark.parametrize("reader", ["dict", "typed"])
def test_a_text_that_no_loader_can_read_as_a_date_passes_through_as_drift(
    text: str, reader: str, *, is_odd: bool
) -> None:
    record: dict[str, t.Any] = {"vehicleId": "v", "updatedAt": "u", "createdAt": text}
    found: t.Any
    if reader == "dict":
        normalise = normaliser("/vehicles")
        drift, found = normalise.drift, normalise(dict(record))
    else:
        codec = Codec(CONTRACT.resource("/vehicles").record_schema, privacy())
        body = {"items": [record], "page": 1, "pageSize": 1, "total": 1}
        [found] = codec.normalise(codec.decode(msgspec.json.encode(body)).items)
        assert not isinstance(found, dict)
        drift = codec.drift
    assert plain(found) == record
    expected = [Finding(Kind.OTHER_TYPES, "createdAt", 1, NO_DATE)] if is_odd else []
    assert list(drift.findings()) == expected


def test_a_key_of_another_type_is_drift_too_and_typed_from_the_next_page_on() -> None:
    codec = Codec(CONTRACT.resource("/vehicles").record_schema, privacy())
    records = [{"vehicleId": 7, "updatedAt": "u"}, {"vehicleId": "v", "updatedAt": "u"}]
    body = msgspec.json.encode({"items": records, "page": 1, "pageSize": 2, "total": 2})
    for page in range(2):
        found = codec.normalise(codec.decode(body).items)
        assert list(map(plain, found)) == records
        assert isinstance(found[0], dict) is not bool(page)
    assert list(codec.drift.findings()) == [Finding(Kind.OTHER_TYPES, "vehicleId", 2, "number")]


def test_licence_and_date_of_birth_are_dropped_unless_asked_for() -> None:
    person = {"customerId": "c", "driversLicense": {"number": "x"}, "dateOfBirth": "1980-02-03"}
    assert normaliser("/customers")(dict(person)) == {"customerId": "c"}
    kept = normaliser("/customers", driversLicense="keep", dateOfBirth="keep")(dict(person))
    assert kept == person


def test_personal_data_in_a_place_that_the_contract_does_not_know_is_treated_alike() -> None:
    treated = normaliser("/vehicles", lastName="hash")(
        {
            "vehicleId": "v",
            "driversLicense": {"number": "x"},
            "lot": {"lotId": "l", "dateOfBirth": "1980-02-03"},
            "owners": [{"since": 2020, "dateOfBirth": "1980-02-03", "lastName": "Ito"}],
        }
    )
    ito = normaliser("/customers", lastName="hash")({"lastName": "Ito"})["lastName"]
    assert treated == {
        "vehicleId": "v",
        "lot": {"lotId": "l"},
        "owners": [{"since": 2020, "lastName": ito}],
    }


def test_a_date_that_stands_for_none_is_not_hashed() -> None:
    hashed = normaliser("/customers", dateOfBirth="hash")({"dateOfBirth": "1910-01-01"})
    assert hashed["dateOfBirth"] is None


def test_dropped_fields_are_not_in_the_schema_either() -> None:
    schema = privacy(emails="drop").schema(CONTRACT.resource("/customers").record_schema)
    assert not {"driversLicense", "dateOfBirth", "emails"} & set(schema["properties"])
    assert "phones" in schema["properties"]


def test_hashes_are_keyed_equal_for_equal_values_and_typed_as_text() -> None:
    person = {"emails": ["a@example.com", "b@example.com"], "lastName": "Ito"}
    hashed = normaliser("/customers", emails="hash", lastName="hash")(dict(person))
    other = Privacy({"lastName": "hash"}, "another key of sixteen", CONTRACT.pii_fields)
    assert hashed["lastName"] != "Ito"
    assert len(set(hashed["emails"])) == 2
    again = normaliser("/customers", lastName="hash")({"lastName": "Ito"})
    assert again["lastName"] == hashed["lastName"]
    rehashed = other.hashing("lastName")
    assert rehashed is not None
    assert rehashed("Ito") != hashed["lastName"]
    schema = privacy(emails="hash", lastName="hash").schema(
        CONTRACT.resource("/customers").record_schema
    )
    assert schema["properties"]["lastName"]["type"] == ["string", "null"]
    assert schema["properties"]["emails"]["items"]["type"] == ["string", "null"]


@pytest.mark.parametrize(
    ("treatment", "named"),
    [({"status": "drop"}, "pii.status"), ({"emails": "burn"}, "pii.emails")],
)
def test_a_pii_setting_that_cannot_be_used_names_the_field(
    treatment: dict[str, str], named: str
) -> None:
    with pytest.raises(ConfigError, match=named):
        Privacy(treatment, KEY, CONTRACT.pii_fields)


def test_hashes_without_a_key_are_refused() -> None:
    with pytest.raises(ConfigError, match="pii_key"):
        Privacy({"emails": "hash"}, None, CONTRACT.pii_fields)


def test_unknown_fields_and_values_pass_through_and_are_counted_without_values() -> None:
    normalise = normaliser("/vehicles")
    for _ in range(2):
        record = normalise(
            {
                "vehicleId": "v",
                "status": "on_loan",
                "windowSticker": "private text",
                "odometer": {"value": 3, "unit": "mi", "read": "today"},
            }
        )
    assert record["status"] == "on_loan"
    assert record["windowSticker"] == "private text"
    assert list(normalise.drift.findings()) == [
        Finding(Kind.UNKNOWN_FIELDS, "odometer.read", 2),
        Finding(Kind.UNKNOWN_FIELDS, "windowSticker", 2),
        Finding(Kind.UNKNOWN_VALUES, "status=on_loan", 2),
    ]


@pytest.mark.parametrize("name", ["ito@example.com", "5551234567"])
def test_the_name_of_an_unknown_field_is_shown_only_when_it_can_be_no_data(name: str) -> None:
    normalise = normaliser("/vehicles")
    normalise({"vehicleId": "v", name: 1})
    assert [each.name for each in normalise.drift.findings()] == ["(not shown)"]


@pytest.mark.parametrize("word", ["Smith-Jones", "5551234567", "1FTFW1E50NFA00001"])
def test_a_value_is_shown_only_when_it_looks_like_a_word_of_a_closed_list(word: str) -> None:
    normalise = normaliser("/customers")
    for value in (word, "on-hold", "Retail"):
        normalise({"customerId": "c", "customerType": value})
    assert [each.name for each in normalise.drift.findings()] == [
        "customerType=(not shown)",
        "customerType=Retail",
        "customerType=on-hold",
    ]


def test_names_without_end_are_counted_together() -> None:
    normalise = normaliser("/vehicles")
    for number in range(MOST_COUNTED + 5):
        normalise({"vehicleId": "v", f"f{number}": 1})
    assert len(normalise.drift.unknown_fields) == MOST_COUNTED + 1
    assert normalise.drift.unknown_fields[NOT_SHOWN] == 5


def test_a_line_cannot_take_the_place_of_its_parents_key() -> None:
    parent = {
        "dealId": "d",
        "updatedAt": "u",
        "fees": [{"dealId": "x", "position": 7, "code": "c"}],
    }
    assert cut(parent, "fees", ("dealId",), numbered=True) == [
        {"dealId": "d", "position": 1, "code": "c", "parentUpdatedAt": "u"}
    ]


def test_lines_carry_key_rooftop_and_the_parents_change() -> None:
    parent: dict[str, t.Any] = {
        "journalEntryId": "je_1",
        "rooftopId": "rt_1",
        "updatedAt": "2026-01-20T13:45:00Z",
        "lines": [{"lineId": "1", "debit": Decimal("0.0375")}, {"lineId": "2"}],
    }
    rows = cut(parent, "lines", ("journalEntryId", "rooftopId"))
    assert rows[0] == {
        "journalEntryId": "je_1",
        "rooftopId": "rt_1",
        "lineId": "1",
        "debit": Decimal("0.0375"),
        "parentUpdatedAt": "2026-01-20T13:45:00Z",
    }
    assert [row["lineId"] for row in rows] == ["1", "2"]


def test_a_parent_without_lines_has_none() -> None:
    parent = {"dealId": "d", "updatedAt": "2026-01-20T13:45:00Z", "fees": None}
    assert cut(parent, "fees", ("dealId",), numbered=True) == []


def test_lines_without_an_id_are_numbered() -> None:
    parent = {"dealId": "d", "updatedAt": "u", "fees": [{"code": "DOC"}, {"code": "REG"}]}
    rows = cut(parent, "fees", ("dealId",), numbered=True)
    assert [row["position"] for row in rows] == [1, 2]


def test_a_null_among_lines_without_an_id_is_none_and_keeps_its_place() -> None:
    parent = {"dealId": "d", "updatedAt": "u", "fees": [None, {"code": "REG"}]}
    (row,) = cut(parent, "fees", ("dealId",), numbered=True)
    assert (row["position"], row["code"]) == (2, "REG")


@pytest.mark.parametrize("finance", [None, {}, {"products": None}, {"products": []}])
def test_lines_within_an_object_are_none_where_the_object_has_none(finance: object) -> None:
    parent = {"dealId": "d", "updatedAt": "u", "finance": finance}
    assert cut(parent, "finance.products", ("dealId",), numbered=True) == []


def test_lines_within_an_object_are_found() -> None:
    parent = {"dealId": "d", "updatedAt": "u", "finance": {"products": [{"code": "VSC"}]}}
    (row,) = cut(parent, "finance.products", ("dealId",), numbered=True)
    assert row == {"dealId": "d", "code": "VSC", "parentUpdatedAt": "u", "position": 1}


@pytest.mark.parametrize(
    ("trades", "vins"),
    [
        ({"tradeIn": {"vin": "1"}}, ["1"]),
        ({"tradeIn": {"vin": "1"}, "tradeIns": None}, ["1"]),
        ({"tradeIn": {"vin": "1"}, "tradeIns": []}, ["1"]),
        ({"tradeIn": {"vin": "1"}, "tradeIns": [{"vin": "1"}, {"vin": "2"}]}, ["1", "2"]),
        ({"tradeIn": None, "tradeIns": [{"vin": "1"}]}, ["1"]),
        ({"tradeIn": None}, []),
        ({"tradeIn": {}}, []),
        ({"tradeIn": {"vin": None, "acv": None}, "tradeIns": []}, []),
        ({}, []),
    ],
)
def test_one_line_in_a_field_of_its_own_is_as_good_as_an_array_of_one(
    trades: dict[str, t.Any], vins: list[str]
) -> None:
    parent = {"dealId": "d", "updatedAt": "u", **trades}
    rows = cut(parent, "tradeIns", ("dealId",), single="tradeIn", numbered=True)
    assert [(row["position"], row["vin"]) for row in rows] == list(enumerate(vins, 1))


@pytest.mark.parametrize("lines", [[None], ["a line"], {"lineId": "1"}, "text", 7])
def test_lines_that_are_none_are_refused_without_showing_them(lines: t.Any) -> None:  # noqa: ANN401 - any JSON
    parent = {"dealId": "d", "updatedAt": "u", "fees": lines}
    with pytest.raises(ProtocolError, match=r"`fees`.*list of objects") as raised:
        cut(parent, "fees", ("dealId",))
    assert "a line" not in str(raised.value)
