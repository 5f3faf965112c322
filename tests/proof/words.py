"""Judges what became of words: whether each is in the DMS, and none where it does not belong."""

from __future__ import annotations

import dataclasses
import itertools
import typing as t
from collections import Counter, defaultdict

from proof.dms import OURS
from proof.kinds import (
    CHANGES,
    INSPECTIONS,
    Key,
    Record,
    holds,
    owner_of,
    text_of,
    thing_of,
    word_of,
)
from proof.order import is_behind
from target_automate.journal.intents import OPEN, State

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from proof.dms import Dms, Version, Write
    from proof.fates import Fate
    from proof.stories import Fed

CLOCKS_APART: t.Final = 1.0
"""Seconds that the clocks of DMS and journal differ at most."""

SUPERSEDED: t.Final = "superseded"

Said: t.TypeAlias = tuple[Key, str]
"""A thing, and a word about it."""


@dataclasses.dataclass(slots=True)
class Words:
    """What became of the words of a feed.

    Attributes:
        taken: Words that the DMS has, or had before a later one.
        lost: Words that it never had, and of which the journal does not say why.
        stale: Things of which the DMS says something else than the last word, and nobody else has
            changed them since.
        rejected: Words that were refused, though nothing that the DMS holds speaks against them.
        superseded: Words that were refused since the DMS is further on, or holds what somebody else
            has said since.
        twice: Words that were carried out more than once in one go: under one key.
        overwritten: Words that replaced what somebody else had said after they came.
        misplaced: What was said of a thing of which nobody fed it.
        unproved: Words that the journal calls done and the DMS never had.
    """

    taken: set[Said] = dataclasses.field(default_factory=set)
    lost: list[Said] = dataclasses.field(default_factory=list)
    stale: list[Key] = dataclasses.field(default_factory=list)
    rejected: list[Said] = dataclasses.field(default_factory=list)
    superseded: list[Said] = dataclasses.field(default_factory=list)
    twice: list[Said] = dataclasses.field(default_factory=list)
    overwritten: list[Said] = dataclasses.field(default_factory=list)
    misplaced: list[Said] = dataclasses.field(default_factory=list)
    unproved: list[Said] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(slots=True)
class _Thing:
    """One thing that was to be changed.

    Attributes:
        words: What was said of it, by the text.
        newest: Text of the last word.
        wanted: What the words come to, one over the other.
        trails: Versions of the records that have its key; there should be one record at most.
        fates: What the journal says of each word.
    """

    stream: str
    words: dict[str, Record] = dataclasses.field(default_factory=dict)
    newest: str = ""
    wanted: Record = dataclasses.field(default_factory=dict)
    trails: list[Sequence[Version]] = dataclasses.field(default_factory=list)
    fates: dict[str, list[Fate]] = dataclasses.field(default_factory=lambda: defaultdict(list))

    def has_had(self, word: Record) -> bool:
        """Tell whether a version of its record says a word."""
        return any(
            holds(self.stream, version.record, word) for trail in self.trails for version in trail
        )

    def states(self, word: str) -> set[State]:
        """List the states of the journal's rows of a word."""
        return {fate.state for fate in self.fates[word]}


def judge_words(fed: Iterable[Fed], dms: Dms, fates: Iterable[Fate]) -> Words:
    """Compare what was said with what the DMS has taken.

    Args:
        fed: Every record that the input held.
        dms: Its history, from before the first was sent.
        fates: Of the journal.
    """
    things = _gather(fed, dms, fates)
    requests: dict[str, set[str]] = defaultdict(set)
    for write in dms.writes:
        requests[write.stream].add(write.request_id)
    found = Words()
    for key, thing in things.items():
        _judge_thing(found, key, thing)
        if _is_stale(thing, requests[thing.stream]):
            found.stale.append(key)
    _judge_writes(found, things, dms)
    return found


def _gather(fed: Iterable[Fed], dms: Dms, fates: Iterable[Fate]) -> dict[Key, _Thing]:
    records: dict[Key, list[Sequence[Version]]] = defaultdict(list)
    for (stream, record_id), trail in dms.trails.items():
        records[stream, dms.named(stream, record_id) or ""].append(trail)
    things: dict[Key, _Thing] = {}
    for stream, record in fed:
        if stream in CHANGES:
            thing = things.setdefault(thing_of(stream, record), _Thing(stream))
            word = word_of(stream, record)
            thing.newest = text_of(word)
            thing.words[thing.newest] = word
            thing.wanted |= word
            thing.trails = records[owner_of(stream, record)]
    for fate in fates:
        if fate.thing in things:
            things[fate.thing].fates[fate.word].append(fate)
    return things


def _judge_thing(found: Words, key: Key, thing: _Thing) -> None:
    for text, word in thing.words.items():
        states = thing.states(text)
        # What was refused is no more to be said once a later word has come.
        given_way = text != thing.newest
        if thing.has_had(word):
            found.taken.add((key, text))
        elif State.ACKED in states:
            found.unproved.append((key, text))
        elif State.REJECTED in states and _is_ahead(thing, text, word):
            found.superseded.append((key, text))
        elif State.REJECTED in states:
            found.rejected.append((key, text))
        elif not states & {*OPEN, State.PARKED} and not (given_way and State.DROPPED in states):
            found.lost.append((key, text))


def _is_ahead(thing: _Thing, text: str, word: Record) -> bool:
    """Tell whether the DMS has been further on than a word that was refused for that."""
    if any(fate.cause != SUPERSEDED for fate in thing.fates[text] if fate.state is State.REJECTED):
        return False
    entity, wanted = CHANGES[thing.stream].of, word.get("status")
    return any(
        is_behind(entity, wanted, version.record.get("status"))
        for trail in thing.trails
        for version in trail
    ) or any(next(_foreign(trail, thing.stream), None) for trail in thing.trails)


def _is_stale(thing: _Thing, ours: set[str]) -> bool:
    """Tell whether a record ends with something else than its last word, by our own doing.

    Where a word was refused or is not there, nobody knows what it should end with.

    Args:
        thing: That was to be changed.
        ours: Requests of its stream.
    """
    taken = {State.ACKED, State.DROPPED}
    if not all(thing.states(text) & taken and thing.has_had(w) for text, w in thing.words.items()):
        return False
    for trail in thing.trails:
        changed = [new for old, new in _steps(trail) if _differ(old, new, thing.stream)]
        by_us = bool(changed) and changed[-1].request_id in ours
        if by_us and not holds(thing.stream, trail[-1].record, _due(thing, trail[-1])):
            return True
    return False


def _due(thing: _Thing, now: Version) -> Record:
    """Tell what a record should say; a step that it has left behind is not taken again."""
    status = thing.wanted.get("status")
    left = is_behind(CHANGES[thing.stream].of, status, now.record.get("status"))
    return {name: value for name, value in thing.wanted.items() if name != "status" or not left}


def _judge_writes(found: Words, things: dict[Key, _Thing], dms: Dms) -> None:
    """Judge what was carried out: was it fed, once, and on top of what was seen."""
    times: Counter[tuple[Said, str]] = Counter()
    for write in dms.writes:
        owner = dms.named(CHANGES[write.stream].of, write.record_id)
        said = _key_of(write, owner), text_of(write.word)
        thing = things.get(said[0])
        if thing is None or said[1] not in thing.words:
            found.misplaced.append(said)
            continue
        if write.idempotency_key is not None:
            times[said, write.idempotency_key] += 1
        if _has_overwritten(write, thing.fates[said[1]], dms):
            found.overwritten.append(said)
    found.twice += [said for (said, _), count in times.items() for _ in range(count - 1)]


def _key_of(write: Write, owner: str | None) -> Key:
    change = CHANGES[write.stream]
    return thing_of(write.stream, {**write.word, change.own: owner or write.record_id})


def _has_overwritten(write: Write, fates: list[Fate], dms: Dms) -> bool:
    """Tell whether somebody else's word came between a word and its write.

    What the record held when the word came is what it was to replace. What came later is newer.
    """
    came = [fate.came for fate in fates if fate.came - CLOCKS_APART <= write.at]
    if not came:
        return False
    trail = dms.trails[CHANGES[write.stream].of, write.record_id]
    return any(
        other.seq < write.seq and other.at > max(came) + CLOCKS_APART
        for other in _foreign(trail, write.stream)
    )


def _foreign(trail: Sequence[Version], stream: str) -> Iterator[Version]:
    """List the versions in which somebody else has changed what a stream changes."""
    for old, new in _steps(trail):
        if new.cause != OURS and _differ(old, new, stream):
            yield new


def _steps(trail: Sequence[Version]) -> Iterator[tuple[Version, Version]]:
    return itertools.pairwise(trail)


def _differ(old: Version, new: Version, stream: str) -> bool:
    names = ("lines",) if stream == INSPECTIONS else CHANGES[stream].fields
    return any(old.record.get(name) != new.record.get(name) for name in names)
