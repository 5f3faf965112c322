"""A target as a program: its settings, its command line, and how a signal ends it."""

from __future__ import annotations

import abc
import typing as t

from singer_sdk.exceptions import ConfigValidationError, StreamMapConfigError
from singer_sdk.helpers.capabilities import FLATTENING_CONFIG, STREAM_MAPS_CONFIG
from singer_sdk.target_base import Target

from automate_api import log_fields
from automate_api.errors import ConfigError, StoppedError
from automate_api.program import quiet
from automate_singer.configured import Configured
from automate_singer.reader import MessageReader

if t.TYPE_CHECKING:
    from collections.abc import Mapping


class CommandTarget(Configured, Target, abc.ABC):
    """A target whose mistakes in use are explained, and whose signals have their exit codes.

    Attributes:
        builtin_settings: The SDK's own settings that the target has, as the SDK declares them.
        stopped: What a signal asked for, from then on.
    """

    builtin_settings: t.ClassVar[tuple[dict[str, t.Any], ...]] = (
        STREAM_MAPS_CONFIG,
        FLATTENING_CONFIG,
    )
    message_reader_class = MessageReader
    message_reader: MessageReader
    stopped: StoppedError | None

    def __init__(
        self,
        *,
        config: Mapping[str, t.Any] | None = None,
        parse_env_config: bool = False,
        validate_config: bool = True,
        setup_mapper: bool = True,
        message_reader: MessageReader | None = None,
    ) -> None:
        """Check the settings and the stream maps; from here on signals count.

        Args:
            config: Settings; null means unset.
            parse_env_config: Take settings from the environment as well; they win.
            validate_config: Refuse settings that do not fit.
            setup_mapper: Read the stream maps.
            message_reader: Where messages come from.

        Raises:
            ConfigError: When the settings or the stream maps cannot be used.
        """
        schema = self.settings_schema()
        given = {name: value for name, value in (config or {}).items() if value is not None}
        values = self.read_settings(
            schema, given, from_environment=parse_env_config, checked=validate_config
        )
        self.stopped = None
        # Before the SDK sets up the signals, of which the reader is told.
        self.message_reader = message_reader or self.message_reader_class()
        try:
            with quiet():
                super().__init__(
                    config=values,
                    validate_config=False,
                    setup_mapper=setup_mapper,
                    message_reader=self.message_reader,
                )
        except (StreamMapConfigError, ConfigValidationError) as error:
            details = "; ".join(getattr(error, "errors", None) or [str(error)])
            msg = f"{self.name}: the stream maps or flattening cannot be used: {details}"
            raise ConfigError(msg) from None

    @classmethod
    def settings_schema(cls) -> dict[str, t.Any]:
        """List all settings, the target's own and those of the SDK that it has.

        Returns:
            A JSON Schema.
        """
        cls.append_builtin_config(cls.config_jsonschema)
        return cls.config_jsonschema

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, t.Any]) -> None:
        """Add the settings of the SDK that the target has, and none of the others.

        Args:
            config_jsonschema: The settings, changed in place.
        """
        for builtin in cls.builtin_settings:
            for name, declared in builtin["properties"].items():
                config_jsonschema["properties"].setdefault(name, declared)

    @classmethod
    def invoke(  # type: ignore[override]
        cls,
        *,
        about: bool = False,
        about_format: str | None = None,
        config: t.Any = None,  # noqa: ANN401 - the SDK's private type
        file_input: t.IO[str] | None = None,
    ) -> None:
        """Run the target, as its command line says.

        Args:
            about: Print what it is and its settings, then end.
            about_format: `json` or `markdown`.
            config: Settings from files, and whether the environment counts.
            file_input: Messages; standard input unless given.

        Raises:
            StoppedError: When a signal ended the run, whatever error came of that.
        """
        if about:
            cls.print_about(about_format)
            return
        cls.logger.info("Run %s", log_fields.run_id())
        with cls.recorded(config) as record:
            target = cls(
                config=config.config if config else {},
                parse_env_config=bool(config and config.parse_env),
            )
            record(target)
            target.run(file_input)

    def run(self, file_input: t.IO[str] | None) -> None:
        """Take all messages, and let go of what is open however that ends.

        Args:
            file_input: Messages; standard input unless given.

        Raises:
            StoppedError: When a signal ended the run, whatever error came of that.
        """
        try:
            self.listen(file_input)
        except Exception as error:
            stopped = error if isinstance(error, StoppedError) else self.stopped
            if stopped is None:
                raise
            self.settle()
            raise stopped from None
        finally:
            self.close()

    def interrupt(self, stopped: StoppedError) -> None:
        """React to a signal, inside its handler, at each one; `self.stopped` is set already.

        Unless overridden, it has the reader raise before the next message, or at once where it
        waits for one. A handler interrupts the main thread anywhere, so it must take no lock that
        the main thread may hold: `threading.Event.set`, for one, does. What is done after the last
        message has to look at `stopped` itself.

        Args:
            stopped: What the run is to end with.
        """
        self.message_reader.stop(stopped)

    def settle(self) -> None:
        """Bring what is under way to a safe end, and write the STATE that stands.

        `invoke` calls it, outside the handler, once a signal has ended the run by an error.
        """

    def close(self) -> None:
        """Let go of what is open; `invoke` calls it however the run ends."""
