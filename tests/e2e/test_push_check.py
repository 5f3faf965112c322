"""`automate-dms push check`: what may be written, by which journal, and what keys are good for."""

from __future__ import annotations

import typing as t

import pytest
from support.dealership import dealership
from support.pushing import Pushing, journal_files, push

from target_automate.journal.file import change_journal
from target_automate.sending.keys import PROOF
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from pathlib import Path

KEY: t.Final = "a key of the journal, long enough"


def told(pushing: Pushing, subject: str, **settings: t.Any) -> str:  # noqa: ANN401 - settings
    """Read what a check says about something."""
    done = push(pushing, "check", **settings)
    assert done.code == 0, done.err
    (line,) = [line for line in done.out.splitlines() if line.startswith(f"{subject}: ")]
    return line.removeprefix(f"{subject}: ")


def test_check_logs_in_and_writes_nothing(pushing: Pushing) -> None:
    before = pushing.dealer.stats()["lastSeq"]
    done = push(pushing, "check")
    assert done.code == 0, done.err
    for sink in SINKS:
        assert f"{sink.object}: may be written\n" in done.out
    assert journal_files(pushing.folder) == {}
    assert pushing.dealer.stats()["lastSeq"] == before


def test_check_says_why_a_login_is_refused(pushing: Pushing) -> None:
    wrong = {"password": "no", "session_store": "memory"}
    done = push(pushing, "check", **wrong)
    assert done.code == 5
    assert "Traceback" not in done.err
    pushing.dealer.control("unlock", {})


def test_what_a_login_may_not_write_ends_a_check_with_1_unless_it_is_not_pushed(
    tmp_path: Path,
) -> None:
    with dealership(tmp_path, "--vehicles", "5", "--days", "2", "--mfa-type", "none",
                    "--entitlements", "service") as dealer:  # fmt: skip
        pushing = Pushing(dealer, tmp_path)
        done = push(pushing, "check")
        assert "customers: may be written" in done.out
        assert "deals: needs sales" in done.out
        assert "service_appointments: may be written" in done.out
        unread = "list of deals: cannot be read, and attachments may need it. GET /deals: the DMS"
        assert f"{unread} answered 403" in done.out
        assert done.code == 1
        selling = "deals, deal_statuses, deal_terms, vehicle_prices, vehicle_photos"
        assert f"may not write {selling}." in done.err
        others = push(pushing, "check", "--object", "customers", "--object", "service_appointments")
        assert others.code == 0, others.err
        assert "deals" not in others.out


def test_check_says_which_lists_are_not_where_records_would_be_looked_up(tmp_path: Path) -> None:
    tenant, overlay = tmp_path / "tenant.yaml", tmp_path / "overlay.yaml"
    tenant.write_text("paths: {vehicles: /inventory/units}\nabsent: [listRepairOrders]\n")
    with dealership(tmp_path, "--vehicles", "5", "--days", "2", "--mfa-type", "none",
                    "--tenant", str(tenant)) as dealer:  # fmt: skip
        pushing = Pushing(dealer, tmp_path)
        files = push(pushing, "check", "--object", "attachments", "--object", "deals")
        assert files.code == 0, files.err
        needed = "cannot be read, and attachments may need it. GET /"
        assert f"list of vehicles: {needed}vehicles: the DMS answered 404" in files.out
        assert f"list of repair_orders: {needed}service/repair-orders: the DMS" in files.out
        assert "list of deals" not in files.out
        prices = push(pushing, "check", "--object", "vehicle_prices", "--object", "deal_statuses")
        assert prices.code == 1
        assert "vehicle_prices: may be written\n" in prices.out
        assert "What vehicle_prices change cannot be looked up." in prices.err
        overlay.write_text(
            "resources: {vehicles: {path: /inventory/units}}\n"
            "calls: {listRepairOrders: {offered: false}}\n"
        )
        mended = push(pushing, "check", contract_overlay=str(overlay))
        assert mended.code == 0, mended.err
        assert "list of vehicles" not in mended.out
        assert "list of repair_orders: cannot be read" in mended.out


def test_check_opens_the_journal_and_leaves_it_as_it_is(pushing: Pushing) -> None:
    assert told(pushing, "journal") == f"{pushing.journal_path}, made by the first push"
    assert pushing.push(pushing.customer(1), pushing.deal(2)).code == 0
    before = journal_files(pushing.folder)
    assert told(pushing, "journal") == f"{pushing.journal_path}, 2 writes, 1 of them open"
    assert journal_files(pushing.folder) == before


def test_a_journal_that_a_push_could_not_use_fails_a_check(pushing: Pushing) -> None:
    assert pushing.push(pushing.customer(1)).code == 0
    keyed = push(pushing, "check", journal_key=KEY)
    assert keyed.code == 2
    assert "not encrypted" in keyed.err
    other = push(pushing, "check", integration_id="other")
    assert other.code == 2
    assert "/other" in other.err


@pytest.mark.parametrize("policy", ["honoured", "ignored"])
def test_check_says_whether_the_settings_rely_on_keys(pushing: Pushing, policy: str) -> None:
    said = told(pushing, "keys", idempotency_honoured=policy)
    assert said.startswith(f"{policy}, say the settings")


def test_check_says_whether_an_answer_has_shown_that_keys_are_honoured(pushing: Pushing) -> None:
    assert "not relied on" in told(pushing, "keys")
    assert pushing.push(pushing.customer(1)).code == 0
    with change_journal(pushing.journal_path) as journal:
        journal.set_fact(PROOF, "yes")
    assert told(pushing, "keys").startswith("honoured, an answer has shown")
