"""How a row that the source no longer has is known: by its key and a mark, which Singer lacks."""

from __future__ import annotations

import typing as t

Key: t.TypeAlias = tuple[str, ...]
"""The values of a primary key, as text."""

DELETED: t.Final = "deletedAt"
"""The property with the time from which on a record is gone."""
