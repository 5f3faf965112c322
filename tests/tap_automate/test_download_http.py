"""Fetching a file: whole or not at all, with nothing of the session, and not for ever."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import logging
import socket
import ssl
import threading
import typing as t

import pytest
import trustme
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.clock import FakeClock
from support.files import Answer, FileHost

from automate_api.config import ApiConfig
from automate_api.errors import StoppedError
from tap_automate.downloads import errors
from tap_automate.downloads.errors import FileError
from tap_automate.downloads.fetcher import CHUNK_BYTES, MOST_IN_A_ROW, Fetcher, Wanted
from tap_automate.downloads.transfer import Version

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_automate.downloads.transfer import Transfer

CONTENT = bytes(range(256)) * 4800
CUT = 100_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
PATH = "/files/contract.pdf"


class Making(t.Protocol):
    """Makes a fetcher as a run has it."""

    def __call__(
        self,
        *,
        most_bytes: int = ...,
        stop: threading.Event | None = None,
        **settings: t.Any,  # noqa: ANN401 - a setting has any type
    ) -> Fetcher:
        """Make one, with the settings of a sandbox on this machine, changed by `settings`."""


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def host() -> Iterator[FileHost]:
    with FileHost() as server:
        yield server


@pytest.fixture
def make(clock: FakeClock, offline_settings: dict[str, t.Any]) -> Iterator[Making]:
    made: list[Fetcher] = []

    def make(
        *,
        most_bytes: int = 1 << 21,
        stop: threading.Event | None = None,
        **settings: t.Any,  # noqa: ANN401 - a setting has any type
    ) -> Fetcher:
        config = ApiConfig.from_settings({**offline_settings, **settings})
        fetcher = Fetcher(
            config,
            most_bytes=most_bytes,
            stop=stop or threading.Event(),
            clock=clock,
            chance=lambda: 0.5,
        )
        made.append(fetcher)
        return fetcher

    yield make
    for fetcher in made:
        fetcher.close()


def never() -> t.NoReturn:
    pytest.fail("the record was asked for again")


def fetch(fetcher: Fetcher, wanted: Wanted) -> tuple[bytes, Transfer | None]:
    file = io.BytesIO()
    came = fetcher.fetch(wanted, file, never)
    return file.getvalue(), came


def why(fetcher: Fetcher, wanted: Wanted) -> FileError:
    with pytest.raises(FileError) as raised:
        fetch(fetcher, wanted)
    return raised.value


def test_a_file_comes_whole_with_its_length_digest_type_and_version(
    host: FileHost, make: Making
) -> None:
    content, came = fetch(make(), Wanted(host.serve(PATH, CONTENT), len(CONTENT), SHA256))
    assert came is not None
    assert (content, came.size, came.sha256) == (CONTENT, len(CONTENT), SHA256)
    assert came.content_type == "application/pdf"
    assert came.version.exact


def test_nothing_of_the_session_goes_along_nor_what_the_machine_keeps(
    host: FileHost, make: Making, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    cookie = {"Set-Cookie": "session=of-the-host; Path=/"}
    fetcher = make(username="integration.user", password="pass word")  # noqa: S106 - not one
    host.answer(PATH, Answer(302, headers={"Location": "/other", **cookie}))
    fetch(fetcher, Wanted(host.serve("/other", CONTENT)))
    fetch(fetcher, Wanted(f"{host.base}{PATH}"))
    assert len(host.seen) == 3
    allowed = {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}
    assert {name for seen in host.seen for name in seen.headers} <= allowed


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://files.example/a", errors.NOT_HTTPS),
        ("ftp://127.0.0.1/a", errors.NOT_HTTPS),
        ("file:///etc/passwd", errors.NOT_HTTPS),
        ("/etc/passwd", errors.NOT_HTTPS),
        ("https://me:word@files.example/a", errors.NOT_HTTPS),
        ("https://[::bad/a", errors.NOT_HTTPS),
        ("https://files.example:nine/a", errors.NOT_HTTPS),
        ("http://169.254.169.254/latest/meta-data", errors.NOT_HTTPS),
    ],
)
def test_an_address_that_is_not_https_is_not_asked_nor_asked_again(
    make: Making, url: str, reason: str
) -> None:
    error = why(make(), Wanted(url))
    assert (str(error), error.lasting) == (reason, True)


@given(st.text(max_size=80) | st.text(st.sampled_from("a.:/@[]%?#-1\\ \n\u00e9"), max_size=80))
@example("a" * 70 + "/x")
@example("a..b/x")
@example("xn--/x")
@example("ex ample/x")
@example("host/%zz?a=%")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_stands_for_an_address_is_a_reason_and_no_crash(make: Making, rest: str) -> None:
    def unknown(*_: object, **__: object) -> t.NoReturn:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", unknown)
        fetcher = make()
        try:
            assert str(why(fetcher, Wanted(f"https://{rest}")))
        finally:
            fetcher.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]", "127.9.9.9"])
def test_this_machine_is_asked_only_where_the_api_is_on_it(
    host: FileHost, make: Making, name: str
) -> None:
    port = host.base.rpartition(":")[2]
    fetcher = make(api_url="https://api.supergood.ai")
    for scheme in ("http", "https"):
        assert str(why(fetcher, Wanted(f"{scheme}://{name}:{port}/a"))) == errors.OF_THIS_MACHINE
    assert not host.seen


def test_an_address_is_judged_by_the_host_that_would_be_asked(make: Making) -> None:
    fetcher = make(api_url="https://api.supergood.ai")
    odd = "https://127.0.0.1\\.files.example/a"
    assert str(why(fetcher, Wanted(odd))) == errors.OF_THIS_MACHINE


def test_a_redirect_to_no_address_is_a_reason(host: FileHost, make: Making) -> None:
    url = host.answer(PATH, Answer(302, headers={"Location": "https://[::bad/a"}))
    assert str(why(make(), Wanted(url))) == errors.NOT_HTTPS


def test_a_redirect_is_followed_to_where_an_address_may_lead(host: FileHost, make: Making) -> None:
    fetcher = make()
    host.serve("/real", CONTENT)
    url = host.answer(PATH, Answer(307, headers={"Location": "/real?signature=1"}))
    assert fetch(fetcher, Wanted(url))[0] == CONTENT
    host.answer(PATH, Answer(302, headers={"Location": "http://files.example/x"}))
    assert str(why(fetcher, Wanted(url))) == errors.NOT_HTTPS
    host.answer(PATH, Answer(302, headers={"Location": "file:///etc/passwd"}))
    assert str(why(fetcher, Wanted(url))) == errors.NOT_HTTPS
    host.answer(PATH, *[Answer(302, headers={"Location": PATH})] * 6)
    assert str(why(fetcher, Wanted(url))) == errors.TOO_MANY_REDIRECTS


def test_what_is_larger_than_allowed_is_not_taken_whether_it_says_so_or_not(
    host: FileHost, make: Making
) -> None:
    fetcher = make(most_bytes=len(CONTENT) - 1)
    error = why(fetcher, Wanted(host.serve(PATH, CONTENT)))
    assert (str(error), error.lasting) == (errors.TOO_LARGE, True)
    unsaid = Answer(body=CONTENT, headers={"Content-Length": None})
    error = why(fetcher, Wanted(host.answer("/unsaid", unsaid)))
    assert (str(error), error.lasting) == (errors.TOO_LARGE, True)
    assert len(host.seen) == 2
    assert fetch(make(most_bytes=len(CONTENT)), Wanted(f"{host.base}{PATH}"))[0] == CONTENT


def test_a_packed_answer_is_unpacked_within_the_limit(host: FileHost, make: Making) -> None:
    packed = Answer(body=gzip.compress(bytes(1 << 23)), headers={"Content-Encoding": "gzip"})
    small = Answer(body=gzip.compress(CONTENT), headers={"Content-Encoding": "gzip"})
    url = host.answer(PATH, packed, small)
    assert str(why(make(), Wanted(url))) == errors.TOO_LARGE
    assert fetch(make(), Wanted(url, sha256=SHA256))[0] == CONTENT


def test_other_bytes_than_the_records_are_refused(host: FileHost, make: Making) -> None:
    url = host.serve(PATH, CONTENT)
    error = why(make(), Wanted(url, len(CONTENT), "0" * 64))
    assert (str(error), error.lasting) == (errors.OTHER_CONTENT, False)
    assert str(why(make(), Wanted(url, len(CONTENT) + 1))) == errors.OTHER_SIZE
    assert len(host.seen) == 2


def test_a_cut_file_goes_on_where_it_broke_off_as_long_as_it_gets_nearer_to_its_end(
    host: FileHost, make: Making, clock: FakeClock
) -> None:
    url = host.serve(PATH, CONTENT)
    host.cuts[PATH] = len(CONTENT) // 20  # more often than a request is sent again
    content, came = fetch(make(), Wanted(url, sha256=SHA256))
    assert content == CONTENT
    assert came is not None
    assert came.is_joined
    starts = [seen.headers.get("Range") for seen in host.requests(PATH)]
    assert len(starts) > 10
    assert len(set(starts)) == len(starts)
    assert len(clock.waits) == len(starts) - 1


def test_a_file_that_changed_after_a_cut_is_fetched_from_its_start(
    host: FileHost, make: Making
) -> None:
    changed = CONTENT[::-1]

    def change() -> None:
        host.files[PATH] = changed

    first = Answer(200, CONTENT, {"ETag": '"1"', "Accept-Ranges": "bytes"}, CUT, change)
    url = host.answer(PATH, first)
    host.serve(PATH, CONTENT)
    assert fetch(make(), Wanted(url))[0] == changed
    assert host.requests(PATH)[1].headers["If-Range"] == '"1"'


def test_parts_of_two_versions_that_a_server_joins_are_found_out_and_fetched_anew(
    host: FileHost, make: Making
) -> None:
    ranges = {"Accept-Ranges": "bytes"}
    half = len(CONTENT) // 2
    end = len(CONTENT) - 1
    taken = half // CHUNK_BYTES * CHUNK_BYTES
    rest = Answer(206, bytes(end + 1 - taken), {"Content-Range": f"bytes {taken}-{end}/{end + 1}"})
    url = host.answer(PATH, Answer(200, CONTENT, ranges, half), rest)
    host.serve(PATH, CONTENT)
    assert fetch(make(), Wanted(url, sha256=SHA256))[0] == CONTENT
    assert [seen.headers.get("Range") for seen in host.requests(PATH)] == [
        None,
        f"bytes={taken}-",
        None,
    ]


@pytest.mark.parametrize(
    "second",
    [
        Answer(416),
        Answer(206, CONTENT[7:], {"Content-Range": f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"}),
        Answer(206, CONTENT[CUT:], {"Content-Range": "nonsense"}),
        Answer(206, CONTENT[CUT:], {"Content-Range": f"bytes {'9' * 5000}-{'9' * 5000}/*"}),
    ],
)
def test_a_server_that_gives_another_rest_than_was_asked_for_is_asked_for_all(
    host: FileHost, make: Making, second: Answer
) -> None:
    first = Answer(200, CONTENT, {"ETag": '"1"', "Accept-Ranges": "bytes"}, CUT)
    url = host.answer(PATH, first, second)
    host.serve(PATH, CONTENT)
    assert fetch(make(), Wanted(url))[0] == CONTENT


def test_a_server_that_gives_the_rest_in_pieces_is_asked_until_all_of_it_is_there(
    host: FileHost, make: Making
) -> None:
    taken, total = CUT // CHUNK_BYTES * CHUNK_BYTES, len(CONTENT)
    piece = Answer(206, CONTENT[taken:-5], {"Content-Range": f"bytes {taken}-{total - 6}/{total}"})
    first = Answer(200, CONTENT, {"ETag": '"1"', "Accept-Ranges": "bytes"}, CUT)
    last = Answer(206, CONTENT[-5:], {"Content-Range": f"bytes {total - 5}-{total - 1}/*"})
    url = host.answer(PATH, first, piece, last)
    assert fetch(make(), Wanted(url))[0] == CONTENT
    assert [seen.headers.get("Range") for seen in host.seen] == [
        None,
        f"bytes={taken}-",
        f"bytes={total - 5}-",
    ]


def test_the_rest_of_a_longer_file_is_not_joined(host: FileHost, make: Making) -> None:
    taken, total = CUT // CHUNK_BYTES * CHUNK_BYTES, len(CONTENT) + 1
    rest = Answer(
        206, bytes(total - taken), {"Content-Range": f"bytes {taken}-{total - 1}/{total}"}
    )
    first = Answer(200, CONTENT, {"ETag": '"1"', "Accept-Ranges": "bytes"}, CUT)
    url = host.answer(PATH, first, rest)
    host.serve(PATH, CONTENT)
    assert fetch(make(), Wanted(url))[0] == CONTENT


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "9" * 5000},
        {"Content-Length": "-1"},
        {"Content-Length": "many"},
        {"Retry-After": "9" * 5000},
        {"Retry-After": "never"},
    ],
)
def test_headers_that_make_no_sense_are_a_reason_at_most(
    host: FileHost, make: Making, headers: dict[str, str]
) -> None:
    headers = {**headers, "Connection": "close"}
    url = host.answer(PATH, Answer(503, headers=headers), *[Answer(200, CONTENT, headers)] * 5)
    with contextlib.suppress(FileError):
        assert fetch(make(), Wanted(url))[0] == CONTENT
    assert len(host.seen) > 1


def test_an_empty_file_is_a_file(host: FileHost, make: Making) -> None:
    content, came = fetch(make(), Wanted(host.serve(PATH, b""), size=0))
    assert content == b""
    assert came is not None
    assert came.size == 0


def test_without_a_version_or_a_checksum_parts_are_never_joined(
    host: FileHost, make: Making
) -> None:
    cut = Answer(200, CONTENT, {"Accept-Ranges": "bytes", "ETag": 'W/"weak"'}, CUT)
    url = host.answer(PATH, cut)
    host.serve(PATH, CONTENT)
    assert fetch(make(), Wanted(url))[0] == CONTENT
    assert all("Range" not in seen.headers for seen in host.seen)


def test_a_busy_host_is_waited_for_as_it_asks(
    host: FileHost, make: Making, clock: FakeClock
) -> None:
    url = host.answer(PATH, Answer(429, headers={"Retry-After": "7"}), Answer(503), Answer(500))
    host.serve(PATH, CONTENT)
    assert fetch(make(), Wanted(url))[0] == CONTENT
    assert clock.waits[0] >= 7
    assert len(clock.waits) == 3


def test_a_host_is_not_waited_for_longer_than_allowed_and_then_given_up(
    host: FileHost, make: Making, clock: FakeClock
) -> None:
    url = host.answer(PATH, *[Answer(429, headers={"Retry-After": "20"})] * 10)
    fetcher = make(max_wait_seconds=50)
    assert str(why(fetcher, Wanted(url))) == errors.status_text(429)
    assert 40 <= sum(clock.waits) <= 50
    before = len(host.seen)
    assert str(why(fetcher, Wanted(f"{host.base}/other"))) == errors.HOST_GIVEN_UP
    assert len(host.seen) == before


def test_a_host_that_breaks_one_file_after_the_other_is_given_up_and_a_good_one_is_not(
    host: FileHost, make: Making
) -> None:
    fetcher = make()
    host.cuts = dict.fromkeys([PATH, "/good"], 0)
    url = host.serve(PATH, CONTENT)
    reasons = [str(why(fetcher, Wanted(url))) for _ in range(MOST_IN_A_ROW + 1)]
    assert [reason.startswith("not received") for reason in reasons] == [True] * 5 + [False]
    assert reasons[-1] == errors.HOST_GIVEN_UP
    other = make()
    for _ in range(2 * MOST_IN_A_ROW):
        host.cuts[PATH] = 0
        assert str(why(other, Wanted(url))) != errors.HOST_GIVEN_UP
        del host.cuts[PATH]
        assert fetch(other, Wanted(url))[0] == CONTENT


@pytest.mark.parametrize("status", [404, 418, 206, 304, 204])
def test_an_answer_without_the_file_is_no_file(host: FileHost, make: Making, status: int) -> None:
    url = host.answer(PATH, Answer(status))
    assert str(why(make(), Wanted(url))) == errors.status_text(status)
    assert len(host.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 410])
def test_an_address_that_has_ended_is_replaced_once(
    host: FileHost, make: Making, status: int
) -> None:
    fetcher, asked = make(), []
    old, good = host.answer(PATH, Answer(status)), host.serve("/new", CONTENT)

    def renewed() -> Wanted:
        asked.append(1)
        return Wanted(good, len(CONTENT), SHA256)

    came = fetcher.fetch(Wanted(old), io.BytesIO(), renewed)
    assert came is not None
    assert (came.sha256, asked) == (SHA256, [1])
    host.answer(PATH, Answer(status), Answer(status))
    with pytest.raises(FileError, match=errors.status_text(status)):
        fetcher.fetch(Wanted(old), io.BytesIO(), lambda: Wanted(old))


def test_a_version_that_is_there_is_not_sent_again(host: FileHost, make: Making) -> None:
    url = host.serve(PATH, CONTENT)
    _, came = fetch(make(), Wanted(url))
    assert came is not None
    content, again = fetch(make(), Wanted(url, known=came.version))
    assert (content, again) == (b"", None)
    host.serve(PATH, b"newer")
    content, again = fetch(make(), Wanted(url, known=came.version))
    assert content == b"newer"
    assert again is not None


def test_a_version_is_known_by_its_time_where_it_has_no_tag(host: FileHost, make: Making) -> None:
    moment = "Tue, 20 Jan 2026 13:45:00 GMT"
    url = host.answer(PATH, Answer(304))
    assert fetch(make(), Wanted(url, known=Version(None, moment)))[1] is None
    assert host.seen[0].headers["If-Modified-Since"] == moment


def test_a_certificate_that_nobody_trusts_is_no_way_to_a_file(make: Making, tmp_path: Path) -> None:
    authority, bundle = trustme.CA(), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with FileHost(tls=context) as secure:
        url = secure.serve(PATH, CONTENT)
        fetcher = make()
        reasons = [str(why(fetcher, Wanted(url))) for _ in range(MOST_IN_A_ROW + 1)]
        assert reasons == [errors.UNTRUSTED] * MOST_IN_A_ROW + [errors.HOST_GIVEN_UP]
        assert fetch(make(ca_bundle=str(bundle)), Wanted(url))[0] == CONTENT


def test_a_signal_ends_a_file_in_its_middle_and_a_wait(host: FileHost, make: Making) -> None:
    stop = threading.Event()
    url = host.answer(PATH, Answer(200, CONTENT, before=stop.set))
    with pytest.raises(StoppedError):
        fetch(make(stop=stop), Wanted(url))
    stop = threading.Event()
    host.answer(PATH, Answer(503, before=stop.set))
    with pytest.raises(StoppedError):
        fetch(make(stop=stop), Wanted(url))


def test_addresses_are_in_no_log(
    host: FileHost, make: Making, caplog: pytest.LogCaptureFixture
) -> None:
    url = host.serve("/files/canary-name.pdf", CONTENT) + "?X-Amz-Signature=canary-signature"
    fetcher = make()
    caplog.set_level(logging.DEBUG)
    fetch(fetcher, Wanted(url))
    assert len(host.seen) == 1
    assert "canary" not in caplog.text
    assert "canary" not in repr(Wanted(url))
