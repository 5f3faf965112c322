"""Where in a record its files are named, and where it says that they have been put. Pure."""

from __future__ import annotations

import dataclasses
import re
import typing as t

import msgspec

from tap_automate.instants import to_microseconds
from tap_automate.reading.codec import value_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_automate.streams import Files

DOWNLOADED_TO: t.Final = "downloadedTo"
"""The field that the tap adds beside a file's address."""

FIELD: t.Final[Mapping[str, t.Any]] = {
    "type": ["string", "null"],
    "description": (
        "Where the tap has put the file, by its setting `download_to`; null when there is none, "
        "or it could not be fetched."
    ),
}

_SHA256: t.Final = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True, slots=True)
class Named:
    """A file as a record names it.

    Attributes:
        position: Among the files of the record, from 1.
        url: Where it is for now.
        name: As people call it; None where its place is its name.
        content_type: Its media type, None when that is not known.
        size: Bytes, None when that is not known.
        sha256: 64 lower-case hex digits, None when that is not known.
        ends: Microseconds since 1970 at which the address ends, None when that is not known.
    """

    position: int
    url: str = dataclasses.field(repr=False)
    name: str | None = dataclasses.field(repr=False)
    content_type: str | None
    size: int | None
    sha256: str | None
    ends: int | None


def wanted(files: Files | None, config: Mapping[str, t.Any]) -> Files | None:
    """Return where a stream's records name files that the settings want; None where they do not.

    Args:
        files: What the stream declares.
        config: The tap's settings.
    """
    if files is None or not config.get("download_to"):
        return None
    return files if files.setting is None or config.get(files.setting, True) else None


def with_place(schema: Mapping[str, t.Any], files: Files) -> dict[str, t.Any]:
    """Add `downloadedTo` to a record's schema from the contract.

    Args:
        schema: Not changed.
        files: Where its records name files.
    """
    properties = dict(schema["properties"])
    if files.within is None:
        return {**schema, "properties": {**properties, DOWNLOADED_TO: dict(FIELD)}}
    array = properties[files.within]
    element = array["items"]
    extended = {**element, "properties": {**element["properties"], DOWNLOADED_TO: dict(FIELD)}}
    properties[files.within] = {**array, "items": extended}
    return {**schema, "properties": properties}


def field_of(files: Files) -> str:
    """Name the field of a record in which it says where its files are."""
    return files.within or DOWNLOADED_TO


def without_place(schema: Mapping[str, t.Any], files: Files) -> Mapping[str, t.Any]:
    """Take `downloadedTo` out of a schema, such as a catalog's; the same where it has none.

    Args:
        schema: Not changed.
        files: Where its records name files.
    """
    if not has_place(schema, files):
        return schema
    if files.within is None:
        return {**schema, "properties": _without(schema["properties"])}
    array = schema["properties"][files.within]
    element = {**array["items"], "properties": _without(array["items"]["properties"])}
    return {
        **schema,
        "properties": {**schema["properties"], files.within: {**array, "items": element}},
    }


def has_place(schema: Mapping[str, t.Any], files: Files) -> bool:
    """Tell whether a schema, such as a catalog's, has `downloadedTo` where it belongs."""
    part = schema
    if files.within is not None:
        part = schema.get("properties", {}).get(files.within, {}).get("items", {})
    return DOWNLOADED_TO in part.get("properties", {})


def holders(record: object, files: Files) -> list[t.Any]:
    """Return what of a record names a file each, in their order; None where something does not.

    Args:
        record: A struct or a dict.
        files: Where it names files.
    """
    if files.within is None:
        return [record]
    found = value_of(record, files.within)
    if not isinstance(found, list):
        return []
    return [each if isinstance(each, dict | msgspec.Struct) else None for each in found]


def named(holder: object, position: int, files: Files) -> Named | None:
    """Read what names a file; None where it names none.

    Args:
        holder: One of `holders`.
        position: Among them, from 1.
        files: Which of its fields to read.
    """
    url = _text(holder, files.url)
    if url is None:
        return None
    size = value_of(holder, files.size) if files.size else None
    sha256 = (_text(holder, files.sha256) or "").lower()
    return Named(
        position=position,
        url=url,
        name=None if files.name is None else _text(holder, files.name) or "",
        content_type=_text(holder, files.content_type),
        size=size if type(size) is int and size >= 0 else None,
        sha256=sha256 if _SHA256.fullmatch(sha256) else None,
        ends=_instant(_text(holder, files.ends)),
    )


def put(holder: object, path: str | None) -> None:
    """Say in a holder where its file has been put."""
    if isinstance(holder, dict):
        holder[DOWNLOADED_TO] = path
    else:
        setattr(holder, DOWNLOADED_TO, path)


def _without(properties: Mapping[str, t.Any]) -> dict[str, t.Any]:
    return {name: field for name, field in properties.items() if name != DOWNLOADED_TO}


def _text(holder: object, name: str | None) -> str | None:
    found = value_of(holder, name) if name else None
    return found.strip() or None if isinstance(found, str) else None


def _instant(text: str | None) -> int | None:
    try:
        return None if text is None else to_microseconds(text)
    except ValueError:
        return None
