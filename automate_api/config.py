"""The settings that all programs share: where the API is, who logs in, how patiently."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import ssl
import typing as t
import urllib.parse
from pathlib import Path

from automate_api import redaction, settings
from automate_api.errors import ConfigError
from automate_api.mfa import Totp
from automate_api.tenant import endpoints, personal, reading

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.tenant.overlay import Overlay

DEFAULT_API_URL: t.Final = "https://api.supergood.ai"

SETTINGS: t.Final[Mapping[str, Mapping[str, t.Any]]] = {
    "api_url": {
        "type": "string",
        "default": DEFAULT_API_URL,
        "description": "Address of the API: https, or http on a loopback address.",
    },
    "integration_id": {
        "type": "string",
        "description": "The integration's id; requests go to "
        "`<api_url>/integrations/<integration_id>`.",
    },
    "platform_token": {
        "type": "string",
        "secret": True,
        "writeOnly": True,
        "description": "The platform's token as it was issued; it is encoded here.",
    },
    "username": {"type": "string", "description": "The DMS login."},
    "password": {
        "type": "string",
        "secret": True,
        "writeOnly": True,
        "description": "The DMS login's password.",
    },
    "mfa_type": {
        "type": "string",
        "enum": ["none", "totp"],
        "default": "none",
        "description": "The second factor of the login.",
    },
    "totp_secret": {
        "type": ["string", "null"],
        "secret": True,
        "writeOnly": True,
        "description": "With `mfa_type: totp`: the base32 secret shown when the factor was "
        "enrolled.",
    },
    "session_store": {
        "type": "string",
        "enum": ["file", "memory"],
        "default": "file",
        "description": (
            "Where the session lives: in a file that all processes of this user share, "
            "or in memory, where each process logs in by itself."
        ),
    },
    "session_path": {
        "type": ["string", "null"],
        "description": (
            "Directory of the session files, made with mode 0700. "
            "Default: `$XDG_STATE_HOME/automate-dms`, or `~/.local/state/automate-dms`."
        ),
    },
    "requests_per_second": {
        "type": "number",
        "minimum": 0.01,
        "default": 10,
        "description": (
            "Requests a second that one process sends at most; halved after a 429, and raised "
            "slowly again."
        ),
    },
    "max_wait_seconds": {
        "type": "number",
        "minimum": 0,
        "default": 900,
        "description": "Longest time that one request waits for a busy or throttling API; then "
        "exit 75.",
    },
    "request_timeout_seconds": {
        "type": "number",
        "minimum": 0.1,
        "maximum": 86400,
        "default": 60,
        "description": "Seconds without a byte from the API after which a request counts as lost.",
    },
    "ca_bundle": {
        "type": ["string", "null"],
        "description": "PEM file of the certificate authorities to trust instead of the public "
        "ones.",
    },
    "endpoints": {
        "type": ["object", "null"],
        "additionalProperties": {"type": "string"},
        "description": (
            "Paths of this tenant where they differ from the contract, by stream or sink: "
            '`{"repair_orders": "/service/ros"}`. The calls below a record follow its list; one '
            "elsewhere has `{id}` where the record's id stands."
        ),
    },
    "contract_overlay": {
        "type": ["string", "null"],
        "minLength": 1,
        "description": (
            "File (YAML or JSON) of what this tenant does otherwise than the contract: paths, "
            "names, words, further fields, personal data, what it does not offer."
        ),
    },
}
"""JSON Schema of each setting, as `--about` prints it; `secret` marks what is never shown."""

REQUIRED: t.Final = ("integration_id", "platform_token", "username", "password")

SCHEMA: t.Final[Mapping[str, t.Any]] = {
    "type": "object",
    "properties": SETTINGS,
    "required": list(REQUIRED),
}

_INTEGRATION_ID: t.Final = re.compile(r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*")
_ENDPOINT: t.Final = re.compile(r"(/(\{id\}|[A-Za-z0-9_~-][A-Za-z0-9._~-]*))+")


@dataclasses.dataclass(frozen=True, kw_only=True)
class ApiConfig:
    """Checked settings; make one with `from_settings`.

    Attributes:
        api_url: Without a slash at the end.
        session_path: Directory of the session files; None when the session lives in memory.
        ca_bundle: PEM file, None for the public authorities.
        endpoints: Stream or write to the path it has at this tenant.
        overlay: What this tenant does otherwise than the contract, None where it does nothing so.

    The others are as `SETTINGS` describes them. The representation shows no secret.
    """

    api_url: str
    integration_id: str
    platform_token: str = dataclasses.field(repr=False)
    username: str = dataclasses.field(repr=False)
    password: str = dataclasses.field(repr=False)
    totp_secret: str | None = dataclasses.field(repr=False)
    session_path: Path | None
    requests_per_second: float
    max_wait_seconds: float
    request_timeout_seconds: float
    ca_bundle: Path | None
    endpoints: Mapping[str, str]
    overlay: Overlay | None = None

    @classmethod
    def from_settings(
        cls, values: Mapping[str, t.Any], *, program: str = "automate-dms"
    ) -> ApiConfig:
        """Check settings and fill in defaults.

        Secret values are registered with `redaction`, before anything can complain about them.

        Args:
            values: Setting to value, from a file or the environment; text is brought to its type,
                null and empty text count as not given, and settings of other parts of a program are
                ignored.
            program: Whose settings they are, for messages.

        Raises:
            ConfigError: With one line for each setting that is missing or wrong; where they are
                right, with one for each part of the overlay that is wrong.
        """
        redaction.register_settings(SCHEMA, values)
        given = {name: values[name] for name in SETTINGS if values.get(name) not in (None, "")}
        defaults = {name: rule["default"] for name, rule in SETTINGS.items() if "default" in rule}
        merged = {**defaults, **settings.coerce(SCHEMA, given)}
        settings.check(SCHEMA, merged, program=program, further=_problems)
        totp = merged["mfa_type"] == "totp"
        return cls(
            api_url=merged["api_url"].rstrip("/"),
            integration_id=merged["integration_id"],
            platform_token=merged["platform_token"],
            username=merged["username"],
            password=merged["password"],
            totp_secret=merged["totp_secret"] if totp else None,
            session_path=_session_path(merged) if merged["session_store"] == "file" else None,
            requests_per_second=float(merged["requests_per_second"]),
            max_wait_seconds=float(merged["max_wait_seconds"]),
            request_timeout_seconds=float(merged["request_timeout_seconds"]),
            ca_bundle=Path(merged["ca_bundle"]) if "ca_bundle" in merged else None,
            endpoints=dict(merged.get("endpoints", {})),
            overlay=overlay_of(merged),
        )

    @property
    def base_url(self) -> str:
        """The address that paths of the contract are appended to."""
        return f"{self.api_url}/integrations/{self.integration_id}"

    @property
    def host(self) -> str:
        """The API's host name, for messages."""
        return urllib.parse.urlsplit(self.api_url).hostname or ""

    @property
    def is_loopback(self) -> bool:
        """Whether the API is on this machine."""
        return is_loopback(self.host)


def overlay_of(values: Mapping[str, t.Any]) -> Overlay | None:
    """Read the overlay that settings name, and have what it says is personal kept out of logs.

    Args:
        values: Setting to value; null and empty text count as not given.

    Returns:
        The overlay; None where none is named.

    Raises:
        ConfigError: When it cannot be read, is wrong, or says another path than `endpoints`.
    """
    named = values.get("contract_overlay")
    if not isinstance(named, str) or not named:
        return None
    overlay = reading.read(settings.path("contract_overlay", named))
    moved = values.get("endpoints")
    if isinstance(moved, dict) and (found := endpoints.problems(overlay, moved)):
        msg = "\n  - ".join(["`endpoints` and `contract_overlay` cannot be used together.", *found])
        raise ConfigError(msg)
    redaction.register_personal(personal.fields(overlay), personal.parameters(overlay))
    return overlay


def is_loopback(host: str) -> bool:
    """Tell whether a host, as an address names it, is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _session_path(merged: Mapping[str, t.Any]) -> Path:
    if "session_path" in merged:
        return settings.path("session_path", merged["session_path"])
    return settings.state_home("session_path")


def _problems(merged: Mapping[str, t.Any]) -> list[str]:
    found = _url_problems(merged["api_url"]) if "api_url" in merged else []
    if "integration_id" in merged and not _INTEGRATION_ID.fullmatch(merged["integration_id"]):
        found.append("`integration_id` must be letters, digits and any of `-_.~`")
    if merged.get("mfa_type") == "totp":
        found += _totp_problems(merged.get("totp_secret"))
    if "ca_bundle" in merged:
        found += _ca_bundle_problems(merged["ca_bundle"])
    found += [
        f"`endpoints.{name}` must be a path such as `/service/ros`"
        for name, path in merged.get("endpoints", {}).items()
        if not _ENDPOINT.fullmatch(path)
    ]
    return found


def _url_problems(url: str) -> list[str]:
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return ["`api_url` must be an address such as `https://api.supergood.ai`"]
    if parts.scheme not in {"https", "http"} or not host:
        return ["`api_url` must be an address such as `https://api.supergood.ai`"]
    found = []
    if parts.scheme == "http" and not is_loopback(host):
        found.append("`api_url` must be https; plain http is accepted for loopback addresses alone")
    if parts.username is not None or parts.query or parts.fragment:
        found.append("`api_url` must have no user, query or fragment")
    return found


def _totp_problems(secret: str | None) -> list[str]:
    if secret is None:
        return ["`totp_secret` is required with `mfa_type: totp` and missing"]
    try:
        Totp(secret)
    except ValueError:
        return ["`totp_secret` must be base32 (letters A to Z, digits 2 to 7)"]
    return []


def _ca_bundle_problems(path: str) -> list[str]:
    try:
        ssl.create_default_context(cafile=path)
    except (OSError, ValueError):
        return ["`ca_bundle` must be a readable file of PEM certificates"]
    return []
