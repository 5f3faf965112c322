"""What the API answers when it does not do what was asked."""

from __future__ import annotations

import dataclasses
import typing as t

from automate_sandbox.money import Record, encode

if t.TYPE_CHECKING:
    from collections.abc import Mapping

CODES: t.Final = {
    400: "invalid_request",
    401: "unauthorized",
    403: "not_entitled",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    422: "validation_failed",
    423: "locked",
    429: "rate_limited",
    500: "internal_error",
    501: "not_implemented",
    502: "bad_gateway",
    503: "unavailable",
    504: "gateway_timeout",
}
"""Status to the code of the error envelope, where nothing more exact is said."""


@dataclasses.dataclass
class Problem(Exception):  # noqa: N818 - an answer of the API, no fault of the program
    """An answer with the error envelope.

    Attributes:
        status: HTTP status.
        message: For the integrator; names fields, never values.
        code: `error.code`; the status's own when empty.
        details: `{field, message}` of each bad field.
        headers: Further headers.
    """

    status: int
    message: str
    code: str = ""
    details: list[Record] = dataclasses.field(default_factory=list)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def invalid(cls, status: int, field: str, message: str, code: str = "") -> Problem:
        """Make the answer for one bad field or parameter."""
        details = [{"field": field, "message": message}]
        return cls(status, f"{field}: {message}", code, details)

    def body(self, request_id: str) -> bytes:
        """Write the error envelope."""
        return encode(
            {
                "error": {
                    "code": self.code or CODES.get(self.status, "error"),
                    "message": self.message,
                    "details": self.details,
                    "requestId": request_id,
                }
            }
        )
