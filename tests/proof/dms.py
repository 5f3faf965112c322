"""What the DMS's own history says: what was made, what was changed, by whom, in which order."""

from __future__ import annotations

import dataclasses
import typing as t
from collections import defaultdict

from proof.kinds import (
    CHANGES,
    CUSTOMERS,
    FILES,
    INSPECTIONS,
    MADE,
    OWN_KEY,
    OWNERS,
    Key,
    Record,
    file_of,
    key_of,
    word_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STREAM_OF: t.Final = {made.call: stream for stream, made in MADE.items()}
CHANGE_OF: t.Final = {change.call: stream for stream, change in CHANGES.items()}

OURS: t.Final = "api"
"""The cause of what came through the API."""
QUEUED: t.Final = 202


def _watched() -> dict[str, frozenset[str]]:
    fields: dict[str, set[str]] = defaultdict(lambda: {"status", "updatedAt"})
    for change in CHANGES.values():
        fields[change.of].update(change.fields)
    return {stream: frozenset(names | {"lines"}) for stream, names in fields.items()}


WATCHED: t.Final = _watched()
"""Stream to the fields of its records that are kept of each version."""


class Version(t.NamedTuple):
    """A record as it was from then on.

    Attributes:
        seq: Its place in the history.
        at: When it was made, seconds since 1970.
        cause: `world`, `live`, `api` or `control`.
        request_id: Of the request behind it.
        record: Its fields that are watched.
    """

    seq: int
    at: float
    cause: str
    request_id: str | None
    record: Record


class Write(t.NamedTuple):
    """A change that the DMS has carried out.

    Attributes:
        seq: Its place in the history.
        at: When it was carried out, seconds since 1970.
        stream: That it comes from.
        record_id: Of the record that it changed.
        word: What it says.
        idempotency_key: That it came with.
        request_id: Of its request.
    """

    seq: int
    at: float
    stream: str
    record_id: str
    word: Record
    idempotency_key: str | None
    request_id: str


@dataclasses.dataclass(slots=True)
class Dms:
    """What the history says.

    Attributes:
        ids: Thing to the ids that the DMS gave it.
        keys: Stream and id to the thing.
        first: Stream and id to the payload that made it.
        last: Stream and id to the record as it is now.
        made_at: Stream and id to the place in the history at which it was made.
        external: Id of a customer to the writer's own.
        trails: Stream and id to the versions of a record that can be changed.
        writes: The changes that were carried out, in their order.
    """

    ids: dict[Key, set[str]] = dataclasses.field(default_factory=lambda: defaultdict(set))
    keys: dict[Key, Key] = dataclasses.field(default_factory=dict)
    first: dict[Key, Record] = dataclasses.field(default_factory=dict)
    last: dict[Key, Record] = dataclasses.field(default_factory=dict)
    made_at: dict[Key, int] = dataclasses.field(default_factory=dict)
    external: dict[str, str] = dataclasses.field(default_factory=dict)
    trails: dict[Key, list[Version]] = dataclasses.field(default_factory=lambda: defaultdict(list))
    writes: list[Write] = dataclasses.field(default_factory=list)

    def read(self, history: Iterable[Mapping[str, t.Any]]) -> None:
        """Take entries of the history, in their order."""
        for entry in history:
            stream, key = entry["stream"], entry["key"]
            if stream is not None:
                self._take_version(stream, key, entry)
            elif entry["cause"] == OURS:
                self._take_write(key, entry)

    def named(self, stream: str, record_id: str) -> str | None:
        """Give the key that its writer gave a record; of a vehicle its VIN."""
        if stream in MADE:
            thing = self.keys.get((stream, record_id))
            return thing and thing[1]
        trail = self.trails.get((stream, record_id))
        return trail[0].record[OWN_KEY[stream]] if trail else None

    def _take_version(self, stream: str, key: str, entry: Mapping[str, t.Any]) -> None:
        record = entry["record"]
        if record is None:
            return
        if entry["cause"] == OURS:
            self.last[stream, key] = record
        if stream in WATCHED:
            wanted = WATCHED[stream] | {OWN_KEY[stream]}
            kept = {name: record[name] for name in wanted & record.keys()}
            if "lines" in kept:
                names = CHANGES[INSPECTIONS].fields
                kept["lines"] = [{name: line[name] for name in names} for line in kept["lines"]]
            at = entry["at"] / 1000
            version = Version(entry["seq"], at, entry["cause"], entry["requestId"], kept)
            self.trails[stream, key].append(version)

    def _take_write(self, call: str, entry: Mapping[str, t.Any]) -> None:
        write = entry["write"]
        if write["status"] == QUEUED or "error" in write:
            return  # what becomes of it is another entry's; or nothing has
        if (stream := STREAM_OF.get(call)) is not None:
            self._take_made(stream, write, entry["seq"])
        elif (stream := CHANGE_OF.get(call)) is not None:
            self.writes.append(
                Write(
                    entry["seq"],
                    entry["at"] / 1000,
                    stream,
                    write["id"],
                    word_of(stream, write["payload"]),
                    write.get("idempotencyKey"),
                    entry["requestId"],
                )
            )

    def _take_made(self, stream: str, write: Mapping[str, t.Any], seq: int) -> None:
        dms_id = write["answer"][MADE[stream].id_field]
        payload = dict(write["answer"] if stream == FILES else write["payload"])
        if stream == CUSTOMERS:
            self.external[dms_id] = payload["externalId"]
        if stream == FILES:
            of, _ = OWNERS[payload["entityType"]]
            owner = of, self.named(of, payload["entityId"]) or payload["entityId"]
            thing = file_of(owner, payload["sha256"])
        else:
            thing = stream, key_of(stream, payload, self.external)
        self.ids[thing].add(dms_id)
        self.keys[stream, dms_id] = thing
        self.first.setdefault((stream, dms_id), payload)
        self.made_at.setdefault((stream, dms_id), seq)
