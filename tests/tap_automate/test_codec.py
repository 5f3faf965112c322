"""Typed records are those that the slow way makes, whatever the DMS sends."""

from __future__ import annotations

import concurrent.futures
import typing as t
from decimal import Decimal

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from automate_api import contract
from automate_api.client import ListBody
from automate_api.errors import ProtocolError
from tap_automate.lines import Cutter
from tap_automate.privacy import Privacy
from tap_automate.reading.codec import MOST_LOOSE, Codec, plain
from tap_automate.reading.drift import Finding, Kind
from tap_automate.reading.records import BEHIND_SENTINELS, SENTINEL_DATES, Normaliser, kinds_of
from tap_automate.streams import Lines

CONTRACT = contract.load()
KEY = "a key of sixteen characters"
TREATMENTS: list[dict[str, str]] = [
    {},
    {"driversLicense": "keep", "dateOfBirth": "hash", "lastName": "hash", "emails": "hash"},
    {"phones": "drop", "address": "hash"},
]
PATHS = ("/vehicles", "/customers", "/deals", "/service/repair-orders", "/accounting/gl-entries")
NUMBERS = ("0.0375", "1E+5", "41250.00", "-0", "-0.0", "12345678901234567890.25", "1e400", "7")

_encoder = msgspec.json.Encoder(decimal_format="number")
_exact = msgspec.json.Decoder(float_hook=lambda digits: ("number", digits))
_untyped = msgspec.json.Decoder(float_hook=Decimal)


def privacy(treatment: dict[str, str] | None = None) -> Privacy:
    return Privacy(treatment or {}, KEY, CONTRACT.pii_fields)


def codec(path: str = "/vehicles", treatment: dict[str, str] | None = None) -> Codec:
    return Codec(CONTRACT.resource(path).record_schema, privacy(treatment))


def page(*records: t.Any) -> bytes:  # noqa: ANN401 - JSON
    items = [{"vehicleId": "v", "updatedAt": "u", **record} for record in records]
    return _encoder.encode({"items": items, "page": 1, "pageSize": 50, "total": len(items)})


def read(made: Codec, *records: t.Any) -> list[t.Any]:  # noqa: ANN401 - JSON
    """Return vehicles as they are after decoding and normalising."""
    return made.normalise(made.decode(page(*records)).items)


def emitted(records: list[t.Any]) -> list[t.Any]:
    """Return records as a target finds them, numbers as the digits that were written."""
    return [_exact.decode(_encoder.encode(record)) for record in records]


def said(made: Codec | Normaliser) -> list[t.Any]:
    """Return what a run would tell of these records."""
    return [*made.drift.findings(), made.drift.sentinels]


def values(schema: dict[str, t.Any]) -> st.SearchStrategy[t.Any]:
    """Make values as a schema has them, and now and then others."""
    odd = st.sampled_from(
        [None, True, 3, "text", msgspec.Raw(b"2.50"), [1], [None], {"dateOfBirth": "x", "a": 1}]
    )
    kinds = kinds_of(schema)
    if "enum" in schema:
        right: st.SearchStrategy[t.Any] = st.sampled_from([*schema["enum"], "beamed_up"])
    elif "object" in kinds:
        right = objects(schema)
    elif "array" in kinds:
        right = st.lists(values(schema.get("items", {})), max_size=2)
    elif "number" in kinds:
        right = st.sampled_from(NUMBERS).map(str.encode).map(msgspec.Raw)
    elif "integer" in kinds:
        right = st.integers(-(10**20), 10**20)
    elif "boolean" in kinds:
        right = st.booleans()
    elif "format" in schema:
        dates = ("2026-01-20", "1910-01-02", "2026-01-20T13:45:00Z", "", "1910-01-01T00:00:00Z")
        right = st.sampled_from([*dates, *SENTINEL_DATES])
    else:
        right = st.text(max_size=3)
    return st.integers(0, 40).flatmap(lambda draw: odd if draw == 0 else right)


def objects(schema: dict[str, t.Any]) -> st.SearchStrategy[dict[str, t.Any]]:
    properties = schema.get("properties", {})
    known = st.fixed_dictionaries({}, optional={n: values(c) for n, c in properties.items()})
    unknown = st.dictionaries(
        st.sampled_from(["fieldOfTomorrow", "a b", "class", "lastName", "driversLicense"]),
        st.sampled_from([None, 1, "Ito", {"lastName": "Ito", "dateOfBirth": "1980-02-03"}]),
        max_size=1,
    )
    return st.tuples(known, st.integers(0, 9), unknown).map(
        lambda drawn: {**drawn[2], **drawn[0]} if drawn[1] == 0 else drawn[0]
    )


@st.composite
def loads(draw: st.DrawFn, path: str) -> list[list[dict[str, t.Any]]]:
    """Draw pages of records with a key and a date, from the whole schema or a part of it."""
    schema = CONTRACT.resource(path).record_schema
    names = draw(st.lists(st.sampled_from(sorted(schema["properties"])), max_size=8, unique=True))
    part = {**schema, "properties": {name: schema["properties"][name] for name in names}}
    record = objects(part)
    pages = draw(st.lists(st.lists(record, min_size=1, max_size=3), min_size=1, max_size=3))
    keys = dict.fromkeys(CONTRACT.resource(path).key, "k")
    date = {"updatedAt": "2026-01-20T13:45:00Z"}
    return [[{**record, **keys, **date} for record in records] for records in pages]


@pytest.mark.parametrize("treatment", TREATMENTS, ids=["default", "hashes", "drops"])
@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_typed_records_and_counts_are_those_of_the_slow_way(
    path: str, treatment: dict[str, str], data: st.DataObject
) -> None:
    made = codec(path, treatment)
    slow = Normaliser(CONTRACT.resource(path).record_schema, privacy(treatment))
    for records in data.draw(loads(path)):
        body = {"items": records, "page": 1, "pageSize": 50, "total": len(records)}
        found = made.normalise(made.decode(_encoder.encode(body)).items)
        expected = [slow(_untyped.decode(_encoder.encode(record))) for record in records]
        assert emitted(found) == emitted(expected)
        assert emitted([plain(record) for record in found]) == emitted(expected)
    assert said(made) == said(slow)


@pytest.mark.parametrize(
    ("path", "lines", "numbered"),
    [
        ("/service/repair-orders", Lines("ro", "lines"), False),
        ("/accounting/gl-entries", Lines("gl", "lines"), False),
        ("/accounting/gl-entries", Lines("gl", "lines"), True),
        ("/deals", Lines("fees", "fees"), True),
        ("/deals", Lines("products", "finance.products"), True),
        ("/deals", Lines("trades", "tradeIns", single="tradeIn"), True),
    ],
    ids=str,
)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_lines_of_typed_records_are_those_of_the_slow_way(
    path: str, lines: Lines, *, numbered: bool, data: st.DataObject
) -> None:
    made = codec(path)
    resource = CONTRACT.resource(path)
    (key,) = resource.key
    fields = {lines.field.split(".")[0], *([lines.single] if lines.single else [])}
    held = {name: values(resource.record_schema["properties"][name]) for name in sorted(fields)}
    some = st.fixed_dictionaries({}, optional={"rooftopId": st.just("r"), **held})
    records = [{key: "k", "updatedAt": "2026-01-20T13:45:00Z", **data.draw(some)} for _ in range(2)]
    body = {"items": records, "page": 1, "pageSize": 50, "total": 2}
    for record in made.normalise(made.decode(_encoder.encode(body)).items):
        expected = outcome([plain(record)], cutter(lines, key, numbered=numbered))
        assert outcome([record], cutter(lines, key, numbered=numbered), made) == expected


@pytest.mark.parametrize(
    ("path", "lines", "records"),
    [
        (
            "/service/repair-orders",
            Lines("lines", "lines"),
            [{"rooftopId": "r", "lines": [{"lineId": "1", "rooftopId": "of the line"}]}],
        ),
        (
            "/deals",
            Lines("trades", "tradeIns", single="tradeIn"),
            [{"tradeIns": [{"vin": "1", "fieldOfTomorrow": 1}]}, {"tradeIn": {"vin": "2"}}],
        ),
        (
            "/deals",
            Lines("trades", "tradeIns", single="tradeIn"),
            [{"tradeIns": [{"vin": "1"}]}, {"tradeIn": {"vin": "2", "fieldOfTomorrow": 1}}],
        ),
    ],
)
def test_lines_that_the_contract_did_not_foresee_are_those_of_the_slow_way(
    path: str, lines: Lines, records: list[dict[str, t.Any]]
) -> None:
    made = codec(path)
    (key,) = CONTRACT.resource(path).key
    items = [{key: "k", "updatedAt": "2026-01-20T13:45:00Z", **record} for record in records]
    content = _encoder.encode({"items": items, "page": 1, "pageSize": 50, "total": len(items)})
    made.normalise(made.decode(content).items)  # from which it learns
    found = made.normalise(made.decode(content).items)
    assert not any(isinstance(record, dict) for record in found)
    cut = cutter(lines, key, numbered=lines.single is not None)
    assert outcome(found, cut, made) == outcome(list(map(plain, found)), cut)
    assert len(outcome(found, cut, made)) == len(records)


@pytest.mark.parametrize("nothing", [None, {}, {"vin": None, "acv": None}])
def test_a_line_in_a_field_of_its_own_without_any_value_is_none(nothing: t.Any) -> None:  # noqa: ANN401 - JSON
    made = codec("/deals")
    deal = {"dealId": "k", "updatedAt": "2026-01-20T13:45:00Z", "tradeIns": [], "tradeIn": nothing}
    content = _encoder.encode({"items": [deal], "page": 1, "pageSize": 50, "total": 1})
    (found,) = made.normalise(made.decode(content).items)
    assert not isinstance(found, dict)
    cut = cutter(Lines("trades", "tradeIns", single="tradeIn"), "dealId", numbered=True)
    assert outcome([found], cut, made) == []


def cutter(lines: Lines, key: str, *, numbered: bool) -> Cutter:
    return Cutter(lines, (key, "rooftopId"), numbered=numbered)


def outcome(parents: list[t.Any], cutter: Cutter, made: Codec | None = None) -> list[t.Any] | str:
    try:
        return emitted(cutter.cut(parents, made))
    except ProtocolError as error:
        return str(error)


@pytest.mark.parametrize("digits", NUMBERS[:3] + NUMBERS[4:6])
def test_the_digits_of_a_number_are_those_that_came(digits: str) -> None:
    (record,) = read(codec(), {"listPrice": msgspec.Raw(digits.encode())})
    assert not isinstance(record, dict)
    assert f'"listPrice":{digits}'.encode() in _encoder.encode(record)


def test_absent_stays_absent_and_null_stays_null() -> None:
    (record,) = read(codec(), {"vin": None, "odometer": {"unit": None}})
    assert emitted([record]) == [
        {"vehicleId": "v", "updatedAt": "u", "vin": None, "odometer": {"unit": None}}
    ]


def test_a_record_that_the_contract_did_not_foresee_leaves_the_others_typed() -> None:
    odd = {"vin": "2", "fieldOfTomorrow": 1}
    found = read(codec(), {"vin": "1"}, odd, {"vin": "3"})
    assert [isinstance(record, dict) for record in found] == [False, True, False]


@pytest.mark.parametrize(
    ("odd", "counted"),
    [
        ({"fieldOfTomorrow": 1}, Finding(Kind.UNKNOWN_FIELDS, "fieldOfTomorrow", 6)),
        ({"fieldOfTomorrow": None}, Finding(Kind.UNKNOWN_FIELDS, "fieldOfTomorrow", 6)),
        ({"odometer": {"read": "today"}}, Finding(Kind.UNKNOWN_FIELDS, "odometer.read", 6)),
        ({"photos": [{"size": 1}]}, Finding(Kind.UNKNOWN_FIELDS, "photos.size", 6)),
        ({"status": "beamed_up"}, Finding(Kind.UNKNOWN_VALUES, "status=beamed_up", 6)),
        ({"year": "2024"}, Finding(Kind.OTHER_TYPES, "year", 6, "string")),
        ({"lot": "main"}, Finding(Kind.OTHER_TYPES, "lot", 6, "string")),
        ({"photos": ["u"]}, Finding(Kind.OTHER_TYPES, "photos[]", 6, "string")),
        ({"listPrice": "1.50"}, Finding(Kind.OTHER_TYPES, "listPrice", 6, "string")),
    ],
    ids=str,
)
def test_what_every_record_has_is_typed_from_the_second_page_on_and_counted_alike(
    odd: dict[str, t.Any], counted: Finding
) -> None:
    made = codec()
    for _ in range(3):
        found = read(made, odd, odd)
    assert not any(isinstance(record, dict) for record in found)
    assert [_exact.decode(_encoder.encode(record)) for record in found] == [
        {"vehicleId": "v", "updatedAt": "u", **odd}
    ] * 2
    assert list(made.drift.findings()) == [counted]


def test_a_value_of_another_type_is_counted_by_its_field_and_not_shown() -> None:
    made = codec()
    read(made, {"year": "Ito"}, {"year": 2024}, {"year": "Sato"})
    assert list(made.drift.findings()) == [Finding(Kind.OTHER_TYPES, "year", 2, "string")]


def test_personal_data_in_a_value_of_another_type_is_treated_all_the_same() -> None:
    made = codec()
    for _ in range(2):
        (record,) = read(made, {"vin": {"number": 1, "dateOfBirth": "1980-02-03"}})
        assert plain(record)["vin"] == {"number": 1}


@given(name=st.text(max_size=4))
@example(name='2" wheels')
@example(name="a\\b")
@example(name="a\tb")
@example(name="\0")
@example(name="")
@example(name="__slots__")
@settings(deadline=None)
def test_a_field_may_have_any_name_and_does_not_stand_in_the_way_of_others(name: str) -> None:
    made = codec()
    odd = {name: "Ito", "odometer": {name: 7}, "photos": [{name: None}], "fieldOfTomorrow": 1}
    for _ in range(3):
        first, second, third = read(made, odd, {"vin": "1"}, {"fieldOfTomorrow": 2})
        assert plain(first) == {"vehicleId": "v", "updatedAt": "u", **odd}
        assert plain(second)["vin"] == "1"
    assert not isinstance(third, dict)
    assert made.drift.unknown_fields["fieldOfTomorrow"] == 6


@pytest.mark.parametrize("name", ['2" wheels', "a\\b", "a\nb"])
def test_a_record_with_a_name_that_no_struct_can_have_stays_a_dict(name: str) -> None:
    made = codec()
    for odd in ({name: 1}, {"odometer": {name: 1}}, {"photos": [{name: 1}]}):
        for _ in range(2):
            found = read(made, odd, {"vin": "1"})
            assert [isinstance(record, dict) for record in found] == [True, False]


def test_fields_that_are_data_themselves_are_not_compiled_without_end() -> None:
    made = codec()
    for number in range(MOST_LOOSE + 10):
        found = read(made, {f"field{number}": number})
    shape = made.shape_of(type(read(made, {})[0]))
    assert shape is not None
    assert len(shape.fields) <= len(CONTRACT.resource("/vehicles").record_schema["properties"]) + (
        MOST_LOOSE
    )
    assert found == [{"vehicleId": "v", "updatedAt": "u", f"field{number}": number}]


def test_threads_that_meet_new_fields_together_lose_none() -> None:
    made = codec()
    contents = [page({f"field{number % 40}": number}, {"vin": "1"}) for number in range(200)]
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        bodies = list(pool.map(made.decode, contents))
    for number, body in enumerate(bodies):
        first, second = map(plain, made.normalise(body.items))
        assert first[f"field{number % 40}"] == number
        assert second["vin"] == "1"
    assert made.drift.unknown_fields == {f"field{number}": 5 for number in range(40)}
    for number in range(40):
        assert not isinstance(read(made, {f"field{number}": 1})[0], dict)


@pytest.mark.parametrize(
    "content",
    [
        b'{"items": [], "page": 1, "pageSize": 50}',
        b'{"items": {}, "page": 1, "pageSize": 50, "total": 0}',
        b'{"items": [1], "page": 1, "pageSize": 50, "total": 1}',
        b'{"items": [], "page": true, "pageSize": 50, "total": "many"}',
        b"[1.50]",
        b"null",
    ],
)
def test_json_that_is_no_page_is_given_back_as_it_is(content: bytes) -> None:
    assert codec().decode(content) == _untyped.decode(content)


@pytest.mark.parametrize("content", [b"", b"<html>", page({}, {})[:-9], page({}) + b"]"])
def test_what_is_no_json_is_an_error(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|truncated"):
        codec().decode(content)


def test_the_numbers_of_a_page_are_taken_as_they_are() -> None:
    body = codec().decode(b'{"items": [], "page": 3, "pageSize": 7, "total": 15, "more": {}}')
    assert body == ListBody([], 3, 7, 15)


def test_no_sentinel_is_overlooked_by_comparing_texts() -> None:
    assert max(f"{date}T23:59:59.999999+14:00" for date in SENTINEL_DATES) < BEHIND_SENTINELS


@pytest.mark.parametrize("sentinel", SENTINEL_DATES)
@pytest.mark.parametrize("odd", [{}, {"fieldOfTomorrow": 1}], ids=["typed", "dict"])
def test_the_date_of_a_record_is_never_null_even_where_it_is_a_sentinel(
    sentinel: str, odd: dict[str, t.Any]
) -> None:
    made = codec()
    (record,) = read(made, {"updatedAt": f"{sentinel}T00:00:00Z", **odd})
    assert isinstance(record, dict) is bool(odd)
    assert plain(record)["updatedAt"] == f"{sentinel}T00:00:00Z"
    assert not made.drift.sentinels
