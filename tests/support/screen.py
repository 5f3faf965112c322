"""Programs on a terminal: what they write to it, and what a person sees of that."""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
import threading
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

COLUMNS: t.Final = 120

_SIGNS: t.Final = re.compile(r"\x1b\[(?P<number>\??\d*)(?:;\d+)*(?P<order>[A-Za-z])|[^\x1b]|\x1b")


class Screen:
    """The lines of a terminal, as far as lines that move need one."""

    def __init__(self) -> None:
        self.lines: list[str] = [""]
        self._row = self._column = 0

    def show(self, text: str) -> None:
        """Do what a terminal does with a text."""
        for sign in _SIGNS.finditer(text):
            if sign["order"] == "A":
                self._row = max(0, self._row - int(sign["number"] or 1))
            elif sign["order"] == "K":
                self.lines[self._row] = ""
            elif sign["order"] is None:
                self._put(sign[0])
            else:
                assert sign["order"] in "mhl", (
                    f"an order that the screen does not know: {sign[0]!r}"
                )

    def _put(self, sign: str) -> None:
        if sign == "\r":
            self._column = 0
        elif sign == "\n":
            self._row += 1
            if self._row == len(self.lines):
                self.lines.append("")
        else:
            line = self.lines[self._row]
            before = line[: self._column].ljust(self._column)
            self.lines[self._row] = before + sign + line[self._column + 1 :]
            self._column += 1


class Shown(t.NamedTuple):
    """What a program left: exit code, standard output, and all that it wrote to the terminal."""

    code: int
    out: bytes
    written: str

    def screen(self) -> list[str]:
        """Return what stands on the terminal in the end."""
        screen = Screen()
        screen.show(self.written)
        return [line.rstrip() for line in screen.lines]


def on_terminal(
    command: Sequence[str], env: Mapping[str, str], *, output_too: bool = False
) -> Shown:
    """Run a program whose standard error is a terminal, and its standard output a pipe.

    Args:
        command: The program and its arguments.
        env: Its environment.
        output_too: Whether standard output is the terminal as well.
    """
    terminal, end = os.openpty()
    fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    written: list[bytes] = []

    def read() -> None:
        while True:
            try:
                written.append(os.read(terminal, 65_536))
            except OSError:  # Linux says so when nobody has the other end any more
                return

    reader = threading.Thread(target=read)
    with subprocess.Popen(  # noqa: S603 - our own program
        command,
        stdin=subprocess.DEVNULL,
        stdout=end if output_too else subprocess.PIPE,
        stderr=end,
        # COLUMNS is that of the terminal around the tests; it would win over this one's.
        env={**env, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)},
    ) as process:
        os.close(end)
        reader.start()
        out, _ = process.communicate(timeout=120)
        reader.join()
    os.close(terminal)
    return Shown(process.returncode, out or b"", b"".join(written).decode())
