"""The headers that the DMS wants sent with a file: which of them are sent.

They come with the DMS's data and are trusted like it. A signed link needs no credentials, and how a
message is framed is the sender's to say. `Host` and `Content-Length` are among what a signature may
cover, so a DMS may list them: they count when they say what is sent anyway.
"""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST: t.Final = 1 << 13
"""Characters of all headers together; many servers take no more."""

NEVER_SENT: t.Final = frozenset(
    {
        "authorization",
        "connection",
        "cookie",
        "expect",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Credentials, and what belongs to a connection (RFC 9110, 7.6.1 and 10.1.1)."""

_NAME: t.Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110, 5.6.2)."""

_VALUE: t.Final = re.compile(
    r"(?:[\x21-\x7e\xa1-\xff](?:[\t\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa1-\xff])?)?"
)
"""A field value (RFC 9110, 5.5) in Latin-1, without a space at either end."""


class UnusableHeadersError(Exception):
    """Headers that are not sent; the text says why, to a person, without values."""


def checked(headers: Mapping[str, t.Any], *, host: str, size: int) -> dict[str, str]:
    """Check the headers of an upload.

    Args:
        headers: Name to value as the DMS gives them, of any type.
        host: That they are sent to, with its port where the address names one.
        size: Of the file in bytes.

    Returns:
        What to send, `Content-Length` among it.

    Raises:
        UnusableHeadersError: When one of them is not to be sent.
    """
    sent: dict[str, str] = {}
    for name, value in headers.items():
        lower = name.lower()
        if lower in NEVER_SENT:
            msg = (
                f"the DMS wants the header `{lower}` sent with the file, which a link does without"
            )
            raise UnusableHeadersError(msg)
        if not isinstance(value, str) or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            msg = "the DMS gives headers for the file that are none"
            raise UnusableHeadersError(msg)
        if lower in sent:
            msg = f"the DMS gives the header `{lower}` for the file twice"
            raise UnusableHeadersError(msg)
        sent[lower] = value
    if sum(len(name) + len(value) for name, value in sent.items()) > LONGEST:
        msg = "the DMS gives more headers for the file than a server takes"
        raise UnusableHeadersError(msg)
    _take(sent, "host", lambda value: _plain(value) == _plain(host))
    _take(sent, "content-length", lambda value: value == str(size))
    return {**sent, "content-length": str(size)}


def _take(sent: dict[str, str], name: str, agrees: t.Callable[[str], bool]) -> None:
    value = sent.pop(name, None)
    if value is not None and not agrees(value):
        msg = f"the DMS wants another `{name}` sent with the file than it has"
        raise UnusableHeadersError(msg)


def _plain(host: str) -> str:
    """Bring a host to the form without the port that https has anyway."""
    return host.lower().removesuffix(":443")
