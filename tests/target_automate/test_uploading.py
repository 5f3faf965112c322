"""Sending a file: whole or not at all, with nothing of the session, and not for ever."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import logging
import os
import ssl
import subprocess
import sys
import threading
import typing as t
from pathlib import Path

import pytest
import trustme
from support.clock import FakeClock
from support.desk import Desk, refusal
from support.upload_host import Answer, UploadHost
from support.visitor import Shop, serving, visiting

from automate_api.config import ApiConfig
from automate_api.errors import ConfigError, StoppedError
from target_automate.records.files import FileFacts
from target_automate.sending.upload_outcomes import PutKind, PutOutcome
from target_automate.sending.uploading import PIECE_BYTES, Uploads, UploadTarget

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Record = dict[str, t.Any]

DATA: t.Final = bytes(range(256)) * 2000
CANARY: t.Final = "canary"
MEBIBYTE: t.Final = 1 << 20
LARGE: t.Final = 48 * MEBIBYTE
"""More than the buffers of a connection on loopback hold, so that a sender waits for its reader."""


class Making(t.Protocol):
    """Makes uploads as a run has them."""

    def __call__(
        self,
        *,
        stop: threading.Event | None = None,
        **settings: t.Any,  # noqa: ANN401 - a setting has any type
    ) -> Uploads:
        """Make one, with the settings of a sandbox on this machine, changed by `settings`."""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    options = ("--vehicles", "20", "--days", "5", "--mfa-type", "none")
    with serving(tmp_path_factory.mktemp("shop"), *options) as served:
        yield served


@pytest.fixture
def desk(shop: Shop) -> Iterator[Desk]:
    with visiting(shop) as guest:
        yield Desk(guest)
    shop.control("reset-faults", {})


@pytest.fixture
def host() -> Iterator[UploadHost]:
    with UploadHost() as server:
        yield server


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def make(clock: FakeClock, tmp_path: Path) -> Iterator[Making]:
    with contextlib.ExitStack() as open_ones:

        def make(
            *,
            stop: threading.Event | None = None,
            **settings: t.Any,  # noqa: ANN401 - a setting has any type
        ) -> Uploads:
            values = {
                "api_url": "http://127.0.0.1:9",
                "integration_id": "none",
                "platform_token": "a-platform-token",
                "username": "someone",
                "password": "a-password",
                "session_path": str(tmp_path / "session"),
                "request_timeout_seconds": 20,
                **settings,
            }
            uploads = Uploads(
                ApiConfig.from_settings(values),
                stop=stop or threading.Event(),
                clock=clock,
                chance=lambda: 0.5,
            )
            open_ones.callback(uploads.close)
            return uploads

        yield make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / f"{CANARY}.pdf"
    file.write_bytes(DATA)
    return file


@pytest.fixture
def large(tmp_path: Path) -> Path:
    file = tmp_path / f"{CANARY}.mov"
    with file.open("wb") as made:
        made.truncate(LARGE)
    return file


def put(
    uploads: Uploads,
    host: UploadHost,
    path: Path,
    **headers: t.Any,  # noqa: ANN401 - of any type
) -> PutOutcome:
    """Send a file as it is to a host, and see to it that no reason says too much."""
    outcome = uploads.put(UploadTarget(host.url, headers), FileFacts.of(path), path)
    assert CANARY not in repr(outcome)
    assert "127.0.0.1" not in repr(outcome)
    return outcome


def announced(desk: Desk, facts: FileFacts) -> Record:
    answer = desk.guest.post(
        "/attachments",
        {
            "entityType": "deal",
            "entityId": desk.guest.all("/deals")[0]["dealId"],
            "fileName": facts.name,
            "contentType": facts.content_type,
            "size": facts.size,
            "sha256": facts.sha256,
        },
    )
    assert answer.status_code == 201, answer.text
    upload: Record = answer.json()
    return upload


def target_of(upload: Record) -> UploadTarget:
    target = UploadTarget.of(upload)
    assert target is not None
    return target


def complete(desk: Desk, upload: Record) -> t.Any:  # noqa: ANN401 - an answer
    return desk.guest.send("POST", f"/attachments/{upload['attachmentId']}/complete")


def test_a_file_arrives_and_is_completed_with_its_digest(
    desk: Desk, make: Making, path: Path
) -> None:
    facts = FileFacts.of(path)
    upload = announced(desk, facts)
    assert make().put(target_of(upload), facts, path) == PutOutcome(PutKind.DONE, status=200)
    record = complete(desk, upload).json()
    assert (record["sha256"], record["size"]) == (facts.sha256, len(DATA))
    assert record["fileName"] == path.name


def test_a_completed_upload_is_said_to_be_taken(desk: Desk, make: Making, path: Path) -> None:
    facts, uploads = FileFacts.of(path), make()
    upload = announced(desk, facts)
    uploads.put(target_of(upload), facts, path)
    assert complete(desk, upload).ok
    outcome = uploads.put(target_of(upload), facts, path)
    assert outcome == PutOutcome(PutKind.TAKEN, "status 409, code Completed", 409)
    assert complete(desk, upload).json()["sha256"] == facts.sha256


def test_an_address_that_has_ended_is_said_to_have(
    shop: Shop, desk: Desk, make: Making, path: Path
) -> None:
    facts = FileFacts.of(path)
    upload = announced(desk, facts)
    shop.pass_time(15 * 60)
    outcome = make().put(target_of(upload), facts, path)
    assert (outcome.kind, outcome.status) == (PutKind.EXPIRED, 403)
    fresh = announced(desk, facts)
    assert make().put(target_of(fresh), facts, path).kind is PutKind.DONE


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut", "when": "before"},
        {"kind": "cut", "when": "unanswered"},
        {"kind": "cut", "when": "during"},
        {"kind": "cut", "when": "after"},
        {"kind": "server_error", "status": 503, "when": "before"},
        {"kind": "server_error", "status": 500, "when": "after"},
        {"kind": "rate_limit", "retry_after": 7},
        {"kind": "rate_limit", "retry_after": 7, "form": "http_date"},
    ],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
def test_a_fault_is_waited_out_and_the_file_arrives(
    desk: Desk, make: Making, path: Path, clock: FakeClock, fault: Record
) -> None:
    facts = FileFacts.of(path)
    upload = announced(desk, facts)
    match = {"method": "PUT", "path": "/files/incoming/*"}
    desk.guest.shop.faults({**fault, "match": match, "count": 2})
    assert make().put(target_of(upload), facts, path).kind is PutKind.DONE
    assert complete(desk, upload).json()["sha256"] == facts.sha256
    assert all(wait >= fault.get("retry_after", 0) for wait in clock.waits)


def test_no_credentials_ever_arrive(
    shop: Shop, desk: Desk, make: Making, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = path.with_name("netrc")
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    facts, before = FileFacts.of(path), shop.stats()["uploads"]
    uploads, kinds = make(), []
    for fault in ({"kind": "expired_url"}, {"kind": "server_error", "status": 503}):
        shop.faults({**fault, "match": {"path": "/files/incoming/*"}, "count": 1})
        kinds += [uploads.put(target_of(announced(desk, facts)), facts, path).kind]
    assert kinds == [PutKind.EXPIRED, PutKind.DONE]
    after = shop.stats()["uploads"]
    assert after["requests"] - before["requests"] == 3
    names = ("authorization", "cookie", "proxy-authorization")
    assert [after[name] for name in names] == [before[name] for name in names]


def test_only_what_the_dms_gives_is_sent_along(host: UploadHost, make: Making, path: Path) -> None:
    host.script = [Answer(headers={"Set-Cookie": "session=theirs; Path=/"})]
    uploads = make()
    for _ in range(2):
        assert put(uploads, host, path, **{"Content-Type": "a/b"}).kind is PutKind.DONE
    plain = {"host", "accept", "accept-encoding", "user-agent", "content-type", "content-length"}
    assert [set(came.headers) for came in host.came] == [plain, plain]
    assert [came.headers["content-type"] for came in host.came] == ["a/b"] * 2
    assert [came.sha256 for came in host.came] == [hashlib.sha256(DATA).hexdigest()] * 2


def test_headers_that_are_not_for_the_dms_to_give_refuse_the_file_unsent(
    host: UploadHost, make: Making, path: Path
) -> None:
    outcome = put(make(), host, path, Authorization=f"Bearer {CANARY}")
    assert outcome.kind is PutKind.REFUSED
    assert "`authorization`" in outcome.reason
    assert not host.came


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://files.example/canary", "the DMS wants it sent to no address of https"),
        ("https://127.0.0.1:9/canary", "the DMS wants it sent to an address of this machine"),
        ("https://[::bad/canary", "the DMS wants it sent to no address of https"),
        ("", "the DMS wants it sent to no address of https"),
    ],
)
def test_an_address_that_nothing_is_sent_to_refuses_the_file(
    make: Making, path: Path, url: str, reason: str
) -> None:
    uploads = make(api_url="https://api.supergood.ai")
    outcome = uploads.put(UploadTarget(url), FileFacts.of(path), path)
    assert outcome == PutOutcome(PutKind.REFUSED, reason)


def test_a_redirect_is_told_and_not_followed(host: UploadHost, make: Making, path: Path) -> None:
    host.script = [Answer(307, {"Location": f"/{CANARY}"})]
    outcome = put(make(), host, path)
    assert (outcome.kind, outcome.status) == (PutKind.REFUSED, 307)
    assert len(host.came) == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
        (b'{"error": {"code": "upload_expired", "message": "canary"}}', "upload_expired"),
        (b"<Code>canary name</Code>", ""),
        (b"<html>canary</html>", ""),
        (b"", ""),
        (b"\xff" * 100_000, ""),
    ],
)
def test_a_refusal_is_quoted_by_status_and_code_alone(
    host: UploadHost, make: Making, path: Path, body: bytes, code: str
) -> None:
    host.script = [Answer(403, body=body)]
    expected = f"status 403, code {code}" if code else "status 403"
    assert put(make(), host, path).reason == expected


def test_an_answer_counts_by_its_status_even_when_its_body_breaks_off(
    host: UploadHost, make: Making, path: Path
) -> None:
    longer = {"Content-Length": "500"}
    host.script = [Answer(status, longer, early=len(DATA)) for status in (403, 200)]
    assert put(make(), host, path) == PutOutcome(PutKind.EXPIRED, "status 403", 403)
    assert put(make(), host, path) == PutOutcome(PutKind.DONE, status=200)


def test_a_file_that_is_not_as_announced_is_not_sent(
    host: UploadHost, make: Making, path: Path
) -> None:
    facts = FileFacts.of(path)

    def outcome() -> PutOutcome:
        return make().put(UploadTarget(host.url), facts, path)

    changed = PutOutcome(PutKind.CHANGED, "`path`: the file has changed since it was announced")
    path.write_bytes(DATA + b"!")
    assert outcome() == changed
    path.write_bytes(DATA[:-1])
    assert outcome() == changed
    path.write_bytes(DATA[::-1])
    os.utime(path, ns=(1, 1))
    assert outcome() == changed
    path.unlink()
    assert outcome() == PutOutcome(PutKind.CHANGED, "`path`: there is no such file")
    assert not host.came
    path.write_bytes(DATA)
    assert outcome().kind is PutKind.DONE


def grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"!")


def shrink(path: Path) -> None:
    os.truncate(path, LARGE - PIECE_BYTES)


def rewrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")


@pytest.mark.parametrize("change", [grow, shrink, rewrite])
def test_a_file_that_changes_while_it_is_sent_never_arrives_whole(
    host: UploadHost, make: Making, large: Path, change: Callable[[Path], None]
) -> None:
    host.script = [Answer(after=MEBIBYTE, then=lambda: change(large))]
    outcome = put(make(), host, large)
    assert outcome == PutOutcome(PutKind.CHANGED, "`path`: the file changed while it was sent")
    assert [came.is_whole for came in host.ended(1)] == [False]


def test_wrong_bytes_behind_right_facts_never_arrive_whole(
    desk: Desk, make: Making, path: Path
) -> None:
    facts = dataclasses.replace(FileFacts.of(path), sha256="0" * 64)
    upload = announced(desk, facts)
    outcome = make().put(target_of(upload), facts, path)
    assert outcome.kind is PutKind.CHANGED
    assert refusal(complete(desk, upload))[:2] == (422, "nothing_uploaded")


def test_a_file_that_is_replaced_while_it_is_sent_is_sent_as_it_was(
    host: UploadHost, make: Making, large: Path
) -> None:
    other = large.with_name("other")
    other.write_bytes(b"!")
    facts = FileFacts.of(large)

    def replace() -> None:
        other.replace(large)

    host.script = [Answer(after=MEBIBYTE, then=replace)]
    assert put(make(), host, large).kind is PutKind.DONE
    assert host.came[0].sha256 == facts.sha256


def test_a_connection_that_is_cut_in_the_middle_starts_the_file_again(
    host: UploadHost, make: Making, large: Path
) -> None:
    host.script = [Answer(cut=MEBIBYTE), Answer(cut=0)]
    assert put(make(), host, large).kind is PutKind.DONE
    assert [came.is_whole for came in host.came] == [False, False, True]
    assert host.came[-1].sha256 == FileFacts.of(large).sha256


def test_an_answer_before_the_whole_file_has_come_is_no_success(
    host: UploadHost, make: Making, large: Path
) -> None:
    host.script = [Answer(200, early=MEBIBYTE)]
    assert put(make(), host, large).kind is PutKind.DONE
    assert [came.is_whole for came in host.came] == [False, True]


def test_attempts_have_an_end_and_so_has_waiting(
    host: UploadHost, make: Making, path: Path, clock: FakeClock
) -> None:
    host.script = [Answer(cut=0)] * 20
    assert put(make(), host, path) == PutOutcome(
        PutKind.UNANSWERED, "connection cut; tried 5 times"
    )
    host.script = [Answer(503)] * 20
    outcome = put(make(), host, path)
    assert outcome == PutOutcome(PutKind.UNANSWERED, "status 503; tried 8 times", 503)
    clock.waits.clear()
    host.script = [Answer(429, {"Retry-After": "20"})] * 20
    outcome = put(make(max_wait_seconds=50), host, path)
    assert (outcome.kind, outcome.status) == (PutKind.UNANSWERED, 429)
    assert 40 <= sum(clock.waits) <= 50


def test_a_host_that_is_not_there_is_unanswered(make: Making, path: Path) -> None:
    outcome = make().put(UploadTarget("http://127.0.0.1:9/a"), FileFacts.of(path), path)
    assert outcome == PutOutcome(PutKind.UNANSWERED, "connection refused; tried 5 times")


def test_a_host_that_takes_no_more_bytes_is_given_up(
    host: UploadHost, make: Making, large: Path
) -> None:
    done = threading.Event()

    def stall() -> None:
        done.wait(60)

    host.script = [Answer(after=MEBIBYTE, then=stall)] * 3
    try:
        outcome = put(make(request_timeout_seconds=0.3), host, large)
    finally:
        done.set()
    assert outcome == PutOutcome(
        PutKind.UNANSWERED, "no byte taken within the time allowed; tried 3 times"
    )


def test_a_signal_ends_a_file_in_its_middle(host: UploadHost, make: Making, large: Path) -> None:
    stop = threading.Event()
    uploads = make(stop=stop)
    host.script = [Answer(after=MEBIBYTE, then=stop.set)]
    for _ in range(2):
        with pytest.raises(StoppedError):
            put(uploads, host, large)
    assert [came.is_whole for came in host.ended(2)] == [False, False]


def test_a_signal_ends_a_wait(host: UploadHost, make: Making, path: Path) -> None:
    stop = threading.Event()
    host.script = [Answer(503, after=len(DATA), then=stop.set)]
    with pytest.raises(StoppedError):
        put(make(stop=stop), host, path)
    assert [came.is_whole for came in host.ended(1)] == [True]


def test_a_certificate_that_nobody_trusts_ends_the_run_and_names_no_address(
    make: Making, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority, bundle = trustme.CA(), path.with_name("ca.pem")
    authority.cert_pem.write_to_path(str(bundle))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    caplog.set_level(logging.DEBUG)
    with UploadHost(tls=context) as secure:
        target, facts = UploadTarget(secure.url), FileFacts.of(path)
        with pytest.raises(
            ConfigError, match=r"is not trusted.*`ca_bundle`.*`uploadUrl`"
        ) as raised:
            make().put(target, facts, path)
        assert make(ca_bundle=str(bundle)).put(target, facts, path).kind is PutKind.DONE
        assert [came.sha256 for came in secure.came] == [facts.sha256]
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    for text in (str(raised.value), caplog.text, repr(target), repr(facts)):
        assert CANARY not in text


def test_threads_share_it(host: UploadHost, make: Making, tmp_path: Path) -> None:
    uploads, outcomes = make(), []
    paths = [tmp_path / f"{number}.bin" for number in range(8)]
    for number, file in enumerate(paths):
        file.write_bytes(bytes([number]) * 300_000)

    def send(file: Path) -> None:
        outcomes.append(put(uploads, host, file).kind)

    threads = [threading.Thread(target=send, args=(file,)) for file in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [PutKind.DONE] * 8
    assert {came.sha256 for came in host.came} == {FileFacts.of(file).sha256 for file in paths}


PROGRAM: t.Final = """
import json, os, sys, threading
from pathlib import Path
from automate_api.config import ApiConfig
from support.memory import peak_bytes
from target_automate.records.files import FileFacts
from target_automate.sending.uploading import Uploads, UploadTarget

settings, url, small, large = json.load(sys.stdin)
uploads = Uploads(ApiConfig.from_settings(settings), stop=threading.Event())
peaks = []
for name in (small, large):
    path = Path(name)
    outcome = uploads.put(UploadTarget(url), FileFacts.of(path), path)
    assert outcome.kind.name == "DONE", outcome
    peaks.append(peak_bytes(os.getpid()))
uploads.close()
print(json.dumps(peaks))
"""


def test_a_large_file_is_held_nowhere(host: UploadHost, path: Path, tmp_path: Path) -> None:
    large, size = tmp_path / "large.bin", 96 * MEBIBYTE
    with large.open("wb") as made:
        made.truncate(size)
    settings = {
        "api_url": host.base,
        "integration_id": "none",
        "platform_token": "a-platform-token",
        "username": "someone",
        "password": "a-password",
        "session_store": "memory",
    }
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([settings, host.url, str(path), str(large)]),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    assert after - before < size / 16
    assert [came.size for came in host.came] == [len(DATA), size]


def test_an_announcement_that_does_not_say_where_to_is_none() -> None:
    assert UploadTarget.of({"attachmentId": "att_1"}) is None
    assert UploadTarget.of({"uploadUrl": 7}) is None
    assert UploadTarget.of({"uploadUrl": "https://a", "uploadHeaders": []}) is None
    assert UploadTarget.of(None) is None
    found = UploadTarget.of({"uploadUrl": "https://a", "uploadHeaders": None})
    assert found == UploadTarget("https://a", {})
