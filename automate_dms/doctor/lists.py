"""Each list: whether it answers, and where; the first page of each is the sample of its records."""

from __future__ import annotations

import functools
import typing as t
from http import HTTPStatus

from automate_api.errors import (
    EXIT_UNEXPECTED,
    NotEntitledError,
    NotOfferedError,
    ProtocolError,
    RequestRefusedError,
    UnreachableError,
)
from automate_dms.doctor.candidates import MOST_PATHS, PATHS
from automate_dms.doctor.findings import Finding, Status, counted
from automate_dms.doctor.subject import PAGE_SIZE

if t.TYPE_CHECKING:
    from automate_api.client import Page
    from automate_dms.doctor.findings import Report
    from automate_dms.doctor.subject import Subject

LARGE: t.Final = 1000
"""Records that are asked for on one page, to see how many there may be."""

SMALLER: t.Final = (PAGE_SIZE, 100, 50)
"""Asked for, one after the other, where more on one page are refused."""

_REFUSALS: t.Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})

MOST_TRIES: t.Final = 30
"""Requests that may go to likely paths, of all lists together."""

CORE: t.Final = frozenset({"vehicles", "customers", "deals", "repair_orders", "gl_entries"})
"""Lists that every DMS has: where one is not found, it is elsewhere."""

ALIKE: t.Final = 0.5
"""Share of a list's own fields that records elsewhere must have to be taken for its records."""


def look(report: Report, subject: Subject, entitlements: frozenset[str]) -> None:
    """Ask for the first page of every list.

    Args:
        report: Is told of each.
        subject: Keeps them.
        entitlements: Of the login; what it may not read is not asked for, and was named with them.

    Raises:
        AutomateError: When nothing can be asked any more.
    """
    survey = _Survey(report, subject)
    for name, call in subject.calls.items():
        overlay = subject.api.overlay
        needed = subject.known.resource(call.path).entitlements
        if overlay is not None and not overlay.offers(name):
            what = "The overlay says that this tenant does not offer it."
            survey.say(name, Status.SKIPPED, what)
        elif not needed or needed & entitlements:
            survey.visit(name)


class _Survey:
    def __init__(self, report: Report, subject: Subject) -> None:
        self._report = report
        self._subject = subject
        self._tries = MOST_TRIES
        self._has_asked_large = False
        self._silent = ""

    def say(
        self, name: str, status: Status, what: str, advice: str = "", *, code: int = EXIT_UNEXPECTED
    ) -> None:
        self._report.add(Finding("path", status, what, advice), code=code, about=name)

    def visit(self, name: str) -> None:
        """Ask for a list's first page, and elsewhere when it is not where it should be."""
        subject = self._subject
        at = subject.path(name)
        try:
            page = self._first(name)
        except UnreachableError as error:
            if self._silent:
                # Two that do not answer: it is not the list.
                raise
            self._silent = name
            advice = "Tell the vendor's support, or deselect the stream. The others are asked."
            self.say(name, Status.FAIL, str(error), advice, code=error.exit_code)
            return
        except NotEntitledError:
            what = f"GET {at}: 403, though the login names the entitlement."
            advice = "Deselect the stream, or have the dealer's administrator grant it."
            self.say(name, Status.WARN, what, advice)
            return
        except NotOfferedError as error:
            self._search(name, error.status)
            return
        except (ProtocolError, RequestRefusedError) as error:
            advice = "Give the vendor's support the request id, or deselect the stream."
            self.say(name, Status.FAIL, str(error), advice)
            return
        self._keep(name, page)
        moved = subject.known.resource(subject.calls[name].path).path
        self.say(name, Status.OK, f"{self._place(name, moved)}: {_records(page)}.")

    def _first(self, name: str) -> Page:
        """Ask for a list's first page; of the first list, for as many records as there may be."""
        subject = self._subject
        if self._has_asked_large:
            return subject.page(name)
        try:
            page = subject.page(name, pageSize=LARGE)
        except RequestRefusedError as error:
            if error.status not in _REFUSALS:
                raise
            page = self._smaller(name, error)
            self._has_asked_large = True
            return page
        self._has_asked_large = True
        self._page_size(page)
        return page

    def _smaller(self, name: str, refused: RequestRefusedError) -> Page:
        """Ask for fewer records on a page than were refused."""
        for size in SMALLER:
            try:
                page = self._subject.page(name, pageSize=size)
            except RequestRefusedError as error:
                if error.status not in _REFUSALS:
                    raise
                continue
            self._subject.page_size = size
            more = LARGE if size == PAGE_SIZE else PAGE_SIZE
            what = f"Pages of {more:,} records are refused ({refused.status}), of {size:,} not."
            advice = f"Set `page_size` to {size} or less."
            status = Status.NOTE if size == PAGE_SIZE else Status.WARN
            self._report.add(Finding("page size", status, what, advice))
            return page
        raise refused

    def _place(self, name: str, path: str) -> str:
        overlay = self._subject.api.overlay
        said = overlay.resource(name).path if overlay else None
        return said or self._subject.api.endpoints.get(name, path)

    def _keep(self, name: str, page: Page) -> None:
        self._subject.keep(name, page)
        held = min(page.total, page.page_size)
        if not page.items and page.total:
            what = f"Page 1 is empty although there are {page.total:,} records."
            advice = "Pages seem to begin at 0, and the tap reads from 1: tell its maintainers."
            self.say(name, Status.FAIL, what, advice)
        elif len(page.items) != held:
            what = f"Page 1 has {counted(len(page.items), 'record')}; {held:,} were to be expected."
            advice = (
                "Nothing, if records come and go just now; otherwise set `page_size` to "
                f"{len(page.items)}."
            )
            self.say(name, Status.WARN, what, advice)

    def _page_size(self, page: Page) -> None:
        if page.page_size >= LARGE and len(page.items) == min(page.total, page.page_size):
            what = f"A page may have {LARGE:,} records or more."
            self._report.add(Finding("page size", Status.OK, what))
            return
        most = len(page.items) if page.page_size >= LARGE else page.page_size
        what = f"A page has {most:,} records at most; {LARGE:,} were asked for."
        advice = f"Nothing; a `page_size` above {most:,} gains nothing."
        self._report.add(Finding("page size", Status.NOTE, what, advice))

    def _search(self, name: str, status: int) -> None:
        """Look for a list at a few likely paths."""
        subject = self._subject
        at = self._place(name, subject.calls[name].path)
        asked = 0
        likely = (subject.calls[name].path, *PATHS.get(name, ())[:MOST_PATHS])
        for path in [each for each in likely if each != at]:
            if self._tries <= 0:
                break
            self._tries -= 1
            asked += 1
            if self._is_at(name, path):
                self._found(name, at, path, status)
                return
        self._missing(name, at, status, asked)

    def _is_at(self, name: str, path: str) -> bool:
        subject = self._subject
        try:
            with subject.as_it_is() as client:
                page = client.list_page(path, {"page": 1, "pageSize": 20})
        except (RequestRefusedError, ProtocolError):
            return False
        came = {field for record in page.items for field in record}
        shares = {each: len(own & came) / len(own) for each, own in self._own_fields.items()}
        share = shares.pop(name)
        # Records of another list of the contract have some fields of this one, and more of theirs.
        return share >= ALIKE and share > max(shares.values())

    @functools.cached_property
    def _own_fields(self) -> dict[str, set[str]]:
        """The fields of each list's records, without those that all lists have."""
        subject = self._subject
        fields = {
            name: set(subject.known.resource(call.path).record_schema["properties"])
            for name, call in subject.calls.items()
        }
        shared = set.intersection(*fields.values())
        return {name: each - shared for name, each in fields.items()}

    def _found(self, name: str, at: str, path: str, status: int) -> None:
        subject = self._subject
        moved = name in subject.api.endpoints
        problem = subject.propose(name, {"path": path})
        what = f"GET {at}: {status}; the list is at {path}."
        where = f"`endpoints.{name}`" if moved else f"`resources.{name}.path` in the overlay"
        advice = f"Set {where} to {path}." if problem is None else problem
        self.say(name, Status.WARN, what, advice)
        if problem is None:
            self._keep(name, subject.page(name))

    def _missing(self, name: str, at: str, status: int, asked: int) -> None:
        subject = self._subject
        what = f"GET {at}: {status}"
        if asked:
            what += f", nor is it at {counted(asked, 'other likely path')}"
        known = subject.known.resource(subject.calls[name].path)
        is_set = at != known.path and status == HTTPStatus.NOT_FOUND
        if known.origin == "documented" or is_set or name in CORE:
            advice = (
                f"Ask the vendor for its path, and set `resources.{name}.path` in the overlay; "
                "where there is none, `offered: false`."
            )
            is_certain = known.origin == "documented" or is_set
            self.say(name, Status.FAIL if is_certain else Status.WARN, f"{what}.", advice)
            return
        advice = f"Nothing: its streams are skipped. `resources.{name}.offered: false` says so."
        self.say(name, Status.NOTE, f"{what}: this tenant does not offer it.", advice)
        if subject.propose(name, {"offered": False}) is None:
            self._report.reasons.append(f"{name}: {what}, so taken for not offered.")


def _records(page: Page) -> str:
    return counted(page.total, "record")
