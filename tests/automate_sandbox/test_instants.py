"""Instants on the wire and back."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from automate_sandbox.instants import Clock, parse, render


@given(st.integers(-62_135_596_800_000, 253_402_300_799_999))
def test_an_instant_survives_the_wire(instant: int) -> None:
    assert parse(render(instant)) == instant


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2026-01-20T13:45:00Z", "2026-01-20T08:45:00-05:00"),
        ("2026-01-20T13:45:00Z", "2026-01-20T13:45:00"),
        ("2026-01-20T00:00:00Z", "2026-01-20"),
        ("2026-01-20T13:45:00.500Z", "2026-01-20T14:45:00.5+01:00"),
    ],
)
def test_offsets_and_bare_dates_are_understood(text: str, same: str) -> None:
    assert parse(text) == parse(same)


def test_whole_seconds_have_no_fraction() -> None:
    assert render(1_768_916_700_000) == "2026-01-20T13:45:00Z"
    assert render(1_768_916_700_500) == "2026-01-20T13:45:00.500Z"


def test_a_clock_can_start_anywhere_and_runs_on() -> None:
    start = parse("2020-02-02T00:00:00Z")
    clock = Clock.starting_at(start)
    first, second = clock.now(), clock.now()
    assert start <= first <= second < start + 60_000


def test_who_sleeps_by_a_clock_wakes_when_it_has_jumped_far_enough() -> None:
    async def night() -> list[str]:
        clock, seen = Clock(), []
        sleeper = asyncio.create_task(clock.sleep(3_600_000))
        for seconds in (0, 1800, 1800):
            clock.advance(seconds * 1000)
            await asyncio.sleep(0.01)
            seen.append("awake" if sleeper.done() else "asleep")
        return seen

    assert asyncio.run(night()) == ["asleep", "asleep", "awake"]
