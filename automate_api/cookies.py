"""Cookies between the jar that sends them and the session file that keeps them."""

from __future__ import annotations

import typing as t

from requests.cookies import RequestsCookieJar, create_cookie

from automate_api import redaction
from automate_api.session_store import Cookie

if t.TYPE_CHECKING:
    from collections.abc import Iterable


def of(jar: RequestsCookieJar) -> tuple[Cookie, ...]:
    """Take what a jar holds, and have the values redacted.

    Args:
        jar: Of the connection to the API.
    """
    found = tuple(
        Cookie(
            name=cookie.name,
            value=cookie.value or "",
            domain=cookie.domain,
            path=cookie.path,
            secure=cookie.secure,
            expires=cookie.expires,
        )
        for cookie in jar
    )
    for cookie in found:
        redaction.register(cookie.value)
    return found


def put(jar: RequestsCookieJar, cookies: Iterable[Cookie]) -> None:
    """Make a jar hold these cookies and no others, and have the values redacted."""
    jar.clear()
    for cookie in cookies:
        redaction.register(cookie.value)
        jar.set_cookie(
            create_cookie(  # type: ignore[no-untyped-call]  # its stub has no types
                cookie.name,
                cookie.value,
                domain=cookie.domain,
                path=cookie.path,
                secure=cookie.secure,
                expires=cookie.expires,
            )
        )
