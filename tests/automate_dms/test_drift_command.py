"""`automate-dms drift` as a person runs it, at a tenant as the contract has it and at another."""

from __future__ import annotations

import json
import typing as t

import pytest
from support.dealership import Dealership, Run, dealership, run
from support.failures import personal_values, secrets_of, shows_none_of

from automate_api.tenant import reading

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OPTIONS: t.Final = ("--vehicles", "60", "--days", "10", "--mfa-type", "none")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealership]:
    with dealership(tmp_path_factory.mktemp("plain"), *OPTIONS) as dealer:
        yield dealer


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealership]:
    folder = tmp_path_factory.mktemp("hostile")
    with dealership(folder, *OPTIONS, "--tenant", "hostile") as dealer:
        yield dealer


def drift(dealer: Dealership, *arguments: str | Path, **changes: t.Any) -> Run:  # noqa: ANN401 - settings
    config = dealer.config(requests_per_second=500, **changes)
    return run("automate-dms", "drift", "--config", config, *arguments)


def differences(done: Run) -> dict[tuple[str, str, str | None], t.Any]:
    """Return what `--json` found: stream, kind and field to the detail."""
    found = json.loads(done.out)["differences"]
    return {(each["stream"], each["difference"], each["field"]): each["detail"] for each in found}


def reads(dealer: Dealership) -> int:
    return sum(n for call, n in dealer.stats()["requests"].items() if call.startswith("GET"))


def test_a_tenant_as_the_contract_has_it_ends_with_0_and_has_nothing_to_propose(
    plain: Dealership, tmp_path: Path
) -> None:
    before, last = reads(plain), plain.stats()["lastSeq"]
    done = drift(plain, "--propose", tmp_path / "overlay.yaml")
    assert done.code == 0, done.err
    assert "All are as the contract has them." in done.out
    assert "nothing to propose" in done.err
    assert not (tmp_path / "overlay.yaml").exists()
    assert reads(plain) - before <= 2 * 19
    assert plain.stats()["lastSeq"] == last, "nothing was written"


def test_each_difference_of_a_sample_is_named(plain: Dealership) -> None:
    vehicles = {"match": {"path": "/vehicles*"}}
    plain.faults(
        {"kind": "unknown_field", **vehicles},
        {"kind": "unknown_enum", **vehicles},
        {"kind": "text_field", **vehicles},
        {"kind": "lost_field", "field": "trim", **vehicles},
        {"kind": "status", "status": 404, "match": {"path": "/parts"}},
    )
    try:
        done = drift(plain, "--json", "--sample", "20")
        shown = drift(plain, "--stream", "vehicles")
    finally:
        plain.control("reset-faults", {})
    assert (done.code, shown.code) == (1, 1), done.err
    assert "60 records of 1 stream. 4 differences." in shown.out
    assert differences(done) == {
        ("vehicles", "unknown field", "fieldOfTomorrow"): None,
        ("vehicles", "new word", "status"): "beamed_up",
        ("vehicles", "another type", "listPrice"): "string",
        ("vehicles", "missing field", "trim"): None,
        ("parts", "no such list", None): "moved, or not offered: `automate-dms doctor` looks for "
        "it",
    }
    sampled = json.loads(done.out)["sampled"]
    assert sampled["vehicles"] == 40, "of the first page and the last"
    assert "lots" in sampled
    assert "fieldOfTomorrow" in shown.out
    assert "lots" not in shown.out
    shows_none_of(done.out + shown.out, personal_values(plain) | secrets_of(plain))


def test_what_it_proposes_is_an_overlay_with_which_there_is_no_difference_left(
    hostile: Dealership, tmp_path: Path
) -> None:
    streams = ["--stream", "customers", "--stream", "deals"]
    proposed = tmp_path / "overlay.yaml"
    before = drift(hostile, *streams, "--propose", proposed)
    assert before.code == 1, before.err
    assert "dealNumber seems to be dealNo here" in before.out
    overlay = reading.read(proposed)
    assert overlay.resource("deals").fields["dealNumber"] == "dealNo"
    assert overlay.resource("customers").values == {"customerType": {"broker": None}}
    assert proposed.read_text().startswith("# What this tenant does otherwise")
    after = drift(hostile, *streams, contract_overlay=str(proposed))
    assert after.code == 0, after.out + after.err
    shows_none_of(before.out + proposed.read_text(), personal_values(hostile) | secrets_of(hostile))


def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(
    plain: Dealership, tmp_path: Path
) -> None:
    before = reads(plain)
    done = drift(plain, "--propose", tmp_path / "none" / "overlay.yaml")
    assert (done.code, done.out) == (2, "")
    assert f"There is no folder {tmp_path / 'none'}." in done.err
    assert reads(plain) == before


def test_a_file_that_is_there_is_not_written_over_and_nothing_is_asked(
    plain: Dealership, tmp_path: Path
) -> None:
    target = tmp_path / "overlay.yaml"
    target.write_text("resources: {}\n")
    before = reads(plain)
    done = drift(plain, "--propose", target)
    assert done.code == 2
    assert "is there already" in done.err
    assert target.read_text() == "resources: {}\n"
    assert reads(plain) == before


def test_what_the_login_may_not_read_is_left_out_with_the_reason(tmp_path: Path) -> None:
    with dealership(tmp_path, *OPTIONS, "--entitlements", "inventory") as dealer:
        done = drift(dealer)
    assert done.code == 0, done.err
    assert "deals: not compared, the login lacks the entitlement" in done.out


def test_a_list_whose_pages_are_none_does_not_keep_the_others_from_being_compared(
    plain: Dealership,
) -> None:
    plain.faults({"kind": "malformed", "form": "no_total", "match": {"path": "/lots*"}})
    try:
        done = drift(plain, "--json", "--stream", "lots", "--stream", "vehicles")
    finally:
        plain.control("reset-faults", {})
    assert done.code == 1, done.err
    assert [(stream, kind) for stream, kind, _ in differences(done)] == [("lots", "no page")]
    assert json.loads(done.out)["sampled"] == {"vehicles": 60}
    assert json.loads(done.out)["skipped"]["lots"].startswith("GET /lots: expected a page")
