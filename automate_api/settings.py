"""Settings: one flat table per program, from files, from the environment, checked in one pass.

A program describes its settings as a JSON Schema (`{"properties": {...}, "required": [...]}`), the
form that Singer's `--about` prints. Values may come as text (environment variables, Meltano's
`.env`), so they are brought to the declared type first. Errors name the setting, what was expected
and what to do; they never repeat the value, which may be a secret.
"""

from __future__ import annotations

import contextlib
import copy
import difflib
import json
import math
import os
import re
import typing as t
from pathlib import Path

import jsonschema

from automate_api.errors import ConfigError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

ENVIRONMENT: t.Final = "ENV"
"""The name that stands for environment variables where a configuration file is asked for."""
TRUE_WORDS: t.Final = frozenset({"true", "1", "yes", "on"})
FALSE_WORDS: t.Final = frozenset({"false", "0", "no", "off"})


def from_environment(
    schema: Mapping[str, t.Any],
    prefix: str,
    environ: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Read the settings that environment variables name.

    Args:
        schema: The program's settings.
        prefix: `TAP_AUTOMATE_` and the like; the rest of a name is the setting in capitals.
        environ: The environment, `os.environ` unless given.

    Returns:
        Setting to text, for the variables that are set and not empty.
    """
    source = os.environ if environ is None else environ
    names = {name: f"{prefix}{name.upper().replace('-', '_')}" for name in schema["properties"]}
    return {name: source[variable] for name, variable in names.items() if source.get(variable)}


def resolve(
    schema: Mapping[str, t.Any],
    values: Mapping[str, t.Any],
    *,
    prefix: str | None = None,
) -> dict[str, t.Any]:
    """Return what a program works with: given values, the environment over them, defaults below.

    Args:
        schema: The program's settings.
        values: Setting to value, as configuration files have them.
        prefix: The prefix of environment variables; None reads none.
    """
    defaults = {
        name: rule["default"] for name, rule in schema["properties"].items() if "default" in rule
    }
    text = {} if prefix is None else from_environment(schema, prefix)
    return {**copy.deepcopy(defaults), **coerce(schema, {**values, **text})}


def from_sources(
    schema: Mapping[str, t.Any],
    sources: Sequence[str],
    prefix: str,
) -> dict[str, t.Any]:
    """Read settings from files and the environment, as `--config` names them.

    Args:
        schema: The program's settings.
        sources: JSON files, or `ENV` for the environment; the last one that has a setting wins.
        prefix: Of environment variables.

    Returns:
        Setting to value, unchecked; a file's further settings are kept.

    Raises:
        ConfigError: When a file cannot be read or is not a JSON object.
    """
    merged: dict[str, t.Any] = {}
    for source in sources:
        merged |= from_environment(schema, prefix) if source == ENVIRONMENT else _from_file(source)
    return merged


@contextlib.contextmanager
def explain_unreadable(sources: Sequence[str]) -> Iterator[None]:
    """Say which configuration file is at fault when the block, which reads them, fails.

    Nothing is read unless it does, since a file may be a pipe, good for one reading.

    Args:
        sources: JSON files, or `ENV`.

    Raises:
        ConfigError: Naming the file and what is wrong with it.
    """
    try:
        yield
    except (OSError, ValueError, TypeError):
        for source in sources:
            if source != ENVIRONMENT:
                _from_file(source)
        raise


def coerce(schema: Mapping[str, t.Any], values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Bring text to the declared type of its setting.

    Args:
        schema: The program's settings.
        values: Setting to value, as files and environment gave them.

    Returns:
        The same settings; text that does not fit its type is left for `check` to name.
    """
    properties = schema["properties"]
    return {
        name: _coerce_value(_types(properties[name]), value)
        if name in properties and isinstance(value, str)
        else value
        for name, value in values.items()
    }


def check(
    schema: Mapping[str, t.Any],
    values: Mapping[str, t.Any],
    *,
    program: str,
    further: Callable[[Mapping[str, t.Any]], Sequence[str]] = lambda _: (),
) -> None:
    """Refuse settings that do not fit, naming all of them at once.

    Args:
        schema: The program's settings.
        values: Setting to value, coerced.
        program: Whose settings they are, for the message.
        further: Lists what a schema cannot tell, a sentence each, of those that fit theirs.

    Raises:
        ConfigError: With one line for each setting that is missing or wrong.
    """
    refuse([*problems(schema, values), *further(fitting(schema, values))], program=program)


def problems(schema: Mapping[str, t.Any], values: Mapping[str, t.Any]) -> list[str]:
    """List what does not fit, one sentence a setting, for a caller with rules beyond the schema.

    Args:
        schema: The program's settings.
        values: Setting to value, coerced.

    Returns:
        Sentences without values; none when everything fits.
    """
    # In singer-sdk 0.54 the schema of stream maps is none: a bare "null" in the anyOf of `__else__`
    # ends in a traceback. All else in them is checked by its mapper.
    properties = {
        name: {"type": rule["type"]} if name == "stream_maps" else rule
        for name, rule in schema["properties"].items()
    }
    validator = jsonschema.Draft202012Validator({**schema, "properties": properties})
    found = {_problem(error) for error in validator.iter_errors(dict(values))}
    found |= {f"`{name}` must be {rule}" for name, rule in _unusable(values)}
    return sorted(found | _else_problems(values.get("stream_maps"), "stream_maps"))


def fitting(schema: Mapping[str, t.Any], values: Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Return the settings that fit their own rule, for checks that go beyond the schema.

    Args:
        schema: The program's settings.
        values: Setting to value, coerced.
    """
    rules = schema["properties"]
    return {
        name: value
        for name, value in values.items()
        if name not in rules or not problems({"properties": {name: rules[name]}}, {name: value})
    }


def unknown(schema: Mapping[str, t.Any], values: Mapping[str, t.Any]) -> list[str]:
    """List the settings that a program does not have: mistyped, or another program's.

    Args:
        schema: The program's settings.
        values: Setting to value, as it was given.

    Returns:
        A sentence for each.
    """
    names = list(schema["properties"])
    sentences = []
    for name in sorted(values.keys() - set(names)):
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" Is `{near[0]}` meant?" if near else ""
        sentences.append(f"`{name}` is no setting of this program and does nothing.{hint}")
    return sentences


def _unusable(values: Mapping[str, t.Any]) -> Iterator[tuple[str, str]]:
    """List what no setting can be, and what JSON Schema lets pass."""
    for name, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            yield name, "a finite number"
        # Bytes of the environment that are no UTF-8 come as surrogates.
        if isinstance(value, str) and re.search("[\0\ud800-\udfff]", value):
            yield name, "text in UTF-8, without NUL"


def _else_problems(maps: object, where: str) -> set[str]:
    """Check the one rule of stream maps, at both levels, that the SDK cannot check."""
    if not isinstance(maps, dict):
        return set()
    found = set().union(*(_else_problems(maps[name], f"{where}.{name}") for name in maps))
    if maps.get("__else__") not in {None, "__NULL__"}:
        found.add(f"`{where}.__else__` must be null or __NULL__")
    return found


def path(name: str, text: str) -> Path:
    """Read a setting that is a path, `~` being the user's home.

    Args:
        name: The setting, for the message.
        text: Its value.

    Returns:
        The absolute path.

    Raises:
        ConfigError: When there is no such home.
    """
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        msg = f"`{name}` begins with `~`, and there is no such home directory. Name the whole path."
        raise ConfigError(msg) from None


def state_home(name: str) -> Path:
    """Return the folder for what our programs keep between runs, as the XDG base directories say.

    Args:
        name: The setting that names another place, for the message.

    Returns:
        `$XDG_STATE_HOME/automate-dms`, or `~/.local/state/automate-dms`; it may not exist yet.

    Raises:
        ConfigError: When there is no home directory.
    """
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        return Path(state, "automate-dms").expanduser()
    except RuntimeError:
        msg = f"There is no home directory to keep files in: name a place with `{name}`."
        raise ConfigError(msg) from None


def refuse(problems: Sequence[str], *, program: str) -> None:
    """Raise when there are problems.

    Args:
        problems: One sentence a problem.
        program: Whose settings they are about, for the message.

    Raises:
        ConfigError: With one line a problem.
    """
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        msg = f"{program}: the settings cannot be used.{lines}\nAll settings: `{program} --about`."
        raise ConfigError(msg)


def _from_file(name: str) -> dict[str, t.Any]:
    try:
        text = Path(name).read_text(encoding="utf-8")
        content = json.loads(text, parse_constant=_refuse_constant)
    except OSError as error:
        msg = f"The configuration file {name} cannot be read ({error.strerror})."
        raise ConfigError(msg) from error
    except ValueError as error:
        # The parser's own text is left out of the chain: it holds the file's content.
        msg = f"The configuration file {name} is not JSON{_place(error)}."
        raise ConfigError(msg) from None
    if not isinstance(content, dict):
        msg = f"The configuration file {name} must hold a JSON object of settings."
        raise ConfigError(msg)
    return content


def _refuse_constant(name: str) -> t.NoReturn:
    """Python reads NaN and Infinity, which JSON does not have."""
    raise ValueError(name)


def _place(error: ValueError) -> str:
    return f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""


def _types(declared: Mapping[str, t.Any]) -> frozenset[str]:
    kinds = declared.get("type", ())
    return frozenset([kinds] if isinstance(kinds, str) else kinds)


def _coerce_value(kinds: frozenset[str], text: str) -> t.Any:  # noqa: ANN401 - a setting has any type
    if "string" in kinds or not kinds:
        return text
    word = text.strip().lower()
    if "boolean" in kinds and word in TRUE_WORDS | FALSE_WORDS:
        return word in TRUE_WORDS
    if "array" in kinds and not word.startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _unknown_keys(where: str, value: Mapping[str, t.Any], known: Mapping[str, t.Any]) -> str:
    unknown = [name for name in value if name not in known]
    near = [match for name in unknown for match in difflib.get_close_matches(name, known, n=1)]
    hint = f"; is `{near[0]}` meant?" if near else ""
    names = ", ".join(f"`{name}`" for name in unknown)
    return f"`{where}` must be an object of nothing but {', '.join(known)}; got {names}{hint}"


def _problem(error: jsonschema.ValidationError) -> str:
    where = ".".join(str(part) for part in error.absolute_path)
    rule: t.Any = error.validator_value
    got = f"a value of type {type(error.instance).__name__}"
    match error.validator:
        case "required":
            missing = error.message.partition(" is a required property")[0].strip("'")
            return f"`{f'{where}.' if where else ''}{missing}` is required and missing"
        case "type":
            expected = f"of type {rule if isinstance(rule, str) else ' or '.join(rule)}"
        case "enum":
            expected = f"one of {', '.join(map(str, rule))}"
            if isinstance(error.instance, str):
                got = "another value" if error.instance else "an empty one"
        case "format":
            expected = f"a {rule}"
        case "minimum":
            expected = f"at least {rule}"
        case "maximum":
            expected = f"at most {rule}"
        case "minLength":
            expected = "not empty" if rule == 1 else f"at least {rule} characters long"
        case "additionalProperties" if isinstance(error.schema, dict) and rule is False:
            return _unknown_keys(where, t.cast("t.Any", error.instance), error.schema["properties"])
        case other:
            expected = f"what its rule {other!r} allows"
    return f"`{where}` must be {expected}; got {got}"
