"""The tap's own settings, beside those that it shares with the target."""

from __future__ import annotations

import fnmatch
import typing as t

from tap_automate import filters
from tap_automate.batches import setting as batch_setting
from tap_automate.batches.setting import BATCH_SETTING
from tap_automate.filters import filter_settings
from tap_automate.instants import to_microseconds
from tap_automate.privacy import DEFAULTS

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

LEAST_COOLDOWN: t.Final = 2
"""Seconds: clocks with whole seconds on both sides need as much."""

TAP_SETTINGS: t.Final[dict[str, t.Any]] = {
    "start_date": {
        "type": "string",
        "format": "date-time",
        "title": "Start date",
        "description": (
            "First load: rows changed at or after this instant (ISO 8601). Everything unless set."
        ),
    },
    "end_date": {
        "type": "string",
        "format": "date-time",
        "title": "End date",
        "description": (
            "Backfill: rows changed before this instant. Bookmarks are neither read nor moved."
        ),
    },
    "rooftop_ids": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "title": "Rooftops",
        "description": (
            "Only these rooftops, each with a bookmark of its own, so that one added later brings "
            "its history. Rows without a rooftop are not among them."
        ),
    },
    **filter_settings(),
    "page_size": {
        "type": "integer",
        "minimum": 1,
        "default": 200,
        "title": "Page size",
        "description": "Rows to ask for in one request; the server may give fewer.",
    },
    "concurrency": {
        "type": "integer",
        "minimum": 1,
        "maximum": 32,
        "default": 4,
        "title": "Requests under way",
        "description": (
            "Requests that may be under way together, within requests_per_second; fewer are where "
            "answers come at once."
        ),
    },
    "cooldown_seconds": {
        "type": "integer",
        "minimum": 0,
        "default": 60,
        "title": "Cool-down",
        "description": (
            "Seconds before the server's now that are left to the next run, because a change may "
            "become visible that much after its updatedAt. At least 2 are kept."
        ),
    },
    "overlap_seconds": {
        "type": "integer",
        "minimum": 0,
        "default": 900,
        "title": "Overlap",
        "description": (
            "Seconds before the bookmark that are read again for rows that became visible later "
            "still; rows already emitted are left out. At least 2 are kept; grows by itself where "
            "rows are later than half of it."
        ),
    },
    "reread_open": {
        "type": "boolean",
        "default": True,
        "title": "Read open rows again",
        "description": (
            "Whether every run looks through older repair orders and deals that are not finished, "
            "and appointments ahead, for changes that did not move updatedAt."
        ),
    },
    "gl_restatement": {
        "type": "boolean",
        "default": True,
        "title": "Compare accounting periods",
        "description": (
            "Whether every run adds up the journal entries of the open periods, the last two "
            "closed ones and the newest 13th, and writes a period again whose sums do not follow "
            "from those of the run before."
        ),
    },
    "download_to": {
        "type": "string",
        "minLength": 1,
        "title": "Folder for files",
        "description": (
            "A folder, or an address that fsspec knows, into which the files of attachments and "
            "the photos of vehicles are fetched; each row says where they are, in downloadedTo. "
            "Nothing is fetched unless set."
        ),
    },
    "download_max_bytes": {
        "type": "integer",
        "minimum": 1,
        "default": 104_857_600,
        "title": "Largest file",
        "description": "Bytes of a file beyond which it is not fetched.",
    },
    "download_photos": {
        "type": "boolean",
        "default": True,
        "title": "Photos of vehicles",
        "description": "Whether download_to is for the photos of vehicles, too.",
    },
    "on_drift": {
        "type": "string",
        "enum": ["ignore", "warn", "fail"],
        "default": "warn",
        "title": "On drift",
        "description": (
            "What comes of records that are not as the contract and its overlay have them: `warn` "
            "says so, a line a stream; `fail` also ends the run with an error once everything is "
            "written, unless a run with another setting has accepted it; `ignore` only counts."
        ),
    },
    "unknown_fields": {
        "type": "string",
        "enum": ["keep", "drop"],
        "default": "keep",
        "title": "Unknown fields",
        "description": (
            "Whether fields that neither contract nor overlay have are passed through, under a "
            "SCHEMA that follows, or left out; they are counted either way."
        ),
    },
    "pii": {
        "type": "object",
        "additionalProperties": {"enum": ["keep", "drop", "hash"]},
        "default": {},
        "title": "Personal data",
        "description": (
            "Field to keep, drop or hash, for the fields that the contract marks as personal. "
            + " and ".join(DEFAULTS)
            + " are dropped unless named here."
        ),
    },
    "pii_key": {
        "type": "string",
        "minLength": 16,
        "secret": True,
        "title": "Key of the hashes",
        "description": "Key of the HMAC-SHA256 that replaces a hashed field.",
    },
    "batch_config": BATCH_SETTING,
}


def problems(values: Mapping[str, t.Any], streams: Collection[str]) -> Iterator[str]:
    """Say what a JSON Schema cannot check.

    Args:
        values: Setting to value, coerced.
        streams: The streams of the tap.

    Yields:
        A sentence for each problem, without the value.
    """
    yield from _date_problems(values)
    yield from filters.problems(values)
    yield from _map_problems(values.get("stream_maps"), streams)
    if setting := values.get("batch_config"):
        yield from batch_setting.problems(setting)


def _map_problems(maps: object, streams: Collection[str]) -> Iterator[str]:
    """Say which stream maps have no stream: a name mistyped may leave personal data in place."""
    if not isinstance(maps, dict):
        return
    for name, rules in maps.items():
        source = rules.get("__source__", name) if isinstance(rules, dict) else name
        if not name.startswith("__") and not fnmatch.filter(streams, str(source)):
            yield f"`stream_maps.{name}` must be for a stream; there is none of the name"


def _date_problems(values: Mapping[str, t.Any]) -> Iterator[str]:
    """Say which limits in time are none, or exclude each other."""
    limits = {}
    for name in ("start_date", "end_date"):
        value = values.get(name)
        try:
            limits[name] = to_microseconds(value) if isinstance(value, str) else None
        except ValueError:
            yield f"`{name}` must be an instant such as 2026-01-20 or 2026-01-20T13:45:00Z"
    start, end = limits.get("start_date"), limits.get("end_date")
    if start is not None and end is not None and end <= start:
        yield "`end_date` must be later than `start_date`"
