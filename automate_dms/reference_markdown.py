"""Tables and texts in Markdown, for the pages of the reference."""

from __future__ import annotations

import textwrap
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GENERATED: t.Final = (
    "Made by `automate-dms reference` from the contract and the programs' settings; a test holds "
    "it equal to them."
)
WIDTH: t.Final = 120
"""Columns of running text."""


def page(title: str, *parts: str) -> str:
    """Put a page together.

    Args:
        title: Its heading.
        parts: Paragraphs, tables and sections, in their order.

    Returns:
        Markdown that ends with a newline.
    """
    return "\n\n".join((f"# {title}", *parts)) + "\n"


def paragraph(text: str) -> str:
    """Break a text into lines; none is broken within what stands in backticks or in a link."""
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Make a table.

    Args:
        heads: Its columns.
        rows: The cells, in Markdown, of any text that has no table of its own.
    """
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def facts(named: Iterable[tuple[str, str]]) -> str:
    """Make a list of facts.

    Args:
        named: Name and value of each, in Markdown.
    """
    return "\n".join(f"- {name}: {value}" for name, value in named)


def code(*words: str) -> str:
    """Set words as code, with commas between them."""
    return ", ".join(f"`{word}`" for word in words)


def _cell(text: str) -> str:
    """Keep a cell in its line and its column."""
    return " ".join(text.split()).replace("|", "\\|")
