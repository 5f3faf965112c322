"""What a call that writes is made of: what is asked, how it is carried out, what comes of it."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_sandbox.money import Record

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from automate_sandbox.sandbox import Sandbox

Changes = list[tuple[str, Record]]
"""Stream and new version."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """A request that writes.

    Attributes:
        payload: Held to the contract.
        key: The `{id}` of its path; empty when the path has none.
        host: Name and port by which the client knows this server.
    """

    payload: Record
    key: str = ""
    host: str = ""


class Outcome(t.NamedTuple):
    """What comes of a request that was carried out.

    Attributes:
        status: Of the answer.
        answer: JSON.
        changes: Stream and new version of each record that it has made or changed.
    """

    status: int
    answer: Record
    changes: Changes


def _nothing(_sandbox: Sandbox, _asked: Asked) -> None:
    """Have nothing to say."""


def _at_once(_sandbox: Sandbox, _asked: Asked) -> bool:
    return False


@dataclasses.dataclass(frozen=True)
class Call:
    """How a call of the contract is served.

    Attributes:
        carry_out: Raises a Problem before anything has changed, or gives the new versions.
        check: Raises the Problem for which a request is refused at once, where it would be queued.
        is_queued: Whether a request is answered 202 and carried out later.
        shows: The stream whose record, links included, is the answer; empty for other answers.
        has_body: Whether the contract gives it a body.
        posts: Whether it writes to the journals.
    """

    carry_out: Callable[[Sandbox, Asked], Outcome]
    check: Callable[[Sandbox, Asked], object] = _nothing
    is_queued: Callable[[Sandbox, Asked], bool] = _at_once
    shows: str = ""
    has_body: bool = True
    posts: bool = False
