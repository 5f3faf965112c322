"""The Singer tap: command line, settings, and what its streams share."""

from __future__ import annotations

import functools
import signal
import threading
import typing as t

from singer_sdk import Tap
from singer_sdk.exceptions import MappingError
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities

from automate_api import contract, program, redaction, settings
from automate_api.client import Client
from automate_api.config import REQUIRED, SETTINGS, ApiConfig
from automate_api.errors import ConfigError, StoppedError
from automate_api.session import Session
from tap_automate import inputs
from tap_automate.config import TAP_SETTINGS, problems
from tap_automate.privacy import Privacy
from tap_automate.resources import stream_types
from tap_automate.streams import stream_names
from tap_automate.writer import BlockWriter

if t.TYPE_CHECKING:
    from types import FrameType

    import click
    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum


class TapAutomate(Tap):
    """Auto/Mate DMS: vehicles, customers, deals, repair orders, GL entries; incremental, exact."""

    name = "tap-automate"
    package_name = "automate-dms"
    message_writer_class = BlockWriter
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = {
        "type": "object",
        "properties": {**SETTINGS, **TAP_SETTINGS},
        "required": list(REQUIRED),
    }
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
        parse_env_config: bool = False,
        validate_config: bool = True,
        **options: t.Any,  # noqa: ANN401 - the SDK's own
    ) -> None:
        """Read, check and complete the settings; the SDK's own check would print their values.

        Args:
            config: The settings of the configuration files.
            parse_env_config: Whether `TAP_AUTOMATE_*` variables come on top.
            validate_config: False for discovery, which needs no settings.
            options: Catalog, state and the rest, as the SDK takes them.

        Raises:
            ConfigError: When settings, catalog or state cannot be used.
        """
        schema = self.config_jsonschema
        self.append_builtin_config(schema)
        values = settings.resolve(
            schema, config or {}, prefix="TAP_AUTOMATE_" if parse_env_config else None
        )
        redaction.register_settings(schema, values)
        if validate_config:
            found = [*settings.problems(schema, values), *problems(values, stream_names())]
            settings.refuse(found, program=self.name)
            for sentence in settings.unknown(schema, values):
                self.logger.warning(sentence)
            self.api = ApiConfig.from_settings(values, program=self.name)
        inputs.check_catalog(options.get("catalog"), stream_names())
        self.contract = contract.load()
        self.privacy = Privacy(
            values.get("pii") or {}, values.get("pii_key"), self.contract.pii_fields
        )
        self.stop = threading.Event()
        self._stopped_by: int | None = None
        try:
            with program.quiet():
                super().__init__(config=values, validate_config=False, **options)
        except MappingError as error:
            msg = f"{self.name}: `stream_maps` cannot be used: {error}"
            raise ConfigError(msg) from None
        inputs.check_streams(self.streams)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, self._ask_to_stop)
            signal.signal(signal.SIGTERM, self._ask_to_stop)

    @functools.cached_property
    def api(self) -> ApiConfig:
        """The settings that say how to reach the API."""
        return ApiConfig.from_settings(self.config, program=self.name)

    @functools.cached_property
    def session(self) -> Session:
        """The login, shared with every other process of the same user."""
        return Session(self.api, stop=self.stop)

    @functools.cached_property
    def client(self) -> Client:
        """What sends the requests of all streams."""
        return Client(self.api, self.session, stop=self.stop)

    def discover_streams(self) -> list[Stream]:
        """Return every stream of the table; needs no network."""
        return [stream_type(self) for stream_type in stream_types()]

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> t.Any:  # noqa: ANN401 - the SDK's private type
        """Read the configuration files.

        Raises:
            ConfigError: When one is missing or is not a JSON object.
        """
        with settings.explain_unreadable(value):
            return super().cb_config(ctx, param, value)

    @classmethod
    def invoke(
        cls,
        *,
        state: t.IO[str] | None = None,
        catalog: t.IO[str] | None = None,
        **options: t.Any,  # noqa: ANN401 - the SDK's own
    ) -> None:
        """Run as the command line asks.

        Args:
            state: The state file.
            catalog: The catalog file.
            options: Configuration and the rest, as the SDK takes them.

        Raises:
            ConfigError: When a file is not JSON, or what it holds cannot be used.
        """
        super().invoke(state=inputs.read_json(state), catalog=inputs.read_json(catalog), **options)

    def load_state(self, state: dict[str, t.Any]) -> None:
        """Take over the state of the run before.

        Raises:
            ConfigError: When it cannot be used.
        """
        inputs.check_state(state, self.streams)
        super().load_state(state)

    def _ask_to_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop at the next safe point; a second signal ends the process at once."""
        del frame
        self._stopped_by = signum
        self.stop.set()
        signal.signal(signum, signal.SIG_DFL)

    def stopped(self) -> StoppedError:
        """Return the error that ends the run with 128 and the signal, once `stop` is set."""
        return StoppedError(128 + (self._stopped_by or signal.SIGTERM))


def main() -> t.NoReturn:
    """Run `tap-automate`."""
    program.run(TapAutomate.cli, name=TapAutomate.name)
