"""How much memory running programs hold: looked up while they run, where the kernel tells it.

What `wait4` tells is no less than what the process that started them held at that moment.
"""

from __future__ import annotations

import threading
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from collections.abc import Sequence

PROC: t.Final = Path("/proc")
PAUSE_SECONDS: t.Final = 0.02
KIBIBYTES: t.Final = 1024
"""In a MiB: the kernel tells kB."""


class Watch:
    """Looks at programs every now and then, until it is stopped.

    Attributes:
        peaks: Of each program, MiB; 0 where the kernel does not tell.
        together: The most that they held at the same time, MiB.
    """

    def __init__(self, programs: Sequence[int]) -> None:
        """Begin to look.

        Args:
            programs: Process ids.
        """
        self.peaks = [0.0] * len(programs)
        self.together = 0.0
        self._files = [PROC / str(each) / "status" for each in programs]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stopped.wait(PAUSE_SECONDS):
            held = 0.0
            for number, file in enumerate(self._files):
                now, peak = _held(file)
                held += now
                self.peaks[number] = max(self.peaks[number], peak)
            self.together = max(self.together, held)


def _held(file: Path) -> tuple[float, float]:
    """Return what a program holds now, and the most that it has held."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return 0.0, 0.0
    fields = dict(line.split(":", 1) for line in lines)
    # A program that has ended and was not waited for yet has no memory left to tell of.
    now, peak = (fields.get(name, "0 kB").split()[0] for name in ("VmRSS", "VmHWM"))
    return int(now) / KIBIBYTES, int(peak) / KIBIBYTES
