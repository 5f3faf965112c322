"""The cross product: each object, each fault of a write, each step to crash at."""

from __future__ import annotations

import datetime as dt
import itertools
import typing as t

from proof import faults
from proof.crashes import struck
from proof.feed import FIRST_INSTANT

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from proof.checker import Verdict
    from proof.crashes import Trial, Yard
    from proof.faults import Rule
    from proof.feed import Fed

LATE_SECONDS: t.Final = 5
"""Later than an unknown write has to be visible in these trials."""

FAULTS: t.Final[dict[str, Rule]] = {
    "none": {},
    **{
        faults.name_of(rule): rule | {"latency": {"milliseconds": 1}}.get(rule["kind"], {})
        for rule in faults.forms()
        if rule["kind"] != "status"
    },
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

UNANSWERED: t.Final = "delayed-none"
"""The fault that has the client wait for its own time limit, by the real clock."""

_numbers = itertools.count()


def customer(number: int) -> list[Fed]:
    """Say A of a customer, then B, then A again."""
    record = {"externalId": f"m-c{number}", "firstName": "Pat", "lastName": "Doe", "notes": "A"}
    return [("customers", record | {"notes": notes}) for notes in "ABA"]


def deal(number: int, yard: Yard) -> list[Fed]:
    """Make a deal of a customer that the journal knows, and send it twice."""
    return [("deals", _deal(number, yard.known[0][1]["externalId"], yard))] * 2


def early_deal(number: int, yard: Yard) -> list[Fed]:
    """Make a deal before its customer."""
    who = {"externalId": f"m-e{number}", "firstName": "Sam", "lastName": "Roe"}
    return [("deals", _deal(number, who["externalId"], yard)), ("customers", who)]


def appointment(number: int, yard: Yard) -> list[Fed]:
    """Book an appointment with an id of its own."""
    ((stream, record),) = nameless_appointment(number, yard)
    return [(stream, record | {"externalId": f"m-a{number}"})]


def nameless_appointment(number: int, yard: Yard) -> list[Fed]:
    """Book an appointment that is known by its customer, vehicle and instant alone."""
    instant = FIRST_INSTANT + dt.timedelta(days=1000, minutes=number)
    record = {
        "customerExternalId": yard.known[0][1]["externalId"],
        "vin": yard.vins[0],
        "appointmentTime": instant.isoformat(),
    }
    return [("service_appointments", record)]


OBJECTS: t.Final[dict[str, tuple[str, Callable[[int, Yard], list[Fed]]]]] = {
    "customer": ("/customers", lambda number, _: customer(number)),
    "deal": ("/deals", deal),
    "deal before its customer": ("*", early_deal),
    "appointment": ("/service/appointments", appointment),
    "appointment without an id": ("/service/appointments", nameless_appointment),
}
"""Name to the path of the write that a fault strikes, and to the input."""


def trial_of(yard: Yard, name: str, fault: str, *, fresh: bool = False) -> Trial:
    """Begin a trial of an object, with a fault that waits for its first write."""
    path, make = OBJECTS[name]
    trial = yard.trial(make(next(_numbers), yard), fresh=fresh)
    if fault == UNANSWERED:
        trial.settings = {"request_timeout_seconds": 0.15}
    struck(yard.dealer, FAULTS[fault], path)
    return trial


def cases(
    yard: Yard, name: str, fault: str, choose: Callable[[list[int]], Sequence[int]]
) -> Iterator[tuple[str, list[str]]]:
    """Try a crash at points of a run with a fault.

    Args:
        yard: Where.
        name: Of the object.
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
    if any(word in fault for word in ("late", "delayed", "accepted")):
        for _ in ("queued", "running"):  # each lasts half of an operation's time
            trial.yard.clock.skip(LATE_SECONDS)
    verdict = trial.verdict()
    found = [f"{name} {things}" for name, things in verdict.faults.items()]
    found += [f"early {thing}" for thing in trial.early]
    found += [f"open {thing}" for thing in verdict.open]
    if fault not in REFUSALS:
        found += [f"rejected {thing}" for thing in verdict.rejected]
    found += [f"parked {thing}" for thing in _wrongly_parked(verdict, trial, fault)]
    return found


def _wrongly_parked(verdict: Verdict, trial: Trial, fault: str) -> Iterator[object]:
    """List what is parked though it could be known: anything, where keys are honoured."""
    honoured = trial.yard.settings["idempotency_honoured"] == "honoured"
    lying = fault == faults.name_of(faults.LYING)
    for thing in verdict.parked:
        if thing[0] == "customers" or (honoured and not lying):
            yield thing


def _deal(number: int, who: str, yard: Yard) -> dict[str, t.Any]:
    return {
        "referenceId": f"m-d{number}",
        "customerExternalId": who,
        "vehicle": {"vin": yard.vins[0]},
        "pricing": {"salePrice": 20_000.5},
    }
