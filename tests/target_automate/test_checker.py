"""The checker, on histories that are made up: it names each thing that must not be."""

from __future__ import annotations

import itertools
import typing as t

import pytest
from proof.checker import Verdict, judge
from support.intents import journal_at

from target_automate.journal.intents import Cause, State
from target_automate.journal.journal import NewIntent

if t.TYPE_CHECKING:
    from pathlib import Path

Entry = dict[str, t.Any]

DEAL: t.Final = "deal_1"
WAGON: t.Final = "veh_1"
VIN: t.Final = "1M8GDM9AXKP042788"
MADE: t.Final = ("deals", {"referenceId": "d1", "customerId": "cust_1"})
CONTRACTED: t.Final = ("deal_statuses", {"dealReferenceId": "d1", "status": "contracted"})
DELIVERED: t.Final = ("deal_statuses", {"dealReferenceId": "d1", "status": "delivered"})
CHEAP: t.Final = ("vehicle_prices", {"vin": VIN, "salePrice": 100})
DEAR: t.Final = ("vehicle_prices", {"vin": VIN, "salePrice": 200})


class World:
    """A history and a journal that grow by hand.

    Args:
        folder: For the journal.
    """

    def __init__(self, folder: Path) -> None:
        self.history: list[Entry] = []
        self.fed: list[tuple[str, Entry]] = []
        self._folder = folder
        self._rows: list[tuple[str, Entry, State, dict[str, t.Any]]] = []
        self._serial = itertools.count(1)
        self.now = 1_000

    def version(self, stream: str, key: str, cause: str = "api", **record: t.Any) -> None:  # noqa: ANN401 - JSON
        """Have the DMS hold a record; by the API it is of the next request."""
        self._enter(stream, key, cause, record=record)

    def write(self, call: str, key: str | None = None, **facts: t.Any) -> None:  # noqa: ANN401 - JSON
        """Have the DMS carry out a write, whose versions have just been made."""
        named = {} if key is None else {"id": key}
        told = {"status": 200, "payload": {}, "answer": {}, **named, **facts}
        self._enter(None, call, "api", write=told)

    def feed(self, *fed: tuple[str, Entry], state: State = State.ACKED, **row: t.Any) -> None:  # noqa: ANN401 - columns
        """Feed records, and have the journal say what became of them."""
        for stream, record in fed:
            self.fed.append((stream, record))
            self._rows.append((stream, record, state, row))

    def make_deal(self) -> None:
        """Make the deal, as it was fed."""
        self.feed(MADE, dms_id=DEAL)
        self.version("deals", DEAL, status="penciled", referenceId="d1", customerId="cust_1")
        self.write("POST /deals", payload=MADE[1], answer={"dealId": DEAL}, idempotencyKey="k0")

    def step(self, status: str, key: str = "k1") -> None:
        """Carry out a step of the deal."""
        self.version("deals", DEAL, status=status, referenceId="d1")
        payload = {"status": status, "expectedStatus": "penciled"}
        self.write("POST /deals/{id}/status", DEAL, payload=payload, idempotencyKey=key)

    def price(self, amount: int, key: str = "k1", cause: str = "api") -> None:
        """Set the price of the vehicle; not by the API it is somebody else's."""
        self.version("vehicles", WAGON, cause, status="in_stock", vin=VIN, salePrice=amount)
        if cause == "api":
            payload = {"salePrice": amount}
            self.write("PATCH /vehicles/{id}", WAGON, payload=payload, idempotencyKey=key)

    def judge(self) -> Verdict:
        """Judge it."""
        with journal_at(self._folder) as journal:
            sequences: dict[tuple[str, str], t.Iterator[int]] = {}
            for stream, record, state, row in self._rows:
                key = str(next(iter(record.values())))
                number = next(sequences.setdefault((stream, key), itertools.count(1)))
                new = NewIntent(
                    object=stream,
                    operation="update",
                    business_key=key,
                    content_hash=str(record),
                    sequence=number,
                    payload=record,
                    lane=b"",
                )
                came = self.now - 500
                journal.change(journal.add(new, came), state, came, **row)
            journal.flush()
            path = journal.path
        return judge(self.fed, self.history, path)

    def _enter(self, stream: str | None, key: str, cause: str, **body: t.Any) -> None:  # noqa: ANN401 - JSON
        serial = next(self._serial)
        request = sum(entry["stream"] is None for entry in self.history)
        facts = {"seq": serial, "at": self.now * 1000, "cause": cause}
        self.history.append(
            {**facts, "stream": stream, "key": key, "requestId": f"req_{request}", **body}
        )


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def priced(world: World) -> World:
    """A vehicle with a price, before anything is fed."""
    world.price(50, cause="world")
    return world


def test_what_arrives_in_order_is_no_fault(priced: World) -> None:
    priced.make_deal()
    priced.feed(CONTRACTED, DELIVERED, CHEAP, DEAR, CHEAP)
    priced.step("contracted")
    priced.step("delivered", "k2")
    for number, amount in enumerate((100, 200, 100)):
        priced.price(amount, f"p{number}")
    verdict = priced.judge()
    assert verdict.faults == {}
    assert not verdict.rejected
    assert len(verdict.created) == 1
    assert len(verdict.changed) == 4


def test_a_word_that_never_came_is_lost(world: World) -> None:
    world.make_deal()
    world.feed(CONTRACTED)
    world.feed(DELIVERED, state=State.DROPPED)
    world.step("contracted")
    assert [*world.judge().faults] == ["lost"]


def test_a_word_that_the_journal_calls_done_and_the_dms_does_not_know_is_unproved(
    world: World,
) -> None:
    world.make_deal()
    world.feed(CONTRACTED, dms_id=DEAL)
    assert [*world.judge().faults] == ["unproved"]


def test_a_last_word_that_an_earlier_one_replaced_is_stale(priced: World) -> None:
    priced.feed(CHEAP, DEAR)
    priced.price(200, "k2")
    priced.price(100, "k1")
    assert [*priced.judge().faults] == ["stale", "misordered"]


def test_a_word_that_somebody_else_replaced_is_not_stale(priced: World) -> None:
    priced.feed(CHEAP)
    priced.price(100)
    priced.price(300, cause="live")
    assert priced.judge().faults == {}


def test_a_word_that_was_carried_out_twice_under_one_key_is_duplicated(priced: World) -> None:
    priced.feed(CHEAP)
    priced.price(100)
    priced.price(100)
    assert [*priced.judge().faults] == ["duplicated"]


def test_a_file_that_is_there_twice_is_duplicated(world: World, tmp_path: Path) -> None:
    path = tmp_path / "contract.txt"
    path.write_text("signed")
    world.make_deal()
    digest = "2e1bd5ea1b7d4ae9a7d5ea0c2fd5d4c2"
    world.feed(
        ("attachments", {"dealReferenceId": "d1", "path": str(path), "sha256": digest}),
        dms_id="att_1",
    )
    for key in ("att_1", "att_2"):
        record: Entry = {
            "attachmentId": key,
            "entityType": "deal",
            "entityId": DEAL,
            "sha256": digest,
        }
        world.version("attachments", key, **record)
        world.write("POST /attachments/{id}/complete", key, answer=record)
        world.write("POST /attachments/{id}/complete", key, answer=record)
    verdict = world.judge()
    assert [*verdict.faults] == ["duplicated"]
    assert len(verdict.duplicated) == 1


def test_a_status_that_went_back_by_a_write_is_backwards(world: World) -> None:
    world.make_deal()
    world.feed(CONTRACTED, DELIVERED)
    world.step("contracted")
    world.step("delivered", "k2")
    world.step("contracted", "k3")
    assert "backwards" in world.judge().faults


def test_a_price_that_came_after_a_record_and_was_replaced_by_it_is_overwritten(
    priced: World,
) -> None:
    priced.feed(CHEAP)
    priced.price(300, cause="control")
    priced.now += 5
    priced.price(100)
    assert [*priced.judge().faults] == ["overwritten"]


def test_a_price_that_was_there_before_a_record_came_may_be_replaced(world: World) -> None:
    world.now -= 600
    world.price(50, cause="world")
    world.price(300, cause="control")
    world.now += 600
    world.feed(CHEAP)
    world.price(100)
    assert world.judge().faults == {}


def test_what_was_said_of_another_record_than_it_was_fed_of_is_misplaced(priced: World) -> None:
    priced.make_deal()
    priced.feed(CONTRACTED)
    priced.step("contracted")
    priced.step("delivered", "k2")
    priced.price(100)
    assert [*priced.judge().faults] == ["misplaced"]


def test_what_overtakes_an_earlier_record_of_its_deal_is_misordered(world: World) -> None:
    terms = {"dealReferenceId": "d1", "finance": {"termMonths": 48}}
    world.make_deal()
    world.feed(("deal_terms", terms), CONTRACTED)
    world.step("contracted")
    held: Entry = {"status": "contracted", "referenceId": "d1", "finance": {"termMonths": 48}}
    world.version("deals", DEAL, **held)
    world.write("PATCH /deals/{id}", DEAL, payload=terms, idempotencyKey="k2")
    assert [*world.judge().faults] == ["misordered"]


def test_what_changes_a_deal_may_be_fed_before_it(world: World) -> None:
    world.feed(CONTRACTED)
    world.make_deal()
    world.step("contracted")
    assert world.judge().faults == {}


@pytest.mark.parametrize(
    ("held", "cause", "field"),
    [
        ("delivered", Cause.SUPERSEDED, "superseded"),
        ("penciled", Cause.SUPERSEDED, "rejected"),
        ("delivered", Cause.REFUSED, "rejected"),
    ],
)
def test_a_refusal_is_right_where_the_dms_is_further_on(
    world: World, held: str, cause: Cause, field: str
) -> None:
    world.make_deal()
    if held != "penciled":
        world.version("deals", DEAL, "live", status=held, referenceId="d1")
    world.feed(CONTRACTED, state=State.REJECTED, cause=cause)
    verdict = world.judge()
    assert verdict.faults == {}
    assert len(getattr(verdict, field)) == 1
