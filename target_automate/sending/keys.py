"""Idempotency keys: how they are sent, and whether the server can be relied on to honour them.

The vendor promises such keys in prose and gives neither the header's name nor how long one is kept.
A key that the server ignores is worse than none when it is trusted, so by default (`auto`) it is
not, until an answer shows that the server knows it.
"""

from __future__ import annotations

import typing as t

from target_automate.journal import identity

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.journal.intents import Intent
    from target_automate.journal.journal import Journal

PROOF: t.Final = "keys_honoured"
"""The journal's fact that an answer has shown it."""


class Keys:
    """The idempotency keys of a run.

    Args:
        journal: Keeps the proof between runs.
        tenant: The API's host and the integration.
        header: Name of the header.
        quoted: Whether the key stands in double quotes, as a structured field has it.
        lifetime: Seconds for which the server keeps a key.
        policy: `auto`, `honoured` or `ignored`.
    """

    def __init__(  # noqa: PLR0913 - each is a setting of its own
        self,
        journal: Journal,
        tenant: str,
        *,
        header: str,
        quoted: bool,
        lifetime: float,
        policy: str,
    ) -> None:
        self._journal = journal
        self._tenant = tenant
        self._journal_id = journal.journal_id
        self._header = header
        self._quoted = quoted
        self._lifetime = lifetime
        self._auto = policy == "auto"
        self._honoured = policy == "honoured" or (self._auto and bool(journal.fact(PROOF)))

    @property
    def honoured(self) -> bool:
        """Whether the server honours keys, as far as is known."""
        return self._honoured

    def prove(self) -> None:
        """Take note of an answer that shows that the server honours keys."""
        if self._auto and not self._honoured:
            self._journal.set_fact(PROOF, "yes")
            self._honoured = True

    def settles(self, intent: Intent, now: float) -> bool:
        """Tell whether sending again under the same key is safe and settles an unknown outcome.

        Args:
            intent: That was sent.
            now: Seconds since 1970.
        """
        first = intent.first_sent_at
        return self._honoured and first is not None and 0 <= now - first < self._lifetime

    def headers(self, intent: Intent) -> Mapping[str, str]:
        """Make the header of an intent's key, the same for each attempt."""
        key = identity.idempotency_key(
            tenant=self._tenant,
            object=intent.object,
            operation=intent.operation,
            business_key=intent.business_key,
            content_hash=intent.content_hash,
            sequence=intent.sequence,
            generation=intent.generation,
            journal_id=self._journal_id if intent.operation in {"upsert", "update"} else None,
        )
        return {self._header: f'"{key}"' if self._quoted else key}
