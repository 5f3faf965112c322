"""The file that `metrics_file` names, read as Prometheus reads it."""

from __future__ import annotations

import typing as t

from prometheus_client.parser import text_string_to_metric_families

if t.TYPE_CHECKING:
    from pathlib import Path


def figures(path: Path) -> dict[tuple[str, ...], float]:
    """Read a file: name and values of labels to value."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(path.read_text("utf-8"))
        for sample in family.samples
    }
