"""The chart of results: bars of rows a second, in SVG that is readable on light and on dark."""

from __future__ import annotations

import html
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

WIDTH: t.Final = 920
LABELS: t.Final = 390
"""Where bars begin."""
VALUES: t.Final = 130
"""Room to the right of the longest bar."""
BAR: t.Final = 16
STEP: t.Final = 24
TITLE: t.Final = 44
MARGIN: t.Final = 16

STYLE: t.Final = """
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 14px; }
.ours { fill: #0969da; } .peer { fill: #8c959f; } .floor { fill: none; stroke: #8c959f; }
text.ours { fill: #0969da; font-weight: 600; }
text.peer, text.floor { fill: #57606a; stroke: none; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; }
  .ours, text.ours { fill: #58a6ff; } .peer { fill: #6e7681; } .floor { stroke: #6e7681; }
  text.peer, text.floor { fill: #9da7b3; }
}
"""


def chart(results: Mapping[str, t.Any]) -> str:
    """Draw the sections that compare contestants.

    Args:
        results: As the file of results has them.
    """
    shapes: list[str] = []
    top = MARGIN
    for section in results["sections"]:
        if len({cell["contestant"] for cell in section["cells"]}) > 1:
            shapes += _panel(section, top)
            top += TITLE + STEP * len(section["cells"])
    height = top + MARGIN
    summary = "Rows a second: tap-automate and target-warehouse beside other readers and loaders"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" role="img" aria-label="{summary}">\n'
        f"<style>{STYLE}</style>\n" + "\n".join(shapes) + "\n</svg>\n"
    )


def name_of(cell: Mapping[str, t.Any]) -> str:
    """Name a contestant, with its requests in flight where these matter."""
    flight = f", {cell['in_flight']} in flight" if cell["in_flight"] > 1 else ""
    return f"{cell['label']}{flight}"


def _panel(section: Mapping[str, t.Any], top: int) -> Iterator[str]:
    title = html.escape(f"{section['title']}: rows a second")
    yield f'<text class="title" x="{MARGIN}" y="{top + STEP}">{title}</text>'
    cells = sorted(section["cells"], key=_rate, reverse=True)
    longest = _rate(cells[0])
    for position, cell in enumerate(cells):
        y = top + TITLE + position * STEP
        middle = y + BAR - 3
        length = max(1.0, _rate(cell) / longest * (WIDTH - LABELS - VALUES))
        label = html.escape(name_of(cell))
        times = "" if cell["times_first"] is None else f" ({cell['times_first']['median']:.1f}x)"
        kind = cell["kind"]
        yield (
            f'<text class="{kind}" x="{LABELS - 8}" y="{middle}" text-anchor="end">{label}</text>'
        )
        yield f'<rect class="{kind}" x="{LABELS}" y="{y}" width="{length:.1f}" height="{BAR}"/>'
        yield (
            f'<text class="{kind}" x="{LABELS + length + 8:.1f}" y="{middle}">'
            f"{_rate(cell):,.0f}{times}</text>"
        )


def _rate(cell: Mapping[str, t.Any]) -> float:
    return float(cell["rows_per_second"]["median"])
