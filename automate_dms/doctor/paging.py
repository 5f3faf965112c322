"""How lists are cut into pages: the first page's number, and whether their order stays."""

from __future__ import annotations

import typing as t

from automate_api.errors import ProtocolError, RequestRefusedError
from automate_dms.doctor.findings import Finding, Status

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automate_dms.doctor.findings import Report
    from automate_dms.doctor.subject import Listed, Subject

MOST_LISTS: t.Final = 2
"""Lists whose first page is read twice: the longest."""


def look(report: Report, subject: Subject) -> None:
    """Ask for pages whose answers tell how they are cut.

    Args:
        report: Is told.
        subject: Has the lists.

    Raises:
        AutomateError: When nothing can be asked any more.
    """
    longest = sorted(
        (each for each in subject.lists.values() if each.records),
        key=lambda listed: listed.total,
        reverse=True,
    )
    if not longest:
        report.add(Finding("pages", Status.SKIPPED, "Every list is empty: nothing to look at."))
        return
    report.add(*_first_page(subject, longest[0]))
    for listed in longest[:MOST_LISTS]:
        report.add(*_order(subject, listed), about=listed.name)


def key_of(subject: Subject, listed: Listed, record: Mapping[str, t.Any]) -> tuple[str, ...]:
    """Give what identifies a record.

    Args:
        subject: Knows the contract.
        listed: The record's list.
        record: By the contract.
    """
    return tuple(str(record.get(name)) for name in subject.known.resource(listed.call.path).key)


def _keys(
    subject: Subject, listed: Listed, records: Sequence[Mapping[str, t.Any]]
) -> list[tuple[str, ...]]:
    return [key_of(subject, listed, record) for record in records]


def _first_page(subject: Subject, listed: Listed) -> Iterator[Finding]:
    """Ask for page 0, which is none where pages begin at 1."""
    check = "first page"
    first = _keys(subject, listed, listed.records)
    try:
        page = subject.page(listed.name, page=0, pageSize=max(1, len(first)))
    except (RequestRefusedError, ProtocolError):
        yield Finding(check, Status.OK, "Pages begin at 1: page 0 is refused.")
        return
    zeroth = _keys(subject, listed, page.items)
    if set(zeroth) - set(first):
        what = "Page 0 has other records than page 1: pages seem to begin at 0."
        advice = "Look at it with the vendor before a load: the tap reads from page 1."
        yield Finding(check, Status.WARN, what, advice)
    else:
        yield Finding(check, Status.OK, "Pages begin at 1: page 0 brings nothing else.")


def _order(subject: Subject, listed: Listed) -> Iterator[Finding]:
    """Read the first page again."""
    check = "page order"
    if listed.total <= len(listed.records):
        yield Finding(check, Status.SKIPPED, "The list has one page.")
        return
    again = subject.page(listed.name, pageSize=max(1, len(listed.records)))
    if _keys(subject, listed, again.items) == _keys(subject, listed, listed.records):
        yield Finding(check, Status.OK, "Page 1 came in the same order twice.")
        return
    what = "Page 1 came with other records, or in another order, the second time."
    advice = "Nothing: the tap reads windows until their pages agree, with more requests."
    yield Finding(check, Status.NOTE, what, advice)
