"""Typed records lose by deselection what dicts lose by the SDK's."""

from __future__ import annotations

import copy
import typing as t

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.singerlib.catalog import SelectionMask

from tap_automate.reading.codec import plain
from tap_automate.selection import Selection


class Inner(msgspec.Struct, omit_defaults=True):
    """A part of a record."""

    value: t.Any = msgspec.UNSET
    unit: t.Any = msgspec.UNSET


class Outer(msgspec.Struct, rename={"text": "a text"}):
    """A record."""

    key: str
    text: t.Any = msgspec.UNSET
    inner: Inner | msgspec.UnsetType | None = msgspec.UNSET
    items: list[Inner] | msgspec.UnsetType = msgspec.UNSET
    loose: t.Any = msgspec.UNSET


INNER = st.builds(Inner, value=st.just(1), unit=st.just("mi"))
MAPPING: st.SearchStrategy[t.Any] = st.just({"value": 1, "unit": {"value": 2, "x": 3}})
RECORDS = st.builds(
    Outer,
    key=st.just("k"),
    text=st.sampled_from([msgspec.UNSET, None, "t"]),
    inner=st.one_of(st.none(), INNER),
    items=st.lists(INNER, max_size=2),
    loose=st.one_of(MAPPING.map(copy.deepcopy), st.none(), INNER),
)
NAMES = st.sampled_from(["a text", "inner", "items", "loose", "value", "unit", "x"])
CRUMBS = st.lists(NAMES, min_size=1, max_size=3).map(
    lambda names: tuple(part for name in names for part in ("properties", name))
)


@given(records=st.lists(RECORDS, max_size=3), mask=st.dictionaries(CRUMBS, st.booleans()))
def test_deselection_of_typed_records_is_that_of_the_sdk(
    records: list[Outer], mask: dict[tuple[str, ...], bool]
) -> None:
    full = SelectionMask({(): True, **mask})
    expected = [copy.deepcopy(plain(record)) for record in records]
    for record in expected:
        pop_deselected_record_properties(record, {}, full)
    Selection(full).apply(records)
    assert [plain(record) for record in records] == expected
