"""Does something again and again beside the threads that work, such as showing how far they are."""

from __future__ import annotations

import contextlib
import threading
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextlib.contextmanager
def repeated(call: Callable[[], None], seconds: float) -> Iterator[None]:
    """Call a function again and again, in a thread of its own, while the block runs.

    Args:
        call: Takes little time; it is called however busy the other threads are.
        seconds: Between two calls, and before the first.
    """
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(seconds):
            call()

    thread = threading.Thread(target=work, name="repeated", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
