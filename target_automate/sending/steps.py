"""What a step of work on an intent comes to, what it has cost, and how it is kept."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.clock import Clock
    from target_automate.journal.intents import Intent, State
    from target_automate.journal.journal import Journal
    from target_automate.sinks.declarations import SinkDeclaration


CLOCK_SECONDS: t.Final = 5.0
"""By which a clock may be set back without its times being doubted."""


@dataclasses.dataclass(frozen=True, slots=True)
class Settled:
    """The intent needs no more work in this run.

    Attributes:
        state: Where it is; one that is still open holds back what comes after it in its lane.
        before: Whether it was settled when it was handed in, and has been told of.
    """

    state: State
    before: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Later:
    """The intent is to be worked on again.

    Attributes:
        seconds: After so many.
    """

    seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Waits:
    """The intent waits for another, or for a person.

    Attributes:
        state: Where it is.
    """

    state: State


Step: t.TypeAlias = Settled | Later | Waits


@dataclasses.dataclass(frozen=True, slots=True)
class Ready:
    """The intent may be sent.

    Attributes:
        resolved: The DMS's id of what it refers to; None where it refers to nothing.
        guard: What the DMS held, as `Intent.guard`; None where nothing is changed.
        record: The record as it was read for that.
    """

    resolved: str | None
    guard: Mapping[str, t.Any] | None = None
    record: dict[str, t.Any] | None = dataclasses.field(default=None, repr=False)


@dataclasses.dataclass(slots=True)
class Effort:
    """What a run has spent on an intent.

    Attributes:
        attempts: Requests sent.
        waited: Seconds put off for refusals that may end.
        resolved_again: Whether its reference has been asked for anew.
        read_back: Whether its outcome is to be read back, also where keys would settle it.
        looked_up: Whether it has been looked up before it is sent.
        conflicts: How often the DMS has held something else than was read just before.
    """

    attempts: int = 0
    waited: float = 0.0
    resolved_again: bool = False
    read_back: bool = False
    looked_up: bool = False
    conflicts: int = 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Settings that decide about unknown outcomes.

    Attributes:
        visible_after: Seconds after which a write that was processed is visible to every read.
        patience: Seconds that one intent waits at most for a busy API.
    """

    visible_after: float
    patience: float


@dataclasses.dataclass(frozen=True, slots=True)
class Desk:
    """Keeps steps in the journal.

    Attributes:
        journal: Where.
        clock: When.
    """

    journal: Journal
    clock: Clock

    def move(self, intent: Intent, state: State, **columns: t.Any) -> Settled:  # noqa: ANN401 - as the journal's
        """Keep a state that needs no more work in this run."""
        self.journal.change(intent.id, state, self.clock.time(), **columns)
        return Settled(state)

    def wait(self, intent: Intent, state: State, **columns: t.Any) -> Waits:  # noqa: ANN401 - as the journal's
        """Keep a state that waits for another intent or for a person."""
        self.journal.change(intent.id, state, self.clock.time(), **columns)
        return Waits(state)

    def again(self, intent: Intent, state: State, seconds: float, **columns: t.Any) -> Later:  # noqa: ANN401 - as the journal's
        """Keep a state that is to be worked on again after some seconds."""
        self.journal.change(intent.id, state, self.clock.time(), **columns)
        return Later(seconds)


def body_of(intent: Intent, sink: SinkDeclaration, resolved: str | None) -> dict[str, t.Any]:
    """Make what is sent: the payload with what it refers to by the DMS's id.

    An update names it in the call's path, an upload by its kind and id, all else by its field.

    Args:
        intent: With the payload.
        sink: Of the intent.
        resolved: The id of what it refers to; None where it refers to nothing.
    """
    named = sink.reference_in(intent.payload)
    body = {name: value for name, value in intent.payload.items() if name not in sink.local}
    for reference in sink.references:
        body.pop(reference.alias, None)
        if not sink.founds:
            body.pop(reference.field, None)
    if named is not None and resolved is not None:
        if sink.operation == "upload":
            body |= {"entityType": named.entity.noun.replace(" ", "_"), "entityId": resolved}
        elif sink.founds:
            body[named.field] = resolved
    return body


def guarded(
    body: Mapping[str, t.Any], sink: SinkDeclaration, guard: Mapping[str, t.Any] | None
) -> dict[str, t.Any]:
    """Add to a body what the DMS is thought to hold, where the call takes it, and the line's id.

    Args:
        body: By `body_of`.
        sink: Of the intent.
        guard: What the DMS held.
    """
    if sink.change is None or guard is None:
        return dict(body)
    fields = {
        sink.change.expected: guard.get("status"),
        sink.change.version: guard.get("updatedAt"),
    }
    given = {name: value for name, value in fields.items() if name and value is not None}
    if (line := sink.change.line) is not None:
        given[line.field] = guard.get(line.field)
        body = {name: value for name, value in body.items() if name != line.alias}
    return {**body, **given}
