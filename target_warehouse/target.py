"""target-warehouse: the Singer target, its settings, and when it writes."""

from __future__ import annotations

import datetime as dt
import os
import time
import typing as t
from collections import defaultdict

import pyarrow as pa
from singer_sdk import typing as th
from singer_sdk.helpers.capabilities import (
    ACTIVATE_VERSION_CONFIG,
    ADD_RECORD_METADATA_CONFIG,
    FLATTENING_CONFIG,
    STREAM_MAPS_CONFIG,
    PluginCapabilities,
)

from automate_api import settings
from automate_api.errors import ConfigError
from automate_api.program import run
from automate_singer import garbage
from automate_singer.metrics_file import METRICS_SETTINGS
from target_warehouse import measures
from target_warehouse.batch import Tally
from target_warehouse.freshness import Freshness
from target_warehouse.names import AS_IS, SNAKE_CASE, folded
from target_warehouse.sdk_seams import SeamedTarget
from target_warehouse.sink import WarehouseSink
from target_warehouse.warehouse import Warehouse

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from singer_sdk.helpers.capabilities import CapabilitiesEnum

    from automate_singer.metrics_file import Measure

ROW_GROUP: t.Final = 122_880
"""Rows that DuckDB stores together, and writes once when a transaction brings them all.

Measured, 370 k rows of 30 columns: 1.4 us of CPU a row, against 3.4 with 50,000 in a transaction,
where a checkpoint after each writes the last, unfinished group again.
"""

DRAIN_SECONDS: t.Final = 10.0
DRAIN_BYTES: t.Final = 128 << 20
"""Bytes of input, files of BATCH messages among it, after which a drain follows in any case: wide
records stay in bounds.
"""

CLOCK_EVERY: t.Final = 256
"""Records between two looks at the clock."""


class TargetWarehouse(SeamedTarget):
    """Loads any Singer stream into a DuckDB file."""

    name = "target-warehouse"
    package_name = "automate-dms"
    default_sink_class = WarehouseSink
    env_prefix = "TARGET_WAREHOUSE_"
    metrics_prefix = measures.PREFIX
    # Without `validate_records`, as conversion is the validation, and `batch_config`, as a BATCH
    # message says itself how its files are written.
    builtin_settings = (
        ADD_RECORD_METADATA_CONFIG,
        ACTIVATE_VERSION_CONFIG,
        STREAM_MAPS_CONFIG,
        FLATTENING_CONFIG,
    )

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
            default=ROW_GROUP,
            title="Batch size",
            description=(
                "Rows, over all streams, after which everything is committed and STATE is written; "
                "10 seconds or 128 MiB of input do the same."
            ),
        ),
    ).to_dict()
    config_jsonschema["properties"] |= METRICS_SETTINGS

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(tz=dt.UTC),
        **options: t.Any,  # noqa: ANN401 - `CommandTarget` names them
    ) -> None:
        """Check the settings; the file is opened with the first SCHEMA.

        Args:
            clock: Seconds, for the drain every ten of them.
            now: The time with its zone, which changes are compared with.
            options: As `CommandTarget` takes them.

        Raises:
            ConfigError: When the settings cannot be used.
        """
        self.tallies: defaultdict[str, Tally] = defaultdict(Tally)
        self.freshness = Freshness(now)
        self._warehouse: Warehouse | None = None
        self._tables: dict[str, str] = {}
        self._clock = clock
        self._drained_at = clock()
        self._records_pending = 0
        self._bytes_drained = 0
        super().__init__(**options)
        self.max_parallelism = 1  # one connection writes; threads would only wait for each other
        self.message_reader.on_wait = self._drain_if_due
        self._batch_size: int = self.config["batch_size_rows"]

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
        if self._records_pending >= self._batch_size or self._bytes_pending() >= DRAIN_BYTES:
            self.drain()
        elif not self._records_pending % CLOCK_EVERY:
            self._drain_if_due()

    def rows_taken(self, count: int, take: Callable[[int, int], None], size: int = 0) -> None:
        """Have rows taken that came together, draining as `record_taken` does.

        Args:
            count: How many there are.
            take: Gives those from one place to another to their sink.
            size: Bytes that they have in memory, when they came in a batch file.
        """
        start = 0
        while start < count:
            end = min(start + self._batch_size - self._records_pending, count)
            if size:
                room = max(DRAIN_BYTES - self._bytes_pending(), 1)
                end = min(end, start - (-room * count // size))
            take(start, end)
            self._records_pending += end - start
            self.file_bytes += size * (end - start) // count
            start = end
            if self._records_pending >= self._batch_size or self._bytes_pending() >= DRAIN_BYTES:
                self.drain()
        self._drain_if_due()

    def drain(self) -> None:
        """Commit everything that was taken, then write the STATE that stands for it."""
        if self.stopped is not None:
            raise self.stopped
        self.drain_all()
        self._records_pending = 0
        self._bytes_drained += self._bytes_pending()
        self._drained_at = self._clock()

    def process_endofpipe(self) -> None:
        """Commit the rest, delete older versions, note how fresh it is and what was not stored."""
        self.commit()
        for sink in self.active_sinks():
            sink.finish()
        super().process_endofpipe()
        if self._warehouse is not None:
            self.freshness.finish(self._warehouse)
        for stream, tally in self.tallies.items():
            if fields := tally.unknown_fields:
                counts = ", ".join(f"{field} ({count})" for field, count in sorted(fields.items()))
                self.logger.warning(
                    "Stream %r: fields that its SCHEMA does not name were not stored (records): %s",
                    stream,
                    counts,
                )
        self.close()

    def measured(self) -> Iterable[Measure]:
        """Give the run's figures."""
        return measures.measured(self.tallies, self.freshness)

    def settle(self) -> None:
        """Write the last STATE if every record before it is committed."""
        if not self._records_pending:
            self.write_latest_state()

    def close(self) -> None:
        """Close the file."""
        if self._warehouse is not None:
            self._warehouse.close()
            self._warehouse = None

    def _bytes_pending(self) -> int:
        return self.message_reader.bytes_read + self.file_bytes - self._bytes_drained

    def _drain_if_due(self) -> None:
        if self.stopped is not None or self._clock() - self._drained_at >= DRAIN_SECONDS:
            self.drain()


def main() -> t.NoReturn:
    """Run `target-warehouse`."""
    garbage.search_seldom()
    # Arrow's own allocator keeps what it has freed: measured, 345 MB at the peak against 300.
    pa.set_memory_pool(pa.system_memory_pool())
    run(TargetWarehouse.cli, name=TargetWarehouse.name)
