"""What a person has to approve before it is sent: rules of the settings.

    {"object": "deals", "when": "pricing.salePrice > 100000"}
    {"object": "customers", "when": "rows > 5000"}
    {"object": "deal_statuses", "when": "status == 'delivered'"}
    {"object": "vehicle_prices", "when": "salePrice and salePrice < dms.salePrice * 0.9"}

`when` is an expression over the fields of the call, as in stream maps, None where the record does
not give one; over `dms`, the record that is to be changed as the DMS holds it; and over `rows`, the
number of records of the object in this run so far that would be sent, this one included. Without
`when` every record of the object is held. A rule that cannot be decided holds the record, too; and
what a rule has held, it holds until it is approved, or until the rule is gone.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import functools
import threading
import typing as t
from collections import Counter
from decimal import Decimal

import simpleeval

from automate_api import contract
from target_automate.journal.intents import State
from target_automate.sinks.table import by_object

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from automate_api.contract import Contract
    from target_automate.journal.intents import Intent

ROWS: t.Final = "rows"
DMS: t.Final = "dms"
HELD: t.Final = "`approvals` holds it: "
EVERY: t.Final = "every one of them is to be approved"


@dataclasses.dataclass(frozen=True, slots=True)
class Rule:
    """A rule.

    Attributes:
        object: Whose records it is about.
        when: The expression; None holds every record.
        known: The API; the contract's, unless it is a tenant's.
    """

    object: str
    when: str | None
    known: Contract | None = None

    def is_of(self, intent: Intent) -> bool:
        """Tell whether an intent that waits is held by this rule."""
        reason = EVERY if self.when is None else f"`{self.when}`"
        return (intent.reason or "").startswith(HELD + reason)

    def holds(
        self, payload: Mapping[str, t.Any], rows: int, record: Mapping[str, t.Any] | None = None
    ) -> str | None:
        """Tell why a record is held; None when it is not.

        Args:
            payload: What it says.
            rows: Its number among those of the run.
            record: What the DMS holds, where it changes something.
        """
        if self.when is None:
            return EVERY
        names = {**_fields(self.object, self.known), **payload, ROWS: rows, DMS: record}
        evaluator = simpleeval.EvalWithCompoundTypes(names=names)
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
        known: The API; the contract's, unless a tenant's is given.
    """

    def __init__(self, rules: Sequence[Mapping[str, t.Any]], known: Contract | None = None) -> None:
        self._rules = [Rule(rule["object"], rule.get("when"), known) for rule in rules]
        self._rows: Counter[str] = Counter()
        self._counted: set[int] = set()
        self._lock = threading.Lock()

    def holds(self, intent: Intent, record: Mapping[str, t.Any] | None = None) -> str | None:
        """Tell why an intent is held; None when it may be sent.

        Args:
            intent: Before it is sent for the first time.
            record: What the DMS holds, where the intent changes something.
        """
        if not self._rules or intent.approved or intent.attempts:
            return None
        with self._lock:
            if intent.id not in self._counted:
                self._counted.add(intent.id)
                self._rows[intent.object] += 1
            rows = self._rows[intent.object]
        rules = [rule for rule in self._rules if rule.object == intent.object]
        if intent.state is State.WAITING_APPROVAL and any(rule.is_of(intent) for rule in rules):
            # Held by the rule before: that other records have gone meanwhile approves nothing.
            return intent.reason
        reasons = (rule.holds(intent.payload, rows, record) for rule in rules)
        reason = next((reason for reason in reasons if reason), None)
        return f"{HELD}{reason}" if reason else None


@functools.cache
def _fields(object_name: str, known: Contract | None) -> Mapping[str, None]:
    """Name the fields that a record may give, each None unless it does."""
    sink = by_object(object_name)
    named = (name for found in sink.references for name in (found.field, found.alias))
    call = (known or contract.load()).write(sink.operation_id).schema["properties"]
    return dict.fromkeys((*call, *named, *sink.local))


def _exact(node: ast.Constant) -> object:
    """Take a number as it is written: money is exact, and the float beside 100000.01 is not it."""
    return Decimal(repr(node.value)) if isinstance(node.value, float) else node.value


def problem(object_name: str, expression: str, known: Contract | None = None) -> str | None:
    """Tell what is wrong with an expression; None when nothing is.

    Args:
        object_name: Whose records it is about.
        expression: As in `when`.
        known: The API; the contract's, unless it is a tenant's.
    """
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        return f"an expression ({error.__class__.__name__})"
    names = {*_fields(object_name, known), ROWS, DMS, *simpleeval.DEFAULT_NAMES}
    called = {node.func for node in ast.walk(tree) if isinstance(node, ast.Call)}
    made = {
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id not in names | made and node not in called:
            nearest = difflib.get_close_matches(node.id, names, 1)
            hint = f"; is `{nearest[0]}` meant?" if nearest else ""
            return f"over fields of {object_name}, `rows` and `dms`, not `{node.id}`{hint}"
    return None
