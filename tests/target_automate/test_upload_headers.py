"""Which of the headers that the DMS gives for an upload are sent."""

from __future__ import annotations

import typing as t

import pytest

from target_automate.sending.upload_headers import (
    LONGEST,
    NEVER_SENT,
    UnusableHeadersError,
    checked,
)

CANARY: t.Final = "canary-value"


def sent(headers: dict[str, t.Any]) -> dict[str, str]:
    return checked(headers, host="files.example", size=7)


def why(headers: dict[str, t.Any]) -> str:
    with pytest.raises(UnusableHeadersError) as raised:
        sent(headers)
    assert CANARY not in str(raised.value)
    return str(raised.value)


def test_headers_go_along_as_they_are_with_the_length() -> None:
    headers = {"Content-Type": "image/png", "x-checksum": "", "x-name": "Contract \u00e9.pdf"}
    assert sent(headers) == {
        "content-type": "image/png",
        "x-checksum": "",
        "x-name": "Contract \u00e9.pdf",
        "content-length": "7",
    }


@pytest.mark.parametrize("name", sorted(NEVER_SENT))
def test_credentials_and_what_belongs_to_a_connection_are_refused(name: str) -> None:
    assert f"`{name}`" in why({name.title(): CANARY})


def test_host_and_length_count_when_they_say_what_is_so_anyway() -> None:
    assert sent({"Host": "Files.example", "Content-Length": "7"}) == {"content-length": "7"}
    assert sent({"host": "files.example:443"}) == {"content-length": "7"}
    assert "`host`" in why({"Host": CANARY})
    assert "`content-length`" in why({"Content-Length": "8"})


@pytest.mark.parametrize(
    "headers",
    [
        {"x": f"{CANARY}\r\nAuthorization: x"},
        {"x": f"{CANARY}\n"},
        {"x": f" {CANARY}"},
        {"x": f"{CANARY}\t"},
        {"x": "\u20ac"},
        {"x": "\x7f"},
        {"x": 7},
        {"x": None},
        {"x": [CANARY]},
        {"": CANARY},
        {f"x y{CANARY}": "1"},
        {"x:": CANARY},
        {"\u00e9": CANARY},
    ],
)
def test_what_is_no_header_is_refused(headers: dict[str, t.Any]) -> None:
    assert why(headers) == "the DMS gives headers for the file that are none"


def test_a_header_twice_and_more_than_a_server_takes_are_refused() -> None:
    assert "`x` for the file twice" in why({"x": "1", "X": "2"})
    assert sent({"x": "y" * (LONGEST - 1)})
    assert "more headers" in why({"x": "y" * LONGEST})
