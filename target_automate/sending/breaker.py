"""Stops writing an object that fails whatever is sent, while the others go on."""

from __future__ import annotations

import dataclasses
import threading
import typing as t

if t.TYPE_CHECKING:
    from automate_api.clock import Clock
    from automate_api.errors import AutomateError

FAILURES: t.Final = 10
"""Unknown outcomes in a row after which an object pauses."""
LONGEST_PAUSE_SECONDS: t.Final = 60.0
LEFT: t.Final = 3
"""Records in a row that were left to the next run after which an object is written no more."""


@dataclasses.dataclass(slots=True)
class _Circuit:
    failures: int = 0
    pauses: int = 0
    open_until: float = 0.0
    left: int = 0
    left_for: AutomateError | None = None
    closed_for: AutomateError | None = None


class Breaker:
    """One circuit an object; safe to share between threads.

    Args:
        clock: The time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._circuits: dict[str, _Circuit] = {}

    def pause(self, object_name: str) -> float:
        """Tell how many seconds to leave an object alone; 0 when it may be written."""
        with self._lock:
            circuit = self._circuits.get(object_name)
            return max(0.0, circuit.open_until - self._clock.monotonic()) if circuit else 0.0

    def failed(self, object_name: str) -> None:
        """Count an unknown outcome; the pauses double while nothing succeeds between them."""
        with self._lock:
            circuit = self._circuits.setdefault(object_name, _Circuit())
            circuit.failures += 1
            now = self._clock.monotonic()
            if circuit.failures >= FAILURES and circuit.open_until <= now:
                circuit.open_until = now + min(LONGEST_PAUSE_SECONDS, 2.0**circuit.pauses)
                circuit.pauses += 1

    def succeeded(self, object_name: str) -> None:
        """Take note of an answer that leaves nothing open."""
        with self._lock:
            circuit = self._circuits.get(object_name)
            if circuit is not None:
                circuit.failures = circuit.pauses = circuit.left = 0

    def leave(self, object_name: str, error: AutomateError) -> None:
        """Take note of a record that is left to the next run.

        That may lie in the record, so that others are tried before the object is closed: else one
        that never goes would keep all behind it from going, run after run.

        Args:
            object_name: Whose.
            error: Why; what the run ends with.
        """
        with self._lock:
            circuit = self._circuits.setdefault(object_name, _Circuit())
            circuit.left += 1
            circuit.left_for = circuit.left_for or error
            if circuit.left >= LEFT:
                circuit.closed_for = circuit.closed_for or error

    def close(self, object_name: str, error: AutomateError) -> None:
        """Write an object no more in this run.

        Args:
            object_name: Which.
            error: Why; what the run ends with.
        """
        with self._lock:
            circuit = self._circuits.setdefault(object_name, _Circuit())
            circuit.closed_for = circuit.closed_for or error

    def closed_for(self, object_name: str) -> AutomateError | None:
        """Tell why an object is written no more in this run; None when it is."""
        with self._lock:
            circuit = self._circuits.get(object_name)
            return circuit.closed_for if circuit else None

    def errors(self) -> list[AutomateError]:
        """List why objects are written no more, or some of their records were left."""
        with self._lock:
            circuits = self._circuits.values()
            errors = [circuit.closed_for or circuit.left_for for circuit in circuits]
        return [error for error in errors if error is not None]
