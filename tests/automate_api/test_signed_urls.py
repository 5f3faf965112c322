"""Requests to addresses that come with the DMS's data."""

from __future__ import annotations

import logging
import typing as t

import pytest
from support.files import Answer, FileHost

from automate_api.config import ApiConfig
from automate_api.signed_urls import AddressError, SignedUrls

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.dms import FakeDms


@pytest.fixture
def host() -> Iterator[FileHost]:
    with FileHost() as server:
        yield server


@pytest.fixture
def make(dms: FakeDms, tmp_path: Path) -> Iterator[Callable[..., SignedUrls]]:
    made: list[SignedUrls] = []

    def make(**settings: str) -> SignedUrls:
        config = ApiConfig.from_settings(dms.settings(tmp_path, **settings))
        made.append(SignedUrls(config, connect_seconds=5, read_seconds=5))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://files.example/a", False),
        ("http://169.254.169.254/latest/meta-data", False),
        ("ftp://files.example/a", False),
        ("file:///etc/passwd", False),
        ("files.example/a", False),
        ("", False),
        ("https://", False),
        ("https://me:word@files.example/a", False),
        ("https://@files.example/a", False),
        ("https://[::bad/a", False),
        ("https://files.example:nine/a", False),
        ("https://a..b/x", False),
        (f"https://{'a' * 70}/x", False),
        ("http://127.0.0.1/a", True),
        ("https://localhost/a", True),
        ("https://[::1]/a", True),
        ("https://127.0.0.1\\.files.example/a", True),
    ],
)
def test_nothing_is_sent_but_to_https_elsewhere(
    make: Callable[..., SignedUrls], url: str, *, is_local: bool
) -> None:
    urls = make(api_url="https://api.supergood.ai")
    with pytest.raises(AddressError) as raised:
        urls.send("GET", url, {})
    assert raised.value.is_local is is_local
    assert not url or url not in str(raised.value)


def test_this_machine_is_spoken_to_where_the_api_is_on_it(
    make: Callable[..., SignedUrls], host: FileHost
) -> None:
    with make().send("GET", host.serve("/a", b"content"), {}) as response:
        assert response.content == b"content"


def test_nothing_of_the_session_goes_along_nor_what_the_machine_keeps(
    make: Callable[..., SignedUrls],
    host: FileHost,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    urls = make()
    url = host.answer("/a", Answer(200, headers={"Set-Cookie": "session=theirs; Path=/"}))
    for _ in range(2):
        urls.send("GET", url, {}).close()
    allowed = {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}
    assert len(host.seen) == 2
    assert {name for seen in host.seen for name in seen.headers} <= allowed


def test_a_redirect_is_left_to_the_caller(make: Callable[..., SignedUrls], host: FileHost) -> None:
    url = host.answer("/a", Answer(302, headers={"Location": "/b"}))
    with make().send("GET", url, {}) as response:
        assert response.status_code == 302
    assert len(host.seen) == 1


def test_no_log_has_an_address_and_others_are_logged_still(
    make: Callable[..., SignedUrls], host: FileHost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    urls = make()
    urls.send("GET", host.serve("/canary", b"") + "?signature=canary", {}).close()
    assert "canary" not in caplog.text
    logging.getLogger("urllib3.connectionpool").debug("of the API")
    assert "of the API" in caplog.text
