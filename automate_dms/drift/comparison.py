"""The first and the last page of each list against the contract and the overlay."""

from __future__ import annotations

import dataclasses
import math
import typing as t

from automate_api.differences import Difference, Kind
from automate_api.errors import NotEntitledError, NotOfferedError, ProtocolError
from automate_api.tenant import proposal
from automate_api.tenant.overlay import SAME_RESOURCE
from tap_automate.streams import STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Collection

    from automate_api.client import Page
    from automate_api.tenant.renames import Rename
    from automate_dms.doctor.subject import Subject

COLUMNS: t.Final = ("stream", "difference", "field", "records", "detail")
NO_LIST: t.Final = "no such list"
NO_PAGE: t.Final = "no page"
FURTHER: t.Final = {
    NO_LIST: "moved, or not offered: `automate-dms doctor` looks for it",
    NO_PAGE: "the answer is not the contract's, see below",
}
"""Differences of a whole list, and what the table says of them."""

PASSES: t.Final = 2
"""Times that a list is read anew through what was proposed: a field that has come to its place may
show others behind it."""

SINGLES: t.Final = {
    (stream.name, lines.single)
    for stream in STREAMS
    for lines in stream.lines
    if lines.single is not None
}
"""Fields that a tenant sends in place of others, or not at all."""


@dataclasses.dataclass
class Compared:
    """What a sample of each list shows.

    Attributes:
        records: Stream to the number of records looked at.
        found: Stream and difference, in the order of the streams.
        skipped: Stream to why it was not looked at, a sentence.
        renames: Stream and field that the tenant seems to call otherwise.
        proposal: What an overlay should say, the present one included.
    """

    records: dict[str, int] = dataclasses.field(default_factory=dict)
    found: list[tuple[str, Difference | str]] = dataclasses.field(default_factory=list)
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)
    renames: list[tuple[str, Rename]] = dataclasses.field(default_factory=list)
    proposal: dict[str, t.Any] = dataclasses.field(default_factory=dict)

    def rows(self) -> list[tuple[t.Any, ...]]:
        """Give what the table shows."""
        return [
            (name, each, None, None, FURTHER[each])
            if isinstance(each, str)
            else (name, str(each.kind), each.place, each.times, each.detail or None)
            for name, each in self.found
        ]

    def as_json(self) -> dict[str, t.Any]:
        """Give what `--json` prints."""
        return {
            "sampled": self.records,
            "skipped": self.skipped,
            "differences": [dict(zip(COLUMNS, row, strict=True)) for row in self.rows()],
            "renames": [
                {"stream": name, "field": str(each.field), "theirs": ".".join(each.theirs)}
                | {"why": each.why}
                for name, each in self.renames
            ],
            "proposal": self.proposal,
        }

    def reasons(self) -> list[str]:
        """Say what renamed fields were recognised by, a sentence each."""
        return [
            f"{name}: {each.field} seems to be {'.'.join(each.theirs)} here: {each.why}."
            for name, each in self.renames
        ]


def compare(subject: Subject, names: Collection[str], sample: int) -> Compared:
    """Look at the first and the last page of each list.

    Args:
        subject: The tenant; its overlay grows by what is proposed.
        names: Streams to look at; all when empty.
        sample: Records of a page.

    Raises:
        AutomateError: When nothing can be asked any more.
    """
    compared = Compared()
    entitlements = subject.session.entitlements
    for stream in STREAMS:
        name = stream.name
        if names and name not in names:
            continue
        needed = subject.known.resource(stream.path).entitlements
        overlay = subject.api.overlay
        if overlay is not None and not overlay.offers(name):
            compared.skipped[name] = "the overlay says that this tenant does not offer it."
        elif needed and not needed & entitlements:
            why = f"the login lacks the entitlement {' or '.join(sorted(needed))}."
            compared.skipped[name] = why
        else:
            try:
                _look_at(subject, name, sample, compared)
            except NotEntitledError as error:
                compared.skipped[name] = str(error)
            except NotOfferedError:
                compared.found.append((name, NO_LIST))
            except ProtocolError as error:
                compared.found.append((name, NO_PAGE))
                compared.skipped[name] = str(error)
    compared.proposal = subject.document
    return compared


def _look_at(subject: Subject, name: str, sample: int, compared: Compared) -> None:
    """Compare a list, and propose what the overlay should say of it."""
    seen: set[tuple[str, ...]] = set()
    for number in range(PASSES):
        listed = subject.keep(name, _ends(subject, name, sample))
        if not number:
            compared.records[name] = listed.sample.records
        says_nothing = listed.sample.leaves_out_nulls
        for each in listed.sample.differences():
            is_missing = each.kind is Kind.MISSING
            is_usual = is_missing and (says_nothing or (name, each.place) in SINGLES)
            what = (each.kind, each.place, each.detail)
            if not is_usual and what not in seen:
                seen.add(what)
                compared.found.append((name, each))
        overlay = subject.api.overlay
        made = proposal.proposed(
            listed.sample, overlay.resource(name) if overlay else SAME_RESOURCE
        )
        if not made.part:
            return
        if problem := subject.propose(name, made.part):
            compared.skipped[name] = f"no overlay can say all of it: {problem}"
            return
        compared.renames += [(name, each) for each in made.renames]
        if not made.renames:
            return


def _ends(subject: Subject, name: str, sample: int) -> Page:
    """Read the first and the last page of a list, as one."""
    first = subject.page(name, pageSize=sample)
    pages = math.ceil(first.total / max(1, first.page_size))
    if pages <= 1:
        return first
    last = subject.page(name, pageSize=sample, page=pages)
    return dataclasses.replace(first, items=[*first.items, *last.items])
