"""target-automate run as a user runs it, with records of its own, and what the DMS got of them."""

from __future__ import annotations

import contextlib
import itertools
import typing as t

from support.dealership import run
from support.singer import lines_of, schema, state
from target_automate.journal.file import read_journal
from target_automate.journal.intents import State
from target_automate.sinks.entities import ENTITIES
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.dealership import Dealership, Run
    from support.singer import Message
    from target_automate.journal.queries import JournalQueries

_names: t.Final = itertools.count(1)

CALLS: t.Final = {sink.object: f"{sink.method} {sink.path}" for sink in SINKS}
"""Object to its call, as the sandbox names it in its history and its counts."""
PATHS: t.Final = {name: CALLS[name] for name in ("customers", "deals", "service_appointments")}
"""The calls of which `Pushing` makes records by itself."""
IDS: t.Final = {entity.name: entity.id_field for entity in ENTITIES}
QUEUED: t.Final = 202
"""Status of a write that the DMS has put off; another entry follows once it is carried out."""


class Pushing:
    """A target with a journal of its own, and records whose keys no other test uses.

    Attributes:
        dealer: Where it pushes to.
        folder: Of its journal and configuration.
        name: Begins all keys.
    """

    def __init__(self, dealer: Dealership, folder: Path) -> None:
        self.dealer = dealer
        self.folder = folder
        self.name = f"t{next(_names)}"
        self._vins = [
            vehicle["vin"]
            for vehicle in dealer.records("vehicles")
            if vehicle["status"] == "in_stock"
        ]
        self._start = dealer.stats()["lastSeq"]

    @property
    def journal_path(self) -> Path:
        return self.folder / f"{self.name}.db"

    def config(self, **changes: t.Any) -> Path:  # noqa: ANN401 - settings
        """Write the target's configuration; None removes a setting."""
        values = {
            "journal_path": str(self.journal_path),
            "cooldown_seconds": 0,
            "overlap_seconds": None,
            "workers": 4,
        }
        return self.dealer.config(f"target-{self.name}", **values | changes)

    def push(self, *messages: Message | str, **settings: t.Any) -> Run:  # noqa: ANN401 - settings
        """Push messages, each stream announced before its first record."""
        config = self.config(**settings)
        return run("target-automate", "--config", config, stdin=self.lines(*messages))

    def lines(self, *messages: Message | str) -> str:
        """Write messages as lines, each stream announced before its first record."""
        return lines_of(_announced(messages))

    def key(self, number: int) -> str:
        return f"{self.name}-{number}"

    def customer(self, number: int = 1, **changes: t.Any) -> Message:  # noqa: ANN401 - fields
        """Make a record of a customer."""
        fields = {"externalId": self.key(number), "firstName": "Dana", "lastName": self.key(number)}
        return _record("customers", fields | changes)

    def deal(self, number: int = 1, **changes: t.Any) -> Message:  # noqa: ANN401 - fields
        """Make a record of a deal, with the customer of the same number."""
        fields = {
            "referenceId": self.key(number),
            "customerExternalId": self.key(number),
            "vehicle": {"vin": self.vin(number)},
            "pricing": {"salePrice": 20000 + number},
        }
        return _record("deals", fields | changes)

    def appointment(self, number: int = 1, **changes: t.Any) -> Message:  # noqa: ANN401 - fields
        """Make a record of an appointment, with the customer of the same number, without an id."""
        fields = {
            "customerExternalId": self.key(number),
            "vin": self.vin(number),
            "appointmentTime": f"2027-03-01T{8 + number % 10:02}:30:00-05:00",
        }
        return _record("service_appointments", fields | changes)

    @staticmethod
    def record(stream: str, **fields: t.Any) -> Message:  # noqa: ANN401 - fields
        """Make a record of any stream."""
        return _record(stream, fields)

    def vin(self, number: int = 1) -> str:
        return str(self._vins[number % len(self._vins)])

    def history(self) -> list[dict[str, t.Any]]:
        """List what the DMS has carried out since this began, writes and records, in order."""
        entries: list[dict[str, t.Any]] = []
        while page := self.dealer.control(f"history?since={self._start + len(entries)}"):
            entries += page
        return entries

    def written(self, object_name: str) -> list[dict[str, t.Any]]:
        """List the payloads of the writes that the DMS has carried out, in order."""
        return [
            entry["write"]["payload"]
            for entry in self.history()
            if entry["stream"] is None
            and entry["key"] == CALLS[object_name]
            and entry["write"]["status"] != QUEUED
        ]

    def posts(self, object_name: str) -> int:
        """Tell how many such requests the DMS has had in its life, refused ones included."""
        count: int = self.dealer.stats()["requests"].get(CALLS[object_name], 0)
        return count

    def records(self, object_name: str) -> list[dict[str, t.Any]]:
        """List the DMS's records that have changed since this began, as they are now."""
        keys = {entry["key"] for entry in self.history() if entry["stream"] == object_name}
        id_field = IDS[object_name]
        return [record for record in self.dealer.records(object_name) if record[id_field] in keys]

    @contextlib.contextmanager
    def journal(self, key: str | None = None) -> Iterator[JournalQueries]:
        with read_journal(self.journal_path, key=key) as journal:
            yield journal

    def states(self, object_name: str) -> list[str]:
        """List the states of the journal's writes, in order."""
        with self.journal() as journal:
            return [
                f"{kept.state}" + (f" {kept.cause}" if kept.cause else "")
                for kept in journal.having({*State}, object_name)
            ]

    def reasons(self, object_name: str) -> list[str]:
        """List the reasons that the journal gives, in order."""
        with self.journal() as journal:
            return [kept.reason or "" for kept in journal.having({*State}, object_name)]


def push(pushing: Pushing, *words: str | Path, stdin: str = "", **settings: t.Any) -> Run:  # noqa: ANN401 - settings
    """Run a command of `automate-dms push`; the first word may be several, `parked list`."""
    name, *rest = words
    parts = str(name).split()
    return run(
        "automate-dms", "push", *parts, "--config", pushing.config(**settings), *rest, stdin=stdin
    )


def journal_files(folder: Path) -> dict[str, bytes]:
    """Read the journals of a folder and whatever lies beside them."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if ".db" in path.name}


def checkpoints(*messages: Message) -> list[Message]:
    """Put a STATE after each message: the number of messages before it."""
    return [
        message
        for number, came in enumerate(messages, start=1)
        for message in (came, state({"records": number}))
    ]


def counts(done: Run, object_name: str) -> dict[str, int]:
    """Read a row of the table that a run ends with."""
    lines = done.err.splitlines()
    heads = next(_cells(line) for line in lines if "┃ object" in line)
    for line in lines:
        cells = _cells(line)
        if cells and cells[0] == object_name:
            numbers = (int(cell.replace(",", "")) for cell in cells[1:])
            return {head: n for head, n in zip(heads[1:], numbers, strict=True) if n}
    return {}


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.replace("┃", "│").split("│")[1:-1]]


def _record(stream: str, fields: dict[str, t.Any]) -> Message:
    given = {name: value for name, value in fields.items() if value is not None}
    return {"type": "RECORD", "stream": stream, "record": given}


def _announced(messages: tuple[Message | str, ...]) -> Iterator[Message | str]:
    known: set[str] = set()
    for message in messages:
        stream = message.get("stream") if isinstance(message, dict) else None
        if isinstance(message, dict) and message["type"] == "SCHEMA":
            known.add(message["stream"])
        elif stream and stream not in known:
            known.add(stream)
            yield schema(stream)
        yield message
