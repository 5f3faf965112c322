"""What an exception of the HTTP library says about a request: unsent, cut, late, or insecure."""

from __future__ import annotations

import http.client
import ssl
import typing as t

import requests
import urllib3.exceptions

from automate_api.errors import ConfigError
from automate_api.replies import Failure
from automate_api.retry import Trouble

if t.TYPE_CHECKING:
    from collections.abc import Iterator

_REASONS: t.Final[tuple[tuple[type[BaseException], Trouble, str], ...]] = (
    (urllib3.exceptions.NameResolutionError, Trouble.UNSENT, "its name cannot be resolved"),
    (ConnectionRefusedError, Trouble.UNSENT, "connection refused"),
    (urllib3.exceptions.ProxyError, Trouble.UNSENT, "the proxy refused"),
    (urllib3.exceptions.NewConnectionError, Trouble.UNSENT, "no connection"),
    (urllib3.exceptions.ConnectTimeoutError, Trouble.UNSENT, "no connection in time"),
    (urllib3.exceptions.TimeoutError, Trouble.TIMED_OUT, "no byte within the time allowed"),
    (TimeoutError, Trouble.TIMED_OUT, "no byte taken within the time allowed"),
    (http.client.IncompleteRead, Trouble.TRUNCATED, "the answer broke off"),
    (urllib3.exceptions.DecodeError, Trouble.TRUNCATED, "the answer broke off"),
)
"""The first that fits counts, since some of these are kinds of others."""

_E = t.TypeVar("_E", bound=BaseException)


def failure(error: Exception, host: str, *, source: str = "`api_url`") -> Failure:
    """Read an exception that came instead of an answer.

    Args:
        error: Of requests or urllib3, with its causes.
        host: Of the API, for messages.
        source: What names the host, for messages.

    Returns:
        Trouble that another attempt may cure.

    Raises:
        ConfigError: When TLS failed or the address cannot be used, which no attempt cures.
    """
    chain = list(_chain(error))
    if untrusted := _first(chain, ssl.SSLCertVerificationError):
        msg = (
            f"TLS: the certificate of {host} is not trusted ({untrusted.verify_message}). If it "
            "stands behind a private certificate authority, name its PEM file in `ca_bundle`; "
            f"otherwise check {source}."
        )
        raise ConfigError(msg) from error
    insecure = _first(chain, ssl.SSLError)
    # An end of file is a cut connection, also under TLS.
    if insecure and not isinstance(insecure, ssl.SSLEOFError):
        msg = (
            f"TLS: no secure connection to {host} ({insecure.reason}). Check that {source} names "
            "a host and port that speak TLS."
        )
        raise ConfigError(msg) from error
    if _first(chain, requests.exceptions.InvalidURL):
        msg = f"{source} is not an address that can be used."
        raise ConfigError(msg) from error
    for kind, trouble, reason in _REASONS:
        if _first(chain, kind):
            return Failure(trouble, reason)
    return Failure(Trouble.CUT, "connection cut")


def _first(chain: list[BaseException], kind: type[_E]) -> _E | None:
    return next((error for error in chain if isinstance(error, kind)), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
