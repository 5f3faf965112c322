"""`automate-dms sandbox`: serve in the foreground, or up and down for the demo."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import typing as t
from pathlib import Path

import click

from automate_sandbox import credentials, daemon, outbox
from automate_sandbox.approvals import RULES
from automate_sandbox.idempotency import MODES, KeyRules
from automate_sandbox.instants import Clock, parse
from automate_sandbox.pages import PAGE_ORDERS
from automate_sandbox.sandbox import DEFAULTS, Rules, Sandbox, World
from automate_sandbox.server import bind, serve
from automate_sandbox.store import StoreError
from automate_sandbox.tenants.option import tenant_option

if t.TYPE_CHECKING:
    from collections.abc import Callable

    from automate_sandbox.sessions import Login

POSITIVE: t.Final = click.IntRange(min=1)
COUNT: t.Final = click.IntRange(min=0)
GREATEST_PORT: t.Final = 65_535


class UsageFault(click.ClickException):
    """A mistake of configuration or usage, told without a traceback."""

    exit_code = 2


@click.group()
def sandbox() -> None:
    """A dealership on loopback: the API with invented data, for demos and tests."""


def _world_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, text in (
        ("huge_file_bytes", "Size of the one attachment that is larger than any limit."),
        ("days", "Days of history that changes are spread over."),
        ("vehicles", "Vehicles over all rooftops; everything else grows with them."),
        ("rooftops", "Dealerships of the group."),
    ):
        option = click.option(
            f"--{name.replace('_', '-')}", type=POSITIVE, help=f"{text} [default: {DEFAULTS[name]}]"
        )
        command = option(command)
    seed = click.option(
        "--seed", type=COUNT, help=f"Decides the whole world. [default: {DEFAULTS['seed']}]"
    )
    return seed(command)


@sandbox.command("serve")
@_world_options
@tenant_option
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0 takes a free one.")
@click.option(
    "--now", help="ISO 8601 instant that the sandbox's clock starts at; default: the time."
)
@click.option(
    "--store", type=click.Path(path_type=Path), help="File that keeps the world between runs."
)
@click.option(
    "--config-out", type=click.Path(path_type=Path), help="Write a config for tap and target."
)
@click.option("--live", type=COUNT, default=0, help="Records that change each second.")
@click.option("--fractional-seconds", is_flag=True, help="Live changes carry milliseconds.")
@click.option("--latency", type=COUNT, default=0, help="Milliseconds before each answer.")
@click.option(
    "--page-order", type=click.Choice(PAGE_ORDERS), default="ascending", show_default=True,
    help="Order of lists; the API promises none.",
)  # fmt: skip
@click.option(
    "--max-page-size", type=POSITIVE, default=200, show_default=True, help="Larger sizes are cut."
)
@click.option(
    "--exclusive-bounds", is_flag=True, help="Leave rows on updatedFrom and updatedTo out."
)
@click.option(
    "--whole-second-bounds", is_flag=True,
    help="updatedFrom, updatedTo, and updatedAt beside them, count in whole seconds.",
)  # fmt: skip
@click.option(
    "--session-seconds", type=POSITIVE, default=3600, show_default=True, help="Life of a token."
)
@click.option(
    "--max-failures", type=POSITIVE, default=5, show_default=True, help="Failed logins that lock."
)
@click.option(
    "--idempotency", type=click.Choice(MODES), default="honoured", show_default=True,
    help="Whether a write that comes again with its key gets its first answer again.",
)  # fmt: skip
@click.option("--idempotency-header", default=KeyRules.header, show_default=True)
@click.option(
    "--idempotency-seconds", type=POSITIVE, default=KeyRules.seconds, show_default=True,
    help="How long such an answer is kept.",
)  # fmt: skip
@click.option(
    "--replay-header/--no-replay-header",
    default=True,
    help="Whether it says that it is no new one.",
)
@click.option(
    "--unique-references", is_flag=True,
    help="Refuse a second deal or repair order with the same reference of its writer.",
)  # fmt: skip
@click.option(
    "--external-id-echo/--no-external-id-echo", default=True,
    help="Whether appointments keep the externalId that they came with.",
)  # fmt: skip
@click.option(
    "--visible-after", type=COUNT, default=0,
    help="Milliseconds until lists and details show a change.",
)  # fmt: skip
@click.option(
    "--approvals", type=click.Choice(RULES), default="loss", show_default=True,
    help="Deals that a manager has to approve before they are delivered.",
)  # fmt: skip
@click.option("--queue-deals", is_flag=True, help="Answer 202 when a deal's status changes.")
@click.option(
    "--queue-milliseconds", type=COUNT, default=200, show_default=True,
    help="How long it takes what the API queues; closing a repair order always is.",
)  # fmt: skip
@click.option(
    "--max-upload-bytes", type=POSITIVE, default=5 << 30, show_default=True,
    help="Of a file that is attached.",
)  # fmt: skip
@click.option(
    "--idle-exit",
    type=click.FloatRange(min=0),
    default=0.0,
    help="Seconds without a request; 0 never.",
)
@click.option("--integration-id", default=credentials.DEMO_INTEGRATION, show_default=True)
@click.option("--username", help="Of the login; random if not given, as are the next three.")
@click.option("--password")
@click.option("--platform-token")
@click.option("--totp-secret", help="Base32.")
@click.option("--mfa-type", type=click.Choice(["totp", "none"]), default="totp", show_default=True)
@click.option("--entitlements", help="Comma-separated; default: all.")
@click.option("--demo-login", is_flag=True, help="Use the published credentials of the demo.")
@click.option("--pid-file", type=click.Path(path_type=Path), hidden=True)
def serve_command(**options: t.Any) -> None:  # noqa: ANN401 - what click read
    """Serve in the foreground; the first line on stdout says how to log in, as JSON.

    Its control_url takes faults, the clock and more: see the sandbox in README.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    port: int = options["port"]
    try:
        listener = bind(port)
    except OSError as error:
        message = f"Port {port} cannot be used: {error.strerror}. Name another with --port."
        raise UsageFault(message) from None
    with contextlib.ExitStack() as stack:
        stack.callback(listener.close)
        if options["pid_file"]:
            claim = daemon.claim(options["pid_file"], listener.getsockname()[1])
            try:
                stack.enter_context(claim)
            except daemon.DaemonError as error:
                raise UsageFault(str(error)) from None
        login = _login(options)
        world = _sandbox(options, login)
        stack.callback(world.close)
        said = credentials.announcement(login, options["integration_id"], listener.getsockname()[1])

        def ready() -> None:
            if options["config_out"]:
                credentials.write_config(options["config_out"], said)
            click.echo(json.dumps(said))
            sys.stdout.flush()

        code = serve(world, listener, idle_exit=options["idle_exit"], ready=ready)
    sys.exit(code)


@sandbox.command("up")
@_world_options
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path("output"), show_default=True,
    help="Where config, log and world go.",
)  # fmt: skip
@click.option(
    "--idle-minutes", type=POSITIVE, default=30, show_default=True, help="Ends after so long idle."
)
def up(folder: Path, idle_minutes: int, **world: int | None) -> None:
    """Start the demo's sandbox in the background; says so if it is up already."""
    arguments = [
        f"--{name.replace('_', '-')}={value}" for name, value in world.items() if value is not None
    ]
    try:
        click.echo(daemon.up(folder, _demo_port(), idle_minutes * 60, arguments))
    except daemon.DaemonError as error:
        raise UsageFault(str(error)) from None


@sandbox.command("down")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path("output"), show_default=True
)
def down(folder: Path) -> None:
    """Stop the sandbox that `up` started; its world stays."""
    try:
        click.echo(daemon.down(folder, _demo_port()))
    except daemon.DaemonError as error:
        raise UsageFault(str(error)) from None


@sandbox.command("outbox")
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path("output"), show_default=True,
    help="The folder of `up`; the files go to `outbox` in it.",
)  # fmt: skip
def outbox_command(folder: Path) -> None:
    """Write what a web shop has for the sandbox that is up, from leads to closed repair orders."""
    try:
        click.echo(outbox.write(folder / "outbox", _demo_port()))
    except outbox.OutboxError as error:
        raise UsageFault(str(error)) from None


def _demo_port() -> int:
    text = os.environ.get("AUTOMATE_SANDBOX_PORT") or str(daemon.DEFAULT_PORT)
    if not text.isdigit() or not 0 < int(text) <= GREATEST_PORT:
        message = "AUTOMATE_SANDBOX_PORT: expected a port from 1 to 65535."
        raise UsageFault(message)
    return int(text)


def _login(options: dict[str, t.Any]) -> Login:
    names = ("username", "password", "platform_token", "totp_secret", "mfa_type")
    if options["demo_login"]:
        login = credentials.DEMO_LOGIN
    else:
        login = credentials.random_login(**{name: options[name] for name in names})
    if options["entitlements"] is None:
        return login
    try:
        return credentials.with_entitlements(login, options["entitlements"])
    except ValueError as error:
        message = f"--entitlements: {error}."
        raise UsageFault(message) from None


def _sandbox(options: dict[str, t.Any], login: Login) -> Sandbox:
    try:
        clock = Clock.starting_at(parse(options["now"])) if options["now"] else Clock()
    except ValueError:
        message = "--now: expected an ISO 8601 instant such as 2026-01-20T13:45:00Z."
        raise UsageFault(message) from None
    rules = Rules(
        integration_id=options["integration_id"],
        page_order=options["page_order"],
        max_page_size=options["max_page_size"],
        exclusive_bounds=options["exclusive_bounds"],
        whole_second_bounds=options["whole_second_bounds"],
        latency=options["latency"],
        session_seconds=options["session_seconds"],
        max_failures=options["max_failures"],
        live=options["live"],
        fractional_seconds=options["fractional_seconds"],
        keys=KeyRules(
            mode=options["idempotency"],
            header=options["idempotency_header"],
            seconds=options["idempotency_seconds"],
            says_replay=options["replay_header"],
        ),
        unique_references=options["unique_references"],
        external_id_echo=options["external_id_echo"],
        visible_after=options["visible_after"],
        approvals=options["approvals"],
        queue_deals=options["queue_deals"],
        queue_milliseconds=options["queue_milliseconds"],
        max_upload_bytes=options["max_upload_bytes"],
        tenant=options["tenant"],
    )
    world = World(**{name: options[name] for name in DEFAULTS})
    try:
        return Sandbox(world, rules, login, clock, options["store"])
    except StoreError as error:
        raise UsageFault(str(error)) from None
