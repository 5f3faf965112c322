"""A resource of the API as a Singer stream.

From request to message: `plan` cuts time into windows, `harvest` knows which of their pages to ask
for, `fetching` has threads ask, `reader` and `codec` make rows of the answers, `windows` certifies
them, `bookmark` leaves out what was emitted before, `load` ties these together, with `passes` for
what no window shows, `cuts` and `blocks` make what is written, and `sdk_seams` writes it, then
state.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import typing as t

from automate_api.contract import stream_schema
from automate_api.errors import (
    AutomateError,
    NotEntitledError,
    NotOfferedError,
    RequestRefusedError,
    StoppedError,
    TryLaterError,
)
from tap_automate import filters
from tap_automate.blocks import blocks_of
from tap_automate.cuts import HistoryStream, LineStream
from tap_automate.downloads import fields as download_fields
from tap_automate.instants import from_seconds
from tap_automate.load import Load
from tap_automate.reading.codec import Codec
from tap_automate.reading.drift import Kind
from tap_automate.reading.reader import Reader
from tap_automate.reading.windows import UncertifiableError
from tap_automate.reporting import drift as reporting
from tap_automate.reporting import naming
from tap_automate.reporting.drift import Known
from tap_automate.reporting.figures import Oddities
from tap_automate.sdk_seams import FamilyStream, RowStream, Step
from tap_automate.streams import REPLICATION_KEY, STREAMS, Declaration, Files, Lines

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from automate_api.contract import Resource
    from tap_automate.partition import Narrowing
    from tap_automate.tap import TapAutomate


class ResourceStream(FamilyStream):
    """The records of one list call, read through certified windows."""

    declaration: t.ClassVar[Declaration]
    _skipped: bool = False
    _said: frozenset[str] = frozenset()

    def __init__(self, tap: TapAutomate) -> None:
        """Take key and schema from the contract."""
        self.tap = tap
        self.resource: Resource = tap.contract.resource(self.declaration.path)
        self.files = download_fields.wanted(self.declaration.files, tap.config)
        if self.files:
            schema = download_fields.with_place(self.resource.record_schema, self.files)
            self.resource = dataclasses.replace(self.resource, record_schema=schema)
        key = (*self.resource.key, REPLICATION_KEY)
        super().__init__(
            tap,
            name=self.declaration.name,
            schema=tap.privacy.schema(stream_schema(self.resource.record_schema, key=key)),
        )
        self.primary_keys = self.resource.key
        self.replication_key = REPLICATION_KEY

    @property
    def partitions(self) -> list[dict[str, t.Any]] | None:
        """One, with a bookmark of its own, for each rooftop and for what filters ask for."""
        return filters.partitions(self.declaration, self.config)

    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return nothing: the end of a certified window is the limit of the bookmark."""

    def get_batch_config(self, config: object) -> None:
        """Return nothing: rows are written as RECORD messages."""

    def steps(self, context: Context | None) -> Iterator[Step]:
        """Yield the rows of each certified window, or nothing when the stream is not to be had.

        Raises:
            RequestRefusedError: When a documented path is refused.
            TryLaterError: When an instant cannot be certified; what was yielded stands.
        """
        codec = self._codec
        try:
            if lacks := self.unavailable():
                self._skip(lacks)
            if self._skipped:
                return
            if self.ABORT_AT_RECORD_COUNT is None:
                yield from Load(self, context, codec).steps()
            else:
                yield self._sample(context, codec, self.ABORT_AT_RECORD_COUNT)
        except (NotEntitledError, NotOfferedError) as error:
            if self.resource.origin == "documented" and not self.is_elsewhere:
                raise
            if isinstance(error, NotOfferedError) and naming.has_rows(self._state):
                codec.drift.moved_paths.add(self.path)
            self._skip(error)
        except StoppedError:
            raise self.tap.stopped() from None
        except UncertifiableError as error:
            then = "The bookmark stays before them; run again later."
            raise self.uncertified(error, then) from None

    def tell(self) -> None:
        """Say once what in the records was not as the contract has it, and count it."""
        drift, findings = self._codec.drift, list(self._codec.drift.findings())
        if dates := reporting.sentinels(drift):
            self.logger.info("Stream '%s': %s", self.name, dates)
        if not findings:
            return
        level = logging.DEBUG if self.config["on_drift"] == "ignore" else logging.WARNING
        said = reporting.sentence(findings, self._known, unknown=self._fate_of_unknown)
        self.logger.log(level, "Stream '%s': %s", self.name, said)
        self.tap.progress.stream(self.name).met(
            Oddities(
                unknown_fields=drift.unknown_fields.total(),
                unknown_values=drift.unknown_values.total(),
                other_types=drift.other_types.total(),
                missing_fields=sum(each.kind is Kind.MISSING_FIELDS for each in findings),
                moved_paths=len(drift.moved_paths),
                drift=len(findings),
                drift_new=sum(not self._known.has(each) for each in findings),
            )
        )

    @property
    def keeps_unknown(self) -> bool:
        """Whether fields that the contract does not have are passed through."""
        return bool(self.config["unknown_fields"] == "keep")

    @property
    def _fate_of_unknown(self) -> str:
        """Say what becomes of fields that the contract does not have."""
        if not self.keeps_unknown:
            return "left out"
        if self.members()[0].has_deselected:
            return "passed through only within others, as the catalog deselects fields"
        return "passed through"

    def begin(self) -> None:
        """Note which names and words a first load goes by; later, say when they have changed."""
        super().begin()
        if not self._keeps_state:
            return
        state, now = self._state, naming.naming(self.tap.overlay, self.name)
        if naming.has_rows(state):
            if naming.from_state(state, name=self.name) != now:
                self.logger.warning("Stream '%s': %s", self.name, naming.WARNING)
            return
        state.pop(naming.STATE, None)
        if now:
            state[naming.STATE] = now

    def keep_notes(self) -> bool:
        """Have the next run know of this one's drift, and whether the run accepts it."""
        if not self._keeps_state:
            return False
        accepts = self.config["on_drift"] != "fail"
        notes = self._known.to_state(list(self._codec.drift.findings()), accepts=accepts)
        state, keys = self._state, (reporting.STATE, reporting.FAILED)
        before = {key: state.pop(key) for key in keys if key in state}
        state |= notes
        return notes != before

    @functools.cached_property
    def _codec(self) -> Codec:
        """Reads the records of all partitions, so that what it counts is of the whole stream."""
        singles = [lines.single for lines in self.declaration.lines if lines.single]
        return Codec(
            self.resource.record_schema,
            self.tap.privacy,
            keep_unknown=self.keeps_unknown,
            not_sent=[*singles, download_fields.DOWNLOADED_TO],
        )

    @functools.cached_property
    def _known(self) -> Known:
        """What the runs before have told of."""
        return Known.from_state(dict(self._state), name=self.name)

    @property
    def _state(self) -> dict[str, t.Any]:
        """What the state holds for the stream, whatever its partitions; to be written to."""
        state: dict[str, t.Any] = self.members()[0].get_context_state(None)
        return state

    @property
    def _keeps_state(self) -> bool:
        """Whether a later run goes on from this one."""
        is_incremental = self.members()[0].replication_method == "INCREMENTAL"
        return is_incremental and not self.config.get("end_date")

    def wanted_files(self) -> Files | None:
        """Return where records name files that are to be fetched; None where they do not."""
        if self.files is None or not self.selected:
            return None
        field = download_fields.field_of(self.files)
        is_listed = download_fields.has_place(self.effective_schema, self.files)
        if is_listed and self.mask["properties", field]:
            return self.files
        self.say_once(
            logging.WARNING,
            "`download_to` is set, and the catalog leaves out where files are put "
            "(`downloadedTo`), so none is fetched. Discover the catalog anew, or select the field.",
        )
        return None

    def unavailable(self) -> str | None:
        """Say why the stream is not to be had from this tenant by this login; None when it may."""
        overlay = self.tap.overlay
        if overlay is not None and not overlay.offers(self.name):
            return f"{overlay.source} says that this tenant does not offer it."
        needed = self.resource.entitlements
        if not needed or needed & self.tap.session.entitlements:
            return None
        return f"the login lacks the entitlement {' or '.join(sorted(needed))}."

    def uncertified(self, error: UncertifiableError, then: str) -> TryLaterError:
        """Say that rows did not hold still for long enough.

        Args:
            error: Which rows.
            then: What becomes of them, and what to do.
        """
        msg = (
            f"Stream '{self.name}': the rows of {from_seconds(error.window.start)} to "
            f"{from_seconds(error.window.end)} changed or came in a new order in each of "
            f"{error.passes} passes. {then}"
        )
        return TryLaterError(msg)

    def _skip(self, reason: str | RequestRefusedError) -> None:
        """Leave the stream and its lines out for the rest of the run; say so once."""
        if not self._skipped:
            names = " and ".join(f"'{stream.name}'" for stream in self.members())
            self.logger.warning("Skipping %s: %s", names, reason)
        self._skipped = True

    @property
    def path(self) -> str:
        """The list call, as the tenant's configuration has it."""
        overrides: dict[str, str] = self.config.get("endpoints") or {}
        return overrides.get(self.name, self.declaration.path)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the tenant has the list call at another path than the contract."""
        overlay = self.tap.overlay
        moved = overlay is not None and overlay.resource(self.name).path is not None
        return moved or self.path != self.declaration.path

    def reader(
        self, context: Context | None, codec: Codec, narrowing: Narrowing | None = None
    ) -> Reader:
        """Make what asks for the pages of a partition.

        Args:
            context: The partition.
            codec: Reads the records.
            narrowing: What to ask for of it; all of it unless given.
        """
        return Reader(
            self.tap.client,
            self.path,
            self.resource.key,
            page_size=self.config["page_size"],
            parameters={**(context or {}), **(narrowing.parameters if narrowing else {})},
            decode=codec.decode,
            check=narrowing.check(self.path)
            if narrowing
            else filters.check(self.declaration, self.path, context),
        )

    def say_once(self, level: int, what: str, why: str | AutomateError = "") -> None:
        """Log a sentence about the stream, once in a run whatever the number of its partitions.

        Args:
            level: Of the log.
            what: Is the same for all of them.
            why: May differ.
        """
        if what not in self._said:
            self._said |= {what}
            colon = ": " if why else ""
            self.logger.log(level, "Stream '%s': %s%s%s", self.name, what, colon, why)

    def _sample(self, context: Context | None, codec: Codec, rows: int) -> Step:
        """Return a few rows of the first page, for a connection test; no bookmark moves."""
        sample = self.reader(context, codec).sample(rows)
        fresh = dict.fromkeys(self.members(), sample)
        return Step(blocks_of(sample, fresh, codec), lambda: None)


def stream_types() -> list[type[RowStream]]:
    """Return a class for each stream: the SDK ties those cut from another to it by class."""
    types: list[type[RowStream]] = []
    for declaration in STREAMS:
        parent = type(f"{declaration.name}_stream", (ResourceStream,), {"declaration": declaration})
        types.append(parent)
        types.extend(
            type(
                f"{cut.name}_stream",
                (LineStream if isinstance(cut, Lines) else HistoryStream,),
                {"declaration": cut, "parent_stream_type": parent},
            )
            for cut in declaration.cuts
        )
    return types
