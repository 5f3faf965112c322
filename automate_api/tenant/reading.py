"""Reads an overlay's file, and refuses it with everything that is wrong with it at once.

resources:
  vehicles:
    path: /inventory/units
    parameters: {updatedFrom: modifiedSince}
    fields: {stockNumber: stockNo, lot.name: location.title}
    add: {tenantTag: {type: string, pii: true}}
    values: {status: {demo: null, on_lot: in_stock}}
    pii: [comments]
calls:
  changeDealStatus: {path: "/deals/{id}/move", fields: {expectedStatus: fromStatus}}
"""

from __future__ import annotations

import re
import typing as t

from automate_api import contract
from automate_api.errors import ConfigError
from automate_api.tenant import additions, checks
from automate_api.tenant.operations import RECORD, UNTRANSLATED, operations_of
from automate_api.tenant.overlay import CallOverlay, Overlay, ResourceOverlay
from automate_api.tenant.places import Place, find, walk
from automate_api.tenant.source import Part, parse, unknown

if t.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from automate_api.contract import Contract, Schema
    from automate_api.tenant.overlay import Words

_PATH: t.Final = re.compile(r"(/(\{id\}|[A-Za-z0-9_~-][A-Za-z0-9._~-]*))+")
_NAME: t.Final = re.compile(r"[^\s&=?#\[\]{}\"']+")
_TENANT_PATH: t.Final = re.compile(r"[^.\[\]\s]+(\.[^.\[\]\s]+)*")

RESOURCE_KEYS: t.Final = ("path", "offered", "parameters", "fields", "add", "values", "pii")
CALL_KEYS: t.Final = ("path", "offered", "fields", "add", "values")


def read(path: Path) -> Overlay:
    """Read an overlay and check it against the contract.

    Args:
        path: The file, YAML or JSON.

    Raises:
        ConfigError: When it cannot be read, or says what cannot be; each problem with its line and
            key.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        msg = f"The overlay {path} cannot be read ({error.strerror}). Correct `contract_overlay`."
        raise ConfigError(msg) from None
    except ValueError:
        msg = f"The overlay {path} cannot be read: it is no text in UTF-8."
        raise ConfigError(msg) from None
    return from_text(text, path)


def from_text(text: str, source: Path) -> Overlay:
    """Read an overlay out of a text.

    Args:
        text: YAML or JSON.
        source: What it is called in messages.

    Raises:
        ConfigError: As `read`.
    """
    top = parse(text, source)
    known = contract.load()
    reader = _Reader(known)
    sections = top.mapping(("resources", "calls"), "section")
    resources, calls = {}, {}
    if "resources" in sections:
        parts = sections["resources"].mapping(reader.operations.lists, "resource")
        resources = {name: reader.resource(name, part) for name, part in parts.items()}
    if "calls" in sections:
        known_calls = {*reader.operations.by_id, *UNTRANSLATED}
        parts = sections["calls"].mapping(known_calls, "operation")
        for name in parts.keys() & UNTRANSLATED:
            parts.pop(name).refuse("this call is the same at every tenant. Leave it out.")
        calls = {name: reader.call(name, part) for name, part in parts.items()}
    overlay = Overlay(source, resources, calls)
    checks.check(overlay, known, reader.operations, reader.parts)
    top.problems.refuse()
    return overlay


class _Reader:
    """Reads the parts of an overlay.

    Attributes:
        operations: Of the contract.
        parts: Key from the file's top to the part, for what is checked when all is read.
    """

    def __init__(self, known: Contract) -> None:
        self._known = known
        self.operations = operations_of(known)
        self.parts: dict[str, Part] = {}

    def resource(self, name: str, part: Part) -> ResourceOverlay:
        """Read what is otherwise about a resource."""
        parts = self._noted(part.mapping(RESOURCE_KEYS))
        plain = self.operations.record(name)
        add = self._additions(parts, plain)
        record = additions.extended(plain, add)
        said: dict[str, t.Any] = {"add": add}
        if "path" in parts:
            said["path"] = _path(parts["path"], of_record=False)
        if "parameters" in parts:
            said["parameters"] = self._parameters(name, parts["parameters"])
        if "pii" in parts:
            places = [(each, each.text("a field")) for each in parts["pii"].parts()]
            said["pii"] = tuple(
                text for each, text in places if text and _field(each, text, record)
            )
        return ResourceOverlay(
            **said,
            offered=_offered(parts),
            fields=self._fields(parts, record),
            values=self._values(parts, plain),
        )

    def call(self, name: str, part: Part) -> CallOverlay:
        """Read what is otherwise about an operation."""
        parts = self._noted(part.mapping(CALL_KEYS))
        operation = self.operations.by_id[name]
        if operation.is_read:
            of_resource = ("fields", "add", "values", *(["path"] if operation.is_list else ()))
            for key in of_resource:
                if key in parts:
                    parts.pop(key).refuse(
                        "a call that reads records has none of its own. Say it under "
                        f"`resources.{operation.resource}`."
                    )
        body = self._known.schema(operation.body) if operation.body else {}
        add = self._additions(parts, body)
        body = additions.extended(body, add)
        answer = self._known.schema(operation.answer) if operation.answer else {}
        either = {"properties": {**answer.get("properties", {}), **body.get("properties", {})}}
        path = None
        if "path" in parts:
            path = _path(parts["path"], of_record=RECORD in operation.path)
        values = self._values(parts, either)
        return CallOverlay(
            path=path,
            offered=_offered(parts),
            fields=self._fields(parts, either),
            add=add,
            values=values,
        )

    def _noted(self, parts: dict[str, Part]) -> dict[str, Part]:
        for part in parts.values():
            self.parts[part.key] = part
        return parts

    def _additions(self, parts: Mapping[str, Part], schema: Schema) -> dict[str, Schema]:
        if "add" not in parts:
            return {}
        found = {}
        for text, part in parts["add"].mapping(what="field").items():
            place = _place(part, text)
            if place is None:
                continue
            if find(schema, place):
                part.refuse(
                    "the contract has this field. Where the tenant calls it otherwise, say it "
                    "under `fields`; where it is personal, under `pii`."
                )
            elif not additions.is_name(place.path[-1]):
                part.refuse(additions.NO_NAME)
            elif not additions.has_holder(schema, place):
                part.refuse("expected it to be within an object that the contract has.")
            elif (field := additions.schema_of(part)) is not None:
                found[text] = field
        return found

    def _parameters(self, name: str, part: Part) -> dict[str, str]:
        known = self.operations.lists[name].parameters
        parts = self._noted(part.mapping(known, "parameter"))
        found = {}
        for mine, each in parts.items():
            theirs = each.text("the tenant's name of the parameter")
            if theirs is not None and not _NAME.fullmatch(theirs):
                each.refuse("expected the name of a query parameter, got other text.")
            elif theirs is not None:
                found[mine] = theirs
        return found

    def _fields(self, parts: Mapping[str, Part], schema: Schema) -> dict[str, str]:
        if "fields" not in parts:
            return {}
        found = {}
        for text, part in self._noted(parts["fields"].mapping(what="field")).items():
            theirs = part.text("the tenant's name of the field")
            if not _field(part, text, schema) or theirs is None:
                continue
            if "[]" in theirs:
                part.refuse(
                    f"expected a path from the item on, such as `{theirs.rpartition('[].')[2]}`: "
                    "what is within an array stays in it."
                )
            elif not _TENANT_PATH.fullmatch(theirs):
                part.refuse("expected names joined by dots, such as `lot.name`, got other text.")
            else:
                found[text] = theirs
        return found

    def _values(self, parts: Mapping[str, Part], schema: Schema) -> dict[str, Words]:
        if "values" not in parts:
            return {}
        found: dict[str, Words] = {}
        for text, part in self._noted(parts["values"].mapping(what="field")).items():
            if not _field(part, text, schema):
                continue
            listed = (find(schema, Place.of(text)) or {}).get("enum")
            if listed is None:
                part.refuse("expected a field with a closed list, this one takes any value.")
                continue
            found[text] = _words(part, [word for word in listed if word is not None])
        return found


def _words(part: Part, listed: list[str]) -> dict[str, str | None]:
    words: dict[str, str | None] = {}
    for word, each in part.mapping(what="word").items():
        mine = None if each.is_null else each.text("a word of the contract, or null")
        if mine is not None and mine not in listed:
            hint = unknown("word", mine, listed)
            if word in listed:
                hint = "left stands the tenant's. Are the two the wrong way round?"
            each.refuse(f"expected null or a word of the contract; {hint}")
        elif mine is None and word in listed:
            each.refuse("the contract has this word. Leave it out.")
        else:
            words[word] = mine
    checks.check_words(part, words, listed)
    return words


def _offered(parts: Mapping[str, Part]) -> bool:
    return parts["offered"].flag() is not False if "offered" in parts else True


def _path(part: Part, *, of_record: bool) -> str | None:
    """Read a path; a resource's is that of its list."""
    path = part.text("a path")
    if path is None:
        return None
    if not _PATH.fullmatch(path):
        part.refuse("expected a path such as `/inventory/units`, got other text.")
    elif path.count(RECORD) != of_record:
        must = "once" if of_record else "not"
        part.refuse(f"expected `{RECORD}` {must} in it, where the record's id stands.")
    return path


def _place(part: Part, text: str) -> Place | None:
    try:
        return Place.of(text)
    except ValueError:
        part.refuse("expected names joined by dots, such as `lot.name` or `lines[].payType`.")
        return None


def _field(part: Part, text: str, schema: Schema) -> bool:
    """Tell whether there is such a field; a problem where not."""
    place = _place(part, text)
    if place is None:
        return False
    if find(schema, place):
        return True
    part.refuse(unknown("field", text, [str(each) for each, _ in walk(schema)]))
    return False
