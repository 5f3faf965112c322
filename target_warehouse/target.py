"""target-warehouse: the Singer target, its settings, and when it writes."""

from __future__ import annotations

import gc
import os
import time
import typing as t
from collections import defaultdict

from singer_sdk import typing as th
from singer_sdk.exceptions import ConfigValidationError, StreamMapConfigError
from singer_sdk.helpers.capabilities import (
    ACTIVATE_VERSION_CONFIG,
    ADD_RECORD_METADATA_CONFIG,
    FLATTENING_CONFIG,
    STREAM_MAPS_CONFIG,
    PluginCapabilities,
)

from automate_api import settings
from automate_api.errors import ConfigError, StoppedError
from automate_api.program import quiet, run
from target_warehouse.names import AS_IS, SNAKE_CASE, folded
from target_warehouse.reader import MessageReader
from target_warehouse.sdk_seams import SeamedTarget
from target_warehouse.sink import Tally, WarehouseSink
from target_warehouse.warehouse import Warehouse

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from singer_sdk.helpers.capabilities import CapabilitiesEnum

DRAIN_SECONDS: t.Final = 10.0
DRAIN_BYTES: t.Final = 64 << 20
"""Bytes of input after which a drain follows in any case: wide records stay in bounds."""

GARBAGE_THRESHOLD: t.Final = 100_000
"""Containers between two searches for garbage in circles, of which records have none.

Measured over 200 k records of 32 fields: 2.3 s in place of 2.8 s with Python's 700.
"""

CLOCK_EVERY: t.Final = 256
"""Records between two looks at the clock."""


class TargetWarehouse(SeamedTarget):
    """Loads any Singer stream into a DuckDB file."""

    name = "target-warehouse"
    package_name = "automate-dms"
    default_sink_class = WarehouseSink
    message_reader_class = MessageReader

    capabilities: t.ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.STRUCTURED_LOGGING,
        PluginCapabilities.ACTIVATE_VERSION,
        PluginCapabilities.BATCH,
    ]

    config_jsonschema: t.ClassVar[dict[str, t.Any]] = th.PropertiesList(
        th.Property(
            "filepath",
            th.StringType(min_length=1),
            required=True,
            title="File",
            description="The DuckDB file; it and its directories are made where there are none.",
        ),
        th.Property(
            "schema",
            th.StringType(min_length=1),
            default="main",
            title="Schema",
            description="The schema inside the file for all tables; made where there is none.",
        ),
        th.Property(
            "column_names",
            th.StringType(),
            default=AS_IS,
            allowed_values=[AS_IS, SNAKE_CASE],
            title="Names of columns and tables",
            description="`as_is` keeps the tap's names, `snake_case` makes vehicleId vehicle_id.",
        ),
        th.Property(
            "load_method",
            th.StringType(),
            default="upsert",
            allowed_values=["upsert", "append-only"],
            title="Load method",
            description=(
                "`upsert` keeps the last version of each key and appends streams without a key; "
                "`append-only` adds every record as a row of its own."
            ),
        ),
        th.Property(
            "batch_size_rows",
            th.IntegerType(minimum=1),
            default=50_000,
            title="Batch size",
            description=(
                "Rows, over all streams, after which everything is committed and STATE is written; "
                "10 seconds or 64 MiB of input do the same."
            ),
        ),
    ).to_dict()

    def __init__(  # noqa: PLR0913 - the SDK's arguments and a clock
        self,
        *,
        config: Mapping[str, t.Any] | None = None,
        parse_env_config: bool = False,
        validate_config: bool = True,
        setup_mapper: bool = True,
        message_reader: MessageReader | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Check the settings; the file is opened with the first SCHEMA.

        Args:
            config: Settings.
            parse_env_config: Take `TARGET_WAREHOUSE_*` from the environment as well; they win.
            validate_config: Refuse settings that do not fit.
            setup_mapper: Read the stream maps.
            message_reader: Where messages come from.
            clock: Seconds, for the drain every ten of them.

        Raises:
            ConfigError: When the settings cannot be used.
        """
        schema = self.settings_schema()
        # null means unset: every setting but the file has a default.
        given = {name: value for name, value in (config or {}).items() if value is not None}
        prefix = "TARGET_WAREHOUSE_" if parse_env_config else None
        values = settings.resolve(schema, given, prefix=prefix)
        if validate_config:
            settings.check(schema, values, program=self.name)
            for sentence in settings.unknown(schema, values):
                self.logger.warning(sentence)
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self._warehouse: Warehouse | None = None
        self._tables: dict[str, str] = {}
        self.stopped = None
        self._routes = {}
        self._aliases = {}
        self._written_state = None
        self._clock = clock
        self._drained_at = clock()
        self._records_pending = 0
        self._bytes_drained = 0
        try:
            with quiet():
                super().__init__(
                    config=values,
                    validate_config=False,
                    setup_mapper=setup_mapper,
                    message_reader=message_reader,
                )
        except (StreamMapConfigError, ConfigValidationError) as error:
            details = getattr(error, "errors", None) or [str(error)]
            problems = "; ".join(details)
            msg = f"{self.name}: the stream maps or flattening cannot be used: {problems}"
            raise ConfigError(msg) from None
        self.max_parallelism = 1  # one connection writes; threads would only wait for each other
        self.message_reader.on_wait = self._drain_if_due
        self._batch_size: int = self.config["batch_size_rows"]

    @classmethod
    def settings_schema(cls) -> dict[str, t.Any]:
        """List all settings, ours and the SDK's own that fit.

        Returns:
            A JSON Schema.
        """
        cls.append_builtin_config(cls.config_jsonschema)
        return cls.config_jsonschema

    @classmethod
    def append_builtin_config(cls, config_jsonschema: dict[str, t.Any]) -> None:
        """Add the SDK's settings that fit: metadata columns, versions, stream maps, flattening.

        `validate_records` does not (conversion is the validation), nor does `batch_config` (a BATCH
        message says itself how its files are written).

        Args:
            config_jsonschema: The settings, changed in place.
        """
        for builtin in (
            ADD_RECORD_METADATA_CONFIG,
            ACTIVATE_VERSION_CONFIG,
            STREAM_MAPS_CONFIG,
            FLATTENING_CONFIG,
        ):
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
        """
        if about:
            cls.print_about(about_format)
            return
        target = cls(
            config=config.config if config else {},
            parse_env_config=bool(config and config.parse_env),
        )
        try:
            target.listen(file_input)
        except Exception as error:
            stopped = error if isinstance(error, StoppedError) else target.stopped
            if stopped is None:
                raise
            target.write_settled_state()
            raise stopped from None
        finally:
            target.close()

    def open_warehouse(self) -> Warehouse:
        """Open the warehouse, once.

        Returns:
            The warehouse.
        """
        if self._warehouse is None:
            path = settings.path("filepath", os.path.expandvars(self.config["filepath"]))
            self._warehouse = Warehouse(path, self.config["schema"])
        return self._warehouse

    def claim_table(self, table: str, stream: str) -> None:
        """Give a table to a stream.

        Args:
            table: The table's name.
            stream: Whose records it is to hold.

        Raises:
            ConfigError: When another stream of this run has it.
        """
        if (other := self._tables.setdefault(folded(table), stream)) != stream:
            msg = (
                f"The streams {other!r} and {stream!r} would both be the table {table!r}, as "
                "DuckDB does not tell capitals from small letters. Rename one with stream_maps: "
                f'{{"{stream}": {{"__alias__": "..."}}}}'
            )
            raise ConfigError(msg)

    def record_taken(self) -> None:
        """Drain when enough rows, bytes or seconds have come together."""
        self._records_pending += 1
        if self._records_pending >= self._batch_size:
            self.drain()
        elif not self._records_pending % CLOCK_EVERY:
            if self.message_reader.bytes_read - self._bytes_drained >= DRAIN_BYTES:
                self.drain()
            else:
                self._drain_if_due()

    def drain(self) -> None:
        """Commit everything that was taken, then write the STATE that stands for it."""
        if self.stopped is not None:
            raise self.stopped
        self.drain_all()
        self._records_pending = 0
        self._bytes_drained = self.message_reader.bytes_read
        self._drained_at = self._clock()

    def process_endofpipe(self) -> None:
        """Commit the rest, delete older versions, and say which fields were not stored."""
        self.commit()
        for sink in self.active_sinks():
            sink.finish()
        super().process_endofpipe()
        for stream, tally in self.tallies.items():
            if fields := tally.unknown_fields:
                counts = ", ".join(f"{field} ({count})" for field, count in sorted(fields.items()))
                self.logger.warning(
                    "Stream %r: fields that its SCHEMA does not name were not stored (records): %s",
                    stream,
                    counts,
                )
        self.close()

    def write_settled_state(self) -> None:
        """Write the last STATE if every record before it is committed."""
        if not self._records_pending:
            self.write_latest_state()

    def close(self) -> None:
        """Close the file."""
        if self._warehouse is not None:
            self._warehouse.close()
            self._warehouse = None

    def _drain_if_due(self) -> None:
        if self.stopped is not None or self._clock() - self._drained_at >= DRAIN_SECONDS:
            self.drain()


def main() -> t.NoReturn:
    """Run `target-warehouse`."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    run(TargetWarehouse.cli, name=TargetWarehouse.name)
