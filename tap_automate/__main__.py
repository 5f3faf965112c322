"""The program `tap-automate`, as `python -m tap_automate`, too."""

from __future__ import annotations

import typing as t

from automate_singer import garbage


def main() -> t.NoReturn:
    """Import the tap, and run it."""
    with garbage.frozen():
        from tap_automate import tap  # noqa: PLC0415 - what has to be imported within the block
    tap.main()


if __name__ == "__main__":
    main()
