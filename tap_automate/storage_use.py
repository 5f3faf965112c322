"""What every store needs: what a folder is for, which settings are secret, why a write failed."""

from __future__ import annotations

import dataclasses
import errno
import re
import socket
import typing as t

from automate_api.errors import AutomateError, UnreachableError

if t.TYPE_CHECKING:
    from collections.abc import Iterator


_SECRET: t.Final = re.compile(
    "key|secret|token|passw|passphrase|credential|signature|connection_string", re.IGNORECASE
)

_NO_ANSWER: t.Final = {
    errno.ENETDOWN,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ETIMEDOUT,
    socket.EAI_AGAIN,
}
_NO_ANSWER_CLASSES: t.Final = {
    "TimeoutError",
    "ConnectionError",
    "ClientConnectionError",
    "ServiceRequestError",
}
"""Of Python, requests and botocore; of aiohttp; of azure: each knows a lost connection by a class.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Use:
    """What a folder is for, as messages say it.

    Attributes:
        root: The setting that names the folder.
        setting: The setting that the whole of it is.
        what: What is written to it.
        parameters: Where user and account belong.
        wrong: What may be wrong beside the address.
        effect: What comes of a file that cannot be written; a sentence.
        ends: What is wrong with files that end with the process.
    """

    root: str
    setting: str
    what: str
    parameters: str
    wrong: str
    effect: str
    ends: str


BATCHES: t.Final = Use(
    root="batch_config.storage.root",
    setting="batch_config.storage",
    what="a batch file",
    parameters="`params`",
    wrong=", as `root`; {scheme}:// is none, or its `params` are wrong",
    effect="The state stays before it.",
    ends=", before anybody reads them",
)

DOWNLOADS: t.Final = Use(
    root="download_to",
    setting="download_to",
    what="a file",
    parameters="the environment, as the package for the store reads it",
    wrong="; {scheme}:// is none",
    effect="The row goes out without it.",
    ends="",
)


def error_of(
    error: Exception, kind: type[AutomateError], use: Use, *, shown: str, effect: str
) -> AutomateError:
    """Say what is wrong, without an error's own text: it may hold addresses with credentials.

    Args:
        error: Of a store or of the system.
        kind: What to raise, unless the store has not answered.
        use: What the folder is for.
        shown: The folder, as it may be shown.
        effect: What has come of it; a sentence.
    """
    number = error.errno if isinstance(error, OSError) else None
    reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
    classes = {each.__name__ for each in type(error).__mro__}
    what = f"Cannot write {use.what} to `{use.root}` ({shown}): {reason}"
    if number in _NO_ANSWER or classes & _NO_ANSWER_CLASSES:
        return UnreachableError(f"{what}; the store does not answer. {effect} Run again later.")
    return kind(f"{what}. {effect} Correct the place, or make it writable, and run again.")


def secrets_of(value: object, *, named: bool = False) -> Iterator[str]:
    """Find texts under names of secrets.

    Args:
        value: Parameters of a store, at any depth.
        named: Whether the name of what holds the value says that it is secret.
    """
    if isinstance(value, str):
        if named:
            yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from secrets_of(inner, named=named or bool(_SECRET.search(name)))
    elif isinstance(value, list):
        for inner in value:
            yield from secrets_of(inner, named=named)
