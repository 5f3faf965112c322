"""Finds the customer that a record refers to by the writer's own id.

First in the journal, then in the DMS. Customers get merged there: an id that is refused is asked
for anew, and a merged customer is followed to the one that is left.
"""

from __future__ import annotations

import dataclasses
import typing as t

from target_automate import identity
from target_automate.intents import OPEN, State
from target_automate.lookup import CannotLookUpError
from target_automate.sinks import by_object

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.intents import Intent
    from target_automate.journal import Journal
    from target_automate.lookup import Lookup, Record
    from target_automate.sinks import Reference, SinkDeclaration

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


class References:
    """Resolves the references of a run; safe to share between threads.

    Args:
        journal: What was written before.
        lookup: Asks the DMS.
    """

    def __init__(self, journal: Journal, lookup: Lookup) -> None:
        self._journal = journal
        self._lookup = lookup
        self._known: dict[str, str] = {}

    def resolve(self, intent: Intent, reference: Reference) -> Resolution:
        """Find what an intent refers to.

        Args:
            intent: With the reference in its payload.
            reference: Of its sink.

        Raises:
            AutomateError: When the DMS cannot be asked.
        """
        if reference.field in intent.payload:
            return Found(intent.payload[reference.field])
        external_id = str(intent.payload[reference.alias])
        digest = parent_digest(self._journal, reference, external_id)
        newest = self._journal.newest(reference.object, digest)
        acked = self._journal.acked(reference.object, digest)
        under_way = OPEN - HELD if acked is not None else OPEN | HELD
        if newest is not None and newest.state in under_way:
            return Pending(f"its {_noun(reference)} is {newest.state}")
        if acked is not None and acked.dms_id is not None:
            return Found(self._known.get(external_id, acked.dms_id))
        if newest is not None and newest.state is State.REJECTED:
            return Refused(f"its {_noun(reference)} is rejected ({newest.cause})")
        if external_id in self._known:
            return Found(self._known[external_id])
        return self._ask(external_id, reference)

    def resolve_again(self, intent: Intent, reference: Reference) -> Resolution:
        """Find what an intent refers to after the DMS has refused the id that was sent.

        Raises:
            AutomateError: When the DMS cannot be asked.
        """
        sink = by_object(reference.object)
        if reference.field in intent.payload:
            record = self._lookup.detail(sink, intent.payload[reference.field])
            survivor = self._survivor(sink, record)
            return Found(survivor) if survivor else _missing(reference)
        return self._ask(str(intent.payload[reference.alias]), reference)

    def _ask(self, external_id: str, reference: Reference) -> Resolution:
        sink = by_object(reference.object)
        try:
            found = self._lookup.find(sink, {reference.external_id: external_id})
        except CannotLookUpError as error:
            return Pending(f"its {_noun(reference)} cannot be looked up: {error}")
        survivors = {self._survivor(sink, record) for record in found} - {None}
        if len(survivors) > 1:
            return Refused(f"the DMS has {len(survivors)} records of its {_noun(reference)}")
        for survivor in survivors:
            dms_id = t.cast("str", survivor)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[external_id] = dms_id
            return Found(dms_id)
        return _missing(reference)

    def _survivor(self, sink: SinkDeclaration, record: Record | None) -> str | None:
        """Follow merges to the id of the customer that is left; None when there is none."""
        for _ in range(MERGES):
            if record is None:
                return None
            into = record.get(MERGED_INTO)
            if not into:
                return _id(sink, record)
            record = self._lookup.detail(sink, str(into))
        return None


def parent_of(journal: Journal, sink: SinkDeclaration, body: Mapping[str, t.Any]) -> bytes | None:
    """Hash the business key of what a payload refers to by external id; None where by no such id.

    Args:
        journal: Whose hash.
        sink: Of the payload.
        body: The payload.
    """
    reference = sink.reference
    if reference is None or reference.field in body or reference.alias not in body:
        return None
    return parent_digest(journal, reference, str(body[reference.alias]))


def parent_digest(journal: Journal, reference: Reference, external_id: str) -> bytes:
    """Hash the business key that a reference's record has in the journal."""
    sink = by_object(reference.object)
    key = identity.business_key(sink, {reference.external_id: external_id})
    return journal.seal.digest(reference.object, key)


def _missing(reference: Reference) -> Pending:
    return Pending(f"neither the journal nor the DMS knows its {_noun(reference)}")


def _noun(reference: Reference) -> str:
    return reference.alias.removesuffix("ExternalId")


def _id(sink: SinkDeclaration, record: Mapping[str, t.Any]) -> str | None:
    value = record.get(sink.id_field)
    return value if isinstance(value, str) and value else None
