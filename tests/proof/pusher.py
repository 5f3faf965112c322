"""target-automate as a process, with the feed at one end, its STATE at the other, and SIGKILL."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import typing as t

from support.dealership import command, environment

if t.TYPE_CHECKING:
    from pathlib import Path

    from proof.feed import Feed

LINES_AT_ONCE: t.Final = 50
LAST_WORDS: t.Final = 2000
"""Characters of a log that a message repeats."""


class Pusher:
    """A run of target-automate.

    Args:
        config: Its settings.
        feed: What it is fed.
        start: The last STATE that was written: records that are not fed again.
        log: Where its standard error goes.

    Attributes:
        state: The last STATE that it wrote; before that, `start`.
    """

    def __init__(self, config: Path, feed: Feed, start: int, log: Path) -> None:
        self.state = start
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(  # noqa: S603 - our own program
                command("target-automate", "--config", config),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(),
            )
        self._threads = [
            threading.Thread(target=self._feed, args=(feed, start), daemon=True),
            threading.Thread(target=self._read, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def ended(self, seconds: float) -> bool:
        """Tell whether it has ended, or does within some seconds."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()

    def close(self) -> int:
        """Wait for the end of an ended process.

        Returns:
            Its exit code; negative when a signal ended it.
        """
        code = self._process.wait()
        for thread in self._threads:
            thread.join()
        return code

    def last_words(self) -> str:
        """Return the end of what it said on standard error."""
        return self._log.read_text("utf-8", "replace")[-LAST_WORDS:]

    def _feed(self, feed: Feed, start: int) -> None:
        pipe = t.cast("t.IO[bytes]", self._process.stdin)
        # A killed process does not read on.
        with contextlib.suppress(BrokenPipeError), pipe:
            batch: list[bytes] = []
            for line in feed.lines(start):
                batch.append(line)
                if len(batch) == LINES_AT_ONCE:
                    pipe.write(b"".join(batch))
                    batch.clear()
            pipe.write(b"".join(batch))

    def _read(self) -> None:
        with t.cast("t.IO[bytes]", self._process.stdout) as pipe:
            for line in pipe:
                if line.endswith(b"\n"):  # else it was killed in the middle of it
                    self.state = json.loads(line)["fed"]
