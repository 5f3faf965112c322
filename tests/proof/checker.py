"""Judges what became of what was fed, by the DMS's own history and the journal alone.

Nothing of the target's reasoning is used: records are matched by the keys that their writer gave
them, in the payloads that the DMS accepted. The key of an appointment without an id of its own is
its customer, vehicle and instant.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import typing as t
from collections import defaultdict

from target_automate.journal_file import read_journal

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from proof.feed import Fed, Record

Key: t.TypeAlias = tuple[str, str]
"""Stream and business key."""

CUSTOMERS: t.Final = "customers"
STREAM_OF: t.Final = {
    "POST /customers": CUSTOMERS,
    "POST /deals": "deals",
    "POST /service/appointments": "service_appointments",
}
UNSETTLED: t.Final = frozenset({"PLANNED", "SENT", "UNKNOWN"})
"""States of the journal that no STATE may pass, until it waits for a parent to the end of a run."""
ID_OF: t.Final = {
    CUSTOMERS: "customerId",
    "deals": "dealId",
    "service_appointments": "appointmentId",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    """What became of what was fed; all but the first two should be empty.

    Attributes:
        created: Things that the DMS has.
        parked: Things whose outcome the journal leaves to a person.
        lost: Things that the DMS does not have, and which are neither parked nor rejected.
        duplicated: Things that the DMS has more than once, a key for each one too many.
        rejected: Things that the DMS does not have since they were rejected; not those that are
            rejected until an earlier write of theirs, which is parked, is settled.
        stale: Things of which it says something else than the last record, or for deals and
            appointments than the first.
        misplaced: Children of another customer than their record names.
        unproved: Writes that the journal calls done, of which the DMS knows nothing.
        unfed: Things in the DMS that nobody fed.
        open: Writes that the journal has not brought to an end.
    """

    created: frozenset[Key]
    parked: frozenset[Key]
    lost: list[Key]
    duplicated: list[Key]
    rejected: list[Key]
    stale: list[Key]
    misplaced: list[Key]
    unproved: list[Key]
    unfed: list[Key]
    open: list[Key]

    @property
    def faults(self) -> dict[str, list[Key]]:
        """What must not be, whatever the server does with keys, by its name."""
        names = ("lost", "duplicated", "stale", "misplaced", "unproved", "unfed")
        return {name: found for name in names if (found := getattr(self, name))}


@dataclasses.dataclass(slots=True)
class Dms:
    """What the history says.

    Attributes:
        ids: Thing to the ids that the DMS gave it.
        keys: Stream and id to the thing.
        first: Stream and id to the payload that made it.
        last: Stream and id to the record as it is now.
        external: Id of a customer to the writer's own.
    """

    ids: dict[Key, set[str]] = dataclasses.field(default_factory=lambda: defaultdict(set))
    keys: dict[Key, Key] = dataclasses.field(default_factory=dict)
    first: dict[Key, Record] = dataclasses.field(default_factory=dict)
    last: dict[Key, Record] = dataclasses.field(default_factory=dict)
    external: dict[str, str] = dataclasses.field(default_factory=dict)

    def read(self, history: Iterable[Mapping[str, t.Any]]) -> None:
        """Take entries of the history, in their order."""
        for entry in history:
            if entry["cause"] != "api":
                continue
            if entry["stream"] is not None:
                self.last[entry["stream"], entry["key"]] = entry["record"]
            elif (stream := STREAM_OF.get(entry["key"])) is not None:
                self._accept(stream, entry["write"])

    def _accept(self, stream: str, write: Mapping[str, t.Any]) -> None:
        dms_id = (write.get("answer") or {}).get(ID_OF[stream])
        if dms_id is None:
            return  # queued, or refused at the end of its queue
        payload = dict(write["payload"])
        if stream == CUSTOMERS:
            self.external[dms_id] = payload["externalId"]
        thing = stream, key_of(stream, payload, self.external)
        self.ids[thing].add(dms_id)
        self.keys[stream, dms_id] = thing
        self.first.setdefault((stream, dms_id), payload)


@dataclasses.dataclass(slots=True)
class _Journal:
    parked: set[Key]
    rejected: set[Key]
    open: list[Key]
    acked: list[tuple[Key, str]]


def judge(fed: Iterable[Fed], history: Iterable[Mapping[str, t.Any]], journal: Path) -> Verdict:
    """Compare what was fed with what the DMS has and what the journal says.

    Args:
        fed: Every record that the input held.
        history: Of the sandbox, from before the first was sent.
        journal: The target's, closed or in use.
    """
    dms = Dms()
    dms.read(history)
    wanted = _wanted(fed)
    kept = _read_journal(journal)
    missing = [thing for thing in wanted if thing not in dms.ids]
    return Verdict(
        created=frozenset(thing for thing in wanted if thing in dms.ids),
        parked=frozenset(kept.parked),
        lost=[thing for thing in missing if thing not in kept.parked | kept.rejected],
        duplicated=[thing for thing, ids in dms.ids.items() for _ in range(len(ids) - 1)],
        rejected=[thing for thing in missing if thing in kept.rejected - kept.parked],
        stale=[thing for thing, record in wanted.items() if _is_stale(dms, thing, record)],
        misplaced=[thing for thing, record in wanted.items() if _is_misplaced(dms, thing, record)],
        unproved=[
            thing for thing, dms_id in kept.acked if dms.keys.get((thing[0], dms_id)) != thing
        ],
        unfed=[thing for thing in dms.ids if thing not in wanted],
        open=kept.open,
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
        said = contents[stream, key_of(stream, record, {})]
        if not said or said[-1] != record:
            said.append(record)
    states: dict[Key, list[tuple[int, str]]] = defaultdict(list)
    with read_journal(journal) as reader:
        for row in reader.rows():
            thing = row["object"], row["business_key"]
            state = "passed" if row["id"] in passed else row["state"]
            states[thing].append((row["sequence"], state))
    return [
        thing
        for thing, said in contents.items()
        if len(states[thing]) < len(said)
        or any(state in UNSETTLED for _, state in sorted(states[thing])[: len(said)])
    ]


def key_of(stream: str, record: Mapping[str, t.Any], external: Mapping[str, str]) -> str:
    """Name what a record is about, in the words that the journal uses.

    Args:
        stream: Of the record.
        record: As it was fed, or as the DMS got it.
        external: Id of a customer in the DMS to the writer's own.
    """
    own = record.get("referenceId" if stream == "deals" else "externalId")
    if own is not None:
        return str(own)
    customer = record.get("customerExternalId") or external.get(record["customerId"])
    named = f"customerExternalId:{customer}" if customer else f"customerId:{record['customerId']}"
    instant = dt.datetime.fromisoformat(record["appointmentTime"]).astimezone(dt.UTC)
    return f"{named} | {record['vin']} | {instant:%Y-%m-%dT%H:%M:%S}.{instant:%f}"[:-3] + "Z"


def _wanted(fed: Iterable[Fed]) -> dict[Key, Record]:
    """Tell what the DMS should say: the last word about a customer, the first about all else."""
    wanted: dict[Key, Record] = {}
    for stream, record in fed:
        thing = stream, key_of(stream, record, {})
        if stream == CUSTOMERS or thing not in wanted:
            wanted[thing] = record
    return wanted


def _read_journal(path: Path) -> _Journal:
    kept = _Journal(set(), set(), [], [])
    with read_journal(path) as journal:
        for row in journal.rows():
            thing = row["object"], row["business_key"]
            match row["state"]:
                case "PARKED":
                    kept.parked.add(thing)
                case "REJECTED":
                    kept.rejected.add(thing)
                case "ACKED":
                    kept.acked.append((thing, row["dms_id"]))
                case "DROPPED":
                    pass
                case _:
                    kept.open.append(thing)
    return kept


def _is_stale(dms: Dms, thing: Key, record: Record) -> bool:
    stream = thing[0]
    said = dms.last if stream == CUSTOMERS else dms.first
    own = {name: value for name, value in record.items() if name != "customerExternalId"}
    return not all(_says(said[stream, dms_id], own) for dms_id in dms.ids.get(thing, ()))


def _is_misplaced(dms: Dms, thing: Key, record: Record) -> bool:
    wanted = record.get("customerExternalId")
    children = [dms.last[thing[0], dms_id] for dms_id in dms.ids.get(thing, ())]
    return wanted is not None and any(
        dms.external.get(child["customerId"]) != wanted for child in children
    )


def _says(record: object, wanted: object) -> bool:
    if isinstance(wanted, dict):
        return isinstance(record, dict) and all(
            name in record and _says(record[name], value) for name, value in wanted.items()
        )
    return record == wanted
