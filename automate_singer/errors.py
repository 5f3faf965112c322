"""What Singer input can be wrong about; every message names stream and place, never a value.

Beside our own tree they belong to the SDK's classes, so that code which knows the SDK catches them.
"""

from __future__ import annotations

from singer_sdk.exceptions import RecordsWithoutSchemaException

from automate_api.errors import AutomateError


class InputError(AutomateError):
    """A line that is no Singer message, or none that the target reads."""


class NoSchemaError(AutomateError, RecordsWithoutSchemaException):
    """A message about a stream that no SCHEMA has announced."""

    def __init__(self, kind: str, stream: str) -> None:
        """Say which message came too early.

        Args:
            kind: The message's type.
            stream: The stream that it names.
        """
        super().__init__(
            f"A {kind} for stream {stream!r} came before its SCHEMA: expected the SCHEMA first. "
            "The tap breaks the Singer specification there"
        )


class UnfitRecordError(AutomateError):
    """A record with a value that its SCHEMA, or its stream map, does not allow."""
