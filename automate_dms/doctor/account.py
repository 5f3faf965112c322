"""The login, as often as a tap would try it, and what it is entitled to."""

from __future__ import annotations

import re
import typing as t

from automate_api.errors import (
    AuthenticationError,
    AutomateError,
    ConfigError,
    LockedOutError,
    TryLaterError,
)
from automate_api.tenant.operations import Operations
from automate_dms.doctor.findings import Finding, Status, named
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from automate_api.config import ApiConfig
    from automate_api.contract import Contract
    from automate_api.session import Session
    from automate_dms.doctor.findings import Report

_ADVICE: t.Final = (
    (r"platform", "Correct `platform_token`: it is the platform's, as it was issued."),
    (
        r"(mfa|otp|code)\w*(required|missing|needed)",
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
    except AutomateError as error:
        report.add(
            Finding("login", Status.FAIL, _what(error), _advice(error, api)), code=error.exit_code
        )
        return None
    report.add(
        Finding("login", Status.OK, f"Logged in{' with a one-time code' * bool(api.totp_secret)}.")
    )
    return entitlements


def entitled(report: Report, known: Contract, entitlements: frozenset[str]) -> None:
    """Say what the login cannot do.

    Args:
        report: Is told.
        known: The contract.
        entitlements: Of the login.
    """
    lacking: dict[str, list[str]] = {}
    for name, call in Operations(known).lists.items():
        needed = known.resource(call.path).entitlements
        if needed and not needed & entitlements:
            lacking.setdefault(" or ".join(sorted(needed)), []).append(name)
    for sink in SINKS:
        of_sink = known.write(sink.operation_id).entitlements
        if of_sink and not of_sink & entitlements:
            lacking.setdefault(" or ".join(sorted(of_sink)), []).append(f"{sink.object} (sink)")
    has = ", ".join(sorted(entitlements)) or "nothing in particular"
    report.add(Finding("entitlements", Status.OK, f"The login has: {has}."))
    for words, names in lacking.items():
        what = f"Without `{words}`: {named(names, 12)} are skipped or refused."
        advice = "Deselect them, or have the dealer's administrator grant it."
        report.add(Finding("entitlements", Status.NOTE, what, advice))


def _what(error: AutomateError) -> str:
    """Give the first sentence of an error."""
    text = " ".join(str(error).split())
    return re.split(r"(?<=[.)])\s+(?=[A-Z])", text)[0]


def _advice(error: AutomateError, api: ApiConfig) -> str:
    if isinstance(error, AuthenticationError):
        is_locked = isinstance(error, LockedOutError)
        return _correction(error.code or "", api, is_locked=is_locked) + _RESET * is_locked
    if isinstance(error, ConfigError):
        return "Check `integration_id`, `api_url` and `session_path`."
    if isinstance(error, TryLaterError):
        return "Nothing is wrong here: run again later."
    return "Check `api_url` and `integration_id`, and whether a proxy answers in the API's place."


def _correction(code: str, api: ApiConfig, *, is_locked: bool) -> str:
    """Say what to correct, by the code of a refusal."""
    for pattern, advice in _ADVICE:
        if re.search(pattern, code):
            return advice
    if is_locked and not code:
        return "Correct the login, or have the dealer's administrator unlock it."
    factor = "`totp_secret`" if api.totp_secret else "`mfa_type`"
    return f"Check `platform_token`, `username`, `password` and {factor}."
