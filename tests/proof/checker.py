"""Judges what became of what was fed, by the DMS's own history and the journal alone.

Nothing of the target's reasoning is used: records are matched by the keys that their writer gave
them, in the payloads that the DMS accepted.
"""

from __future__ import annotations

import dataclasses
import typing as t
from collections import defaultdict

from proof.dms import Dms
from proof.fates import read_fates
from proof.kinds import APPOINTMENTS, CUSTOMERS, FILES, MADE, Key, Record, says, thing_of
from proof.order import backwards, misordered
from proof.words import Said, judge_words
from target_automate.journal.intents import OPEN, State

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from proof.stories import Fed

UNSETTLED: t.Final = frozenset({State.PLANNED, State.SENT, State.UNKNOWN})
"""States of the journal that no STATE may pass, until it waits for a parent to the end of a run."""

LEFT: t.Final = OPEN | {State.PARKED, State.REJECTED}
"""States of what need not be in the DMS: the journal says so, and nothing is lost."""

ALIASES: t.Final = frozenset({"customerExternalId", "appointmentExternalId"})
"""Fields that stand for an id of the DMS, and are not sent."""

FILE_FIELDS: t.Final = frozenset({"fileName", "contentType"})


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What became of what was fed; all but the first three should be empty.

    Attributes:
        created: Things that the DMS has.
        changed: Words that the DMS has, or had before a later one.
        parked: Things whose outcome the journal leaves to a person.
        superseded: Words that were refused since the DMS was further on already.
        lost: Things and words that the DMS does not have, and which are neither parked nor
            rejected nor open.
        duplicated: Things that the DMS has more than once, a key for each one too many; words that
            were carried out more than once under one key.
        rejected: Things and words that the DMS does not have since they were rejected; not those
            that are rejected until an earlier write of theirs, which is parked, is settled.
        stale: Things of which it says something else than the last record, or for what cannot be
            changed than the first.
        misplaced: Things at another customer or appointment than their record names; words about a
            record of which nobody fed them.
        unproved: Writes that the journal calls done, of which the DMS knows nothing.
        unfed: Things in the DMS that nobody fed.
        backwards: Records whose status went back by a write.
        overwritten: Words that replaced what somebody else had said after they came.
        misordered: Things that came to the DMS before something of the same record that was fed
            earlier.
        open: Writes that the journal has not brought to an end.
    """

    created: frozenset[Key]
    changed: frozenset[Said]
    parked: frozenset[Key]
    superseded: list[Said]
    lost: list[Key | Said]
    duplicated: list[Key | Said]
    rejected: list[Key | Said]
    stale: list[Key]
    misplaced: list[Key | Said]
    unproved: list[Key | Said]
    unfed: list[Key]
    backwards: list[Key]
    overwritten: list[Said]
    misordered: list[Key]
    open: list[Key]

    @property
    def faults(self) -> dict[str, list[Key | Said]]:
        """What must not be, whatever the server does with keys, by its name."""
        names = (
            *("lost", "duplicated", "stale", "misplaced", "unproved", "unfed"),
            *("backwards", "overwritten", "misordered"),
        )
        return {name: found for name in names if (found := getattr(self, name))}


def judge(fed: Iterable[Fed], history: Iterable[Mapping[str, t.Any]], journal: Path) -> Verdict:
    """Compare what was fed with what the DMS has and what the journal says.

    Args:
        fed: Every record that the input held.
        history: Of the sandbox, from before the first was sent.
        journal: The target's, closed or in use.
    """
    fed = list(fed)
    dms = Dms()
    dms.read(history)
    wanted = _wanted(fed)
    fates = read_fates(journal)
    words = judge_words(fed, dms, fates)
    having: dict[State, set[Key]] = defaultdict(set)
    for fate in fates:
        having[fate.state].add(fate.thing)
    parked, rejected = having[State.PARKED], having[State.REJECTED]
    known = {thing for state, things in having.items() if state in LEFT for thing in things}
    missing = [thing for thing in wanted if thing not in dms.ids]
    again = [thing for thing, ids in dms.ids.items() for _ in range(len(ids) - 1)]
    return Verdict(
        created=frozenset(thing for thing in wanted if thing in dms.ids),
        changed=frozenset(words.taken),
        parked=frozenset(parked),
        superseded=words.superseded,
        lost=[*(thing for thing in missing if thing not in known), *words.lost],
        duplicated=[*again, *words.twice],
        rejected=[*(thing for thing in missing if thing in rejected - parked), *words.rejected],
        stale=[
            *(thing for thing, record in wanted.items() if _is_stale(dms, thing, record)),
            *words.stale,
        ],
        misplaced=[
            *(thing for thing, record in wanted.items() if _is_misplaced(dms, thing, record)),
            *words.misplaced,
        ],
        unproved=[
            *(
                fate.thing
                for fate in fates
                if fate.state is State.ACKED
                and fate.thing[0] in MADE
                and dms.keys.get((fate.thing[0], fate.dms_id or "")) != fate.thing
            ),
            *words.unproved,
        ],
        unfed=[thing for thing in dms.ids if thing not in wanted],
        backwards=list(backwards(dms)),
        overwritten=words.overwritten,
        misordered=list(misordered(fed, dms)),
        open=[fate.thing for fate in fates if fate.state in OPEN],
    )


def unsettled(fed: Iterable[Fed], journal: Path, passed: Collection[int] = ()) -> list[Key]:
    """List the things whose records a STATE must not stand for yet.

    Args:
        fed: The records that it stands for.
        journal: As it is on the disk.
        passed: Ids of writes that a STATE may have passed before, while they waited for an approval
            of the DMS, and which are tried again.
    """
    contents: dict[Key, list[Record]] = defaultdict(list)
    for stream, record in fed:
        said = contents[thing_of(stream, record)]
        if not said or said[-1] != record:
            said.append(record)
    states: dict[Key, list[tuple[int, State | None]]] = defaultdict(list)
    for fate in read_fates(journal):
        state = None if fate.id in passed else fate.state
        states[fate.thing].append((fate.sequence, state))
    return [
        thing
        for thing, said in contents.items()
        if len(states[thing]) < len(said)
        or any(state in UNSETTLED for _, state in sorted(states[thing])[: len(said)])
    ]


def _wanted(fed: Iterable[Fed]) -> dict[Key, Record]:
    """Tell what should be there: the last word about a customer, the first about all else."""
    wanted: dict[Key, Record] = {}
    for stream, record in fed:
        if stream not in MADE:
            continue
        thing = thing_of(stream, record)
        if stream == CUSTOMERS or thing not in wanted:
            wanted[thing] = record
    return wanted


def _is_stale(dms: Dms, thing: Key, record: Record) -> bool:
    stream = thing[0]
    said = dms.last if stream == CUSTOMERS else dms.first
    names = FILE_FIELDS if stream == FILES else record.keys() - ALIASES
    own = {name: record[name] for name in names if name in record}
    return not all(says(said[stream, dms_id], own) for dms_id in dms.ids.get(thing, ()))


def _is_misplaced(dms: Dms, thing: Key, record: Record) -> bool:
    """Tell whether a child is another customer's, or an order another appointment's."""
    children = [dms.last[thing[0], dms_id] for dms_id in dms.ids.get(thing, ())]
    customer, appointment = map(record.get, ("customerExternalId", "appointmentExternalId"))
    if customer and any(dms.external.get(child["customerId"]) != customer for child in children):
        return True
    booked = dms.ids.get((APPOINTMENTS, str(appointment)), set())
    return bool(appointment) and any(child["appointmentId"] not in booked for child in children)
