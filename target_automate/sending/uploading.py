"""Sends local files to where the DMS has said, without anything of the session.

A file is streamed, and hashed on its way. Its last piece is held back until the digest is known, so
that a file which is not what was announced never arrives whole.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import random
import typing as t

import requests
import urllib3.exceptions

from automate_api import network_errors, retry
from automate_api.clock import SYSTEM_CLOCK, Clock
from automate_api.errors import ConfigError, StoppedError
from automate_api.replies import Failure
from automate_api.retry import Trouble
from automate_api.signed_urls import AddressError, SignedUrls
from target_automate.records import files
from target_automate.records.files import UnusableFileError
from target_automate.sending import upload_headers
from target_automate.sending.upload_headers import UnusableHeadersError
from target_automate.sending.upload_outcomes import PutKind, PutOutcome, StoreAnswer, judge

if t.TYPE_CHECKING:
    import io
    import threading
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from automate_api.config import ApiConfig
    from target_automate.records.files import FileFacts

PIECE_BYTES: t.Final = 1 << 17


@dataclasses.dataclass(frozen=True, slots=True)
class UploadTarget:
    """Where the DMS wants a file.

    Attributes:
        url: Signed, and as good as a key while it lasts.
        headers: Name to value, to be sent with the file.
    """

    url: str = dataclasses.field(repr=False)
    headers: Mapping[str, t.Any] = dataclasses.field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, answer: object) -> UploadTarget | None:
        """Read what the DMS answers to an announcement; None when it does not say where to."""
        facts = answer if isinstance(answer, dict) else {}
        url, headers = facts.get("uploadUrl"), facts.get("uploadHeaders")
        if not isinstance(url, str) or not isinstance(headers, dict | None):
            return None
        return cls(url, headers or {})


class Uploads:
    """Sends files; safe to share between threads.

    Args:
        config: Where the API is, how patiently, whom to trust.
        stop: Ends every wait and every file early, with `StoppedError`.
        clock: The time.
        chance: Random numbers in [0, 1), for jitter.
    """

    def __init__(
        self,
        config: ApiConfig,
        *,
        stop: threading.Event,
        clock: Clock = SYSTEM_CLOCK,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._stop = stop
        self._clock = clock
        self._chance = chance
        self._patience = config.max_wait_seconds
        # The time to connect is also that for each piece to leave, and a line may stall for longer
        # than a connection takes.
        seconds = config.request_timeout_seconds
        self._urls = SignedUrls(config, connect_seconds=seconds, read_seconds=seconds)

    def put(self, target: UploadTarget, facts: FileFacts, path: Path) -> PutOutcome:
        """Send a file until it is there, or there is no hope of it.

        May be repeated: what an earlier attempt has left is replaced, and counts for nothing before
        the upload is completed.

        Args:
            target: Where to.
            facts: Of the file when it was announced. When its `modified_ns` is not the file's, the
                file is read once more before anything is sent.
            path: Of the file.

        Raises:
            ConfigError: When TLS fails, which no attempt cures.
            StoppedError: When `stop` is set.
        """
        try:
            host = self._urls.host(target.url)
            headers = upload_headers.checked(target.headers, host=host, size=facts.size)
            with files.opened(path) as file:
                if not facts.are_of(file):
                    reason = "`path`: the file has changed since it was announced"
                    return PutOutcome(PutKind.CHANGED, reason)
                return self._patiently(target.url, headers, lambda: _Body(file, facts, self._stop))
        except AddressError as error:
            return PutOutcome(PutKind.REFUSED, f"the DMS wants it sent to {error}")
        except UnusableHeadersError as error:
            return PutOutcome(PutKind.REFUSED, str(error))
        except UnusableFileError as error:
            return PutOutcome(PutKind.CHANGED, str(error))

    def close(self) -> None:
        """Close the connections."""
        self._urls.close()

    def _patiently(
        self, url: str, headers: Mapping[str, str], new_body: Callable[[], _Body]
    ) -> PutOutcome:
        budget = self._patience
        attempts = 0
        while True:
            attempts += 1
            outcome = self._attempt(url, headers, new_body())
            if outcome.trouble is None:
                return judge(outcome)
            asked = outcome.retry_after if isinstance(outcome, StoreAnswer) else None
            delay = retry.delay(outcome.trouble, attempts, asked, self._chance())
            if delay is None or delay > budget:
                return _unanswered(outcome, attempts)
            self._clock.wait(delay, self._stop)
            budget -= delay

    def _attempt(self, url: str, headers: Mapping[str, str], body: _Body) -> Failure | StoreAnswer:
        """Send a file once."""
        try:
            with contextlib.closing(self._urls.send("PUT", url, headers, body)) as response:
                answer = StoreAnswer.of(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            return self._failure(error, url)
        if answer.is_success and not body.has_left:
            return Failure(Trouble.CUT, "answered before the whole file had left")
        return answer

    def _failure(self, error: Exception, url: str) -> Failure:
        try:
            source = "what the DMS gives as `uploadUrl`"
            return network_errors.failure(error, self._urls.host(url), source=source)
        except ConfigError as reason:
            # The causes quote the address.
            raise ConfigError(str(reason)) from None


class _Body:
    """A file's bytes as they leave.

    Attributes:
        has_left: Whether all of them have.
    """

    def __init__(self, file: io.FileIO, facts: FileFacts, stop: threading.Event) -> None:
        self._file = file
        self._facts = facts
        self._stop = stop
        self.has_left = False

    def __iter__(self) -> Iterator[bytes]:
        """Give them piece by piece.

        Raises:
            UnusableFileError: Before the last piece, when they are not what was announced.
            StoppedError: When `stop` is set.
        """
        digest = hashlib.sha256()
        left = self._facts.size
        self._file.seek(0)
        while left:
            if self._stop.is_set():
                raise StoppedError
            piece = self._read(min(PIECE_BYTES, left))
            digest.update(piece)
            left -= len(piece)
            if not left:
                self._check(digest.hexdigest())
            yield piece
        self.has_left = True

    def _read(self, most: int) -> bytes:
        try:
            piece = self._file.read(most)
        except OSError as error:
            # It would pass for one of the connection.
            raise files.unreadable(error) from None
        if not piece:
            raise _changed()
        return piece

    def _check(self, sha256: str) -> None:
        size = os.fstat(self._file.fileno()).st_size
        if (size, sha256) != (self._facts.size, self._facts.sha256):
            raise _changed()


def _changed() -> UnusableFileError:
    return UnusableFileError("`path`: the file changed while it was sent")


def _unanswered(outcome: Failure | StoreAnswer, attempts: int) -> PutOutcome:
    times = "once" if attempts == 1 else f"{attempts} times"
    if isinstance(outcome, StoreAnswer):
        return PutOutcome(PutKind.UNANSWERED, f"{outcome}; tried {times}", outcome.status)
    return PutOutcome(PutKind.UNANSWERED, f"{outcome.reason}; tried {times}")
