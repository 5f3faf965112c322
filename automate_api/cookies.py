"""Cookies between the jar that sends them and the session file that keeps them."""

from __future__ import annotations

import threading
import typing as t

from requests.cookies import RequestsCookieJar, create_cookie

from automate_api import redaction
from automate_api.session_store import Cookie

if t.TYPE_CHECKING:
    import http.cookiejar
    from collections.abc import Iterable, Iterator


class SharedJar(RequestsCookieJar):
    """A jar for several threads: going through it while an answer adds a cookie is safe."""

    def __init__(self) -> None:
        super().__init__()
        self._guard = threading.RLock()

    def __iter__(self) -> Iterator[http.cookiejar.Cookie]:  # type: ignore[override]  # its stub mixes up mapping and jar
        """Go through the cookies as they are now."""
        with self._guard:
            return iter(list(super().__iter__()))

    def set_cookie(self, cookie: http.cookiejar.Cookie, *args: t.Any, **kwargs: t.Any) -> None:  # noqa: ANN401 - as its parent's
        """Add or replace a cookie."""
        with self._guard:
            super().set_cookie(cookie, *args, **kwargs)

    def replace(self, cookies: Iterable[http.cookiejar.Cookie]) -> None:
        """Hold these cookies and no others."""
        with self._guard:
            self.clear()
            for cookie in cookies:
                self.set_cookie(cookie)


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


def put(jar: SharedJar, cookies: Iterable[Cookie]) -> None:
    """Make a jar hold these cookies and no others, and have the values redacted."""
    kept = list(cookies)
    for cookie in kept:
        redaction.register(cookie.value)
    jar.replace(
        create_cookie(  # type: ignore[no-untyped-call]  # its stub has no types
            cookie.name,
            cookie.value,
            domain=cookie.domain,
            path=cookie.path,
            secure=cookie.secure,
            expires=cookie.expires,
        )
        for cookie in kept
    )
