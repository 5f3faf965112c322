"""What a JSON Schema property becomes as a column, and how a column grows.

The names of the types are DuckDB's; `arrow` has their Arrow counterparts.

Types only ever widen, and each step keeps every digit and every row:

    BOOLEAN ─────────────────────────────┐
    TIME ────────────────────────────────┤
    DATE ──> TIMESTAMPTZ ────────────────┼──> VARCHAR ──> JSON
    BIGINT ──> DECIMAL(p,s), wider p, s ─┘

A `number` is a DECIMAL, never a float: `x-sql-datatype-properties` says its precision and scale,
and without them it starts at DECIMAL(18,4); either grows with the digits that arrive, until 38
digits do not hold a value: then the column becomes text. A property that allows any value is
JSON.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MAX_DIGITS: t.Final = 38
"""Digits of DuckDB's and Arrow's 128-bit decimals."""

BIGINT_DIGITS: t.Final = 19
MAX_REFERENCES: t.Final = 32
"""`$ref`s followed from one property: schemas of real taps nest less, circles never end."""

JSON_TYPES: t.Final = frozenset(
    {"array", "boolean", "integer", "null", "number", "object", "string"}
)
TYPE_WORDS: t.Final = frozenset({"type", "$ref", "anyOf", "oneOf", "allOf"})
"""Words of a schema that tell its type."""

DECIMAL_FORMATS: t.Final = frozenset({"singer.decimal", "x-singer.decimal"})
"""Formats of strings that hold a number (pipelinewise taps, SDK's SQL taps)."""


class Kind(enum.Enum):
    """The types of columns, by DuckDB's names; OTHER is a column that someone else made."""

    BOOLEAN = "BOOLEAN"
    BIGINT = "BIGINT"
    DECIMAL = "DECIMAL"
    DATE = "DATE"
    TIME = "TIME"
    TIMESTAMPTZ = "TIMESTAMP WITH TIME ZONE"
    VARCHAR = "VARCHAR"
    JSON = "JSON"
    OTHER = "OTHER"


@dataclasses.dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type.

    Attributes:
        kind: Which type.
        precision: Digits in all, for a DECIMAL.
        scale: Digits after the point, for a DECIMAL.
        name: DuckDB's name of the type, for OTHER.
    """

    kind: Kind
    precision: int = 0
    scale: int = 0
    name: str = ""

    @property
    def sql(self) -> str:
        """The type in DuckDB's SQL, as `duckdb_columns()` spells it."""
        if self.kind is Kind.DECIMAL:
            return f"DECIMAL({self.precision},{self.scale})"
        return self.name or self.kind.value


BOOLEAN: t.Final = ColumnType(Kind.BOOLEAN)
BIGINT: t.Final = ColumnType(Kind.BIGINT)
DATE: t.Final = ColumnType(Kind.DATE)
TIME: t.Final = ColumnType(Kind.TIME)
TIMESTAMPTZ: t.Final = ColumnType(Kind.TIMESTAMPTZ)
VARCHAR: t.Final = ColumnType(Kind.VARCHAR)
JSON: t.Final = ColumnType(Kind.JSON)
WITHOUT_PRECISION: t.Final = (BOOLEAN, BIGINT, DATE, TIME, TIMESTAMPTZ, VARCHAR, JSON)
PLAIN_NUMBER: t.Final = ColumnType(Kind.DECIMAL, 18, 4)

SMALLER_INTEGERS: t.Final = frozenset(
    {"TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT", "UINTEGER"}
)
STRING_FORMATS: t.Final = {"date-time": TIMESTAMPTZ, "date": DATE, "time": TIME}


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One property of a stream on its way to a column.

    Attributes:
        field: The property's name in the records.
        name: The column's name in the warehouse.
        type: What the SCHEMA declares.
        accepts: The JSON types that the SCHEMA allows, for values that fit the type only as text.
    """

    field: str
    name: str
    type: ColumnType
    accepts: frozenset[str] = JSON_TYPES


def decimal(integer_digits: int, scale: int) -> ColumnType:
    """Make the DECIMAL for numbers of that many digits; VARCHAR when 38 digits do not hold them.

    Args:
        integer_digits: Digits before the point.
        scale: Digits after the point.

    Returns:
        The narrowest type that keeps every digit.
    """
    precision = max(integer_digits + scale, 1)
    return ColumnType(Kind.DECIMAL, precision, scale) if precision <= MAX_DIGITS else VARCHAR


def from_schema(
    schema: Mapping[str, t.Any] | bool,  # noqa: FBT001 - `true` is a JSON Schema
    root: Mapping[str, t.Any],
) -> tuple[ColumnType, frozenset[str]]:
    """Choose the column type of a property.

    Args:
        schema: The property's JSON Schema.
        root: The stream's whole schema, where `#/...` references lead.

    Returns:
        The type that holds every value the schema allows, and the JSON types it allows.
    """
    branches = list(_branches(schema, root, MAX_REFERENCES))
    allowed = frozenset(name for name, _ in branches)
    if not allowed or not allowed <= JSON_TYPES:
        return JSON, JSON_TYPES
    types = [
        _type_of(name, branch)
        for name, branch in branches
        if name != "null" and not (name == "integer" and "number" in allowed)
    ]
    return join_all(types) if types else VARCHAR, allowed


def join(left: ColumnType, right: ColumnType) -> ColumnType:
    """Find the narrowest type that both widen to.

    Args:
        left: The column as it is; a type of someone else's (OTHER) stays, but for small integers.
        right: What is to go in.

    Returns:
        The type that keeps every value of both.
    """
    if left == right:
        return left
    if left.kind is Kind.OTHER:
        return join(BIGINT, right) if left.name in SMALLER_INTEGERS else left
    kinds = {left.kind, right.kind}
    if Kind.JSON in kinds:
        return JSON
    if kinds == {Kind.DATE, Kind.TIMESTAMPTZ}:
        return TIMESTAMPTZ
    if kinds <= {Kind.BIGINT, Kind.DECIMAL}:
        digits = [_digits(left), _digits(right)]
        return decimal(max(whole for whole, _ in digits), max(scale for _, scale in digits))
    return VARCHAR


def join_all(types: Iterable[ColumnType]) -> ColumnType:
    """Join one or more types.

    Args:
        types: At least one.

    Returns:
        The type that keeps every value of all of them.
    """
    first, *rest = types
    for other in rest:
        first = join(first, other)
    return first


def _digits(column_type: ColumnType) -> tuple[int, int]:
    if column_type.kind is Kind.BIGINT:
        return BIGINT_DIGITS, 0
    return column_type.precision - column_type.scale, column_type.scale


def _branches(
    schema: Mapping[str, t.Any] | bool,  # noqa: FBT001 - `true` is a JSON Schema
    root: Mapping[str, t.Any],
    references: int,
) -> Iterable[tuple[str, Mapping[str, t.Any]]]:
    """List the (JSON type, schema that says so) that a schema allows; unknown is all of them.

    What is no JSON Schema counts as unknown, too: a tap's mistake there costs no record.
    """
    if not isinstance(schema, dict):
        yield from ((name, {}) for name in JSON_TYPES)
        return
    if "type" in schema:
        declared = schema["type"]
        names = declared if isinstance(declared, list) else [declared]
        yield from ((name if isinstance(name, str) else "unknown", schema) for name in names)
        return
    if reference := schema.get("$ref"):
        resolved = _resolve(reference, root) if references else True
        yield from _branches(resolved, root, references - 1)
        return
    for word in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(word)
        if isinstance(choices, list) and choices:
            for choice in choices:
                # allOf narrows: a part without a type of its own says nothing about the type.
                if word != "allOf" or (isinstance(choice, dict) and TYPE_WORDS & choice.keys()):
                    yield from _branches(choice, root, references)
            return
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if not isinstance(values, list):
        yield from ((name, {}) for name in JSON_TYPES)
        return
    yield from ((_json_type(value), {}) for value in values)


def _resolve(
    reference: object,
    root: Mapping[str, t.Any],
) -> Mapping[str, t.Any] | bool:
    node: t.Any = root
    if not isinstance(reference, str) or not reference.startswith("#"):
        return True
    for part in reference[1:].split("/"):
        if part:
            name = part.replace("~1", "/").replace("~0", "~")
            if not isinstance(node, dict) or name not in node:
                return True
            node = node[name]
    return node if isinstance(node, (dict, bool)) else True


def _json_type(value: t.Any) -> str:  # noqa: ANN401 - any JSON value
    names = {
        type(None): "null",
        bool: "boolean",
        int: "integer",
        str: "string",
        list: "array",
        dict: "object",
    }
    return names.get(type(value), "number")


def _type_of(name: str, schema: Mapping[str, t.Any]) -> ColumnType:
    match name:
        case "boolean":
            return BOOLEAN
        case "integer":
            return BIGINT
        case "number":
            return _declared_decimal(schema)
        case "string":
            form = schema.get("format")
            if form in DECIMAL_FORMATS:
                return _declared_decimal(schema)
            return STRING_FORMATS.get(form, VARCHAR) if isinstance(form, str) else VARCHAR
    return JSON


def _declared_decimal(schema: Mapping[str, t.Any]) -> ColumnType:
    marks = schema.get("x-sql-datatype-properties", schema)
    if not isinstance(marks, dict):
        return PLAIN_NUMBER
    precision, scale = (marks.get(word) for word in ("precision", "scale"))
    if isinstance(precision, int) and 0 < precision <= MAX_DIGITS:
        whole = scale if isinstance(scale, int) else 0
        if 0 <= whole <= precision:
            return ColumnType(Kind.DECIMAL, precision, whole)
    return PLAIN_NUMBER
