"""Every error that a program of this project ends with, sorted by what the caller can do.

    AutomateError               1   unexpected: the message says what was expected and what came
    ├── ConfigError             2   change the configuration or the command line
    ├── RejectsError            3   too many records were rejected: correct and replay them
    ├── UnsettledError          4   nobody knows whether the DMS has some records: settle them
    ├── AuthenticationError     5   the DMS refused the login: correct it, then try again
    │   └── LockedOutError      5   stop logging in; a person unlocks the account
    ├── TryLaterError          75   nothing is wrong here: run again later
    │   └── UnreachableError   75   no answer from the host
    ├── DriftError              1   all was read, and is not as the contract has it: adapt
    ├── StoppedError          143   a signal asked the program to stop (130 for Ctrl-C)
    ├── ProtocolError           1   the answer is not what the contract promises
    └── RequestRefusedError     1   the DMS answered with an error status
        ├── NotEntitledError    1   403: this login may not use the path
        └── NotOfferedError     1   404 or 501: this tenant does not have the path

The number is the exit code. Every message is meant for a user: it names what was expected, what
came and what to do, and it never carries a secret, a response body or a record's values.
"""

from __future__ import annotations

import typing as t

EXIT_DONE: t.Final = 0
EXIT_UNEXPECTED: t.Final = 1
EXIT_USAGE: t.Final = 2
EXIT_REJECTS: t.Final = 3
EXIT_UNSETTLED: t.Final = 4
EXIT_AUTHENTICATION: t.Final = 5
EXIT_TRY_LATER: t.Final = 75
EXIT_SIGINT: t.Final = 130
EXIT_SIGTERM: t.Final = 143


class ExitCode(t.NamedTuple):
    """What an exit code says to a person, and to what starts programs.

    Attributes:
        meaning: In a few words.
        remedy: What to do; empty when there is nothing.
        again: Whether the same command may be started again without a person having looked.
    """

    meaning: str
    remedy: str
    again: bool = False


MEANINGS: t.Final = {
    EXIT_DONE: ExitCode("done", "", again=True),
    EXIT_UNEXPECTED: ExitCode(
        "unexpected error",
        "The message says what was expected and what came. `automate-dms audit` ends so when "
        "warehouse and DMS differ: load what its `--output` has written; `doctor` and `drift` end "
        "so when the tenant and the contract do: set what they name.",
    ),
    EXIT_USAGE: ExitCode(
        "configuration or usage",
        "Correct the setting, catalog, state or option that the message names.",
    ),
    EXIT_REJECTS: ExitCode(
        "too many records rejected",
        "`automate-dms push rejects list` names the status, the field and what the DMS holds; "
        "correct the source, or replay. All other records were delivered.",
    ),
    EXIT_UNSETTLED: ExitCode(
        "writes parked or unknown",
        "`automate-dms push parked list`, look in the DMS, then `automate-dms push parked settle`.",
    ),
    EXIT_AUTHENTICATION: ExitCode(
        "authentication refused",
        "Correct the login; where it is locked, have the DMS administrator unlock it. Then "
        "`automate-dms login --reset`.",
    ),
    EXIT_TRY_LATER: ExitCode(
        "try later", "Run it again later; it continues where it was.", again=True
    ),
    EXIT_SIGINT: ExitCode(
        "stopped by Ctrl-C, state written", "Run it again; it continues.", again=True
    ),
    EXIT_SIGTERM: ExitCode(
        "stopped by SIGTERM, state written", "Run it again; it continues.", again=True
    ),
}
"""Exit code to what it says, for the reference."""


class AutomateError(Exception):
    """Base of the tree.

    Attributes:
        exit_code: What the program ends with when nobody handles the error.
        request_id: The server's id of the request that failed, for the vendor's support.
    """

    exit_code: int = EXIT_UNEXPECTED

    def __init__(self, message: str, *, request_id: str | None = None) -> None:
        """Keep the user's message and the server's request id.

        Args:
            message: For the user: expected, came, what to do.
            request_id: `error.requestId` of the answer, where there is one.
        """
        super().__init__(f"{message} (request id {request_id})" if request_id else message)
        self.request_id = request_id


class ConfigError(AutomateError):
    """A setting, a catalog, a state or a command line that cannot be used."""

    exit_code = EXIT_USAGE


class RejectsError(AutomateError):
    """More records were rejected than the settings allow; all others were delivered."""

    exit_code = EXIT_REJECTS


class UnsettledError(AutomateError):
    """Writes are left of which nobody knows whether the DMS has carried them out."""

    exit_code = EXIT_UNSETTLED


class AuthenticationError(AutomateError):
    """The DMS refused the platform token, the login or the MFA code.

    Attributes:
        code: `error.code` of its answer, None when it gave none.
    """

    exit_code = EXIT_AUTHENTICATION

    def __init__(
        self, message: str, *, request_id: str | None = None, code: str | None = None
    ) -> None:
        """Keep what the DMS said beside the message.

        Args:
            message: For the user.
            request_id: The server's id of the request.
            code: `error.code` of its answer.
        """
        super().__init__(message, request_id=request_id)
        self.code = code


class LockedOutError(AuthenticationError):
    """The login is locked; another attempt would only prolong it."""


class TryLaterError(AutomateError):
    """The run stopped at a safe point; the same command continues later."""

    exit_code = EXIT_TRY_LATER


class UnreachableError(TryLaterError):
    """The host gave no answer within the retries."""


class StoppedError(AutomateError):
    """A signal asked the program to stop; everything until the last bookmark stands."""

    exit_code = EXIT_SIGTERM

    def __init__(
        self,
        exit_code: int = EXIT_SIGTERM,
        *,
        then: str = "the next run continues from the last state",
    ) -> None:
        """Keep what to end with: 143 after SIGTERM, 130 after SIGINT.

        Args:
            exit_code: 128 and the signal.
            then: What comes of it; the end of a sentence.
        """
        super().__init__(f"Stopped by a signal; {then}")
        self.exit_code = exit_code


class DriftError(AutomateError):
    """Records are not as the contract has them; all of them were read and written."""


class ProtocolError(AutomateError):
    """An answer that does not keep the contract (HTML, a malformed page, a missing key)."""


class RequestRefusedError(AutomateError):
    """The DMS answered with an error status.

    Attributes:
        status: The HTTP status.
    """

    def __init__(self, message: str, *, status: int, request_id: str | None = None) -> None:
        """Keep the status beside the message.

        Args:
            message: For the user.
            status: The HTTP status of the answer.
            request_id: The server's id of the request.
        """
        super().__init__(message, request_id=request_id)
        self.status = status


class NotEntitledError(RequestRefusedError):
    """403: the login has no entitlement for the path."""


class NotOfferedError(RequestRefusedError):
    """404 or 501 on a path: the tenant does not have it."""
