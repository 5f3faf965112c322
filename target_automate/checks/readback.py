"""What the DMS already has of an intent: asked before a create is sent, and when nobody knows."""

from __future__ import annotations

import dataclasses
import logging
import typing as t

from target_automate.checks.lookup import CannotLookUpError, holds
from target_automate.journal.intents import Intent, State

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.checks.lookup import Lookup, Record
    from target_automate.sending.steps import Desk, Settled
    from target_automate.sinks.declarations import SinkDeclaration

MATCHED_BY: t.Final = "readBack"
"""What the journal keeps for `matchedBy` where the answer was lost or never asked for."""

logger = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class ReadBack:
    """Finds records and settles intents by them.

    Attributes:
        desk: Keeps what is found.
        lookup: Asks the DMS.
        warned: Objects whose list is known not to answer.
    """

    desk: Desk
    lookup: Lookup
    warned: set[str] = dataclasses.field(default_factory=set)

    def before_sending(
        self, intent: Intent, sink: SinkDeclaration, body: Mapping[str, t.Any]
    ) -> Settled | None:
        """Settle a create that is there from before; None when it is not.

        Raises:
            AutomateError: When the DMS cannot be asked.
        """
        try:
            found = self._unclaimed(sink, self.lookup.find(sink, body))
        except CannotLookUpError as error:
            if sink.object not in self.warned:
                self.warned.add(sink.object)
                logger.warning("%s are not looked up before they are sent: %s", sink.object, error)
            return None
        return self._take(intent, sink, found) if found else None

    def after_sending(
        self, intent: Intent, sink: SinkDeclaration, body: Mapping[str, t.Any]
    ) -> Settled | str:
        """Settle an intent whose outcome is unknown by what the DMS has of it.

        Returns:
            The settled step; or why it is not settled, for a person.

        Raises:
            AutomateError: When the DMS cannot be asked.
        """
        since = intent.first_sent_at or intent.created_at
        age = max(0.0, self.desk.clock.time() - since)
        try:
            found = self._unclaimed(sink, self.lookup.find(sink, body, age=age))
        except CannotLookUpError as error:
            return str(error)
        if intent.operation == "upsert":
            # It may have been there before; only what it says now tells that it was updated.
            found = [record for record in found if holds(record, body)]
        return self._take(intent, sink, found) if found else "not found"

    def _take(self, intent: Intent, sink: SinkDeclaration, found: list[Record]) -> Settled:
        if len(found) > 1:
            reason = f"the DMS has {len(found)} records of its key"
            logger.error("%s: write %d is parked: %s", sink.object, intent.id, reason)
            return self.desk.move(intent, State.PARKED, reason=reason)
        return self.desk.move(
            intent,
            State.ACKED,
            dms_id=found[0][sink.id_field],
            dms_number=sink.number_in(found[0]),
            matched_by=MATCHED_BY,
            look_up=False,
            reason=None,
            cause=None,
        )

    def _unclaimed(self, sink: SinkDeclaration, found: list[Record]) -> list[Record]:
        """Leave out what another intent has become; a customer or a file may be the same again."""
        known = [record for record in found if isinstance(record.get(sink.id_field), str)]
        if sink.operation == "upsert":
            return known
        if sink.operation == "upload":
            return known[:1]
        claimed = self.desk.journal.claimed
        return [record for record in known if not claimed(sink.object, record[sink.id_field])]
