"""Passes over a partition behind its windows: for rows that a window by `updatedAt` cannot show.

A pass never moves a bookmark. What it has to remember from run to run is its own, and stands beside
the bookmark in the state; it is written there once the rows are, so that a run that ends early
repeats the pass.
"""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_automate.reading.windows import Row
    from tap_automate.sdk_seams import RowStream, Step

    Fresh: t.TypeAlias = Mapping[RowStream, Sequence[Row]]
    """Stream of a family to those rows of a window that it is to have, the parent first."""


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
    """What the windows of a run cover, in seconds since 1970.

    Attributes:
        first: Rows older than this are not wanted, by the settings; in microseconds.
        earliest: Where to begin to ask, to be given those that are.
        start: Where the windows begin.
        end: Where they end; no row may enter the span any more.
        now: The server's clock when the run began.
        is_first: Whether a stream of the family has no bookmark yet.
    """

    first: int
    earliest: int
    start: int
    end: int
    now: int
    is_first: bool


class Pass(t.Protocol):
    """What is done behind the windows of a partition."""

    def meet(self, rows: Sequence[Row], fresh: Fresh) -> Fresh:
        """See a window's rows before they are written.

        Args:
            rows: In the order of time, as the codec has read them.
            fresh: What is to be written of them.

        Returns:
            The same, or more of them.
        """
        ...

    def written(self) -> None:
        """Keep in the state what was met: the rows of the window were written."""
        ...

    def steps(self, span: Span) -> Iterator[Step]:
        """Yield what is to be written behind the windows.

        Args:
            span: What the windows have covered.

        Raises:
            TryLaterError: When rows did not hold still; what was yielded stands.
            StoppedError: As soon as the run is to stop.
            AutomateError: As `Client.list_page`.
        """
        ...
