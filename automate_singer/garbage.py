"""How seldom Python is to search for garbage in circles while records stream through."""

from __future__ import annotations

import contextlib
import gc
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

THRESHOLD: t.Final = 100_000
"""Containers between two searches for garbage in circles, of which records have none.

Measured over 200 k records of 30 fields, against Python's 700: the tap takes 2.3 s in place of
2.8 s, if what was imported is left out of the searches, too; the loader 1.7 s of CPU in place of
1.8 s.
"""


def search_seldom(*, freeze: bool = False) -> None:
    """Search seldom; for the beginning of a program.

    Args:
        freeze: Whether to leave what is there by now out of all searches. Not with DuckDB, whose
            binding then says at the end of the program that it has leaked.
    """
    if freeze:
        gc.freeze()
    gc.set_threshold(THRESHOLD)


@contextlib.contextmanager
def frozen() -> Iterator[None]:
    """Search for none within a block that imports a program, and for none of what it leaves.

    Measured with the tap: importing it takes 0.27 s in place of 0.31 s, a run over 200 k records
    3 % less, and 0.4 MiB more are held. Not with DuckDB, as `search_seldom` says of `freeze`.
    """
    gc.disable()
    try:
        yield
    finally:
        # Before it is enabled: the next container made would set off a search through everything.
        gc.freeze()
        gc.enable()
