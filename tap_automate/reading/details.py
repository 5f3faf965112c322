"""Reads one record by its key, where the list call has a detail beside it."""

from __future__ import annotations

import typing as t
import urllib.parse

from automate_api.errors import ProtocolError

if t.TYPE_CHECKING:
    from automate_api.client import Client


def read_detail(client: Client, path: str, key: str) -> dict[str, t.Any]:
    """Read a record.

    Args:
        client: Sends the request.
        path: The list call.
        key: The value of its primary key.

    Returns:
        The record; another one when it was merged into that.

    Raises:
        NotOfferedError: When there is none, or the tenant has no details.
        ProtocolError: When the answer is no record.
        AutomateError: As `Client.get`.
    """
    body = client.get(f"{path}/{urllib.parse.quote(key, safe='')}").body
    if not isinstance(body, dict):
        msg = f"GET {path}/{{id}}: expected a record, got {type(body).__name__}."
        raise ProtocolError(msg)
    return body
