"""What a sink is: the words in which the table of sinks is written.

A declaration names an object and its call. Where the call is sent, who may make it and what it
takes are read from the contract, so that nothing is written twice.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from automate_api import contract

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.contract import Write
    from target_automate.sinks.entities import Entity
    from target_automate.sinks.statuses import Machine

Operation: t.TypeAlias = t.Literal["upsert", "create", "update", "upload"]

ABOUT: t.Final = "@"
"""Stands in a key for whichever field names what the record refers to."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A field that names another record by the DMS's id, and the field that may stand in for it.

    Attributes:
        alias: Holds the writer's own id instead; it is never sent. Where a record has both, the id
            counts.
        entity: What is referred to.
        beside: Fields that the call needs beside it.
        shares_lane: Whether writes go one after the other with those of what they refer to.
    """

    alias: str
    entity: Entity
    beside: tuple[str, ...] = ()
    shares_lane: bool = False

    @property
    def field(self) -> str:
        """Holds the DMS's id, and is what the call takes, in its path or its body."""
        return self.entity.id_field

    def is_in(self, body: Mapping[str, t.Any]) -> bool:
        """Tell whether a payload refers by it."""
        return self.field in body or self.alias in body

    def name_in(self, body: Mapping[str, t.Any]) -> str:
        """Give the field by which a payload refers."""
        return self.field if self.field in body else self.alias


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LookupRule:
    """How a record that may have been written is found by the API's list.

    Attributes:
        query: Query parameter to the payload's field that it is filled from.
        equal: Fields that a found record and the payload must both have, and with the same content.
        equal_if_echoed: Fields that must be the same where both have them: the DMS may leave them
            out.
    """

    query: Mapping[str, str]
    equal: tuple[str, ...]
    equal_if_echoed: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One item of an array in a record.

    Attributes:
        array: The record's field.
        field: Holds the DMS's id of an item, in it and in the call.
        alias: Holds what people call the item, in it; a payload may name it so instead.
    """

    array: str
    field: str
    alias: str

    def name_in(self, body: Mapping[str, t.Any]) -> str:
        """Give the field by which a payload names the item."""
        return self.field if self.field in body else self.alias


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How a record that is there is changed without undoing what others did.

    Attributes:
        machine: The order of its statuses, where the call may set one.
        expected: The call's field for the status that the record is thought to have.
        version: The call's field for the `updatedAt` that it is thought to have.
        said: Fields that are sent along and that no field of the record holds.
        line: Where one item of an array is what the call changes.
    """

    machine: Machine | None = None
    expected: str | None = None
    version: str | None = None
    said: frozenset[str] = frozenset()
    line: Line | None = None

    @property
    def guards(self) -> frozenset[str]:
        """Fields that say what the record is thought to hold; a payload need not have them."""
        return frozenset(name for name in (self.expected, self.version) if name is not None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SinkDeclaration:
    """A sink.

    Attributes:
        object: What it writes, in the plural; also its stream's name.
        title: The same for a person: "Deal status".
        aliases: Further names of streams that it takes.
        rank: Its place in the order of writing; what others refer to goes first.
        operation_id: The contract's call.
        operation: `upsert` changes what is there or makes it, `create` makes a new one each time,
            `update` changes what is there, `upload` sends a file.
        entity: What the call makes or changes; its id is in the answer. A record that carries the
            id is not new, and no create takes it.
        number_field: The number that people use, in the answer.
        business_key: The fields that identify a record to its writer; `ABOUT` for its reference.
        natural_key: The fields that identify it where the business key is not given. With none, the
            business key is required.
        references: What its records may refer to; the first that a record names counts.
        unknown: What becomes of a record that may have been written, is not found and whose key the
            server does not honour: `resend` where a second time does no harm, else `park` it for a
            person.
        lookup: How it is found; None where it is read by its id.
        change: How it changes what is there; None where it makes something new.
        local: Fields that are about this machine: never sent, and no part of what a record says.
    """

    object: str
    title: str
    aliases: tuple[str, ...] = ()
    rank: int
    operation_id: str
    operation: Operation
    entity: Entity
    number_field: str | None = None
    business_key: tuple[str, ...]
    natural_key: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    unknown: t.Literal["resend", "park"]
    lookup: LookupRule | None = None
    change: Change | None = None
    local: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """Where it is sent: as in the contract, from the slash on; `{id}` is what it refers to."""
        return self._write.path

    @property
    def method(self) -> str:
        """The HTTP method, in capitals."""
        return self._write.method

    @property
    def entitlements(self) -> frozenset[str]:
        """Any one of them is enough to write."""
        return self._write.entitlements

    @property
    def id_field(self) -> str:
        """The DMS's id in the answer."""
        return self.entity.id_field

    @property
    def founds(self) -> bool:
        """Whether what it writes may be referred to by later records."""
        return self.operation in {"upsert", "create"}

    @property
    def makes_once(self) -> bool:
        """Whether a second time would make a second one."""
        return self.operation in {"create", "upload"}

    @property
    def is_step(self) -> bool:
        """Whether its records are steps, each of which counts, and not the last word alone."""
        return self.change is not None and self.change.machine is not None

    def reference_in(self, body: Mapping[str, t.Any]) -> Reference | None:
        """Give the reference that a payload names; None when it names none."""
        return next((found for found in self.references if found.is_in(body)), None)

    def number_in(self, record: Mapping[str, t.Any]) -> str | None:
        """Give the number by which people call a record; None where it has none."""
        number = record.get(self.number_field) if self.number_field else None
        return None if number is None else str(number)

    @property
    def _write(self) -> Write:
        return _call(self.operation_id)


@functools.cache
def _call(operation_id: str) -> Write:
    return contract.load().write(operation_id)
