"""The files that a stream's records name, fetched before the records go out.

A row waits for its files, and says where they are; one whose file cannot be had goes out all the
same. Its file is tried again by the next run, which the state tells of, and when it has come the
row goes out again. While files are fetched, pages are read ahead as far as memory allows.

From record to file: `fields` reads what a record names, `store` knows what of it
is there, `fetcher` gets the rest, which `transfer` checks as it arrives,
`names` says what to call it, `storage` puts it there whole, `errors` says why
not, and `state` remembers that for the next run.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
import logging
import typing as t

from automate_api.errors import ProtocolError, RequestRefusedError, StoppedError
from tap_automate import filters
from tap_automate.downloads import fields as download_fields
from tap_automate.downloads.errors import NO_NEW_ADDRESS, TOO_LARGE, FileError
from tap_automate.downloads.fields import DOWNLOADED_TO
from tap_automate.downloads.names import folder_name
from tap_automate.downloads.state import MOST_TRIES, STATE, Unfetched
from tap_automate.instants import from_seconds, to_microseconds
from tap_automate.reading.codec import value_of
from tap_automate.reading.details import read_detail
from tap_automate.reading.windows import MICROSECONDS, OVERLAP
from tap_automate.reporting import metrics
from tap_automate.sdk_seams import Step
from tap_automate.streams import REPLICATION_KEY
from tap_automate.waiting import each

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_automate.downloads.fields import Named
    from tap_automate.downloads.store import Outcome
    from tap_automate.partition import Partition
    from tap_automate.passes.base import Fresh, Span
    from tap_automate.reading.windows import Row
    from tap_automate.sdk_seams import Block
    from tap_automate.streams import Files

AT_ONCE: t.Final = 50
"""Rows that are asked for one by one before their files are fetched."""

THREAD: t.Final = "file"
"""What names of threads that fetch files begin with."""


class _Row:
    """A record with its files."""

    def __init__(self, record: t.Any, files: Files) -> None:  # noqa: ANN401 - a struct or a dict
        self.record = record
        self.outcomes: Sequence[Outcome] = ()
        self.holders = download_fields.holders(record, files)
        found = [
            download_fields.named(holder, position, files)
            for position, holder in enumerate(self.holders, 1)
            if holder is not None
        ]
        self.named = [file for file in found if file is not None]

    def put(self, outcomes: Sequence[Outcome]) -> None:
        """Say in the record what came of its files."""
        self.outcomes = outcomes
        paths = {
            file.position: outcome.path for file, outcome in zip(self.named, outcomes, strict=True)
        }
        for position, holder in enumerate(self.holders, 1):
            if holder is not None:
                download_fields.put(holder, paths.get(position))

    @property
    def errors(self) -> list[FileError]:
        """Why files are not there."""
        return [outcome.error for outcome in self.outcomes if outcome.error]

    @property
    def is_unfinished(self) -> bool:
        """Whether another attempt may bring a file."""
        return not all(error.lasting for error in self.errors)

    @property
    def is_news(self) -> bool:
        """Whether a row that went out without its files is to go out again."""
        came = any(each.fetched is not None for each in self.outcomes)
        return came or (any(each.path for each in self.outcomes) and not self.is_unfinished)


class Downloads:
    """The pass for the files of one partition of a stream."""

    def __init__(self, partition: Partition, files: Files, *, is_audit: bool = False) -> None:
        """Read what is still to be fetched.

        Args:
            partition: Whose records name files.
            files: Where.
            is_audit: Whether single rows are repaired, and the state stays as it is.

        Raises:
            ConfigError: When the state, or the place for the files, cannot be used.
        """
        self._partition = partition
        self._stream = partition.stream
        self._tap = partition.stream.tap
        self._files = files
        self._store = self._tap.file_store
        self._is_audit = is_audit
        self._keeps_state = partition.keeps_state(self._stream) and not is_audit
        self._again = "The next run tries again" if self._keeps_state else "Run again to try again"
        if is_audit:
            self._again = "They are fetched when their records change"
        state = partition.state(self._stream) if self._keeps_state else {}
        self._unfetched = Unfetched.from_state(state.get(STATE), name=self._stream.name)
        self._left = dict(self._unfetched.rows)
        self._read_until = _bookmark_of(state)
        self._reasons: collections.Counter[str] = collections.Counter()
        self._details: set[str] = set()
        self._lasting = self._left_alone = 0

    def tell_of_rows_before(self) -> None:
        """Say, before the first rows, that those of runs without downloads have no files."""
        read, fetched = self._read_until, self._unfetched.until
        if read is None or (fetched is not None and fetched >= read):
            return
        begin = "" if fetched is None else f"from {from_seconds(fetched)} "
        self._stream.say_once(
            logging.WARNING,
            "what was loaded without `download_to` gets its files when it changes",
            f"rows {begin}up to {from_seconds(read)}. To have all files now, load the stream once "
            "more: take its bookmark out of the state, or run a backfill of it with `end_date`.",
        )

    def fetch(self, records: Sequence[t.Any]) -> None:
        """Fetch the files of records, and have the records say where they are.

        Args:
            records: As they are emitted; changed in place.

        Raises:
            StoppedError: When the run is to stop.
            AutomateError: When an address has ended, and the DMS cannot be asked for another.
        """
        self._fetch(records)

    def meet(self, rows: Sequence[Row], fresh: Fresh) -> Fresh:
        """Return what is to be written as it is: files are fetched block by block."""
        del rows
        return fresh

    def written(self) -> None:
        """Keep in the state what is still to be fetched: the rows before it were written."""
        if not self._keeps_state:
            return
        state = self._partition.state(self._stream)
        self._unfetched.until = _bookmark_of(state)
        state[STATE] = self._unfetched.to_state()

    def steps(self, span: Span) -> Iterator[Step]:
        """Try what runs before could not fetch, and yield the rows whose files have come."""
        for keys in _parts(sorted(self._left), AT_ONCE):
            yield self._step(self._read_details(keys))
        since, until = self._unfetched.since, min(span.end, (self._read_until or 0) + OVERLAP)
        if since is None:
            return
        if since - OVERLAP < until:
            with self._partition.fetching(since - OVERLAP, until) as fetching:
                for certified in fetching.windows():
                    yield self._step([row.record for row in certified.rows])
        self._unfetched.since = None
        yield Step((), self.written)

    def tell(self) -> None:
        """Say which files are missing, and log how many were fetched."""
        name, counts = self._stream.name, self._partition.report.files
        if counts.any and not self._is_audit:  # where no metrics are logged
            metrics.log(metrics.Gauge.FILES, dataclasses.asdict(counts), stream=name)
        if not self._reasons:
            return
        then = "Their rows have no `downloadedTo`."
        if self._reasons.total() > self._lasting:
            then += f" {self._again}"
            then += ", except for those that stay as they are." if self._lasting else "."
        else:
            then += " They are tried again when their records change."
        if self._reasons[TOO_LARGE]:
            then += f" {self._how_to_find_large_ones()}"
        if self._left_alone and self._keeps_state:
            then += (
                f" {self._left_alone} rows, whose files were refused by {MOST_TRIES} runs, are "
                "left alone until they change."
            )
        self._stream.logger.warning(
            "Stream '%s': files could not be had: %s. %s",
            name,
            ", ".join(f"{count} {reason}" for reason, count in self._reasons.most_common()),
            " ".join([then, *sorted(self._details)]),
        )

    def _how_to_find_large_ones(self) -> str:
        place = f"{self._files.within}[].{DOWNLOADED_TO}" if self._files.within else DOWNLOADED_TO
        most: int = self._partition.config["download_max_bytes"]
        size = f", and whose `{self._files.size}` is above {most}" if self._files.size else ""
        return f"Those that are too large are of rows whose `{place}` is null{size}."

    def _step(self, records: Sequence[t.Any]) -> Step:
        """Fetch the files of rows that went out without them; write those that have some now."""
        rows = self._fetch(self._partition.codec.normalise(records))
        news = [row.record for row in rows if row.is_news]
        self._partition.report.emitted(len(news))
        blocks: list[Block] = [
            (self._stream, list(group)) for _, group in itertools.groupby(news, type)
        ]
        return Step(blocks, self.written)

    def _fetch(self, records: Sequence[t.Any]) -> list[_Row]:
        rows = [_Row(record, self._files) for record in records]
        now = int(self._tap.client.server_time().timestamp()) * MICROSECONDS
        calls = [functools.partial(self._bring, row, now) for row in rows if row.named]
        try:
            each(calls, threads=self._threads, stop=self._tap.stop, name=THREAD)
        except StoppedError:
            raise self._tap.stopped() from None
        for row in rows:
            if not row.named:
                row.put(())
            self._judge(row)
        return rows

    @property
    def _threads(self) -> int:
        threads: int = self._partition.config["concurrency"]
        return threads

    def _bring(self, row: _Row, now: int) -> None:
        """Fetch the files of one record; in a thread."""
        key = self._key_of(row.record)
        renewed = _Renewed(lambda: self._detail(key), self._files)
        folder = f"{self._stream.name}/{folder_name([key])}"
        row.put(self._store.bring(folder, row.named, renewed, now))
        self._partition.report.filed(row.outcomes)

    def _judge(self, row: _Row) -> None:
        """Count what came of a record's files, and remember the record if some are to be tried."""
        key = self._key_of(row.record)
        self._left.pop(key, None)
        for error in row.errors:
            self._reasons[str(error)] += 1
            self._lasting += error.lasting
            self._details |= {error.detail} - {""}
        if row.is_unfinished:
            updated = value_of(row.record, REPLICATION_KEY)
            second = to_microseconds(updated) // MICROSECONDS if isinstance(updated, str) else 0
            refused = all(error.lasting or error.refused for error in row.errors)
            self._left_alone += not self._unfetched.add(key, second, refused=refused)
        else:
            self._unfetched.discard(key)

    def _read_details(self, keys: Sequence[str]) -> list[dict[str, t.Any]]:
        """Read rows one by one; those that cannot be had so are left to the list call."""
        found: dict[str, dict[str, t.Any] | None] = {}
        check = filters.check(self._stream.declaration, self._stream.path, self._partition.context)

        def read(key: str) -> None:
            try:
                found[key] = self._detail(key)
            except (RequestRefusedError, ProtocolError):
                found[key] = None

        calls = [functools.partial(read, key) for key in keys]
        each(calls, threads=self._threads, stop=self._tap.stop, name=THREAD)
        records = []
        for key in keys:
            record = found[key]
            del self._left[key]
            if record is None:
                self._unfetched.look_for(key)
                continue
            try:
                if check:
                    check([record], None)
            except ProtocolError:  # it has left what the settings ask for
                self._unfetched.discard(key)
                continue
            records.append(record)
        return records

    def _detail(self, key: str) -> dict[str, t.Any]:
        """Read a record by its key.

        Raises:
            ProtocolError: When it is none, or another.
            AutomateError: As `read_detail`.
        """
        record = read_detail(self._tap.client, self._stream.path, key)
        if self._key_of(record) != key:
            msg = f"GET {self._stream.path}/{{id}}: the record that came is another."
            raise ProtocolError(msg)
        return record

    def _key_of(self, record: object) -> str:
        (name,) = self._stream.resource.key
        return str(value_of(record, name))


class _Renewed:
    """Gives the files of a record with new addresses; asks for the record once."""

    def __init__(self, read: Callable[[], Mapping[str, t.Any]], files: Files) -> None:
        self._read = read
        self._files = files
        self._holders: list[t.Any] | None = None

    def __call__(self, position: int) -> Named:
        """Return a file by its position.

        Raises:
            FileError: When the DMS has none there.
        """
        if self._holders is None:
            try:
                record = self._read()
            except (RequestRefusedError, ProtocolError):
                raise FileError(NO_NEW_ADDRESS, refused=True) from None
            self._holders = download_fields.holders(record, self._files)
        holders = self._holders[position - 1 : position]
        file = download_fields.named(holders[0], position, self._files) if holders else None
        if file is None:
            raise FileError(NO_NEW_ADDRESS, refused=True)
        return file


def _parts(keys: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _bookmark_of(state: Mapping[str, t.Any]) -> int | None:
    """Return the second of a bookmark."""
    bookmark = state.get("replication_key_value")
    return to_microseconds(bookmark) // MICROSECONDS if bookmark else None
