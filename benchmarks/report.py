"""Writes the results into the docs: `python -m benchmarks.report`; `make bench` does it, too.

The tables of docs/performance.md stand between two comments; the chart is a file beside it.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

from benchmarks.chart import chart, name_of
from benchmarks.contestants import CONTESTANTS
from benchmarks.results import HEADINGS, row

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

RESULTS: t.Final = Path(__file__).with_name("results.json")
DOCS: t.Final = Path(__file__).resolve().parents[1] / "docs"
PAGE: t.Final = DOCS / "performance.md"
CHART: t.Final = DOCS / "performance.svg"
BEGIN: t.Final = "<!-- results: written by python -m benchmarks.report -->\n"
END: t.Final = "<!-- end of results -->\n"


def report(results: Mapping[str, t.Any]) -> str:
    """Spell results as Markdown.

    Args:
        results: As the file of results has them.
    """
    return "\n".join([*_about(results), *_sections(results), *_criteria(results), ""])


def filled(page: str, results: Mapping[str, t.Any]) -> str:
    """Return a page with the results in their place.

    Args:
        page: With the two comments.
        results: As the file of results has them.
    """
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{report(results)}{END}{after}"


def _about(results: Mapping[str, t.Any]) -> Iterator[str]:
    yield f"{results['system']}, Python {results['python']}; {', '.join(results['versions'])}."
    ceiling = results["server_pages_per_second"].items()
    pages = [f"{most:,} pages of {int(size):,} rows" for size, most in ceiling]
    yield f"The page server gives {', or '.join(pages)} a second at most."
    yield ""


def _sections(results: Mapping[str, t.Any]) -> Iterator[str]:
    for section in results["sections"]:
        yield f"### {section['title']}"
        first = section["cells"][0]
        told = "" if first["times_first"] is None else f"; x first: times {name_of(first)}"
        sizes = {cell["page_size"] for cell in section["cells"]}
        told += " with pages of the same size" if len(sizes) > 1 else ""
        yield f"Medians{told}. Processor time is that of all programs together."
        yield ""
        yield from _table(HEADINGS, [row(cell) for cell in section["cells"]])
        yield ""
        if len(sizes) > 1:
            yield _page_sizes(section["cells"])
            yield ""
    for label, reason in results["absent"].items():
        yield f"Not measured: {label} ({reason})."
        yield ""


def _page_sizes(cells: Sequence[Mapping[str, t.Any]]) -> str:
    """Say in a sentence what ours gain from larger pages."""
    first = CONTESTANTS[cells[0]["contestant"]].label
    reached = [
        "{median:.1f} times ({least:.1f} to {most:.1f})".format(**cell["times_first"])
        + f" with pages of {cell['page_size']:,}"
        for cell in cells
        if cell["kind"] == "ours" and cell["times_first"] is not None
    ]
    return f"Ours beside the {first}, and in brackets from round to round: {', '.join(reached)}."


def _criteria(results: Mapping[str, t.Any]) -> Iterator[str]:
    yield "### What must hold"
    yield ""
    rows = [
        (
            each["promise"],
            f"{'at most' if each['at_most'] else 'at least'} {each['wanted']:g}",
            f"{each['reached']:.2f}",
            "yes" if each["holds"] else "**no**",
        )
        for each in results["criteria"]
    ]
    yield from _table(("", "wanted", "reached", "holds"), rows)


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(headings)} |"
    yield f"|---{'|--:' * (len(headings) - 1)}|"
    for cells in rows:
        # A pipe in a label would end its cell.
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def update_docs() -> None:
    """Bring tables and chart of docs/performance.md up to date."""
    results = json.loads(RESULTS.read_text())
    PAGE.write_text(filled(PAGE.read_text(), results))
    CHART.write_text(chart(results))


if __name__ == "__main__":
    update_docs()
