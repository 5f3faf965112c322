"""Fetches files from wherever the DMS says they are, without anything of the session.

A redirect is an address like any other: `signed_urls` says which are asked.
"""

from __future__ import annotations

import contextlib
import dataclasses
import random
import threading
import typing as t
import urllib.parse
from http import HTTPStatus

import requests
import urllib3.exceptions

from automate_api import network_errors, replies, retry
from automate_api.clock import SYSTEM_CLOCK, Clock
from automate_api.connections import CONNECT_TIMEOUT_SECONDS
from automate_api.errors import ConfigError, StoppedError
from automate_api.replies import Failure
from automate_api.retry import Trouble
from automate_api.signed_urls import AddressError, SignedUrls
from tap_automate.downloads.errors import (
    HOST_GIVEN_UP,
    NOT_HTTPS,
    OF_THIS_MACHINE,
    OTHER_CONTENT,
    OTHER_SIZE,
    TOO_MANY_REDIRECTS,
    UNTRUSTED,
    FileError,
    status_text,
    unanswered,
)
from tap_automate.downloads.transfer import NO_VERSION, Transfer, Version

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from automate_api.config import ApiConfig
    from automate_api.replies import Reply

CHUNK_BYTES: t.Final = 1 << 14
"""Bytes that are taken at once; when a connection is cut, those of an unfinished piece are lost."""

HEADERS: t.Final = {"Accept-Encoding": "identity"}
"""Ranges and checksums are of the file, not of a packed form of it."""

MOST_REDIRECTS: t.Final = 5

MOST_IN_A_ROW: t.Final = 5
"""Files of a host that fail for want of an answer, one after the other, before it is given up."""

_REDIRECTS: t.Final = frozenset({301, 302, 303, 307, 308})

_NOT_THE_REST: t.Final = frozenset({206, 416})
"""Answers to a request for the rest of a file that is not what it was."""

_ENDED: t.Final = frozenset({400, 401, 403, 410})
"""What stores answer once a signed address has ended: 403 most of them, 400 Google's, 410 some."""


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """A file as its record names it.

    Attributes:
        url: Where it is for now.
        size: Bytes, None when that is not known.
        sha256: Of its bytes, 64 lower-case hex digits, None when that is not known.
        known: The version that is there already; without any it is fetched in any case.
    """

    url: str = dataclasses.field(repr=False)
    size: int | None = None
    sha256: str | None = None
    known: Version = NO_VERSION


@dataclasses.dataclass(frozen=True, slots=True)
class _Refused:
    """An answer without the file."""

    status: int
    retry_after: float | None


class Fetcher:
    """Requests for files; safe to share between threads.

    Args:
        config: How patiently, and whom to trust.
        most_bytes: Of a file.
        stop: Ends every wait early, with `StoppedError`.
        clock: The time.
        chance: Random numbers in [0, 1), for jitter.
    """

    def __init__(
        self,
        config: ApiConfig,
        *,
        most_bytes: int,
        stop: threading.Event,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._config = config
        self._most = most_bytes
        self._stop = stop
        self._clock = clock
        self._chance = chance
        self._urls = SignedUrls(
            config,
            connect_seconds=min(CONNECT_TIMEOUT_SECONDS, config.request_timeout_seconds),
            read_seconds=config.request_timeout_seconds,
        )
        self._lock = threading.Lock()
        self._failed_in_a_row: dict[str, int] = {}

    def fetch(
        self, wanted: Wanted, file: t.IO[bytes], renewed: Callable[[], Wanted]
    ) -> Transfer | None:
        """Fetch a file.

        Args:
            wanted: Which.
            file: Takes its bytes; empty, and of no use unless this returns what came.
            renewed: Gives the file anew when its address has ended; called once at most. May raise
                `FileError`.

        Returns:
            What came; None when the version that is known is still the newest.

        Raises:
            FileError: When it cannot be had.
            StoppedError: When `stop` is set.
        """
        transfer = self._transfer(wanted, file)
        status = self._patiently(wanted, transfer)
        if status in _ENDED:
            wanted = renewed()
            transfer = self._transfer(wanted, file)
            status = self._patiently(wanted, transfer)
        if status is None and transfer.is_joined and _mismatch(wanted, transfer):
            # Parts of two versions, most likely: once more, in one piece.
            transfer = self._transfer(wanted, file, joins=False)
            status = self._patiently(wanted, transfer)
        if status == HTTPStatus.NOT_MODIFIED and wanted.known.conditions:
            return None
        if status is not None:
            raise FileError(status_text(status), refused=True)
        if mismatch := _mismatch(wanted, transfer):
            raise FileError(mismatch, refused=True)
        return transfer

    def close(self) -> None:
        """Close the connections."""
        self._urls.close()

    def _transfer(self, wanted: Wanted, file: t.IO[bytes], *, joins: bool = True) -> Transfer:
        return Transfer(file, most=self._most, is_checked=wanted.sha256 is not None, joins=joins)

    def _patiently(self, wanted: Wanted, transfer: Transfer) -> int | None:
        """Ask for a file until it is there; return the status of an answer that refuses it."""
        host = self._host(wanted.url)
        self._hold_back(host)
        budget = self._config.max_wait_seconds
        attempts = 0
        while True:
            before = transfer.size
            outcome = self._attempt(wanted, transfer)
            trouble = _trouble_of(outcome)
            if trouble is None:
                self._failed_in_a_row.pop(host, None)
                return outcome.status if isinstance(outcome, _Refused) else None
            # Where a cut file goes on, every attempt brings it nearer to its end.
            goes_on = transfer.rest and transfer.size > before
            attempts = 1 if goes_on else attempts + 1
            asked = outcome.retry_after if isinstance(outcome, _Refused) else None
            delay = retry.delay(trouble, attempts, asked, self._chance())
            if delay is None or delay > budget:
                self._count_failure(host, MOST_IN_A_ROW if delay else 1)
                raise FileError(_said(outcome))
            self._clock.wait(delay, self._stop)
            budget -= delay

    def _attempt(self, wanted: Wanted, transfer: Transfer) -> Failure | _Refused | None:
        """Ask for a file once, or for the rest of it; None when all of it came."""
        rest = transfer.rest
        try:
            with self._open(wanted.url, rest or wanted.known.conditions) as response:
                return self._read(response, transfer, is_rest=bool(rest))
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            host = self._host(wanted.url)
            try:
                return network_errors.failure(error, host)
            except ConfigError:
                self._count_failure(host, 1)
                raise FileError(UNTRUSTED) from None

    def _read(
        self, response: requests.Response, transfer: Transfer, *, is_rest: bool
    ) -> Failure | _Refused | None:
        headers, status = response.headers, response.status_code
        broken = Failure(Trouble.TRUNCATED, "the answer broke off")
        if status == HTTPStatus.OK:
            transfer.begin(headers)
        elif is_rest and status == HTTPStatus.PARTIAL_CONTENT and transfer.go_on(headers):
            pass
        elif is_rest and status in _NOT_THE_REST:
            transfer.reset()
            return broken
        else:
            if status == HTTPStatus.NOT_MODIFIED:
                response.raw.read()  # nothing, but then the connection can be used again
            reply = t.cast("Reply", replies.read(status, headers, b""))
            return _Refused(status, reply.retry_after)
        transfer.take(self._chunks(response))
        return None if transfer.is_whole else broken

    def _chunks(self, response: requests.Response) -> Iterator[bytes]:
        for chunk in response.raw.stream(CHUNK_BYTES, decode_content=True):
            if self._stop.is_set():
                raise StoppedError
            yield chunk

    @contextlib.contextmanager
    def _open(self, url: str, headers: Mapping[str, str]) -> Iterator[requests.Response]:
        for _ in range(1 + MOST_REDIRECTS):
            with contextlib.closing(self._send(url, headers)) as response:
                location = response.headers.get("Location")
                if response.status_code not in _REDIRECTS or location is None:
                    yield response
                    return
            try:
                url = urllib.parse.urljoin(url, location)
            except ValueError:
                raise FileError(NOT_HTTPS, lasting=True) from None
        raise FileError(TOO_MANY_REDIRECTS, refused=True)

    def _send(self, url: str, headers: Mapping[str, str]) -> requests.Response:
        try:
            return self._urls.send("GET", url, {**HEADERS, **headers})
        except AddressError as error:
            raise _unusable(error) from None

    def _host(self, url: str) -> str:
        """Return the host of an address, unless it is one that nothing is fetched from."""
        try:
            return self._urls.host(url)
        except AddressError as error:
            raise _unusable(error) from None

    def _hold_back(self, host: str) -> None:
        with self._lock:
            if self._failed_in_a_row.get(host, 0) >= MOST_IN_A_ROW:
                raise FileError(HOST_GIVEN_UP)

    def _count_failure(self, host: str, weight: int) -> None:
        with self._lock:
            self._failed_in_a_row[host] = self._failed_in_a_row.get(host, 0) + weight


def _trouble_of(outcome: Failure | _Refused | None) -> Trouble | None:
    if isinstance(outcome, _Refused):
        return retry.STATUSES.get(outcome.status)
    return outcome.trouble if outcome else None


def _said(outcome: Failure | _Refused | None) -> str:
    if isinstance(outcome, _Refused):
        return status_text(outcome.status)
    return unanswered(outcome.reason) if outcome else ""


def _mismatch(wanted: Wanted, transfer: Transfer) -> str | None:
    """Say in what a file is not as its record has it."""
    if wanted.sha256 is not None:
        return None if transfer.sha256 == wanted.sha256 else OTHER_CONTENT
    if wanted.size is not None and transfer.size != wanted.size:
        return OTHER_SIZE
    return None


def _unusable(error: AddressError) -> FileError:
    return FileError(OF_THIS_MACHINE if error.is_local else NOT_HTTPS, lasting=True)
