"""What a run says of drift: one line a stream, with a mark at what the run before did not have.

What was said stays in the stream's state as `STATE`, or as `FAILED` where runs failed for it: kind
to names, never a value but words of closed lists.
"""

from __future__ import annotations

import dataclasses
import typing as t

from automate_api.errors import ConfigError
from tap_automate.reading.drift import Kind

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_automate.reading.drift import Drift, Finding

STATE: t.Final = "drift"
"""Where a stream's state has what was known."""

FAILED: t.Final = "drift_failed"
"""Where it has what runs have failed for, and none has accepted yet."""

MOST_NAMED: t.Final = 20
"""Names of one kind in a line."""

MOST_KEPT: t.Final = 500
"""Names of one kind in the state; where names are data themselves there is no end of them, and a
further one is no news."""

LABELS: t.Final[Mapping[Kind, str]] = {
    Kind.UNKNOWN_FIELDS: "fields the contract does not know, {unknown}",
    Kind.UNKNOWN_VALUES: "values its closed lists do not have, passed through",
    Kind.OTHER_TYPES: "values of another type than the contract's, passed through",
    Kind.MISSING_FIELDS: "fields of the contract that no row has",
    Kind.MOVED_PATHS: "lists that earlier runs have read, and that are not there any more",
}

COMPARE: t.Final = (
    "`automate-dms drift --propose FILE` compares, and proposes a `contract_overlay`."
)
NO_OVERLAY: t.Final = (
    "No overlay has another type, or a field that is gone: look at what reads them."
)


@dataclasses.dataclass(frozen=True)
class Known:
    """What was found before.

    Attributes:
        names: Kind to the names of its findings.
        failed: The same of those that runs have failed for, and none has accepted yet.
    """

    names: Mapping[Kind, frozenset[str]] = dataclasses.field(default_factory=dict)
    failed: Mapping[Kind, frozenset[str]] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_state(cls, state: Mapping[str, t.Any], *, name: str) -> Known:
        """Read it from a stream's state.

        Args:
            state: What Singer state holds for it.
            name: The stream, for the message.

        Raises:
            ConfigError: When a person edited it into another form.
        """
        return cls(*(_names(state.get(key, {}), key, name) for key in (STATE, FAILED)))

    def has(self, finding: Finding) -> bool:
        """Tell whether something was found before, or so much of its kind that it is no news."""
        names = self.names.get(finding.kind, frozenset())
        return finding.name in names or len(names) >= MOST_KEPT

    def to_state(self, findings: Sequence[Finding], *, accepts: bool) -> dict[str, t.Any]:
        """Give what the next run is to know.

        Args:
            findings: Of this run.
            accepts: Whether this run accepts them, and what runs before it have failed for; else
                it fails for those that are not known.

        Returns:
            `STATE` and `FAILED`, where there is anything in them: kind to names, sorted; of each
            kind the first `MOST_KEPT`.
        """
        if accepts:
            now = {STATE: _together(self.names, self.failed, _by_kind(findings))}
        else:
            new = [each for each in findings if not self.has(each)]
            now = {STATE: _together(self.names), FAILED: _together(self.failed, _by_kind(new))}
        return {key: names for key, names in now.items() if names}


def sentence(findings: Sequence[Finding], known: Known, *, unknown: str = "passed through") -> str:
    """Say what is not as the contract has it.

    Args:
        findings: At least one.
        known: What is not new.
        unknown: What has become of unknown fields.
    """
    parts = []
    for kind, label in LABELS.items():
        if mine := [each for each in findings if each.kind is kind]:
            named = [_said(each, known) for each in mine[:MOST_NAMED]]
            if more := len(mine) - len(named):
                named.append(f"{more:,} more")
            said = label.format(unknown=unknown)
            parts.append(f"{said}: {', '.join(named)}")
    overlaid = [_is_for_an_overlay(each) for each in findings]
    advice = [COMPARE] * any(overlaid) + [NO_OVERLAY] * (not all(overlaid))
    return " ".join([f"{'; '.join(parts)}.", *advice])


def sentinels(drift: Drift) -> str:
    """Say which dates were set to null; nothing where none was."""
    counted = sorted(drift.sentinels.items())
    seen = ", ".join(f"{name} ({rows} rows)" for name, rows in counted)
    return f"sentinel dates set to null: {seen}" if seen else ""


def _is_for_an_overlay(finding: Finding) -> bool:
    """Tell whether an overlay can say it: a field, a word, or where a field has moved to."""
    match finding.kind:
        case Kind.MISSING_FIELDS:
            return bool(finding.detail)
        case Kind.OTHER_TYPES:
            return False
        case _:
            return True


def _names(kept: object, key: str, stream: str) -> dict[Kind, frozenset[str]]:
    if isinstance(kept, dict) and all(
        kind in LABELS and isinstance(names, list) and all(isinstance(n, str) for n in names)
        for kind, names in kept.items()
    ):
        return {Kind(kind): frozenset(names) for kind, names in kept.items()}
    msg = (
        f"State of stream '{stream}': `{key}` must be names by kind, as tap-automate writes them. "
        f"Remove `{key}`: then the next run takes all drift for new."
    )
    raise ConfigError(msg)


def _by_kind(findings: Sequence[Finding]) -> dict[Kind, frozenset[str]]:
    return {
        kind: frozenset([each.name for each in findings if each.kind is kind])
        for kind in {each.kind for each in findings}
    }


def _together(*parts: Mapping[Kind, frozenset[str]]) -> dict[str, list[str]]:
    found = {kind: frozenset().union(*(part.get(kind, ()) for part in parts)) for kind in Kind}
    return {kind.value: sorted(names)[:MOST_KEPT] for kind, names in found.items() if names}


def _said(finding: Finding, known: Known) -> str:
    match finding.kind:
        case Kind.MISSING_FIELDS:
            facts = [f"perhaps now {finding.detail}"] if finding.detail else []
        case Kind.OTHER_TYPES:
            facts = [f"{finding.rows} rows", finding.detail]
        case Kind.MOVED_PATHS:
            facts = []
        case _:
            facts = [f"{finding.rows} rows"]
    if not known.has(finding):
        facts.append("new")
    return f"{finding.name} ({', '.join(facts)})" if facts else finding.name
