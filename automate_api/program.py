"""How every program ends: one line for a user's mistake, the right exit code, nothing leaked.

Standard output belongs to Singer messages, so what is said here goes to the log on standard error.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
import signal
import sys
import typing as t

import click

from automate_api import log_fields, redaction
from automate_api.errors import EXIT_DONE, EXIT_SIGINT, EXIT_UNEXPECTED, AutomateError, StoppedError

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep logs below errors back while the SDK constructs a program.

    It says that it reads no environment, which we do, that a discovery without settings has none,
    and which streams are children of others: true of its own view, and misleading to a user.
    """
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def standard_output(*, gone: str, then: str) -> Iterator[None]:
    """Say in one line that standard output cannot be written, when the block finds so.

    Args:
        gone: What to say when nobody reads it any more.
        then: What to do once a disk that is full has room again; the end of a sentence.

    Raises:
        AutomateError: When the block's writing fails.
    """
    try:
        yield
    except OSError as error:
        # What is buffered would fail again when Python ends, and change the exit code.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        msg = (
            gone
            if isinstance(error, BrokenPipeError)
            else f"The messages cannot be written to standard output ({error.strerror}). Where it "
            f"is a file, see to its disk; then {then}."
        )
        raise AutomateError(msg) from None


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Have SIGTERM end the block at once with a line, where nothing is left half done by that.

    Raises:
        StoppedError: When the signal came.
    """

    def stop(signum: int, frame: FrameType | None) -> t.NoReturn:
        del frame
        raise StoppedError(128 + signum, then="run it again")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_code(error: BaseException) -> int:
    """Tell what a program ends with when nobody handles an error.

    Args:
        error: Of any kind.
    """
    if isinstance(error, AutomateError | click.ClickException):
        return error.exit_code
    return EXIT_SIGINT if isinstance(error, click.Abort | KeyboardInterrupt) else EXIT_UNEXPECTED


def run(command: click.Command, *, name: str) -> t.NoReturn:
    """Run a click command as a whole program.

    Args:
        command: What to run, on `sys.argv`.
        name: The executable's name, for messages.

    Exits:
        With the command's own code, `AutomateError.exit_code`, 2 for usage, 130 after Ctrl-C, or 1.
    """
    redaction.install()
    logger = logging.getLogger(name)
    try:
        log_fields.install()
        result = command.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(file=shown)
        click.echo(redaction.redact(shown.getvalue()), err=True, nl=False)
        sys.exit(exit_code(error))
    except click.Abort as error:
        sys.exit(exit_code(error))
    except AutomateError as error:
        logger.error("%s", error)  # noqa: TRY400 - a user's mistake deserves no traceback
        sys.exit(exit_code(error))
    except Exception as error:
        logger.exception("Unexpected error; please report it with this traceback")
        sys.exit(exit_code(error))
    sys.exit(result if isinstance(result, int) else EXIT_DONE)
