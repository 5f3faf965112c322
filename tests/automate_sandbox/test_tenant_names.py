"""Names of a tenant: what each difference makes of a record, and that nothing is lost in it."""

from __future__ import annotations

import copy
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automate_sandbox.tenants.names import NO_WORD, Names

Record = dict[str, t.Any]


@pytest.mark.parametrize(
    ("fields", "record", "shown"),
    [
        ({"vin": "serial"}, {"vin": "1", "year": 2}, {"serial": "1", "year": 2}),
        ({"vin": "serial"}, {"vin": None}, {"serial": None}),
        ({"vin": "serial"}, {"year": 2}, {"year": 2}),
        (
            {"lot.lotId": "lotId"},
            {"lot": {"lotId": "a", "name": "b"}},
            {"lot": {"name": "b"}, "lotId": "a"},
        ),
        ({"lot.lotId": "lotId"}, {"lot": {"lotId": "a"}}, {"lotId": "a"}),
        ({"lot.lotId": "lotId"}, {"lot": None}, {"lot": None}),
        ({"lot.name": "lot.label"}, {"lot": {"name": "b"}}, {"lot": {"label": "b"}}),
        (
            {"lot": "place", "lot.name": "place.label"},
            {"lot": {"lotId": 1, "name": 2}},
            {"place": {"lotId": 1, "label": 2}},
        ),
        (
            {"lot": "place", "lot.name": "label"},
            {"lot": {"lotId": 1, "name": 2}},
            {"place": {"lotId": 1}, "label": 2},
        ),
        (
            {"cost": "price.cost", "sale": "price.sale"},
            {"cost": 1, "sale": 2},
            {"price": {"cost": 1, "sale": 2}},
        ),
        ({"a": "b", "b": "a"}, {"a": 1, "b": 2}, {"a": 2, "b": 1}),
        (
            {"lines[].cost": "price.cost"},
            {"lines": [{"cost": 1}, None, {}]},
            {"lines": [{"price": {"cost": 1}}, None, {}]},
        ),
        ({"lines": "jobs", "lines[].cost": "c"}, {"lines": [{"cost": 1}]}, {"jobs": [{"c": 1}]}),
        (
            {"lines[].parts[].no": "number"},
            {"lines": [{"parts": [{"no": 1}]}]},
            {"lines": [{"parts": [{"number": 1}]}]},
        ),
        ({"a.list[].x": "y"}, {"a": {"list": [{"x": 1}]}}, {"a": {"list": [{"y": 1}]}}),
        ({"lines[].cost": "c"}, {"lines": None}, {"lines": None}),
    ],
)
def test_a_field_is_where_the_tenant_has_it_and_comes_back(
    fields: dict[str, str], record: Record, shown: Record
) -> None:
    names, given_record = Names(fields, {}), copy.deepcopy(record)
    names.outward(record)
    assert record == shown
    names.inward(record)
    assert record == given_record


def test_words_are_the_tenants_on_the_way_out_and_the_contracts_on_the_way_in() -> None:
    names = Names(
        {"status": "state", "lines[].payType": "pay.type"},
        {"status": {"open": "offen"}, "lines[].payType": {"warranty": "w", "internal": "i"}},
    )
    record: Record = {"status": "open", "lines": [{"payType": "warranty"}, {"payType": None}]}
    names.outward(record)
    assert record == {"state": "offen", "lines": [{"pay": {"type": "w"}}, {"pay": {"type": None}}]}
    names.inward(record)
    assert record == {"status": "open", "lines": [{"payType": "warranty"}, {"payType": None}]}


def test_the_contracts_names_are_nothing_to_a_tenant_that_has_others() -> None:
    fields = {"vin": "serial", "lot.name": "lot.label", "lines[].cost": "c"}
    names = Names(fields, {"status": {"open": "offen"}})
    sent: Record = {"vin": 1, "lot": {"name": 2, "lotId": 3}, "lines": [{"cost": 4}], "more": 5}
    names.inward(sent)
    assert sent == {"lot": {"lotId": 3}, "lines": [{}], "more": 5}
    said: Record = {"status": "open"}
    names.inward(said)
    assert said == {"status": NO_WORD}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("vin", "serial"),
        ("lot.name", "place.label"),
        ("lot.lotId", "place.lotId"),
        ("lines.0.cost", "jobs.0.price.cost"),
        ("lines.12.parts.3.no", "jobs.12.parts.3.number"),
        ("lines", "jobs"),
        ("lines.0", "jobs.0"),
        ("other.0.cost", "other.0.cost"),
    ],
)
def test_the_path_of_a_field_is_the_tenants(path: str, expected: str) -> None:
    fields = {
        "vin": "serial",
        "lot": "place",
        "lot.name": "place.label",
        "lines": "jobs",
        "lines[].cost": "price.cost",
        "lines[].parts[].no": "number",
    }
    assert ".".join(Names(fields, {}).path(path.split("."))) == expected


SOURCES: t.Final = ("a", "b", "c", "o.a", "o.b", "lines[].a", "lines[].b", "lines[].o.a")
TARGETS: t.Final = ("p", "q", "n.p", "n.q", "m.n.p", "m.q", "r", "s")
WORDS: t.Final = {"one": "eins", "two": "one"}

values = st.one_of(st.none(), st.integers(), st.sampled_from(["one", "two", "three", ""]))
inner = st.fixed_dictionaries({}, optional={"a": values, "b": values, "z": values})
flat = st.fixed_dictionaries(
    {"z": values},
    optional={
        "a": values,
        "b": values,
        "c": values,
        "o": st.one_of(st.none(), st.fixed_dictionaries({"a": values}, optional={"b": values})),
    },
)
records = st.builds(
    lambda record, lines: record | ({} if lines is None else {"lines": lines}),
    flat,
    st.one_of(st.none(), st.lists(st.one_of(st.none(), flat, inner), max_size=3)),
)


@given(
    record=records,
    sources=st.lists(st.sampled_from(SOURCES), unique=True),
    targets=st.permutations(TARGETS),
    worded=st.sets(st.sampled_from(SOURCES)),
)
@settings(max_examples=300, deadline=None)
def test_whatever_is_moved_comes_back_as_it_was(
    record: Record, sources: list[str], targets: list[str], worded: set[str]
) -> None:
    names = Names(dict(zip(sources, targets, strict=False)), dict.fromkeys(worded, WORDS))
    before = copy.deepcopy(record)
    names.outward(record)
    names.inward(record)
    assert record == before
