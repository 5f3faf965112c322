"""Whole answers, before they are sent."""

from __future__ import annotations

import dataclasses
import typing as t

if t.TYPE_CHECKING:
    from automate_sandbox.problems import Problem

JSON_HEADER: t.Final = (b"content-type", b"application/json")
HTML_HEADER: t.Final = (b"content-type", b"text/html")


@dataclasses.dataclass
class Answer:
    """A whole answer.

    Attributes:
        status: HTTP status.
        headers: Names in small letters.
        body: As it is sent.
    """

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return len(self.body)

    @classmethod
    def of_problem(cls, problem: Problem, request_id: str) -> Answer:
        """Make the error envelope."""
        headers = [
            (name.lower().encode(), value.encode()) for name, value in problem.headers.items()
        ]
        return cls(problem.status, [*headers, JSON_HEADER], problem.body(request_id))
