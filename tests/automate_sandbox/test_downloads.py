"""Files behind signed links, as a client that has nothing but the link gets them."""

from __future__ import annotations

import hashlib
import re
import typing as t
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests
from support.links import settled
from support.visitor import serving, visiting

from automate_sandbox import contents
from automate_sandbox.instants import parse
from automate_sandbox.world.attachments import ODD_NAMES

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from support.visitor import Shop, Visitor

HUGE: t.Final = 64 << 20
FILES: t.Final = {"path": "/files/*"}
MAGIC: t.Final = {contents.PDF: b"%PDF-1.4", contents.PNG: b"\x89PNG", contents.JPEG: b"\xff\xd8"}

Record = dict[str, t.Any]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Serve a small world with one file that is larger than the others together."""
    options = ("--vehicles", "60", "--days", "20", "--mfa-type", "none")
    folder = tmp_path_factory.mktemp("store")
    with serving(folder, *options, "--huge-file-bytes", str(HUGE)) as served:
        yield served


@pytest.fixture
def guest(store: Shop) -> Iterator[Visitor]:
    """Log in there; faults are gone afterwards."""
    with visiting(store) as visitor:
        yield visitor
    store.control("reset-faults", {})


@pytest.fixture
def stranger() -> Iterator[requests.Session]:
    """Give a client that was never logged in anywhere."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def fetch(session: requests.Session, url: str, **headers: str) -> requests.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return session.get(url, headers=named, timeout=30)


def plain(guest: Visitor) -> Record:
    """Find an attachment of which everything is known, not the huge one."""
    return next(
        each
        for each in guest.all("/attachments")
        if each["sha256"] and each["size"] and each["size"] < contents.BLOCK * 8
    )


def test_every_attachment_has_the_bytes_that_its_record_tells_of(
    guest: Visitor, stranger: requests.Session
) -> None:
    kinds = set()
    for attachment in guest.all("/attachments"):
        if attachment["size"] == HUGE:
            continue
        answer = fetch(stranger, attachment["downloadUrl"])
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == attachment["contentType"]
        assert attachment["size"] in {None, len(answer.content)}
        digest = hashlib.sha256(answer.content).hexdigest()
        assert attachment["sha256"] in {None, digest}
        assert answer.content.startswith(MAGIC.get(attachment["contentType"], b""))
        kinds.add(attachment["contentType"])
    assert kinds == {*MAGIC, "text/plain"}


def test_what_a_file_is_may_be_unknown_and_its_name_anything(guest: Visitor) -> None:
    attachments = guest.all("/attachments")
    assert {each["fileName"] for each in attachments} >= {*ODD_NAMES}
    assert any(each["sha256"] is None for each in attachments)
    assert any(each["size"] is None for each in attachments)
    assert any(each["size"] == 0 for each in attachments)


def test_photos_are_pictures_of_two_kinds_whatever_their_names_say(
    guest: Visitor, stranger: requests.Session
) -> None:
    urls = [photo["url"] for v in guest.all("/vehicles") for photo in v["photos"]]
    assert len(urls) > 40
    found = [fetch(stranger, url) for url in urls]
    for answer in found:
        assert answer.content.startswith(MAGIC[answer.headers["Content-Type"]])
    assert {answer.headers["Content-Type"] for answer in found} == {contents.PNG, contents.JPEG}
    assert len({answer.headers["ETag"] for answer in found}) == len(found)
    assert all(re.search(r"/\d\.jpg\?", url) for url in urls)
    again = fetch(stranger, urls[0])
    assert again.content == found[0].content


def test_a_link_is_made_for_its_answer_and_is_no_change_of_the_record(
    store: Shop, guest: Visitor
) -> None:
    before = store.stats()["lastSeq"]
    first = guest.all("/attachments"), guest.all("/vehicles")
    store.pass_time(1)
    second = guest.all("/attachments"), guest.all("/vehicles")
    assert [settled(each) for each in first] == [settled(each) for each in second]
    assert first[0] != second[0]
    assert first[1] != second[1]
    assert store.stats()["lastSeq"] == before


def test_a_link_ends_minutes_later_and_the_detail_call_has_a_new_one(
    store: Shop, guest: Visitor, stranger: requests.Session
) -> None:
    path = f"/attachments/{plain(guest)['attachmentId']}"
    answer = guest.get(path)
    old = answer.json()
    now = parsedate_to_datetime(answer.headers["Date"]).timestamp()
    assert 60 < parse(old["urlExpiresAt"]) / 1000 - now < 3600
    assert fetch(stranger, old["downloadUrl"]).ok
    store.pass_time(16 * 60)
    ended = fetch(stranger, old["downloadUrl"])
    assert ended.status_code == 403
    assert "<Code>AccessDenied</Code>" in ended.text
    assert fetch(stranger, guest.get(path).json()["downloadUrl"]).ok


def test_a_link_that_was_tampered_with_opens_nothing(
    guest: Visitor, stranger: requests.Session
) -> None:
    first, second = guest.all("/attachments")[:2]
    url = first["downloadUrl"]
    expires = str(parse(first["urlExpiresAt"]) // 1000)
    assert expires in url
    for forged in (
        url.replace(first["attachmentId"], second["attachmentId"]),
        url.replace(expires, str(int(expires) + 1)),
        url.partition("?")[0],
        url + "0",
    ):
        answer = fetch(stranger, forged)
        assert answer.status_code == 403
        assert "<Code>SignatureDoesNotMatch</Code>" in answer.text


def test_a_file_goes_with_its_record(
    store: Shop, guest: Visitor, stranger: requests.Session
) -> None:
    gone = guest.all("/attachments")[-1]
    store.control("delete", {"stream": "attachments", "keys": [gone["attachmentId"]]})
    assert fetch(stranger, gone["downloadUrl"]).status_code == 404


def test_files_can_only_be_read(guest: Visitor, stranger: requests.Session) -> None:
    url = plain(guest)["downloadUrl"]
    assert stranger.put(url, data=b"other", timeout=30).status_code == 405


def test_credentials_are_refused_or_counted(
    store: Shop, guest: Visitor, stranger: requests.Session
) -> None:
    url = plain(guest)["downloadUrl"]
    before = store.stats()["downloads"]
    assert fetch(stranger, url).ok
    counts = store.stats()["downloads"]
    assert counts["requests"] == before["requests"] + 1
    assert counts["bytes"] > before["bytes"]
    for name in ("authorization", "cookie", "proxy-authorization"):
        assert counts[name] == before[name]
    refused = fetch(stranger, url, Authorization=f"Bearer {guest.token}")
    assert refused.status_code == 400
    assert "<Code>InvalidArgument</Code>" in refused.text
    assert fetch(stranger, url, Cookie="dms_session=1").ok
    counts = store.stats()["downloads"]
    assert counts["authorization"] == before["authorization"] + 1
    assert counts["cookie"] == before["cookie"] + 1
    store.faults({"kind": "cut", "when": "before", "match": FILES, "count": 1})
    with pytest.raises(requests.ConnectionError):
        fetch(stranger, url, Cookie="dms_session=1")
    assert store.stats()["downloads"]["cookie"] == before["cookie"] + 2


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=500-", 500, None),
        ("bytes=-300", -300, None),
        ("bytes=700-99999999", 700, None),
        ("bytes=-99999999", 0, None),
    ],
)
def test_a_range_is_the_part_of_the_file_that_it_names(
    guest: Visitor, stranger: requests.Session, asked: str, start: int, stop: int | None
) -> None:
    url = plain(guest)["downloadUrl"]
    whole = fetch(stranger, url).content
    part = fetch(stranger, url, Range=asked)
    assert part.status_code == 206
    assert part.content == whole[start:stop]
    first, last, size = map(int, re.findall(r"\d+", part.headers["Content-Range"]))
    assert whole[first : last + 1] == part.content
    assert size == len(whole)


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=-0", "bytes=20-10"])
def test_a_range_outside_of_the_file_is_refused(
    guest: Visitor, stranger: requests.Session, asked: str
) -> None:
    attachment = plain(guest)
    answer = fetch(stranger, attachment["downloadUrl"], Range=asked)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{attachment['size']}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=-",
        "lines=1-2",
        "bytes=0-1,5-6",
        "bytes=x-",
        pytest.param(f"bytes={'9' * 5_000}-", id="5000 digits"),
    ],
)
def test_a_range_that_cannot_be_read_counts_for_nothing(
    guest: Visitor, stranger: requests.Session, asked: str
) -> None:
    attachment = plain(guest)
    answer = fetch(stranger, attachment["downloadUrl"], Range=asked)
    assert answer.status_code == 200
    assert len(answer.content) == attachment["size"]


def test_a_tag_tells_whether_it_is_still_the_same_file(
    guest: Visitor, stranger: requests.Session
) -> None:
    url = plain(guest)["downloadUrl"]
    whole = fetch(stranger, url)
    tag = whole.headers["ETag"]
    assert fetch(stranger, url, If_None_Match=tag).status_code == 304
    assert fetch(stranger, url, Range="bytes=5-", If_Range=tag).content == whole.content[5:]
    assert fetch(stranger, url, Range="bytes=5-", If_Range='"old"').content == whole.content
    head = stranger.head(url, timeout=30)
    assert head.content == b""
    for name in ("Content-Length", "Content-Type", "ETag", "Accept-Ranges"):
        assert head.headers[name] == whole.headers[name]


def test_a_huge_file_is_sent_in_pieces_and_no_other_client_waits_for_it(
    store: Shop, guest: Visitor, stranger: requests.Session
) -> None:
    huge = next(each for each in guest.all("/attachments") if each["size"] == HUGE)
    assert huge["sha256"] is None
    before = resident(store)
    with stranger.get(huge["downloadUrl"], stream=True, timeout=30) as answer:
        assert answer.headers["Content-Length"] == str(HUGE)
        received = len(next(answer.iter_content(1 << 16)))
        # The peer takes no more for now: the server keeps what it cannot send unmade.
        assert guest.get("/rooftops").ok
        assert store.stats()["downloads"]["bytes"] < HUGE / 2
        received += sum(len(piece) for piece in answer.iter_content(1 << 20))
    assert received == HUGE
    assert resident(store) - before < 16 << 20


def resident(shop: Shop) -> int:
    """Read how much memory the server has, in bytes."""
    status = Path(f"/proc/{shop.process.pid}/status").read_text("ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) * 1024


def test_a_download_that_was_cut_goes_on_where_it_ended(
    store: Shop, guest: Visitor, stranger: requests.Session
) -> None:
    attachment = plain(guest)
    url, size = attachment["downloadUrl"], attachment["size"]
    store.faults({"kind": "cut", "when": "during", "match": FILES, "count": 1})
    pieces: list[bytes] = []
    with stranger.get(url, stream=True, timeout=30) as answer:
        assert answer.headers["Content-Length"] == str(size)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            pieces.extend(answer.iter_content(64))
    received = b"".join(pieces)
    assert 0 < len(received) <= size // 2
    rest = fetch(stranger, url, Range=f"bytes={len(received)}-")
    assert hashlib.sha256(received + rest.content).hexdigest() == attachment["sha256"]


@pytest.mark.parametrize("when", ["before", "unanswered"])
def test_a_download_can_end_before_its_answer(
    store: Shop, guest: Visitor, stranger: requests.Session, when: str
) -> None:
    url = plain(guest)["downloadUrl"]
    store.faults({"kind": "cut", "when": when, "match": FILES, "count": 1})
    with pytest.raises(requests.exceptions.ConnectionError):
        fetch(stranger, url)
    assert fetch(stranger, url).ok


def test_wrong_bytes_are_as_many_with_another_checksum(
    store: Shop, guest: Visitor, stranger: requests.Session
) -> None:
    attachment = plain(guest)
    store.faults({"kind": "wrong_bytes", "match": FILES, "count": 1})
    wrong, right = (fetch(stranger, attachment["downloadUrl"]).content for _ in range(2))
    assert len(wrong) == len(right) == attachment["size"]
    assert hashlib.sha256(wrong).hexdigest() != attachment["sha256"]
    assert hashlib.sha256(right).hexdigest() == attachment["sha256"]


def test_a_link_can_have_expired_already(
    store: Shop, guest: Visitor, stranger: requests.Session
) -> None:
    url = plain(guest)["downloadUrl"]
    store.faults({"kind": "expired_url", "match": FILES, "count": 1})
    assert fetch(stranger, url).status_code == 403
    assert fetch(stranger, url).status_code == 200


def test_a_slow_body_comes_in_pieces_and_whole(
    store: Shop, guest: Visitor, stranger: requests.Session
) -> None:
    attachment = plain(guest)
    store.faults({"kind": "slow_body", "milliseconds": 20, "match": FILES, "count": 1})
    with stranger.get(attachment["downloadUrl"], stream=True, timeout=30) as answer:
        pieces = list(iter(lambda: answer.raw.read1(1 << 16), b""))
    assert len(pieces) > 4
    assert hashlib.sha256(b"".join(pieces)).hexdigest() == attachment["sha256"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_store_can_fail_too(
    store: Shop, guest: Visitor, stranger: requests.Session, when: str
) -> None:
    url = plain(guest)["downloadUrl"]
    store.faults({"kind": "server_error", "when": when, "match": FILES, "count": 1})
    assert fetch(stranger, url).status_code == 500
    assert fetch(stranger, url).status_code == 200


def test_a_web_page_can_come_instead_of_a_file(
    store: Shop, guest: Visitor, stranger: requests.Session
) -> None:
    url = plain(guest)["downloadUrl"]
    store.faults({"kind": "html", "match": FILES, "count": 1})
    answer = fetch(stranger, url)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html"


def test_text_that_looks_like_the_places_of_links_stays_as_it_is(
    store: Shop, guest: Visitor
) -> None:
    vehicle = store.records("vehicles")[0]
    vehicle |= {"vehicleId": "veh_odd", "model": "`\x7f`", "trim": "x`", "photos": None}
    store.control("import", {"stream": "vehicles", "records": [plain_numbers(vehicle)]})
    shown = guest.get("/vehicles/veh_odd").json()
    assert (shown["model"], shown["trim"]) == ("`\x7f`", "x`")
    store.control("delete", {"stream": "vehicles", "keys": ["veh_odd"]})


def plain_numbers(record: Record) -> Record:
    """Leave out what JSON of the standard library cannot write."""
    return {k: v for k, v in record.items() if isinstance(v, str | int | list | None)}


@pytest.mark.parametrize("kind", [*MAGIC, contents.BINARY])
@pytest.mark.parametrize("size", [0, 1, 700, 20_000])
def test_any_part_of_a_file_is_the_part_of_the_whole(kind: str, size: int) -> None:
    content = contents.make("a file", kind, size)
    whole = content.read(0, content.size)
    assert len(whole) == content.size >= size
    assert hashlib.sha256(whole).hexdigest() == content.sha256()
    for step in (7, 4096, 5000):
        starts = range(0, content.size, step)
        assert b"".join(content.read(start, start + step) for start in starts) == whole
    assert content.read(0, 1 << 30) == whole
    assert contents.make("a file", kind, size) == content
