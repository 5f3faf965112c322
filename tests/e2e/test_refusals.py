"""Logins and connections that the DMS, the network or TLS refuse: what a person is told."""

from __future__ import annotations

import json
import socket
import ssl
import typing as t

import pytest
import trustme
from support.dealership import Dealership, dealership, run
from support.dms import FakeDms
from support.failures import refused, secrets_of, shows_none_of, warned

if t.TYPE_CHECKING:
    from pathlib import Path

JUST_BEFORE_A_NEW_CODE = "2026-01-20T13:45:20Z"
"""Ten seconds to the next one-time code, so that a second try comes soon."""


@pytest.mark.parametrize("name", ["password", "platform_token", "username"])
def test_a_wrong_login_exits_5_and_names_what_to_check(
    dealer: Dealership, tmp_path: Path, name: str
) -> None:
    wrong = "wrong-and-private-4711"
    config = dealer.config(session_path=str(tmp_path / "session"), **{name: wrong})
    done = run("tap-automate", "--config", config)
    refused(done, 5, "refused the login with 401", f"`{name}`", "`automate-dms login --reset`")
    shows_none_of(done.err + done.out, {wrong, *secrets_of(dealer)})


def test_after_two_refusals_no_login_is_tried_until_a_person_resets(
    dealer: Dealership, tmp_path: Path
) -> None:
    session = str(tmp_path / "session")
    wrong = dealer.config("wrong", session_path=session, password="wrong")  # noqa: S106 - it is
    refused(run("tap-automate", "--config", wrong), 5, "One more refusal")
    refused(run("tap-automate", "--config", wrong), 5, "No further login is tried")
    sent = dealer.stats()["requests"]
    refused(run("tap-automate", "--config", wrong), 5, "No login is tried", "--reset")
    right = dealer.config(session_path=session)
    refused(run("tap-automate", "--config", right), 5, "No login is tried", "--reset")
    assert dealer.stats()["requests"] == sent
    reset = run("automate-dms", "login", "--reset", "--config", right)
    assert reset.code == 0, reset.err
    assert run("tap-automate", "--config", right).code == 0


def test_a_locked_user_is_left_alone_by_the_next_run(tmp_path: Path) -> None:
    with dealership(tmp_path, "--vehicles", "5", "--days", "2", "--mfa-type", "none",
                    "--max-failures", "1") as dealer:  # fmt: skip
        elsewhere = str(tmp_path / "elsewhere")
        wrong = dealer.config("wrong", session_path=elsewhere, password="wrong")  # noqa: S106 - it is
        assert run("tap-automate", "--config", wrong).code == 5
        config = dealer.config()
        refused(run("tap-automate", "--config", config), 5, "locked the user (423)", "--reset")
        sent = dealer.stats()["requests"]
        refused(run("tap-automate", "--config", config), 5, "No login is tried", "423")
        assert dealer.stats()["requests"] == sent


def test_a_wrong_totp_secret_is_tried_with_two_codes_and_no_more(tmp_path: Path) -> None:
    with dealership(tmp_path, "--vehicles", "5", "--days", "2",
                    "--now", JUST_BEFORE_A_NEW_CODE) as dealer:  # fmt: skip
        config = dealer.config(totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP")  # noqa: S106 - a wrong one
        done = run("tap-automate", "--config", config)
        refused(done, 5, "`totp_secret`", "No further login is tried", "--reset")
        assert dealer.stats()["rejected_codes"] == 2
        refused(run("tap-automate", "--config", config), 5, "No login is tried")
        stats = dealer.stats()
        assert (stats["rejected_codes"], stats["locked"]) == (2, False)


def test_a_missing_entitlement_leaves_out_its_streams_and_no_others(tmp_path: Path) -> None:
    with dealership(tmp_path, "--vehicles", "5", "--days", "2", "--mfa-type", "none",
                    "--entitlements", "inventory,sales") as dealer:  # fmt: skip
        done = run("tap-automate", "--config", dealer.config())
        assert done.code == 0, done.err
        warned(done, "'repair_orders' and 'repair_order_lines'", "entitlement service")
        warned(done, "Skipping 'service_appointments'", "entitlement service")
        warned(done, "'gl_entries' and 'gl_entry_lines'", "entitlement accounting")
        warned(done, "Skipping 'gl_accounts'", "entitlement accounting")
        asked = dealer.stats()["requests"]
        for stream in ("vehicles", "lots", "customers", "deals", "users", "rooftops"):
            assert len(done.records(stream)) == len(dealer.records(stream)) > 0
        assert not [call for call in asked if "accounting" in call or "service" in call]


def test_a_host_that_does_not_answer_exits_75(dealer: Dealership, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        config = dealer.config(
            api_url=address, max_wait_seconds=0.5, session_path=str(tmp_path / "session")
        )
        done = run("tap-automate", "--config", config)
    refused(done, 75, "127.0.0.1 gave no answer (connection refused)", "`api_url`", "again")
    shows_none_of(done.err, secrets_of(dealer))


def test_an_integration_that_is_not_there_exits_2(dealer: Dealership, tmp_path: Path) -> None:
    config = dealer.config(integration_id="int_other", session_path=str(tmp_path / "session"))
    refused(run("tap-automate", "--config", config), 2, "no such integration", "`integration_id`")


def test_a_certificate_of_an_unknown_authority_exits_2_and_gets_no_password(
    tmp_path: Path,
) -> None:
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with FakeDms(totp=False, tls=tls) as dms:
        path = tmp_path / "tap.json"
        path.write_text(json.dumps(dms.settings(tmp_path)))
        refused(run("tap-automate", "--config", path), 2, "not trusted", "`ca_bundle`")
        assert dms.seen == []
        path.write_text(json.dumps(dms.settings(tmp_path, ca_bundle=str(tmp_path / "ca.pem"))))
        trusted = run("tap-automate", "--config", path)
        assert trusted.code == 0, trusted.err
        assert dms.logins == 1


def test_a_plain_server_behind_https_exits_2(dealer: Dealership, tmp_path: Path) -> None:
    address = dealer.facts["api_url"].replace("http:", "https:")
    config = dealer.config(api_url=address, session_path=str(tmp_path / "session"))
    refused(run("tap-automate", "--config", config), 2, "TLS: no secure connection", "`api_url`")
