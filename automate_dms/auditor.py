"""All streams of a tap against one warehouse."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import logging
import typing as t

from automate_api.errors import (
    AutomateError,
    ConfigError,
    NotEntitledError,
    NotOfferedError,
    StoppedError,
)
from tap_automate.audit.comparison import Audit
from tap_automate.audit.findings import Findings, Span
from tap_automate.audit.fixes import StreamFixes
from tap_automate.audit.source import Source
from tap_automate.bookmark import Bookmark
from tap_automate.filters import active
from tap_automate.instants import from_seconds, to_microseconds
from tap_automate.reading.windows import MICROSECONDS, UncertifiableError
from tap_automate.streams import REPLICATION_KEY, ROOFTOP, STREAMS
from target_warehouse.holdings import Holdings
from target_warehouse.layout import Layout, TablePlace

if t.TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    import duckdb

    from tap_automate.resources import ResourceStream
    from tap_automate.tap import TapAutomate

COLUMNS: t.Final = (
    "stream",
    "buckets",
    "read",
    "differing",
    "DMS rows",
    "warehouse rows",
    "newer",
    "missing",
    "stale",
    "vanished",
    "requests",
)

logger = logging.getLogger(__name__)


@dataclasses.dataclass(slots=True)
class Outcome:
    """What the table says of a stream."""

    stream: str
    findings: Findings = dataclasses.field(default_factory=Findings)
    undated: int = 0
    requests: int = 0

    def row(self) -> tuple[t.Any, ...]:
        """Return it in the order of `COLUMNS`."""
        found = self.findings
        return (
            self.stream,
            found.buckets,
            found.read,
            found.differing,
            found.dms_rows,
            found.warehouse_rows,
            found.newer,
            found.missing,
            found.stale,
            found.vanished,
            self.requests,
        )

    def notes(self) -> Iterator[str]:
        """Say what the numbers do not."""
        found = self.findings
        if found.too_many:
            yield (
                f"'{self.stream}': {found.vanished:,} rows of the warehouse are not in the DMS any "
                "more. That many at once looks like an entitlement or a filter that has changed, "
                "so none is taken for deleted and nothing is written of them. Compare the login's "
                "entitlements, `rooftop_ids` and `endpoints` with those of the load. If they have "
                f"been deleted, audit again with --accept-vanished {self.stream}."
            )
        if found.older:
            yield (
                f"'{self.stream}': the DMS has {found.older:,} rows from before the oldest in the "
                "warehouse. If they belong there, audit again with an earlier --from; if they do "
                "not, say from when on with --from or `start_date`."
            )
        if found.unloaded:
            yield (
                f"'{self.stream}': the warehouse has no rows, and the DMS has {found.unloaded:,}. "
                "Audit again with --state or --from to have them written, or load the stream from "
                "the start."
            )
        if found.hidden:
            yield (
                f"'{self.stream}': {found.hidden:,} rows of the warehouse are in no list of the "
                "DMS, and can still be read by their key. They are left as they are."
            )
        if self.undated:
            yield (
                f"'{self.stream}': {self.undated:,} rows of the warehouse have no "
                f"`{REPLICATION_KEY}` and are not compared."
            )


class Auditor:
    """All streams of one tap against one warehouse."""

    def __init__(
        self,
        tap: TapAutomate,
        connection: duckdb.DuckDBPyConnection,
        place: TablePlace,
        write: Callable[[bytes], object] | None,
        accepted: Collection[str] = (),
    ) -> None:
        """Begin.

        Args:
            tap: With its settings, and the state if there is one.
            connection: The open warehouse.
            place: Its file and schema.
            write: Takes the messages that repair it.
            accepted: Streams of which many may have been deleted at once.
        """
        self._tap = tap
        # Asking a stream for its state makes one.
        self._has_state = bool(tap.state)
        self._connection = connection
        self._place = place
        self._write = write
        self._accepted = accepted

    def run(self, names: tuple[str, ...], start: int | None, end: int | None) -> list[Outcome]:
        """Compare every stream that has a table; say which have none.

        Args:
            names: Only these; none for all.
            start: As `Span` has it.
            end: As `Span` has it.

        Raises:
            ConfigError: When no stream has a table, or one that was named has none, or none that
                can be compared.
            AutomateError: When none could be compared.
            StoppedError: When a signal came.
        """
        setting = self._tap.config.get("start_date")
        if start is None and setting:
            start = to_microseconds(setting) // MICROSECONDS
        streams = self._comparable(self._streams(names), named=bool(names))
        families = [(stream, self._layouts(stream)) for stream in streams]
        absent = [stream.name for stream, layouts in families if stream.name not in layouts]
        if absent:
            msg = (
                f"{self._place.path} has no table of {', '.join(map(repr, absent))} in schema "
                f"{self._place.schema!r} that has the stream's key and `{REPLICATION_KEY}`."
            )
            advice = "Name the schema with --schema, or load them first."
            _leave_out(msg, advice, refused=bool(names) or len(absent) == len(families))
        there = [(stream, layouts) for stream, layouts in families if stream.name in layouts]
        outcomes = [self._outcome(stream, layouts, Span(start, end)) for stream, layouts in there]
        if not any(outcomes):
            msg = "No stream could be compared; the lines before say why."
            raise AutomateError(msg)
        return [outcome for outcome in outcomes if outcome is not None]

    def _streams(self, names: tuple[str, ...]) -> list[ResourceStream]:
        chosen = names or [declaration.name for declaration in STREAMS]
        return [t.cast("ResourceStream", self._tap.streams[name]) for name in dict.fromkeys(chosen)]

    def _comparable(self, streams: list[ResourceStream], *, named: bool) -> list[ResourceStream]:
        """Leave those out that cannot be compared.

        Of a filtered stream, a row that has left the filter looks like one that was deleted, and
        the table may hold what was loaded without the filter or with another.
        """
        settings = {stream.name: active(stream.declaration, self._tap.config) for stream in streams}
        filtered = [name for name, found in settings.items() if found]
        if filtered:
            names = [f"`{each}`" for name in filtered for each in settings[name]]
            leave = "leaves" if len(names) == 1 else "leave"
            msg = (
                f"{' and '.join(names)} {leave} rows of {', '.join(map(repr, filtered))} out, and "
                "a row that has come to be left out cannot be told from one that was deleted."
            )
            advice = "Audit without the setting, or name other streams with --stream."
            _leave_out(msg, advice, refused=named or len(filtered) == len(streams))
            streams = [stream for stream in streams if stream.name not in filtered]
        maps = self._tap.config.get("stream_maps") or {}
        changed = [stream.name for stream in streams if _changes(maps, stream)]
        if changed:
            msg = (
                f"`stream_maps` changes the key or `{REPLICATION_KEY}` of "
                f"{', '.join(map(repr, changed))}, by which rows are compared with the DMS."
            )
            advice = "Name other streams with --stream."
            _leave_out(msg, advice, refused=named or len(changed) == len(streams))
        return [stream for stream in streams if stream.name not in changed]

    def _outcome(
        self, stream: ResourceStream, layouts: Mapping[str, Layout], span: Span
    ) -> Outcome | None:
        """Compare a stream; None when it is not to be had."""
        outcome = Outcome(stream.name)
        lacks: object = None
        try:
            lacks = stream.unavailable()
            if not lacks:
                self._compare(stream, layouts, span, outcome)
        except (NotEntitledError, NotOfferedError) as error:
            lacks = error
        except StoppedError:
            code = self._tap.stopped().exit_code
            raise StoppedError(code, then="the audit is not complete, so run it again") from None
        except UncertifiableError as error:
            raise stream.uncertified(error, "Run again later.") from None
        if lacks:
            logger.warning("Skipping '%s': %s", stream.name, lacks)
            return None
        return outcome

    def _compare(
        self,
        stream: ResourceStream,
        layouts: Mapping[str, Layout],
        span: Span,
        outcome: Outcome,
    ) -> None:
        now = from_seconds(int(self._tap.client.server_time().timestamp()))
        if stream.partitions and layouts[stream.name].column(ROOFTOP) is None:
            msg = (
                f"The table of stream '{stream.name}' has no column for `{ROOFTOP}`, by which its "
                "rows are told apart with `rooftop_ids`. Audit without that setting, or other "
                "streams with --stream."
            )
            raise ConfigError(msg)
        for context in [*(stream.partitions or ())] or [None]:
            holdings = Holdings(
                self._connection,
                layouts[stream.name],
                keys=stream.primary_keys,
                dated=REPLICATION_KEY,
                only=context or {},
            )
            source = Source(self._tap, stream, context)
            fixes = (
                StreamFixes(stream, layouts, holdings, self._write, now) if self._write else None
            )
            bookmark = Bookmark.from_state(
                dict(stream.get_context_state(context)), overlap_seconds=0, name=stream.name
            )
            span = dataclasses.replace(
                span,
                loaded=bookmark.second,
                has_state=self._has_state,
                accepts_vanished=stream.name in self._accepted,
            )
            try:
                outcome.findings.add(Audit(source, holdings, fixes).run(span))
            finally:
                if fixes:
                    fixes.tell()
                outcome.requests += source.requests
                outcome.undated += holdings.undated
                holdings.close()

    def _layouts(self, stream: ResourceStream) -> dict[str, Layout]:
        """Find the tables of a stream and of its lines, whatever stream maps have named them."""
        found: dict[str, Layout] = {}
        for member in stream.members():
            alias = member.stream_maps[0].stream_alias
            place = dataclasses.replace(self._place, stream=alias)
            with contextlib.suppress(LookupError):
                layout = Layout(self._connection, place, dated=str(member.replication_key))
                for name in member.primary_keys:
                    layout.required(name)
                found[member.name] = layout
        return found


def _changes(maps: Mapping[str, t.Any], stream: ResourceStream) -> bool:
    """Tell whether a stream map gives the key or the time of a stream another value."""
    return any(
        definition.get(name, name) != name
        for pattern, definition in maps.items()
        if isinstance(definition, dict) and fnmatch.fnmatch(stream.name, pattern)
        for name in (*stream.primary_keys, REPLICATION_KEY)
    )


def _leave_out(why: str, advice: str, *, refused: bool) -> None:
    """Say that streams are not compared; refuse them where somebody named them, or none is left."""
    if refused:
        msg = f"{why} {advice}"
        raise ConfigError(msg)
    logger.warning("Not compared: %s", why)
