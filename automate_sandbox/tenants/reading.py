"""Tenants from files: one that ships with the sandbox, or one's own."""

from __future__ import annotations

import importlib.resources
import typing as t
from pathlib import Path

import yaml

from automate_sandbox.tenants.checks import problems
from automate_sandbox.tenants.tenant import Tenant

SHIPPED: t.Final = ("hostile",)
"""Tenants that come with the sandbox, by name."""

FOLDER: t.Final = importlib.resources.files("automate_sandbox") / "tenants"


class TenantError(ValueError):
    """A tenant's file that cannot be used; the message names what is wrong in it."""


def read(name: str) -> Tenant:
    """Read a tenant's file.

    Args:
        name: Of a shipped one, or the path of a file.

    Raises:
        TenantError: It cannot be read, or says what cannot be.
    """
    text = (FOLDER / f"{name}.yaml").read_text("utf-8") if name in SHIPPED else _text(name)
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark else ""
        message = f"{name}{place}: this is no YAML."
        raise TenantError(message) from None
    content = {} if content is None else content
    found = problems(content)
    if found:
        raise TenantError("\n".join(f"{name}: {problem}" for problem in found))
    return Tenant(**content)


def _text(name: str) -> str:
    try:
        return Path(name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no UTF-8"
        message = f"{name}: {reason}; expected one of {', '.join(SHIPPED)}, or a YAML file."
        raise TenantError(message) from None
