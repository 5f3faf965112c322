"""All checks in their order: each needs what those before it have found to work."""

from __future__ import annotations

import contextlib
import typing as t

from automate_api.clock import SYSTEM_CLOCK, Clock
from automate_api.errors import AutomateError, ConfigError, StoppedError
from automate_api.session import Session
from automate_dms.doctor import (
    account,
    configuration,
    fields,
    filters,
    idempotency,
    lists,
    network,
    paging,
    rooftops,
    windows,
)
from automate_dms.doctor.findings import Finding, Report, Status, counted, told
from automate_dms.doctor.subject import Subject, patient
from target_automate.target import TargetAutomate

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from automate_api.config import ApiConfig

    Consent: t.TypeAlias = Callable[[ApiConfig], bool]
    """Asks a person whether a test customer may be written."""

HEADER: t.Final = "idempotency_header"
LEAST_RATE: t.Final = 0.1


def examine(
    sources: Sequence[str], consent: Consent | None = None, *, clock: Clock = SYSTEM_CLOCK
) -> Report:
    """Make all checks, as far as they can be made.

    Args:
        sources: The tap's settings: JSON files, or `ENV`.
        consent: Asked before the one check that writes; without it, nothing is written.
        clock: The time.

    Returns:
        What was found, and the overlay that it makes.

    Raises:
        StoppedError: When a signal ends it.
    """
    report = Report()
    read = configuration.read(report, sources)
    if read is None or not network.reach(report, patient(read.api), clock):
        return report
    try:
        login = Session(patient(read.api), clock=clock)
    except ConfigError as error:
        account.refuse(report, error, read.api)
        return report
    with contextlib.closing(login) as session:
        entitlements = account.enter(report, session, read.api)
        if entitlements is None:
            report.requests += session.stats.requests
            return report
        with contextlib.closing(Subject(read.api, session, clock)) as subject:
            try:
                _ask(report, subject, entitlements, read.values, consent)
            except StoppedError:
                raise
            except AutomateError as error:
                report.is_whole = False
                what, advice = told(error)
                advice += " All further checks are left out."
                report.add(Finding("requests", Status.FAIL, what, advice), code=error.exit_code)
            report.requests += subject.requests
            said = read.api.overlay.as_document() if read.api.overlay else {}
            report.proposal = None if subject.document == said else subject.document
    return report


def _ask(
    report: Report,
    subject: Subject,
    entitlements: frozenset[str],
    values: Mapping[str, t.Any],
    consent: Consent | None,
) -> None:
    account.entitled(report, subject.known, entitlements)
    lists.look(report, subject, entitlements)
    fields.compare(report, subject)
    rooftops.look(report, subject, values.get("rooftop_ids", ()))
    paging.look(report, subject)
    windows.look(report, subject)
    filters.look(report, subject)
    if consent is not None and consent(subject.api):
        default = TargetAutomate.config_jsonschema["properties"][HEADER]["default"]
        idempotency.look(report, subject, entitlements, values.get(HEADER, default))
    else:
        idempotency.skip(report)
    report.add(_rates(report, subject))


def _rates(report: Report, subject: Subject) -> Finding:
    """Say what was seen of limits in time."""
    asked = counted(report.requests + subject.requests, "request")
    named = "; ".join(f"{name}: {value}" for name, value in sorted(subject.rates.items()))
    told = f" Its answers name a limit: {named}." if named else ""
    if subject.throttled:
        what = f"{counted(subject.throttled, 'answer')} 429 in {asked}.{told}"
        rate = f"{max(LEAST_RATE, round(subject.pace / 2, 1)):g}"
        advice = f"Set `requests_per_second` to {rate} or less; the tap also slows down by itself."
        return Finding("rate limits", Status.NOTE, what, advice)
    what = f"No limit was met in {asked}.{told}"
    return Finding("rate limits", Status.OK, what)
