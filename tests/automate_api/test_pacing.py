"""The rate at which requests leave, against a server that has a limit of its own."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import logging
import threading
import typing as t

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.clock import FakeClock
from support.dms import Canned, FakeDms

from automate_api.errors import StoppedError
from automate_api.pacing import LEAST_PER_SECOND, RAISE_SECONDS, STEPS, Pacer, Place

if t.TYPE_CHECKING:
    from automate_api.client import Client

CLOSE: t.Final = 1e-4
"""What floating-point seconds since 1970 lose."""


@dataclasses.dataclass
class Sent:
    """A request: when it left, at which rate, and whether it was refused."""

    at: float
    rate: float
    throttled: bool


@dataclasses.dataclass
class Crowd:
    """Threads that send as fast as they may, in a time that the test moves.

    Attributes:
        limit: Requests in any second that the server takes; None for a server without a limit.
        latency: Seconds from a request to its answer.
    """

    pacer: Pacer
    clock: FakeClock
    workers: int
    limit: float | None
    latency: float

    def __post_init__(self) -> None:
        self.sent: list[Sent] = []
        self._ties = itertools.count()
        self._events: list[tuple[float, int, Place | None, Sent | None]] = []
        for _ in range(self.workers):
            self._wake(0.0)

    def run(self, seconds: float) -> list[Sent]:
        """Let time pass; return what was sent in it."""
        end, before = self.clock.monotonic() + seconds, len(self.sent)
        while self._events and self._events[0][0] <= end:
            at, _, place, sent = heapq.heappop(self._events)
            self.clock.pass_by(max(0.0, at - self.clock.monotonic()))
            self._step(place, sent)
        self.clock.pass_by(max(0.0, end - self.clock.monotonic()))
        return self.sent[before:]

    def _wake(self, seconds: float, place: Place | None = None, sent: Sent | None = None) -> None:
        at = self.clock.monotonic() + seconds
        heapq.heappush(self._events, (at, next(self._ties), place, sent))

    def _step(self, place: Place | None, sent: Sent | None) -> None:
        if sent is not None and place is not None:
            (self.pacer.throttled if sent.throttled else self.pacer.succeeded)(place)
        elif place is not None and self.pacer.stands(place):
            answered = Sent(self.clock.monotonic(), self.pacer.rate, throttled=self._is_over())
            self.sent.append(answered)
            self._wake(self.latency, place, answered)
            return
        place = self.pacer.turn()
        self._wake(place.seconds, place)

    def _is_over(self) -> bool:
        if self.limit is None:
            return False
        now = self.clock.monotonic()
        lately = sum(now - other.at < 1 for other in self.sent[-int(self.limit) - 1 :])
        return lately >= self.limit


def crowd(
    *, rate: float = 10, workers: int = 16, limit: float | None = None, latency: float = 0.1
) -> Crowd:
    clock = FakeClock()
    return Crowd(Pacer(rate, clock), clock, workers, limit, latency)


rates = st.floats(0.5, 50)
unhurried = settings(deadline=None, max_examples=40)


@unhurried
@given(
    rate=rates,
    workers=st.integers(1, 32),
    share=st.floats(0.05, 2),
    latency=st.floats(0, 3),
)
def test_requests_are_as_far_apart_as_the_rate_of_their_time_asks(
    rate: float, workers: int, share: float, latency: float
) -> None:
    busy = crowd(rate=rate, workers=workers, limit=max(1, rate * share), latency=latency)
    sent = busy.run(400 / rate)
    assert all(LEAST_PER_SECOND <= each.rate <= rate for each in sent)
    for earlier, later in itertools.pairwise(sent):
        # While it rises, places that were given at the rate before are still further apart.
        fastest = max(earlier.rate, later.rate)
        assert later.at - earlier.at >= 1 / fastest - CLOSE


@unhurried
@given(rate=rates, workers=st.integers(1, 32))
def test_no_second_has_more_requests_than_the_setting_allows(rate: float, workers: int) -> None:
    sent = crowd(rate=rate, workers=workers, latency=0).run(200 / rate)
    most = int(rate) + 1
    assert len(sent) > 100 or workers == 1
    spans = [later.at - earlier.at for earlier, later in zip(sent, sent[most:], strict=False)]
    assert all(span >= 1 - CLOSE for span in spans)


@unhurried
@given(
    workers=st.integers(2, 32),
    ages=st.lists(st.floats(0, 5), min_size=1, max_size=32),
)
def test_a_burst_of_refusals_halves_once(workers: int, ages: list[float]) -> None:
    clock = FakeClock()
    pacer = Pacer(10, clock)
    under_way = [pacer.turn() for _ in range(workers)]
    for place, age in zip(itertools.cycle(under_way), ages, strict=False):
        clock.pass_by(age)
        pacer.throttled(place)
    assert pacer.rate == 5


def test_a_refusal_at_the_new_rate_halves_again() -> None:
    pacer = Pacer(10, FakeClock())
    pacer.throttled(pacer.turn())
    pacer.throttled(pacer.turn())
    assert pacer.rate == 2.5


def test_the_rate_has_a_floor() -> None:
    pacer = Pacer(10, FakeClock())
    for _ in range(50):
        pacer.throttled(pacer.turn())
    assert pacer.rate == LEAST_PER_SECOND


def test_a_setting_below_the_floor_stays_what_it_is() -> None:
    pacer = Pacer(0.01, FakeClock())
    pacer.throttled(pacer.turn())
    assert pacer.rate == 0.01


@unhurried
@given(
    rate=rates,
    halvings=st.integers(1, 5),
    workers=st.integers(1, 32),
    latency=st.floats(0.0, 1.0),
)
def test_a_quiet_server_gets_the_full_rate_back(
    rate: float, halvings: int, workers: int, latency: float
) -> None:
    busy = crowd(rate=rate, workers=workers, latency=latency)
    for _ in range(halvings):
        busy.pacer.throttled(busy.pacer.turn())
    slowest = busy.pacer.rate
    assert slowest < rate
    # A step needs its time and, after that, an answer; the first ones are as far apart as places.
    answer = latency + workers / slowest
    busy.run(STEPS * (RAISE_SECONDS + answer))
    assert busy.pacer.rate == rate


def test_the_rate_rises_by_a_step_at_a_time_and_no_faster_for_many_answers() -> None:
    busy = crowd(rate=100, workers=8, latency=0.05)
    busy.pacer.throttled(busy.pacer.turn())
    rates_met = [each.rate for each in busy.run(RAISE_SECONDS * 4.5)]
    assert sorted(set(rates_met)) == pytest.approx([50, 55, 60, 65, 70])
    assert rates_met == sorted(rates_met)


def test_a_pause_that_was_asked_for_is_no_quiet_time() -> None:
    clock = FakeClock()
    pacer = Pacer(10, clock)
    pacer.throttled(pacer.turn())
    pacer.hold(60)
    clock.pass_by(61)
    pacer.succeeded(pacer.turn())
    assert pacer.rate == 5
    clock.pass_by(RAISE_SECONDS)
    pacer.succeeded(pacer.turn())
    assert pacer.rate == 5.5


def test_an_answer_from_before_the_halving_does_not_raise() -> None:
    clock = FakeClock()
    pacer = Pacer(10, clock)
    early, late = pacer.turn(), pacer.turn()
    pacer.throttled(early)
    clock.pass_by(RAISE_SECONDS + 1)
    pacer.succeeded(late)
    assert pacer.rate == 5


def test_few_requests_meet_a_limit_far_below_the_setting() -> None:
    busy = crowd(rate=10, workers=16, limit=2, latency=0.2)
    sent = busy.run(600)
    refused = sum(each.throttled for each in sent)
    taken = len(sent) - refused
    assert refused < 0.25 * len(sent)
    # An unpaced crowd would have three of four refused, and this one must not starve either.
    assert taken > 0.5 * 2 * 600


def test_places_are_an_interval_apart_and_a_quiet_time_saves_none_up() -> None:
    clock = FakeClock()
    pacer = Pacer(10, clock)
    assert [pacer.turn().seconds for _ in range(3)] == pytest.approx([0, 0.1, 0.2])
    clock.pass_by(60)
    assert [pacer.turn().seconds for _ in range(3)] == pytest.approx([0, 0.1, 0.2])


def test_a_place_from_before_a_pause_or_a_halving_does_not_stand() -> None:
    clock = FakeClock()
    pacer = Pacer(10, clock)
    place = pacer.turn()
    assert pacer.stands(place)
    pacer.hold(1)
    assert not pacer.stands(place)
    clock.pass_by(1)
    assert pacer.stands(place)
    pacer.throttled(place)
    assert not pacer.stands(place)


def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    clock = FakeClock()
    pacer = Pacer(10, clock)
    pacer.hold(30)
    pacer.hold(5)
    assert pacer.held() == pytest.approx(30)
    clock.pass_by(31)
    assert pacer.held() < 0


def test_the_client_slows_down_after_a_429_and_says_so_once(
    dms: FakeDms, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    dms.answer("GET /lots", Canned(429, {}))
    with caplog.at_level(logging.INFO, "automate_api.pacing"):
        for _ in range(5):
            client.get("/lots")
    assert client.stats.per_second == 500_000
    assert client.stats.throttled == 1
    said = [record.getMessage() for record in caplog.records if "429" in record.getMessage()]
    assert len(said) == 1
    assert "500,000 requests a second from now on" in said[0]


@pytest.mark.parametrize("status", [500, 503])
def test_other_troubles_leave_the_rate_alone(dms: FakeDms, client: Client, status: int) -> None:
    dms.answer("GET /lots", Canned(status, {}))
    client.get("/lots")
    assert client.stats.retries == 1
    assert client.stats.per_second == 1_000_000


def test_waits_for_the_own_rate_are_told_apart(dms: FakeDms, connect: t.Any) -> None:  # noqa: ANN401 - a fixture's protocol
    client: Client = connect(requests_per_second=2)[1]
    for _ in range(5):
        client.get("/lots")
    stats = client.stats
    assert stats.paced_seconds == stats.waited_seconds
    assert stats.paced_seconds >= 4 / 2 - CLOSE
    dms.answer("GET /lots", Canned(503, {}, headers={"Retry-After": "7"}))
    client.get("/lots")
    stats = client.stats
    assert stats.waited_seconds - stats.paced_seconds >= 7


def test_a_stop_ends_the_wait_for_a_turn(dms: FakeDms, connect: t.Any) -> None:  # noqa: ANN401 - a fixture's protocol
    stop = threading.Event()
    client: Client = connect(stop=stop, requests_per_second=2)[1]
    client.get("/lots")
    stop.set()
    with pytest.raises(StoppedError):
        client.get("/lots")
    assert len(dms.calls("GET", "/lots")) == 1
