"""The bookmark of a stream: how far it is certified, and which rows of the overlap are emitted.

Pure. It lives in Singer state under the names that every Singer user knows, `replication_key` and
`replication_key_value`, so that `meltano state` shows and edits what they expect, plus `seen`:
short digests of the rows emitted within the overlap before the bookmark, and `seen_from`, from when
on none is missing there. The next run reads the overlap again, for rows that became visible late,
and emits only those that it has not emitted before. Where rows are late by much of it, the state
asks for a longer one: `overlap_seconds`.
"""

from __future__ import annotations

import binascii
import bisect
import hashlib
import itertools
import operator
import typing as t

from automate_api.errors import ConfigError
from tap_automate.instants import from_seconds, to_microseconds
from tap_automate.lateness import Lateness, overlap_for
from tap_automate.reading.windows import MICROSECONDS, OVERLAP

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_automate.reading.windows import Row, Window

MOST_SEEN: t.Final = 2_000
"""Digests kept in state; rows of a denser overlap are emitted again, which an upsert does not
notice.
"""

DIGEST_BYTES: t.Final = 9
"""Twelve characters of text, without padding."""

_updated_of: t.Final = operator.attrgetter("updated")

BORDER: t.Final = (OVERLAP + 2) * MICROSECONDS
"""Microseconds before a window's end whose rows the next window may hold too, fractions of seconds
included.
"""


class Bookmark:
    """How far one stream (or one rooftop of it) is certified.

    Attributes:
        second: End of the certified prefix in seconds since 1970; None before the first window.
        overlap_seconds: How far before the bookmark this run starts to read.
        lateness: What this run has found there that became visible late.
    """

    def __init__(
        self,
        *,
        second: int | None = None,
        seen: frozenset[str] = frozenset(),
        seen_from: int | None = None,
        overlap_seconds: int,
        widened_to: int = 0,
    ) -> None:
        """Start from what a state holds.

        Args:
            second: The bookmark.
            seen: Digests of the rows emitted in the overlap before it.
            seen_from: Second from which none is missing among them; None when that is not known.
            overlap_seconds: How far before the bookmark a run starts, by the settings.
            widened_to: The same, as rows of earlier runs were late; the larger counts.
        """
        self.second = second
        self.overlap_seconds = max(overlap_seconds, widened_to)
        self.lateness = Lateness(second, (second or 0) if seen_from is None else seen_from)
        self._overlap_setting = overlap_seconds
        self._inherited_until = second
        self._inherited = seen
        self._has_passed_inherited = second is None
        self._seen_from: int | None = None
        self._recent: dict[str, int] = {}
        self._taken: list[Row] = []

    @classmethod
    def from_state(cls, state: Mapping[str, t.Any], *, overlap_seconds: int, name: str) -> Bookmark:
        """Read the bookmark of a stream's (or partition's) state.

        Args:
            state: What Singer state holds for it; empty on the first run.
            overlap_seconds: How far before the bookmark a run starts.
            name: The stream, for the message.

        Raises:
            ConfigError: When the state is not one that this tap wrote, or a person edited it into
                another form.
        """
        seen, widened_to = state.get("seen", []), state.get("overlap_seconds", 0)
        if state.get("replication_key_value") is None:
            return cls(overlap_seconds=overlap_seconds)
        second = _second_of(state, "replication_key_value", name)
        seen_from = _second_of(state, "seen_from", name) if "seen_from" in state else None
        if not isinstance(seen, list) or not all(isinstance(digest, str) for digest in seen):
            msg = (
                f"State of stream '{name}': `seen` must be a list of texts as this version of "
                "tap-automate writes it. Use the version that wrote the state, or remove `seen`: "
                "then the rows of the overlap are emitted once more."
            )
            raise ConfigError(msg)
        if type(widened_to) is not int or widened_to < 0:
            msg = (
                f"State of stream '{name}': `overlap_seconds` must be a whole number of seconds. "
                "Correct it, or remove it: then the setting counts."
            )
            raise ConfigError(msg)
        return cls(
            second=second,
            seen=frozenset(seen),
            seen_from=seen_from,
            overlap_seconds=overlap_seconds,
            widened_to=widened_to,
        )

    @property
    def start(self) -> int | None:
        """Second at which the next run starts to read, or None to read from the beginning."""
        return None if self.second is None else self.second - self.overlap_seconds

    def fresh(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Find which rows of a certified window are still to be emitted, and remember them.

        Only the first of them can have been emitted before, by the window or the run before, so
        only these are looked up.

        Args:
            rows: Of one window, in the order of `updated`; windows come in the order of time.

        Returns:
            Those that were not emitted, unchanged, before; `rows` itself when that is all of them.
        """
        first = until = 0
        known_until = max(self._recent.values(), default=None)
        if self._inherited_until is not None:
            start = (self._inherited_until - self.overlap_seconds) * MICROSECONDS
            first = bisect.bisect_left(rows, start, key=_updated_of)
            if self._inherited:
                # The reader takes rows of a second, and a fraction, behind a window's end.
                inherited_until = (self._inherited_until + OVERLAP + 1) * MICROSECONDS
                known_until = max(inherited_until, known_until or inherited_until)
        if known_until is not None:
            until = bisect.bisect_right(rows, known_until, key=_updated_of)
        self._taken += rows[first:]
        found = [row for row in rows[first:until] if not self._knows(row)]
        until = max(first, until)
        fresh = rows if len(found) == until else [*found, *rows[until:]]
        self._note_late(fresh)
        return fresh

    def advance(self, window: Window) -> None:
        """Move to the end of a certified window whose rows have been emitted; never back."""
        if self._seen_from is None:
            # The server may exclude the first second.
            self._seen_from = max(window.start, self.start or window.start) + OVERLAP
        self.second = window.end if self.second is None else max(self.second, window.end)
        if self._inherited_until is not None and window.end >= self._inherited_until:
            self._inherited = frozenset()
            self._has_passed_inherited = True
        oldest = (self.second - self.overlap_seconds) * MICROSECONDS
        border = window.end * MICROSECONDS - BORDER
        taken = sorted(self._taken, key=_updated_of, reverse=True)
        self._recent |= {
            digest_of(row): row.updated
            for place, row in enumerate(taken)
            if row.updated >= border or (row.updated >= oldest and place < MOST_SEEN)
        }
        self._forget([row.updated for row in taken[MOST_SEEN:]], border)
        self._taken.clear()
        by_age = sorted(self._recent.items(), key=operator.itemgetter(1), reverse=True)
        self._forget([updated for _, updated in by_age[MOST_SEEN:]], border)
        self._recent = {
            digest: updated
            for place, (digest, updated) in enumerate(by_age)
            if updated >= border or (updated >= oldest and place < MOST_SEEN)
        }

    def _forget(self, updated: Sequence[int], border: int) -> None:
        """Take note of rows, the newest first, whose digests are dropped if before the border."""
        newest = next((each for each in updated if each < border), None)
        if newest is not None:
            self._seen_from = max(self._seen_from or 0, newest // MICROSECONDS + 1)

    def _note_late(self, fresh: Sequence[Row]) -> None:
        if self._inherited_until is None:
            return
        end = self._inherited_until * MICROSECONDS
        for row in itertools.takewhile(lambda row: row.updated < end, fresh):
            self.lateness.met(row.updated)

    def _knows(self, row: Row) -> bool:
        digest = digest_of(row)
        return digest in self._recent or digest in self._inherited

    def to_state(self, replication_key: str) -> dict[str, t.Any]:
        """Return what Singer state holds for the stream.

        Args:
            replication_key: The field that the bookmark is of.
        """
        if self.second is None:
            return {}
        newest = sorted(self._recent, key=self._recent.__getitem__, reverse=True)
        # What a run inherited lies mostly behind the window that it has come to, so it is newer.
        seen = list(dict.fromkeys([*self._inherited, *newest]))[:MOST_SEEN]
        if self._seen_from is None or not self._has_passed_inherited:
            seen_from = self.lateness.known_from
        else:
            seen_from = max(self._seen_from, self.second - self.overlap_seconds)
        state: dict[str, t.Any] = {
            "replication_key": replication_key,
            "replication_key_value": from_seconds(self.second),
            "seen": sorted(seen),
            "seen_from": from_seconds(min(seen_from, self.second)),
        }
        overlap_seconds = overlap_for(self.overlap_seconds, self.lateness.seconds)
        if overlap_seconds > self._overlap_setting:
            state["overlap_seconds"] = overlap_seconds
        return state


def _second_of(state: Mapping[str, t.Any], field: str, name: str) -> int:
    try:
        return to_microseconds(state[field]) // MICROSECONDS
    except (TypeError, ValueError):
        msg = (
            f"State of stream '{name}': `{field}` must be an instant like 2026-01-20T13:45:00Z. "
            "Correct it, or remove the stream's bookmark to load it from the start."
        )
        raise ConfigError(msg) from None


def digest_of(row: Row) -> str:
    """Return a short text that stands for a row's key and `updatedAt`, and tells neither."""
    text = "\x1f".join([*row.key, str(row.updated)])
    digest = hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()
    return binascii.b2a_base64(digest, newline=False).decode()
