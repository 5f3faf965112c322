"""The setting `metrics_file`: a run's figures for Prometheus, in a file that others collect.

A run ends before a server that scrapes it would come by, so the figures go to a file, in the text
format, such as the textfile collector of Prometheus' node_exporter reads. It is there whole or as
it was. Its figures are of one run and begin anew with the next, so all of them are gauges; only
how the last run ended stays until the next one has.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import re
import time
import typing as t

from automate_api import program, settings, whole_files
from automate_api.errors import EXIT_DONE, AutomateError, ConfigError
from automate_singer.repeating import repeated

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

METRICS_SETTINGS: t.Final[dict[str, t.Any]] = {
    "metrics_file": {
        "type": "string",
        "minLength": 1,
        "title": "File of metrics",
        "description": (
            "A file, in a folder that is there, that gets the run's figures for Prometheus: when "
            "it begins, every 15 seconds, and however it ends. None unless set."
        ),
    },
    "metrics_labels": {
        "type": "object",
        "additionalProperties": {"type": "string"},
        "default": {},
        "title": "Labels of metrics",
        "description": (
            "Labels that every figure in `metrics_file` gets, to tell apart several of the same "
            "program that one Prometheus sees."
        ),
    },
}
"""The two settings, as a program's settings declare them."""

WRITE_SECONDS: t.Final = 15.0
"""Seconds between two writes: as often as Prometheus usually looks."""

OWN_LABELS: t.Final = frozenset({"stream", "object", "state"})
"""What tells one program's figures from each other."""

MISTAKES: t.Final = (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError)
"""What is wrong with a setting, and not with a disk."""

KEPT: t.Final = {
    "last_exit_code": "What the last run that ended ended with.",
    "last_end_timestamp_seconds": "When the last run that ended ended.",
    "last_success_timestamp_seconds": "When a run last ended with 0.",
}
"""Metrics that outlive their run, and their meaning."""

_LABEL: t.Final = re.compile(r"(?!__)[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_UNWRITTEN: t.Final = re.compile("[\0-\x1f\x7f\ud800-\udfff]")

_logger: t.Final = logging.getLogger(__name__)


class Measure(t.NamedTuple):
    """What is known of one thing now.

    Attributes:
        name: What follows the program's prefix; ends with the unit, where there is one.
        meaning: In a sentence.
        values: By the values of the labels; `{(): 3}` without any. None may tell of a person or
            of one record.
        labels: Their names, some of `OWN_LABELS`.
    """

    name: str
    meaning: str
    values: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = ()


def of_each(label: str, name: str, meaning: str, values: Mapping[str, float]) -> Measure:
    """Make a measure with one label.

    Args:
        label: One of `OWN_LABELS`.
        name: As `Measure` has it.
        meaning: As `Measure` has it.
        values: By the label's value.
    """
    return Measure(name, meaning, {(of,): value for of, value in values.items()}, (label,))


class Sent(t.Protocol):
    """Counters of requests, as `automate_api.transport.Stats` has them."""

    requests: int
    retries: int
    throttled: int
    waited_seconds: float
    paced_seconds: float


def of_requests(sent: Sent) -> Iterator[Measure]:
    """Yield what sending requests has come to.

    Args:
        sent: All requests of the run.
    """
    waited = sent.waited_seconds - sent.paced_seconds
    for name, meaning, value in (
        ("requests", "Requests sent, repeated ones included.", sent.requests),
        ("retries", "Requests sent again.", sent.retries),
        ("throttled", "Answers 429.", sent.throttled),
        ("waited_seconds", "Time that threads waited for the DMS.", max(0.0, waited)),
        ("paced_seconds", "Time that threads waited for the program's rate.", sent.paced_seconds),
    ):
        yield Measure(name, meaning, {(): value})


def problems(values: Mapping[str, t.Any]) -> list[str]:
    """Say what a JSON Schema cannot check.

    Args:
        values: Setting to value, of the right types; any may be missing.

    Returns:
        A sentence for each problem, without the value.
    """
    labels = values.get("metrics_labels", {})
    names = [name for name in labels if not _LABEL.fullmatch(name) or name in OWN_LABELS]
    unwritten = [name for name, value in labels.items() if _UNWRITTEN.search(value)]
    of_names = (
        "must have names of letters, digits and _, without a digit or two _ at the beginning, and "
        f"other than {', '.join(sorted(OWN_LABELS))}, which the figures have themselves"
    )
    of_values = "must have values in UTF-8, without control characters"
    return [
        f"`metrics_labels` {rule}; not so: {', '.join(map(json.dumps, wrong))}"
        for rule, wrong in ((of_names, names), (of_values, unwritten))
        if wrong
    ]


class MetricsFile:
    """The file of one run.

    Args:
        path: Where it is.
        prefix: What the names of all its metrics begin with, without the `_` behind.
        labels: What all of them have.
        now: Seconds since 1970.

    Attributes:
        measure: Gives the figures; asked by a thread of its own, also after the run has ended.
    """

    def __init__(
        self,
        path: Path,
        prefix: str,
        labels: Mapping[str, str],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.measure: Callable[[], Iterable[Measure]] = tuple
        self._path = path
        self._prefix = prefix
        self._labels = labels
        self._now = now
        self._started = now()
        self._measured: Iterable[Measure] = ()
        self._kept: dict[str, float] = {}
        self._warned = False

    @contextlib.contextmanager
    def of_a_run(self) -> Iterator[None]:
        """Keep the file up to date while the block runs, and write how it has ended.

        Raises:
            ConfigError: Before the block, when there can be no such file.
        """
        try:
            # Nor a device: what is put in its place would be a file for whoever uses it.
            if self._path.exists() and not self._path.is_file():
                raise IsADirectoryError(errno.EINVAL, "not a file")
            self._kept = _kept(self._path, self._prefix)
            self._write(running=True)
        except MISTAKES as error:
            msg = (
                f"`metrics_file` cannot be written ({error.strerror}): it has to name a file, in a "
                "folder that is there and that this user may write to."
            )
            raise ConfigError(msg) from None
        except OSError as error:
            self._warn(error)
        ended_with = EXIT_DONE
        try:
            with repeated(self.write, WRITE_SECONDS):
                yield
        except BaseException as error:
            ended_with = program.exit_code(error)
            raise
        finally:
            self._end(ended_with)

    def write(self, *, running: bool = True) -> None:
        """Write the figures of now; a file that cannot be written is warned of, once.

        Args:
            running: Whether the run is under way.
        """
        try:
            self._write(running=running)
        except OSError as error:
            self._warn(error)

    def _end(self, exit_code: int) -> None:
        now = self._now()
        self._kept |= {"last_exit_code": exit_code, "last_end_timestamp_seconds": now}
        if exit_code == EXIT_DONE:
            self._kept["last_success_timestamp_seconds"] = now
        self.write(running=False)

    def _write(self, *, running: bool) -> None:
        # What is being let go of may not be asked any more.
        with contextlib.suppress(AutomateError):
            self._measured = tuple(self.measure())
        of_the_run = (
            ("running", "Whether a run is under way.", float(running)),
            ("start_timestamp_seconds", "When the run began.", self._started),
            ("updated_timestamp_seconds", "When the figures were written.", self._now()),
            *((name, meaning, self._kept.get(name)) for name, meaning in KEPT.items()),
        )
        known = [
            Measure(name, meaning, {(): value})
            for name, meaning, value in of_the_run
            if value is not None
        ]
        text = _text([*known, *self._measured], self._prefix, self._labels)
        whole_files.write(self._path, text)

    def _warn(self, error: OSError) -> None:
        if not self._warned:
            self._warned = True
            _logger.warning(
                "`metrics_file` cannot be written (%s); the run goes on without.", error.strerror
            )


def metrics_file(
    schema: Mapping[str, t.Any],
    given: Mapping[str, t.Any],
    *,
    prefix: str | None,
    program_prefix: str,
) -> MetricsFile | None:
    """Make the file that the settings ask for, before anything else is read of them.

    Args:
        schema: All settings of the program.
        given: Those of the configuration files.
        prefix: Of the variables of the environment; None reads none.
        program_prefix: What the names of the metrics begin with.

    Returns:
        None where none is asked for, or by settings that will be refused.
    """
    of_metrics = METRICS_SETTINGS.keys() & schema["properties"].keys()
    rules = {"properties": {name: METRICS_SETTINGS[name] for name in of_metrics}}
    values = settings.resolve(
        rules, {name: given[name] for name in given.keys() & of_metrics}, prefix=prefix
    )
    path = values.get("metrics_file")
    if path is None or settings.problems(rules, values) or problems(values):
        return None
    return MetricsFile(
        settings.path("metrics_file", path), program_prefix, values["metrics_labels"]
    )


def _text(measures: Iterable[Measure], prefix: str, labels: Mapping[str, str]) -> bytes:
    # It takes long to import, and most runs need none of it.
    from prometheus_client import generate_latest  # noqa: PLC0415
    from prometheus_client.metrics_core import GaugeMetricFamily  # noqa: PLC0415
    from prometheus_client.registry import Collector  # noqa: PLC0415

    class Measured(Collector):
        def collect(self) -> Iterable[Metric]:
            for measure in measures:
                names = [*labels, *measure.labels]
                family = GaugeMetricFamily(
                    f"{prefix}_{measure.name}", measure.meaning, labels=names
                )
                for values, number in measure.values.items():
                    family.add_metric([*labels.values(), *values], number)
                yield family

    return generate_latest(Measured())


def _kept(path: Path, prefix: str) -> dict[str, float]:
    """Read what the run before has left; nothing where that cannot be read."""
    from prometheus_client.parser import text_string_to_metric_families  # noqa: PLC0415

    try:
        found = [
            (sample.name.removeprefix(f"{prefix}_"), float(sample.value))
            for family in text_string_to_metric_families(path.read_text("utf-8"))
            for sample in family.samples
        ]
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in found if name in KEPT}
