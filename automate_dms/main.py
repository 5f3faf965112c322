"""The `automate-dms` command: a group for each thing that a person does, loaded when named."""

from __future__ import annotations

import importlib
import typing as t

import click

from automate_api.program import run

GROUPS: t.Final = {
    "audit": (
        "automate_dms.audit:audit",
        "Compare a warehouse with the DMS; write what repairs it.",
    ),
    "doctor": (
        "automate_dms.doctor.command:doctor",
        "Find out what a tenant really answers, and what to set for it.",
    ),
    "drift": (
        "automate_dms.drift.command:drift",
        "Compare a sample of the DMS's records with the contract.",
    ),
    "login": ("automate_dms.login:login", "Log in once, so that jobs refresh from then on."),
    "push": (
        "target_automate.push.group:push",
        "Plan, approve and settle what is written to the DMS.",
    ),
    "reference": (
        "automate_dms.reference:reference",
        "Write the pages about streams, settings and exit codes.",
    ),
    "sandbox": ("automate_sandbox.cli:sandbox", "A dealership on loopback: serve, up, down."),
    "warehouse": ("target_warehouse.cli:warehouse", "Look at the DuckDB warehouse."),
}
"""Command to (`module:attribute`, one line for `--help`); the module is imported only when used."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands in the order of the alphabet."""
        return sorted(GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command that was named; None when there is no such command."""
        if cmd_name not in GROUPS:
            return None
        module, _, attribute = GROUPS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, GROUPS[name][1]) for name in sorted(GROUPS)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="automate-dms")
def automate_dms() -> None:
    """What a person does with the Auto/Mate connector."""


def main() -> t.NoReturn:
    """Run `automate-dms`."""
    run(automate_dms, name="automate-dms")
