"""What tests of doctor ask of every report, and its short forms."""

from __future__ import annotations

import datetime as dt
import json
import typing as t

from automate_dms.doctor.findings import Finding, Report, Status
from support.dms import PASSWORD, PLATFORM_TOKEN, TOTP_SECRET, USERNAME

Settings: t.TypeAlias = dict[str, t.Any]

SECRETS: t.Final = (PASSWORD, PLATFORM_TOKEN, TOTP_SECRET, USERNAME, "hunter2")
YEAR: t.Final = dt.timedelta(days=365)
HTML: t.Final[dict[str, str | None]] = {"Content-Type": "text/html"}


class Examine(t.Protocol):
    """Runs doctor on settings and gives what it found."""

    def __call__(self, values: Settings | str) -> Report:
        """Run it; a text is the whole configuration file."""


def shows_nothing(report: Report) -> None:
    """Hold a report to one line a finding, each failure with what to do, and no secret."""
    text = json.dumps(report.as_json())
    assert not [secret for secret in SECRETS if secret in text]
    assert not [each for each in report.findings if "\n" in each.what + each.set]
    assert not [each for each in report.of(Status.FAIL) if not each.set]


def only_failure(report: Report) -> Finding:
    (failure,) = report.of(Status.FAIL)
    return failure


def failed(report: Report) -> tuple[str, str, str, int]:
    failure = only_failure(report)
    return failure.check, failure.what, failure.set, report.exit_code
