"""The setting `batch_config`: what it may say, and what is wrong with it."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMPRESSIONS: t.Final = {"jsonl": ("gzip", "none"), "parquet": ("zstd", "snappy", "gzip", "none")}
"""Format to compressions, the default first."""

BATCH_SETTING: t.Final[dict[str, t.Any]] = {
    "type": "object",
    "title": "Batch files",
    "description": (
        "Write records to files, and BATCH messages that name them, in place of RECORD messages. "
        "encoding: format parquet (compression zstd, snappy, gzip or none) or jsonl (gzip, none); "
        "storage: root, a folder or an address that fsspec knows, and a prefix of the names; "
        "batch_size: rows that a file has at most; 256 MiB in memory, of all streams, end it, too. "
        "A run that is killed leaves a hidden file ending in .part, which may be deleted."
    ),
    "properties": {
        "encoding": {
            "type": "object",
            "properties": {
                "format": {"enum": ["parquet", "jsonl"]},
                "compression": {"enum": ["zstd", "snappy", "gzip", "none"]},
            },
            "required": ["format"],
            "additionalProperties": False,
        },
        "storage": {
            "type": "object",
            "properties": {
                "root": {"type": "string", "minLength": 1},
                "prefix": {"type": "string"},
                "params": {"type": "object", "secret": True},
            },
            "required": ["root"],
            "additionalProperties": False,
        },
        "batch_size": {"type": "integer", "minimum": 1, "default": 50_000},
    },
    "required": ["encoding", "storage"],
    "additionalProperties": False,
}


def problems(setting: Mapping[str, t.Any]) -> Iterator[str]:
    """Say what is wrong with `batch_config` beyond its schema.

    Args:
        setting: A value that fits the schema.

    Yields:
        A sentence for each problem.
    """
    encoding = setting["encoding"]
    allowed = COMPRESSIONS[encoding["format"]]
    if encoding.get("compression", allowed[0]) not in allowed:
        names = ", ".join(allowed)
        yield f"`batch_config.encoding.compression` must be one of {names} for {encoding['format']}"
