"""What is planted in records and settings of a push shows in nothing that it says or seals."""

from __future__ import annotations

import json
import signal
import typing as t

import pytest
from support.canaries import DEBUG, PASSWORD, PERSON, PERSONAL, PLATFORM, SECRETS, TOTP
from support.dealership import Dealership, Run, dealership, run, start
from support.failures import shows_none_of
from support.pushing import PATHS, Pushing
from support.singer import state

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from support.singer import Message

JOURNAL_KEY: t.Final = "planted-journal-key"
KEY: t.Final = "crm-4711"
REFERENCE: t.Final = "planned-4712"
NOTES: t.Final = "Xanaduville gossip"
BUSINESS: t.Final = (KEY, REFERENCE, "gossip", "26995")
"""What else records say; it belongs into the journal and the requests alone."""
END: t.Final = state({"end": 1})


@pytest.fixture(scope="module")
def planted_dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealership]:
    directory = tmp_path_factory.mktemp("dealer")
    secrets = ("--password", PASSWORD, "--platform-token", PLATFORM, "--totp-secret", TOTP)
    size = ("--vehicles", "5", "--days", "2", "--mfa-type", "none")
    with dealership(directory, *size, *secrets) as running:
        yield running


@pytest.fixture
def pushing(planted_dealer: Dealership, tmp_path: Path) -> Iterator[Pushing]:
    yield Pushing(planted_dealer, tmp_path)
    planted_dealer.control("reset-faults", {})
    planted_dealer.control("unlock", {})


def person(**changes: t.Any) -> Message:  # noqa: ANN401 - fields
    fields = {**PERSON, "externalId": KEY, "notes": NOTES, **changes}
    return {"type": "RECORD", "stream": "customers", "record": fields}


def papers(pushing: Pushing) -> list[Message]:
    """Make a customer with everything personal, a deal and an appointment."""
    return [
        person(),
        pushing.deal(referenceId=REFERENCE, customerExternalId=KEY, pricing={"salePrice": 26995}),
        pushing.appointment(customerExternalId=KEY, concern=NOTES),
        END,
    ]


def talk(pushing: Pushing, *messages: Message | str, **settings: t.Any) -> Run:  # noqa: ANN401 - settings
    """Push at DEBUG."""
    config = pushing.config(**settings)
    stdin = pushing.lines(*messages)
    return run("target-automate", "--config", config, stdin=stdin, env=DEBUG)


def keeps_quiet(done: Run, pushing: Pushing) -> None:
    """Hold a run and the reasons in its journal to show nothing planted."""
    said = done.out + done.err
    assert "DEBUG" in done.err
    if pushing.journal_path.exists():
        with pushing.journal() as journal:
            told = [{**row, "business_key": ""} for row in journal.rows()]
        said += json.dumps(told)
    shows_none_of(said, (*SECRETS, *PERSONAL, *BUSINESS, pushing.vin()))


def test_a_push_that_goes_well_shows_nothing(pushing: Pushing) -> None:
    done = talk(pushing, *papers(pushing))
    assert done.code == 0, done.err
    keeps_quiet(done, pushing)


WRITES: t.Final = {"method": "POST", "path": "/[cds]*"}
"""All but sessions."""


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "cut", "when": "before"},
        {"kind": "cut", "when": "during"},
        {"kind": "server_error", "status": 500, "when": "after"},
        {"kind": "server_error", "status": 503, "when": "before"},
        {"kind": "rate_limit", "retry_after": 600},
        {"kind": "malformed", "form": "truncated"},
        {"kind": "malformed", "form": "array"},
        {"kind": "html"},
        {"kind": "html", "status": 403},
        {"kind": "lost_id"},
        {"kind": "locked"},
        {"kind": "accepted"},
        {"kind": "conflict", "form": "duplicate"},
        {"kind": "status", "status": 400},
        {"kind": "status", "status": 403},
        {"kind": "status", "status": 404},
        {"kind": "status", "status": 422, "code": "Plantania Quorndon"},
        {"kind": "killed_session", "count": 2},
    ],
    ids=str,
)
def test_no_fault_of_the_dms_makes_the_target_talk(
    pushing: Pushing, fault: dict[str, t.Any]
) -> None:
    pushing.dealer.faults({"match": WRITES, **fault})
    done = talk(pushing, *papers(pushing), max_wait_seconds=0.3, on_fuzzy_match="reject", workers=2)
    assert pushing.dealer.stats()["faults"][0]["strikes"] > 0
    assert "Traceback" not in done.err
    keeps_quiet(done, pushing)


@pytest.mark.parametrize("policy", ["warn", "reject"])
def test_a_customer_who_is_matched_by_name_is_not_named(pushing: Pushing, policy: str) -> None:
    twin = Pushing(pushing.dealer, pushing.folder)
    assert talk(twin, person(externalId=f"{KEY}-{policy}")).code == 0
    done = talk(pushing, person(externalId=None), person(), on_fuzzy_match=policy)
    keeps_quiet(done, pushing)


UNFIT: t.Final = {name: {"planted": ["Plantania Quorndon"]} for name in PERSON} | {
    "phones": [{"number": {"planted": 1}, "type": "Quorndon"}],
    "address": "77 Quagmire Row",
    "driversLicense": "D7654321Q",
    "customerType": "Quorndon",
    "marketingOptIn": {"email": "Quorndon"},
    "notes": ["Quorndon"],
}


def test_fields_that_cannot_be_taken_are_named_without_their_values(pushing: Pushing) -> None:
    records = [
        person(**{"externalId": f"{KEY}-{number}", name: UNFIT[name]})
        for number, name in enumerate(UNFIT)
    ]
    done = talk(pushing, *records, END, max_reject_percent=100)
    assert done.code == 0, done.err
    assert pushing.states("customers") == ["REJECTED invalid"] * len(UNFIT)
    pairs = zip(UNFIT, pushing.reasons("customers"), strict=True)
    assert [name for name, reason in pairs if not reason.startswith(name)] == []
    keeps_quiet(done, pushing)


def test_fields_that_are_not_sent_are_named_without_their_values(pushing: Pushing) -> None:
    odd = {"ssn": "planted-ssn", "spouse": {"lastName": "Quorndon"}, "phones": [{"x": "planted"}]}
    done = talk(pushing, person(**odd), END)
    assert "'ssn'" in done.err
    keeps_quiet(done, pushing)


@pytest.mark.parametrize(
    "changes",
    [
        {"password": "planted-and-wrong"},
        {"platform_token": "planted-and-wrong"},
        {"api_url": "http://127.0.0.1:1", "max_wait_seconds": 0.1},
        {"password": ["planted"], "journal_key": "planted", "platform_token": {"planted": 1}},
        {"journal_key": ["planted"]},
        {"stream_maps": {"customers": {"x": "int(lastName)"}}},
        {"stream_maps": {"customers": {"x": "record['lastName'].missing"}}},
        {"stream_maps": {"customers": {"x": "lastName +"}}},
        {"flattening_enabled": True, "flattening_max_depth": 2},
        {"approvals": [{"object": "customers", "when": "lastName > 1"}]},
        {"approvals": [{"object": "customers", "when": "missing[lastName]"}]},
    ],
    ids=str,
)
def test_no_mistake_of_the_user_makes_the_target_talk(
    pushing: Pushing, changes: dict[str, t.Any]
) -> None:
    if changes.keys() & {"password", "platform_token", "api_url"}:
        changes = {**changes, "session_path": str(pushing.folder / "session")}
    done = talk(pushing, *papers(pushing), **changes)
    assert "Traceback" not in done.err
    shows_none_of(done.out + done.err, (*SECRETS, *PERSONAL, *BUSINESS))


@pytest.mark.parametrize(
    "line",
    [
        json.dumps(person())[:-20],
        json.dumps({**person(), "record": [PERSON]}),
        json.dumps({**person(), "stream": "Quorndon"}),
        json.dumps({**person(), "type": "Quorndon"}),
        '"Plantania Quorndon"',
    ],
    ids=["cut", "no object", "no schema", "unknown type", "no message"],
)
def test_no_mistake_of_the_tap_makes_the_target_talk(pushing: Pushing, line: str) -> None:
    known = pushing.lines(person())
    stdin = known + line + "\n"
    done = run("target-automate", "--config", pushing.config(), stdin=stdin, env=DEBUG)
    assert done.code == 1, done.err
    assert "Traceback" not in done.err
    # The name of a stream is not a record's value.
    shows_none_of(done.out + done.err.replace("'Quorndon'", ""), (*SECRETS, *PERSONAL, *BUSINESS))


def test_a_signal_makes_nobody_talk(pushing: Pushing) -> None:
    pushing.dealer.faults({"kind": "latency", "milliseconds": 1_000, "match": WRITES})
    log = pushing.folder / "log"
    before = pushing.posts("customers")
    with start(log, "target-automate", "--config", pushing.config(), env=DEBUG) as process:
        assert process.stdin is not None
        process.stdin.write(pushing.lines(*papers(pushing)))
        process.stdin.flush()
        while pushing.posts("customers") == before:
            assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)
    assert process.returncode == 143
    keeps_quiet(Run(process.returncode, out, log.read_text()), pushing)


def test_an_encrypted_journal_keeps_nothing_readable(pushing: Pushing) -> None:
    unfit = person(externalId=f"{KEY}-2", customerType="Quorndon", dateOfBirth="1961-02-03")
    done = talk(pushing, unfit, *papers(pushing), journal_key=JOURNAL_KEY)
    assert done.code == 0, done.err
    shows_none_of(done.out + done.err, (*SECRETS, *PERSONAL, *BUSINESS))
    for path in pushing.folder.glob(f"{pushing.journal_path.name}*"):
        kept = path.read_bytes().decode("latin-1")
        shows_none_of(kept, (*SECRETS, *PERSONAL, *BUSINESS, pushing.vin()))
    with pushing.journal(JOURNAL_KEY) as journal:
        assert {row["object"] for row in journal.rows()} == {*PATHS}
