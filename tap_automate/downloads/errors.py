"""Why a file cannot be had, in words that can be counted: without its name or address."""

from __future__ import annotations

import typing as t

TOO_LARGE: t.Final = "larger than `download_max_bytes`"
NOT_HTTPS: t.Final = "not at an address of https"
OF_THIS_MACHINE: t.Final = "at an address of this machine"
UNTRUSTED: t.Final = "at a host without a trusted certificate (a private authority: `ca_bundle`)"
TOO_MANY_REDIRECTS: t.Final = "redirected too often"
HOST_GIVEN_UP: t.Final = "not tried, as files of the same host had no answer"
OTHER_CONTENT: t.Final = "not with the `sha256` of their record"
OTHER_SIZE: t.Final = "not with the `size` of their record"
NOT_TAKEN: t.Final = "not taken by the place that `download_to` names"
NO_NEW_ADDRESS: t.Final = "at an address that had ended, and the DMS gave no other"


class FileError(Exception):
    """A file cannot be had; the text says why, to end a sentence about several files.

    Attributes:
        lasting: Whether another attempt would end the same way while the record is as it is.
        refused: Whether the host, or the DMS, has answered, and not with the file.
        detail: What else a person should know, a sentence; empty when there is nothing.
    """

    def __init__(
        self, reason: str, *, lasting: bool = False, refused: bool = False, detail: str = ""
    ) -> None:
        """Say why.

        Args:
            reason: Without names, addresses or values.
            lasting: As above.
            refused: As above.
            detail: As above.
        """
        super().__init__(reason)
        self.lasting = lasting
        self.refused = refused
        self.detail = detail


def status_text(status: int) -> str:
    """Say that the host of a file refuses it."""
    return f"refused with status {status}"


def unanswered(reason: str) -> str:
    """Say that no answer came, or no whole one."""
    return f"not received: {reason}"


def unwritten(error: OSError) -> FileError:
    """Make the error of a file that this machine cannot take."""
    return FileError(f"not written: {error.strerror or type(error).__name__}")
