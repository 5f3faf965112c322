"""target-automate: the Singer target, its command line, and when STATE is written."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
import typing as t

from singer_sdk.helpers.capabilities import PluginCapabilities
from singer_sdk.sinks import RecordSink

from automate_api import program
from automate_api.config import REQUIRED, SETTINGS, ApiConfig
from automate_api.errors import AutomateError
from automate_singer.metrics_file import METRICS_SETTINGS
from automate_singer.sdk_seams import PipeTarget
from target_automate import config, measures
from target_automate.running.report import Report
from target_automate.running.run import Run, open_run
from target_automate.running.watermark import NOTHING
from target_automate.sinks.declarations import SinkDeclaration
from target_automate.sinks.table import SINKS, find

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.mapper import StreamMap

    from automate_api.errors import StoppedError
    from automate_singer.metrics_file import Measure
    from automate_singer.sdk_seams import Message, Record

LOOK_SECONDS: t.Final = 0.25
"""Between two updates of the progress line, and commits of what is done while records come."""


class DmsSink(RecordSink):
    """What the SDK asks a target to name; records go by `TargetAutomate.take` instead."""

    def process_record(self, record: dict[str, t.Any], context: dict[str, t.Any]) -> None:
        """Take nothing.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError


class TargetAutomate(PipeTarget[SinkDeclaration]):
    """Pushes records into the DMS: customers, deals, prices, repair orders, files; each once."""

    name = config.PROGRAM
    package_name = "automate-dms"
    env_prefix = config.ENV_PREFIX
    metrics_prefix = measures.PREFIX
    default_sink_class = DmsSink
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = {
        "type": "object",
        "properties": {**SETTINGS, **config.TARGET_SETTINGS, **METRICS_SETTINGS},
        "required": list(REQUIRED),
    }
    capabilities: t.ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(self, **options: t.Any) -> None:  # noqa: ANN401 - `CommandTarget` names them
        """Check the settings; the journal is opened when messages are read.

        Args:
            options: As `CommandTarget` takes them.

        Raises:
            ConfigError: When the settings cannot be used.
        """
        self.stop = threading.Event()
        self._skipped: set[str] = set()
        self._open = contextlib.ExitStack()
        self._report = Report()
        self._looked = 0.0
        self._measured: Callable[[], Iterable[Measure]] = tuple
        super().__init__(**options)
        self.message_reader.on_wait = self._look
        self.message_reader.wait_seconds = LOOK_SECONDS

    @classmethod
    def check_settings(cls, values: Mapping[str, t.Any]) -> list[str]:
        """List what is wrong with the settings beyond their schema."""
        return config.problems(values)

    def route(self, stream_map: StreamMap) -> SinkDeclaration | None:
        """Find what takes a stream; warn once about a stream that nothing takes."""
        name = stream_map.stream_alias
        sink = find(name)
        if sink is None and name not in self._skipped:
            self._skipped.add(name)
            known = ", ".join(declaration.object for declaration in SINKS)
            self.logger.warning(
                "The stream %r is skipped: target-automate takes %s. Give it one of these names "
                "with `stream_maps`, if it is one of them.",
                name,
                known,
            )
        return sink

    def take(self, sink: SinkDeclaration, record: Record, message: Message) -> None:  # noqa: ARG002 - the hook's
        """Take a record."""
        self._run.take(sink, record)
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._look()

    def state_received(self, value: t.Any) -> None:  # noqa: ANN401 - any JSON
        """Take a STATE; it is written once everything before it is settled."""
        self._run.state(value)
        self._pass_state()

    def process_endofpipe(self) -> None:
        """Deliver what is left, write the last STATE, and hold the run to its thresholds.

        Raises:
            AutomateError: What ended the run, or what it should not have come to.
        """
        self._run.finish(self._look)
        self._pass_state()
        try:
            self._run.check_end()
        finally:
            self.close()

    def interrupt(self, stopped: StoppedError) -> None:
        """Have every wait end, and the reader raise; a second signal ends the process at once."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self.stop.set()
        super().interrupt(stopped)

    def close(self) -> None:
        """Write what stands however the run has ended, show what it has done, and let it go."""
        if (run := self.__dict__.pop("_run", None)) is None:
            return
        run.close()
        with contextlib.suppress(AutomateError):
            final = tuple(measures.measured(run))
            self._measured = lambda: final
        with contextlib.suppress(Exception):  # the error that ended the run is the one to tell
            value = run.passed_state()
            if value is not NOTHING:
                self.write_state(value)
        self._open.close()
        self._report.table(run.tally, run.stats)

    def measured(self) -> Iterable[Measure]:
        """Give the run's figures: of now, or those that it has ended with.

        Raises:
            JournalError: When the journal cannot be read.
        """
        return self._measured()

    @functools.cached_property
    def _run(self) -> Run:
        """The run, opened with the first message; first it finishes what the journal holds."""
        api = ApiConfig.from_settings(self.config, program=self.name)
        run = self._open.enter_context(open_run(api, self.config, stop=self.stop))
        self._measured = functools.partial(measures.measured, run)
        self._open.enter_context(self._report.progress())
        if unfinished := run.recover():
            self.logger.info("The journal holds %d unfinished writes", unfinished)
        return run

    def _look(self) -> None:
        self._looked = time.monotonic()
        self._run.look()
        self._pass_state()
        self._report.update(self._run.tally)

    def _pass_state(self) -> None:
        value = self._run.passed_state()
        if value is not NOTHING:
            self.write_state(value)


def main() -> t.NoReturn:
    """Run `target-automate`."""
    program.run(TargetAutomate.cli, name=TargetAutomate.name)
