"""`tap-outbox`: a folder of JSON lines as a Singer tap, for what has no tap of its own."""

from __future__ import annotations

import typing as t

from automate_api import program, settings
from automate_api.errors import AutomateError
from automate_singer.sdk_seams import PlainStream
from automate_singer.tap import CommandTap
from tap_outbox import lines

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from singer_sdk import Stream
    from singer_sdk.helpers.types import Context, Record

LISTED: t.Final = 20
"""Lines of a file that an error names."""


class BadLinesError(AutomateError):
    """Lines that are no JSON object; all others were emitted."""


class FileStream(PlainStream):
    """The records of one file, all of them in each run."""

    def __init__(self, tap: TapOutbox, survey: lines.Survey) -> None:
        """Take name and schema from the file."""
        self._outbox = tap
        self._survey = survey
        super().__init__(tap, name=survey.name, schema=survey.schema)

    def get_batch_config(self, config: object) -> None:
        """Return nothing: records are written as RECORD messages."""

    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Yield the records in the order of the file.

        Raises:
            ConfigError: When the file cannot be read.
            TryLaterError: When somebody has rewritten it meanwhile.
            StoppedError: When a signal asked for it.
        """
        del context
        for record in self._survey.records():
            if self._outbox.stop.is_set():
                raise self._outbox.stopped()
            yield record


class TapOutbox(CommandTap):
    """Each file NAME.jsonl of a folder as the stream NAME, one JSON object a line."""

    name = "tap-outbox"
    package_name = "automate-dms"
    env_prefix = "TAP_OUTBOX_"
    dynamic_catalog = True
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = {
        "type": "object",
        "properties": {
            "path": {
                "type": "string",
                "minLength": 1,
                "title": "Folder",
                "description": "The folder of the files; each `NAME.jsonl` is the stream NAME.",
            }
        },
        "required": ["path"],
    }

    def prepare(
        self, values: Mapping[str, t.Any], catalog: dict[str, t.Any] | None, *, checked: bool
    ) -> None:
        """Look through the files; a catalog says which fields are selected, the files which exist.

        Raises:
            ConfigError: When the folder or a file cannot be read.
        """
        folder = settings.path("path", values["path"]) if checked else None
        self._surveys = lines.survey(folder) if folder else []
        if folder and not self._surveys:
            self.logger.warning("The folder of `path` holds no file *%s.", lines.SUFFIX)
        if catalog is not None:
            self._renew(catalog)

    def _renew(self, catalog: dict[str, t.Any]) -> None:
        """Give a catalog the schemas of today: it may be of files with other fields."""
        schemas = {survey.name: survey.schema for survey in self._surveys if survey.has_fields}
        catalog["streams"] = [
            {**entry, "schema": schemas.pop(entry["tap_stream_id"])}
            for entry in catalog["streams"]
            if entry["tap_stream_id"] in schemas
        ]
        for name in schemas:
            self.logger.warning(
                "%s%s is not read: the catalog was made before it came. Make a new one with "
                "`%s --discover`.",
                name,
                lines.SUFFIX,
                self.name,
            )

    def discover_streams(self) -> list[Stream]:
        """Return a stream for each file with a field in it: targets make no table without one."""
        return [FileStream(self, survey) for survey in self._surveys if survey.has_fields]

    def finish(self) -> None:
        """Name the lines that were left out.

        Raises:
            BadLinesError: When there are any, but in streams that are not selected.
        """
        left = {name for name, stream in self.streams.items() if not stream.selected}
        found = [_told(each) for each in self._surveys if each.bad and each.name not in left]
        if found:
            msg = (
                "Lines that are no JSON object were left out, all others were sent: "
                f"{'; '.join(found)}. Correct them, then run again."
            )
            raise BadLinesError(msg)


def _told(survey: lines.Survey) -> str:
    numbers = ", ".join(map(str, survey.bad[:LISTED]))
    more = f" and {len(survey.bad) - LISTED} more" if len(survey.bad) > LISTED else ""
    cut = " (the last without an end: is it still being written?)" if survey.cut else ""
    return f"{survey.path.name} line {numbers}{more}{cut}"


def main() -> t.NoReturn:
    """Run `tap-outbox`."""
    program.run(TapOutbox.cli, name=TapOutbox.name)
