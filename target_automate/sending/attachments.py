"""Files on their way to the DMS: announced, sent to the address that it names, completed.

An announcement has no lasting effect, and neither have bytes that lie at an address: what was begun
is begun anew, under a new announcement. Completing makes the attachment, and is the same however
often it is said; so its id is on the disk before, and after a crash the same one is completed.
"""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse
from pathlib import Path

from automate_api.replies import Reply
from target_automate.checks.lookup import CannotLookUpError
from target_automate.checks.readback import MATCHED_BY
from target_automate.journal.intents import State
from target_automate.records.files import FileFacts
from target_automate.sending.outcomes import GONE, Kind, Verdict, explain, judge
from target_automate.sending.senders import Sent
from target_automate.sending.steps import body_of
from target_automate.sending.upload_outcomes import PutKind, PutOutcome
from target_automate.sending.uploading import UploadTarget

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from automate_api.client import Client
    from target_automate.checks.lookup import Lookup
    from target_automate.journal.intents import Intent
    from target_automate.sending.steps import Desk, Ready
    from target_automate.sending.uploading import Uploads
    from target_automate.sinks.declarations import SinkDeclaration

ATTACHMENT_ID: t.Final = "attachmentId"
ATTEMPTS: t.Final = 3
"""To send a file under a new announcement each: an address may end while a long file is sent."""
FORGOTTEN: t.Final = frozenset(
    {"upload_expired", "nothing_uploaded", "size_mismatch", "checksum_mismatch"}
)
"""Error codes after which an upload is begun anew: what the DMS has is not the file."""


@dataclasses.dataclass(frozen=True, slots=True)
class Attachments:
    """Sends files, as a `Sender`.

    Attributes:
        client: Announces and completes.
        uploads: Sends the bytes.
        lookup: Finds what is there.
        desk: Keeps what is to be completed.
        path: Of the announcement, at this tenant.
        probe: Told of each step by its name.
    """

    client: Client
    uploads: Uploads
    lookup: Lookup
    desk: Desk
    path: str
    probe: Callable[[str], None]

    def send(self, intent: Intent, sink: SinkDeclaration, ready: Ready) -> Sent:
        """Send a file, or complete one that has been sent, as `Sender`."""
        if ready.guard is not None:
            sent = self._complete(intent, sink, ready.guard[ATTACHMENT_ID])
            if not _is_forgotten(sent):
                return sent
            if (found := self._there(intent, sink, ready, sent)) is not None:
                return found
        for _ in range(ATTEMPTS):
            announced = self._announce(intent, sink, ready)
            attachment_id = announced.verdict.dms_id
            if announced.verdict.kind is not Kind.ACKED or attachment_id is None:
                return _unannounced(announced)
            put = self._put(intent, announced)
            if put.kind is PutKind.EXPIRED:
                sent = _untaken(announced, put)
                continue
            if put.kind not in {PutKind.DONE, PutKind.TAKEN}:
                return _untaken(announced, put)
            sent = self._complete(intent, sink, attachment_id)
            if not _is_forgotten(sent):
                return sent
        return sent

    def _announce(self, intent: Intent, sink: SinkDeclaration, ready: Ready) -> Sent:
        # Without a key: the answer to an earlier announcement would be an address that has ended.
        body = body_of(intent, sink, ready.resolved)
        outcome = self.client.attempt("POST", self.path, body=body)
        self.probe("announced")
        return Sent(outcome, judge(outcome, sink, keys_honoured=True))

    def _put(self, intent: Intent, announced: Sent) -> PutOutcome:
        target = UploadTarget.of(t.cast("Reply", announced.outcome).body)
        if target is None:
            return PutOutcome(PutKind.REFUSED, "the DMS gives no address to send it to")
        payload = intent.payload
        facts = FileFacts(
            payload["fileName"], payload["contentType"], payload["size"], payload["sha256"]
        )
        put = self.uploads.put(target, facts, Path(payload["path"]))
        self.probe("uploaded")
        return put

    def _complete(self, intent: Intent, sink: SinkDeclaration, attachment_id: str) -> Sent:
        """Complete an upload, whose id is on the disk before; forget it where it came to nothing.

        Without a key: it is the same however often it is said.
        """
        self._keep(intent, {ATTACHMENT_ID: attachment_id})
        quoted = urllib.parse.quote(attachment_id, "")
        outcome = self.client.attempt("POST", f"{self.path}/{quoted}/complete")
        self.probe("completed")
        sent = Sent(outcome, judge(outcome, sink, keys_honoured=True))
        if _is_forgotten(sent):
            self._keep(intent, None)
            reason = explain(t.cast("Reply", outcome))
            verdict = dataclasses.replace(sent.verdict, kind=Kind.REJECTED, reason=reason)
            return Sent(outcome, verdict)
        return sent

    def _there(
        self, intent: Intent, sink: SinkDeclaration, ready: Ready, sent: Sent
    ) -> Sent | None:
        """Find the attachment that an earlier attempt has made, where its id is not known now."""
        try:
            found = self.lookup.find(sink, body_of(intent, sink, ready.resolved))
        except CannotLookUpError:
            return None
        ids = [record[sink.id_field] for record in found if record.get(sink.id_field)]
        if not ids:
            return None
        verdict = Verdict(Kind.ACKED, "", dms_id=str(ids[0]), matched_by=MATCHED_BY)
        return Sent(sent.outcome, verdict)

    def _keep(self, intent: Intent, guard: dict[str, str] | None) -> None:
        """Keep on the disk what is to be completed."""
        self.desk.journal.change(intent.id, State.SENT, self.desk.clock.time(), guard=guard)
        self.desk.journal.flush()


def _is_forgotten(sent: Sent) -> bool:
    """Tell whether an upload can be completed no more, and is to be begun anew."""
    if not isinstance(sent.outcome, Reply):
        return False
    return sent.outcome.status in GONE or sent.outcome.error_code in FORGOTTEN


def _unannounced(announced: Sent) -> Sent:
    """Read what an announcement came to that gives no address: it has no effect, whatever it is."""
    lasting = {Kind.UNKNOWN, Kind.ACCEPTED, Kind.DUPLICATE, Kind.IN_FLIGHT}
    if announced.verdict.kind not in lasting:
        return announced
    verdict = dataclasses.replace(announced.verdict, kind=Kind.THROTTLED, operation_id=None)
    return Sent(announced.outcome, verdict)


def _untaken(announced: Sent, put: PutOutcome) -> Sent:
    """Say why a file was not taken; nothing of it is in the DMS."""
    kinds = {
        PutKind.REFUSED: Kind.REJECTED,
        PutKind.EXPIRED: Kind.REJECTED,
        PutKind.CHANGED: Kind.CHANGED,
    }
    kind = kinds.get(put.kind, Kind.UNREACHABLE)
    # An address that has just been given has not ended: it is this file that is not taken there.
    times = f", at {ATTEMPTS} addresses" if put.kind is PutKind.EXPIRED else ""
    return Sent(announced.outcome, Verdict(kind, put.reason + times, status=put.status))
