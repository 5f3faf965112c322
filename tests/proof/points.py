"""Crashes at every step of a run, inside this process: what was not committed is gone.

A crash can only matter between two things that outlast it: a change or a commit of the journal, a
write that is sent, a STATE that is written. Each of them is a crash point, beside the steps that
the courier names. Which ones a run passes is recorded, so that a new one needs no list.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import typing as t
from unittest import mock

from automate_api.client import Client
from target_automate.journal.intents import State
from target_automate.journal.journal import Journal
from target_automate.sending.uploading import Uploads

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WATCHED: t.Final[dict[type, tuple[str, ...]]] = {
    Journal: ("add", "change", "set_fact", "flush"),
    Client: ("attempt", "get"),
    Uploads: ("put",),
}
"""Methods after which the journal or the DMS may have changed for good."""
READING: t.Final = frozenset({"get"})


class Crash(BaseException):
    """The process is gone."""


class Points:
    """The crash points that a run passes.

    Args:
        crash_at: The number of the one to crash at, from 0; None to record them all.
        heed: Told of each by its name.

    Attributes:
        names: Those passed, in order.
        approvals: Ids of the writes for which the DMS wanted an approval first.
        lasting: For each whether something has happened just before it that outlasts a crash.
        crashed: Whether it has crashed.
    """

    def __init__(
        self, crash_at: int | None = None, heed: Callable[[str], None] = lambda _: None
    ) -> None:
        self.names: list[str] = []
        self.lasting: list[bool] = []
        self.approvals: set[int] = set()
        self.crashed = False
        self._crash_at = crash_at
        self._heed = heed
        self._journal: Journal | None = None
        self._lock = threading.RLock()

    def watch(self, journal: Journal) -> None:
        """Begin to count; the journal loses what is not committed when it crashes."""
        self._journal = journal

    def different(self) -> list[int]:
        """List the points that differ in what outlasts a crash, the last of each that do not."""
        return [number for number, lasts in enumerate([*self.lasting[1:], True]) if lasts]

    def __call__(self, name: str, *, lasts: bool = False) -> None:
        """Pass a point, or crash there."""
        with self._lock:
            if self._journal is None:
                return
            if self.crashed:
                raise Crash
            number = len(self.names)
            self.names.append(name)
            self.lasting.append(lasts)
            self._heed(name)
            if number == self._crash_at:
                self.crashed = True
                self._journal.abandon()
                raise Crash

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Have everything that lasts be a point."""
        with contextlib.ExitStack() as stack:
            for owner, names in WATCHED.items():
                for name in names:
                    inner = getattr(owner, name)
                    stack.enter_context(mock.patch.object(owner, name, self._after(name, inner)))
            yield

    def _after(self, name: str, inner: Callable[..., t.Any]) -> Callable[..., t.Any]:
        @functools.wraps(inner)
        def wrapped(*args: t.Any, **options: t.Any) -> t.Any:  # noqa: ANN401 - any method
            before = _on_disk(args[0])
            result = inner(*args, **options)
            lasts = name not in READING and (name != "flush" or _on_disk(args[0]) != before)
            if name == "change":
                if args[2] is State.WAITING_APPROVAL:
                    self.approvals.add(args[1])
                self(f"change {args[2]}", lasts=lasts)
            else:
                self(name, lasts=lasts)
            return result

        return wrapped


def _on_disk(owner: object) -> int:
    """Tell up to which of its changes a journal is durable; 0 for anything else."""
    return owner._durable if isinstance(owner, Journal) else 0  # noqa: SLF001 - it tells nobody else
