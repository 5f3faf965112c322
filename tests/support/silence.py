"""Changes in the DMS that move no `updatedAt`, and runs of the tap that keep their state."""

from __future__ import annotations

import json
import threading
import typing as t

from support.dealership import Run, run
from support.failures import start
from tap_automate.streams import STREAMS
from tap_automate.tap import TapAutomate

if t.TYPE_CHECKING:
    import signal
    from pathlib import Path

    from support.dealership import Dealership

Record = dict[str, t.Any]

PATIENCE: t.Final = 15
"""Seconds to wait for an end that is to come at once."""


class Tap:
    """The tap, run after run, each from the state of the one before.

    Attributes:
        dealer: The sandbox.
        state: The last state, as the next run will read it.
    """

    def __init__(
        self,
        dealer: Dealership,
        folder: Path,
        *streams: str,
        **settings: t.Any,  # noqa: ANN401 - settings
    ) -> None:
        """Select streams, and what is cut from them.

        Args:
            dealer: The sandbox.
            folder: For files of the tap's, of the test's own.
            streams: Names; all unless given.
            settings: Of every run.
        """
        self.dealer = dealer
        self._catalog = select(dealer, *streams) if streams else None
        self.state: dict[str, t.Any] = {}
        self.options: dict[str, t.Any] = {"requests_per_second": 1_000, **settings}
        self._folder = folder

    def arguments(self, **changes: t.Any) -> list[str | Path]:  # noqa: ANN401 - settings
        """Return the command line of the next run."""
        config = self.dealer.config(self._folder.name, **{**self.options, **changes})
        state = self._folder / "state.json"
        state.write_text(json.dumps(self.state))
        if self._catalog is None:
            return ["--config", config, "--state", state]
        catalog = self._folder / "catalog.json"
        catalog.write_text(json.dumps(self._catalog))
        return ["--config", config, "--state", state, "--catalog", catalog]

    def run(self, code: int = 0, **changes: t.Any) -> Run:  # noqa: ANN401 - settings
        """Run it once, with changed settings this time."""
        done = run("tap-automate", *self.arguments(**changes))
        assert done.code == code, done.err
        self.state = done.state()
        return done

    def stop_when_past(self, stream: str, signum: signal.Signals) -> Run:
        """Run it, and send a signal as soon as a STATE says that a stream's windows are read."""
        before = self.bookmark(stream)["replication_key_value"]
        process = start("tap-automate", *self.arguments())
        with process:
            guard = threading.Timer(PATIENCE, process.kill)
            guard.start()
            assert process.stdout is not None
            assert process.stderr is not None
            said = b""
            for line in process.stdout:
                said += line
                message = json.loads(line)
                bookmarks = message["value"]["bookmarks"] if message["type"] == "STATE" else {}
                if bookmarks.get(stream, {}).get("replication_key_value", before) > before:
                    break
            process.send_signal(signum)
            said += process.stdout.read()
            log = process.stderr.read()
            process.wait()
            guard.cancel()
        done = Run(process.returncode, said.decode(), log.decode())
        self.state = done.state()
        return done

    def bookmark(self, stream: str) -> dict[str, t.Any]:
        """Return what the state holds for a stream."""
        found: dict[str, t.Any] = self.state["bookmarks"][stream]
        return found


def select(dealer: Dealership, *streams: str) -> dict[str, t.Any]:
    """Make a catalog of some streams, and of what is cut from them."""
    family = {
        name
        for declaration in STREAMS
        for name in (declaration.name, *(cut.name for cut in declaration.cuts))
        if declaration.name in streams
    }
    catalog: dict[str, t.Any] = TapAutomate(config=dealer.settings()).catalog_dict
    for entry in catalog["streams"]:
        root = next(each for each in entry["metadata"] if not each["breadcrumb"])
        root["metadata"]["selected"] = entry["tap_stream_id"] in family
    return catalog


def bring(dealer: Dealership, stream: str, *records: Record) -> None:
    """Have the DMS hold records as they are given, whatever `updatedAt` they have."""
    plain = json.loads(json.dumps(records, default=float))
    dealer.control("import", {"stream": stream, "records": plain})


def streams_of(done: Run) -> set[str]:
    """Name the streams that a run wrote records of."""
    return {message["stream"] for message in done.messages("RECORD")}
