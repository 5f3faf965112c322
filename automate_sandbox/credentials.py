"""How a client reaches a sandbox: the line that `serve` prints, and a config for tap and target."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import typing as t

import pyotp

from automate_sandbox.sessions import ENTITLEMENTS, Login

if t.TYPE_CHECKING:
    from pathlib import Path

DEMO_INTEGRATION: t.Final = "sandbox"
DEMO_LOGIN: t.Final = Login(
    platform_token="sandbox-platform-token",  # noqa: S106 - published, opens only the demo
    username="demo@dealer.example",
    password="sandbox-only",  # noqa: S106 - published, opens only the demo
    mfa_type="totp",
    totp_secret="JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",  # noqa: S106 - published, opens only the demo
)
"""Fixed, so that Meltano's `sandbox` environment can name them."""

REQUESTS_PER_SECOND: t.Final = 10_000
COOLDOWN_SECONDS: t.Final = 2
OVERLAP_SECONDS: t.Final = 60


def random_login(**given: str | None) -> Login:
    """Make a login that nobody can guess, but for the parts that are given."""
    parts = {
        "platform_token": secrets.token_urlsafe(24),
        "username": f"user-{secrets.token_hex(4)}",
        "password": secrets.token_urlsafe(18),
        "mfa_type": "totp",
        "totp_secret": pyotp.random_base32(),
    }
    parts |= {name: text for name, text in given.items() if text is not None}
    return Login(
        platform_token=parts["platform_token"],
        username=parts["username"],
        password=parts["password"],
        mfa_type=parts["mfa_type"],
        totp_secret=parts["totp_secret"],
    )


def with_entitlements(login: Login, names: str) -> Login:
    """Limit a login to some entitlements.

    Args:
        login: Any.
        names: Separated by commas.

    Raises:
        ValueError: A name is none of the API's.
    """
    chosen = tuple(name.strip() for name in names.split(",") if name.strip())
    for name in chosen:
        if name not in ENTITLEMENTS:
            message = f"{name!r} is no entitlement; there are {', '.join(ENTITLEMENTS)}"
            raise ValueError(message)
    return dataclasses.replace(login, entitlements=chosen)


def announcement(login: Login, integration_id: str, port: int) -> dict[str, str]:
    """Say how to reach a sandbox: the first line that `serve` prints."""
    url = f"http://127.0.0.1:{port}"
    return {
        "api_url": url,
        "integration_id": integration_id,
        "platform_token": login.platform_token,
        "username": login.username,
        "password": login.password,
        "mfa_type": login.mfa_type,
        "totp_secret": login.totp_secret,
        "control_url": f"{url}/__sandbox__",
    }


def write_config(path: Path, said: dict[str, str]) -> None:
    """Write a config that tap and target take as it is: never half, for its owner's eyes alone.

    Args:
        path: Of the file. Session files go into a folder of their own beside it.
        said: The announcement.
    """
    path = path.absolute()
    config = {name: text for name, text in said.items() if name != "control_url"} | {
        "session_path": str(path.with_suffix(".session")),
        "cooldown_seconds": COOLDOWN_SECONDS,
        "overlap_seconds": OVERLAP_SECONDS,
        "requests_per_second": REQUESTS_PER_SECOND,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(json.dumps(config, indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    aside.replace(path)
