"""The DMS's side of an audit: what the list call of one stream has, asked for in several ways."""

from __future__ import annotations

import typing as t

from automate_api.clock import SYSTEM_CLOCK
from automate_api.errors import NotOfferedError, ProtocolError, RequestRefusedError
from tap_automate.config import LEAST_COOLDOWN
from tap_automate.instants import to_microseconds
from tap_automate.reading.details import read_detail
from tap_automate.reading.harvest import certified_windows
from tap_automate.reading.reader import Reader
from tap_automate.reading.windows import OVERLAP, Page, Row, Window, pages_of
from tap_automate.streams import REPLICATION_KEY
from tap_automate.waiting import awaited

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tap_automate.reading.windows import Certified
    from tap_automate.resources import ResourceStream
    from tap_automate.tap import TapAutomate

    Result = t.TypeVar("Result")

NOT_FOUND: t.Final = 404


class Source:
    """One stream, or one rooftop of it, at the DMS.

    Attributes:
        requests: How many it took so far, apart from retries.
        cooldown: Seconds after which a change is visible to every read.
        page_size: Rows on a page, as the server has echoed it.
    """

    def __init__(
        self, tap: TapAutomate, stream: ResourceStream, context: Mapping[str, t.Any] | None
    ) -> None:
        """Remember whom to ask for what.

        Args:
            tap: With client and settings.
            stream: What to ask for.
            context: The rooftop, or None for all.
        """
        self._tap = tap
        self._path = stream.path
        self._key = stream.resource.key
        self._reader = Reader(
            tap.client,
            stream.path,
            stream.resource.key,
            page_size=tap.config["page_size"],
            parameters=dict(context or {}),
        )
        self.requests = 0
        self.page_size = 1
        self.cooldown = max(tap.config["cooldown_seconds"], LEAST_COOLDOWN)

    def now(self) -> int:
        """Tell the server's time in seconds since 1970."""
        return int(self._tap.client.server_time().timestamp())

    def total(self, window: Window) -> int:
        """Ask how many rows a window has."""
        return self._asked(lambda: self._reader.total(window))

    def windows(self, start: int, end: int) -> Iterator[Certified]:
        """Read `[start, end]` with certificates; nothing may enter it any more."""
        return certified_windows(self._fetch, start, end)

    def glimpse(self, start: int) -> Iterator[Row]:
        """Read what is newer than `start` once, as it is, without a certificate."""
        window = Window(start, self.now() + 2 * OVERLAP)
        page = self._fetch(window, 1)
        yield from page.rows
        for number in range(2, pages_of(page.total, page.size) + 1):
            yield from self._fetch(window, number).rows

    def detail(self, key: tuple[str, ...]) -> dict[str, t.Any] | None:
        """Read one record by its key.

        Returns:
            The record; None when the DMS says that there is none; an empty one when it gives
            another in its place, such as the one that it was merged into.

        Raises:
            RequestRefusedError: When the DMS refuses to say.
            ProtocolError: When the answer is no record.
        """
        try:
            body = self._asked(lambda: read_detail(self._tap.client, self._path, key[0]))
        except NotOfferedError as error:
            if error.status != NOT_FOUND:
                raise
            return None
        return body if self.key_of(body) == key else {}

    def has_details(self, known: tuple[str, ...]) -> bool:
        """Tell whether 404 means that a record is gone: only where one that is there is found.

        Args:
            known: The key of a record that the list has.
        """
        if len(known) != 1:
            return False
        try:
            record = self.detail(known)
        except (RequestRefusedError, ProtocolError):
            return False
        return bool(record)

    def key_of(self, record: Mapping[str, t.Any]) -> tuple[str, ...]:
        """Return a record's key as windows have it."""
        return tuple(str(record.get(name)) for name in self._key)

    def updated_of(self, record: Mapping[str, t.Any]) -> int | None:
        """Return a record's `updatedAt` in microseconds since 1970; None when it has none."""
        text = record.get(REPLICATION_KEY)
        return to_microseconds(text) if isinstance(text, str) else None

    def wait_until(self, second: int) -> None:
        """Wait until the server's clock shows a second.

        Raises:
            StoppedError: When a signal came.
        """
        SYSTEM_CLOCK.wait(second - self.now(), self._tap.stop)

    def _fetch(self, window: Window, page: int) -> Page:
        answer = self._asked(lambda: self._reader.fetch(window, page))
        if page == 1:
            self.page_size = answer.size
        return answer

    def _asked(self, request: Callable[[], Result]) -> Result:
        """Count a request, and wait for its answer unless a signal comes."""
        self.requests += 1
        return awaited(request, self._tap.stop)
