"""Waits for an answer in a thread, so that a signal ends the run at once."""

from __future__ import annotations

import threading
import typing as t

from automate_api.errors import StoppedError

if t.TYPE_CHECKING:
    from collections.abc import Callable

    Result = t.TypeVar("Result")

LOOK: t.Final = 0.2
"""Seconds between two looks at whether the run is to stop."""


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
