"""Requests to addresses that come with the DMS's data, such as signed links to files.

They are trusted with nothing. Only https is spoken, so that an address can name no host without a
certificate that is trusted for it; plain http, and loopback addresses at all, only where the API
itself is on this machine, as a sandbox is. No credentials, cookies or `.netrc` are used, redirects
are left to the caller, for whom they are addresses like any other, and as an address is as good as
a key for as long as it lasts, no log has it.
"""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import threading
import typing as t
import urllib.parse

import requests
import requests.adapters
import urllib3.exceptions

from automate_api.config import is_loopback
from automate_api.connections import POOL_SIZE

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from automate_api.config import ApiConfig

_sending: t.Final = threading.local()
"""Has `now` in a thread while it sends one of these requests."""


class AddressError(Exception):
    """An address that nothing is sent to.

    Attributes:
        is_local: Whether it is one of this machine; otherwise it is no address of https.
    """

    def __init__(self, *, is_local: bool = False) -> None:
        """Say why, without the address.

        Args:
            is_local: As above.
        """
        super().__init__("an address of this machine" if is_local else "no address of https")
        self.is_local = is_local


class SignedUrls:
    """Sends such requests; safe to share between threads.

    Args:
        config: Where the API is, and whom to trust.
        connect_seconds: How long a connection may take, and how long each piece of a body may take
            to leave.
        read_seconds: How long an answer may take, and each of its pieces.
    """

    def __init__(self, config: ApiConfig, *, connect_seconds: float, read_seconds: float) -> None:
        self._config = config
        self._timeout = (connect_seconds, read_seconds)
        self._connections = requests.adapters.HTTPAdapter(
            pool_connections=POOL_SIZE, pool_maxsize=POOL_SIZE
        )
        version = importlib.metadata.version("automate-dms")
        self._headers = {"Accept": "*/*", "User-Agent": f"automate-dms/{version}"}
        # Asking it takes long.
        self._environment = functools.lru_cache(maxsize=256)(self._environment_of)
        logging.getLogger("urllib3.connectionpool").addFilter(_may_be_logged)

    def host(self, url: str) -> str:
        """Return the host of an address, with its port where it names one.

        Raises:
            AddressError: When nothing is sent there.
        """
        try:
            parts = urllib.parse.urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            host = ""
        if not host or parts.scheme not in {"https", "http"} or parts.username is not None:
            raise AddressError
        if is_loopback(host):
            if not self._config.is_loopback:
                raise AddressError(is_local=True)
        elif parts.scheme != "https":
            raise AddressError
        return parts.netloc.lower()

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: Iterable[bytes] | None = None,
    ) -> requests.Response:
        """Send a request once.

        Args:
            method: HTTP method.
            url: Where to.
            headers: Beside `Accept` and `User-Agent`; with a body, its `Content-Length`.
            body: Sent piece by piece. What it raises comes out of here, unless it is an `OSError`,
                which would pass for one of the connection.

        Returns:
            The answer, its body not read yet; to be closed.

        Raises:
            AddressError: When nothing is sent there.
            requests.RequestException: When there is no answer.
            urllib3.exceptions.HTTPError: As before.
        """
        self.host(url)
        # A session would add cookies, and credentials from a `.netrc`.
        prepared = requests.PreparedRequest()
        prepared.prepare_method(method)
        try:
            prepared.prepare_url(url, None)
        except ValueError:
            raise AddressError from None
        # Not of the address as it was written: libraries differ in how they read an odd one.
        address = t.cast("str", prepared.url)
        self.host(address)
        prepared.prepare_headers({**self._headers, **headers})
        prepared.body = body  # type: ignore[assignment]  # its type leaves iterables out
        parts = urllib.parse.urlsplit(address)
        environment = self._environment(f"{parts.scheme}://{parts.netloc}")
        _sending.now = True
        try:
            return self._connections.send(prepared, timeout=self._timeout, **environment)
        except (requests.exceptions.InvalidURL, urllib3.exceptions.LocationValueError):
            raise AddressError from None
        finally:
            _sending.now = False

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()

    def _environment_of(self, origin: str) -> Mapping[str, t.Any]:
        """Tell what the environment says of proxies and certificates for a host."""
        session = requests.Session()
        session.trust_env = not is_loopback(urllib.parse.urlsplit(origin).hostname or "")
        bundle = self._config.ca_bundle
        return session.merge_environment_settings(
            origin, {}, stream=True, verify=str(bundle) if bundle else True, cert=None
        )


def _may_be_logged(_: logging.LogRecord) -> bool:
    return not getattr(_sending, "now", False)
