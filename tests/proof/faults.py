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

CHAOS_PATHS: t.Final = ("/[acdov]*", "/service/*")
"""Attachments, customers, deals, operations, vehicles; appointments and repair orders.

Not the logins: they are another issue's.
"""
UPLOADS: t.Final = "/files/incoming/*"
"""Where files are sent: no JSON, and no session."""
OF_UPLOADS: t.Final = frozenset({"expired_url", "server_error", "rate_limit", "cut", "latency"})
"""Kinds of faults that a file on its way can meet, beside a refusal that stands."""

OF_FILES: t.Final = frozenset({"expired_url", "slow_body", "wrong_bytes"})
"""Kinds of faults of files, which the calls of the API do not meet."""
WRITES: t.Final = ("POST", "PATCH", "PUT")
OF_WRITES: t.Final = frozenset(
    {"accepted", "delayed", "conflict", "locked", "lost_id", "unknown_enum"}
)
"""Kinds of faults that are about a write, or would have it decided by what is not so."""

RATE_LIMITS: t.Final = 0.0002
"""Share of requests that are told to wait a whole second, which holds all workers."""


def forms() -> Iterator[Rule]:
    """List each kind and form of a fault that a write can meet, from the sandbox's own table."""
    return (rule for rule in _all() if rule["kind"] not in OF_FILES)


def upload_forms() -> Iterator[Rule]:
    """List each kind and form of a fault that a file on its way can meet."""
    return (rule for rule in _all() if rule["kind"] in OF_UPLOADS)


def _all() -> Iterator[Rule]:
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
    arriving = [rule for rule in forms() if rule["kind"] not in STANDING and rule != LYING]
    return [
        *(rule for path in CHAOS_PATHS for rule in _shared(arriving, path, share)),
        *_shared(list(upload_forms()), UPLOADS, share),
    ]


def _shared(rules: list[Rule], path: str, share: float) -> Iterator[Rule]:
    waits = sum(rule["kind"] == "rate_limit" for rule in rules)
    each = (share - RATE_LIMITS * waits) / (len(rules) - waits)
    for rule in rules:
        probability = RATE_LIMITS if rule["kind"] == "rate_limit" else each
        for method in WRITES if rule["kind"] in OF_WRITES else ("*",):
            match = {"method": method, "path": path}
            yield rule | times(rule) | {"match": match, "probability": probability}


def times(rule: Rule) -> Rule:
    """Choose times that end well before an unknown write has to be visible."""
    milliseconds = {"delayed": 300, "accepted": 100, "latency": 1}.get(rule["kind"])
    return {} if milliseconds is None else {"milliseconds": milliseconds}
