from __future__ import annotations

import base64
import json
import logging
import sys
import threading
import typing as t
import urllib.parse
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.logging import StructuredFormatter

from automate_api import redaction

HARD: t.Final = 'pa"ss w\\ord+é/%&'
BIRTH: t.Final = "1961-02-03"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Install for one test alone."""
    monkeypatch.setattr(logging.Handler, "format", logging.Handler.format)
    monkeypatch.setattr(warnings, "formatwarning", warnings.formatwarning)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    redaction.install()


@pytest.mark.parametrize(
    "form",
    [
        HARD,
        base64.b64encode(HARD.encode()).decode(),
        urllib.parse.quote(HARD, safe=""),
        urllib.parse.quote_plus(HARD),
        json.dumps(HARD),
        json.dumps(HARD, ensure_ascii=False),
        repr(HARD),
    ],
)
def test_a_secret_is_replaced_in_every_form_in_which_it_travels(form: str) -> None:
    redaction.register(HARD)
    text = redaction.redact(f"before {form} after")
    assert redaction.SECRET in text
    assert form.strip("\"'") not in text
    assert text.startswith("before ")
    assert text.endswith(" after")


def test_the_longest_secret_is_replaced_first() -> None:
    redaction.register("canary-one")
    redaction.register("canary-one-and-more")
    assert redaction.redact("canary-one-and-more") == redaction.SECRET


def test_a_short_secret_is_replaced_only_where_it_stands_alone() -> None:
    redaction.register("q7")
    assert redaction.redact("q7 faq71 'q7'") == "<secret> faq71 '<secret>'"


def test_an_empty_secret_replaces_nothing() -> None:
    redaction.register("")
    assert redaction.redact("a plain text") == "a plain text"


@settings(deadline=None)
@given(st.text(min_size=4))
def test_any_secret_is_gone_from_any_text_around_it(secret: str) -> None:
    redaction.register(secret)
    assert secret not in redaction.redact(f"<{secret}>").replace(redaction.SECRET, "")


@pytest.mark.parametrize(
    "text",
    [
        '{"dateOfBirth": "1961-02-03", "x": 1}',
        "{'dateOfBirth': '1961-02-03', 'x': 1}",
        "{'dateOfBirth': datetime.date(1961, 2, 3), 'x': 1}",
        '{"dateOfBirth":"1961-02-03',
        r'"{\"dateOfBirth\": \"1961-02-03\", \"x\": 1}"',
        '{"date_of_birth": "1961-02-03"}',
        "On instance['dateOfBirth']:\n    '1961-02-03'",
        '{"driversLicense": {"number": "D1961-02-03", "state": "CA"}, "x": 1}',
        "{'driversLicense': {'number': 'D1961-02-03', 'state': 'CA'}, 'x': 1}",
        '{"drivers_license__number": "D1961-02-03"}',
        '{"address": {"line1": "1961-02-03 Main St", "city": "X"}}',
        '{"address": {"at": {"line1": "1961-02-03 Main St"}, "city": "1961"}, "x": 1}',
        '{"address": {"at": {"line1": "1961-02-03 Main',
        '{"phones": [{"type": "cell", "number": "1961-02-03"}]}',
        '{"phones": [["1961-02-03"], ["1961"]], "x": 1}',
        '{"emails": ["1961-02-03", "b"]}',
        '{"emails": ["1961-02-03", "b',
        '{"firstName": "1961-02-03 \\" Smith"}',
    ],
)
def test_values_of_personal_fields_are_replaced(text: str) -> None:
    shown = redaction.redact(text)
    assert "1961" not in shown
    assert "Smith" not in shown
    assert "datetime" not in shown
    assert redaction.PERSONAL in shown
    assert ("x" in text) == ("x" in shown)


def test_redacted_json_stays_json() -> None:
    record = {
        "dateOfBirth": BIRTH,
        "address": {"line1": "1 Main St"},
        "phones": [{"number": "+15551234567"}],
        "emails": ["a@example.com"],
        "vin": "1HGCM82633A004352",
        "total": 12,
    }
    shown = json.loads(redaction.redact(json.dumps(record)))
    assert shown["vin"] == "1HGCM82633A004352"
    assert shown["total"] == 12
    nested = json.loads(redaction.redact(json.dumps({"message": json.dumps(record)})))
    assert json.loads(nested["message"])["total"] == 12
    assert BIRTH not in nested["message"]


@pytest.mark.parametrize(
    "text",
    [
        "jane.doe+x@mail.example.com",
        "/customers?email=jane.doe%40example.com",
        "+15551234567",
        "%2B15551234567",
        "(555) 123-4567",
        "555-123-4567",
        "1 555 123 4567",
        "555.123.4567",
    ],
)
def test_addresses_and_numbers_are_replaced_wherever_they_stand(text: str) -> None:
    shown = redaction.redact(f"call {text}, please")
    assert not set("0123456789") & set(shown.replace("%2B", ""))
    assert "jane" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23 06:26:34,123 | INFO | tap-automate | 12345 rows, 1.25 s, page 7 of 120",
        "127.0.0.1:45153 <secret> 1HGCM82633A004352 je_5c01e8 D-2026-00128 1234567890",
        "GET /vehicles: the DMS answered 503. Run again later. (request id req_1-2)",
        "updatedFrom=2026-01-20T13:45:00Z&page=2",
    ],
)
def test_what_logs_are_for_stays_readable(text: str) -> None:
    assert redaction.redact(text) == text


class Collect(logging.Handler):
    """Keeps what a handler would have written."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("formatter", [None, logging.Formatter(), StructuredFormatter()])
def test_handlers_made_later_redact_messages_and_tracebacks(
    formatter: logging.Formatter | None,
) -> None:
    redaction.register("canary-log")
    handler = Collect()
    handler.setFormatter(formatter)
    logger = logging.getLogger("test-redaction")
    logger.addHandler(handler)
    try:
        logger.warning("in args: %s", "canary-log")
        try:
            msg = "in the text: canary-log"
            raise ValueError(msg)  # noqa: TRY301 - the traceback is what is tested
        except ValueError:
            logger.exception("with a traceback", extra={"note": "canary-log"})
    finally:
        logger.removeHandler(handler)
    text = "\n".join(handler.lines)
    assert "canary-log" not in text
    assert "ValueError" in text
    assert "in the text: <secret>" in text


@pytest.mark.usefixtures("installed")
def test_warnings_are_redacted() -> None:
    redaction.register("canary-warning")
    text = warnings.formatwarning("about canary-warning", UserWarning, "file.py", 1)
    assert "about <secret>" in text
    assert "canary" not in text


@pytest.mark.usefixtures("installed")
def test_what_kills_a_thread_or_the_program_is_redacted(capsys: pytest.CaptureFixture[str]) -> None:
    redaction.register("canary-crash")

    def crash() -> None:
        msg = "canary-crash"
        raise RuntimeError(msg)

    hook = threading.excepthook
    try:
        crash()
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
        hook(threading.ExceptHookArgs((RuntimeError, error, error.__traceback__, None)))
    shown = capsys.readouterr().err
    assert "canary-crash" not in shown
    assert shown.count("RuntimeError: <secret>") == 2


@pytest.mark.usefixtures("installed")
def test_installing_twice_changes_nothing() -> None:
    once = logging.Handler.format
    redaction.install()
    assert logging.Handler.format is once


@pytest.mark.parametrize(
    "name",
    ["appointmentFrom", "customerId", "email", "externalId", "phone", "referenceId", "vin"],
)
def test_what_one_record_is_sought_by_is_not_shown_in_an_address(name: str) -> None:
    for query in (f"?{name}=Xanadu-1&page=1", f"?page=1&{name}=Xanadu-1"):
        shown = redaction.redact(f'"GET /deals{query} HTTP/1.1" 200')
        assert "Xanadu" not in shown
        assert f"{name}={redaction.PERSONAL}" in shown
        assert "page=1" in shown
        assert shown.endswith(' HTTP/1.1" 200')
