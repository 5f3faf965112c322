"""Catalog and state as a run is given them: of the right form, or refused with what to do.

The SDK answers a file that is not JSON with a traceback, and takes a strange catalog for an empty
selection.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import typing as t

from singer_sdk.singerlib import Catalog

from automate_api.errors import ConfigError

if t.TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from singer_sdk import Stream

METHODS: t.Final = ("INCREMENTAL", "FULL_TABLE")

logger = logging.getLogger(__name__)


def read_json(file: t.IO[str] | None, *, empty_is_none: bool = False) -> dict[str, t.Any] | None:
    """Read a file of the command line.

    Args:
        file: To read; None when there is none.
        empty_is_none: Whether a file without a word is as good as none, as for a state: a target
            that was stopped before its first commit has written none.

    Raises:
        ConfigError: When it does not hold a JSON object.
    """
    if file is None:
        return None
    content = None
    with contextlib.suppress(ValueError):
        text = file.read()
        if empty_is_none and not text.strip():
            logger.warning("%s is empty: the run starts without a state.", file.name)
            return None
        content = json.loads(text)
    if not isinstance(content, dict):
        msg = f"{file.name} is not a JSON object; expected a state or catalog of this tap."
        raise ConfigError(msg)
    return content


def check_catalog(catalog: object, *, program: str) -> None:
    """Hold a catalog to its form.

    Args:
        catalog: As it was given; None when there is none.
        program: The tap's name.

    Raises:
        ConfigError: When the catalog cannot be used.
    """
    if catalog is None:
        return
    entries = catalog.get("streams") if isinstance(catalog, dict) else None
    if not isinstance(entries, list) or not all(map(_is_entry, entries)) or not _parses(catalog):
        msg = (
            'The catalog cannot be used: expected {"streams": [{"tap_stream_id": "<stream>", '
            f'"schema": {{"properties": {{...}}}}, "metadata": [...]}}]}}. {_another(program)}'
        )
        raise ConfigError(msg)


def check_names(
    catalog: Mapping[str, t.Any] | None, streams: Collection[str], *, program: str
) -> None:
    """Hold a catalog to the streams that there are.

    Args:
        catalog: Of the right form; None when there is none.
        streams: The streams of the tap.
        program: The tap's name.

    Raises:
        ConfigError: When it names others.
    """
    entries = catalog["streams"] if catalog else ()
    unknown = sorted({entry["tap_stream_id"] for entry in entries} - set(streams))
    if unknown:
        msg = (
            f"The catalog names streams that this tap does not have: {', '.join(unknown)}. "
            f"It has {', '.join(sorted(streams))}. {_another(program)}"
        )
        raise ConfigError(msg)


def check_streams(streams: Mapping[str, Stream], *, program: str) -> None:
    """Hold the selected streams, as a catalog has left them, to what no run can do without.

    Args:
        streams: Name to stream.
        program: The tap's name.

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
                f"needs to tell rows and versions apart. Put it back, or: {_another(program)}"
            )
            raise ConfigError(msg)
        if stream.replication_method not in METHODS:
            msg = (
                f"The catalog's replication method of stream '{name}' must be one of "
                f"{', '.join(METHODS)}; there is no other way to read it."
            )
            raise ConfigError(msg)


def check_state(state: object) -> None:
    """Hold a state to its form.

    Args:
        state: As it was given; empty on a first run.

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


def _another(program: str) -> str:
    return f"Make a new one with `{program} --discover`."


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
