"""A tap as a program: settings, catalog and state, its command line, and how a signal ends it."""

from __future__ import annotations

import abc
import contextlib
import signal
import threading
import typing as t

from singer_sdk import Tap
from singer_sdk.exceptions import MappingError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities

from automate_api import log_fields
from automate_api.errors import ConfigError, StoppedError
from automate_api.program import quiet
from automate_singer import inputs
from automate_singer.configured import Configured
from automate_singer.writer import BlockWriter

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from types import FrameType

    from singer_sdk.helpers.capabilities import CapabilitiesEnum


class CommandTap(Configured, Tap, abc.ABC):
    """A tap whose mistakes in use are explained, and whose signals have their exit codes.

    Attributes:
        stop: Set by a signal; streams look at it between two records and raise `stopped`.
    """

    message_writer_class = BlockWriter
    capabilities: t.ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    def __init__(
        self,
        *,
        config: dict[str, t.Any] | None = None,
        catalog: dict[str, t.Any] | None = None,
        parse_env_config: bool = False,
        validate_config: bool = True,
        **options: t.Any,  # noqa: ANN401 - the SDK's own
    ) -> None:
        """Read, check and complete the settings; the SDK's own check would print their values.

        Args:
            config: The settings of the configuration files.
            catalog: The catalog of the command line.
            parse_env_config: Whether variables of the environment come on top.
            validate_config: False for a discovery that needs no settings.
            options: State and the rest, as the SDK takes them.

        Raises:
            ConfigError: When settings, catalog or state cannot be used.
        """
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        values = self.read_settings(
            schema, config or {}, from_environment=parse_env_config, checked=validate_config
        )
        inputs.check_catalog(catalog, program=self.name)
        self.stop = threading.Event()
        self._stopped_by: int | None = None
        self.prepare(values, catalog, checked=validate_config)
        if validate_config:
            options.setdefault("message_writer", self.make_writer(values))
        try:
            with quiet():
                super().__init__(config=values, catalog=catalog, validate_config=False, **options)
        except MappingError as error:
            msg = f"{self.name}: `stream_maps` cannot be used: {error}"
            raise ConfigError(msg) from None
        inputs.check_streams(self.streams, program=self.name)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._ask_to_stop)
            signal.signal(signal.SIGTERM, self._ask_to_stop)

    def prepare(
        self, values: Mapping[str, t.Any], catalog: dict[str, t.Any] | None, *, checked: bool
    ) -> None:
        """Make ready what the streams need, before the SDK asks for them.

        Args:
            values: Setting to value.
            catalog: Of the right form, to be changed in place; None when there is none.
            checked: Whether the settings fit; if not, this is a discovery.

        Raises:
            ConfigError: When settings or catalog cannot be used.
        """

    def make_writer(self, values: Mapping[str, t.Any]) -> BlockWriter:  # noqa: ARG002 - a hook
        """Make what writes messages to standard output.

        Args:
            values: Setting to value; they fit.

        Returns:
            A writer of its own.

        Raises:
            ConfigError: When the settings cannot be used.
        """
        return self.message_writer_class()

    def shown(self) -> contextlib.AbstractContextManager[None]:
        """Show on standard error how far the run is, and what it has done however it ends."""
        return contextlib.nullcontext()

    def start(self) -> None:
        """Make sure, before the first request of a run, that what it reads can be written.

        Raises:
            AutomateError: When it cannot.
        """

    def finish(self) -> None:
        """End a run in which every stream was read.

        Raises:
            AutomateError: When something was left out.
        """

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: t.Any = None,  # noqa: ANN401 - the SDK's private type
        state: t.IO[str] | None = None,
        catalog: t.IO[str] | None = None,
    ) -> None:
        """Run as the command line asks.

        Args:
            about: Print what the tap is and its settings, then end.
            about_format: `json` or `markdown`.
            config: Settings from files, and whether the environment counts.
            state: The state file.
            catalog: The catalog file.

        Raises:
            ConfigError: When a file is not JSON, or what it holds cannot be used.
            StoppedError: When a signal ended the run.
        """
        if about:
            cls.print_about(about_format)
            return
        cls.print_version(print_fn=cls.logger.info)
        cls.logger.info("Run %s", log_fields.run_id())
        with cls.recorded(config) as record:
            tap = cls(
                config=config.config if config else {},
                parse_env_config=bool(config and config.parse_env),
                state=inputs.read_json(state, empty_is_none=True),
                catalog=inputs.read_json(catalog),
            )
            record(tap)
            tap.start()
            with tap.shown():
                tap.sync_all()
                tap.finish()

    def load_state(self, state: dict[str, t.Any]) -> None:
        """Take over the state of the run before.

        Raises:
            ConfigError: When it cannot be used.
        """
        inputs.check_state(state)
        super().load_state(state)

    def stopped(self) -> StoppedError:
        """Return the error that ends the run with 128 and the signal, once `stop` is set."""
        return StoppedError(128 + (self._stopped_by or signal.SIGTERM))

    def _ask_to_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop at the next safe point; a second signal ends the process at once."""
        del frame
        self._stopped_by = signum
        self.stop.set()
        signal.signal(signum, signal.SIG_DFL)
