"""Whether the API knows an idempotency key again: the one check that writes, and only when asked.

It sends one customer, twice under one key: a lead that nobody is, found again by its external id,
so that a second doctor makes no second one.
"""

from __future__ import annotations

import secrets
import typing as t
from http import HTTPStatus

from automate_api.replies import Reply
from automate_dms.doctor.findings import Finding, Status, named

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_dms.doctor.findings import Report
    from automate_dms.doctor.subject import Subject

CHECK: t.Final = "idempotency keys"
PATH: t.Final = "/customers"
NEEDED: t.Final = frozenset({"sales", "service"})

CUSTOMER: t.Final[Mapping[str, t.Any]] = {
    "externalId": "automate-dms-doctor",
    "customerType": "lead",
    "firstName": "Automate-DMS",
    "lastName": "Doctor",
    "emails": ["doctor@automate-dms.invalid"],
    "source": "automate-dms doctor",
}
"""The customer that is written."""

CONSENT: t.Final = (
    "--write-tests writes one customer, a lead named `Automate-DMS Doctor` with the external id "
    "`automate-dms-doctor`, into the DMS of"
)

HONOURED: t.Final = "The target finds out, too; `idempotency_honoured: honoured` tells it."

_REUSED: t.Final = frozenset({HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY})


def skip(report: Report) -> None:
    """Say why the check is not made."""
    what = "Not looked at: that takes a write."
    advice = "Run with --write-tests against the sandbox, or where one test customer may be made."
    report.add(Finding(CHECK, Status.SKIPPED, what, advice))


def look(report: Report, subject: Subject, entitlements: frozenset[str], header: str) -> None:
    """Write the customer twice under one key.

    Args:
        report: Is told.
        subject: Where to.
        entitlements: Of the login.
        header: That carries the key.

    Raises:
        AutomateError: When nothing can be asked any more.
    """
    if not entitlements & NEEDED:
        what = "The login may not write customers."
        report.add(Finding(CHECK, Status.SKIPPED, what))
        return
    headers = {header: f"automate-dms-doctor-{secrets.token_hex(8)}"}
    first = subject.client.attempt("POST", PATH, body=CUSTOMER, headers=headers)
    if not isinstance(first, Reply) or not first.is_success:
        status = first.status if isinstance(first, Reply) else first.reason
        what = f"The customer was not taken ({status}), so that nothing can be told."
        advice = "Check whether this login may write."
        if isinstance(first, Reply) and first.error_fields:
            what = f"The customer was not taken ({status}), for {named(first.error_fields)}."
            advice = (
                "Find out what the tenant calls the field and its words, and set `resources."
                "customers` or `calls.upsertCustomer` in the overlay."
            )
        report.add(Finding(CHECK, Status.WARN, what, advice))
        return
    second = subject.client.attempt("POST", PATH, body=CUSTOMER, headers=headers)
    if isinstance(second, Reply) and second.replayed:
        what = "They are honoured: the second answer says that it is the first one's."
        report.add(Finding(CHECK, Status.OK, what, HONOURED))
        return
    other = {**CUSTOMER, "source": "automate-dms doctor, again"}
    third = subject.client.attempt("POST", PATH, body=other, headers=headers)
    if isinstance(third, Reply) and third.status in _REUSED:
        what = "They are honoured: another request under the same key is refused."
        report.add(Finding(CHECK, Status.OK, what, HONOURED))
        return
    what = f"They are not honoured, or answers do not say so (`{header}`)."
    advice = (
        "Ask the vendor for its name and set `idempotency_header`; else set `idempotency_honoured: "
        "ignored`."
    )
    report.add(Finding(CHECK, Status.NOTE, what, advice))
