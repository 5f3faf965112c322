"""The faults that a write can meet, as rules for the sandbox."""

from __future__ import annotations

import itertools
import typing as t

from automate_sandbox.faults import FIELDS

if t.TYPE_CHECKING:
    from collections.abc import Iterator

Rule: t.TypeAlias = dict[str, t.Any]

OF_LISTS: t.Final = frozenset({"no_total", "text_total", "items_object"})
"""Forms of `malformed` that leave the answer to a write as it is."""

OF_BOUNDS: t.Final = "ignored_bounds"
"""A fault of lists that are read by the time of change, which no write looks at."""

STANDING: t.Final = frozenset({"status", "failed_operation"})
"""Kinds of faults that refuse a write for good."""

LYING: t.Final[Rule] = {"kind": "conflict", "form": "duplicate"}
"""Says that there is such a record already, and there is none."""

CHAOS_PATHS: t.Final = ("/[cdo]*", "/service/*")
"""Customers, deals, operations; appointments. Not the logins: they are another issue's."""
RATE_LIMITS: t.Final = 0.0002
"""Share of requests that are told to wait a whole second, which holds all workers."""


def forms() -> Iterator[Rule]:
    """List each kind and form of a fault that a write can meet, from the sandbox's own table."""
    for kind, fields in FIELDS.items():
        choices = {name: value for name, value in fields.items() if isinstance(value, tuple)}
        for values in itertools.product(*choices.values()):
            chosen = dict(zip(choices, values, strict=True))
            if chosen.get("form") not in OF_LISTS and kind != OF_BOUNDS:
                yield {"kind": kind, **chosen}


def name_of(rule: Rule) -> str:
    """Name a fault for people: `server_error-502-after`."""
    return "-".join(str(value) for name, value in rule.items() if name != "match")


def chaos(share: float) -> list[Rule]:
    """Make rules that strike a share of all requests, each form alike often but for long waits.

    A refusal that stands, or that lies, is left out: each record is to arrive.

    Args:
        share: Of the requests, 0 to 1.
    """
    arriving = (rule for rule in forms() if rule["kind"] not in STANDING and rule != LYING)
    chosen = [rule | _times(rule) for rule in arriving]
    waits = [rule for rule in chosen if rule["kind"] == "rate_limit"]
    each = (share - RATE_LIMITS * len(waits)) / (len(chosen) - len(waits))
    return [
        {**rule, "match": {"path": path}, "probability": RATE_LIMITS if rule in waits else each}
        for rule in chosen
        for path in CHAOS_PATHS
    ]


def _times(rule: Rule) -> Rule:
    """Choose times that end well before an unknown write has to be visible."""
    return {"delayed": {"milliseconds": 300}, "accepted": {"milliseconds": 100}}.get(
        rule["kind"], {}
    )
