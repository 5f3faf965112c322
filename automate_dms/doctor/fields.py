"""The fields of each list against the contract: what is missing, unknown, renamed, of another type.

What is renamed is proposed, with what speaks for it, and the list is read again through the
proposal: a field that has come to its place may show others behind it.
"""

from __future__ import annotations

import typing as t

from automate_api.differences import Kind
from automate_api.tenant import proposal
from automate_api.tenant.overlay import SAME_RESOURCE
from automate_api.tenant.places import Place
from automate_dms.doctor.findings import Finding, Status, counted, named

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automate_api.differences import Difference
    from automate_api.tenant.proposal import Proposal
    from automate_dms.doctor.findings import Report
    from automate_dms.doctor.subject import Listed, Subject

CHECK: t.Final = "fields"

PASSES: t.Final = 2
"""Times that a list is read anew through what was proposed of it."""


def compare(report: Report, subject: Subject) -> None:
    """Compare every list that answers with the contract.

    Args:
        report: Is told of the differences, and what renamed fields were recognised by.
        subject: Has the lists, and grows the overlay.

    Raises:
        AutomateError: When nothing can be asked any more.
    """
    for name in list(subject.lists):
        _compare(report, subject, name)


def _compare(report: Report, subject: Subject, name: str) -> None:
    listed = subject.lists[name]
    if not listed.records:
        report.add(
            Finding(CHECK, Status.SKIPPED, "The list is empty: nothing to look at."), about=name
        )
        return
    before = len(report.findings)
    seen: set[str] = set()
    for _ in range(PASSES):
        overlay = subject.api.overlay
        said = overlay.resource(name) if overlay else SAME_RESOURCE
        made = proposal.proposed(listed.sample, said)
        keys = subject.known.resource(listed.call.path).key
        report.add(*_said(listed, made, seen, keys), about=name)
        if not made.part:
            break
        problem = subject.propose(name, made.part)
        if problem is not None:
            what = f"No overlay can say all of this: {problem}"
            report.add(Finding(CHECK, Status.WARN, what, "Write the overlay by hand."), about=name)
            break
        report.reasons += [
            f"{name}: {rename.field} is {made.part['fields'][str(rename.field)]}: {rename.why}"
            for rename in made.renames
        ]
        if not made.renames:
            break
        listed = subject.keep(name, subject.page(name))
    if len(report.findings) == before:
        what = f"{counted(len(listed.records), 'record')} as the contract has them."
        report.add(Finding(CHECK, Status.OK, what), about=name)


def _said(listed: Listed, made: Proposal, seen: set[str], keys: Sequence[str]) -> Iterator[Finding]:
    """Put differences into words, but for those that were said before."""
    found = [
        each
        for each in listed.sample.differences()
        if f"{each.kind} {each.place} {each.detail}" not in seen
    ]
    seen.update(f"{each.kind} {each.place} {each.detail}" for each in found)
    where = f"`resources.{listed.name}"
    renamed = {str(each.field) for each in made.renames}
    theirs = {str(Place(each.field.arrays, each.theirs)) for each in made.renames}
    for rename in made.renames:
        path = made.part["fields"][str(rename.field)]
        what = f"`{rename.field}` never comes, and seems to be `{path}` here: {rename.why}."
        advice = f"Look at it, then set {where}.fields` in the overlay: `{rename.field}: {path}`."
        yield Finding(CHECK, Status.WARN, what, advice)
    missing = [
        each.place
        for each in found
        if each.kind is Kind.MISSING and not _is_within(each.place, renamed)
    ]
    lost = [place for place in missing if place in keys]
    if lost:
        what = f"{named(lost)} never came, by which records are told apart: they cannot be loaded."
        advice = f"Set {where}.fields` to what the tenant calls it, or deselect the stream."
        yield Finding(CHECK, Status.FAIL, what, advice)
    rest = [place for place in missing if place not in keys]
    if rest:
        what = f"Never came in {counted(len(listed.records), 'record')}: {named(rest)}."
        advice = f"Nothing, unless the tenant calls them otherwise: then {where}.fields`."
        yield Finding(CHECK, Status.NOTE, what, advice)
    unknown = [
        each.place
        for each in found
        if each.kind is Kind.UNKNOWN
        and (each.place in made.part.get("add", ()) or not _is_within(each.place, theirs))
    ]
    if unknown:
        what = f"Beyond the contract: {named(unknown)}."
        advice = f"Nothing is lost: they are loaded as they come. {where}.add` gives them a type."
        yield Finding(CHECK, Status.NOTE, what, advice)
    personal = sorted({*proposal.personal_names(made.part.get("add", {}))})
    if personal:
        what = f"Beyond the contract, and personal by name or value: {named(personal)}."
        treatment = ", ".join(f'"{name}": "drop"' for name in personal)
        advice = (
            f"Set {where}.add` in the overlay as proposed (`pii: true`), and `pii` to "
            f"`{{{treatment}}}` where they are not to be loaded."
        )
        yield Finding(CHECK, Status.WARN, what, advice)
    yield from _values(where, found)


def _values(where: str, found: list[Difference]) -> Iterator[Finding]:
    words: dict[str, list[str]] = {}
    for each in found:
        if each.kind is Kind.WORD:
            words.setdefault(each.place, []).append(each.detail)
    for place, further in words.items():
        what = f"`{place}` has words beyond the contract's: {named(further)}."
        advice = f"Nothing is lost: they are loaded as they come. {where}.values` makes them known."
        yield Finding(CHECK, Status.NOTE, what, advice)
    for each in found:
        if each.kind is Kind.TYPE:
            what = f"`{each.place}` came as {each.detail}, {counted(each.times, 'time')}."
            advice = "Nothing is lost: it is loaded as it comes. Tell the vendor, and who reads it."
            yield Finding(CHECK, Status.WARN, what, advice)


def _is_within(place: str, renamed: set[str]) -> bool:
    """Tell whether a field, or something within it, has found its other name."""
    return any(each == place or each.startswith(f"{place}.") for each in renamed)
