"""Catalog and state as a run is given them: of the right form, or refused with what to do.

The SDK answers a file that is not JSON with a traceback, and takes a strange catalog for an empty
selection.
"""

from __future__ import annotations

import copy
import io
import json
import typing as t

from singer_sdk.singerlib import Catalog

from automate_api.errors import ConfigError
from tap_automate.bookmark import Bookmark

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from singer_sdk import Stream

METHODS: t.Final = ("INCREMENTAL", "FULL_TABLE")
NEW_CATALOG: t.Final = "Make a new one with `tap-automate --discover`."


def read_json(file: t.IO[str] | None) -> io.StringIO | None:
    """Read a file of the command line, for the SDK to parse.

    Raises:
        ConfigError: When it does not hold a JSON object.
    """
    if file is None:
        return None
    content = ""
    try:
        content = file.read()
        is_object = isinstance(json.loads(content), dict)
    except ValueError:
        is_object = False
    if not is_object:
        msg = f"{file.name} is not a JSON object; expected a state or catalog of this tap."
        raise ConfigError(msg)
    return io.StringIO(content)


def check_catalog(catalog: object, streams: Collection[str]) -> None:
    """Hold a catalog to its form, and to the streams that there are.

    Args:
        catalog: As it was given; None when there is none.
        streams: The streams of the tap.

    Raises:
        ConfigError: When the catalog cannot be used.
    """
    if catalog is None:
        return
    entries = catalog.get("streams") if isinstance(catalog, dict) else None
    if not isinstance(entries, list) or not all(map(_is_entry, entries)) or not _parses(catalog):
        msg = (
            'The catalog cannot be used: expected {"streams": [{"tap_stream_id": "<stream>", '
            f'"schema": {{"properties": {{...}}}}, "metadata": [...]}}]}}. {NEW_CATALOG}'
        )
        raise ConfigError(msg)
    unknown = sorted({entry["tap_stream_id"] for entry in entries} - set(streams))
    if unknown:
        msg = (
            f"The catalog names streams that this tap does not have: {', '.join(unknown)}. "
            f"It has {', '.join(sorted(streams))}. {NEW_CATALOG}"
        )
        raise ConfigError(msg)


def check_streams(streams: Mapping[str, Stream]) -> None:
    """Hold the selected streams, as a catalog has left them, to what no run can do without.

    Args:
        streams: Name to stream.

    Raises:
        ConfigError: When one lacks its key or replication key, or is to be read in a way that there
            is not.
    """
    for name, stream in streams.items():
        if not stream.selected:
            continue
        needed = {*stream.primary_keys, stream.replication_key} - {None}
        if missing := sorted(needed - stream.effective_schema["properties"].keys()):
            msg = (
                f"The catalog has stream '{name}' without {', '.join(missing)}, which a target "
                f"needs to tell rows and versions apart. Put it back, or: {NEW_CATALOG}"
            )
            raise ConfigError(msg)
        if stream.replication_method not in METHODS:
            msg = (
                f"The catalog's replication method of stream '{name}' must be one of "
                f"{', '.join(METHODS)}; there is no other way to read it."
            )
            raise ConfigError(msg)


def check_state(state: object, streams: Collection[str]) -> None:
    """Hold a state to its form, each bookmark included.

    Args:
        state: As it was given; empty on a first run.
        streams: The streams of the tap; what a state says of others is kept as it is.

    Raises:
        ConfigError: When the state cannot be used.
    """
    if not state:
        return
    bookmarks = state.get("bookmarks") if isinstance(state, dict) else None
    if not isinstance(bookmarks, dict) or not all(map(_is_bookmark, bookmarks.values())):
        msg = (
            'The state cannot be used: expected {"bookmarks": {"<stream>": {...}}}, each partition '
            "once and with its context. Give the last state that this tap wrote, or none to load "
            "from the start."
        )
        raise ConfigError(msg)
    for name in bookmarks.keys() & set(streams):
        for bookmark in (bookmarks[name], *bookmarks[name].get("partitions", ())):
            Bookmark.from_state(bookmark, overlap_seconds=0, name=name)


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("tap_stream_id"), str)
        and isinstance(entry.get("schema"), dict)
        and isinstance(entry["schema"].get("properties"), dict)
        and isinstance(entry.get("metadata", []), list)
    )


def _parses(catalog: t.Any) -> bool:  # noqa: ANN401 - what a user gives
    try:
        Catalog.from_dict(copy.deepcopy(catalog))
    except (AttributeError, KeyError, TypeError, ValueError):
        return False
    return True


def _is_bookmark(bookmark: object) -> bool:
    if not isinstance(bookmark, dict):
        return False
    partitions = bookmark.get("partitions", [])
    if not isinstance(partitions, list) or not all(isinstance(part, dict) for part in partitions):
        return False
    contexts = [part.get("context") for part in partitions]
    return all(isinstance(context, dict) and contexts.count(context) == 1 for context in contexts)
