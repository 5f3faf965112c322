"""What a push would do, found out on a copy of the journal: nothing is written, only asked.

The records are read and checked as in a run, but the journal is a copy in a folder of its own, and
nothing is sent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import typing as t
from pathlib import Path

from automate_api import contract
from automate_api.clock import SYSTEM_CLOCK
from automate_api.errors import TryLaterError
from target_automate.checks.approvals import Approvals
from target_automate.checks.changes import PASSED, SEEN, UNCHANGED, UNSEEN
from target_automate.checks.comparing import differences, part_of, wanted_of
from target_automate.checks.lookup import CannotLookUpError
from target_automate.journal.file import lock_journal, open_journal
from target_automate.journal.intents import OPEN, Intent, State
from target_automate.journal.sealing import NoSeal
from target_automate.paths import journal_path
from target_automate.push.plan_file import Plan, PlannedWrite
from target_automate.records.records import Records
from target_automate.running.parts import Parts, connected, tenant_of
from target_automate.sending.steps import Effort, Later, Ready, body_of
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Mapping

    from automate_api.config import ApiConfig
    from target_automate.journal.journal import Journal
    from target_automate.sinks.declarations import SinkDeclaration

COPIES: t.Final = 5
"""Attempts to copy a journal while nobody changes it."""
LOG_SUFFIX: t.Final = "-wal"
"""Of SQLite's write-ahead log: what a killed process has committed may be there alone."""


@dataclasses.dataclass(frozen=True, slots=True)
class Forecast:
    """What would become of a record.

    Attributes:
        object: Of the record.
        business_key: The writer's own name for it.
        action: create, update, upsert (which of the two is not known), upload, no-op or blocked.
        note: Why it is blocked, or what else there is to know; names fields, never values.
        changes: Field to old and new value, where it was compared with the DMS.
    """

    object: str
    business_key: str
    action: str
    note: str | None = None
    changes: Mapping[str, tuple[t.Any, t.Any]] = dataclasses.field(default_factory=dict)


class Planner:
    """Takes records and tells what would become of them; made by `open_planner`."""

    def __init__(  # noqa: PLR0913 - what it works with
        self,
        journal: Journal,
        records: Records,
        parts: Parts,
        approvals: Approvals,
        *,
        tenant: str,
        is_new: bool,
    ) -> None:
        self._journal = journal
        self._parts = parts
        self._approvals = approvals
        self._tenant = tenant
        self._is_new = is_new
        self._records = records
        self._ids: dict[int, None] = {}
        self._newest: dict[tuple[str, bytes], int] = {}
        """The last sequence of each key before the plan."""
        self._unchanged: list[Forecast] = []

    def take(self, sink: SinkDeclaration, record: Mapping[str, t.Any]) -> None:
        """Take a record."""
        reading = self._records.read(sink, record)
        key = (sink.object, self._journal.seal.digest(sink.object, reading.business_key))
        if key not in self._newest:
            newest = self._journal.newest(*key)
            self._newest[key] = newest.sequence if newest else 0
        brief = self._records.keep(sink, reading, SYSTEM_CLOCK.time()).brief
        if brief.id:
            self._ids.setdefault(brief.id)
        else:
            self._unchanged.append(
                Forecast(sink.object, reading.business_key, "no-op", "unchanged")
            )

    def plan(self, compare: int) -> tuple[Plan, list[Forecast]]:
        """Tell what would happen.

        Args:
            compare: How many changes of customers are compared with the DMS field by field.

        Raises:
            AutomateError: When the DMS cannot be asked.
        """
        intents = sorted(
            map(self._journal.get, self._ids),
            key=lambda intent: (by_object(intent.object).rank, intent.id),
        )
        forecasts, writes = self._unchanged, dict[int, PlannedWrite]()
        planned_parents, lanes = set[bytes](), set[bytes]()
        last = dict(self._newest)
        for intent in intents:
            note = self._behind(intent, writes)
            found = note or self._checked(intent, planned_parents)
            if not isinstance(found, Ready):
                forecasts.append(_blocked(intent, found))
                continue
            planned_parents.add(intent.digest)
            forecasts.append(self._forecast(intent, found, compare=len(writes) < compare))
            key = (intent.object, intent.digest)
            sequence = intent.sequence
            if sequence > self._newest[key]:  # counted without those that are blocked
                sequence = last[key] = last[key] + 1
            writes[intent.id] = PlannedWrite(
                object=intent.object,
                business_key=intent.business_key,
                content_hash=intent.content_hash,
                sequence=sequence,
                payload=dict(intent.payload),
                seen=None if intent.lane in lanes else self._seen(found),
            )
            lanes.add(intent.lane)
        plan = Plan(
            tenant=self._tenant,
            journal_id=None if self._is_new else self._journal.journal_id,
            made_at=SYSTEM_CLOCK.time(),
            writes=[writes[key] for key in sorted(writes)],
        )
        return plan, forecasts

    def _seen(self, ready: Ready) -> str | None:
        """Give the hash of what would be changed; None where the journal could not compare it."""
        # A journal that is made only when the plan is applied hashes under a salt of its own.
        if ready.guard is None or (self._is_new and not isinstance(self._journal.seal, NoSeal)):
            return None
        return t.cast("str | None", ready.guard.get(SEEN))

    def _behind(self, intent: Intent, writes: Collection[int]) -> str | None:
        """Tell why an intent would not go before an earlier one of its key; None when it may."""
        if intent.state not in OPEN:
            return None
        for head in self._journal.heads(intent.object, intent.digest):
            if head.sequence >= intent.sequence:
                break
            if head.id in writes and by_object(intent.object).makes_once:
                return "an earlier record of its key in this plan creates it"
            if head.state in OPEN and head.id not in writes:
                return "an earlier record of its key is still open; deliver or drop that first"
        return None

    def _checked(self, intent: Intent, planned_parents: set[bytes]) -> Ready | str:
        """Check an intent as before it is sent, or tell why it would not go."""
        if intent.state not in OPEN:
            return f"{intent.state}: {intent.reason}"
        if intent.state in {State.SENT, State.UNKNOWN}:
            return "an earlier run has sent it and does not know the outcome; run that to its end"
        step = self._parts.preparation.check(intent, by_object(intent.object), Effort())
        if isinstance(step, Ready):
            return step
        if isinstance(step, Later):
            return f"{UNSEEN}; plan again in a while"
        now = self._journal.get(intent.id)
        if now.state is State.WAITING_PARENT and intent.parent in planned_parents:
            return Ready(None)  # it goes behind what it refers to
        return f"{now.state}: {now.reason or f'found as {now.dms_id}'}"

    def _forecast(self, intent: Intent, ready: Ready, *, compare: bool) -> Forecast:
        sink = by_object(intent.object)
        note = self._approvals.holds(intent, ready.record)
        action, changes = t.cast("str", sink.operation), dict[str, tuple[t.Any, t.Any]]()
        if sink.change is not None:
            body = body_of(intent, sink, ready.resolved)
            there = part_of(sink, ready.record, body) if ready.record is not None else {}
            changes = differences(there, wanted_of(sink, body))
        elif sink.operation == "upsert":
            acked = self._journal.acked(sink.object, intent.digest)
            action = "update" if acked is not None else "upsert"
            if compare:
                with contextlib.suppress(CannotLookUpError):
                    found = self._parts.lookup.find(sink, intent.payload)
                    action = "update" if found else "create"
                    changes = differences(found[0], intent.payload) if found else {}
        return Forecast(intent.object, intent.business_key, action, note, changes)


def _blocked(intent: Intent, why: str) -> Forecast:
    """Forecast a record that would not go: also one that says what the DMS holds."""
    unchanged = {f"{State.DROPPED}: {reason}" for reason in (UNCHANGED, PASSED)}
    action = "no-op" if why in unchanged else "blocked"
    return Forecast(intent.object, intent.business_key, action, why)


@contextlib.contextmanager
def open_planner(
    api: ApiConfig, values: Mapping[str, t.Any], *, stop: threading.Event
) -> Iterator[Planner]:
    """Copy the journal and plan on the copy.

    Args:
        api: Where to, and as whom.
        values: The target's settings, checked.
        stop: Ends every wait early.

    Yields:
        The planner; the copy goes with the block.

    Raises:
        JournalInUseError: When a process writes the journal.
        AutomateError: When it cannot be used.
    """
    path, tenant = journal_path(values), tenant_of(api)
    with tempfile.TemporaryDirectory(prefix="automate-dms-plan-") as folder:
        copy = Path(folder, "journal.db")
        is_new = not path.exists()
        if not is_new:
            with lock_journal(path):
                _copy(path, copy)
        key = values.get("journal_key")
        with (
            open_journal(copy, tenant=tenant, key=key, called=path) as journal,
            connected(api, stop=stop) as client,
        ):
            parts = Parts.of(journal, client, api, values, clock=SYSTEM_CLOCK, rules=())
            records = Records(journal, api.overlay)
            approvals = Approvals(values["approvals"], contract.load(api.overlay))
            yield Planner(journal, records, parts, approvals, tenant=tenant, is_new=is_new)


def _copy(path: Path, copy: Path) -> None:
    """Copy a journal that nobody writes: a reader that closes it may still move its log into it.

    Raises:
        TryLaterError: When it changes each time.
    """
    for _ in range(COPIES):
        before = _stamps(path)
        for suffix in ("", LOG_SUFFIX):
            beside = copy.with_name(copy.name + suffix)
            beside.unlink(missing_ok=True)
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path.with_name(path.name + suffix), beside)
        if _stamps(path) == before:
            return
    msg = f"The journal {path} changes while it is copied. Run again later."
    raise TryLaterError(msg)


def _stamps(path: Path) -> list[tuple[int, int, int] | None]:
    stamps: list[tuple[int, int, int] | None] = []
    for suffix in ("", LOG_SUFFIX):
        try:
            found = path.with_name(path.name + suffix).stat()
        except FileNotFoundError:
            stamps.append(None)
        else:
            stamps.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return stamps
