"""The filter by change time: whether each list applies it, by which name, and what bounds mean."""

from __future__ import annotations

import datetime as dt
import typing as t

from automate_api.errors import ProtocolError, RequestRefusedError
from automate_api.tenant.overlay import SAME_RESOURCE
from automate_dms.doctor.candidates import parameters
from automate_dms.doctor.findings import Finding, Status, counted
from automate_dms.doctor.paging import key_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_dms.doctor.findings import Report
    from automate_dms.doctor.subject import Listed, Subject

UPDATED: t.Final = "updatedAt"
FROM: t.Final = "updatedFrom"
TO: t.Final = "updatedTo"

FUTURE: t.Final = "2990-01-01T00:00:00Z"
PAST: t.Final = "1900-01-01T00:00:00Z"

MOST_LISTS: t.Final = 2
"""Lists whose bounds are tried, with five requests each at most."""

_FIRST_YEAR: t.Final = 1901
_LAST_YEAR: t.Final = 2989

WIDTH: t.Final = dt.timedelta(seconds=2)
_HALF: t.Final = dt.timedelta(milliseconds=500)
_MOST_MOVED: t.Final = 0.5
"""Share of a list that a filter which excludes all of it may show, while records come and go."""


def look(report: Report, subject: Subject) -> None:
    """Ask every list for what cannot be, and some for what is at their bounds.

    Args:
        report: Is told.
        subject: Has the lists, and grows the overlay.

    Raises:
        AutomateError: When nothing can be asked any more.
    """
    likely: dict[tuple[str, str], None] = {}
    applied = [name for name in subject.lists if _applied(report, subject, name, likely)]
    tried = 0
    for name in applied:
        if tried == MOST_LISTS:
            break
        listed = subject.lists[name]
        instant = _instant(subject, listed)
        if instant is not None:
            tried += 1
            report.add(_Bounds(subject, listed, *instant).finding(), about=name)
    _undated(report, subject)


def _applied(
    report: Report, subject: Subject, name: str, likely: dict[tuple[str, str], None]
) -> bool:
    """Tell whether a list applies the filter, by whatever name; those of other lists go first."""
    check = "change filter"
    if not subject.lists[name].total:
        report.add(
            Finding(check, Status.SKIPPED, "The list is empty: nothing to filter."), about=name
        )
        return False
    ignored = [
        parameter
        for parameter, value in ((FROM, FUTURE), (TO, PAST))
        if not _excludes(subject, name, {parameter: value})
    ]
    if not ignored:
        what = f"`{FROM}` and `{TO}` are applied."
        report.add(Finding(check, Status.OK, what), about=name)
        return True
    overlay = subject.api.overlay
    said = overlay.resource(name) if overlay else SAME_RESOURCE
    where = f"`resources.{name}.parameters`"
    own = parameters(said.fields.get(UPDATED, UPDATED))
    for start, end in dict.fromkeys((*likely, *own)):
        names = {FROM: start, TO: end}
        found = {mine: names[mine] for mine in ignored}
        values = {FROM: FUTURE, TO: PAST}
        if all(_excludes(subject, name, {found[mine]: values[mine]}) for mine in ignored):
            likely[start, end] = None
            problem = subject.propose(name, {"parameters": found})
            pairs = ", ".join(f"{mine}: {theirs}" for mine, theirs in found.items())
            what = f"{_listed(ignored)} not applied; by another name: {pairs}."
            advice = problem or f"Set {where} in the overlay: `{{{pairs}}}`."
            report.add(Finding(check, Status.WARN, what, advice), about=name)
            return problem is None
    what = f"{_listed(ignored)} not applied: changes cannot be read."
    advice = f"Ask the vendor what they are called, and set {where}; or deselect the stream."
    report.add(Finding(check, Status.FAIL, what, advice), about=name)
    return False


def _listed(names: list[str]) -> str:
    return f"{' and '.join(f'`{name}`' for name in names)} {'is' if len(names) == 1 else 'are'}"


def _excludes(subject: Subject, name: str, params: Mapping[str, str]) -> bool:
    """Tell whether a filter that nothing fits leaves records out."""
    try:
        page = subject.page(name, pageSize=1, **params)
    except (RequestRefusedError, ProtocolError):
        return False
    return page.total <= _MOST_MOVED * subject.lists[name].total


def _instant(subject: Subject, listed: Listed) -> tuple[tuple[str, ...], dt.datetime] | None:
    """Choose the record to try bounds with: one with a fraction, and few others beside it."""
    dated = []
    for record in listed.records:
        try:
            instant = dt.datetime.fromisoformat(record[UPDATED])
        except (KeyError, TypeError, ValueError):
            continue
        # Beyond these years stand sentinels, and time that cannot be counted any more.
        if instant.tzinfo is not None and _FIRST_YEAR <= instant.year <= _LAST_YEAR:
            dated.append((key_of(subject, listed, record), instant.astimezone(dt.UTC)))
    beside = {
        key: sum(abs(other - instant) <= WIDTH for _, other in dated) for key, instant in dated
    }
    # The oldest is the least likely to change while it is asked for.
    dated.sort(key=lambda each: (not each[1].microsecond, beside[each[0]], each[1]))
    return dated[0] if dated else None


_Told: t.TypeAlias = tuple[bool, bool, bool | None]
"""Whether each bound is inclusive, and whether they count whole seconds; None where both may be."""

_KIND: t.Final = {True: "inclusive", False: "exclusive"}
_UNIT: t.Final = {True: ", in whole seconds", False: ", in fractions of seconds", None: ""}


class _Bounds:
    """Tries the bounds of one list around a record whose change time is known."""

    def __init__(
        self, subject: Subject, listed: Listed, key: tuple[str, ...], instant: dt.datetime
    ) -> None:
        self._subject = subject
        self._listed = listed
        self._key = key
        self._instant = instant
        self._second = instant.replace(microsecond=0)

    def finding(self) -> Finding:
        check = "bounds"
        told = self._fractional() if self._instant.microsecond else self._whole()
        if told is None or not (all(told[:2]) or self._is_still_there()):
            what = "Its records changed, or are too many at one time, so that nothing is told."
            return Finding(check, Status.SKIPPED, what)
        start, end, seconds = told
        said = (
            f"`{FROM}` and `{TO}` are {_KIND[start]}"
            if start == end
            else f"`{FROM}` is {_KIND[start]} and `{TO}` {_KIND[end]}"
        )
        what = f"{said}{_UNIT[seconds]}."
        if start and end and not seconds:
            return Finding(check, Status.OK, what)
        advice = "Nothing: the tap's windows overlap by as much."
        return Finding(check, Status.NOTE, what, advice)

    def _is_still_there(self) -> bool:
        """Tell whether the record, which some window did not show, has its change time yet."""
        return self._shows(self._second - WIDTH, self._second + WIDTH) is True

    def _whole(self) -> _Told | None:
        """Tell the kind of bounds by a record at a whole second."""
        at = self._second
        start, end = self._shows(at, at + WIDTH), self._shows(at - WIDTH, at)
        if start is None or end is None:
            return None
        if start:
            # Half a second later, it is behind the bound unless the fraction is cut off.
            seconds = self._shows(at + _HALF, at + WIDTH)
        elif end:
            # Cut off or not, bounds beside it show the same.
            return start, end, None
        else:
            shown = self._shows(at - WIDTH, at + _HALF)
            seconds = None if shown is None else not shown
        return None if seconds is None else (start, end, seconds)

    def _fractional(self) -> _Told | None:
        """Tell the same by a record within a second, first by the bounds at its whole one."""
        at = self._second
        start, end = self._shows(at, at + WIDTH), self._shows(at - WIDTH, at)
        if start is None or end is None:
            return None
        if end or not start:
            return start, end, True
        start, end = self._shows(self._instant, at + WIDTH), self._shows(at - WIDTH, self._instant)
        if start is None or end is None:
            return None
        # An upper bound that shows nothing at the record's own time may also be cut off.
        return start, end, False if start == end else None

    def _shows(self, start: dt.datetime, end: dt.datetime) -> bool | None:
        """Tell whether a window has the record; None when its first page is not all of it."""
        try:
            page = self._subject.page(self._listed.name, **{FROM: _text(start), TO: _text(end)})
        except (RequestRefusedError, ProtocolError):
            return None
        keys = {key_of(self._subject, self._listed, record) for record in page.items}
        if self._key in keys:
            return True
        return False if page.total <= len(page.items) else None


def _text(instant: dt.datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _undated(report: Report, subject: Subject) -> None:
    """Look for records without a change time in the samples."""
    found = {
        name: sum(record.get(UPDATED) is None for record in listed.records)
        for name, listed in subject.lists.items()
    }
    looked = sum(len(listed.records) for listed in subject.lists.values())
    if not any(found.values()):
        finer = sum(
            _has_fraction(each) for listed in subject.lists.values() for each in listed.records
        )
        what = f"Each of {counted(looked, 'record')} has an `{UPDATED}`"
        what += f", {finer:,} with a fraction of a second." if finer else ", in whole seconds."
        report.add(Finding(UPDATED, Status.OK, what))
    for name, times in found.items():
        if times:
            what = f"{times:,} of {len(subject.lists[name].records):,} records have none."
            advice = "Nothing: the tap reads such records out of the whole list."
            report.add(Finding(UPDATED, Status.NOTE, what, advice), about=name)


def _has_fraction(record: Mapping[str, t.Any]) -> bool:
    value = record.get(UPDATED)
    return isinstance(value, str) and "." in value
