"""Links to files differ from one answer to the next; what they lead to does not."""

from __future__ import annotations

import re
import typing as t

LINK: t.Final = re.compile(r"(?:\x7f|https?://[^/]+/files)(/[^?]+)\?object=.*")
"""As the sandbox keeps it, or as it has signed it for an answer."""


def settled(value: t.Any) -> t.Any:  # noqa: ANN401 - JSON
    """Copy a JSON value with each link cut down to the file's path, and no end of any."""
    if isinstance(value, dict):
        return {name: settled(child) for name, child in value.items() if name != "urlExpiresAt"}
    if isinstance(value, list):
        return [settled(child) for child in value]
    found = LINK.fullmatch(value) if isinstance(value, str) else None
    return found[1] if found else value
