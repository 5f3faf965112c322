"""The Singer tap: command line, settings, and what its streams share."""

from __future__ import annotations

import functools
import io
import json
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
from tap_automate.bookmark import Bookmark
from tap_automate.instants import to_microseconds
from tap_automate.privacy import DEFAULTS, Privacy
from tap_automate.resources import stream_types
from tap_automate.writer import BlockWriter

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import FrameType

    import click
    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum

TAP_SETTINGS: t.Final[dict[str, t.Any]] = {
    "start_date": {
        "type": "string",
        "format": "date-time",
        "title": "Start date",
        "description": (
            "First load: rows changed at or after this instant (ISO 8601). Everything unless set."
        ),
    },
    "end_date": {
        "type": "string",
        "format": "date-time",
        "title": "End date",
        "description": (
            "Backfill: rows changed before this instant. Bookmarks are neither read nor moved."
        ),
    },
    "rooftop_ids": {
        "type": "array",
        "items": {"type": "string"},
        "title": "Rooftops",
        "description": (
            "Only these rooftops, each with a bookmark of its own, so that one added later brings "
            "its history. Rows without a rooftop are not among them."
        ),
    },
    "page_size": {
        "type": "integer",
        "minimum": 1,
        "default": 200,
        "title": "Page size",
        "description": "Rows to ask for in one request; the server may give fewer.",
    },
    "cooldown_seconds": {
        "type": "integer",
        "minimum": 0,
        "default": 60,
        "title": "Cool-down",
        "description": (
            "Seconds before the server's now that are left to the next run, because a change may "
            "become visible that much after its updatedAt. At least 2 are kept."
        ),
    },
    "overlap_seconds": {
        "type": "integer",
        "minimum": 0,
        "default": 900,
        "title": "Overlap",
        "description": (
            "Seconds before the bookmark that are read again for rows that became visible later "
            "still; rows already emitted are left out. At least 2 are kept."
        ),
    },
    "pii": {
        "type": "object",
        "additionalProperties": {"enum": ["keep", "drop", "hash"]},
        "default": {},
        "title": "Personal data",
        "description": (
            "Field to keep, drop or hash, for the fields that the contract marks as personal. "
            + " and ".join(DEFAULTS)
            + " are dropped unless named here."
        ),
    },
    "pii_key": {
        "type": "string",
        "minLength": 16,
        "secret": True,
        "title": "Key of the hashes",
        "description": "Key of the HMAC-SHA256 that replaces a hashed field.",
    },
}


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
        redaction.install()
        redaction.register_settings(schema, values)
        if validate_config:
            found = [*settings.problems(schema, values), *_date_problems(values)]
            settings.refuse(found, program=self.name)
            ApiConfig.from_settings(values, program=self.name)
        self.contract = contract.load()
        self.privacy = Privacy(
            values.get("pii") or {}, values.get("pii_key"), self.contract.pii_fields
        )
        self.stop = threading.Event()
        self._stopped_by: int | None = None
        try:
            super().__init__(config=values, validate_config=False, **options)
        except MappingError as error:
            msg = f"{self.name}: `stream_maps` cannot be used: {error}"
            raise ConfigError(msg) from None
        self._check_catalog()
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
        files = [source for source in value if source != settings.ENVIRONMENT]
        settings.from_sources(cls.config_jsonschema, files, prefix="")
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
        super().invoke(
            state=_json_file(state), catalog=_catalog_file(_json_file(catalog)), **options
        )

    def load_state(self, state: dict[str, t.Any]) -> None:
        """Take over the state of the run before.

        Raises:
            ConfigError: When it does not have the form of Singer state, or a bookmark is none.
        """
        bookmarks: object = state.get("bookmarks") if state else {}
        if not isinstance(bookmarks, dict) or not all(map(_is_bookmark, bookmarks.values())):
            msg = (
                'The state cannot be used: expected {"bookmarks": {"<stream>": {...}}}. Give the '
                "last state that this tap wrote, or none to load from the start."
            )
            raise ConfigError(msg)
        for name in bookmarks.keys() & self.streams.keys():
            for bookmark in (bookmarks[name], *bookmarks[name].get("partitions", ())):
                Bookmark.from_state(bookmark, overlap_seconds=0, name=name)
        super().load_state(state)

    def _check_catalog(self) -> None:
        catalog = self.input_catalog
        unknown = sorted(set(catalog) - set(self.streams)) if catalog is not None else []
        if unknown:
            msg = (
                f"The catalog names streams that this tap does not have: {', '.join(unknown)}. "
                f"It has {', '.join(self.streams)}. "
                f"Make a new catalog with `{self.name} --discover`."
            )
            raise ConfigError(msg)

    def _ask_to_stop(self, signum: int, frame: FrameType | None) -> None:
        """Stop at the next safe point; a second signal ends the process at once."""
        del frame
        self._stopped_by = signum
        self.stop.set()
        signal.signal(signum, signal.SIG_DFL)

    def stopped(self) -> StoppedError:
        """Return the error that ends the run with 128 and the signal, once `stop` is set."""
        return StoppedError(128 + (self._stopped_by or signal.SIGTERM))


def _date_problems(values: Mapping[str, t.Any]) -> Iterator[str]:
    """Say which limits in time are none, or exclude each other."""
    limits = {}
    for name in ("start_date", "end_date"):
        value = values.get(name)
        try:
            limits[name] = to_microseconds(value) if isinstance(value, str) else None
        except ValueError:
            yield f"`{name}` must be an instant such as 2026-01-20 or 2026-01-20T13:45:00Z"
    start, end = limits.get("start_date"), limits.get("end_date")
    if start is not None and end is not None and end <= start:
        yield "`end_date` must be later than `start_date`"


def _json_file(file: t.IO[str] | None) -> io.StringIO | None:
    """Return a file's content; the SDK would answer anything but JSON with a traceback."""
    if file is None:
        return None
    content = file.read()
    try:
        is_object = isinstance(json.loads(content), dict)
    except ValueError:
        is_object = False
    if not is_object:
        msg = (
            f"{file.name} is not a JSON object; expected a state or catalog as this tap writes it."
        )
        raise ConfigError(msg) from None
    return io.StringIO(content)


def _catalog_file(file: io.StringIO | None) -> io.StringIO | None:
    """Hold a catalog to its form; the SDK would take a strange one for an empty selection."""
    if file is None:
        return None
    streams = json.loads(file.getvalue()).get("streams")
    if not isinstance(streams, list) or not all(map(_is_entry, streams)):
        msg = (
            'The catalog cannot be used: expected {"streams": [{"tap_stream_id": "<stream>", '
            '"schema": {...}, "metadata": [...]}]}. '
            f"Make a new one with `{TapAutomate.name} --discover`."
        )
        raise ConfigError(msg)
    return file


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("tap_stream_id"), str)
        and isinstance(entry.get("schema", {}), dict)
        and isinstance(entry.get("metadata", []), list)
    )


def _is_bookmark(bookmark: object) -> bool:
    if not isinstance(bookmark, dict):
        return False
    partitions = bookmark.get("partitions", [])
    return isinstance(partitions, list) and all(isinstance(part, dict) for part in partitions)


def main() -> t.NoReturn:
    """Run `tap-automate`."""
    program.run(TapAutomate.cli, name=TapAutomate.name)
