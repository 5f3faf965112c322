"""Finds the record that another refers to by the writer's own id.

First in the journal, then in the DMS. Customers get merged there: an id that is refused is asked
for anew, and a merged customer is followed to the one that is left.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import typing as t

from automate_api.errors import NotEntitledError, NotOfferedError
from target_automate.checks.lookup import CannotLookUpError
from target_automate.journal import identity
from target_automate.journal.intents import OPEN, State
from target_automate.sinks.table import founder

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.checks.lookup import Lookup, Record
    from target_automate.journal.intents import Intent
    from target_automate.journal.journal import Journal
    from target_automate.sinks.declarations import Reference, SinkDeclaration
    from target_automate.sinks.entities import Entity

MERGES: t.Final = 10
"""Merges that are followed; more is a circle."""
MERGED_INTO: t.Final = "mergedIntoCustomerId"
HELD: t.Final = frozenset({State.WAITING_APPROVAL, State.PARKED})
"""States that only a person ends: what refers to a record that is there does not wait for its
change.
"""
REMEMBERED: t.Final = 100_000
"""Answers of the DMS that are kept in memory, at some 200 bytes each."""


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """The record is there.

    Attributes:
        dms_id: Its id.
    """

    dms_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Pending:
    """It may still come.

    Attributes:
        reason: For a person.
    """

    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Refused:
    """It was rejected, or was merged away and is not found.

    Attributes:
        reason: For a person.
    """

    reason: str


Resolution: t.TypeAlias = Found | Pending | Refused

logger = logging.getLogger(__name__)


class References:
    """Resolves the references of a run; safe to share between threads.

    Args:
        journal: What was written before.
        lookup: Asks the DMS.
    """

    def __init__(self, journal: Journal, lookup: Lookup) -> None:
        self._journal = journal
        self._lookup = lookup
        self._known: dict[tuple[str, str], str] = {}
        self._warned: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def resolve(self, intent: Intent, reference: Reference) -> Resolution:
        """Find what an intent refers to.

        Args:
            intent: With the reference in its payload.
            reference: That its payload names.

        Raises:
            AutomateError: When the DMS cannot be asked.
        """
        if reference.field in intent.payload:
            return Found(intent.payload[reference.field])
        entity, own_id = reference.entity, str(intent.payload[reference.alias])
        digest = digest_of(self._journal, entity, own_id)
        newest = self._journal.newest(entity.name, digest)
        acked = self._journal.acked(entity.name, digest)
        under_way = OPEN - HELD if acked is not None else OPEN | HELD
        if newest is not None and newest.state in under_way:
            return Pending(f"its {entity.noun} is {newest.state}")
        known = self._known.get((entity.name, own_id))
        if acked is not None and acked.dms_id is not None:
            return Found(known or acked.dms_id)
        if newest is not None and newest.state is State.REJECTED:
            return Refused(f"its {entity.noun} is rejected ({newest.cause})")
        return Found(known) if known is not None else self._ask(intent, entity, own_id)

    def resolve_again(self, intent: Intent, reference: Reference) -> Resolution:
        """Find what an intent refers to after the DMS has refused the id that was sent.

        Raises:
            AutomateError: When the DMS cannot be asked.
        """
        entity = reference.entity
        if reference.field in intent.payload:
            try:
                record = self._lookup.detail(entity, intent.payload[reference.field])
                survivor = self._survivor(entity, record)
            except (NotEntitledError, NotOfferedError):
                return _missing(entity)
            return Found(survivor) if survivor else _missing(entity)
        return self._ask(intent, entity, str(intent.payload[reference.alias]))

    def _ask(self, intent: Intent, entity: Entity, own_id: str) -> Resolution:
        try:
            found = self._lookup.named(entity, own_id)
            survivors = {self._survivor(entity, record) for record in found} - {None}
        except (CannotLookUpError, NotEntitledError, NotOfferedError) as error:
            if entity.is_filtered:
                self._warn(intent.object, entity, error)
            return Pending(f"its {entity.noun} cannot be looked up: {error}")
        if len(survivors) > 1:
            return Refused(f"the DMS has {len(survivors)} records of its {entity.noun}")
        for survivor in survivors:
            dms_id = t.cast("str", survivor)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[entity.name, own_id] = dms_id
            return Found(dms_id)
        return _missing(entity)

    def _warn(self, object_name: str, entity: Entity, error: Exception) -> None:
        """Say once that the tenant, or its login, keeps records of an object from being sent."""
        with self._lock:
            if (object_name, entity.name) in self._warned:
                return
            self._warned.add((object_name, entity.name))
        logger.warning(
            "%s wait, since their %s cannot be looked up: %s", object_name, entity.noun, error
        )

    def _survivor(self, entity: Entity, record: Record | None) -> str | None:
        """Follow merges to the id of the customer that is left; None when there is none."""
        for _ in range(MERGES):
            if record is None:
                return None
            into = record.get(MERGED_INTO)
            if not into:
                return _id(entity, record)
            record = self._lookup.detail(entity, str(into))
        return None


def parent_of(journal: Journal, sink: SinkDeclaration, body: Mapping[str, t.Any]) -> bytes | None:
    """Hash the business key of what a payload refers to by the writer's own id.

    Args:
        journal: Whose hash.
        sink: Of the payload.
        body: The payload.

    Returns:
        The digest; None where it refers by no such id, or to what no sink writes.
    """
    reference = sink.reference_in(body)
    if reference is None or reference.field in body or founder(reference.entity.name) is None:
        return None
    return digest_of(journal, reference.entity, str(body[reference.alias]))


def lane_of(
    journal: Journal, sink: SinkDeclaration, business_key: str, body: Mapping[str, t.Any]
) -> bytes:
    """Name the lane in which a payload is written: that of the record that it is about.

    Args:
        journal: Whose hash, and what was written before.
        sink: Of the payload.
        business_key: Of the payload.
        body: The payload.
    """
    reference = sink.reference_in(body)
    if reference is None or not reference.shares_lane:
        return journal.seal.digest(sink.object, business_key)
    entity = reference.entity
    if reference.field not in body:
        return digest_of(journal, entity, str(body[reference.alias]))
    dms_id = str(body[reference.field])
    known = journal.key_of(entity.name, dms_id)
    return known or journal.seal.digest(entity.name, f"{reference.field}:{dms_id}")


def digest_of(journal: Journal, entity: Entity, own_id: str) -> bytes:
    """Hash the business key that a record has in the journal, from its writer's own id."""
    sink = founder(entity.name)
    if sink is None:
        key = f"{entity.own_id}:{identity.comparable(entity.own_id, own_id)}"
    else:
        key = identity.business_key(sink, {entity.own_id: own_id})
    return journal.seal.digest(entity.name, key)


def _missing(entity: Entity) -> Pending | Refused:
    if founder(entity.name) is None:
        return Refused(f"the DMS has no such {entity.noun}, and no sink makes one")
    return Pending(f"neither the journal nor the DMS knows its {entity.noun}")


def _id(entity: Entity, record: Mapping[str, t.Any]) -> str | None:
    value = record.get(entity.id_field)
    return value if isinstance(value, str) and value else None
