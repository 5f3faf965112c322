"""Fetches the pages of windows from the API, and runs a window ahead of what is being emitted."""

from __future__ import annotations

import queue
import threading
import typing as t

from automate_api.errors import NotOfferedError, ProtocolError, StoppedError
from tap_automate.instants import from_seconds, to_microseconds
from tap_automate.streams import REPLICATION_KEY
from tap_automate.windows import MICROSECONDS, Certified, Page, Row, Window, pages_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from automate_api.client import Client

TOLERANCE: t.Final = MICROSECONDS
"""Microseconds by which a row may lie outside its window: the filter may look at whole seconds
only.
"""

LOOK: t.Final = 0.2
"""Seconds between two looks at whether the run is to stop."""


class Reader:
    """The list call of one resource, as windows need it."""

    def __init__(
        self,
        client: Client,
        path: str,
        key: tuple[str, ...],
        *,
        page_size: int,
        parameters: Mapping[str, str],
    ) -> None:
        """Remember what every request has in common.

        Args:
            client: Sends the requests.
            path: The list call.
            key: The fields of the primary key.
            page_size: Rows to ask for; what counts is what the server echoes.
            parameters: Further query parameters, such as the rooftop.
        """
        self._client = client
        self._path = path
        self._key = key
        self._parameters: dict[str, str | int] = {**parameters, "pageSize": page_size}

    def fetch(self, window: Window, page: int) -> Page:
        """Ask for one page of a window.

        Raises:
            NotOfferedError: When the server does not know the path.
            ProtocolError: When a row has no key, no `updatedAt`, or lies outside the window.
        """
        bounds = {"updatedFrom": from_seconds(window.start), "updatedTo": from_seconds(window.end)}
        try:
            answer = self._client.list_page(
                self._path, {**self._parameters, **bounds, "page": page}
            )
        except NotOfferedError:
            if page == 1:
                raise
            # Rows have left the window, and this server knows no page behind the last.
            return Page(rows=[], size=1, total=0)
        if answer.page != page > pages_of(answer.total, answer.page_size):
            # The same, at a server that gives its last page instead.
            return Page(rows=[], size=answer.page_size, total=answer.total)
        if answer.page != page:
            msg = f"GET {self._path}: asked for page {page}, the answer is page {answer.page}."
            raise ProtocolError(msg, request_id=answer.request_id)
        rows = [self._row(record, answer.request_id) for record in answer.items]
        earliest = window.start * MICROSECONDS - TOLERANCE
        latest = (window.end + 1) * MICROSECONDS + TOLERANCE
        outside = sum(not earliest <= row.updated < latest for row in rows)
        if outside:
            msg = (
                f"GET {self._path}: {outside} of {len(rows)} rows lie outside the `updatedFrom` "
                "and `updatedTo` that were asked for. The server does not apply these filters to "
                "this path, so changes cannot be read reliably. Deselect the stream, or correct "
                "its path in `endpoints`."
            )
            raise ProtocolError(msg, request_id=answer.request_id)
        return Page(rows=rows, size=answer.page_size, total=answer.total)

    def sample(self, rows: int) -> list[Row]:
        """Return the first rows of the list call, whatever they are, for a connection test."""
        answer = self._client.list_page(
            self._path, {**self._parameters, "pageSize": rows, "page": 1}
        )
        return [self._row(record, answer.request_id) for record in answer.items[:rows]]

    def _row(self, record: dict[str, t.Any], request_id: str | None) -> Row:
        key = [record.get(name) for name in self._key]
        if not all(isinstance(part, str | int) for part in key):
            wanted, came = ", ".join(self._key), ", ".join(type(part).__name__ for part in key)
            msg = (
                f"GET {self._path}: expected a text or a number as key ({wanted}) of every row, "
                f"got {came}."
            )
            raise ProtocolError(msg, request_id=request_id)
        try:
            updated = to_microseconds(record[REPLICATION_KEY])
        except (KeyError, TypeError, ValueError):
            came = type(record.get(REPLICATION_KEY)).__name__
            msg = (
                f"GET {self._path}: expected an instant such as 2026-01-20T13:45:00Z in every "
                f"row's `{REPLICATION_KEY}`, one has a value of type {came} that is none."
            )
            raise ProtocolError(msg, request_id=request_id) from None
        return Row(tuple(map(str, key)), updated, record)


class _Ahead:
    """A thread that advances windows, one of them ready at most."""

    def __init__(self, windows: Iterator[Certified]) -> None:
        self._windows = windows
        self._ready: queue.Queue[Certified | BaseException | None] = queue.Queue(maxsize=1)
        self._abandoned = threading.Event()
        threading.Thread(target=self._work, name="read-ahead", daemon=True).start()

    def take(self) -> Certified | None:
        """Return the next window, or None after the last.

        Raises:
            queue.Empty: When none is ready yet.
            BaseException: What the windows raised.
        """
        item = self._ready.get(timeout=LOOK)
        if isinstance(item, BaseException):
            raise item
        return item

    def abandon(self) -> None:
        """Let the thread end."""
        self._abandoned.set()

    def _work(self) -> None:
        try:
            for window in self._windows:
                if not self._put(window):
                    return
            self._put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the caller waits
            self._put(error)

    def _put(self, item: Certified | BaseException | None) -> bool:
        while not self._abandoned.is_set():
            try:
                self._ready.put(item, timeout=LOOK)
            except queue.Full:
                continue
            return True
        return False


def read_ahead(windows: Iterator[Certified], stop: threading.Event) -> Iterator[Certified]:
    """Read the next window while the caller is busy with the one before.

    Waiting for a slow answer happens in a thread of its own, so that a signal ends the run at once.

    Args:
        windows: Is advanced in the thread.
        stop: Set when the run is to end.

    Yields:
        The windows, in their order; one is ready at most, so that memory does not grow.

    Raises:
        StoppedError: As soon as `stop` is set.
        Exception: What `windows` raises, after the windows before it.
    """
    ahead = _Ahead(windows)
    try:
        while not stop.is_set():
            try:
                window = ahead.take()
            except queue.Empty:
                continue
            if window is None:
                return
            yield window
        raise StoppedError
    finally:
        ahead.abandon()
