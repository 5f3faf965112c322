from __future__ import annotations

import datetime as dt
import http.server
import itertools
import socket
import threading
import typing as t
from decimal import Decimal

import pytest
from support.clock import START, FakeClock
from support.dms import Canned, FakeDms

from automate_api.config import ApiConfig
from automate_api.errors import (
    AuthenticationError,
    AutomateError,
    NotEntitledError,
    NotOfferedError,
    ProtocolError,
    RequestRefusedError,
    StoppedError,
    TryLaterError,
    UnreachableError,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from automate_api.client import Client
    from automate_api.session import Session

    Connect = Callable[..., tuple[Session, Client]]

NOW: t.Final = dt.datetime.fromtimestamp(START, dt.UTC)


def test_a_page_carries_its_records_its_numbers_and_the_servers_clock(
    dms: FakeDms, client: Client
) -> None:
    body = b'{"items": [{"cost": 19999.1234, "n": 7}], "page": 2, "pageSize": 50, "total": 51}'
    dms.answer("GET /vehicles", Canned(body=body, headers={"X-Request-Id": "req_5"}))
    page = client.list_page("/vehicles", {"page": 2, "pageSize": 200, "status": "in_stock"})
    assert page.items == [{"cost": Decimal("19999.1234"), "n": 7}]
    assert (page.page, page.page_size, page.total) == (2, 50, 51)
    assert page.server_time == NOW
    assert page.request_id == "req_5"
    assert dms.seen[-1].query == {"page": "2", "pageSize": "200", "status": "in_stock"}


def test_requests_carry_the_token_and_say_who_asks(dms: FakeDms, client: Client) -> None:
    client.get("/lots")
    headers = dms.seen[-1].headers
    assert headers["Authorization"] == f"Bearer {next(iter(dms.tokens))}"
    assert headers["Accept"] == "application/json"
    assert headers["User-Agent"].startswith("automate-dms/")


def test_a_netrc_entry_never_replaces_the_token(
    dms: FakeDms, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login intruder password intruder\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    # For loopback the environment is not looked at, so let the fake pass for another host.
    monkeypatch.setattr(ApiConfig, "is_loopback", False)
    connect()[1].get("/lots")
    first_words = [seen.headers.get("Authorization", "none").split()[0] for seen in dms.seen]
    assert first_words == ["none", "Basic", "Bearer"]
    assert "Basic aW50cnVkZXI6aW50cnVkZXI=" not in dms.seen[1].headers["Authorization"]


def test_a_proxy_of_the_environment_does_not_see_loopback_requests(
    dms: FakeDms, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    connect()[1].get("/lots")
    assert dms.calls("GET", "/lots")


def test_a_proxy_of_the_environment_is_used_for_any_other_host(
    dms: FakeDms, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{dms.port}")
    monkeypatch.setattr(ApiConfig, "is_loopback", False)
    # Nobody listens there: only the proxy answers.
    connect(api_url="http://127.0.0.1:1")[1].get("/lots", {"page": 1})
    assert [seen.query for seen in dms.calls("GET", "/lots")] == [{"page": "1"}]


def test_one_connection_serves_many_requests(dms: FakeDms, connect: Connect) -> None:
    _, client = connect()
    client.get("/lots")
    threads = threading.active_count()
    for _ in range(20):
        client.get("/lots")
    assert threading.active_count() == threads
    assert len(dms.calls("GET", "/lots")) == 21


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_trouble_is_waited_out(dms: FakeDms, client: Client, status: int) -> None:
    dms.answer("GET /lots", *[Canned(status, {})] * 2)
    assert client.get("/lots").body["total"] == 0
    assert client.stats.retries == 2
    assert client.stats.requests == 3
    assert client.stats.throttled == (2 if status == 429 else 0)
    assert client.stats.waited_seconds >= 0.5 * (0.5 + 1.0)


@pytest.mark.parametrize("cut", ["before", "during"])
def test_a_cut_connection_is_asked_again(
    dms: FakeDms, client: Client, cut: t.Literal["before", "during"]
) -> None:
    dms.answer("GET /lots", Canned(cut=cut), Canned(cut=cut))
    assert client.get("/lots").body["total"] == 0
    assert len(dms.calls("GET", "/lots")) == 3


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Canned(429, {}), (TryLaterError, "last answered 429")),
        (Canned(503, {}), (TryLaterError, "last answered 503")),
        (Canned(504, {}), (TryLaterError, "last answered 504")),
        (Canned(500, {"error": {"code": "boom"}}), (RequestRefusedError, r"500 \(code boom\)")),
        (Canned(cut="before"), (UnreachableError, "connection cut")),
        (Canned(cut="during"), (ProtocolError, "broke off")),
        (Canned(body=b'{"items": ['), (ProtocolError, "not complete JSON")),
    ],
)
def test_a_lasting_trouble_ends_with_a_clear_error_within_the_budget(
    dms: FakeDms, clock: FakeClock, client: Client, answer: Canned, expected: tuple[type, str]
) -> None:
    kind, text = expected
    client.get("/lots")
    before = clock.time()
    dms.answer("GET /lots", *[answer] * 500)
    with pytest.raises(AutomateError, match=text) as error:
        client.get("/lots")
    assert type(error.value) is kind
    assert str(error.value).startswith("GET /lots:")
    assert clock.time() - before <= 900


@pytest.mark.parametrize("form", ["30", "Mon, 21 Sep 2026 14:14:10 GMT"])
def test_retry_after_is_never_undercut(
    dms: FakeDms, clock: FakeClock, connect: Connect, form: str
) -> None:
    # This machine's clock is wrong by an hour; the date in the header is the server's.
    dms.clock = lambda: START
    clock.pass_by(3600)
    _, client = connect()
    dms.answer("GET /lots", Canned(429, {}, headers={"Retry-After": form}))
    moments: list[float] = []
    dms.answer("GET /lots", Canned(before=lambda: moments.append(clock.time())))
    client._session.token()  # noqa: SLF001 - so that the login's waits are not counted
    start = clock.time()
    client.get("/lots")
    assert moments[0] - start >= 30


def test_retry_after_holds_for_the_requests_of_all_threads(
    dms: FakeDms, clock: FakeClock, connect: Connect
) -> None:
    _, client = connect(max_wait_seconds=60)
    client.get("/lots")
    dms.answer("GET /parts", Canned(429, {}, headers={"Retry-After": "61"}))
    with pytest.raises(TryLaterError):
        client.get("/parts")
    with pytest.raises(TryLaterError, match="asked for a pause of which 61 s are left"):
        client.get("/lots")
    clock.pass_by(11)
    before = clock.time()
    client.get("/lots")
    assert clock.time() - before == pytest.approx(50, abs=0.1)
    assert len(dms.calls("GET", "/lots")) == 2


def test_a_pause_longer_than_allowed_ends_at_once(
    dms: FakeDms, clock: FakeClock, connect: Connect
) -> None:
    _, client = connect(max_wait_seconds=60)
    client.get("/lots")
    before = clock.time()
    dms.answer("GET /lots", Canned(503, {}, headers={"Retry-After": "61"}))
    with pytest.raises(TryLaterError, match=r"asks to wait 61 s.*allows 60"):
        client.get("/lots")
    assert clock.time() - before < 1


def test_requests_are_spaced_by_the_rate(dms: FakeDms, clock: FakeClock, connect: Connect) -> None:
    _, client = connect(requests_per_second=4)
    moments: list[float] = []
    dms.answer("GET /lots", *[Canned(before=lambda: moments.append(clock.time()))] * 5)
    for _ in range(5):
        client.get("/lots")
    gaps = [after - before for before, after in itertools.pairwise(moments)]
    assert gaps == pytest.approx([0.25] * 4)


def test_threads_share_one_rate(clock: FakeClock, connect: Connect) -> None:
    _, client = connect(requests_per_second=4)
    client.get("/lots")
    start = clock.time()
    threads = [threading.Thread(target=client.get, args=("/lots",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.stats.requests == 9
    assert clock.time() - start >= 8 * 0.25 - 1e-6


def test_a_session_that_ends_in_the_middle_is_renewed_once(dms: FakeDms, client: Client) -> None:
    client.get("/lots")
    dms.tokens.clear()
    assert client.get("/lots").body["total"] == 0
    assert dms.logins == 2


def test_a_token_refused_twice_is_an_error_and_no_endless_login(
    dms: FakeDms, client: Client
) -> None:
    client.get("/lots")
    body = {"error": {"code": "session_invalid", "requestId": "req_3"}}
    dms.answer("GET /lots", *[Canned(401, body)] * 9)
    with pytest.raises(AuthenticationError, match="just issued") as error:
        client.get("/lots")
    assert error.value.request_id == "req_3"
    assert len(dms.calls("GET", "/lots")) == 3
    assert (dms.logins, dms.refreshes) == (1, 1)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (403, NotEntitledError),
        (404, NotOfferedError),
        (501, NotOfferedError),
        (400, RequestRefusedError),
        (409, RequestRefusedError),
        (423, RequestRefusedError),
        (301, ProtocolError),
    ],
)
def test_other_answers_are_not_repeated(
    dms: FakeDms, client: Client, status: int, kind: type[AutomateError]
) -> None:
    location = {"Location": "http://127.0.0.1:1/elsewhere"}
    dms.answer("GET /lots", Canned(status, {"error": {"requestId": "req_8"}}, headers=location))
    with pytest.raises(AutomateError, match="req_8") as error:
        client.get("/lots")
    assert type(error.value) is kind
    assert len(dms.calls("GET", "/lots")) == 1


def test_an_html_page_is_said_to_be_one_and_not_repeated(dms: FakeDms, client: Client) -> None:
    page = Canned(body=b"<html>canary</html>", headers={"Content-Type": "text/html"})
    dms.answer("GET /lots", page)
    with pytest.raises(ProtocolError, match="expected JSON, got an HTML page") as error:
        client.get("/lots")
    assert "canary" not in str(error.value)
    assert len(dms.calls("GET", "/lots")) == 1


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([], "got list"),
        ({}, "items: missing, page: missing, pageSize: missing, total: missing"),
        ({"items": {}, "page": 1, "pageSize": 5, "total": 0}, "items: dict"),
        ({"items": [{}, "canary"], "page": 1, "pageSize": 5, "total": 2}, "items: list with str"),
        ({"items": [], "page": "1", "pageSize": 5, "total": 0}, "page: str"),
        ({"items": [], "page": 1, "pageSize": 0, "total": 0}, "pageSize: int"),
        ({"items": [], "page": 1, "pageSize": 5, "total": None}, "total: NoneType"),
        ({"items": [], "page": 1, "pageSize": 5, "total": True}, "total: bool"),
        ({"items": [], "page": 1, "pageSize": 5, "total": 1.5}, "total: Decimal"),
        ({"items": [], "page": 1, "pageSize": 5, "total": -1}, "total: int"),
    ],
)
def test_a_malformed_page_is_named_by_types(
    dms: FakeDms, client: Client, body: object, expected: str
) -> None:
    dms.answer("GET /lots", Canned(body=body))
    with pytest.raises(ProtocolError, match=expected) as error:
        client.list_page("/lots", {"page": 1})
    assert "expected a page" in str(error.value)
    assert "canary" not in str(error.value)


def test_an_answer_without_date_cannot_be_used(dms: FakeDms, client: Client) -> None:
    dms.answer("GET /lots", Canned(headers={"Date": None}))
    with pytest.raises(ProtocolError, match="`Date`"):
        client.get("/lots")


def test_an_unreachable_host_is_named(client: Client, dms: FakeDms, clock: FakeClock) -> None:
    client.get("/lots")
    client._transport._connections._config = FakeConfig(  # type: ignore[assignment]  # noqa: SLF001 - the host goes away
        free_port()
    )
    before = clock.time()
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1 .*connection refused.*5 times"):
        client.get("/lots")
    assert clock.time() - before < 16
    assert len(dms.calls("GET", "/lots")) == 1


class FakeConfig:
    """What connections look at, with nobody at home."""

    host = "127.0.0.1"

    def __init__(self, port: int) -> None:
        self.base_url = f"http://127.0.0.1:{port}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_name_that_does_not_resolve_is_said_to_be_one(connect: Connect) -> None:
    _, client = connect(api_url="https://dms.invalid")
    with pytest.raises(UnreachableError, match=r"dms\.invalid .*cannot be resolved"):
        client.get("/lots")


def test_a_server_that_says_nothing_is_left_after_the_timeout(connect: Connect) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        _, client = connect(api_url=f"http://127.0.0.1:{port}", request_timeout_seconds=0.1)
        with pytest.raises(UnreachableError, match=r"no byte within the time allowed.*3 times"):
            client.get("/lots")


def test_the_servers_clock_costs_one_small_request_at_most(
    dms: FakeDms, clock: FakeClock, client: Client
) -> None:
    dms.clock = lambda: clock.time() - 7200
    assert client.server_time() == NOW - dt.timedelta(hours=2)
    assert [(seen.method, seen.path) for seen in dms.seen] == [("HEAD", "")]
    clock.pass_by(5.9)
    assert client.server_time() == NOW - dt.timedelta(hours=2) + dt.timedelta(seconds=5)
    assert len(dms.seen) == 1


def test_nothing_is_sent_after_the_stop(dms: FakeDms, connect: Connect) -> None:
    stop = threading.Event()
    _, client = connect(stop=stop)
    client.get("/lots")
    stop.set()
    with pytest.raises(StoppedError):
        client.get("/lots")
    assert len(dms.calls("GET", "/lots")) == 1


def test_a_wait_ends_with_the_stop(dms: FakeDms, connect: Connect) -> None:
    stop = threading.Event()
    _, client = connect(stop=stop)
    client.get("/lots")
    dms.answer("GET /lots", Canned(429, {}, headers={"Retry-After": "800"}, before=stop.set))
    with pytest.raises(StoppedError):
        client.get("/lots")
    assert len(dms.calls("GET", "/lots")) == 2


def test_ten_threads_at_work_share_one_login(dms: FakeDms, client: Client) -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(10):
                client.list_page("/lots", {"page": 1})
        except BaseException as error:  # noqa: BLE001 - told in the test's own thread
            errors.append(error)

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert client.stats.requests == 100
    assert dms.logins == 1


def test_a_redirect_does_not_carry_the_token_elsewhere(dms: FakeDms, client: Client) -> None:
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.02,))
        thread.start()
        url = f"http://127.0.0.1:{other.server_port}/here"
        dms.answer("GET /lots", Canned(302, b"", headers={"Location": url}))
        with pytest.raises(ProtocolError, match="redirect"):
            client.get("/lots")
        other.shutdown()
        thread.join()
    assert not asked
