"""Rows of a family of streams in blocks: records, and behind them the lines cut from them."""

from __future__ import annotations

import itertools
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_automate.reading.codec import Codec
    from tap_automate.reading.windows import Row
    from tap_automate.sdk_seams import Block, RowStream

BLOCK_ROWS: t.Final = 500
"""Rows that are written at once, and their lines behind them."""


def blocks_of(
    rows: Sequence[Row], fresh: Mapping[RowStream, Sequence[Row]], codec: Codec
) -> Iterator[Block]:
    """Yield records and their lines, for those streams of a family that are to have them.

    Args:
        rows: In the order in which they are emitted.
        fresh: Stream to those rows that it is to have, the parent first.
        codec: What has read the records.
    """
    wanted = {
        stream: None if len(some) == len(rows) else set(map(id, some))
        for stream, some in fresh.items()
    }
    for start in range(0, len(rows), BLOCK_ROWS):
        part = rows[start : start + BLOCK_ROWS]
        if None not in wanted.values():
            ids = set[int]().union(*t.cast("Iterable[set[int]]", wanted.values()))
            part = [row for row in part if id(row) in ids]
        records = codec.normalise([row.record for row in part])
        blocks: list[Block] = []
        for stream, ids_or_all in wanted.items():
            mine = records
            if ids_or_all is not None:
                pairs = zip(part, records, strict=True)
                mine = [record for row, record in pairs if id(row) in ids_or_all]
            for _, group in itertools.groupby(mine, type):
                # Lines are cut before the parent is written, which takes deselected fields out.
                block = stream.cut(list(group), codec)
                if block:
                    blocks.append((stream, block))
        yield from blocks
