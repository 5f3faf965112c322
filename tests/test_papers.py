"""What README and the other papers name exists: streams, exit codes, commands, options, files."""

from __future__ import annotations

import re
import typing as t

import click
import pytest
from support.papers import ROOT, code, commands, readme_section, table

from automate_api import contract
from automate_dms.main import automate_dms
from tap_automate.streams import STREAMS
from tap_automate.tap import TapAutomate
from tap_outbox.tap import TapOutbox
from target_automate.results_tap import TapAutomateResults
from target_automate.sinks.declarations import ABOUT
from target_automate.sinks.table import SINKS
from target_automate.target import TargetAutomate
from target_warehouse.target import TargetWarehouse

PAPERS = (
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "docs/auditing.md",
    "docs/batches.md",
    "docs/doctor.md",
    "docs/drift.md",
    "docs/monitoring.md",
    "docs/overlay.md",
    "docs/performance.md",
    "docs/pushing.md",
    "docs/queries.md",
    "docs/reading.md",
    "docs/reference/exit-codes.md",
    "docs/reference/settings.md",
    "docs/reference/sinks.md",
    "docs/reference/streams.md",
    "docs/sandbox-tenants.md",
    "docs/watching.md",
)
OURS: dict[str, click.Command] = {
    "automate-dms": automate_dms,
    "tap-automate": TapAutomate.cli,
    "tap-automate-results": TapAutomateResults.cli,
    "tap-outbox": TapOutbox.cli,
    "target-automate": TargetAutomate.cli,
    "target-warehouse": TargetWarehouse.cli,
}
OF_OTHERS = {
    "--collector",
    "--env-file",
    "--environment",
    "--full-refresh",
    "--log-format",
    "--snapshot-update",
}
"""Options of Meltano, of pytest and of node_exporter."""


def described_streams() -> list[list[str]]:
    """Return README's rows as the tap's declarations and the contract have them."""
    known = contract.load()
    rows = []
    for stream in STREAMS:
        resource = known.resource(stream.path)
        entitlement = " or ".join(sorted(resource.entitlements)) or "any"
        documented = ", documented" if resource.origin == "documented" else ""
        rows.append([stream.name, *resource.key, entitlement, f"`{stream.path}`{documented}"])
        for lines in stream.lines:
            key = resource.lines(lines.field).key
            rows.append([lines.name, *resource.key, *key, entitlement])
        if stream.history:
            rows.append([stream.history.name, *resource.key, "updatedAt", entitlement])
    return rows


def test_the_table_of_streams_is_that_of_the_tap() -> None:
    found = []
    for name, key, entitlement, origin in table(readme_section("Streams"), "stream"):
        of_lines = origin.startswith("its ")
        found.append([*code(name), *code(key), entitlement, *([] if of_lines else [origin])])
    assert found == described_streams()


def test_the_stream_that_contributing_adds_is_there_by_nothing_but_these_lines() -> None:
    shown = readme_section("To add a stream", "CONTRIBUTING.md")
    files = re.findall(r"^--- (.+)\n((?:[ +].*\n)+)", shown, re.MULTILINE)
    assert [name for name, _ in files] == ["automate_api/openapi.yaml", "tap_automate/streams.py"]
    for name, lines in files:
        text = (ROOT / name).read_text("utf-8")
        blocks = re.findall(r"(?:^\+.*\n)+", lines, re.MULTILINE)
        assert blocks
        for block in blocks:
            assert re.sub(r"^\+", "", block, flags=re.MULTILINE) in text
    mentions = {
        path.relative_to(ROOT).as_posix()
        for package in ("automate_api", "automate_singer", "tap_automate")
        for path in (ROOT / package).rglob("*")
        if path.suffix in {".py", ".yaml"} and re.search(r"\blots\b", path.read_text("utf-8"))
    }
    assert mentions == {name for name, _ in files}


def test_the_table_of_sinks_is_that_of_the_target() -> None:
    rows = table(readme_section("Pushing"), "sink")
    assert [[*code(name), title, operation] for name, title, operation, _ in rows] == [
        [sink.object, sink.title, sink.operation] for sink in SINKS
    ]
    for sink, (*_, known_by) in zip(SINKS, rows, strict=True):
        assert code(known_by) == [name for name in sink.business_key if name != ABOUT]
        about = [found.entity.noun for found in sink.references if ABOUT in sink.business_key]
        assert [noun for noun in about if noun not in known_by] == []


def test_every_command_of_ours_that_a_paper_shows_exists_with_its_options() -> None:
    lines = {line for paper in PAPERS for line in commands(paper)}
    ours = [words for line in lines if (words := line.split()) and words[0] in OURS]
    assert {words[0] for words in ours} == OURS.keys()
    for words in ours:
        check(OURS[words[0]], words)


def check(command: click.Command, line: list[str]) -> None:
    """Follow a command line to the command that it names, and look for its options."""
    words = line[1:]
    with click.Context(command) as context:
        while isinstance(command, click.Group) and words and not words[0].startswith("-"):
            found = command.get_command(context, words[0])
            assert found, f"{line}: there is no {words[0]!r}"
            command, words = found, words[1:]
    options = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert options <= {*options_of(command), "--help"}, line


def options_of(command: click.Command) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts}


def every_option(command: click.Command) -> t.Iterator[str]:
    yield from options_of(command)
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found
                yield from every_option(found)


@pytest.mark.parametrize("paper", PAPERS)
def test_every_option_that_a_paper_names_exists(paper: str) -> None:
    text = (ROOT / paper).read_text("utf-8")
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
    known = {option for command in OURS.values() for option in every_option(command)}
    assert named <= known | OF_OTHERS


def test_the_papers_name_every_command_of_automate_dms() -> None:
    text = "".join((ROOT / paper).read_text("utf-8") for paper in PAPERS)
    for name in automate_dms.list_commands(click.Context(automate_dms)):
        assert f"automate-dms {name}" in text


@pytest.mark.parametrize("paper", PAPERS)
def test_every_make_target_that_a_paper_names_exists(paper: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {line.split()[1] for line in commands(paper) if line.startswith("make ")}
    assert named <= targets


@pytest.mark.parametrize("paper", PAPERS)
def test_every_file_and_heading_that_a_paper_links_to_exists(paper: str) -> None:
    text = (ROOT / paper).read_text("utf-8")
    headings = {
        heading.strip().lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif not target.startswith(("https://", "mailto:")):
            assert ((ROOT / paper).parent / target.partition("#")[0]).exists(), target
