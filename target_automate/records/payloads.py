"""A stream's record -> the body that is sent, or everything that is wrong with it.

Field names are taken in camelCase and in snake_case at every level, and flattened with `__`
(`vehicle__vin`). Values are taken as `coercion` says. Null means "not given" and is left out at
every level, and so is text without a character that shows, an object without fields and an array
of nothing but such; an empty array stays, it says "none". Fields that the contract does not know
are not sent.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

import inflection
import jsonschema_rs

from target_automate.records import coercion
from target_automate.records.schemas import identifying, record_schema

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from automate_api.contract import Contract, Schema
    from target_automate.sinks.declarations import SinkDeclaration

Body: t.TypeAlias = dict[str, t.Any]

_SCALARS: t.Final[Mapping[str, Callable[[object], object]]] = {
    "string": coercion.text,
    "number": coercion.number,
    "integer": coercion.integer,
    "boolean": coercion.boolean,
}

_WAYS: t.Final = (
    jsonschema_rs.ValidationErrorKind.AnyOf,
    jsonschema_rs.ValidationErrorKind.OneOfNotValid,
    jsonschema_rs.ValidationErrorKind.OneOfMultipleValid,
)

_METADATA: t.Final = "_sdc_"
"""What the names of columns begin with that Singer programs add for themselves."""


@dataclasses.dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong with a record.

    Attributes:
        field: Where, by the contract's names: `fees[0].amount`.
        message: What was expected and which JSON type came; never a value of the record.
    """

    field: str
    message: str


class Invalid(Exception):  # noqa: N818 - a verdict on a record, no fault of the program
    """A record that cannot be sent.

    Attributes:
        problems: All that is wrong with it.
        body: What of it could be taken, for telling which record it is.
    """

    def __init__(self, problems: Iterable[Problem], body: Body) -> None:
        """Keep the problems; the message lists them."""
        self.problems: t.Final = tuple(problems)
        self.body: t.Final = body
        super().__init__("; ".join(f"{found.field}: {found.message}" for found in self.problems))


@dataclasses.dataclass(frozen=True, slots=True)
class Payload:
    """What a record has to say to the API.

    Attributes:
        body: By the contract's names, without nulls; numbers are `int` and `Decimal`. It may hold
            the reference's alias, which is not sent.
        unknown: Fields that had a value and were not taken, dotted, arrays as `fees[].colour`.
    """

    body: Body = dataclasses.field(repr=False)
    unknown: frozenset[str]


class Conformer:
    """Makes payloads of one sink's records; compiled once."""

    def __init__(self, declaration: SinkDeclaration, contract: Contract) -> None:
        """Compile the sink's schema.

        Args:
            declaration: The sink.
            contract: The API's contract.

        Raises:
            LookupError: The contract does not have the sink's call.
        """
        self._declaration = declaration
        self._refused = _spellings(declaration.id_field) if declaration.makes_once else frozenset()
        self._required = identifying(declaration)
        self._schema = schema = record_schema(declaration, contract)
        self._within = {
            name: f"{name}.{field['required'][0]}"
            for name, field in schema["properties"].items()
            if field.get("required")
        }
        self._ways = [name for way in schema.get("anyOf", ()) for name in way["required"]]
        self._reader = _Object(schema)
        self._validator = jsonschema_rs.validator_for(
            schema, mask="the value", validate_formats=True
        )

    def conform(self, record: Mapping[str, t.Any]) -> Payload:
        """Make a record's payload.

        Args:
            record: As the tap wrote it, or as the SDK hands it to a sink.

        Raises:
            Invalid: With every problem at once.
        """
        notes = _Notes()
        body = self._reader.read(record, "", notes)
        self._check(record, body, notes)
        if notes.problems:
            raise Invalid(notes.problems, body)
        return Payload(body, frozenset(notes.unknown))

    def _check(self, record: Mapping[str, t.Any], body: Body, notes: _Notes) -> None:
        for name in self._refused & record.keys():
            value = record[name]
            if not (value is None or (isinstance(value, str) and not value.strip())):
                message = (
                    f"the record carries {self._declaration.id_field}: what has been read from the"
                    " DMS is not sent back as new"
                )
                notes.add(self._declaration.id_field, message)
                break
        self._check_reference(body, notes)
        if not self._validator.is_valid(body):
            for error in self._validator.iter_errors(body):
                field, message = self._explained(error)
                # What could not be taken is missing, too; to say so would be no second problem.
                is_about_ways = isinstance(error.kind, _WAYS) and not error.instance_path
                if not any(map(notes.hold, self._ways if is_about_ways else [field])):
                    notes.add(field, message)

    def _check_reference(self, body: Body, notes: _Notes) -> None:
        references = self._declaration.references
        named = self._declaration.reference_in(body)
        if not references:
            return
        first, *others = (name for found in references for name in (found.field, found.alias))
        if named is None:
            if not any(map(notes.hold, (first, *others))):
                neither = "neither it nor" if len(others) == 1 else "none of it,"
                notes.add(first, f"required, but {neither} {', '.join(others)} is given")
            return
        if self._declaration.operation == "upload":
            for other in references:
                if other is named or not other.is_in(body):
                    continue
                message = f"the file of one {other.entity.noun}, or of another record: not both"
                notes.add(other.name_in(body), message)
        for name in named.beside:
            if name not in body and not notes.hold(name):
                notes.add(name, f"required beside {named.name_in(body)}, but not given")

    def _explained(self, error: jsonschema_rs.ValidationError) -> tuple[str, str]:
        field = _dotted(error.instance_path)
        match error.kind:
            case jsonschema_rs.ValidationErrorKind.Required(property=name):
                field = f"{field}.{name}" if field else name
                identifies = " (it identifies the record)" if field in self._required else ""
                return self._within.get(field, field), f"required{identifies}, but not given"
            case jsonschema_rs.ValidationErrorKind.Enum(options=options):
                known = ", ".join(str(option) for option in options if option is not None)
                return field, f"expected one of {known}; got other {coercion.kind(error.instance)}"
            case kind if isinstance(kind, _WAYS):
                ways = _at(self._schema, error.schema_path)
                names = [way["required"][0] for way in ways]
                return field or names[0], f"expected {_how_many(kind)} of {', '.join(names)}"
        return field, error.message


class _Notes:
    """What is noticed while a record is read."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.unknown: set[str] = set()

    def add(self, field: str, message: str) -> None:
        self.problems.append(Problem(field, message))

    def hold(self, field: str) -> bool:
        """Tell whether there is a problem at a field, within it or at what it is within."""
        return any(_near(field, known.field) for known in self.problems)


class _Part(t.Protocol):
    """A field's value, or an item's."""

    def take(self, value: object, place: str, notes: _Notes) -> object:
        """Return it as the API takes it, None when it says nothing.

        Raises:
            UnfitError: It is of another kind.
        """


class _Scalar:
    def __init__(self, coerce: Callable[[object], object]) -> None:
        self._coerce = coerce

    def take(self, value: object, place: str, notes: _Notes) -> object:  # noqa: ARG002 - parts have them
        return self._coerce(value)


class _Object:
    def __init__(self, schema: Schema) -> None:
        self.names: dict[str, tuple[tuple[str, ...], str, _Part]] = {}
        for name, field in schema["properties"].items():
            part = _compiled(field)
            for spelling in _spellings(name):
                self.names[spelling] = ((name,), name, part)
                if isinstance(part, _Object):
                    for inner, (path, dotted, leaf) in part.names.items():
                        names = (name, *path)
                        self.names[f"{spelling}__{inner}"] = (names, f"{name}.{dotted}", leaf)

    def take(self, value: object, place: str, notes: _Notes) -> Body | None:
        given = coercion.mapping(value)
        return None if given is None else self.read(given, f"{place}.", notes) or None

    def read(self, given: Mapping[str, t.Any], place: str, notes: _Notes) -> Body:
        body: Body = {}
        for key, value in given.items():
            if value is None:
                continue
            if key not in self.names:
                if not key.startswith(_METADATA):
                    notes.unknown.add(re.sub(r"\[\d+\]", "[]", place) + key)
                continue
            path, dotted, part = self.names[key]
            try:
                taken = part.take(value, place + dotted, notes)
            except coercion.UnfitError as error:
                notes.add(place + dotted, str(error))
                continue
            if taken is not None:
                _put(body, path, taken, place, notes)
        return body


class _Array:
    def __init__(self, schema: Schema) -> None:
        self._item = _compiled(schema["items"])

    def take(self, value: object, place: str, notes: _Notes) -> list[t.Any] | None:
        given = coercion.array(value)
        if given is None:
            return None
        taken = []
        for position, item in enumerate(given):
            where = f"{place}[{position}]"
            try:
                taken.append(None if item is None else self._item.take(item, where, notes))
            except coercion.UnfitError as error:
                notes.add(where, str(error))
        said = [item for item in taken if item is not None]
        return said if said or not given else None


def _compiled(schema: Schema) -> _Part:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    match next(kind for kind in kinds if kind != "null"), schema.get("format"):
        case "object", _:
            return _Object(schema) if "properties" in schema else _Scalar(coercion.mapping)
        case "array", _:
            return _Array(schema)
        case "string", "date":
            return _Scalar(coercion.date)
        case "string", "date-time":
            return _Scalar(coercion.instant)
        case kind, _:
            return _Scalar(_SCALARS[kind])


def _put(body: Body, path: tuple[str, ...], taken: object, place: str, notes: _Notes) -> None:
    """Put a value where it belongs; in another spelling it may be there already, and the same."""
    *holders, name = path
    for holder in holders:
        body = body.setdefault(holder, {})
        place = f"{place}{holder}."
    if name not in body:
        body[name] = taken
    elif isinstance(taken, dict):
        for inner, value in taken.items():
            _put(body[name], (inner,), value, f"{place}{name}.", notes)
    elif body[name] != taken:
        notes.add(place + name, "given in two spellings with different values")


def _spellings(name: str) -> frozenset[str]:
    return frozenset((name, inflection.underscore(name)))


def _near(one: str, other: str) -> bool:
    outer, inner = sorted((one, other), key=len)
    return inner.startswith(outer) and inner[len(outer) :][:1] in {"", ".", "["}


def _how_many(kind: object) -> str:
    at_least = isinstance(kind, jsonschema_rs.ValidationErrorKind.AnyOf)
    return "at least one" if at_least else "exactly one"


def _at(schema: Schema, path: Iterable[str | int]) -> list[Schema]:
    """Find the list of alternatives that an error is about."""
    found: t.Any = schema
    for step in path:
        found = found[step]
    return t.cast("list[Schema]", found)


def _dotted(path: Iterable[str | int]) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]
