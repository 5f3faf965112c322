"""`sandbox serve` as a process: its first line, its config, its store, its end."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import time
import typing as t

import pytest
import requests
from support.dealership import BIN, environment
from support.visitor import Visitor, serving, visiting

from automate_sandbox.api import Api
from automate_sandbox.credentials import random_login
from automate_sandbox.front import Front
from automate_sandbox.instants import Clock
from automate_sandbox.money import decode
from automate_sandbox.sandbox import Rules, Sandbox, World

if t.TYPE_CHECKING:
    from pathlib import Path

PROGRAM: t.Final = str(BIN / "automate-dms")


def serve(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a `serve` that is expected to end by itself."""
    return subprocess.run(  # noqa: S603 - our own program
        [PROGRAM, "sandbox", "serve", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environment(),
    )


def test_the_first_line_and_the_config_say_how_to_log_in(tmp_path: Path) -> None:
    with serving(tmp_path, "--vehicles", "5") as served:
        assert set(served.facts) == {
            "api_url",
            "integration_id",
            "platform_token",
            "username",
            "password",
            "mfa_type",
            "totp_secret",
            "control_url",
        }
        path = tmp_path / "sandbox.json"
        config = json.loads(path.read_text())
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert {
            k: v for k, v in served.facts.items() if k != "control_url"
        }.items() <= config.items()
        assert config["cooldown_seconds"] == 2
        assert config["overlap_seconds"] == 60
        assert config["requests_per_second"] >= 1000
        assert os.path.isabs(config["session_path"])  # noqa: PTH117 - a string of the config
        guest = Visitor(served)
        assert guest.login().ok
        guest.http.close()


def test_two_servers_have_credentials_of_their_own(tmp_path: Path) -> None:
    with (
        serving(tmp_path, "--vehicles", "3") as one,
        serving(tmp_path, "--vehicles", "3") as two,
    ):
        for name in ("platform_token", "username", "password", "totp_secret", "api_url"):
            assert one.facts[name] != two.facts[name]


def test_given_credentials_are_taken(tmp_path: Path) -> None:
    options = (
        "--username",
        "me",
        "--password",
        "pw",
        "--platform-token",
        "pt",
        "--mfa-type",
        "none",
    )
    with serving(tmp_path, "--vehicles", "3", *options) as served:
        said = served.facts
        assert (said["username"], said["password"], said["platform_token"]) == ("me", "pw", "pt")


def test_seed_and_now_make_the_same_world_in_every_process(tmp_path: Path) -> None:
    worlds = []
    for _ in range(2):
        with serving(tmp_path, "--vehicles", "30", "--now", "2026-03-18T17:30:00Z") as served:
            worlds.append([served.records(stream) for stream in served.control("info")["records"]])
            anchor = served.control("info")["anchor"]
    assert worlds[0] == worlds[1]
    assert anchor.startswith("2026-03-18T17:30:0")


def test_a_killed_server_comes_back_with_the_same_world_and_history(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "world.db"), "--mfa-type", "none")
    with (
        serving(tmp_path, "--vehicles", "40", "--live", "400", *store) as served,
        visiting(served) as guest,
    ):
        answer = guest.post("/customers", {"externalId": "kept"})
        assert answer.ok
        length = served.stats()["lastSeq"]
        deadline = time.monotonic() + 20
        while served.stats()["lastSeq"] < length + 100 and time.monotonic() < deadline:
            time.sleep(0.02)
        seen = served.control("history?limit=1000000")
        served.kill()
    with serving(tmp_path, *store) as served:
        kept = served.control("history?limit=1000000")
        assert kept[: len(seen)] == seen
        assert served.control("info")["vehicles"] == 40
        latest = {(e["stream"], e["key"]): e["record"] for e in kept if e["stream"]}
        for stream in served.control("info")["records"]:
            truth = served.records(stream)
            assert truth == [r for (s, _), r in sorted(_named(latest)) if s == stream]
        served.live(400)
        guest = Visitor(served)
        guest.login()
        again = guest.post("/customers", {"externalId": "kept"})
        assert again.json()["customerId"] == answer.json()["customerId"]
        new = guest.post("/customers", {"externalId": "new"}).json()["customerId"]
        assert new not in {e["key"] for e in kept}
        guest.http.close()


def _named(latest: dict[tuple[str, str], t.Any]) -> list[tuple[tuple[str, str], t.Any]]:
    return sorted(latest.items(), key=lambda item: item[0])


def test_a_store_of_another_world_is_refused(tmp_path: Path) -> None:
    store = ("--store", str(tmp_path / "world.db"))
    with serving(tmp_path, "--vehicles", "5", *store):
        pass
    done = serve("--vehicles", "6", *store)
    assert done.returncode == 2
    assert "holds a world with vehicles 5, asked for is 6" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--now", "yesterday"), "--now: expected an ISO 8601 instant"),
        (("--entitlements", "sales,all"), "--entitlements: 'all' is no entitlement"),
        (("--page-order", "random"), "is not one of 'ascending'"),
        (("--vehicles", "0"), "--vehicles"),
        (("--store", "/dev/null/world.db"), "cannot be created"),
    ],
)
def test_bad_options_end_with_a_clear_message_and_exit_code_2(
    arguments: tuple[str, ...], message: str
) -> None:
    done = serve(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    del tmp_path
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = serve("--port", str(taken.getsockname()[1]))
    assert done.returncode == 2
    assert "cannot be used: Address already in use" in done.stderr


def test_it_ends_by_itself_when_idle_though_its_world_moves(tmp_path: Path) -> None:
    with serving(tmp_path, "--vehicles", "3", "--idle-exit", "0.3", "--live", "50") as served:
        assert served.process.wait(20) == 0


def test_a_request_that_is_being_answered_is_not_idle() -> None:
    sandbox = Sandbox(World(1, 1, 3, 5), Rules("test"), random_login(), Clock())
    api = Api(sandbox)
    front = Front(sandbox, api, api.router)
    front.last_request = 100.0
    assert front.idle_seconds(107.5) == 7.5
    front.in_flight = 1
    assert front.idle_seconds(107.5) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_with_the_signals_exit_code(
    tmp_path: Path, number: signal.Signals
) -> None:
    with serving(tmp_path, "--vehicles", "3") as served:
        served.process.send_signal(number)
        assert served.process.wait(20) == 128 + number


def test_shutdown_by_control_ends_it(tmp_path: Path) -> None:
    with serving(tmp_path, "--vehicles", "3") as served:
        assert served.control("shutdown", {})["pid"] == served.process.pid
        assert served.process.wait(20) == 0


def test_the_page_order_of_the_command_line_is_served(tmp_path: Path) -> None:
    options = ("--vehicles", "40", "--page-order", "unstable", "--mfa-type", "none")
    with (
        serving(tmp_path, *options, "--max-page-size", "30", "--latency", "1") as served,
        visiting(served) as guest,
    ):
        answers = [guest.get("/vehicles", pageSize=100).json() for _ in range(3)]
        assert {answer["pageSize"] for answer in answers} == {30}
        assert len({json.dumps(answer["items"]) for answer in answers}) == 3


def test_an_answer_comes_in_one_packet(tmp_path: Path) -> None:
    with serving(tmp_path, "--vehicles", "3") as served:
        port = int(served.facts["api_url"].rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port)) as client:
            for _ in range(20):
                client.sendall(b"GET /__sandbox__/info HTTP/1.1\r\nHost: localhost\r\n\r\n")
                head, _, body = client.recv(65_536).partition(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                assert len(body) == length
                assert decode(body)["pid"] == served.process.pid


def test_the_control_calls_refuse_other_names_of_the_host(tmp_path: Path) -> None:
    with serving(tmp_path, "--vehicles", "3") as served:
        answer = requests.get(
            served.facts["control_url"] + "/info", headers={"Host": "evil.example"}, timeout=30
        )
        assert answer.status_code == 403
        assert requests.get(served.facts["control_url"] + "/nothing", timeout=30).status_code == 404
        for call, body in (("live", {"rate": -1}), ("live", [1]), ("faults", {"kind": "none"})):
            url = f"{served.facts['control_url']}/{call}"
            assert requests.post(url, json=body, timeout=30).status_code == 422
        assert (
            requests.get(served.facts["control_url"] + "/records/boats", timeout=30).status_code
            == 404
        )
        assert (
            requests.get(served.facts["control_url"] + "/history?since=x", timeout=30).status_code
            == 400
        )
