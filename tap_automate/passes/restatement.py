"""Accounting periods that may still change are counted again, and read again where they do not tie.

Entries are posted back-dated into closed months, and not every correction dates what it corrects.
So each run reads the entries of the open periods, of the last two closed ones and of the newest
13th by their accounting date, and compares what they come to with the control rows of the run
before. What differs is said, and the whole period is written again.

Only figures are held in memory, never a period's entries: these are read a second time. Control
rows count the books as they stood at the end of the windows; what was changed after that is looked
at once more, as it has left the windows but not the books.
"""

from __future__ import annotations

import datetime as dt
import functools
import itertools
import logging
import typing as t

from tap_automate.instants import from_seconds
from tap_automate.partition import Narrowing
from tap_automate.passes import periods
from tap_automate.passes.controls import STATE_KEY, Control, Kept, facts_of
from tap_automate.reading.codec import value_of
from tap_automate.reading.windows import MICROSECONDS, OVERLAP, Window, pages_of
from tap_automate.sdk_seams import Step
from tap_automate.streams import ROOFTOP
from tap_automate.waiting import awaited

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from tap_automate.partition import Partition
    from tap_automate.passes.base import Fresh, Span
    from tap_automate.passes.controls import Facts
    from tap_automate.passes.periods import Choice, Period
    from tap_automate.reading.windows import Row
    from tap_automate.resources import ResourceStream

RANGE: t.Final = ("accountingFrom", "accountingTo")
"""The query parameters of the list call."""

DATE: t.Final = "accountingDate"

UNPOSTED: t.Final = "unposted"
VOIDED: t.Final = "voided"

NOT_COMPARED: t.Final = "accounting periods are not compared"

AHEAD: t.Final = 60
"""Seconds beyond the server's clock up to which changes of this moment are looked for."""


class Tally:
    """What the entries of the chosen periods come to, and what they should have come to.

    Pure; entries come in any order, each once.

    Attributes:
        choice: The periods.
        now: Name of a period to what its entries come to.
        made: The same of those of them that were made since the run before.
        periods: Name to period.
    """

    def __init__(self, choice: Choice, kept: Kept, span: Span) -> None:
        """Begin with nothing counted.

        Args:
            choice: The periods.
            kept: What the run before has counted.
            span: What the windows of this run have covered.
        """
        self.now: dict[str, Control] = {}
        self.made: dict[str, Control] = {}
        self.periods: dict[str, Period] = {}
        self.choice = choice
        self._kept = kept
        self._voided: dict[str, Control] = {}
        self._unsure: dict[str, Control] = {}
        self._unclear: set[tuple[str, str]] = set()
        self._start, self._end = span.start * MICROSECONDS, span.end * MICROSECONDS
        self._until = 0 if kept.until is None else kept.until
        for period in choice.periods:
            if period.books:
                self._expect(choice.name(period, period.books), period)
            for name in kept.rows:
                if choice.is_of(name, period):
                    self._expect(name, period)

    def add(self, facts: Facts, updated: int, *, is_late: bool = False) -> None:
        """Count an entry, if it is in the books of a chosen period.

        Args:
            facts: Of the entry.
            updated: Its `updatedAt`, microseconds since 1970.
            is_late: Whether the run before could not see it as it is.
        """
        found = self.choice.find(facts)
        if found is None and facts.is_unclear:
            self._unclear.add((facts.books, facts.date[:10]))
        if found is None or facts.born >= self._end or facts.status == UNPOSTED:
            return
        name, period = found
        if facts.status == VOIDED and updated < self._end:
            if facts.born < self._until and (updated >= self._until or is_late):
                voided = self._voided if facts.was_posted else self._unsure
                voided.setdefault(name, Control()).include(facts)
            return
        if facts.status == VOIDED and not facts.was_posted:
            return
        self._expect(name, period)
        self.now[name].include(facts)
        if facts.born >= self._until or (is_late and facts.born >= self._start):
            self.made.setdefault(name, Control()).include(facts)

    def name_of(self, row: Row) -> str | None:
        """Name the period of an entry; None when it is none of the chosen ones."""
        found = self.choice.find(facts_of(row.record, row.updated))
        return found[0] if found else None

    def unclear(self) -> set[str]:
        """Name the periods of which nobody can say what they come to: an entry may be in them."""
        return {
            name
            for name, period in self.periods.items()
            for books, day in self._unclear
            if name.rpartition("/")[0] == books
            and period.first.isoformat() <= day <= period.last.isoformat()
        }

    def restated(self) -> list[str]:
        """Name the periods whose entries come to something else than they should."""
        known = self.now.keys() - self.unclear()
        return [
            name
            for name, before in self._kept.rows.items()
            if name in known and self.now[name] not in self._possible(name, before)
        ]

    def rows(self) -> dict[str, Control]:
        """Name to what the next run is to compare with."""
        unclear = self.unclear()
        return {name: control for name, control in self.now.items() if name not in unclear}

    def _possible(self, name: str, before: Control) -> list[Control]:
        """Say what a period may come to.

        Whether the run before has counted what is voided now, nobody says for sure: it may have
        been voided already, or, where it does not say when it was posted, have been a draft.
        """
        grown = before.plus(self.made.get(name, Control()))
        without = grown.plus(self._voided.get(name, Control()), -1)
        return [grown, without, without.plus(self._unsure.get(name, Control()), -1)]

    def _expect(self, name: str, period: Period) -> None:
        self.now.setdefault(name, Control())
        self.periods[name] = period


class Restatement:
    """The pass for accounting periods."""

    def __init__(self, partition: Partition, listed: str, span: Span) -> None:
        """Read the control rows of the run before.

        Args:
            partition: Of the journal entries.
            listed: The stream of the accounting periods.
            span: What the windows of this run cover.

        Raises:
            ConfigError: When the state cannot be used.
        """
        self._partition = partition
        self._listed = listed
        self._span = span
        self._kept = Kept.from_state(partition.notes, name=partition.stream.name)
        self._late: set[tuple[str, ...]] = set()
        self._counted: set[int] = set()

    def meet(self, rows: Sequence[Row], fresh: Fresh) -> Fresh:
        """Count the entries of a first load.

        Of later ones, remember which became visible after the run before had counted.
        """
        until = self._kept.until
        if self._span.is_first:
            has_day = self._tally.choice.has_day
            self._count(row for row in rows if has_day(value_of(row.record, DATE)))
        elif until is not None:
            for some in fresh.values():
                late = itertools.takewhile(lambda row: row.updated < until, some)
                self._late.update(row.key for row in late)
        return fresh

    def written(self) -> None:
        """Keep nothing: the control rows are made of whole periods."""

    def steps(self, span: Span) -> Iterator[Step]:
        """Yield the entries of the periods that were restated, then the new control rows."""
        partition = self._partition
        with partition.excused(NOT_COMPARED):
            tally = self._tally
            narrowings = _narrowings(tally.choice.spans())
            if not span.is_first:
                for rows in self._rows(span, narrowings):
                    self._count(rows)
            self._count(self._moved(span, narrowings))
            restated = tally.restated()
            self._tell(tally, restated)
            if restated:
                again = [tally.periods[each] for each in restated]
                for rows in self._rows(span, _narrowings(tally.choice.spans(again))):
                    wanted = [row for row in rows if tally.name_of(row) in restated]
                    fresh = dict.fromkeys(partition.members, wanted)
                    yield Step(partition.blocks(wanted, fresh), lambda: None)
            yield Step((), functools.partial(self._settle, tally.rows(), span.end))

    def _choose(self) -> Choice:
        """Ask for the periods of the partition; choose months where there are none."""
        stream, tap = self._partition.stream, self._partition.stream.tap
        today = dt.datetime.fromtimestamp(self._span.now, dt.UTC).date()
        listed = t.cast("ResourceStream", tap.streams[self._listed])
        known: list[Period] | None = None
        if listed.unavailable() is None:
            context = self._partition.context or {}
            rooftop = {ROOFTOP: context[ROOFTOP]} if ROOFTOP in context else {}
            known = awaited(lambda: periods.read(tap.client, listed.path, rooftop), tap.stop)
        choice = periods.choose(known or [], today)
        if choice.is_calendar:
            stream.say_once(
                logging.INFO,
                f"the DMS names no accounting periods, so this month and the "
                f"{periods.MONTHS_BEFORE} before are compared",
            )
        return choice

    @functools.cached_property
    def _tally(self) -> Tally:
        return Tally(self._choose(), self._kept, self._span)

    def _count(self, rows: Iterable[Row]) -> None:
        """Count entries; one that was counted before is the same one."""
        for row in rows:
            key = hash(row.key)
            if key not in self._counted:
                self._counted.add(key)
                facts = facts_of(row.record, row.updated)
                self._tally.add(facts, row.updated, is_late=row.key in self._late)

    def _rows(self, span: Span, narrowings: Sequence[Narrowing]) -> Iterator[list[Row]]:
        """Read periods by certified windows; a row near a border of two may come twice."""
        for certified in self._partition.narrowed(span.earliest, span.end, narrowings):
            yield [row for row in certified.rows if row.updated >= span.first]

    def _moved(self, span: Span, narrowings: Sequence[Narrowing]) -> Iterator[Row]:
        """Read what was changed since the end of the windows, as it is, without a certificate."""
        tap = self._partition.stream.tap
        for narrowing in narrowings:
            reader = self._partition.reader(narrowing)
            until = int(tap.client.server_time().timestamp()) + AHEAD
            window = Window(span.end - OVERLAP, until)
            number = pages = 1
            while number <= pages:
                page = awaited(functools.partial(reader.fetch, window, number), tap.stop)
                pages = pages_of(page.total, page.size)
                yield from page.rows
                number += 1

    def _tell(self, tally: Tally, restated: Collection[str]) -> None:
        stream = self._partition.stream
        unclear = tally.unclear()
        if unclear:
            stream.logger.warning(
                "Stream '%s': %s cannot be compared, as entries of their days name no fiscal year "
                "and period by number.",
                stream.name,
                ", ".join(map(tally.choice.described, sorted(unclear))),
            )
        for name, period in tally.periods.items():
            if name in unclear:
                continue
            made, shown = tally.made.get(name, Control()), tally.choice.described(name)
            if name in restated:
                stream.logger.warning(
                    "Stream '%s': %s was restated. %s The whole period is read and written again. "
                    "Entries that are gone stay in a warehouse until `automate-dms audit` finds "
                    "them.",
                    stream.name,
                    shown,
                    _difference(self._kept.rows[name], made, tally.now[name]),
                )
            elif made.count and period.is_open is False and self._kept.until is not None:
                stream.logger.info(
                    "Stream '%s': %d %s posted back-dated into closed %s.",
                    stream.name,
                    made.count,
                    "entry was" if made.count == 1 else "entries were",
                    shown,
                )

    def _settle(self, rows: Mapping[str, Control], end: int) -> None:
        """Put the control rows into the state."""
        kept = {name: control.to_state() for name, control in sorted(rows.items())}
        self._partition.keep(STATE_KEY, {"until": from_seconds(end), "rows": kept})


def _difference(before: Control, made: Control, now: Control) -> str:
    """Say how a period differs from what the run before has counted, and what was made since."""
    posted = f"since then {made.count:,} {'entry was' if made.count == 1 else 'entries were'}"
    if now.is_as_much_as(before.plus(made)):
        since = f", although {posted} posted into it" if made.count else ""
        return (
            f"Number and sums are as expected{since} ({now}), but accounts, control numbers, dates "
            "or the entries themselves are not those that the run before had."
        )
    return f"By the run before it had {before}; {posted} posted into it; it has {now}."


def _narrowings(spans: Sequence[tuple[dt.date, dt.date]]) -> list[Narrowing]:
    """Say what to ask for; a day more, as the server may leave the last one out."""
    return [
        Narrowing(
            dict(zip(RANGE, (first.isoformat(), (last + periods.DAY).isoformat()), strict=True)),
            functools.partial(_lies_in, first.isoformat(), (last + periods.DAY).isoformat()),
        )
        for first, last in spans
    ]


def _lies_in(first: str, last: str, record: object) -> bool:
    date = value_of(record, DATE)
    return not isinstance(date, str) or first <= date[: len(last)] <= last
