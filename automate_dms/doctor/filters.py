"""The other filters that tap and target use: whether they leave out what does not fit."""

from __future__ import annotations

import collections
import typing as t

from automate_api.errors import ProtocolError, RequestRefusedError
from automate_dms.doctor.findings import Finding, Status

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_dms.doctor.findings import Report
    from automate_dms.doctor.subject import Listed, Subject

FILTERS: t.Final = (
    ("vehicles", "status", "`vehicle_status`, or have all of it read"),
    ("vehicles", "vin", "`vehicle_vin`, and writes that name a vehicle by its VIN"),
    ("vehicles", "rooftopId", "`rooftop_ids`"),
    ("customers", "externalId", "the target's look-up of customers"),
    ("deals", "status", "the reading again of open deals"),
    ("deals", "referenceId", "the target's look-up of deals"),
    ("service_appointments", "status", "filters of appointments"),
    ("service_appointments", "vin", "the target's look-up of appointments"),
    ("repair_orders", "status", "the reading again of open repair orders"),
    ("repair_orders", "externalId", "the target's look-up of repair orders"),
    ("attachments", "entityId", "the target's look-up of files"),
)
"""List, parameter, which is the field's name, too, and what works by it."""

RANGES: t.Final = (
    ("gl_entries", "accountingFrom", "2990-01-01"),
    ("gl_entries", "accountingTo", "1900-01-01"),
)
"""List, parameter, and a date beyond all records."""
PERIODS: t.Final = (
    "`gl_accounting_from`, `gl_accounting_to`, and the comparison of accounting periods"
)


def look(report: Report, subject: Subject) -> None:
    """Ask for records by a value that some of them have.

    Args:
        report: Is told; values are not shown.
        subject: Has the lists.

    Raises:
        AutomateError: When nothing can be asked any more.
    """
    for name, parameter, needed in FILTERS:
        if listed := subject.lists.get(name):
            report.add(_look(subject, listed, parameter, needed), about=name)
    for name, parameter, beyond in RANGES:
        if (listed := subject.lists.get(name)) and listed.total:
            report.add(_range(subject, listed, parameter, beyond), about=name)


def _look(subject: Subject, listed: Listed, parameter: str, needed: str) -> Finding:
    check = f"filter {parameter}"
    values = _values(listed, parameter)
    if not values:
        return Finding(check, Status.SKIPPED, "No two values in the sample to tell it by.")
    what = "It is not applied: no record comes."
    for value in values:
        try:
            page = subject.page(listed.name, **{parameter: value})
        except (RequestRefusedError, ProtocolError) as error:
            what = _refused(error)
            break
        if page.items and all(record.get(parameter) == value for record in page.items):
            return Finding(check, Status.OK, "It is applied.")
        if page.items:
            what = "It is not applied: other records come, too."
            break
    return Finding(check, Status.WARN, what, _advice(listed.name, parameter, needed))


def _range(subject: Subject, listed: Listed, parameter: str, beyond: str) -> Finding:
    """Ask for what cannot be."""
    check = f"filter {parameter}"
    try:
        page = subject.page(listed.name, pageSize=1, **{parameter: beyond})
    except (RequestRefusedError, ProtocolError) as error:
        what = _refused(error)
    else:
        if not page.total:
            return Finding(check, Status.OK, "It is applied.")
        what = f"It is not applied: there are records for {beyond}."
    return Finding(check, Status.WARN, what, _advice(listed.name, parameter, PERIODS))


def _refused(error: RequestRefusedError | ProtocolError) -> str:
    if isinstance(error, RequestRefusedError):
        return f"It is refused with {error.status}."
    return "What it brings is no page."


def _advice(name: str, parameter: str, needed: str) -> str:
    return (
        f"Set `resources.{name}.parameters.{parameter}` to the tenant's name of it, or do without "
        f"{needed}."
    )


def _values(listed: Listed, parameter: str) -> list[str]:
    """Choose values that some records have and others not: the rarest tells most.

    Where no record comes with that, it may have changed meanwhile: then the commonest.
    """
    values = collections.Counter(_texts(listed.records, parameter))
    if not values or values.total() == len(listed.records) == max(values.values()):
        return []
    in_order = [value for value, _ in values.most_common()]
    return list(dict.fromkeys((in_order[-1], in_order[0])))


def _texts(records: t.Iterable[Mapping[str, t.Any]], field: str) -> t.Iterator[str]:
    for record in records:
        value = record.get(field)
        if isinstance(value, str) and value:
            yield value
