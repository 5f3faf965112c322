"""One attempt to send a write, and what came back."""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

from target_automate.sending.outcomes import judge
from target_automate.sending.steps import body_of, guarded

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.client import Client
    from automate_api.replies import Failure, Reply
    from target_automate.journal.intents import Intent
    from target_automate.sending.keys import Keys
    from target_automate.sending.outcomes import Verdict
    from target_automate.sending.steps import Ready
    from target_automate.sinks.declarations import SinkDeclaration


@dataclasses.dataclass(frozen=True, slots=True)
class Sent:
    """What an attempt came to.

    Attributes:
        outcome: What came back last.
        verdict: What that means.
    """

    outcome: Reply | Failure
    verdict: Verdict


class Sender(t.Protocol):
    """Makes an attempt to send; before it is called, the journal says so on the disk."""

    def send(self, intent: Intent, sink: SinkDeclaration, ready: Ready) -> Sent:
        """Send an intent once.

        Args:
            intent: As it was before.
            sink: Of the intent.
            ready: With what it is sent.

        Raises:
            AutomateError: What ends the run; nothing was processed, but with a `ConfigError`.
        """


@dataclasses.dataclass(frozen=True, slots=True)
class Calls:
    """Sends what is one call of the API.

    Attributes:
        client: Sends.
        keys: The idempotency keys.
        paths: Object to the path of its call at this tenant.
    """

    client: Client
    keys: Keys
    paths: Mapping[str, str]

    def send(self, intent: Intent, sink: SinkDeclaration, ready: Ready) -> Sent:
        """Send an intent once, as `Sender`."""
        path = self.paths[sink.object].replace("{id}", urllib.parse.quote(ready.resolved or "", ""))
        outcome = self.client.attempt(
            sink.method,
            path,
            body=guarded(body_of(intent, sink, ready.resolved), sink, ready.guard),
            headers=self.keys.headers(intent),
        )
        verdict = judge(outcome, sink, keys_honoured=self.keys.honoured)
        if verdict.proves_keys:
            self.keys.prove()
        return Sent(outcome, verdict)
