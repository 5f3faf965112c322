"""The Singer tap: settings, and what its streams share."""

from __future__ import annotations

import functools
import typing as t

from singer_sdk.helpers.capabilities import PluginCapabilities

from automate_api import contract, program
from automate_api.client import Client
from automate_api.clock import SYSTEM_CLOCK
from automate_api.config import REQUIRED, SETTINGS, ApiConfig, overlay_of
from automate_api.errors import DriftError
from automate_api.session import Session
from automate_api.transport import Stats
from automate_singer import garbage, inputs
from automate_singer.metrics_file import METRICS_SETTINGS
from automate_singer.tap import CommandTap
from tap_automate.batches.messages import BatchWriter
from tap_automate.bookmark import Bookmark
from tap_automate.config import TAP_SETTINGS, problems
from tap_automate.downloads import fields as download_fields
from tap_automate.downloads.fetcher import Fetcher
from tap_automate.downloads.state import STATE, Unfetched
from tap_automate.downloads.store import FileStore
from tap_automate.passes.controls import Kept
from tap_automate.passes.rereads import Digests
from tap_automate.privacy import Privacy
from tap_automate.reporting import measures, naming, summary
from tap_automate.reporting.drift import Known
from tap_automate.reporting.progress import Progress
from tap_automate.resources import stream_types
from tap_automate.streams import STREAMS, stream_names

if t.TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager

    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum

    from automate_singer.metrics_file import Measure
    from automate_singer.writer import BlockWriter


class TapAutomate(CommandTap):
    """Auto/Mate DMS: vehicles, customers, deals, repair orders, GL entries; incremental, exact."""

    name = "tap-automate"
    package_name = "automate-dms"
    env_prefix = "TAP_AUTOMATE_"
    metrics_prefix = measures.PREFIX
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = {
        "type": "object",
        "properties": {**SETTINGS, **TAP_SETTINGS, **METRICS_SETTINGS},
        "required": list(REQUIRED),
    }

    capabilities: t.ClassVar[list[CapabilitiesEnum]] = [
        *CommandTap.capabilities,
        PluginCapabilities.BATCH,
    ]

    @classmethod
    def check_settings(cls, values: Mapping[str, t.Any]) -> list[str]:
        """List what is wrong with the settings beyond their schema."""
        return list(problems(values, stream_names()))

    def prepare(
        self, values: Mapping[str, t.Any], catalog: dict[str, t.Any] | None, *, checked: bool
    ) -> None:
        """Read the contract, and what the settings say of API and personal data."""
        if checked:
            self.api = ApiConfig.from_settings(values, program=self.name)
        self.overlay = self.api.overlay if checked else overlay_of(values)
        inputs.check_names(catalog, stream_names(), program=self.name)
        if catalog:
            _leave_out_places(catalog, values)
        self.contract = contract.load(self.overlay)
        self.privacy = Privacy(
            values.get("pii") or {}, values.get("pii_key"), self.contract.pii_fields
        )

    def make_writer(self, values: Mapping[str, t.Any]) -> BlockWriter:
        """Make what writes messages: records in files, where the settings say so."""
        setting = values.get("batch_config")
        return BatchWriter(setting) if setting else super().make_writer(values)

    def start(self) -> None:
        """Find out whether batch files, and files that are downloaded, can be written."""
        if isinstance(self.message_writer, BatchWriter):
            self.message_writer.check()
        if self.config.get("download_to"):
            self.file_store.check()

    def finish(self) -> None:
        """Look, once everything is written, whether there was drift that ends the run.

        Raises:
            DriftError: When there was any that no run before has told of, and `on_drift` is `fail`.
        """
        drifted = [f"'{of.stream}'" for of in self.progress.snapshot() if of.oddities.drift_new]
        if drifted and self.config["on_drift"] == "fail":
            msg = (
                f"`on_drift: fail`: the records of {', '.join(drifted)} are not as the contract "
                "has them, see above. All of them are written, and STATE. New fields and words a "
                "`contract_overlay` can say (`automate-dms drift --propose FILE`). One run with "
                "`on_drift: warn` accepts whatever runs have failed for; for another type, or a "
                "field that is gone, nothing else does."
            )
            raise DriftError(msg)

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

    @functools.cached_property
    def file_store(self) -> FileStore:
        """Where `download_to` has files put."""
        most: int = self.config["download_max_bytes"]
        fetcher = Fetcher(self.api, most_bytes=most, stop=self.stop)
        return FileStore(self.config["download_to"], fetcher, most_bytes=most)

    @functools.cached_property
    def progress(self) -> Progress:
        """What is counted of the run."""
        return Progress(self._stats, SYSTEM_CLOCK)

    def shown(self) -> AbstractContextManager[None]:
        """Show on standard error how far the run is, and what it has done however it ends."""
        return summary.shown(self.progress, self._server_time)

    def measured(self) -> Iterable[Measure]:
        """Give the run's figures."""
        return measures.measured(self.progress)

    def _stats(self) -> Stats:
        """Return the counters of all requests, without making a client for their sake."""
        client: Client | None = self.__dict__.get("client")
        return Stats() if client is None else client.stats

    def _server_time(self) -> dt.datetime:
        return self.client.server_time()

    def discover_streams(self) -> list[Stream]:
        """Return every stream of the table; needs no network."""
        return [stream_type(self) for stream_type in stream_types()]

    def load_state(self, state: dict[str, t.Any]) -> None:
        """Take over the state of the run before.

        Raises:
            ConfigError: When it cannot be used.
        """
        super().load_state(state)
        bookmarks = state.get("bookmarks", {})
        for name in bookmarks.keys() & self.streams.keys():
            for bookmark in (bookmarks[name], *bookmarks[name].get("partitions", ())):
                Bookmark.from_state(bookmark, overlap_seconds=0, name=name)
                Digests.from_state(bookmark, name=name)
                Kept.from_state(bookmark, name=name)
                Unfetched.from_state(bookmark.get(STATE), name=name)
            Known.from_state(bookmarks[name], name=name)
            naming.from_state(bookmarks[name], name=name)


def _leave_out_places(catalog: dict[str, t.Any], values: Mapping[str, t.Any]) -> None:
    """Take out of a catalog the fields that say where files are, of streams that get none.

    Their records do not have them, and a loader that upserts would forget the paths that it has.
    """
    named = {each.name: each.files for each in STREAMS if each.files}
    for entry in catalog["streams"]:
        files = named.get(entry["tap_stream_id"])
        if files and not download_fields.wanted(files, values):
            entry["schema"] = download_fields.without_place(entry["schema"], files)


def main() -> t.NoReturn:
    """Run `tap-automate`."""
    garbage.search_seldom(freeze=True)
    program.run(TapAutomate.cli, name=TapAutomate.name)
