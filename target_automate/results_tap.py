"""`tap-automate-results`: the journal as a Singer tap, so that ids and reasons reach a warehouse.

It reads the journal alone, also while a target writes it, and asks no DMS.
"""

from __future__ import annotations

import datetime as dt
import typing as t

from automate_api import program
from automate_api.errors import ConfigError
from automate_singer import inputs
from automate_singer.sdk_seams import PlainStream
from automate_singer.tap import CommandTap
from target_automate.journal.file import NoJournalError, read_journal
from target_automate.paths import JOURNAL_SETTINGS, journal_path

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from singer_sdk import Stream
    from singer_sdk.helpers.types import Context, Record

    from target_automate.journal.journal import Journal

TEXT: t.Final = {"type": ["string", "null"]}
COUNT: t.Final = {"type": ["integer", "null"]}
INSTANT: t.Final = {"type": ["string", "null"], "format": "date-time"}
KEY: t.Final = {"type": "string"}

INSTANTS: t.Final = frozenset({"created_at", "sent_at", "settled_at"})
"""Columns of the journal in seconds since 1970."""

JOURNAL_ID: t.Final = "journal_id"
"""In a bookmark: of which journal it counts the revisions."""


class ResultsStream(PlainStream):
    """Rows of the journal by their last change.

    `revision` grows with every change of any row, so a row comes again whenever it has changed, and
    a loader that upserts by the key holds its newest version.

    Attributes:
        rejected: Which rows, as `Journal.rows` takes it.
        columns: Column of the journal to field.
    """

    rejected: t.ClassVar[bool]
    columns: t.ClassVar[dict[str, str]]
    primary_keys = ("object", "businessKey", "sequence")
    replication_key = "revision"
    is_sorted = True

    def __init__(self, tap: TapAutomateResults) -> None:
        """Take the journal from the tap."""
        self._results = tap
        super().__init__(tap)

    def get_batch_config(self, config: object) -> None:
        """Return nothing: rows are written as RECORD messages."""

    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Yield what has changed since the bookmark, the oldest change first.

        Raises:
            ConfigError: When the journal cannot be used, or the bookmark is none.
            StoppedError: When a signal asked for it.
        """
        path, key = self._results.journal_path, self.config.get("journal_key")
        try:
            with read_journal(path, key=key) as journal:
                after = self._start(journal, context)
                for row in journal.rows(after=after, rejected=self.rejected):
                    if self._results.stop.is_set():
                        raise self._results.stopped()
                    yield {field: _value(row, column) for column, field in self.columns.items()}
        except NoJournalError as error:
            self._results.warn_once(str(error))

    def _start(self, journal: Journal, context: Context | None) -> int:
        """Return the revision to read on from: 0 in a journal that the bookmark is not of."""
        bookmark = self.get_context_state(context)
        known, revision = bookmark.get(JOURNAL_ID), bookmark.get("replication_key_value")
        bookmark[JOURNAL_ID] = journal.journal_id
        if revision is None or self.replication_method != "INCREMENTAL":
            return 0
        if type(revision) is not int:
            msg = (
                f"The state of stream '{self.name}' cannot be used: its replication_key_value must "
                "be a whole number. Give the last state that this tap wrote, or none."
            )
            raise ConfigError(msg)
        # Revisions only grow and rows stay, so a bookmark beyond the last one is of a newer copy.
        at_least = next(journal.rows(after=revision - 1, rejected=self.rejected), None)
        if known == journal.journal_id and at_least is not None:
            return revision
        self.logger.warning(
            "Stream '%s': the journal %s is not the one of the state, or an older copy of it; all "
            "of it is read.",
            self.name,
            journal.path,
        )
        del bookmark["replication_key_value"]
        return 0


class WriteResults(ResultsStream):
    """What is in the DMS, with the ids that it has there."""

    name = "write_results"
    rejected = False
    columns: t.ClassVar[dict[str, str]] = {
        "object": "object",
        "business_key": "businessKey",
        "sequence": "sequence",
        "operation": "operation",
        "dms_id": "dmsId",
        "dms_number": "dmsNumber",
        "matched_by": "matchedBy",
        "attempts": "attempts",
        "content_hash": "contentHash",
        "created_at": "createdAt",
        "sent_at": "sentAt",
        "settled_at": "settledAt",
        "request_id": "requestId",
        "revision": "revision",
    }
    schema: t.ClassVar[dict[str, t.Any]] = {
        "type": "object",
        "properties": {
            "object": KEY | {"description": "The sink: `customers`, `deal_statuses`."},
            "businessKey": KEY | {"description": "What identifies the record for its writer."},
            "sequence": {"type": "integer", "description": "1, 2, ... within the business key."},
            "operation": TEXT | {"description": "`upsert`, `create`, `update` or `upload`."},
            "dmsId": TEXT | {"description": "The DMS's id of what was written."},
            "dmsNumber": TEXT | {"description": "The number that people see, such as a deal's."},
            "matchedBy": TEXT
            | {"description": "How a customer was found; `readBack`: by reading what is there."},
            "attempts": COUNT | {"description": "How often it was sent."},
            "contentHash": TEXT | {"description": "SHA-256 of what was written."},
            "createdAt": INSTANT | {"description": "When the record came."},
            "sentAt": INSTANT | {"description": "When it was last sent."},
            "settledAt": INSTANT | {"description": "When it was known to be in the DMS."},
            "requestId": TEXT | {"description": "The server's id of the request."},
            "revision": {"type": "integer", "description": "Grows with every change."},
        },
    }


class WriteRejects(ResultsStream):
    """What was rejected or parked at some time, and what has become of it since.

    The `state` is the current one: a row that is `ACKED` or `DROPPED` is done with. What is under
    way, or waits for a parent or an approval, is in no stream before it has come to an end.
    """

    name = "write_rejects"
    rejected = True
    columns: t.ClassVar[dict[str, str]] = {
        **WriteResults.columns,
        "state": "state",
        "cause": "cause",
        "reason": "reason",
        "http_status": "httpStatus",
    }
    schema: t.ClassVar[dict[str, t.Any]] = {
        "type": "object",
        "properties": {
            **WriteResults.schema["properties"],
            "settledAt": INSTANT | {"description": "When it came to a state that may be its last."},
            "state": TEXT | {"description": "Where it is now, `REJECTED` or `PARKED` when stuck."},
            "cause": TEXT | {"description": "Kind of the rejection: `refused`, `superseded`."},
            "reason": TEXT
            | {"description": "The same for a person: fields, and what the DMS holds."},
            "httpStatus": COUNT | {"description": "Status of the answer that refused it."},
        },
    }


class TapAutomateResults(CommandTap):
    """The journal of target-automate: ids of what is in the DMS, reasons of what is not."""

    name = "tap-automate-results"
    package_name = "automate-dms"
    env_prefix = "TAP_AUTOMATE_RESULTS_"
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = {
        "type": "object",
        "properties": {**JOURNAL_SETTINGS},
    }
    journal_path: Path

    def prepare(
        self, values: Mapping[str, t.Any], catalog: dict[str, t.Any] | None, *, checked: bool
    ) -> None:
        """Find the journal."""
        inputs.check_names(catalog, STREAMS, program=self.name)
        self._warned: set[str] = set()
        if checked:
            self.journal_path = journal_path(values)

    def warn_once(self, message: str) -> None:
        """Log a warning that every stream has alike."""
        if message not in self._warned:
            self.logger.warning(message)
        self._warned.add(message)

    def discover_streams(self) -> list[Stream]:
        """Return both streams; needs no journal."""
        return [stream(self) for stream in STREAMS.values()]


STREAMS: t.Final = {stream.name: stream for stream in (WriteResults, WriteRejects)}


def _value(row: Mapping[str, t.Any], column: str) -> t.Any:  # noqa: ANN401 - of any column
    value = row[column]
    if value is not None and column in INSTANTS:
        return dt.datetime.fromtimestamp(value, dt.UTC).isoformat()
    return value


def main() -> t.NoReturn:
    """Run `tap-automate-results`."""
    program.run(TapAutomateResults.cli, name=TapAutomateResults.name)
