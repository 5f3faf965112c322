"""What an audit asks the DMS, and what it makes of the answers."""

from __future__ import annotations

import typing as t

import pytest
from support.dms import Canned, FakeDms

from automate_api.errors import NotEntitledError, ProtocolError, StoppedError
from tap_automate.audit.source import Source
from tap_automate.reading.windows import Window
from tap_automate.tap import TapAutomate

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_automate.resources import ResourceStream

NOON: t.Final = "2026-01-20T12:00:00Z"
CAR: t.Final = {"vehicleId": "v/1", "updatedAt": NOON}
LISTED: t.Final = ("v/1",)
DETAIL: t.Final = "GET /vehicles/v%2F1"


@pytest.fixture
def dms() -> Iterator[FakeDms]:
    with FakeDms(totp=False) as server:
        yield server


@pytest.fixture
def tap(dms: FakeDms, tmp_path: Path) -> TapAutomate:
    return TapAutomate(config=dms.settings(tmp_path, page_size=7))


@pytest.fixture
def source(tap: TapAutomate) -> Source:
    return Source(tap, t.cast("ResourceStream", tap.streams["vehicles"]), {"rooftopId": "rt_1"})


def refused(status: int) -> Canned:
    return Canned(status, {"error": {"code": "refused"}})


def test_a_count_is_one_small_request(dms: FakeDms, source: Source) -> None:
    dms.answer("GET /vehicles", Canned(body={"items": [], "page": 1, "pageSize": 1, "total": 12}))
    assert source.total(Window(0, 86_400)) == 12
    [call] = dms.calls("GET", "/vehicles")
    assert call.query == {
        "rooftopId": "rt_1",
        "page": "1",
        "pageSize": "1",
        "updatedFrom": "1970-01-01T00:00:00Z",
        "updatedTo": "1970-01-02T00:00:00Z",
    }
    assert source.requests == 1


def test_a_record_is_found_by_its_key_whatever_is_in_it(dms: FakeDms, source: Source) -> None:
    dms.answer(DETAIL, Canned(body=CAR))
    record = source.detail(LISTED)
    assert record == CAR
    assert source.updated_of(record) == 1_768_910_400 * 10**6


def test_only_404_says_that_there_is_none(dms: FakeDms, source: Source) -> None:
    dms.answer(DETAIL, refused(404))
    assert source.detail(LISTED) is None
    for status in (403, 501, 400):
        dms.answer(DETAIL, refused(status))
        with pytest.raises(Exception, match=str(status)):
            source.detail(LISTED)


def test_another_record_in_its_place_is_no_proof_that_it_is_gone(
    dms: FakeDms, source: Source
) -> None:
    dms.answer(DETAIL, Canned(body={**CAR, "vehicleId": "survivor"}))
    record = source.detail(LISTED)
    assert record == {}
    assert source.updated_of(record) is None


def test_what_is_no_record_is_said(dms: FakeDms, source: Source) -> None:
    dms.answer(DETAIL, Canned(body=[CAR]))
    with pytest.raises(ProtocolError, match=r"GET /vehicles/\{id\}: expected a record, got list"):
        source.detail(LISTED)


@pytest.mark.parametrize(
    ("answer", "trusted"),
    [
        (Canned(body=CAR), True),
        (Canned(body={**CAR, "vehicleId": "another"}), False),
        (Canned(body=[CAR]), False),
        (refused(404), False),
        (refused(403), False),
        (refused(501), False),
    ],
)
def test_details_are_trusted_where_one_that_is_listed_is_found(
    dms: FakeDms,
    source: Source,
    answer: Canned,
    trusted: bool,  # noqa: FBT001 - pytest's parameter
) -> None:
    dms.answer(DETAIL, answer)
    assert source.has_details(LISTED) is trusted


def test_a_refused_list_is_said(dms: FakeDms, source: Source) -> None:
    dms.answer("GET /vehicles", refused(403))
    with pytest.raises(NotEntitledError):
        source.total(Window(0, 1))


@pytest.mark.parametrize(
    "ask",
    [
        lambda source: source.total(Window(0, 1)),
        lambda source: source.detail(LISTED),
        lambda source: list(source.windows(0, 100)),
        lambda source: list(source.glimpse(0)),
        lambda source: source.wait_until(source.now() + 1_000),
    ],
)
def test_nothing_is_asked_or_waited_for_once_a_signal_came(
    tap: TapAutomate, source: Source, ask: Callable[[Source], object]
) -> None:
    source.now()
    tap.stop.set()
    with pytest.raises(StoppedError):
        ask(source)
