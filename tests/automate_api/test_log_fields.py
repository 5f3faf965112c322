"""Which fields every log record has."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import typing as t
import uuid

import pytest
from singer_sdk.logging import StructuredFormatter

from automate_api import log_fields
from automate_api.errors import EXIT_USAGE, NotEntitledError, ProtocolError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
import logging
import click
from automate_api.log_fields import run_id
from automate_api.program import run

@click.command()
def say():
    logging.basicConfig(format="%(automate_run_id)s %(message)s", level="INFO")
    logging.getLogger("any.other").info(run_id())

run(say, name="say")
"""


@pytest.fixture
def formatted(monkeypatch: pytest.MonkeyPatch) -> Iterator[t.Callable[..., dict[str, t.Any]]]:
    """Give what the SDK's structured formatter makes of a log call, in a run that is called so."""
    log_fields.run_id.cache_clear()
    monkeypatch.setenv("AUTOMATE_RUN_ID", "nightly-7")
    before = logging.getLogRecordFactory()
    log_fields.install()
    log_fields.install()
    logger = logging.getLogger("tests.log_fields")

    def made(message: str, *args: object, exc_info: t.Any = None) -> dict[str, t.Any]:  # noqa: ANN401 - logging's own
        record = logger.makeRecord(
            logger.name, logging.ERROR, "file", 1, message, args, exc_info=exc_info
        )
        extra: dict[str, t.Any] = json.loads(StructuredFormatter().format(record))["extra"]
        return extra

    yield made
    logging.setLogRecordFactory(before)
    log_fields.run_id.cache_clear()


def say(**variables: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if name not in log_fields.VARIABLES}
    return subprocess.run(  # noqa: S603 - a program of this test
        [sys.executable, "-c", PROGRAM],
        env=plain | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_record_of_whatever_logger_names_the_run(
    formatted: t.Callable[..., dict[str, t.Any]],
) -> None:
    assert formatted("plain") == {"automate_run_id": "nightly-7"}
    assert formatted("%(one)s", {"one": 1}) == {"automate_run_id": "nightly-7"}


def test_a_record_about_a_failed_request_has_the_servers_id_and_the_status(
    formatted: t.Callable[..., dict[str, t.Any]],
) -> None:
    refused = NotEntitledError("no", status=403, request_id="req-1")
    named = {"automate_run_id": "nightly-7", "request_id": "req-1", "http_status": 403}
    assert formatted("Skipping %s: %s", "deals", refused) == named
    broken = ProtocolError("no page", request_id="req-2")
    raised = formatted("failed", exc_info=(type(broken), broken, None))
    assert raised == {"automate_run_id": "nightly-7", "request_id": "req-2"}
    assert formatted("%s", ProtocolError("no page")) == {"automate_run_id": "nightly-7"}


def test_a_run_without_a_name_gets_one_of_its_own_each_time() -> None:
    first, second = (say().stderr.split() for _ in range(2))
    assert first[0] == first[1] == str(uuid.UUID(first[0]))
    assert second[0] != first[0]


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MELTANO_RUN_ID": "m-1"}, "m-1"),
        ({"MELTANO_RUN_ID": "m-1", "AUTOMATE_RUN_ID": "a-1"}, "a-1"),
        ({"MELTANO_RUN_ID": "m-1", "AUTOMATE_RUN_ID": ""}, "m-1"),
        (
            {"AUTOMATE_RUN_ID": "manual__2026-11-23T00:00:00+00:00"},
            "manual__2026-11-23T00:00:00+00:00",
        ),
    ],
)
def test_the_environment_names_the_run(variables: dict[str, str], expected: str) -> None:
    assert say(**variables).stderr.split() == [expected, expected]


@pytest.mark.parametrize("given", ["two\nlines", "a b", "x" * 129, "ä"])
def test_an_id_that_could_not_stand_in_a_line_is_refused_by_the_variables_name(given: str) -> None:
    done = say(AUTOMATE_RUN_ID=given)
    assert done.returncode == EXIT_USAGE
    assert "AUTOMATE_RUN_ID must be" in done.stderr
    assert given not in done.stderr
    assert "Traceback" not in done.stderr
