"""A sandbox whose process a test holds, and a visitor who speaks plain HTTP to it."""

from __future__ import annotations

import base64
import contextlib
import json
import subprocess
import typing as t

import pyotp
import requests

from automate_sandbox import contract_file
from automate_sandbox.money import decode
from support.dealership import BIN, Dealership, environment

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Shop(Dealership):
    """A running sandbox with its process."""

    def __init__(self, process: subprocess.Popen[str], directory: Path) -> None:
        assert process.stdout is not None
        super().__init__(json.loads(process.stdout.readline()), directory)
        self.process = process

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self.process.kill()
        self.process.wait(30)


@contextlib.contextmanager
def serving(directory: Path, *arguments: str) -> Iterator[Shop]:
    """Serve a sandbox on a free port until the block, or the process, ends."""
    command = [str(BIN / "automate-dms"), "sandbox", "serve", *arguments]
    command += ["--config-out", str(directory / "sandbox.json")]
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.PIPE, text=True, env=environment()
    ) as process:
        try:
            yield Shop(process, directory)
        finally:
            process.terminate()
            process.wait(30)


class Visitor:
    """Sends requests to a sandbox, logged in once.

    The code of a TOTP step counts once, so whoever logs in again first moves to the next step.
    """

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.http = requests.Session()
        self.http.trust_env = False
        self.base = f"{shop.facts['api_url']}/integrations/{shop.facts['integration_id']}"
        self.token = ""

    def login(self, **changes: t.Any) -> requests.Response:  # noqa: ANN401 - parts of the body
        """Log in with the right credentials, changed by `changes`; keep the token."""
        facts = self.shop.facts
        platform_token = changes.pop("platform_token", facts["platform_token"])
        body = {"username": facts["username"], "password": facts["password"]}
        if facts["mfa_type"] == "totp":
            code = pyotp.TOTP(facts["totp_secret"]).now()
            body |= {"mfa": {"type": "totp", "code": code}}
        basic = base64.b64encode(platform_token.encode()).decode()
        answer = self.http.post(
            f"{self.base}/sessions",
            json=body | changes,
            headers={"Authorization": f"Basic {basic}"},
            timeout=30,
        )
        if answer.ok:
            self.token = answer.json()["authToken"]
        return answer

    def get(self, path: str, **parameters: str | int) -> requests.Response:
        return self.send("GET", path, params=parameters)

    def post(self, path: str, body: object) -> requests.Response:
        return self.send("POST", path, json=body)

    def send(self, method: str, path: str, **options: t.Any) -> requests.Response:  # noqa: ANN401
        headers = {"Authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return self.http.request(
            method, self.base + path, headers=headers, timeout=30, allow_redirects=False, **options
        )

    def all(self, path: str, size: int = 200, **parameters: str | int) -> list[dict[str, t.Any]]:
        """Read every page of a list, numbers exact."""
        items: list[dict[str, t.Any]] = []
        page = 1
        while True:
            answer = self.get(path, page=page, pageSize=size, **parameters)
            assert answer.status_code == 200, answer.text
            envelope = decode(answer.content)
            items += envelope["items"]
            if page * envelope["pageSize"] >= envelope["total"]:
                return items
            page += 1


@contextlib.contextmanager
def visiting(shop: Shop) -> Iterator[Visitor]:
    """Log in at a sandbox for the block."""
    guest = Visitor(shop)
    try:
        assert guest.login().ok
        yield guest
    finally:
        guest.http.close()


def error_of(answer: requests.Response) -> dict[str, t.Any]:
    """Take the error out of an answer that keeps the contract's envelope."""
    body = answer.json()
    assert contract_file.validator("Error").is_valid(body)
    assert body["error"]["requestId"] == answer.headers["X-Request-Id"]
    error: dict[str, t.Any] = body["error"]
    return error
