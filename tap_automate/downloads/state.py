"""Which files are still to be fetched, as Singer state has it.

Pure. A row goes out without its file when the file cannot be had, and its bookmark moves on, so the
state has to remember the row. It does so by key, for as many as fit; beyond that by time: from
`since` on, rows are read again. Up to `until` rows have had their files looked for; where the
bookmark is ahead of it, a run without downloads has moved it.
"""

from __future__ import annotations

import collections
import typing as t

from automate_api.errors import ConfigError
from tap_automate.instants import from_seconds, to_microseconds
from tap_automate.reading.windows import MICROSECONDS

if t.TYPE_CHECKING:
    from collections.abc import Mapping

Key: t.TypeAlias = str

STATE: t.Final = "files"
"""Where a stream's state has the files that are still to be fetched."""

MOST_KEYS: t.Final = 1_000
"""Keys that the state has at most."""

MOST_TRIES: t.Final = 5
"""Runs in which a file is refused, before it is left until its record changes: a photo whose host
has deleted it would be asked for by every run for ever.
"""


class Unfetched:
    """Rows whose files are to be tried again.

    Attributes:
        rows: Key to second of `updatedAt`.
        since: Second from which on further rows of earlier runs lack files; None when none do.
        until: Second of the bookmark when files were last fetched; None when they never were.
    """

    def __init__(
        self,
        rows: Mapping[Key, int] | None = None,
        since: int | None = None,
        tries: Mapping[Key, int] | None = None,
        until: int | None = None,
    ) -> None:
        """Start from what a state holds.

        Args:
            rows: As above.
            since: As above.
            tries: Key to runs in which a host has refused a file of the row.
            until: As above.
        """
        self.rows = dict(rows or {})
        self.since = since
        self.until = until
        self._tries = collections.Counter(tries or {})
        self._overflow: int | None = None

    def add(self, key: Key, second: int, *, refused: bool) -> bool:
        """Remember a row for the next run, unless it has been tried often enough.

        Args:
            key: Its key.
            second: Of its `updatedAt`.
            refused: Whether a host has answered, and not with the file. A host that does not
                answer says nothing of the file.

        Returns:
            Whether it is to be tried again.
        """
        if self.rows.get(key, second) != second:
            del self._tries[key]
        self._tries[key] += refused
        if self._tries[key] >= MOST_TRIES:
            self.discard(key)
            return False
        if key in self.rows or len(self.rows) < MOST_KEYS:
            self.rows[key] = second
        else:
            self._overflow = _earlier(self._overflow, second)
        return True

    def look_for(self, key: Key) -> None:
        """Have a row looked for by its time, in this run yet."""
        self.since = _earlier(self.since, self.rows.pop(key))

    def discard(self, key: Key) -> None:
        """Forget a row: its files are there, or are not to be had."""
        self.rows.pop(key, None)
        del self._tries[key]

    def to_state(self) -> dict[str, t.Any]:
        """Return what Singer state holds; empty when no file was ever looked for."""
        state: dict[str, t.Any] = {}
        if self.until is not None:
            state["until"] = from_seconds(self.until)
        if self.rows:
            state["rows"] = {key: from_seconds(self.rows[key]) for key in sorted(self.rows)}
        if tries := {key: self._tries[key] for key in sorted(self.rows) if self._tries[key]}:
            state["tries"] = tries
        if self.since is not None or self._overflow is not None:
            state["since"] = from_seconds(_earlier(self.since, self._overflow))
        return state

    @classmethod
    def from_state(cls, state: object, *, name: str) -> Unfetched:
        """Read what a stream's (or partition's) state holds.

        Args:
            state: As `to_state` made it; None where there is none.
            name: The stream, for the message.

        Raises:
            ConfigError: When it is something else.
        """
        try:
            known = state or {}
            if not isinstance(known, dict):
                raise TypeError  # noqa: TRY301 - said below, with what else may be wrong
            rows = {str(key): _second(text) for key, text in known.get("rows", {}).items()}
            tries = {str(key): int(number) for key, number in known.get("tries", {}).items()}
            since, until = (
                None if text is None else _second(text)
                for text in (known.get("since"), known.get("until"))
            )
            return cls(rows, since, tries, until)
        except (AttributeError, TypeError, ValueError):
            msg = (
                f"State of stream '{name}': `files` must be as this version of tap-automate writes "
                "it. Use the version that wrote the state, or remove `files`: then the files that "
                "could not be fetched so far are not tried again."
            )
            raise ConfigError(msg) from None


def _earlier(one: int | None, other: int | None) -> int:
    """Return the earlier of two seconds, one of which may be missing."""
    return min(each for each in (one, other) if each is not None)


def _second(text: str) -> int:
    return to_microseconds(text) // MICROSECONDS
