"""What is tried: each subject with the faults that its call can meet, and each step to crash at."""

from __future__ import annotations

import itertools
import typing as t

from proof import faults
from proof.crashes import struck
from proof.kinds import APPOINTMENTS, DEALS, ORDERS
from proof.subjects import SUBJECTS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from proof.checker import Verdict
    from proof.crashes import Trial, Yard
    from proof.faults import Rule
    from proof.kinds import Key
    from proof.words import Said

LATE_SECONDS: t.Final = 5
"""Later than an unknown write has to be visible in these trials."""

SLOW_MILLISECONDS: t.Final = 900
"""Just before it has to be."""

FAULTS: t.Final[dict[str, Rule]] = {
    "none": {},
    **{
        faults.name_of(rule): rule | faults.times(rule)
        for rule in faults.forms()
        if rule["kind"] != "status"
    },
    "cut-slow": {"kind": "delayed", "answer": "cut", "milliseconds": SLOW_MILLISECONDS},
    "cut-late": {"kind": "delayed", "answer": "cut", "milliseconds": LATE_SECONDS * 1000},
    "accepted-late": {"kind": "accepted", "milliseconds": LATE_SECONDS * 1000},
    "unavailable-for-a-while": {"kind": "server_error", "status": 503, "retry_after": 30},
    **{
        f"status-{status}": {"kind": "status", "status": status}
        for status in (400, 403, 404, 405, 408, 410, 422, 501)
    },
}
"""Name to the rule; every form that the sandbox knows, and some of which the time matters."""

REFUSALS: t.Final = frozenset(
    {"failed_operation", *(f"status-{status}" for status in (400, 404, 410, 422))}
)
"""Faults after which a record is rejected, rightly."""

HARMLESS: t.Final = frozenset(
    name
    for name, rule in FAULTS.items()
    if rule
    and rule["kind"] not in {*faults.STANDING, "latency"}
    and rule != faults.LYING
    and not name.endswith("late")
)
"""Faults in spite of which each record is to arrive, or to be parked where keys are ignored.

Not the late ones: they break the promise that `cooldown_seconds` makes of the DMS, and a customer
who was sent again by then may be overwritten by the late first time.
"""

MADE_TWICE: t.Final = frozenset({DEALS, APPOINTMENTS, ORDERS})
"""Streams of which a second time makes a second one, so that a person has to decide."""

UNGUARDED: t.Final = frozenset({"vehicle_photos", "repair_order_inspections"})
"""Streams whose calls take nothing that says what they were decided on."""

UNANSWERED: t.Final = "delayed-none"
"""The fault that has the client wait for its own time limit, by the real clock."""

CREATES: t.Final = (
    "customer",
    "deal",
    "deal before its customer",
    "appointment",
    "appointment without an id",
)
"""Subjects that meet every fault: what is made, with the calls that the vendor documents."""

CHANGES: t.Final = ("status of a deal", "price", "file, completed")
"""Subjects that meet every fault: one for each way in which what is there is changed."""

OTHERS: t.Final = tuple(name for name in SUBJECTS if name not in {*CREATES, *CHANGES, "file, sent"})
"""Subjects that share their way with one of those, and meet a few faults."""

FEW_FAULTS: t.Final = frozenset(
    {"none", "cut-unanswered", "cut-slow", "rate_limit-seconds", "accepted", "locked"}
)
"""What `OTHERS` meet: for each kind of outcome one that leads to it."""

ON_THE_WAY: t.Final[dict[str, Rule]] = {
    **{faults.name_of(rule): rule | faults.times(rule) for rule in faults.upload_forms()},
    "status-400": {"kind": "status", "status": 400},
    "status-403": {"kind": "status", "status": 403},
}
"""Faults of a file on its way, which is no call of the API."""

SENT: t.Final = "file, sent"

_numbers = itertools.count()


def trial_of(yard: Yard, name: str, fault: str, *, fresh: bool = False) -> Trial:
    """Begin a trial of a subject, with a fault that waits for its first write."""
    subject = SUBJECTS[name]
    writing = subject.make(next(_numbers), yard)
    trial = yard.trial(writing.fed, fresh=fresh)
    struck(yard.dealer, {})
    if writing.before:
        trial.prepare(writing.before)
    trial.losses, trial.rival = writing.losses, writing.rival
    if fault == UNANSWERED:
        trial.settings = {"request_timeout_seconds": 0.15}
    rules = ON_THE_WAY if name == SENT else FAULTS
    struck(yard.dealer, rules[fault], subject.path, subject.method)
    return trial


def cases(
    yard: Yard, name: str, fault: str, choose: Callable[[list[int]], Sequence[int]]
) -> Iterator[tuple[str, list[str]]]:
    """Try a crash at points of a run with a fault.

    Args:
        yard: Where.
        name: Of the subject.
        fault: Its name.
        choose: Given the points of the run without a crash that differ, those to crash at.

    Yields:
        The point, and what is wrong with the outcome of a crash there.
    """
    whole = trial_of(yard, name, fault)
    points = whole.carry_out()
    yield "no crash", wrong(whole, fault)
    for number in choose(points.different()):
        trial = trial_of(yard, name, fault)
        trial.carry_out(number)
        yield f"{number} {points.names[number]}", wrong(trial, fault)


def wrong(trial: Trial, fault: str) -> list[str]:
    """Say what is wrong with the outcome of a trial.

    Args:
        trial: Carried out.
        fault: That struck.
    """
    if _is_deferred(fault):
        for _ in ("queued", "running"):  # each lasts half of an operation's time
            trial.yard.clock.skip(LATE_SECONDS)
    verdict = trial.verdict()
    found = [
        f"{name} {thing}"
        for name, things in verdict.faults.items()
        for thing in things
        if not _is_excused(name, thing, fault)
    ]
    found += [f"early {thing}" for thing in trial.early]
    found += ["pressed"] * trial.pressed
    if not verdict.parked:
        found += [f"open {thing}" for thing in verdict.open]
    if fault not in REFUSALS:
        found += [f"rejected {thing}" for thing in verdict.rejected]
    found += [f"parked {thing}" for thing in _wrongly_parked(verdict, trial, fault)]
    return found


def _is_excused(name: str, thing: Key | Said, fault: str) -> bool:
    """Tell whether something that should not be is the fault's own doing.

    What is carried out later than it was asked for, and with no guard to refuse it, comes on top of
    what somebody else has said meanwhile; what comes later than the DMS has promised, on top of
    what was said since. What was refused and is fed again after a crash comes behind what was fed
    after it.
    """
    if fault in REFUSALS:
        return name == "misordered"
    stream = thing[0][0] if isinstance(thing[0], tuple) else thing[0]
    if stream not in UNGUARDED:
        return False
    late = fault.endswith("late") and name in {"stale", "duplicated"}
    return late or (_is_deferred(fault) and name == "overwritten")


def _is_deferred(fault: str) -> bool:
    """Tell whether a fault has a write carried out later than it was answered."""
    return any(word in fault for word in ("late", "slow", "delayed", "accepted"))


def _wrongly_parked(verdict: Verdict, trial: Trial, fault: str) -> Iterator[object]:
    """List what is parked though it could be known: anything, where keys are honoured."""
    honoured = trial.yard.settings["idempotency_honoured"] == "honoured"
    lying = fault == faults.name_of(faults.LYING)
    for thing in verdict.parked:
        if thing[0] not in MADE_TWICE or (honoured and not lying):
            yield thing
