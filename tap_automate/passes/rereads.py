"""Rows that are still open are read again: a DMS may change them without moving `updatedAt`.

A repair order gets a line, a deal another bank, an appointment another advisor, and not every part
of a DMS remembers to date the record. While a record is open, that is common enough to be worth a
few requests a run: one list call for each open state, narrowed to rows older than the run's start.

What was written of open rows is known by digests of their content in the state, so a quiet run
writes nothing. A digest is twelve characters of a hash and tells nothing of the row; with its
quotes and comma it takes 15 bytes, and `MOST_KNOWN` of them 30 kB for a stream, or for each
partition of one. Of several streams of a family the first keeps them.
"""

from __future__ import annotations

import binascii
import hashlib
import typing as t

import msgspec

from automate_api import exact_json
from automate_api.errors import ConfigError
from tap_automate.instants import from_seconds, to_microseconds
from tap_automate.partition import Narrowing
from tap_automate.reading.codec import value_of
from tap_automate.reading.windows import MICROSECONDS, OVERLAP
from tap_automate.sdk_seams import Step
from tap_automate.streams import Ahead

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from tap_automate.partition import Partition
    from tap_automate.passes.base import Fresh, Span
    from tap_automate.privacy import Privacy
    from tap_automate.reading.windows import Row
    from tap_automate.streams import Open

STATE_KEY: t.Final = "open_rows"

MOST_KNOWN: t.Final = 2_000
"""Digests kept in state; of more open rows, the others are written again by each run, which an
upsert does not notice.
"""

DIGEST_BYTES: t.Final = 9
"""Twelve characters of text, without padding."""

DAY: t.Final = 86_400
"""Seconds by which an answer may begin too early: a server may look at dates alone."""

VOLATILE: t.Final = frozenset({"agingDays", "photos", "downloadUrl", "urlExpiresAt"})
"""Fields that move by themselves: no change that anybody made."""

_canonical: t.Final = msgspec.json.Encoder(order="sorted", decimal_format="number")


class Digests:
    """Which open rows, with which content, have been written."""

    def __init__(self, known: frozenset[str] = frozenset()) -> None:
        """Start from what the runs before have written.

        Args:
            known: Their digests.
        """
        self._known = known
        self._met: dict[tuple[str, ...], str | None] = {}

    @classmethod
    def from_state(cls, state: Mapping[str, t.Any], *, name: str) -> Digests:
        """Read them from a stream's (or partition's) state.

        Args:
            state: What Singer state holds for it.
            name: The stream, for the message.

        Raises:
            ConfigError: When a person edited them into another form.
        """
        known = state.get(STATE_KEY, [])
        if not isinstance(known, list) or not all(isinstance(each, str) for each in known):
            msg = (
                f"State of stream '{name}': `{STATE_KEY}` must be a list of texts as this version "
                "of tap-automate writes it. Use the version that wrote the state, or remove "
                f"`{STATE_KEY}`: then open rows are written once more."
            )
            raise ConfigError(msg)
        return cls(frozenset(known))

    @property
    def met(self) -> int:
        """How many open rows this run has met."""
        return len(self._met)

    def is_new(self, key: tuple[str, ...], digest: str) -> bool:
        """Take note of an open row; tell whether it has not been written with this content.

        Of a row that changes while the run reads it, nobody knows which content is the later one.
        No digest of it is kept, so that the next run writes it again.
        """
        is_known = digest in self._known or self._met.get(key) == digest
        self._met[key] = digest if self._met.get(key, digest) == digest else None
        return not is_known

    def settle(self) -> None:
        """Forget what was not met: every open row has been read."""
        self._known = frozenset()

    def to_state(self) -> list[str]:
        """Return what Singer state holds.

        Of too many the lowest are kept, which are the same ones in every run.
        """
        met = {digest for digest in self._met.values() if digest is not None}
        return sorted(met | self._known)[:MOST_KNOWN]


class Rereads:
    """The pass for open rows."""

    def __init__(self, partition: Partition, declared: Open | Ahead, now: int) -> None:
        """Read what is known of them.

        Args:
            partition: Whose rows.
            declared: Which of them are open.
            now: The server's time, seconds since 1970.

        Raises:
            ConfigError: When the state cannot be used.
        """
        self._partition = partition
        self._privacy = partition.stream.tap.privacy
        self._narrowings = narrowings(declared, now)
        self._is_open = opens(declared, now)
        self._digests = Digests.from_state(partition.notes, name=partition.stream.name)

    def meet(self, rows: Sequence[Row], fresh: Fresh) -> Fresh:
        """Take note of the open rows of a window.

        Those of the overlap that have changed since they were written are written again.
        """
        changed = [row for row in rows if self._is_open(row.record) and self._is_new(row)]
        if not changed:
            return fresh
        extended = {}
        for member, some in fresh.items():
            had = set(map(id, rows if len(some) == len(rows) else some))
            extra = [row for row in changed if id(row) not in had]
            extended[member] = [*some, *extra] if extra else some
        return extended

    def written(self) -> None:
        """Put the digests of what was met into the state."""
        self._partition.keep(STATE_KEY, self._digests.to_state())

    def steps(self, span: Span) -> Iterator[Step]:
        """Yield the open rows from before the windows that have changed since they were written."""
        if span.is_first or span.start <= span.earliest:
            return
        partition, stream = self._partition, self._partition.stream
        found = changed = 0
        with partition.excused("open rows are not read again"):
            start, end = span.earliest, span.start + OVERLAP
            for certified in partition.narrowed(start, end, self._narrowings):
                wanted = [row for row in certified.rows if row.updated >= span.first]
                rows = [row for row in wanted if self._is_new(row)]
                found += len(wanted)
                changed += len(rows)
                fresh = dict.fromkeys(partition.members, rows)
                yield Step(partition.blocks(rows, fresh), self.written)
            yield Step((), self._settle)
        if changed:
            stream.logger.info(
                "Stream '%s': %d open rows were read again; %d had changed without a new "
                "`updatedAt`, or were not known, and were written.",
                stream.name,
                found,
                changed,
            )
        if self._digests.met > MOST_KNOWN:
            stream.logger.info(
                "Stream '%s': of %d open rows the state remembers %d; the others are written by "
                "every run. Where that is too much, set `reread_open` to false.",
                stream.name,
                self._digests.met,
                MOST_KNOWN,
            )

    def _settle(self) -> None:
        self._digests.settle()
        self.written()

    def _is_new(self, row: Row) -> bool:
        return self._digests.is_new(row.key, digest_of(row, self._privacy))


def narrowings(declared: Open | Ahead, now: int) -> list[Narrowing]:
    """Say what to ask for, to be given all open rows.

    Args:
        declared: Which rows are open.
        now: The server's time, seconds since 1970.
    """
    if isinstance(declared, Ahead):
        parameters = {declared.parameter: from_seconds(now)}
        return [Narrowing(parameters, _from(declared.field, now - DAY, unknown=True))]
    return [
        Narrowing({declared.parameter: value}, _among(declared.parameter, {value}, unknown=True))
        for value in declared.values
    ]


def opens(declared: Open | Ahead, now: int) -> Callable[[t.Any], bool]:
    """Return what tells of a record, a struct or a dict, whether it is open.

    Args:
        declared: Which rows are open.
        now: The server's time, seconds since 1970.
    """
    if isinstance(declared, Ahead):
        return _from(declared.field, now, unknown=False)
    return _among(declared.parameter, set(declared.values), unknown=False)


def digest_of(row: Row, privacy: Privacy) -> str:
    """Return a short text that stands for a row's key and content, and tells neither.

    Args:
        row: As the codec has read it, before it is normalised.
        privacy: What is dropped does not count, and what is hashed goes in as its hash.
    """
    # By way of JSON, since a struct may hold text that nobody has decoded.
    record = exact_json.decode(exact_json.encode(row.record))
    treated = privacy.treat(record)
    content = {name: value for name, value in treated.items() if name not in VOLATILE}
    text = _canonical.encode([row.key, content])
    digest = hashlib.blake2b(text, digest_size=DIGEST_BYTES).digest()
    return binascii.b2a_base64(digest, newline=False).decode()


def _among(field: str, wanted: Collection[str], *, unknown: bool) -> Callable[[t.Any], bool]:
    """Return what looks for texts in a field, and what it says where there is none."""

    def among(record: t.Any) -> bool:  # noqa: ANN401 - a struct or a dict
        value = value_of(record, field)
        return value.casefold() in wanted if isinstance(value, str) else unknown

    return among


def _from(field: str, second: int, *, unknown: bool) -> Callable[[t.Any], bool]:
    """Return what looks for an instant from a second on, and what it says where there is none."""

    def is_from(record: t.Any) -> bool:  # noqa: ANN401 - a struct or a dict
        try:
            return to_microseconds(value_of(record, field)) >= second * MICROSECONDS
        except (TypeError, ValueError):
            return unknown

    return is_from
