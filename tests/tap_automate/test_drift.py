"""What a run says of records that are not as the contract has them, and how a SCHEMA follows."""

from __future__ import annotations

import json
import typing as t

import msgspec
import pytest

from automate_api import contract
from automate_api.errors import ConfigError
from tap_automate.privacy import Privacy
from tap_automate.reading.codec import Codec, plain
from tap_automate.reading.drift import NO_DATE, Finding, Kind
from tap_automate.reading.presence import ENOUGH, Presence
from tap_automate.reporting.drift import FAILED, MOST_KEPT, MOST_NAMED, STATE, Known, sentence
from tap_automate.widened import widened

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from automate_singer.writer import BlockWriter
    from tap_automate.sdk_seams import RowStream
    from tap_automate.tap import TapAutomate

CONTRACT: t.Final = contract.load()
NUMBER: t.Final = {"type": ["number", "null"]}
SCHEMA: t.Final = {
    "type": "object",
    "properties": {
        "price": NUMBER,
        "lot": {"type": ["object", "null"], "properties": {"name": {"type": "string"}}},
        "tags": {"type": ["array", "null"], "items": {"type": "string"}},
        "photos": {
            "type": ["array", "null"],
            "items": {"type": "object", "properties": {"size": NUMBER}},
        },
    },
}
WHOLE: t.Final = {"price": 1, "lot": {"name": "n"}, "tags": [], "photos": [{"size": 1}]}


class Lot(msgspec.Struct):
    """An object as a codec has it."""

    name: str | msgspec.UnsetType = msgspec.UNSET


class Vehicle(msgspec.Struct, rename={"cost": "price"}):
    """A record as a codec has it, a field under another attribute."""

    cost: int | msgspec.UnsetType = msgspec.UNSET
    lot: Lot | msgspec.UnsetType | None = msgspec.UNSET


def missing(*groups: list[t.Any]) -> list[tuple[str, int]]:
    presence = Presence(SCHEMA)
    for group in groups:
        presence.look(group)
    return list(presence.missing())


def test_a_field_that_no_record_has_is_missing_once_enough_could_have_had_it() -> None:
    few = [{**WHOLE, "lot": {}} for _ in range(ENOUGH - 1)]
    assert missing(few) == []
    assert missing(few, few[:1]) == [("lot.name", ENOUGH)]
    assert missing([{"price": None}] * ENOUGH) == [
        ("lot", ENOUGH),
        ("tags", ENOUGH),
        ("photos", ENOUGH),
    ]


def test_a_null_counts_as_come_and_what_is_within_it_is_not_missing() -> None:
    nulls = dict.fromkeys(WHOLE)
    assert missing([nulls] * ENOUGH) == []


def test_one_record_that_has_a_field_is_enough_wherever_it_is() -> None:
    lacking = [{**WHOLE, "photos": [{}, {}]}] * ENOUGH
    assert missing(lacking) == [("photos.size", 2 * ENOUGH)]
    assert missing(lacking, [WHOLE], lacking) == []


def test_structs_and_dicts_are_looked_at_alike() -> None:
    structs = [Vehicle(lot=Lot()) for _ in range(ENOUGH)]
    dicts: list[t.Any] = [{"tags": [], "photos": None}]
    assert missing([*structs, *dicts]) == [("price", ENOUGH + 1), ("lot.name", ENOUGH)]
    assert missing([*structs, *dicts, Vehicle(cost=1, lot=Lot("n"))]) == []


def test_where_nulls_are_left_out_a_field_that_never_comes_says_nothing() -> None:
    lacking = [{"price": 1, "lot": {"name": "n"}}, {"price": 1, "lot": {}}] * ENOUGH
    assert missing(lacking) == []
    assert missing([Vehicle(cost=1), Vehicle(lot=Lot())] * ENOUGH) == []
    assert missing(lacking, [{"price": None, "lot": {}}]) == [
        ("tags", 2 * ENOUGH + 1),
        ("photos", 2 * ENOUGH + 1),
    ]


def test_what_is_passed_over_is_not_missing() -> None:
    presence = Presence(SCHEMA, ["size", "price"])
    presence.look([{**WHOLE, "photos": [{}]}] * ENOUGH)
    assert list(presence.missing()) == []
    assert presence.is_complete


def test_a_missing_field_names_the_place_that_it_seems_to_have_moved_to() -> None:
    codec = Codec(CONTRACT.resource("/lots").record_schema, Privacy({}, None, frozenset()))
    records = [
        {"lotId": str(n), "updatedAt": "u", "place": {"name": "n", "more": 1}} for n in range(100)
    ]
    codec.normalise(records)
    found = {each.name: each for each in codec.drift.findings()}
    assert found["place"] == Finding(Kind.UNKNOWN_FIELDS, "place", ENOUGH)
    assert found["name"] == Finding(Kind.MISSING_FIELDS, "name", ENOUGH, "place.name")
    assert found["rooftopId"].detail == ""


@pytest.mark.parametrize("odd", [0, 2], ids=["dict", "typed"])
def test_unknown_fields_are_left_out_when_the_setting_says_so_and_counted(odd: int) -> None:
    resource = CONTRACT.resource("/vehicles")
    codec = Codec(resource.record_schema, Privacy({}, None, frozenset()), keep_unknown=False)
    record = {"vehicleId": "v", "updatedAt": "u", "keyTag": "k", "lot": {"lotId": "l", "bay": 1}}
    content = msgspec.json.encode({"items": [record], "page": 1, "pageSize": 1, "total": 1})
    for _ in range(odd):
        codec.decode(content)
    (found,) = codec.normalise(codec.decode(content).items)
    assert isinstance(found, dict) is not bool(odd)
    assert plain(found) == {"vehicleId": "v", "updatedAt": "u", "lot": {"lotId": "l"}}
    assert codec.drift.unknown_fields == {"keyTag": 1, "lot.bay": 1}


FINDINGS: t.Final = [
    Finding(Kind.UNKNOWN_FIELDS, "keyTag", 4),
    Finding(Kind.UNKNOWN_VALUES, "status=demo", 3),
    Finding(Kind.OTHER_TYPES, "year", 2, "string"),
    Finding(Kind.MISSING_FIELDS, "lot.name", 500, "location.name"),
    Finding(Kind.MISSING_FIELDS, "trim", 500),
]


def after(*findings: Finding, known: Known | None = None, accepts: bool = True) -> Known:
    """Return what is known after a run."""
    state = (known or Known()).to_state(findings, accepts=accepts)
    return Known.from_state(json.loads(json.dumps(state)), name="vehicles")


def test_a_line_says_every_kind_and_marks_what_the_run_before_did_not_have() -> None:
    known = after(*FINDINGS[:3])
    assert sentence(FINDINGS, known) == (
        "fields the contract does not know, passed through: keyTag (4 rows); "
        "values its closed lists do not have, passed through: status=demo (3 rows); "
        "values of another type than the contract's, passed through: year (2 rows, string); "
        "fields of the contract that no row has: lot.name (perhaps now location.name, new), "
        "trim (new). `automate-dms drift --propose FILE` compares, and proposes a "
        "`contract_overlay`. No overlay has another type, or a field that is gone: look at what "
        "reads them."
    )
    assert "know, left out: keyTag (4 rows, new)" in sentence(FINDINGS, Known(), unknown="left out")


@pytest.mark.parametrize(
    ("finding", "overlay"), [*zip(FINDINGS, [True, True, False, True, False], strict=True)]
)
def test_a_line_advises_an_overlay_only_for_what_one_can_say(
    finding: Finding, *, overlay: bool
) -> None:
    said = sentence([finding], Known())
    assert ("--propose" in said) is overlay
    assert ("No overlay has" in said) is not overlay


def test_a_line_and_the_state_stay_short_where_names_are_data() -> None:
    many = [Finding(Kind.UNKNOWN_FIELDS, f"f{number:04}", 1) for number in range(1_000)]
    said = sentence(many, Known())
    assert said.count("(1 rows, new)") == MOST_NAMED
    assert f"{1_000 - MOST_NAMED} more" in said
    for accepts, key in ((True, STATE), (False, FAILED)):
        kept = Known().to_state(many, accepts=accepts)
        assert {name: len(names) for name, names in kept[key].items()} == {
            Kind.UNKNOWN_FIELDS: MOST_KEPT
        }


def test_where_names_are_data_a_further_one_is_no_news() -> None:
    many = [Finding(Kind.UNKNOWN_FIELDS, f"f{number:04}", 1) for number in range(1_000)]
    known = after(*many)
    assert all(map(known.has, many))
    assert not known.has(Finding(Kind.OTHER_TYPES, "year", 1))


def test_what_was_known_stays_known() -> None:
    second = after(*FINDINGS[1:], known=after(*FINDINGS[:1]))
    assert all(map(second.has, FINDINGS))
    assert not second.has(Finding(Kind.OTHER_TYPES, "keyTag", 1))


def test_what_runs_have_failed_for_is_known_once_a_run_has_accepted_it_without_meeting_it() -> None:
    first = after(*FINDINGS[:2], known=after(*FINDINGS[:1]), accepts=False)
    assert [first.has(each) for each in FINDINGS[:2]] == [True, False]
    second = after(FINDINGS[2], known=first, accepts=False)
    quiet = after(known=second, accepts=False)
    assert quiet == second
    assert not any(map(quiet.has, FINDINGS[1:]))
    accepted = after(known=quiet)
    assert [accepted.has(each) for each in FINDINGS] == [True, True, True, False, False]
    assert FAILED not in accepted.to_state([], accepts=False)


@pytest.mark.parametrize("key", [STATE, FAILED])
@pytest.mark.parametrize("kept", [[], {"moods": []}, {"other_types": "year"}, {"other_types": [1]}])
def test_a_note_that_a_person_has_spoilt_is_refused_with_the_streams_name(
    kept: object, key: str
) -> None:
    with pytest.raises(ConfigError, match=rf"'vehicles'.*`{key}`"):
        Known.from_state({key: kept}, name="vehicles")


@pytest.mark.parametrize(
    ("path", "at", "types"),
    [
        ("price", ["price"], ["number", "string", "null"]),
        ("lot", ["lot"], ["object", "string", "null"]),
        ("lot.name", ["lot", "properties", "name"], ["string", "boolean"]),
        ("tags", ["tags"], ["array", "string", "null"]),
        ("tags[]", ["tags", "items"], ["string", "boolean"]),
        ("photos[]", ["photos", "items"], ["object", "string"]),
        (
            "photos.size",
            ["photos", "items", "properties", "size"],
            ["number", "string", "null"],
        ),
    ],
)
def test_a_schema_takes_in_the_types_that_came_where_they_came(
    path: str, at: list[str], types: list[str]
) -> None:
    came = ["boolean"] if types[-1] == "boolean" else ["string"]
    wider: t.Any = widened(SCHEMA, path, came)
    part, plain_part = wider["properties"], t.cast("t.Any", SCHEMA)["properties"]
    for name in at:
        part, plain_part = part[name], plain_part[name]
    assert part["type"] == types
    assert {**part, "type": plain_part["type"]} == plain_part
    assert widened(wider, path, came) is wider


def test_a_date_that_may_be_any_text_has_no_format() -> None:
    schema = {"properties": {"on": {"type": ["string", "null"], "format": "date"}}}
    wider = widened(schema, "on", [NO_DATE])
    assert wider == {"properties": {"on": {"type": ["string", "null"]}}}
    assert widened(wider, "on", [NO_DATE]) is wider
    both = widened(schema, "on", [NO_DATE, "number"])
    assert both["properties"]["on"] == {"type": ["string", "number", "null"]}


def test_records_with_several_new_fields_get_one_schema(
    make_tap: Callable[..., TapAutomate], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    stream = t.cast("RowStream", make_tap().streams["lots"])
    stream.write_block([{"lotId": str(n), "updatedAt": "u", f"f{n}": n} for n in range(5)])
    t.cast("BlockWriter", stream._tap.message_writer).finish()  # noqa: SLF001 - as the run ends
    written = [msgspec.json.decode(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [line["type"] for line in written] == ["SCHEMA", *["RECORD"] * 5]
    assert [line["record"][f"f{n}"] for n, line in enumerate(written[1:])] == list(range(5))


@pytest.mark.parametrize(
    ("stream", "path", "place"),
    [
        ("deals", "fees.amount", "fees.amount"),
        ("deal_fees", "fees.amount", "amount"),
        ("deal_fees", "rooftopId", "rooftopId"),
        ("deal_fees", "gross.total", None),
        ("deal_products", "finance.products.cost", "cost"),
        ("deal_trade_ins", "tradeIn.acv", "acv"),
        ("deal_trade_ins", "tradeIns.acv", "acv"),
        ("vehicle_status_history", "lot.lotId", "lotId"),
        ("vehicle_status_history", "lot.name", None),
    ],
)
def test_each_stream_of_a_family_knows_where_it_has_a_field(
    make_tap: Callable[..., TapAutomate], stream: str, path: str, place: str | None
) -> None:
    assert t.cast("RowStream", make_tap().streams[stream]).place_of(path) == place


@pytest.mark.parametrize("path", ["colour", "lot.colour", "photos.colour", "price[]", "lot.name.a"])
def test_a_schema_without_the_field_stays_as_it_is(path: str) -> None:
    assert widened(SCHEMA, path, ["string"]) is SCHEMA
