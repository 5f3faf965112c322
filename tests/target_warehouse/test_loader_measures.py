"""What the loader tells of its streams while it runs."""

from __future__ import annotations

import datetime as dt
import io
import typing as t

from support.singer import Loader, lines_of, record, schema

from target_warehouse.target import TargetWarehouse

DAY_START: t.Final = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
CARS: t.Final = {
    **schema("cars", ["id"], id="integer", updatedAt={"type": "string", "format": "date-time"}),
    "bookmark_properties": ["updatedAt"],
}


def at(hour: float) -> dt.datetime:
    return DAY_START + dt.timedelta(hours=hour)


def loaded(loader: Loader, hour: float, *changes: float, **fields: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - values
    """Load cars that were changed at some hours, and give back what is known at the end."""
    target = TargetWarehouse(config={"filepath": str(loader.path)}, now=lambda: at(hour))
    records = [
        record("cars", id=number, updatedAt=at(change).isoformat(), **fields)
        for number, change in enumerate(changes)
    ]
    try:
        target.listen(io.StringIO(lines_of([CARS, *records])))
    finally:
        target.close()
    return {measure.name: measure.values for measure in target.measured()}


def test_changes_since_the_load_before_are_told_with_their_delays(loader: Loader) -> None:
    assert loaded(loader, 9, 8, 8.5) == {
        "rows": {("cars",): 2},
        "unstored_fields": {("cars",): 0},
        "newest_change_timestamp_seconds": {("cars",): at(8.5).timestamp()},
        "delay_median_seconds": {},
        "delay_worst_seconds": {},
    }
    assert loaded(loader, 10, 9.25, 9.5, 9.75, colour="red", doors=4) == {
        "rows": {("cars",): 3},
        "unstored_fields": {("cars",): 6},
        "newest_change_timestamp_seconds": {("cars",): at(9.75).timestamp()},
        "delay_median_seconds": {("cars",): 1800},
        "delay_worst_seconds": {("cars",): 2700},
    }


def test_a_load_of_nothing_or_of_old_rows_still_knows_the_newest(loader: Loader) -> None:
    loaded(loader, 9, 8)
    newest = {("cars",): at(8).timestamp()}
    assert loaded(loader, 10)["newest_change_timestamp_seconds"] == newest
    assert loaded(loader, 11, 3)["newest_change_timestamp_seconds"] == newest
