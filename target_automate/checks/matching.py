"""Customers that the DMS would find, or has found, by name and contact instead of by their id.

An upsert that is matched so overwrites somebody who may be another person. `on_fuzzy_match` says
what to do: `accept` it, `warn` once it has happened, or `reject` it, which asks before it is sent.
"""

from __future__ import annotations

import dataclasses
import logging
import typing as t

from target_automate.checks.lookup import CannotLookUpError
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_automate.checks.lookup import Lookup, Record
    from target_automate.journal.intents import Intent
    from target_automate.journal.journal import Journal

OBJECT: t.Final = "customers"
OWN: t.Final = "externalId"
"""What `matchedBy` says when the writer's own id has matched."""
READ_BACK: t.Final = "readBack"

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class Matching:
    """Applies `on_fuzzy_match`.

    Attributes:
        policy: accept, warn or reject.
        journal: Knows which customers are ours.
        lookup: Asks the DMS.
    """

    policy: str
    journal: Journal
    lookup: Lookup

    def refuses(self, intent: Intent, body: Mapping[str, t.Any]) -> str | None:
        """Tell why a customer is not to be sent; None when it is.

        Args:
            intent: That would be sent.
            body: What it would say.

        Raises:
            AutomateError: When the DMS cannot be asked.
        """
        if self.policy != "reject" or intent.object != OBJECT:
            return None
        if self.journal.acked(OBJECT, intent.digest) is not None:
            return None
        sink = by_object(OBJECT)
        try:
            if self.lookup.find(sink, body):
                return None
            for field, value in _contacts(body):
                for record in self.lookup.read(sink.entity, {field: value}):
                    if _may_be_matched(record, body):
                        return (
                            f"the DMS would match it by name and {field} with "
                            f"{record.get(sink.id_field)}, which has another externalId or none"
                        )
        except CannotLookUpError as error:
            return f"`on_fuzzy_match: reject` cannot be kept: {error}"
        return None

    def note(self, intent: Intent, dms_id: str | None, matched_by: str | None) -> None:
        """Take note of how the DMS has found a customer."""
        if intent.object == OBJECT and self.policy == "warn" and matched_by not in {None, OWN}:
            logger.warning(
                "The DMS has matched the customer of write %d by %s with %s, which was updated. "
                "Compare the two; `on_fuzzy_match: reject` asks first.",
                intent.id,
                matched_by,
                dms_id,
            )


def _contacts(body: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    for email in body.get("emails") or ():
        yield "email", email
    for phone in body.get("phones") or ():
        if number := phone.get("number"):
            yield "phone", number


def _may_be_matched(record: Record, body: Mapping[str, t.Any]) -> bool:
    """Compare names as a DMS does, without case; where one has none, the contact alone decides."""
    ours, theirs = _name(body), _name(record)
    return not all(ours) or not all(theirs) or ours == theirs


def _name(record: Mapping[str, t.Any]) -> tuple[str, str]:
    first, last = (str(record.get(field) or "") for field in ("firstName", "lastName"))
    return first.strip().casefold(), last.strip().casefold()
