"""The reference's page of settings: every setting of every program, as `--about` has them."""

from __future__ import annotations

import json
import typing as t

from automate_api.contract import fields
from automate_dms.reference_markdown import GENERATED, code, page, paragraph, table

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Rule = Mapping[str, t.Any]

ABOUT: t.Final = (
    "The same flat names in a JSON file, in `meltano.yml`, and as variables of the environment "
    "(with `--config=ENV`; lists and objects as JSON). A secret is never shown in a log or message."
)
TYPES: t.Final = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "array": "list",
}
"""Type in JSON Schema to the reader's word."""


class Program(t.NamedTuple):
    """A program with settings.

    Attributes:
        name: Its command.
        about: What it is, in a sentence.
        env_prefix: Of the variables that hold its settings.
        schema: JSON Schema of all its settings, the Singer SDK's among them.
    """

    name: str
    about: str
    env_prefix: str
    schema: Rule


def settings_page(*programs: Program) -> str:
    """Write the page.

    Args:
        programs: In the order in which they are to stand.

    Returns:
        Markdown.
    """
    sections = [part for program in programs for part in _section(program)]
    return page("Settings", GENERATED, paragraph(ABOUT), *sections)


def _section(program: Program) -> Iterator[str]:
    yield f"## {program.name}"
    yield paragraph(f"{program.about} Variables begin with `{program.env_prefix}`.")
    yield table(("setting", "type", "default", "meaning"), _rows(program.schema))


def _rows(schema: Rule) -> Iterator[tuple[str, str, str, str]]:
    """Describe each setting, then the parts of those that have some."""
    for name, rule in schema["properties"].items():
        required = name in schema.get("required", ())
        yield _row(name, rule, required=required)
        for path, part in fields(dict(rule)):
            yield _row(f"{name}.{path}", part, required=False)


def _row(name: str, rule: Rule, *, required: bool) -> tuple[str, str, str, str]:
    marks = ["required"] * required + ["secret"] * bool(rule.get("secret"))
    if "default" in rule:
        default = rule["default"]
        marks.append(code(default if isinstance(default, str) else json.dumps(default)))
    return f"`{name}`", _kind(rule), ", ".join(marks), rule.get("description", "")


def _kind(rule: Rule) -> str:
    """Say what a value has to be."""
    if "enum" in rule:
        return f"one of {code(*map(str, rule['enum']))}"
    if "const" in rule:
        return code(rule["const"])
    if "anyOf" in rule:
        # One of the SDK's has a bare text where a schema should be.
        kinds = [_kind(each) for each in rule["anyOf"] if isinstance(each, dict)]
        return " or ".join(filter(None, kinds))
    return _limited(rule)


def _limited(rule: Rule) -> str:
    """Name a value's type, with its least and greatest."""
    declared = rule.get("type", ())
    names = [declared] if isinstance(declared, str) else declared
    kind = " or ".join(TYPES[name] for name in names if name != "null")
    if rule.get("format"):
        kind = {"date-time": "instant (ISO 8601)", "date": "date"}.get(rule["format"], kind)
    if "items" in rule:
        kind += f" of {_kind(rule['items'])}s"
    least, most = rule.get("minimum"), rule.get("maximum")
    if least is not None and most is not None:
        return f"{kind}, {least} to {most}"
    if least is not None:
        return f"{kind}, {least} or more"
    if rule.get("minLength", 0) > 1:
        return f"{kind}, {rule['minLength']} characters or more"
    return kind
