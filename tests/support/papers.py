"""Reads what the repository's papers say, so that tests can hold it against the programs."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

ROOT: t.Final = Path(__file__).resolve().parents[2]


def readme_section(title: str, paper: str = "README.md") -> str:
    """Return what stands below a heading, up to the next of any level."""
    text = (ROOT / paper).read_text("utf-8")
    found = re.search(rf"^#+ {re.escape(title)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"{paper} has no heading {title!r}"
    return found[1]


def table(text: str, first_column: str) -> list[list[str]]:
    """Return the cells of the table whose first heading is this one, without its headings."""
    lines = text.splitlines()
    [start] = [i for i, line in enumerate(lines) if line.startswith(f"| {first_column} |")]
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    assert rows
    return rows


def code(text: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def commands(paper: str) -> list[str]:
    """Return the command lines that a paper shows: after `$` in a block, or whole in backticks."""
    text = (ROOT / paper).read_text("utf-8")
    blocks = re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown = [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [*shown, *code(prose)]
    parts = [part.strip() for line in lines for part in re.split(r"[|>]|&&|\s#", line)]
    return [part.removeprefix("uv run ") for part in parts if part]
