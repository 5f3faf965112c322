"""Fields that every log record of a program has: which run it is of, and what request failed.

A formatter that writes all fields of a record, such as the Singer SDK's structured one, has them
without being told; any other may name them, `%(automate_run_id)s`.
"""

from __future__ import annotations

import functools
import logging
import os
import re
import typing as t
import uuid

from automate_api.errors import AutomateError, ConfigError, RequestRefusedError

if t.TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLES: t.Final = ("AUTOMATE_RUN_ID", "MELTANO_RUN_ID")
"""What may name the run, the first one that is set: ours, and the one `meltano run` reads."""

_FORM: t.Final = re.compile(r"[\w.:+=@/-]{1,128}", re.ASCII)


@functools.cache
def run_id() -> str:
    """Return the id of this process's run: of the environment, or a random one.

    Raises:
        ConfigError: When the environment names one that could not stand in a line of a log.
    """
    for name in VARIABLES:
        if given := os.environ.get(name):
            if not _FORM.fullmatch(given):
                msg = (
                    f"The environment variable {name} must be 1 to 128 letters, digits or any of "
                    "_.:+=@/- to be the id of a run; it holds something else."
                )
                raise ConfigError(msg)
            return given
    return str(uuid.uuid4())


def install() -> None:
    """Give every log record its fields from now on; a second call changes nothing.

    `automate_run_id` is in every one. Where a record tells of an error of ours, `request_id` is the
    server's id of the request that failed, and `http_status` its status, as far as there are any.

    Raises:
        ConfigError: As `run_id`.
    """
    plain = logging.getLogRecordFactory()
    if getattr(plain, "_of_a_run", False):
        return
    run = run_id()

    # Not a filter: those of a logger are not asked about the records of the loggers below it.
    def of_a_run(*args: t.Any, **options: t.Any) -> logging.LogRecord:  # noqa: ANN401 - passed on
        record = plain(*args, **options)
        # Not `run_id`: in the logs of Meltano it would take the place of Meltano's own.
        record.automate_run_id = run
        for error in _errors(record):
            if error.request_id is not None:
                record.request_id = error.request_id
            if isinstance(error, RequestRefusedError):
                record.http_status = error.status
        return record

    of_a_run._of_a_run = True  # type: ignore[attr-defined]  # noqa: SLF001 - our own mark
    logging.setLogRecordFactory(of_a_run)


def _errors(record: logging.LogRecord) -> Iterator[AutomateError]:
    """List the errors of ours that a record names or was made for."""
    named = record.args.values() if isinstance(record.args, dict) else record.args or ()
    raised = record.exc_info[1] if record.exc_info else None
    yield from (error for error in (*named, raised) if isinstance(error, AutomateError))
