"""The file of a run's figures: what is in it, when it is written, and that it ends no run."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import typing as t

import click
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.clock import START, FakeClock
from support.collector import Collector

from automate_api import whole_files
from automate_api.errors import (
    AutomateError,
    ConfigError,
    RejectsError,
    StoppedError,
    TryLaterError,
)
from automate_singer import metrics_file
from automate_singer.metrics_file import METRICS_SETTINGS, Measure, MetricsFile, of_each

if t.TYPE_CHECKING:
    from pathlib import Path

    from prometheus_client.metrics_core import Metric

Samples = dict[tuple[str, ...], float]


def families(path: Path) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(path.read_text())}


def samples(path: Path) -> Samples:
    """Read a file as Prometheus does: name and values of labels to value."""
    return {
        (sample.name.removeprefix("automate_test_"), *sample.labels.values()): sample.value
        for family in families(path).values()
        for sample in family.samples
    }


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.prom"


def file_of(path: Path, clock: FakeClock, **labels: str) -> MetricsFile:
    return MetricsFile(path, "automate_test", labels, now=clock.time)


def rows(count: int) -> list[Measure]:
    return [of_each("stream", "rows", "Rows emitted.", {"deals": count})]


def run(path: Path, clock: FakeClock, error: BaseException | None = None) -> None:
    """Have a run of a minute, which ends with an error or well."""
    with contextlib.suppress(BaseException), file_of(path, clock).of_a_run():
        clock.pass_by(60)
        if error:
            raise error


def test_a_file_is_there_from_the_beginning_and_says_how_the_run_ended(path: Path) -> None:
    clock = FakeClock()
    file = file_of(path, clock)
    with file.of_a_run():
        assert samples(path) == {
            ("running",): 1,
            ("start_timestamp_seconds",): START,
            ("updated_timestamp_seconds",): START,
        }
        file.measure = lambda: rows(5)
        clock.pass_by(20)
        file.write()
        begun = samples(path)
        assert (begun["rows", "deals"], begun["updated_timestamp_seconds",]) == (5, START + 20)
        file.measure = lambda: rows(7)
        clock.pass_by(20)
    assert samples(path) == {
        ("running",): 0,
        ("start_timestamp_seconds",): START,
        ("updated_timestamp_seconds",): START + 40,
        ("last_exit_code",): 0,
        ("last_end_timestamp_seconds",): START + 40,
        ("last_success_timestamp_seconds",): START + 40,
        ("rows", "deals"): 7,
    }


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TryLaterError("later"), 75),
        (RejectsError("too many"), 3),
        (StoppedError(130), 130),
        (click.UsageError("no such option"), 2),
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError(), 1),
    ],
)
def test_a_run_that_fails_says_its_exit_code_and_leaves_the_last_success(
    path: Path, error: BaseException, code: int
) -> None:
    clock = FakeClock()
    run(path, clock)
    run(path, clock, error)
    found = samples(path)
    assert found["last_exit_code",] == code
    assert found["last_success_timestamp_seconds",] == START + 60
    assert found["last_end_timestamp_seconds",] == START + 120


def test_while_a_run_is_under_way_the_end_of_the_one_before_stands(path: Path) -> None:
    clock = FakeClock()
    run(path, clock, TryLaterError("later"))
    with file_of(path, clock).of_a_run():
        found = samples(path)
    assert (found["running",], found["last_exit_code",]) == (1, 75)
    assert ("last_success_timestamp_seconds",) not in found


def test_a_file_that_is_none_of_ours_is_replaced(path: Path) -> None:
    path.write_text("automate_test_last_exit_code }{ 7\n")
    run(path, FakeClock())
    assert samples(path)["last_exit_code",] == 0


def test_every_metric_is_a_gauge_with_help_and_its_labels(path: Path) -> None:
    file = file_of(path, FakeClock(), site='N"o\\r\nth')
    file.measure = lambda: [
        Measure("writes", "Writes.", {("deals", "parked"): 2}, ("object", "state")),
        Measure("requests", "Requests.", {(): 9}),
    ]
    with file.of_a_run():
        pass
    found = families(path)
    assert {family.type for family in found.values()} == {"gauge"}
    assert all(family.documentation for family in found.values())
    [writes] = found["automate_test_writes"].samples
    assert writes.labels == {"site": 'N"o\\r\nth', "object": "deals", "state": "parked"}
    [requests] = found["automate_test_requests"].samples
    assert (requests.labels, requests.value) == ({"site": 'N"o\\r\nth'}, 9)


def test_figures_that_cannot_be_had_just_now_are_those_of_before(path: Path) -> None:
    file = file_of(path, FakeClock())

    def closed() -> list[Measure]:
        msg = "the journal is closed"
        raise AutomateError(msg)

    with file.of_a_run():
        file.measure = lambda: rows(3)
        file.write()
        file.measure = closed
    assert samples(path)["rows", "deals"] == 3


def test_it_is_written_again_and_again_while_the_run_is_busy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_file, "WRITE_SECONDS", 0.001)
    asked = threading.Semaphore(0)
    file = file_of(path, FakeClock())

    def measured() -> list[Measure]:
        asked.release()
        return rows(1)

    with file.of_a_run():
        file.measure = measured
        assert all(asked.acquire(timeout=30) for _ in range(3))


def test_a_place_where_no_file_can_be_is_refused_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    device = tmp_path / "device"
    os.mkfifo(device)
    for path in (tmp_path / "absent" / "t.prom", tmp_path / "file" / "t.prom", tmp_path, device):
        begun = False
        with (
            pytest.raises(ConfigError, match="`metrics_file` cannot be written"),
            file_of(path, FakeClock()).of_a_run(),
        ):
            begun = True
        assert not begun
    assert device.is_fifo()


def test_a_disk_that_fills_up_is_warned_of_once_and_ends_no_run(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    file = file_of(path, FakeClock())
    with file.of_a_run():
        before = path.read_bytes()
        monkeypatch.setattr(whole_files, "write", full)
        file.write()
        file.write()
    assert path.read_bytes() == before
    [said] = [record.getMessage() for record in caplog.records]
    assert said == (
        "`metrics_file` cannot be written (No space left on device); the run goes on without."
    )


class Measured(Collector):
    """A target with the settings."""

    metrics_prefix = "automate_test"
    config_jsonschema: t.ClassVar[dict[str, t.Any]] = {
        **Collector.config_jsonschema,
        "properties": {**Collector.config_jsonschema["properties"], **METRICS_SETTINGS},
    }


@pytest.mark.parametrize(
    "labels", [{"1st": "x"}, {"a-b": "x"}, {"__name__": "x"}, {"stream": "x"}, {"": "x"}]
)
def test_labels_that_prometheus_or_the_figures_do_not_allow_are_refused(
    labels: dict[str, str],
) -> None:
    with pytest.raises(ConfigError, match="`metrics_labels` must have names of letters"):
        Measured(config={"place": "here", "metrics_labels": labels})


def test_all_labels_that_are_wrong_are_named_together() -> None:
    labels = {"1st": "x", "site": "a\nb", "stream": "x", "shop": "\udc80", "group": "n\u00f6rd"}
    with pytest.raises(ConfigError) as caught:
        Measured(config={"place": "here", "metrics_labels": labels})
    said = str(caught.value)
    assert 'have themselves; not so: "1st", "stream"' in said
    assert 'without control characters; not so: "site", "shop"' in said
    said.encode()


@pytest.mark.parametrize("value", ["\ud800", "a\nb", "\0", "\x7f"])
def test_values_of_labels_that_no_file_can_have_are_refused_and_begin_none(
    value: str, path: Path
) -> None:
    config = {"place": "here", "metrics_file": str(path), "metrics_labels": {"site": value}}
    with pytest.raises(ConfigError, match="`metrics_labels` must have values"), recorded(config):
        Measured(config=config)
    assert not path.exists()


def test_settings_that_cannot_be_used_are_in_the_exit_code(path: Path) -> None:
    config = {"metrics_file": str(path), "rows": "many"}
    with pytest.raises(ConfigError), recorded(config):
        Measured(config=config)
    assert samples(path)["last_exit_code",] == 2


@pytest.mark.parametrize(
    "config",
    [{}, {"metrics_file": None}, {"metrics_file": 7}, {"metrics_file": ""}],
    ids=["none", "null", "number", "empty"],
)
def test_without_a_path_there_is_no_file(
    config: dict[str, t.Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with recorded(config):
        pass
    assert list(tmp_path.iterdir()) == []


def test_the_environment_may_name_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET_COLLECTOR_METRICS_FILE", str(path))
    monkeypatch.setenv("TARGET_COLLECTOR_METRICS_LABELS", '{"site": "north"}')
    with recorded({}, parse_env=False):
        assert not path.exists()
    with recorded({}, parse_env=True):
        assert samples(path)["running", "north"] == 1


class Given(t.NamedTuple):
    """What the SDK's command line gives."""

    config: dict[str, t.Any]
    parse_env: bool


@contextlib.contextmanager
def recorded(config: dict[str, t.Any], *, parse_env: bool = False) -> t.Iterator[None]:
    with Measured.recorded(Given(config, parse_env)):
        yield
