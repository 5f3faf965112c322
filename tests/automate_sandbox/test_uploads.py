"""Files from outside: announced, sent to a signed link, completed, and read back."""

from __future__ import annotations

import hashlib
import typing as t
from urllib.parse import urlsplit

import pytest
import requests
from support.desk import Desk, refusal, writes_since
from support.memory import peak_bytes
from support.visitor import Shop, Visitor, serving, visiting

from automate_sandbox import contract_file

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    Record = dict[str, t.Any]

DATA: t.Final = b"%PDF-1.4 a signed contract" * 40
CUT: t.Final = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.fixture
def desk(visitor: Visitor) -> Desk:
    return Desk(visitor)


def announcement(desk: Desk, data: bytes = DATA, **more: t.Any) -> Record:  # noqa: ANN401 - JSON
    return {
        "entityType": "deal",
        "entityId": desk.guest.all("/deals")[0]["dealId"],
        "fileName": "contract.pdf",
        "contentType": "application/pdf",
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        **more,
    }


def announced(desk: Desk, data: bytes = DATA, **more: t.Any) -> Record:  # noqa: ANN401 - JSON
    answer = desk.guest.post("/attachments", announcement(desk, data, **more))
    assert answer.status_code == 201, answer.text
    assert contract_file.validator("AttachmentUpload").is_valid(answer.json())
    upload: Record = answer.json()
    return upload


def put(upload: Record, data: object = DATA, **headers: str | None) -> requests.Response:
    """Send bytes as a client without a session does; None as a value leaves a header out."""
    wanted = {**upload["uploadHeaders"], **headers}
    sent = {name: value for name, value in wanted.items() if value is not None}
    with requests.Session() as session:
        session.trust_env = False
        return session.put(upload["uploadUrl"], data=data, headers=sent, timeout=60)  # type: ignore[arg-type]


def fetch(url: str, **headers: str) -> requests.Response:
    """Follow a link without a session."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, headers=headers, timeout=30)


def complete(desk: Desk, upload: Record) -> requests.Response:
    return desk.guest.send("POST", f"/attachments/{upload['attachmentId']}/complete")


def listed(desk: Desk, upload: Record) -> bool:
    return upload["attachmentId"] in {a["attachmentId"] for a in desk.guest.all("/attachments")}


def test_a_file_is_announced_sent_completed_listed_and_read_back(shop: Shop, desk: Desk) -> None:
    upload = announced(desk)
    assert put(upload).status_code == 200
    assert not listed(desk, upload)
    assert desk.guest.get(f"/attachments/{upload['attachmentId']}").status_code == 404
    answer = complete(desk, upload)
    assert answer.status_code == 200
    record = answer.json()
    assert contract_file.validator("Attachment").is_valid(record)
    assert {name: record[name] for name in announcement(desk)} == announcement(desk)
    assert listed(desk, upload)
    download = fetch(record["downloadUrl"])
    assert (download.content, download.headers["Content-Type"]) == (DATA, "application/pdf")
    part = fetch(record["downloadUrl"], Range="bytes=5-8")
    assert (part.status_code, part.content) == (206, DATA[5:9])
    before = shop.stats()["lastSeq"]
    again = complete(desk, upload).json()
    names = ("attachmentId", "updatedAt", "sha256")
    assert [again[name] for name in names] == [record[name] for name in names]
    (write,) = writes_since(shop, before)
    assert shop.stats()["lastSeq"] == before + 1, "a second completion changes no record"
    assert write["write"]["id"] == upload["attachmentId"]
    assert put(upload).status_code == 409


def test_an_upload_needs_no_credentials_and_takes_no_authorization(shop: Shop, desk: Desk) -> None:
    upload, before = announced(desk), shop.stats()["uploads"]
    assert put(upload, Authorization="Bearer x").status_code == 400
    assert refusal(complete(desk, upload))[:2] == (422, "nothing_uploaded")
    assert put(upload, Cookie="session=x").status_code == 200
    after = shop.stats()["uploads"]
    assert {name: after[name] - before[name] for name in after} == {
        "requests": 2,
        "bytes": len(DATA),
        "authorization": 1,
        "cookie": 1,
        "proxy-authorization": 0,
    }


def test_a_link_is_good_for_its_file_its_headers_and_its_time(shop: Shop, desk: Desk) -> None:
    upload, other = announced(desk), announced(desk)
    parts = urlsplit(upload["uploadUrl"])
    moved = urlsplit(other["uploadUrl"])._replace(query=parts.query).geturl()
    assert put(upload | {"uploadUrl": moved}).status_code == 403
    assert put(upload | {"uploadUrl": upload["uploadUrl"] + "0"}).status_code == 403
    for name in upload["uploadHeaders"]:
        assert put(upload, **{name: None}).status_code == 403
        assert put(upload, **{name: "another"}).status_code == 403
    assert fetch(upload["uploadUrl"]).status_code == 405
    shop.pass_time(15 * 60)
    assert put(upload).status_code == 403
    assert refusal(complete(desk, upload))[:2] == (403, "upload_expired")
    assert not listed(desk, upload)


def test_what_was_uploaded_in_time_is_completed_later(shop: Shop, desk: Desk) -> None:
    upload = announced(desk)
    put(upload)
    shop.pass_time(15 * 60)
    assert complete(desk, upload).status_code == 200


def test_wrong_bytes_are_refused_until_the_right_ones_come(desk: Desk) -> None:
    upload = announced(desk)
    assert put(upload, DATA[:-1] + b"!").status_code == 200
    assert refusal(complete(desk, upload))[:3] == (422, "checksum_mismatch", "sha256")
    assert put(upload, DATA[:-1]).status_code == 200
    assert refusal(complete(desk, upload))[:3] == (422, "size_mismatch", "size")
    assert put(upload, DATA + b"!").status_code == 400
    assert put(upload, iter([DATA])).status_code == 411
    assert not listed(desk, upload)
    assert put(upload).status_code == 200
    assert complete(desk, upload).status_code == 200


def test_an_empty_file_can_be_attached(desk: Desk) -> None:
    upload = announced(desk, b"")
    assert put(upload, b"").status_code == 200
    record = complete(desk, upload).json()
    assert record["size"] == 0
    assert fetch(record["downloadUrl"]).content == b""


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"entityType": "planet"}, "entityType"),
        ({"entityId": "deal_no"}, "entityId"),
        ({"size": (5 << 30) + 1}, "size"),
        ({"size": -1}, "size"),
        ({"sha256": "abc"}, "sha256"),
        ({"contentType": "image/png\r\nX-Evil: 1"}, "contentType"),
        ({"contentType": "picture"}, "contentType"),
    ],
)
def test_an_announcement_that_cannot_be_is_refused_by_field(
    shop: Shop, desk: Desk, more: Record, field: str
) -> None:
    before = shop.stats()["lastSeq"]
    answer = desk.guest.post("/attachments", announcement(desk, **more))
    assert (refusal(answer)[0], refusal(answer)[2]) == (422, field)
    assert shop.stats()["lastSeq"] == before
    unknown = desk.guest.send("POST", "/attachments/att_no/complete")
    assert refusal(unknown)[:2] == (404, "record_not_found")


@pytest.mark.parametrize(
    ("fault", "status", "stored"),
    [
        ({"kind": "expired_url"}, 403, False),
        ({"kind": "server_error", "status": 503, "when": "before"}, 503, False),
        ({"kind": "server_error", "status": 500, "when": "after"}, 500, True),
        ({"kind": "rate_limit"}, 429, False),
        ({"kind": "cut", "when": "before"}, None, False),
        ({"kind": "cut", "when": "unanswered"}, None, True),
    ],
)
def test_faults_strike_an_upload_before_or_after_it_is_taken(
    shop: Shop, desk: Desk, fault: Record, status: int | None, *, stored: bool
) -> None:
    upload = announced(desk)
    shop.faults({**fault, "match": {"path": "/files/incoming/*"}, "count": 1})
    if status is None:
        with pytest.raises(CUT):
            put(upload)
    else:
        assert put(upload).status_code == status
    assert complete(desk, upload).status_code == (200 if stored else 422)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(desk: Desk) -> None:
    upload = announced(desk)

    def half() -> Iterator[bytes]:
        yield DATA[: len(DATA) // 2]
        raise ConnectionAbortedError

    with pytest.raises(requests.ConnectionError):
        put(upload, Sized(half(), len(DATA)))
    assert refusal(complete(desk, upload))[:2] == (422, "nothing_uploaded")


def test_bytes_that_come_after_the_completion_change_nothing(desk: Desk) -> None:
    upload = announced(desk)

    def slow() -> Iterator[bytes]:
        yield b"!" * (len(DATA) // 2)
        assert put(upload).status_code == 200
        assert complete(desk, upload).status_code == 200
        yield b"!" * (len(DATA) - len(DATA) // 2)

    assert put(upload, Sized(slow(), len(DATA))).status_code == 409
    record = desk.read(f"/attachments/{upload['attachmentId']}")
    assert fetch(record["downloadUrl"]).content == DATA


def test_a_large_file_is_checked_while_it_comes_and_held_nowhere(shop: Shop, desk: Desk) -> None:
    piece, count = bytes(range(256)) * 4096, 96
    digest = hashlib.sha256()
    for _ in range(count):
        digest.update(piece)
    size = count * len(piece)
    upload = announced(desk, size=size, sha256=digest.hexdigest())
    before = peak_bytes(shop.process.pid)
    assert put(upload, Sized((piece for _ in range(count)), size)).status_code == 200
    grown = peak_bytes(shop.process.pid) - before
    assert grown < size / 4
    record = complete(desk, upload).json()
    assert record["size"] == size
    assert fetch(record["downloadUrl"]).status_code == 404


class Sized:
    """A body that comes piece by piece, with a length, so that it is not sent in chunks."""

    def __init__(self, pieces: Iterator[bytes], size: int) -> None:
        self._pieces = pieces
        self._size = size

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def __len__(self) -> int:
        return self._size


def test_files_and_announcements_outlive_the_server_with_its_store(tmp_path: Path) -> None:
    store = tmp_path / "world.sqlite"
    options = ("--vehicles", "20", "--days", "5", "--mfa-type", "none", "--store", str(store))
    with serving(tmp_path, *options) as shop, visiting(shop) as guest:
        desk = Desk(guest)
        done, sent, waiting = (announced(desk) for _ in range(3))
        for upload in (done, sent):
            assert put(upload).status_code == 200
        assert complete(desk, done).status_code == 200
        shop.kill()
    again = ("--mfa-type", "none", "--store", str(store))
    with serving(tmp_path, *again) as shop, visiting(shop) as guest:
        desk = Desk(guest)
        record = desk.read(f"/attachments/{done['attachmentId']}")
        assert fetch(record["downloadUrl"]).content == DATA
        assert complete(desk, sent).status_code == 200
        assert refusal(complete(desk, waiting))[:2] == (422, "nothing_uploaded")
        url = waiting["uploadUrl"].replace(urlsplit(waiting["uploadUrl"]).netloc, "{}")
        port = urlsplit(shop.facts["api_url"]).netloc
        assert put(waiting | {"uploadUrl": url.format(port)}).status_code == 403
        fresh = announced(desk)
        assert fresh["attachmentId"] not in {u["attachmentId"] for u in (done, sent, waiting)}


def test_an_announcement_that_comes_again_with_its_key_has_the_link_it_had(
    shop: Shop, desk: Desk
) -> None:
    body, headers = announcement(desk), {"Idempotency-Key": "announced-twice"}
    first, second = (
        desk.guest.send("POST", "/attachments", json=body, headers=headers) for _ in range(2)
    )
    assert first.json() == second.json()
    shop.pass_time(15 * 60)
    third = desk.guest.send("POST", "/attachments", json=body, headers=headers)
    assert put(third.json()).status_code == 403
    assert put(announced(desk)).status_code == 200
