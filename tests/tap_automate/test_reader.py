"""Rows made of typed records are those made of dicts, and what is no row is refused alike."""

from __future__ import annotations

import datetime as dt
import typing as t

import msgspec
import pytest

from automate_api import contract
from automate_api.client import Client, ListBody, Page
from automate_api.errors import NotOfferedError, ProtocolError
from tap_automate.instants import to_microseconds
from tap_automate.privacy import Privacy
from tap_automate.reading.codec import Codec, plain
from tap_automate.reading.reader import Reader
from tap_automate.reading.windows import MICROSECONDS, Row, Window

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NOON = "2026-01-20T12:00:00Z"
SECOND = to_microseconds(NOON) // MICROSECONDS
WINDOW = Window(SECOND - 60, SECOND + 60)


class OneAnswer:
    """A client that answers every request with one page."""

    def __init__(self, *items: Mapping[str, t.Any]) -> None:
        self.content = msgspec.json.encode(
            {"items": items, "page": 1, "pageSize": 50, "total": len(items)}
        )

    def list_page(
        self,
        path: str,
        params: Mapping[str, t.Any],
        *,
        decode: Callable[[bytes], t.Any] | None = None,
    ) -> Page:
        assert path == "/vehicles"
        assert params["pageSize"]
        made = decode(self.content) if decode else msgspec.json.decode(self.content)
        body = made if isinstance(made, ListBody) else ListBody(made["items"], 1, 50, 1)
        now = dt.datetime.now(dt.UTC)
        return Page(body.items, body.page, body.page_size, body.total, now, "req_1")


def rows(*items: dict[str, t.Any], typed: bool, key: tuple[str, ...] = ("vehicleId",)) -> list[Row]:
    found = contract.load()
    codec = Codec(found.resource("/vehicles").record_schema, Privacy({}, None, found.pii_fields))
    reader = Reader(
        t.cast("Client", OneAnswer(*items)),
        "/vehicles",
        key,
        page_size=50,
        parameters={},
        decode=codec.decode if typed else None,
    )
    return [
        msgspec.structs.replace(row, record=plain(row.record))
        for row in reader.fetch(WINDOW, 1).rows
    ]


@pytest.mark.parametrize(
    "items",
    [
        [],
        [{"vehicleId": "v", "updatedAt": NOON}, {"vehicleId": "w", "updatedAt": NOON}],
        [{"vehicleId": 7, "updatedAt": "2026-01-20T13:00:00.250+01:00"}],
        [{"vehicleId": "v", "updatedAt": NOON}, {"vehicleId": 7, "updatedAt": NOON}],
        [{"vehicleId": "v", "updatedAt": NOON, "new": 1}, {"vehicleId": "w", "updatedAt": NOON}],
    ],
    ids=str,
)
def test_rows_of_typed_records_are_those_of_dicts(items: list[dict[str, t.Any]]) -> None:
    assert rows(*items, typed=True) == rows(*items, typed=False)
    assert [row.record for row in rows(*items, typed=True)] == items


def test_a_key_of_two_fields_is_taken_in_order() -> None:
    item = {"vehicleId": "v", "rooftopId": "r", "updatedAt": NOON}
    for typed in (True, False):
        (row,) = rows(item, typed=typed, key=("rooftopId", "vehicleId"))
        assert (row.key, row.updated) == (("r", "v"), SECOND * MICROSECONDS)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"updatedAt": NOON}, "key .*got NoneType"),
        ({"vehicleId": ["v"], "updatedAt": NOON}, "key .*got list"),
        ({"vehicleId": "v"}, "`updatedAt`.*type NoneType that is none"),
        ({"vehicleId": "v", "updatedAt": 7}, "`updatedAt`.*type int that is none"),
        ({"vehicleId": "v", "updatedAt": "yesterday"}, "`updatedAt`.*type str that is none"),
        ({"vehicleId": "v", "updatedAt": "2026-01-20T12:05:00Z"}, "1 of 2 rows lie outside"),
    ],
)
@pytest.mark.parametrize("typed", [True, False], ids=["typed", "dicts"])
def test_what_is_no_row_of_the_window_is_refused(
    item: dict[str, t.Any], words: str, *, typed: bool
) -> None:
    with pytest.raises(ProtocolError, match=words):
        rows({"vehicleId": "w", "updatedAt": NOON}, item, typed=typed)


@pytest.mark.parametrize("is_refused", [True, False], ids=["not found", "the last page instead"])
def test_a_page_of_the_whole_list_that_vanishes_holds_no_rows(*, is_refused: bool) -> None:
    class Shrunk(OneAnswer):
        def list_page(self, path: str, params: Mapping[str, t.Any], **_: object) -> Page:
            if is_refused and params["page"] == 2:
                msg = "gone"
                raise NotOfferedError(msg, status=404)
            return super().list_page(path, params)

    client = t.cast("Client", Shrunk({"vehicleId": "v", "updatedAt": None}))
    reader = Reader(client, "/vehicles", ("vehicleId",), page_size=1, parameters={})
    assert len(reader.whole(1).rows) == 1
    assert list(reader.whole(2).rows) == []
