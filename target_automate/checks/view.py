"""A record as a change sees it: what the DMS holds beside what is wanted of it."""

from __future__ import annotations

import dataclasses
import typing as t

from target_automate.checks.comparing import (
    STATUS,
    UPDATED,
    in_time,
    lasting,
    part_of,
    picked,
    says,
    told,
    wanted_of,
)
from target_automate.sending.steps import body_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.checks.lookup import Record
    from target_automate.journal.intents import Intent
    from target_automate.sinks.declarations import Change, SinkDeclaration


_LONGEST_CODE: t.Final = 12
_MOST_CODES: t.Final = 26
"""Of the lines of a record, for a person."""


@dataclasses.dataclass(frozen=True, slots=True)
class View:
    """A change and the record that it is about.

    Attributes:
        intent: The change.
        sink: Of the intent.
        record: As the DMS has it.
        body: What would be sent.
        wanted: What of that the record is to hold afterwards.
        there: The part of the record that the body is about; empty where it has no such part.
    """

    intent: Intent
    sink: SinkDeclaration
    record: Record
    body: Mapping[str, t.Any]
    wanted: Mapping[str, t.Any]
    there: Mapping[str, t.Any]

    @classmethod
    def of(cls, intent: Intent, sink: SinkDeclaration, dms_id: str, record: Record) -> View:
        """Hold a change against a record."""
        body = body_of(intent, sink, dms_id)
        return cls(intent, sink, record, body, wanted_of(sink, body), part_of(sink, record, body))

    @property
    def change(self) -> Change:
        """How the sink changes what is there."""
        return t.cast("Change", self.sink.change)

    @property
    def guard(self) -> Mapping[str, t.Any]:
        """What the DMS held when the change was sent; empty before."""
        return self.intent.guard or {}

    @property
    def status(self) -> object:
        """The record's status."""
        return self.record.get(STATUS)

    @property
    def updated(self) -> str | None:
        """The record's `updatedAt`."""
        held = self.record.get(UPDATED)
        return held if isinstance(held, str) else None

    @property
    def says_so(self) -> bool:
        """Whether the record holds what is wanted."""
        return says(self.there, self.wanted)

    @property
    def told(self) -> str:
        """What the record holds instead, for a person."""
        return told(self.there, self.wanted, self.record)

    @property
    def lines(self) -> str:
        """What people call the lines of the record, for a person."""
        line = self.change.line
        items = self.record.get(line.array) if line else None
        codes = [
            str(item.get(line.alias))[:_LONGEST_CODE]
            for item in (items if isinstance(items, list) else ())
            if line and isinstance(item, dict)
        ]
        return ", ".join(codes[:_MOST_CODES]) or "none"

    @property
    def is_backwards(self) -> bool:
        """Whether the wanted status lies behind the record's."""
        machine = self.change.machine
        if machine is None or STATUS not in self.wanted:
            return False
        return machine.is_backwards(self.status, self.wanted[STATUS])

    @property
    def is_aside(self) -> bool:
        """Whether others have set a status that may come before or after the one that was sent."""
        machine = self.change.machine
        has_moved = self.status != self.guard.get(STATUS)
        if machine is None or STATUS not in self.wanted or not has_moved:
            return False
        return machine.is_beside(self.status, self.wanted[STATUS])

    @property
    def is_older(self) -> bool:
        """Whether the record lies behind what was read before the change was sent."""
        seen = self.guard.get(UPDATED)
        # The guard may also be what the payload says, which nobody has read.
        if self.updated is None or not isinstance(seen, str) or seen == self.given_version:
            return False
        return in_time(self.updated) < in_time(seen)

    @property
    def given_version(self) -> str | None:
        """The `updatedAt` that the payload says the record was thought to have."""
        return self.body.get(self.change.version) if self.change.version else None

    @property
    def version(self) -> str | None:
        """The `updatedAt` to guard by: the record's, where it is not older than the given one."""
        given, held = self.given_version, self.updated
        if held is None:
            return given
        return given if given is not None and in_time(given) > in_time(held) else held

    @property
    def held(self) -> Mapping[str, t.Any]:
        """What the record holds of the fields to be changed, but for the status."""
        found = {n: v for n, v in picked(self.there, self.wanted).items() if n != STATUS}
        return t.cast("Mapping[str, t.Any]", lasting(found))
