"""Counts the requests that met a deal which waits for a person's approval."""

from __future__ import annotations

import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

CALLS: t.Final = ("POST /deals/{id}/status", "PATCH /deals/{id}")
LOCKED: t.Final = 423


def refused_for_approval(stats: Mapping[str, t.Any]) -> int:
    """Count the changes of deals that were refused for want of an approval.

    Args:
        stats: Of the sandbox; what a fault has locked is not counted.
    """
    refused = sum(stats["refusals"].get(f"{call} {LOCKED}", 0) for call in CALLS)
    return int(refused - strikes(stats, "locked"))


def strikes(stats: Mapping[str, t.Any], kind: str | None = None) -> int:
    """Count how often faults have struck.

    Args:
        stats: Of the sandbox.
        kind: Of the faults; None for all.
    """
    return sum(rule["strikes"] for rule in stats["faults"] if kind in {None, rule["kind"]})
