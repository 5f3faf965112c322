"""Metrics of our own, logged in the form of the Singer SDK's.

`METRIC: {"type": "gauge", "metric": ..., "value": ..., "tags": {...}}`, or `metric_info` where logs
are structured.
"""

from __future__ import annotations

import os
import typing as t

from singer_sdk import metrics

if t.TYPE_CHECKING:
    import enum
    from collections.abc import Mapping


def log_gauge(gauge: enum.Enum, value: float | Mapping[str, t.Any], *, stream: str) -> None:
    """Log a value that is measured now.

    Args:
        gauge: Its value is the metric's name.
        value: A number, or several by name.
        stream: Which stream it is of.
    """
    tags = {metrics.Tag.STREAM.value: stream, metrics.Tag.PID.value: os.getpid()}
    # The SDK names its own metrics in an enumeration that nobody can add to.
    name = t.cast("metrics.Metric", gauge)
    metrics.log(metrics.get_metrics_logger(), metrics.Point("gauge", name, value, tags))
