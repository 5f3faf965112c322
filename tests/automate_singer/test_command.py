"""A target as a program: settings explained, and signals that end it in an orderly way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import types
import typing as t

import pytest
from support.collector import Collector
from support.singer import lines_of, schema, state

from automate_api import redaction
from automate_api.errors import AutomateError, ConfigError, StoppedError

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE = "kept-private"
WAITING = """
import sys
from automate_api.program import run
from support.collector import Collector

class Waiting(Collector):
    def state_received(self, value):
        self.write_state(value)

    def settle(self):
        self.write_state("settled")

run(Waiting.cli, name="target-collector")
"""


def test_null_means_unset_and_the_environment_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TARGET_COLLECTOR_PLACE", "from the environment")
    config = {"place": "given", "rows": None, "stream_maps": None}
    assert dict(Collector(config=config).config) == {**defaults(), "place": "given"}
    taken = Collector(config=config, parse_env_config=True).config
    assert dict(taken) == {**defaults(), "place": "from the environment"}


def defaults() -> dict[str, t.Any]:
    properties = Collector.settings_schema()["properties"]
    return {name: rule["default"] for name, rule in properties.items() if "default" in rule}


def test_all_that_is_wrong_with_the_settings_is_said_at_once() -> None:
    Collector.checked.clear()
    with pytest.raises(ConfigError) as failure:
        Collector(config={"place": "nowhere", "rows": PRIVATE})
    assert "`rows` must be of type integer" in str(failure.value)
    assert "`place` must be another" in str(failure.value)
    assert PRIVATE not in str(failure.value)
    [checked] = Collector.checked
    assert checked["place"] == "nowhere"
    assert "rows" not in checked


def test_a_setting_that_there_is_not_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("WARNING"):
        Collector(config={"place": "here", "row": 1})
    assert "`row` is no setting of this program and does nothing. Is `rows` meant?" in caplog.text


def test_secrets_are_kept_out_of_whatever_is_said_later() -> None:
    Collector(config={"place": "here", "token": "a-token-of-the-collector"})
    assert redaction.redact("with a-token-of-the-collector") == "with <secret>"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"flattening_enabled": True}, "flattening_max_depth is required"),
        ({"stream_maps": {"__x__": {}}}, "is not expected"),
    ],
)
def test_stream_maps_and_flattening_that_cannot_be_used_are_explained(
    settings: dict[str, t.Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match="target-collector: the stream maps or") as failure:
        Collector(config={"place": "here", **settings})
    assert expected in str(failure.value)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read"),
        ('{"place": ', "is not JSON (line 1)"),
        ("[1]", "must hold a JSON object"),
    ],
)
def test_a_configuration_file_that_cannot_be_used_is_named(
    tmp_path: Path, content: str | None, expected: str
) -> None:
    file = tmp_path / "config.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(ConfigError, match=r"config\.json") as failure:
        Collector.cli.main(["--config", str(file)], standalone_mode=False)
    assert expected in str(failure.value)


def test_about_names_the_targets_settings_and_those_of_the_sdk_that_it_has(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Collector.cli.main(["--about", "--format=json"], standalone_mode=False)
    about = json.loads(capsys.readouterr().out)
    assert about["settings"]["properties"].keys() == {
        *("rows", "place", "token"),
        *("stream_maps", "stream_map_config", "faker_config"),
        *("flattening_enabled", "flattening_max_depth"),
        *("flattening_max_key_length", "flattening_separator"),
    }


@pytest.fixture
def handlers() -> Iterator[None]:
    """Put back the handlers of signals."""
    kept = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    yield
    for number, handler in kept:
        signal.signal(number, handler)


def invoked(
    monkeypatch: pytest.MonkeyPatch, listen: t.Callable[[Collector], None]
) -> tuple[Exception | None, list[str]]:
    """Run a collector whose reading is replaced; give back how it ended and what was called."""
    targets: list[Collector] = []

    def listening(target: Collector, _input: object) -> None:
        targets.append(target)
        listen(target)

    monkeypatch.setattr(Collector, "listen", listening)
    config = types.SimpleNamespace(config={"place": "here"}, parse_env=False)
    error: Exception | None = None
    try:
        Collector.invoke(config=config)
    except AutomateError as raised:
        error = raised
    except RuntimeError as raised:
        error = raised
    return error, targets[0].calls


@pytest.mark.usefixtures("handlers")
class TestEndings:
    def test_a_run_that_ends_well_is_closed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert invoked(monkeypatch, lambda _: None) == (None, ["close"])

    def test_a_run_that_fails_is_closed_and_not_settled(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        failure = RuntimeError("as it was")

        def fail(_: Collector) -> None:
            raise failure

        assert invoked(monkeypatch, fail) == (failure, ["close"])

    @pytest.mark.parametrize(
        ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
    )
    def test_a_signal_counts_whatever_error_comes_of_it(
        self, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: int
    ) -> None:
        def stop(_: Collector) -> None:
            signal.raise_signal(number)
            raise RuntimeError

        error, calls = invoked(monkeypatch, stop)
        assert isinstance(error, StoppedError)
        assert error.exit_code == code
        assert calls == ["settle", "close"]

    def test_a_signal_that_comes_when_all_is_done_changes_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ended = invoked(monkeypatch, lambda _: signal.raise_signal(signal.SIGTERM))
        assert ended == (None, ["close"])


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot wait for pipe and signal at once")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["TERM", "INT"]
)
def test_a_signal_ends_a_target_that_waits_for_a_silent_tap(
    number: signal.Signals, code: int
) -> None:
    process = subprocess.Popen(  # noqa: S603 - our own words
        [sys.executable, "-c", WAITING, "--config=ENV"],
        env={**os.environ, "TARGET_COLLECTOR_PLACE": "here", "PYTHONPATH": "tests"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(lines_of([schema("cars", id="integer"), state("first")]))
    process.stdin.flush()
    assert process.stdout.readline() == '"first"\n'
    process.send_signal(number)
    assert process.stdout.readline() == '"settled"\n'
    _, err = process.communicate()
    assert process.returncode == code, err
    assert "Traceback" not in err
