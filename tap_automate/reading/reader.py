"""Fetches the pages of windows from the API."""

from __future__ import annotations

import contextlib
import operator
import typing as t

from automate_api.errors import NotOfferedError, ProtocolError
from tap_automate.instants import from_seconds, to_microseconds
from tap_automate.reading.windows import MICROSECONDS, Page, Row, Window, pages_of
from tap_automate.streams import REPLICATION_KEY

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from automate_api.client import Client

    Check: t.TypeAlias = Callable[[Sequence[t.Any], str | None], None]

UNDATED: t.Final = -(2**62)
"""The time of a row whose `updatedAt` is null, in microseconds: before any that can be written."""

TOLERANCE: t.Final = MICROSECONDS
"""Microseconds by which a row may lie outside its window: the filter may look at whole seconds
only.
"""


class Reader:
    """The list call of one resource, as windows need it."""

    def __init__(  # noqa: PLR0913 - all of them are one request
        self,
        client: Client,
        path: str,
        key: tuple[str, ...],
        *,
        page_size: int,
        parameters: Mapping[str, str],
        decode: Callable[[bytes], t.Any] | None = None,
        check: Check | None = None,
    ) -> None:
        """Remember what every request has in common.

        Args:
            client: Sends the requests.
            path: The list call.
            key: The fields of the primary key.
            page_size: Rows to ask for; what counts is what the server echoes.
            parameters: Further query parameters, such as the rooftop.
            decode: As `Client.list_page` takes it; a record that is no dict must have its key and
                `updatedAt` in attributes of these names, of the right types.
            check: Raises a `ProtocolError` when the server did not apply the parameters.
        """
        self._client = client
        self._path = path
        self._key = key
        self._decode = decode
        self._check: Check = check or (lambda _records, _request_id: None)
        self._parameters: dict[str, str | int] = {**parameters, "pageSize": page_size}

    def fetch(self, window: Window, page: int) -> Page:
        """Ask for one page of a window.

        Raises:
            NotOfferedError: When the server does not know the path.
            ProtocolError: When the answer is no page, or another one, or a row has no key, no
                `updatedAt`, lies outside the window, or fails the check.
            AutomateError: As `Client.list_page`.
        """
        earliest = window.start * MICROSECONDS - TOLERANCE
        latest = (window.end + 1) * MICROSECONDS + TOLERANCE

        def rows_of(records: Sequence[t.Any], request_id: str | None) -> list[Row]:
            rows = self._rows(records, request_id)
            times = [row.updated for row in rows]
            if times and not earliest <= min(times) <= max(times) < latest:
                outside = sum(not earliest <= time < latest for time in times)
                msg = (
                    f"GET {self._path}: {outside} of {len(rows)} rows lie outside the "
                    "`updatedFrom` and `updatedTo` that were asked for. The server does not apply "
                    "these filters to this path, so changes cannot be read reliably. Deselect the "
                    "stream, or say its path and parameters in a `contract_overlay`; "
                    "`automate-dms doctor` looks for them."
                )
                raise ProtocolError(msg, request_id=request_id)
            return rows

        return self._page(page, _bounds(window), rows_of, self._decode)

    def total(self, window: Window | None) -> int:
        """Ask how many rows a window has, or the whole list.

        Raises:
            NotOfferedError: When the server does not know the path.
            ProtocolError: When the answer is no page.
            AutomateError: As `Client.list_page`.
        """
        bounds = _bounds(window) if window else {}
        parameters = {**self._parameters, **bounds, "pageSize": 1, "page": 1}
        return self._client.list_page(self._path, parameters).total

    def whole(self, page: int) -> Page:
        """Ask for one page of the whole list; rows without a time are `UNDATED`.

        Raises:
            NotOfferedError: When the server does not know the path.
            ProtocolError: When the answer is no page, or another one, or a row has no key, or a
                time that is none.
            AutomateError: As `Client.list_page`.
        """
        return self._page(page, {}, self._rows_of_any_time)

    def sample(self, rows: int) -> list[Row]:
        """Return the first rows of the list call, whatever they are, for a connection test.

        Raises:
            NotOfferedError: When the server does not know the path.
            ProtocolError: When the answer is no page, or a row has no key, or a time that is none.
            AutomateError: As `Client.list_page`.
        """
        parameters = {**self._parameters, "pageSize": rows, "page": 1}
        answer = self._client.list_page(self._path, parameters)
        self._check(answer.items, answer.request_id)
        return self._rows_of_any_time(answer.items[:rows], answer.request_id)

    def _page(
        self,
        number: int,
        bounds: Mapping[str, str],
        rows_of: Callable[[Sequence[t.Any], str | None], list[Row]],
        decode: Callable[[bytes], t.Any] | None = None,
    ) -> Page:
        parameters = {**self._parameters, **bounds, "page": number}
        try:
            answer = self._client.list_page(self._path, parameters, decode=decode)
        except NotOfferedError:
            if number == 1:
                raise
            # Rows have left the list, and this server knows no page behind the last.
            return Page(rows=[], size=1, total=0)
        if answer.page != number > pages_of(answer.total, answer.page_size):
            # The same, at a server that gives its last page instead.
            return Page(rows=[], size=answer.page_size, total=answer.total)
        if answer.page != number:
            msg = f"GET {self._path}: asked for page {number}, the answer is page {answer.page}."
            raise ProtocolError(msg, request_id=answer.request_id)
        rows = rows_of(answer.items, answer.request_id)
        self._check(answer.items, answer.request_id)
        return Page(rows=rows, size=answer.page_size, total=answer.total)

    def _rows(self, records: Sequence[t.Any], request_id: str | None) -> list[Row]:
        if dict not in set(map(type, records)):
            with contextlib.suppress(ValueError):  # said below, where the culprit is known
                return self._rows_of_structs(records)
        return [
            self._row(
                record if isinstance(record, dict) else self._named(record), record, request_id
            )
            for record in records
        ]

    def _rows_of_structs(self, records: Sequence[t.Any]) -> list[Row]:
        keys = [list(map(operator.attrgetter(name), records)) for name in self._key]
        if any(type(part) is not str for parts in keys for part in parts):
            keys = [list(map(str, parts)) for parts in keys]
        updated = [to_microseconds(getattr(record, REPLICATION_KEY)) for record in records]
        return list(map(Row, zip(*keys, strict=True), updated, records))

    def _named(self, struct: object) -> dict[str, t.Any]:
        return {name: getattr(struct, name) for name in (*self._key, REPLICATION_KEY)}

    def _rows_of_any_time(self, records: Sequence[t.Any], request_id: str | None) -> list[Row]:
        return [self._row_of_any_time(record, request_id) for record in records]

    def _row_of_any_time(self, record: dict[str, t.Any], request_id: str | None) -> Row:
        if record.get(REPLICATION_KEY) is not None:
            return self._row(record, record, request_id)
        record[REPLICATION_KEY] = None
        return Row(self._key_of(record, request_id), UNDATED, record)

    def _key_of(self, named: Mapping[str, t.Any], request_id: str | None) -> tuple[str, ...]:
        key = [named.get(name) for name in self._key]
        if not all(isinstance(part, str | int) for part in key):
            wanted, came = ", ".join(self._key), ", ".join(type(part).__name__ for part in key)
            msg = (
                f"GET {self._path}: expected a text or a number as key ({wanted}) of every row, "
                f"got {came}."
            )
            raise ProtocolError(msg, request_id=request_id)
        return tuple(map(str, key))

    def _row(self, named: Mapping[str, t.Any], record: object, request_id: str | None) -> Row:
        key = self._key_of(named, request_id)
        try:
            updated = to_microseconds(named[REPLICATION_KEY])
        except (KeyError, TypeError, ValueError):
            came = type(named.get(REPLICATION_KEY)).__name__
            msg = (
                f"GET {self._path}: expected an instant such as 2026-01-20T13:45:00Z in every "
                f"row's `{REPLICATION_KEY}`, one has a value of type {came} that is none."
            )
            raise ProtocolError(msg, request_id=request_id) from None
        return Row(key, updated, record)


def _bounds(window: Window) -> dict[str, str]:
    return {"updatedFrom": from_seconds(window.start), "updatedTo": from_seconds(window.end)}
