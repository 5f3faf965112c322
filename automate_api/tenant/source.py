"""YAML (and so JSON) whose every part knows its line and its key, for messages that name both."""

from __future__ import annotations

import dataclasses
import difflib
import json
import re
import typing as t

import yaml
from yaml.constructor import SafeConstructor

from automate_api.errors import ConfigError

if t.TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_DIGITS: t.Final = re.compile(r"[0-9]{1,3}")
_FLAGS: t.Final = SafeConstructor.bool_values
_PAIR: t.Final = re.compile(r"(?<!\\)\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_KINDS: t.Final = {"bool": "true or false", "int": "a number", "float": "a number"}


class Problems:
    """What is wrong with a file, gathered to be said at once."""

    def __init__(self, source: Path) -> None:
        """Begin with nothing."""
        self._source = source
        self._found: dict[tuple[int, str], None] = {}

    def add(self, part: Part, message: str) -> None:
        """Note a problem.

        Args:
            part: Where it is.
            message: What was expected, what came, and what to do.
        """
        # The file's top has no key.
        where = f"line {part.line}, `{part.key}`" if part.key else f"line {part.line}"
        self._found[part.line, f"{where}: {message}"] = None

    def __len__(self) -> int:
        """Tell how many there are."""
        return len(self._found)

    def refuse(self) -> None:
        """Say all of them, in the order of lines.

        Raises:
            ConfigError: When there are any.
        """
        if self._found:
            lines = "".join(f"\n  - {sentence}" for _, sentence in sorted(self._found))
            msg = f"The overlay {self._source} cannot be used.{lines}"
            raise ConfigError(msg)


@dataclasses.dataclass(frozen=True, slots=True)
class Part:
    """A part of a file.

    Attributes:
        key: From the file's top, dotted.
        line: Where it begins, from 1.
        problems: To add to.
    """

    key: str
    line: int
    problems: Problems
    _node: yaml.Node = dataclasses.field(repr=False)

    def refuse(self, message: str) -> None:
        """Note a problem of this part."""
        self.problems.add(self, message)

    @property
    def kind(self) -> str:
        """What it is, for messages."""
        match self._node:
            case yaml.MappingNode():
                return "a mapping"
            case yaml.SequenceNode():
                return "a list"
        if self.is_null:
            return "nothing"
        return _KINDS.get(self._node.tag.rpartition(":")[2], "text")

    @property
    def is_null(self) -> bool:
        """Whether it says nothing: `null`, `~`, or no text at all."""
        return self._node.tag.endswith(":null")

    def mapping(self, known: Collection[str] | None = None, what: str = "key") -> dict[str, Part]:
        """Read a mapping; keys are text as it is written.

        Args:
            known: The keys that there may be; any, unless given.
            what: What a key is, for messages.

        Returns:
            Key to part, without those that may not be; nothing for `null`.
        """
        if self.is_null:
            return {}
        if not isinstance(self._node, yaml.MappingNode):
            of = f" of {' and '.join(known)}" if known and not self.key else ""
            self.refuse(f"expected a mapping{of}, got {self.kind}.")
            return {}
        parts: dict[str, Part] = {}
        for name, value in self._node.value:
            text = name.value if isinstance(name, yaml.ScalarNode) else ""
            line = name.start_mark.line + 1
            key = ".".join(filter(None, (self.key, text)))
            part = Part(key, line, self.problems, value)
            if not text:
                part.refuse(f"expected a {what}, got none that is text.")
            elif text in parts:
                part.refuse(f"given twice, first in line {parts[text].line}. Leave one.")
            elif known is not None and text not in known:
                part.refuse(unknown(what, text, known))
            else:
                parts[text] = part
        return parts

    def parts(self) -> list[Part]:
        """Read a list."""
        if not isinstance(self._node, yaml.SequenceNode):
            self.refuse(f"expected a list, got {self.kind}.")
            return []
        return [
            Part(f"{self.key}[{index}]", node.start_mark.line + 1, self.problems, node)
            for index, node in enumerate(self._node.value)
        ]

    def text(self, what: str) -> str | None:
        """Read text as it is written; None, and a problem, for anything else.

        Args:
            what: What it is, for messages: `a path`.
        """
        if not isinstance(self._node, yaml.ScalarNode) or self.is_null or not self._node.value:
            self.refuse(f"expected {what}, got {self.kind}.")
            return None
        value: str = self._node.value
        return value

    def flag(self) -> bool | None:
        """Read true or false; None, and a problem, for anything else."""
        value = _FLAGS.get(self._node.value.lower()) if self._is_scalar("bool") else None
        if value is None:
            self.refuse(f"expected true or false, got {self.kind}.")
        return value

    def digits(self) -> int | None:
        """Read a whole number of a few digits; None for anything else."""
        if self._is_scalar("int") and _DIGITS.fullmatch(self._node.value):
            return int(self._node.value)
        return None

    def _is_scalar(self, kind: str) -> bool:
        return isinstance(self._node, yaml.ScalarNode) and self._node.tag.endswith(f":{kind}")


def parse(text: str, source: Path) -> Part:
    """Read a file's text.

    Args:
        text: YAML or JSON.
        source: The file, for messages.

    Raises:
        ConfigError: When it is neither, or empty, as a file that was cut short.
    """
    problems = Problems(source)
    if not text.strip():
        msg = (
            f"The overlay {source} cannot be used: the file is empty. Where the tenant does "
            "nothing otherwise, leave `contract_overlay` out, or write {}."
        )
        raise ConfigError(msg)
    text = _of_json(text)
    try:
        for token in yaml.scan(text, Loader=yaml.SafeLoader):
            if isinstance(token, yaml.AliasToken):
                where = Part(f"*{token.value}", token.start_mark.line + 1, problems, _NOTHING)
                where.refuse("aliases are not read. Write what it stands for.")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        msg = f"The overlay {source} cannot be used: it is no YAML (line {line}: {error.problem})."
        raise ConfigError(msg) from None
    # Of a number that is no character's, PyYAML raises what Python does.
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError):
        msg = f"The overlay {source} cannot be used: it is no text of YAML or JSON."
        raise ConfigError(msg) from None
    problems.refuse()
    return Part("", 1, problems, node or _NOTHING)


def _of_json(text: str) -> str:
    """Bring JSON to what YAML has alike: no tabs, and one escape for one character."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text
    return _PAIR.sub(lambda pair: str(json.loads(f'"{pair[0]}"')), text.replace("\t", " "))


def unknown(what: str, name: str, known: Collection[str]) -> str:
    """Say that there is nothing of a name, and which is nearest.

    Args:
        what: What it should be.
        name: As it was given.
        known: The names that there are.
    """
    near = difflib.get_close_matches(name, sorted(known), n=1)
    if not near:
        near = [each for each in sorted(known) if _last(each) == _last(name)][:1]
    few = len(known) <= 12  # noqa: PLR2004 - what a line holds
    hint = f" Is `{near[0]}` meant?" if near else f" There are {', '.join(known)}." if few else ""
    return f"there is no such {what}.{hint}"


def _last(place: str) -> str:
    return re.split(r"[.\]]", place)[-1].casefold()


_NOTHING: t.Final = yaml.ScalarNode("tag:yaml.org,2002:null", "")
