"""Settings by which the server leaves records out: sent as query parameters, and checked.

The values of a stream's filters are, with the rooftop, the context of an SDK partition. So a stream
has another bookmark for each set of values, and a filter that is changed or taken out reads what it
left out before from the start.
"""

from __future__ import annotations

import datetime as dt
import functools
import typing as t

from automate_api import contract
from automate_api.errors import ProtocolError
from tap_automate.streams import ROOFTOP, STREAMS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_automate.streams import Declaration, Filter

    Context: t.TypeAlias = Mapping[str, t.Any]

LEAVING: t.Final = (
    "Sent to the DMS, with a bookmark of its own for each value. What leaves the filter is not "
    "read again: what was loaded of it stays as it was."
)


def filter_settings() -> dict[str, t.Any]:
    """Return the settings of all filters, by the contract's parameters: name to JSON Schema."""
    return {
        each.setting: _setting(contract.load().parameter(declaration.path, each.parameter))
        for declaration in STREAMS
        for each in declaration.filters
    }


def problems(values: Mapping[str, t.Any]) -> Iterator[str]:
    """Say what a JSON Schema cannot check: dates that are none, or the wrong way round.

    Args:
        values: Setting to value, coerced.

    Yields:
        A sentence for each problem, without the value.
    """
    rules = filter_settings()
    for declaration in STREAMS:
        limits: dict[str, tuple[str, dt.date]] = {}
        for each in declaration.filters:
            value = values.get(each.setting)
            if value is None or rules[each.setting].get("format") != "date":
                continue
            date = _date(value)
            if date is None:
                yield f"`{each.setting}` must be a date such as 2026-01-31"
            else:
                limits[each.holds] = each.setting, date
        if {"from", "to"} <= limits.keys() and limits["to"][1] < limits["from"][1]:
            yield f"`{limits['to'][0]}` must not be before `{limits['from'][0]}`"


def active(declaration: Declaration, config: Mapping[str, t.Any]) -> dict[str, Filter]:
    """Return the filters of a stream that are set, by setting."""
    set_ = [each for each in declaration.filters if config.get(each.setting) is not None]
    return {each.setting: each for each in set_}


def partitions(
    declaration: Declaration, config: Mapping[str, t.Any]
) -> list[dict[str, t.Any]] | None:
    """Return the contexts of a stream's partitions, which are query parameters and their values.

    Args:
        declaration: The stream.
        config: The tap's settings.

    Returns:
        One for each rooftop that was asked for, with the filters' values; None for everything.
    """
    chosen = {
        each.parameter: config[setting] for setting, each in active(declaration, config).items()
    }
    rooftops = config.get("rooftop_ids")
    if rooftops:
        return [{ROOFTOP: each, **chosen} for each in dict.fromkeys(rooftops)]
    return [chosen] if chosen else None


def described(declaration: Declaration, context: Context) -> str:
    """Say what a partition without rows was asked for, and what to do."""
    names = [f"`{each.setting}`" for each in declaration.filters if each.parameter in context]
    which = f"of rooftop {context[ROOFTOP]}" if ROOFTOP in context else ""
    if names:
        which = f"{which} that fit {' and '.join(names)}".strip()
    advice = ["compare `rooftop_ids` with the stream 'rooftops'"] if ROOFTOP in context else []
    if names:
        advice.append(f"correct {' and '.join(names)}")
    return f"{which}. Where it should, {', or '.join(advice)}."


def check(
    declaration: Declaration, path: str, context: Context | None
) -> Callable[[Sequence[t.Any], str | None], None] | None:
    """Return what refuses rows that a server should have left out; None where nothing is asked.

    A field that is null or absent proves nothing, so it is let pass.

    Args:
        declaration: The stream.
        path: The list call, for the message.
        context: Of the partition.
    """
    asked = [each for each in declaration.filters if each.parameter in (context or {})]
    if not context or not asked:
        return None
    tests = [(each, _obeys(each, str(context[each.parameter]))) for each in asked]

    def refuse(records: Sequence[t.Any], request_id: str | None) -> None:
        for each, obeys in tests:
            if wrong := sum(not obeys(record) for record in records):
                msg = (
                    f"GET {path}: {wrong} of {len(records)} rows do not fit `{each.setting}`, "
                    f"which was sent as `{each.parameter}`. The server does not apply this filter "
                    "to this path. Take the setting out and choose among the rows afterwards, or "
                    "say path and parameter in a `contract_overlay`."
                )
                raise ProtocolError(msg, request_id=request_id)

    return refuse


def _obeys(each: Filter, wanted: str) -> Callable[[t.Any], bool]:
    names = (each.field or each.parameter).split(".")
    wanted = wanted.strip().casefold()

    def obeys(record: t.Any) -> bool:  # noqa: ANN401 - a struct or a dict
        value = functools.reduce(_part, names, record)
        if not isinstance(value, str):
            return True
        match each.holds:
            case "from":
                return value[: len(wanted)] >= wanted
            case "to":
                return value[: len(wanted)] <= wanted
            case _:
                return value.strip().casefold() == wanted

    return obeys


def _date(text: str) -> dt.date | None:
    """Read a date as the API writes it; ISO 8601 has other forms, which do not sort as text."""
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return date if date.isoformat() == text else None


def _part(value: t.Any, name: str) -> t.Any:  # noqa: ANN401 - any value
    return value.get(name) if isinstance(value, dict) else getattr(value, name, None)


def _setting(parameter: contract.Schema) -> dict[str, t.Any]:
    """Make a setting of a parameter: never null, and said what it does to what was loaded."""
    schema = {name: parameter[name] for name in ("format",) if name in parameter}
    if "enum" in parameter:
        schema["enum"] = [value for value in parameter["enum"] if value is not None]
    return {
        "type": "string",
        "minLength": 1,
        **schema,
        "description": f"{parameter['description']} {LEAVING}",
    }
