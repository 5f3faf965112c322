"""The setting `rooftop_ids` against the list of rooftops: of a mistyped one, nothing ever comes."""

from __future__ import annotations

import typing as t

from automate_dms.doctor.findings import Finding, Status, counted, named

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from automate_dms.doctor.findings import Report
    from automate_dms.doctor.subject import Subject

CHECK: t.Final = "rooftops"
LIST: t.Final = "rooftops"


def look(report: Report, subject: Subject, chosen: Iterable[str]) -> None:
    """Look for the rooftops that are set among those that there are.

    Args:
        report: Is told.
        subject: Has the list, unless it may not be read.
        chosen: The setting.
    """
    listed = subject.lists.get(LIST)
    if listed is None or not listed.records or listed.total > len(listed.records):
        return
    there = {record.get("rooftopId") for record in listed.records}
    missing = [rooftop for rooftop in chosen if rooftop not in there]
    if missing:
        what = f"`rooftop_ids` has {named(missing)}, and no rooftop of this tenant is called so."
        advice = f"Correct `rooftop_ids`: the list has {counted(len(there), 'rooftop')}."
        report.add(Finding(CHECK, Status.WARN, what, advice), about=LIST)
