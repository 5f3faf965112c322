"""Files sent in this process to a store that answers as the test says."""

from __future__ import annotations

import typing as t

import pytest
from support.clock import FakeClock
from support.dms import Canned, FakeDms
from support.running import finish, running, states
from support.upload_host import Answer, UploadHost

from automate_api import retry
from automate_api.errors import TryLaterError, UnreachableError
from target_automate.journal.intents import Cause, State
from target_automate.sending.attachments import ATTEMPTS
from target_automate.sending.breaker import LEFT
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.dms import Seen

FILES: t.Final = by_object("attachments")
BROKEN: t.Final = 500
TRIES: t.Final = int(retry.ATTEMPTS[retry.Trouble.BROKEN])
"""Until a store that answers so is given up."""


class Desk(FakeDms):
    """A DMS that announces and completes whatever it is asked to.

    Attributes:
        store: Where it wants files.
        refused: File names that the store answers with an error status, each time.
        announced: Attachment to what was announced.
        completed: File names, in order.
    """

    def __init__(self, clock: FakeClock, store: UploadHost) -> None:
        self.store = store
        self.refused: dict[str, int] = {}
        self.announced: dict[str, dict[str, t.Any]] = {}
        self.completed: list[str] = []
        super().__init__(totp=False, clock=clock.time)

    def handle(self, seen: Seen) -> Canned:
        """Announce, complete and list."""
        call = f"{seen.method} {seen.path}"
        if call == "POST /attachments":
            number = f"att_{len(self.announced) + 1}"
            self.announced[number] = seen.body
            if status := self.refused.get(seen.body["fileName"]):
                self.store.script += [Answer(status)] * (TRIES if status == BROKEN else 1)
            facts = {"attachmentId": number, "uploadUrl": self.store.url}
            self.answer(call, Canned(201, facts))
        elif call == "GET /attachments":
            done = [
                {"attachmentId": number} | facts
                for number, facts in self.announced.items()
                if facts["fileName"] in self.completed
                and facts["entityId"] == seen.query.get("entityId")
            ]
            page = {"items": done, "page": 1, "pageSize": 200, "total": len(done)}
            self.answer(call, Canned(200, page))
        elif call == "GET /deals":
            deal = {"dealId": "deal_1", "referenceId": "web-1"}
            self.answer(call, Canned(200, {"items": [deal], "page": 1, "pageSize": 50, "total": 1}))
        elif call.endswith("/complete"):
            number = seen.path.split("/")[2]
            self.completed.append(self.announced[number]["fileName"])
            self.answer(call, Canned(200, {"attachmentId": number}))
        return super().handle(seen)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store() -> Iterator[UploadHost]:
    with UploadHost() as serving:
        yield serving


@pytest.fixture
def dms(clock: FakeClock, store: UploadHost) -> Iterator[Desk]:
    with Desk(clock, store) as serving:
        yield serving


def file(folder: Path, name: str, deal: str = "deal_1") -> dict[str, str]:
    path = folder / name
    path.write_bytes(name.encode())
    return {"dealId": deal, "path": str(path)}


@pytest.mark.parametrize("status", [400, 403])
def test_a_file_that_is_taken_at_no_address_is_rejected_and_those_behind_it_go(
    dms: Desk, clock: FakeClock, tmp_path: Path, status: int
) -> None:
    dms.refused["bad.pdf"] = status
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        for name in ("bad.pdf", "good.pdf"):
            run.take(FILES, file(tmp_path, name))
        finish(run)
        bad, good = run.journal.having({*State})
        assert (bad.state, bad.cause, good.state) == (State.REJECTED, Cause.REFUSED, State.ACKED)
        assert bad.reason == f"the DMS refuses it (status {status}, at {ATTEMPTS} addresses)"
    assert [facts["fileName"] for facts in dms.announced.values()] == [
        *["bad.pdf"] * ATTEMPTS,
        "good.pdf",
    ]
    assert dms.completed == ["good.pdf"]


def test_a_file_to_which_a_store_gives_no_answer_does_not_keep_others_from_going(
    dms: Desk, clock: FakeClock, tmp_path: Path
) -> None:
    """The oldest comes first in each run: nothing behind it would ever go."""
    dms.refused["bad.pdf"] = BROKEN
    with running(dms, clock, tmp_path) as run:
        for number, name in enumerate(("bad.pdf", "good.pdf", "other.pdf")):
            run.take(FILES, file(tmp_path, name, f"deal_{number}"))
        with pytest.raises(UnreachableError, match=r"does not take write 1 \(status 500"):
            finish(run)
        assert states(run) == [State.PLANNED, State.ACKED, State.ACKED]


def test_a_store_that_gives_no_answer_to_any_file_is_left_alone(
    dms: Desk, clock: FakeClock, tmp_path: Path
) -> None:
    names = [f"{number}.pdf" for number in range(LEFT + 3)]
    dms.refused = dict.fromkeys(names, BROKEN)
    with running(dms, clock, tmp_path) as run:
        for name in names:
            run.take(FILES, file(tmp_path, name, name))
        with pytest.raises(UnreachableError):
            finish(run)
        assert {*states(run)} == {State.PLANNED}
    assert len(dms.announced) == LEFT


def test_a_file_that_was_missing_goes_once_its_record_says_where_it_is_now(
    dms: Desk, clock: FakeClock, tmp_path: Path
) -> None:
    record = file(tmp_path, "contract.pdf")
    elsewhere = tmp_path / "archive" / "contract.pdf"
    elsewhere.parent.mkdir()
    dms.answer("POST /attachments", Canned(429, headers={"Retry-After": "9999"}))
    with running(dms, clock, tmp_path) as run:
        run.take(FILES, record)
        with pytest.raises(TryLaterError):
            finish(run)
        assert states(run) == [State.PLANNED]
    (tmp_path / "contract.pdf").rename(elsewhere)
    with running(dms, clock, tmp_path, max_reject_percent=100) as run:
        run.recover()
        finish(run)
        (kept,) = run.journal.having({*State})
        assert (kept.state, kept.cause) == (State.REJECTED, Cause.CHANGED)
    with running(dms, clock, tmp_path) as run:
        run.take(FILES, record | {"path": str(elsewhere)})
        finish(run)
        assert states(run) == [State.ACKED]
    assert dms.completed == ["contract.pdf"]


def test_the_same_file_of_a_deal_that_is_named_in_two_ways_is_attached_once(
    dms: Desk, clock: FakeClock, tmp_path: Path
) -> None:
    by_id = file(tmp_path, "contract.pdf")
    for record in (by_id, {"dealReferenceId": "web-1", "path": by_id["path"]}):
        with running(dms, clock, tmp_path) as run:
            run.take(FILES, record)
            finish(run)
            ids = {kept.dms_id for kept in run.journal.having({State.ACKED})}
    assert ids == {"att_1"}
    assert dms.completed == ["contract.pdf"]
