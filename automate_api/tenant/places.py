"""Where something stands in a record: `lot.name`, and within an array `lines[].laborSale`."""

from __future__ import annotations

import re
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from automate_api.contract import Schema

Path: t.TypeAlias = tuple[str, ...]
"""Names from object to object, through no array."""

ITEMS: t.Final = "[]"

_PLACE: t.Final = re.compile(r"[^.\[\]\s]+(\[\])?(\.[^.\[\]\s]+(\[\])?)*")


class Place(t.NamedTuple):
    """A field's place.

    Attributes:
        arrays: The arrays that it is within, the outermost first, each as the path from the item
            of the one before.
        path: From the innermost item, or from the record.
    """

    arrays: tuple[Path, ...]
    path: Path

    @classmethod
    def of(cls, text: str) -> Place:
        """Read a place.

        Args:
            text: `lines[].labor.sale`.

        Raises:
            ValueError: When it is written in another way.
        """
        if not _PLACE.fullmatch(text) or text.endswith(ITEMS):
            raise ValueError(text)
        *arrays, path = text.split(f"{ITEMS}.")
        return cls(tuple(tuple(array.split(".")) for array in arrays), tuple(path.split(".")))

    def __str__(self) -> str:
        """Write it as `of` reads it."""
        return f"{ITEMS}.".join(".".join(path) for path in (*self.arrays, self.path))


def leaf(place: str) -> str:
    """Give the last name of a place.

    Args:
        place: As `Place.of` reads it.
    """
    return re.split(r"[.\]]", place)[-1]


def walk(schema: Schema, arrays: tuple[Path, ...] = ()) -> Iterator[tuple[Place, Schema]]:
    """Go through the fields of a record at every level.

    Args:
        schema: Of the record, without `$ref`.
        arrays: What the record itself is within.

    Yields:
        Place and schema of each field, holders before what they hold.
    """
    for path, field in nodes(schema):
        yield Place(arrays, path), field
        if items := item_of(field):
            yield from walk(items, (*arrays, path))


def nodes(schema: Schema, holder: Path = ()) -> Iterator[tuple[Path, Schema]]:
    """Go through the fields of an object and of the objects within it, through no array.

    Args:
        schema: Of the object.
        holder: Where it is.

    Yields:
        Path and schema of each field, holders before what they hold.
    """
    for name, field in schema.get("properties", {}).items():
        yield (*holder, name), field
        yield from nodes(field, (*holder, name))


def item_of(field: Schema) -> Schema | None:
    """Give the schema of an array's items; None where they are no objects with fields."""
    items: Schema = field.get("items", {})
    return items if items.get("properties") else None


def find(schema: Schema, place: Place) -> Schema | None:
    """Give the schema of a field, None when the record has none there.

    Args:
        schema: Of the record.
        place: Of the field.
    """
    for array in place.arrays:
        schema = _at(schema, array).get("items", {})
    return _at(schema, place.path) or None


def _at(schema: Schema, path: Path) -> Schema:
    for name in path:
        schema = schema.get("properties", {}).get(name, {})
    return schema
