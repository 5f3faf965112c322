"""The bookmark of a stream: how far it is certified, and which rows of the overlap are emitted.

Pure. It lives in Singer state under the names that every Singer user knows, `replication_key` and
`replication_key_value`, so that `meltano state` shows and edits what they expect, plus `seen`:
short digests of the rows emitted within the overlap before the bookmark. The next run reads the
overlap again, for rows that became visible late, and emits only those that it has not emitted
before.
"""

from __future__ import annotations

import base64
import hashlib
import typing as t

from automate_api.errors import ConfigError
from tap_automate.instants import from_seconds, to_microseconds
from tap_automate.windows import MICROSECONDS, OVERLAP

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_automate.windows import Row, Window

MOST_SEEN: t.Final = 2_000
"""Digests kept in state; rows of a denser overlap are emitted again, which an upsert does not
notice.
"""

DIGEST_BYTES: t.Final = 8

BORDER: t.Final = (OVERLAP + 2) * MICROSECONDS
"""Microseconds before a window's end whose rows the next window may hold too, fractions of seconds
included.
"""


class Bookmark:
    """How far one stream (or one rooftop of it) is certified.

    Attributes:
        second: End of the certified prefix in seconds since 1970; None before the first window.
    """

    def __init__(
        self,
        *,
        second: int | None = None,
        seen: frozenset[str] = frozenset(),
        overlap_seconds: int,
    ) -> None:
        """Start from what a state holds.

        Args:
            second: The bookmark.
            seen: Digests of the rows emitted in the overlap before it.
            overlap_seconds: How far before the bookmark a run starts.
        """
        self.second = second
        self._overlap_seconds = overlap_seconds
        self._inherited_until = second
        self._inherited = seen
        self._recent: dict[str, int] = {}

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
        value, seen = state.get("replication_key_value"), state.get("seen", [])
        if value is None:
            return cls(overlap_seconds=overlap_seconds)
        try:
            second = to_microseconds(value) // MICROSECONDS
        except (TypeError, ValueError):
            msg = (
                f"State of stream '{name}': `replication_key_value` must be an instant like "
                "2026-01-20T13:45:00Z. Correct it, or remove the stream's bookmark to load it from "
                "the start."
            )
            raise ConfigError(msg) from None
        if not isinstance(seen, list) or not all(isinstance(digest, str) for digest in seen):
            msg = (
                f"State of stream '{name}': `seen` must be a list of texts as this version of "
                "tap-automate writes it. Use the version that wrote the state, or remove `seen`: "
                "then the rows of the overlap are emitted once more."
            )
            raise ConfigError(msg)
        return cls(second=second, seen=frozenset(seen), overlap_seconds=overlap_seconds)

    @property
    def start(self) -> int | None:
        """Second at which the next run starts to read, or None to read from the beginning."""
        return None if self.second is None else self.second - self._overlap_seconds

    def take(self, row: Row) -> bool:
        """Tell whether a certified row is still to be emitted, and remember it.

        Args:
            row: A row of a certified window; windows come in the order of time.

        Returns:
            False when the row, unchanged, was emitted before.
        """
        until = self._inherited_until
        if until is not None and row.updated < (until - self._overlap_seconds) * MICROSECONDS:
            return False
        digest = digest_of(row)
        known = digest in self._recent or digest in self._inherited
        self._recent[digest] = row.updated
        return not known

    def advance(self, window: Window) -> None:
        """Move to the end of a certified window whose rows have been emitted; never back."""
        self.second = window.end if self.second is None else max(self.second, window.end)
        if self._inherited_until is not None and window.end >= self._inherited_until:
            self._inherited = frozenset()
        oldest = (self.second - self._overlap_seconds) * MICROSECONDS
        border = window.end * MICROSECONDS - BORDER
        by_age = sorted(self._recent.items(), key=lambda item: item[1], reverse=True)
        self._recent = {
            digest: updated
            for place, (digest, updated) in enumerate(by_age)
            if updated >= border or (updated >= oldest and place < MOST_SEEN)
        }

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
        return {
            "replication_key": replication_key,
            "replication_key_value": from_seconds(self.second),
            "seen": sorted(seen),
        }


def digest_of(row: Row) -> str:
    """Return a short text that stands for a row's key and `updatedAt`, and tells neither."""
    text = "\x1f".join([*row.key, str(row.updated)])
    digest = hashlib.blake2b(text.encode(), digest_size=DIGEST_BYTES).digest()
    return base64.b85encode(digest).decode()
