"""Commands that only ask, when SIGTERM comes while an answer does not."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import typing as t

import pytest
from support.dealership import command, environment

if t.TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["doctor", "drift"])
def test_a_command_that_is_terminated_says_so_and_ends_with_143(tmp_path: Path, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        settings = {
            "api_url": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "integration_id": "int_1",
            "platform_token": "p",
            "username": "u",
            "password": "w",
            "session_store": "memory",
        }
        config = tmp_path / "config.json"
        config.write_text(json.dumps(settings))
        with subprocess.Popen(  # noqa: S603 - our own program
            command("automate-dms", name, "--config", config),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(None),
        ) as running:
            silent.settimeout(60)
            taken, _ = silent.accept()
            running.send_signal(signal.SIGTERM)
            _, said = running.communicate(timeout=60)
            taken.close()
    assert (running.returncode, said) == (143, "Stopped by a signal; run it again\n")
