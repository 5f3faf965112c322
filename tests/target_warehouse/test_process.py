"""The loader as a process: its command line, signals, pipes, and kill -9 at any moment."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import types
import typing as t

import duckdb
import pytest
from support.singer import lines_of, record, schema, state

from automate_api.errors import StoppedError
from target_warehouse.target import DRAIN_SECONDS, TargetWarehouse
from target_warehouse.warehouse import Warehouse

if t.TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-c", "from target_warehouse.target import main; main()"]
CARS = schema("cars", ["id"], id="integer", price="number")


def start(path: Path, *arguments: str, **settings: str) -> subprocess.Popen[str]:
    """Start the loader with settings from the environment."""
    named = {f"TARGET_WAREHOUSE_{name.upper()}": value for name, value in settings.items()}
    return subprocess.Popen(  # noqa: S603 - our own command
        [*COMMAND, *(arguments or ("--config=ENV",))],
        env={**os.environ, "TARGET_WAREHOUSE_FILEPATH": str(path), **named},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def rows(path: Path, sql: str = "SELECT * FROM cars ORDER BY id") -> list[t.Any]:
    with duckdb.connect(str(path)) as connection:
        return connection.execute(sql).fetchall()


def feed(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin
    process.stdin.write(text)
    process.stdin.flush()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "warehouse.duckdb"


def test_settings_come_from_the_environment_as_text(path: Path) -> None:
    process = start(path, batch_size_rows="2", column_names="snake_case", load_method="upsert")
    messages = []
    for number in range(4):
        messages += [record("newCars", carId=number), state(number + 1)]
    keyed = schema("newCars", ["carId"], carId="integer")
    out, err = process.communicate(lines_of([keyed, *messages]))
    assert process.returncode == 0, err
    assert [json.loads(line) for line in out.splitlines()] == [1, 3, 4]
    assert rows(path, "SELECT car_id FROM new_cars ORDER BY 1") == [(0,), (1,), (2,), (3,)]


def test_settings_and_input_come_from_files(tmp_path: Path, path: Path) -> None:
    config, messages = tmp_path / "config.json", tmp_path / "cars.singer"
    config.write_text(json.dumps({"filepath": str(path)}))
    messages.write_text(lines_of([CARS, record("cars", id=1, price=0.0375)]))
    process = start(path, "--config", str(config), "--input", str(messages))
    assert process.communicate()[1].count("Traceback") == 0
    assert process.returncode == 0
    assert [str(price) for _, price in rows(path)] == ["0.0375"]


def test_a_load_ends_without_a_warning(path: Path) -> None:
    process = start(path)
    _, err = process.communicate(lines_of([CARS, record("cars", id=1, price=1)]))
    assert process.returncode == 0
    assert [line for line in err.splitlines() if "| INFO " not in line] == []


def test_about_names_every_setting_and_nothing_that_has_no_effect() -> None:
    about = subprocess.run(  # noqa: S603 - our own command
        [*COMMAND, "--about", "--format=json"], capture_output=True, text=True, check=True
    )
    assert json.loads(about.stdout)["settings"]["properties"].keys() == {
        "filepath",
        "metrics_file",
        "metrics_labels",
        "schema",
        "column_names",
        "load_method",
        "batch_size_rows",
        "add_record_metadata",
        "process_activate_version_messages",
        "stream_maps",
        "stream_map_config",
        "faker_config",
        "flattening_enabled",
        "flattening_max_depth",
        "flattening_max_key_length",
        "flattening_separator",
    }


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("missing.json", "missing.json cannot be read (No such file or directory)"),
        ("broken.json", "broken.json is not JSON (line 1)"),
        ("list.json", "list.json must hold a JSON object of settings"),
        ("wrong.json", "`batch_size_rows` must be of type integer"),
    ],
)
def test_a_configuration_that_cannot_be_used_exits_2_without_a_traceback(
    tmp_path: Path,
    path: Path,
    config: str,
    expected: str,
) -> None:
    (tmp_path / "broken.json").write_text('{"filepath": ')
    (tmp_path / "list.json").write_text("[1]")
    wrong = {"filepath": str(path), "batch_size_rows": "private"}
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    process = start(path, "--config", str(tmp_path / config))
    out, err = process.communicate()
    assert (process.returncode, out) == (2, "")
    assert expected in err
    assert "Traceback" not in err
    assert "private" not in err


def test_a_tap_that_dies_in_the_middle_of_a_line_leaves_what_was_committed(path: Path) -> None:
    process = start(path, batch_size_rows="1")
    text = lines_of([CARS, state(1), record("cars", id=1), state(2)]) + '{"type": "RECORD", "str'
    out, err = process.communicate(text)
    assert process.returncode == 1
    assert out == "1\n"
    assert "Line 5 of the input is not valid JSON" in err
    assert "Traceback" not in err
    assert rows(path) == [(1, None)]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)], ids=["SIGTERM", "SIGINT"]
)
def test_a_signal_ends_the_loader_with_what_is_committed(
    path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    process = start(path, batch_size_rows="2")
    first = [record("cars", id=1), state("first"), record("cars", id=2)]
    feed(process, lines_of([CARS, *first, record("cars", id=3), state("second")]))
    assert process.stdout
    assert process.stdout.readline() == '"first"\n'
    process.send_signal(number)
    out, err = process.communicate()
    assert process.returncode == code, err
    assert out == ""
    assert "Traceback" not in err
    assert rows(path) == [(1, None), (2, None)]


@pytest.mark.parametrize("becomes", [RuntimeError, None], ids=["another error", "nothing"])
def test_a_signal_counts_whatever_a_query_makes_of_it(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    becomes: type[Exception] | None,
) -> None:
    load = Warehouse.load

    def interrupted(*arguments: t.Any) -> t.Any:  # noqa: ANN401 - passed on
        try:
            signal.raise_signal(signal.SIGTERM)
        except StoppedError:
            if becomes:
                raise becomes from None
        return load(*arguments)

    monkeypatch.setattr(Warehouse, "load", interrupted)
    cars = [message for n in range(1, 9) for message in (record("cars", id=n), state(n))]
    settings = {"filepath": str(path), "batch_size_rows": 2}
    config = types.SimpleNamespace(config=settings, parse_env=False)
    handlers = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGINT)]
    try:
        with pytest.raises(StoppedError) as stopped:
            TargetWarehouse.invoke(config=config, file_input=io.StringIO(lines_of([CARS, *cars])))
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
    assert stopped.value.exit_code == 143
    committed = len(rows(path))
    assert committed == (0 if becomes else 2)
    assert capsys.readouterr().out == ("" if becomes else "1\n")


def test_a_state_whose_records_are_all_committed_is_written_when_a_signal_comes(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stopped(target: TargetWarehouse, _input: object) -> None:
        for message in [CARS, record("cars", id=1), state("early")]:
            target.message_reader.process_lines(
                [json.dumps(message).encode()],  # type: ignore[arg-type]
                {
                    "SCHEMA": target._process_schema_message,  # noqa: SLF001 - as `listen` does
                    "RECORD": target._process_record_message,  # noqa: SLF001
                    "STATE": target._process_state_message,  # noqa: SLF001
                },
            )
        if path.stem == "settled":
            target.drain()
            target._process_state_message(state("late"))  # noqa: SLF001
        raise StoppedError

    monkeypatch.setattr(TargetWarehouse, "listen", stopped)
    for path, expected in [(path, ""), (path.with_stem("settled"), '"early"\n"late"\n')]:  # noqa: B020, PLR1704 - `stopped` reads it
        monkeypatch.setenv("TARGET_WAREHOUSE_FILEPATH", str(path))
        with pytest.raises(StoppedError):
            TargetWarehouse.cli.main(["--config=ENV"], standalone_mode=False)
        assert capsys.readouterr().out == expected


def test_a_reader_of_state_that_is_gone_is_an_error_not_a_traceback(path: Path) -> None:
    process = start(path, batch_size_rows="1")
    assert process.stdout
    process.stdout.close()
    feed(process, lines_of([CARS, state(1), record("cars", id=1)]))
    assert process.stdin
    assert process.stderr
    process.stdin.close()
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait() == 1
    assert "Nobody reads the STATE" in err
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert rows(path) == [(1, None)]


def test_a_tap_that_is_silent_does_not_keep_records_from_being_committed(
    path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    target = TargetWarehouse(config={"filepath": str(path)}, clock=lambda: now[0])
    target.message_reader.wait_seconds = 0.01
    receive, send = os.pipe()
    drain_if_due = target.message_reader.on_wait
    written: list[str] = []

    def idle() -> None:
        drain_if_due()
        written.append(capsys.readouterr().out)
        now[0] += DRAIN_SECONDS
        if len(written) == 2:
            os.close(send)

    target.message_reader.on_wait = idle
    os.write(send, lines_of([CARS, record("cars", id=1), state(1)]).encode())
    with os.fdopen(receive, "rb") as pipe:
        target.process_lines(t.cast("t.IO[str]", pipe))
    target.close()
    assert written[:2] == ["", "1\n"]


def test_a_tap_that_is_slow_but_never_silent_does_not_either(
    path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    target = TargetWarehouse(config={"filepath": str(path)}, clock=lambda: now[0])
    receive, send = os.pipe()
    drain_if_due = target.message_reader.on_wait
    written: list[str] = []

    def always_more() -> None:
        drain_if_due()
        written.append(capsys.readouterr().out)
        now[0] += DRAIN_SECONDS / 2
        if len(written) == 4:
            os.close(send)
        elif len(written) < 4:
            os.write(send, lines_of([record("cars", id=1), state(len(written) + 1)]).encode())

    target.message_reader.on_wait = always_more
    os.write(send, lines_of([CARS, record("cars", id=1), state(1)]).encode())
    with os.fdopen(receive, "rb") as pipe:
        target.process_lines(t.cast("t.IO[str]", pipe))
    target.close()
    assert written[:4] == ["", "", "2\n", ""]


def kill_once(path: Path, messages: Path, drains: int, seconds: float) -> list[int]:
    """Load, kill -9 after some drains and seconds, and give the STATE values written."""
    process = start(path, "--config=ENV", "--input", str(messages), batch_size_rows="100")
    assert process.stdout
    first = [process.stdout.readline() for _ in range(drains)]
    time.sleep(seconds)
    process.kill()
    rest, _ = process.communicate()
    assert process.returncode == -signal.SIGKILL
    return [int(line) for line in [*first, *rest.splitlines()]]


def killed_loads(path: Path, kills: int) -> None:
    """Kill loads of the same input at random moments, look at each, then let one finish."""
    batch, batches = 100, 150
    text = lines_of(
        [
            schema("cars", ["id"], id="integer", price="number"),
            *(
                message
                for number in range(batches)
                for message in (
                    *(record("cars", id=number * batch + n, price=n) for n in range(batch)),
                    state(number + 1),
                )
            ),
        ]
    )
    messages = path.with_name("cars.singer")
    messages.write_text(text)
    # The STATE of a batch follows its last record, so a drain writes the one before.
    for _ in range(kills):
        drains, seconds = random.randint(1, 60), random.uniform(0, 0.01)  # noqa: S311 - moments
        states = kill_once(path, messages, drains, seconds)
        [(count, distinct, highest)] = rows(
            path, "SELECT count(*), count(DISTINCT id), max(id) FROM cars"
        )
        assert count % batch == 0
        assert count == distinct == highest + 1
        assert count >= max(states) * batch
    process = start(path)
    out, err = process.communicate(text)
    assert process.returncode == 0, err
    assert out.splitlines()[-1] == str(batches)
    assert rows(path, "SELECT count(*), sum(id), sum(price) FROM cars") == [
        (batches * batch, sum(range(batches * batch)), sum(range(batch)) * batches)
    ]


def test_a_killed_load_leaves_whole_batches_and_a_rerun_completes_them(path: Path) -> None:
    killed_loads(path, 1)


@pytest.mark.slow
def test_loads_killed_again_and_again_leave_whole_batches(path: Path) -> None:
    killed_loads(path, 6)
