"""Records and their lines are written in blocks, each for the streams that are to have it."""

from __future__ import annotations

import typing as t

import msgspec
import pytest

from tap_automate.blocks import BLOCK_ROWS, blocks_of
from tap_automate.reading.codec import Codec, plain
from tap_automate.reading.windows import Row
from tap_automate.resources import ResourceStream

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_automate.sdk_seams import RowStream
    from tap_automate.tap import TapAutomate

NOON = "2026-01-20T12:00:00Z"


def entry(number: int, **more: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - JSON
    lines = [{"lineId": f"{number}.{line}", "debit": 1.25} for line in range(2)]
    key = {"journalEntryId": f"je{number:04}", "rooftopId": "rt_1", "updatedAt": NOON}
    return {**key, "lines": lines, **more}


class Family:
    """The stream of GL entries with its lines, and records as its reader makes them."""

    def __init__(self, tap: TapAutomate) -> None:
        parent = tap.streams["gl_entries"]
        assert isinstance(parent, ResourceStream)
        self.parent: ResourceStream = parent
        self.lines = t.cast("RowStream", tap.streams["gl_entry_lines"])
        self.codec = Codec(parent.resource.record_schema, tap.privacy)

    def rows(self, *records: dict[str, t.Any]) -> list[Row]:
        body = {"items": records, "page": 1, "pageSize": 9, "total": len(records)}
        items = self.codec.decode(msgspec.json.encode(body)).items
        return [Row((record["journalEntryId"],), 0, item) for record, item in zip(records, items)]  # noqa: B905 - of one length

    def blocks(
        self, rows: Sequence[Row], fresh: dict[RowStream, Sequence[Row]]
    ) -> list[tuple[str, list[dict[str, t.Any]]]]:
        """Return stream and records of each block, as JSON has them."""
        blocks = blocks_of(rows, fresh, self.codec)
        return [(stream.name, [plain(record) for record in block]) for stream, block in blocks]


@pytest.fixture
def family(make_tap: Callable[..., TapAutomate]) -> Family:
    return Family(make_tap())


def keys(block: list[dict[str, t.Any]]) -> list[str]:
    return [record.get("lineId", record["journalEntryId"]) for record in block]


def test_lines_come_behind_their_parents(family: Family) -> None:
    rows = family.rows(entry(1), entry(2))
    (parent, parents), (child, lines) = family.blocks(
        rows, {family.parent: rows, family.lines: rows}
    )
    assert (parent, keys(parents)) == ("gl_entries", ["je0001", "je0002"])
    assert (child, keys(lines)) == ("gl_entry_lines", ["1.0", "1.1", "2.0", "2.1"])


def test_a_stream_gets_its_own_rows_alone_and_drift_is_counted_once(family: Family) -> None:
    rows = family.rows(*(entry(number, new=number) for number in range(4)))
    found = family.blocks(rows, {family.parent: rows[1:2], family.lines: rows[1:3]})
    assert [(name, keys(block)) for name, block in found] == [
        ("gl_entries", ["je0001"]),
        ("gl_entry_lines", ["1.0", "1.1", "2.0", "2.1"]),
    ]
    assert family.codec.drift.unknown_fields == {"new": 2}


def test_records_of_different_kinds_keep_their_order(family: Family) -> None:
    rows = family.rows(entry(1), entry(2, new=1), entry(3, lines=None), entry(4, new=None))
    found = family.blocks(rows, {family.parent: rows})
    assert [keys(block) for _, block in found] == [["je0001"], ["je0002"], ["je0003"], ["je0004"]]


def test_many_rows_come_in_blocks_of_a_bounded_size(family: Family) -> None:
    rows = family.rows(*map(entry, range(BLOCK_ROWS + 1)))
    found = family.blocks(rows, {family.parent: rows, family.lines: rows})
    assert [(name, len(block)) for name, block in found] == [
        ("gl_entries", BLOCK_ROWS),
        ("gl_entry_lines", 2 * BLOCK_ROWS),
        ("gl_entries", 1),
        ("gl_entry_lines", 2),
    ]


@pytest.mark.parametrize("more", [{}, {"new": 1}], ids=["typed", "dict"])
def test_lines_keep_what_their_parent_leaves_out(
    make_tap: Callable[..., TapAutomate],
    capfdbinary: pytest.CaptureFixture[bytes],
    more: dict[str, t.Any],
) -> None:
    catalog = make_tap().catalog_dict
    for stream in catalog["streams"]:
        for metadata in stream["metadata"]:
            left_out = metadata["breadcrumb"] and (
                stream["tap_stream_id"] == "gl_entries"
                and metadata["breadcrumb"][1] in {"lines", "rooftopId"}
            )
            metadata["metadata"]["selected"] = not left_out
    tap = make_tap(catalog=catalog)
    family = Family(tap)
    rows = family.rows(entry(1, **more))
    both = dict.fromkeys([family.parent, family.lines], rows)
    for stream, block in blocks_of(rows, both, family.codec):
        stream.write_block(block)
    t.cast("t.Any", tap.message_writer).flush()
    written = [msgspec.json.decode(line) for line in capfdbinary.readouterr().out.splitlines()]
    parent, *lines = [message["record"] for message in written]
    assert parent == {"journalEntryId": "je0001", "updatedAt": NOON}
    inherited = {"journalEntryId": "je0001", "rooftopId": "rt_1", "parentUpdatedAt": NOON}
    assert lines == [{**inherited, "lineId": f"1.{line}", "debit": 1.25} for line in range(2)]
