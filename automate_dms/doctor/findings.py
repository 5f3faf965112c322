"""What doctor finds: one line a check, with what to set or do."""

from __future__ import annotations

import dataclasses
import enum
import re
import typing as t

from automate_api import redaction
from automate_api.errors import EXIT_DONE, EXIT_UNEXPECTED

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from automate_api.errors import AutomateError


class Status(enum.StrEnum):
    """How bad a finding is."""

    OK = "ok"
    NOTE = "note"
    WARN = "warn"
    FAIL = "fail"
    SKIPPED = "skipped"


class Finding(t.NamedTuple):
    """What one check has found.

    Attributes:
        check: What was looked at.
        status: How bad it is.
        what: What was found, in one line; no secret, and nobody's data.
        set: What to set or do, in one line; empty where there is nothing.
        list: The list that it is about; empty where it is about none.
    """

    check: str
    status: Status
    what: str
    set: str = ""
    list: str = ""

    def as_json(self) -> dict[str, str]:
        """Give what `--json` prints of it."""
        return {name: str(value) for name, value in self._asdict().items()}


@dataclasses.dataclass
class Report:
    """What all checks have found.

    Attributes:
        findings: In the order in which they were made.
        requests: Requests that were sent, logins among them.
        proposal: What an overlay for the tenant says, as a file holds it; None where there is
            nothing to say beside what `contract_overlay` says already.
        reasons: What speaks for a proposed name of a field, or for a list that is not offered, a
            sentence each.
        is_whole: Whether all checks were made that could be.
        exit_code: What the command ends with.
    """

    findings: list[Finding] = dataclasses.field(default_factory=list)
    requests: int = 0
    proposal: dict[str, t.Any] | None = None
    reasons: list[str] = dataclasses.field(default_factory=list)
    is_whole: bool = True
    exit_code: int = EXIT_DONE

    def add(self, *found: Finding, code: int = EXIT_UNEXPECTED, about: str = "") -> None:
        """Take findings.

        Args:
            found: What was found.
            code: What the command ends with for the first that fails; what is to be looked at
                counts as unexpected until something fails.
            about: The list that they are about.
        """
        for each in found:
            finding = each._replace(what=one_line(each.what), set=one_line(each.set), list=about)
            if finding.status is Status.FAIL and not self.has_failed:
                self.exit_code = code
            elif finding.status is Status.WARN and self.exit_code == EXIT_DONE:
                self.exit_code = EXIT_UNEXPECTED
            self.findings.append(finding)

    def of(self, status: Status) -> Iterator[Finding]:
        """Give the findings of a status."""
        return (finding for finding in self.findings if finding.status is status)

    @property
    def has_failed(self) -> bool:
        """Whether anything failed."""
        return any(True for _ in self.of(Status.FAIL))

    def as_json(self) -> dict[str, t.Any]:
        """Give what `--json` prints."""
        return {
            "exit_code": self.exit_code,
            "requests": self.requests,
            "findings": [finding.as_json() for finding in self.findings],
            "proposal": self.proposal,
        }


def one_line(text: str) -> str:
    """Bring text onto one line, without secrets and personal data."""
    return redaction.redact(" ".join(text.split()))


def told(error: AutomateError, advice: str = "Run again later.") -> tuple[str, str]:
    """Part the message of an error: what is wrong, and what it says to do.

    Args:
        error: Whose first sentence is what is wrong.
        advice: What to do where it does not say.
    """
    what, *rest = re.split(r"(?<=[.)])\s+(?=[A-Z])", one_line(str(error)), maxsplit=1)
    return what, rest[0] if rest else advice


def counted(number: int, one: str, more: str = "") -> str:
    """Write how many there are: `1 record`, `2,000 records`."""
    return f"{number:,} {one if number == 1 else more or f'{one}s'}"


def named(names: list[str], most: int = 8) -> str:
    """Write names in a line, the first of many."""
    rest = len(names) - most
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return f"{shown} and {rest} more" if rest > 0 else shown
