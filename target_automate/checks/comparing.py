"""What a payload says beside what the DMS holds: same or not, where they differ, and in words."""

from __future__ import annotations

import typing as t

from automate_api import redaction
from automate_api.exact_json import encode
from target_automate.checks.lookup import holds
from target_automate.journal import identity

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from target_automate.checks.lookup import Record
    from target_automate.sinks.declarations import Change, SinkDeclaration

UPDATED: t.Final = "updatedAt"
STATUS: t.Final = "status"

_MOST_TOLD: t.Final = 5
"""Fields that a refusal quotes."""


def wanted_of(sink: SinkDeclaration, body: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Leave of a body what the record is to hold afterwards."""
    change = t.cast("Change", sink.change)
    left_out = change.guards | change.said
    if change.line is not None:
        left_out |= {change.line.field, change.line.alias}
    return {name: value for name, value in body.items() if name not in left_out}


def part_of(
    sink: SinkDeclaration, record: Record, body: Mapping[str, t.Any]
) -> Mapping[str, t.Any]:
    """Find the part of a record that a body is about: the whole of it, or one of its lines.

    Nothing where it has no such line, or several: which of them is meant nobody knows.
    """
    line = sink.change.line if sink.change else None
    if line is None:
        return record
    name = line.name_in(body)
    items = record.get(line.array)
    found = [
        item
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict) and item.get(name) == body[name]
    ]
    return found[0] if len(found) == 1 else {}


def says(there: Mapping[str, t.Any], wanted: Mapping[str, t.Any]) -> bool:
    """Tell whether a record holds at least what is wanted."""
    return all(name in there and _equal(name, there[name], wanted[name]) for name in wanted)


def picked(there: object, wanted: object) -> t.Any:  # noqa: ANN401 - any JSON
    """Leave of what a record holds the fields that are wanted, whatever they hold."""
    if isinstance(wanted, dict):
        held = there if isinstance(there, dict) else {}
        return {name: picked(held.get(name), part) for name, part in wanted.items()}
    return there


def differences(
    there: Mapping[str, t.Any], wanted: Mapping[str, t.Any]
) -> dict[str, tuple[t.Any, t.Any]]:
    """List the fields that would change, nested ones dotted: what is held, and what is wanted."""
    found: dict[str, tuple[t.Any, t.Any]] = {}
    for name, value in wanted.items():
        held = there.get(name)
        if isinstance(value, dict):
            inner = differences(held if isinstance(held, dict) else {}, value)
            found |= {f"{name}.{path}": pair for path, pair in inner.items()}
        elif not _equal(name, held, value):
            found[name] = (held, value)
    return found


def told(there: Mapping[str, t.Any], wanted: Mapping[str, t.Any], record: Record) -> str:
    """Say for a person what the DMS holds: statuses, amounts and times; no text of people."""
    parts = []
    for name, (held, _) in list(differences(there, wanted).items())[:_MOST_TOLD]:
        value = held
        if isinstance(held, list):
            value = f"{len(held)} of them"
        elif not _may_be_told(name, held):
            value = "another"
        shown = value if isinstance(value, str) else encode(value).decode()
        parts.append(f"{name} {shown}")
    changed = record.get(UPDATED)
    if isinstance(changed, str):
        parts.append(f"changed at {changed[:32]}")
    return ", ".join(parts) or "something else"


def in_time(instant: str) -> str:
    """Write an instant so that the later is the greater."""
    return identity.comparable(UPDATED, instant)


def _equal(name: str, held: object, wanted: object) -> bool:
    if isinstance(held, str) and isinstance(wanted, str):
        return identity.comparable(name, held) == identity.comparable(name, wanted)
    return holds(held, wanted)


def _may_be_told(name: str, held: object) -> bool:
    if redaction.is_personal(name):
        return False
    if isinstance(held, str):
        return name.rpartition(".")[2] in {STATUS, "appointmentTime"}
    return not isinstance(held, dict)


def lasting(value: object) -> t.Any:  # noqa: ANN401 - any JSON
    """Leave the signatures of links out: they are new each time the DMS is asked."""
    if isinstance(value, dict):
        return {name: lasting(part) for name, part in value.items()}
    if isinstance(value, list):
        return [lasting(part) for part in value]
    if isinstance(value, str) and value.startswith(("http://", "https://")):
        return value.partition("?")[0]
    return value
