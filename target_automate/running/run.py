"""One run: everything that works together on a journal, and how it ends."""

from __future__ import annotations

import contextlib
import typing as t

from automate_api.clock import SYSTEM_CLOCK, Clock
from automate_api.errors import UnsettledError
from target_automate.journal.file import open_journal
from target_automate.journal.intents import Brief, State
from target_automate.paths import journal_path
from target_automate.records.records import Records
from target_automate.running.delivery import Delivery
from target_automate.running.intake import Intake
from target_automate.running.parts import DELIVERED, Parts, connected, paths_of, tenant_of
from target_automate.running.tally import Tally
from target_automate.running.watermark import NOTHING, Watermark
from target_automate.sending.attachments import Attachments
from target_automate.sending.breaker import Breaker
from target_automate.sending.courier import Courier
from target_automate.sending.keys import Keys
from target_automate.sending.operations import Operations
from target_automate.sending.senders import Calls
from target_automate.sending.settlement import Settlement
from target_automate.sending.steps import Policy
from target_automate.sending.uploading import Uploads

if t.TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from automate_api.client import Client
    from automate_api.config import ApiConfig
    from automate_api.transport import Stats
    from target_automate.journal.journal import Journal
    from target_automate.sinks.declarations import SinkDeclaration

LAST_REQUESTS_SECONDS: t.Final = 5.0
"""For requests that are under way when a run is stopped."""


class Run:
    """A run that is under way; made by `open_run`.

    Attributes:
        journal: Open for writing.
        intake: Where records come in.
        tally: What has been done.
    """

    def __init__(  # noqa: PLR0913 - the parts of a run
        self,
        journal: Journal,
        *,
        client: Client,
        delivery: Delivery,
        intake: Intake,
        watermark: Watermark,
        tally: Tally,
        breaker: Breaker,
        clock: Clock,
    ) -> None:
        self.journal = journal
        self.intake = intake
        self.tally = tally
        self._client = client
        self._delivery = delivery
        self._watermark = watermark
        self._breaker = breaker
        self._clock = clock

    @property
    def stats(self) -> Stats:
        """What sending took."""
        return self._client.stats

    def now(self) -> float:
        """Tell the time, seconds since 1970."""
        return self._clock.time()

    def recover(self) -> int:
        """Take up what earlier runs left open.

        Returns:
            How many intents that is.
        """
        unfinished = self.journal.recover(self._clock.time())
        self.deliver(unfinished)
        return len(unfinished)

    def deliver(self, briefs: Iterable[Brief]) -> None:
        """Work on intents of the journal."""
        for brief in briefs:
            self._delivery.hand_in(brief)

    def take(self, sink: SinkDeclaration, record: Mapping[str, t.Any]) -> None:
        """Take a record.

        Raises:
            AutomateError: What has ended the run.
        """
        self.intake.take(sink, record, self._delivery)

    def state(self, value: t.Any) -> None:  # noqa: ANN401 - any JSON
        """Take a STATE."""
        self._watermark.state(value)

    def passed_state(self) -> t.Any:  # noqa: ANN401 - any JSON
        """Give the STATE that may be written now, else `NOTHING`; what it stands for is durable."""
        value = self._watermark.passed()
        if value is not NOTHING:
            self.journal.flush()
        return value

    def look(self) -> None:
        """Make durable what has been done, and raise what has ended the run.

        Raises:
            AutomateError: The first error of a thread.
        """
        self.journal.flush()
        self._delivery.check()
        self.tally.check_start()

    def finish(self, while_waiting: Callable[[], None]) -> None:
        """Deliver what is left; the tap has written all its records.

        Args:
            while_waiting: Called again and again.

        Raises:
            AutomateError: What has ended the run.
        """
        self.work_off(while_waiting)
        self._note_delivered()
        self.journal.flush()

    def work_off(self, while_waiting: Callable[[], None]) -> None:
        """Deliver what is left; no more comes, be it all of a tap's records or some.

        Args:
            while_waiting: Called again and again.

        Raises:
            AutomateError: What has ended the run.
        """
        self._delivery.rest(while_waiting)
        self._delivery.try_waiting()
        self._delivery.rest(while_waiting)
        for item, behind in self._delivery.stuck():
            state = self.journal.get(item.id).state
            # What may have been carried out stays so: it is not to be sent as if it had not been.
            held = [
                found for found in behind if self.journal.get(found.id).state is not State.UNKNOWN
            ]
            for follower in held:
                self.journal.change(
                    follower.id,
                    state,
                    self._clock.time(),
                    reason="an earlier record of its key waits",
                )
            for waiting in (item, *held):
                if state is State.WAITING_PARENT or waiting is not item:
                    self.tally.settled(waiting.brief.object, state, waiting.id)
                self.intake.let_pass(waiting.id)
        self.journal.flush()

    def check_end(self) -> None:
        """Hold a finished run to what it should have come to.

        Raises:
            AutomateError: When an object could not be written at all.
            RejectsError: When too much was rejected.
            UnsettledError: When nobody knows the outcome of some writes.
        """
        for error in self._breaker.errors():
            raise error
        self.tally.check_end()
        counts = self.journal.counts()
        unknown = sum(n for (_, state), n in counts.items() if state in {State.UNKNOWN, State.SENT})
        parked = sum(n for (_, state), n in counts.items() if state is State.PARKED)
        if unknown or parked:
            msg = (
                f"Nobody knows whether the DMS has {parked} parked and {unknown} unknown writes. "
                "Parked ones wait for you: `automate-dms push parked list`, then `settle`; unknown "
                "ones are tried again by the next run."
            )
            raise UnsettledError(msg)

    def close(self) -> None:
        """End the threads."""
        self._delivery.close(LAST_REQUESTS_SECONDS)

    def _note_delivered(self) -> None:
        """Note the objects of which nothing is open: their journal can be relied on."""
        at_work = {State.PLANNED, State.SENT, State.UNKNOWN}
        open_objects = {name for name, state in self.journal.counts() if state in at_work}
        for name, counts in self.tally.objects().items():
            if counts.received and name not in open_objects:
                self.journal.set_fact(DELIVERED + name, "yes")


@contextlib.contextmanager
def open_run(  # noqa: PLR0913 - what tests inject
    api: ApiConfig,
    values: Mapping[str, t.Any],
    *,
    stop: threading.Event,
    clock: Clock = SYSTEM_CLOCK,
    probe: Callable[[str], None] = lambda _: None,
    workers: int | None = None,
    alone: bool = False,
) -> Iterator[Run]:
    """Open the journal and start the threads.

    Args:
        api: Where to, and as whom.
        values: The target's settings, checked.
        stop: Ends the run when set.
        clock: The time.
        probe: Told of each step by its name.
        workers: Threads, if not as the settings say.
        alone: Whether nothing but what is handed in is worked on, neither children.

    Yields:
        The run; its threads end with the block.

    Raises:
        AutomateError: When the journal cannot be used.
    """
    key = values.get("journal_key")
    tenant = tenant_of(api)
    with (
        open_journal(journal_path(values), tenant=tenant, key=key) as journal,
        connected(api, stop=stop, clock=clock) as client,
        contextlib.closing(Uploads(api, stop=stop, clock=clock)) as uploads,
    ):
        tally = Tally(
            max_rejects=values.get("max_rejects"),
            max_reject_percent=float(values["max_reject_percent"]),
        )
        watermark, breaker = Watermark(), Breaker(clock)
        records = Records(journal, api.overlay)
        intake = Intake(journal, records, watermark=watermark, tally=tally, clock=clock)
        courier = _courier(
            journal, client, uploads, api, values, tenant, tally, breaker, clock, probe
        )
        delivery = Delivery(
            journal,
            courier,
            clock=clock,
            stop=stop,
            on_settled=intake.settled,
            releases=not alone,
        )
        run = Run(
            journal,
            client=client,
            delivery=delivery,
            intake=intake,
            watermark=watermark,
            tally=tally,
            breaker=breaker,
            clock=clock,
        )
        delivery.start(workers or values["workers"])
        try:
            yield run
        finally:
            run.close()


def _courier(  # noqa: PLR0913, PLR0917 - the parts of a run
    journal: Journal,
    client: Client,
    uploads: Uploads,
    api: ApiConfig,
    values: Mapping[str, t.Any],
    tenant: str,
    tally: Tally,
    breaker: Breaker,
    clock: Clock,
    probe: Callable[[str], None],
) -> Courier:
    parts = Parts.of(journal, client, api, values, clock=clock, rules=values["approvals"])
    keys = Keys(
        journal,
        tenant,
        header=values["idempotency_header"],
        quoted=values["idempotency_quoted"],
        lifetime=values["idempotency_ttl"],
        policy=values["idempotency_honoured"],
    )
    paths, operations = paths_of(api), Operations(client)
    policy = Policy(visible_after=values["cooldown_seconds"], patience=api.max_wait_seconds)
    settlement = Settlement(
        desk=parts.desk,
        client=client,
        references=parts.references,
        changes=parts.changes,
        matching=parts.matching,
        operations=operations,
        breaker=breaker,
        policy=policy,
        paths=paths,
    )
    calls = Calls(client, keys, paths)
    files = Attachments(client, uploads, parts.lookup, parts.desk, paths["attachments"], probe)
    return Courier(
        desk=parts.desk,
        senders={"upsert": calls, "create": calls, "update": calls, "upload": files},
        keys=keys,
        preparation=parts.preparation,
        read_back=parts.read_back,
        changes=parts.changes,
        operations=operations,
        breaker=breaker,
        tally=tally,
        policy=policy,
        settlement=settlement,
        probe=probe,
    )
