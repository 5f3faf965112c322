"""The option `--tenant` of `sandbox serve`, and the options that come with a tenant."""

from __future__ import annotations

import difflib
import typing as t

import click

from automate_sandbox.tenants.reading import SHIPPED, TenantError, read

if t.TYPE_CHECKING:
    from automate_sandbox.tenants.tenant import Tenant

MANNERS: t.Final = frozenset(
    {
        "approvals",
        "entitlements",
        "exclusive_bounds",
        "external_id_echo",
        "fractional_seconds",
        "idempotency",
        "idempotency_header",
        "idempotency_seconds",
        "latency",
        "max_failures",
        "max_page_size",
        "max_upload_bytes",
        "mfa_type",
        "page_order",
        "queue_deals",
        "queue_milliseconds",
        "replay_header",
        "session_seconds",
        "unique_references",
        "visible_after",
        "whole_second_bounds",
    }
)
"""Options of `serve` that a tenant's file may give: how the API behaves, not what it serves."""


def _follow(context: click.Context, _: click.Parameter, name: str | None) -> Tenant | None:
    """Read a tenant's file; its options hold where the command line gives none.

    Raises:
        click.BadParameter: It cannot be used.
    """
    if name is None:
        return None
    try:
        tenant = read(name)
    except TenantError as error:
        raise click.BadParameter(str(error)) from None
    options = {option.replace("-", "_"): value for option, value in tenant.options.items()}
    for option in options.keys() - MANNERS:
        near = difflib.get_close_matches(option, MANNERS, n=1)
        hint = f"; the nearest is {near[0].replace('_', '-')}" if near else ""
        message = f"{name}: options.{option.replace('_', '-')}: a tenant has no such option{hint}"
        raise click.BadParameter(message)
    context.default_map = {**(context.default_map or {}), **options}
    return tenant


tenant_option = click.option(
    "--tenant",
    metavar=f"{'|'.join(SHIPPED)}|FILE",
    is_eager=True,
    callback=_follow,
    help="Differ from the contract as this one does: other paths and names, more fields and words, "
    "modules that are not there. docs/sandbox-tenants.md has the format of the YAML file.",
)
"""Its value is the tenant, None without one."""
