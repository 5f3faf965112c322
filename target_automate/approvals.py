"""What a person has to approve before it is sent: rules of the settings.

    {"object": "deals", "when": "pricing.salePrice > 100000"}
    {"object": "customers", "when": "rows > 5000"}

`when` is an expression over the fields of the payload, as in stream maps, and over `rows`, the
number of records of the object that this run would send, this one included; without `when` every
record of the object is held. A rule that cannot be decided holds the record, too.
"""

from __future__ import annotations

import ast
import dataclasses
import threading
import typing as t
from collections import Counter
from decimal import Decimal

import simpleeval

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from target_automate.intents import Intent

ROWS: t.Final = "rows"


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        object: Whose records it is about.
        when: The expression; None holds every record.
    """

    object: str
    when: str | None

    def holds(self, payload: Mapping[str, t.Any], rows: int) -> str | None:
        """Tell why a record is held; None when it is not."""
        if self.when is None:
            return "every one of them is to be approved"
        evaluator = simpleeval.EvalWithCompoundTypes(names={**payload, ROWS: rows})
        evaluator.nodes[ast.Constant] = _exact
        try:
            held = evaluator.eval(self.when)
        except Exception as error:  # noqa: BLE001 - an expression of the user's may raise anything
            return f"`{self.when}` cannot be decided ({type(error).__name__})"
        return f"`{self.when}`" if held else None


class Approvals:
    """The rules of a run; safe to share between threads.

    Args:
        rules: From the settings, checked.
    """

    def __init__(self, rules: Sequence[Mapping[str, t.Any]]) -> None:
        self._rules = [Rule(rule["object"], rule.get("when")) for rule in rules]
        self._rows: Counter[str] = Counter()
        self._counted: set[int] = set()
        self._lock = threading.Lock()

    def holds(self, intent: Intent) -> str | None:
        """Tell why an intent is held; None when it may be sent.

        Args:
            intent: Before it is sent for the first time.
        """
        if not self._rules or intent.approved or intent.attempts:
            return None
        with self._lock:
            if intent.id not in self._counted:
                self._counted.add(intent.id)
                self._rows[intent.object] += 1
            rows = self._rows[intent.object]
        reasons = (
            rule.holds(intent.payload, rows) for rule in self._rules if rule.object == intent.object
        )
        reason = next((reason for reason in reasons if reason), None)
        return f"`approvals` holds it: {reason}" if reason else None


def _exact(node: ast.Constant) -> object:
    """Take a number as it is written: money is exact, and the float beside 100000.01 is not it."""
    return Decimal(repr(node.value)) if isinstance(node.value, float) else node.value


def problem(expression: str) -> str | None:
    """Tell what is wrong with the form of an expression; None when nothing is."""
    try:
        ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        return f"an expression ({error.__class__.__name__})"
    return None
