"""The login, as often as a tap would try it, and what it is entitled to."""

from __future__ import annotations

import re
import typing as t

from automate_api.errors import (
    AuthenticationError,
    AutomateError,
    ConfigError,
    LockedOutError,
    StoppedError,
    TryLaterError,
)
from automate_api.tenant.operations import operations_of
from automate_dms.doctor.findings import Finding, Status, named, told
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from automate_api.config import ApiConfig
    from automate_api.contract import Contract
    from automate_api.session import Session
    from automate_dms.doctor.findings import Report

_ADVICE: t.Final = (
    (r"platform", "Correct `platform_token`: it is the platform's, as it was issued."),
    (
        r"password\w*(expired|change|reset)|expired\w*(password|credential)",
        "Log in to the DMS by hand and choose another password, then correct `password`.",
    ),
    (
        r"disabled|suspended|inactive|deactivated|blocked",
        "Have the dealer's administrator enable the user.",
    ),
    (
        r"(mfa|otp|code|factor)\w*(required|missing|needed)",
        "The login needs a second factor: set `mfa_type: totp` and `totp_secret`.",
    ),
    (
        r"used",
        "Nothing else may log in with this user's codes; wait 30 seconds, then run again.",
    ),
    (
        r"mfa|otp|code",
        "Correct `totp_secret`: the base32 text shown when the factor was enrolled.",
    ),
    (r"credential|password|username|user_", "Correct `username` or `password`."),
)
"""Words of the code of a refusal, and what to do; the first that fits counts."""
_RESET: t.Final = " Then `automate-dms login --reset`."
_PROXY: t.Final = (
    "Check `api_url` and `integration_id`, and whether a proxy answers in the API's place."
)
_AROUND: t.Final = " \t\r\n\"'"
"""What comes along when a secret is copied."""


def enter(report: Report, session: Session, api: ApiConfig) -> frozenset[str] | None:
    """Log in, or use the session that is kept.

    Args:
        report: Is told how it went.
        session: Of the settings.
        api: They.

    Returns:
        What the login is entitled to; None where there is no login.
    """
    try:
        entitlements = session.entitlements
    except StoppedError:
        raise
    except AutomateError as error:
        refuse(report, error, api)
        return None
    what = "Logged in." if session.stats.requests else "The session that is kept holds good."
    report.add(Finding("login", Status.OK, what))
    return entitlements


def refuse(report: Report, error: AutomateError, api: ApiConfig) -> None:
    """Say why there is no login, and what to do.

    Args:
        report: Is told.
        error: That ended it.
        api: The settings.
    """
    is_setting = isinstance(error, ConfigError)
    what, advice = told(error, "Correct that setting." if is_setting else _PROXY)
    if isinstance(error, AuthenticationError):
        is_locked = isinstance(error, LockedOutError)
        advice = _correction(error.code or "", api, is_locked=is_locked) + _RESET * is_locked
    elif isinstance(error, TryLaterError):
        advice = "Nothing is wrong here: run again later."
    report.add(Finding("login", Status.FAIL, what, advice), code=error.exit_code)


def entitled(report: Report, known: Contract, entitlements: frozenset[str]) -> None:
    """Say what the login cannot do.

    Args:
        report: Is told.
        known: The contract.
        entitlements: Of the login.
    """
    lacking: dict[str, list[str]] = {}
    words: set[str] = set()
    for name, call in operations_of(known).lists.items():
        needed = known.resource(call.path).entitlements
        words |= needed
        if needed and not needed & entitlements:
            lacking.setdefault(" or ".join(sorted(needed)), []).append(name)
    for sink in SINKS:
        of_sink = known.write(sink.operation_id).entitlements
        if of_sink and not of_sink & entitlements:
            lacking.setdefault(" or ".join(sorted(of_sink)), []).append(f"{sink.object} (sink)")
    has = ", ".join(sorted(entitlements)) or "nothing in particular"
    what = f"The login has: {has}."
    if words & entitlements:
        report.add(Finding("entitlements", Status.OK, what))
    else:
        what += f" Nothing of {named(sorted(words))}, so that nearly all lists are skipped."
        advice = "Have the dealer's administrator grant them, or the vendor say how they are named."
        report.add(Finding("entitlements", Status.FAIL, what, advice))
    for needs, names in lacking.items():
        what = f"Without `{needs}`: {named(names, 12)} are skipped or refused."
        advice = "Deselect them, or have the dealer's administrator grant it."
        report.add(Finding("entitlements", Status.NOTE, what, advice))


def _correction(code: str, api: ApiConfig, *, is_locked: bool) -> str:
    """Say what to correct: what was copied with more than it is, else by the refusal's code."""
    secrets = {
        "platform_token": api.platform_token,
        "username": api.username,
        "password": api.password,
    }
    copied = [name for name, value in secrets.items() if value != value.strip(_AROUND)]
    if copied:
        are = "has" if len(copied) == 1 else "have"
        return f"{named(copied)} {are} white space or quotes around: take that away."
    for pattern, advice in _ADVICE:
        if re.search(pattern, code):
            return advice
    if is_locked and not code:
        return "Correct the login, or have the dealer's administrator unlock it."
    factor = "`totp_secret`" if api.totp_secret else "`mfa_type`"
    return f"Check `platform_token`, `username`, `password` and {factor}."
