"""Waits for answers in threads, so that a signal ends the run at once."""

from __future__ import annotations

import threading
import typing as t
from collections import deque

from automate_api.errors import StoppedError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Result = t.TypeVar("Result")

LOOK: t.Final = 0.2
"""Seconds between two looks at whether the run is to stop."""

GRACE: t.Final = 1.0
"""Seconds that calls under way have, all together, to put away what they have begun."""


def awaited(call: Callable[[], Result], stop: threading.Event) -> Result:
    """Make a call that may take long.

    Args:
        call: What to do; it is left to itself when the run stops.
        stop: Set when the run is to end.

    Returns:
        What the call returns.

    Raises:
        StoppedError: As soon as `stop` is set.
        BaseException: What the call raises.
    """
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=work, name="awaited", daemon=True)
    thread.start()
    while thread.is_alive():
        if stop.is_set():
            raise StoppedError
        thread.join(LOOK)
    if errors:
        raise errors[0]
    return results[0]


def each(
    calls: Sequence[Callable[[], None]], *, threads: int, stop: threading.Event, name: str
) -> None:
    """Make calls that may take long, several at a time.

    Args:
        calls: What to do, begun in this order.
        name: What the names of the threads begin with.
        threads: How many at a time.
        stop: Set when the run is to end; a call should look at it, and is left to itself when it
            has not ended shortly after.

    Raises:
        StoppedError: Soon after `stop` is set.
        BaseException: What a call raises; those that were not begun by then are not made.
    """
    left = deque(calls)
    errors: list[BaseException] = []
    workers = [
        threading.Thread(
            target=_work, args=(left, errors, stop), name=f"{name}-{number}", daemon=True
        )
        for number in range(min(threads, len(left)))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        while worker.is_alive() and not stop.is_set():
            worker.join(LOOK)
    if stop.is_set():
        for worker in workers:
            worker.join(GRACE / len(workers))
        raise StoppedError
    if errors:
        raise errors[0]


def _work(
    left: deque[Callable[[], None]], errors: list[BaseException], stop: threading.Event
) -> None:
    while left and not errors and not stop.is_set():
        try:
            call = left.popleft()
        except IndexError:
            return  # another thread was quicker
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            errors.append(error)
