"""Names of tables and columns: as the tap gives them, or in snake case.

DuckDB compares names without regard to the case of ASCII letters, so two names that differ only
there cannot both be columns of one table; that is an error with a way out, never a silent merge.
"""

from __future__ import annotations

import json
import re
import typing as t

import inflection

from automate_api.errors import ConfigError
from automate_singer.columns import Column, from_schema

if t.TYPE_CHECKING:
    from collections.abc import Mapping

AS_IS: t.Final = "as_is"
SNAKE_CASE: t.Final = "snake_case"


def quote(name: str) -> str:
    """Write a name as an SQL identifier, whatever it holds.

    Args:
        name: Any text.

    Returns:
        The quoted identifier.
    """
    return '"' + name.replace('"', '""') + '"'


def folded(name: str) -> str:
    """Fold a name the way DuckDB compares names: ASCII letters lose their case, no others do.

    Args:
        name: A table's or column's name.

    Returns:
        What is equal for names that DuckDB takes for the same.
    """
    return re.sub("[A-Z]+", lambda match: match[0].lower(), name)


def styled(name: str, style: str) -> str:
    """Bring a stream's or property's name into the style that was asked for.

    Args:
        name: The tap's name.
        style: `as_is` or `snake_case`.

    Returns:
        The table's or column's name; `vehicleId` becomes `vehicle_id`, and what is neither letter
        nor digit becomes `_`.
    """
    if style == AS_IS:
        return name
    return re.sub(r"\W+", "_", inflection.underscore(name)) or "_"


def columns_of(
    schema: Mapping[str, t.Any],
    *,
    stream: str,
    style: str,
) -> list[Column]:
    """Read a stream's columns from its SCHEMA.

    Args:
        schema: The stream's JSON Schema, with `properties`.
        stream: The stream, for messages.
        style: `as_is` or `snake_case`.

    Returns:
        One column for each property, in the schema's order.

    Raises:
        ConfigError: When two properties would be the same column, or a name is empty.
    """
    columns: list[Column] = []
    taken: dict[str, str] = {}
    for field, declared in schema["properties"].items():
        name = styled(field, style)
        if not name:
            msg = f"Stream {stream!r}: a property has an empty name, which no column can have"
            raise ConfigError(msg)
        if (other := taken.setdefault(folded(name), field)) != field:
            renamed = {stream: {f"{field}_2": f"record[{field!r}]", field: "__NULL__"}}
            msg = (
                f"Stream {stream!r}: the properties {other!r} and {field!r} would be the same "
                "column, as DuckDB does not tell capitals from small letters. Rename or drop one, "
                f"for example with stream_maps: {json.dumps(renamed)}"
            )
            raise ConfigError(msg)
        column_type, accepts = from_schema(declared, schema)
        columns.append(Column(field, name, column_type, accepts))
    return columns
