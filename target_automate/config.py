"""The target's own settings, beside those that it shares with the tap."""

from __future__ import annotations

import re
import typing as t

from automate_api import contract
from automate_api.config import overlay_of
from target_automate.checks import approvals
from target_automate.paths import JOURNAL_SETTINGS
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX: t.Final = "TARGET_AUTOMATE_"
PROGRAM: t.Final = "target-automate"
LONGEST_KEY_DAYS: t.Final = 365

TARGET_SETTINGS: t.Final[Mapping[str, Mapping[str, t.Any]]] = {
    **JOURNAL_SETTINGS,
    "workers": {
        "type": "integer",
        "minimum": 1,
        "maximum": 32,
        "default": 8,
        "title": "Workers",
        "description": (
            "Requests under way at the same time. What is about one record of the DMS goes one "
            "after the other, in the order in which it came, whatever their number."
        ),
    },
    "max_rejects": {
        "type": ["integer", "null"],
        "minimum": 0,
        "title": "Rejects",
        "description": "Rejected records with which a run still ends well; any number unless set.",
    },
    "max_reject_percent": {
        "type": "number",
        "minimum": 0,
        "maximum": 100,
        "default": 5,
        "title": "Share of rejects",
        "description": "The same in percent of the records, from 20 records on.",
    },
    "on_fuzzy_match": {
        "type": "string",
        "enum": ["accept", "warn", "reject"],
        "default": "warn",
        "title": "Customers matched by name",
        "description": (
            "What to do where the DMS matches a customer by name and contact instead of by "
            "externalId: `accept`, `warn` afterwards, or `reject`, which asks before it is sent."
        ),
    },
    "approvals": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "object": {"enum": [sink.object for sink in SINKS]},
                "when": {"type": "string", "minLength": 1},
            },
            "required": ["object"],
            "additionalProperties": False,
        },
        "default": [],
        "title": "Approvals",
        "description": (
            "Rules for records that wait until a plan with them is applied: "
            '`[{"object": "deals", "when": "pricing.salePrice > 100000"}]`. `when` sees the '
            "record's fields, `rows`, the records of the object in this run so far, and `dms`, "
            "the record that is to be changed as the DMS holds it. Without `when` all wait."
        ),
    },
    "lookup_before_create": {
        "type": "string",
        "enum": ["auto", "always", "never"],
        "default": "auto",
        "title": "Look up before creating",
        "description": (
            "`auto` asks the DMS for every deal, appointment and repair order that is to be "
            "created, until a run with this journal has reached its end, and for every attachment: "
            "a lost journal makes no duplicates. `always` goes on asking for all of them: set it "
            "before a full refresh into a new journal."
        ),
    },
    "cooldown_seconds": {
        "type": "integer",
        "minimum": 0,
        "default": 60,
        "title": "Visibility",
        "description": (
            "Seconds after which a write that was carried out is visible to every read. What is "
            "not found by then, and may not be sent twice, is parked."
        ),
    },
    "idempotency_header": {
        "type": "string",
        "default": "Idempotency-Key",
        "title": "Header of the key",
        "description": "Name of the header that carries the idempotency key.",
    },
    "idempotency_quoted": {
        "type": "boolean",
        "default": False,
        "title": "Quoted key",
        "description": "Whether the key stands in double quotes.",
    },
    "idempotency_ttl": {
        "type": "integer",
        "minimum": 0,
        "maximum": LONGEST_KEY_DAYS * 86_400,
        "default": 86_400,
        "title": "Life of a key",
        "description": "Seconds for which the DMS keeps a key; after it a write is read back.",
    },
    "idempotency_honoured": {
        "type": "string",
        "enum": ["auto", "honoured", "ignored"],
        "default": "auto",
        "title": "Keys honoured",
        "description": (
            "Whether the DMS honours keys: a write whose answer was lost is then sent again under "
            "its key. `auto` reads it back instead, until an answer has shown that it does."
        ),
    },
}
"""JSON Schema of each setting, as `--about` prints it; `secret` marks what is never shown."""

_HEADER: t.Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")


def problems(values: Mapping[str, t.Any]) -> list[str]:
    """Say what a JSON Schema cannot check.

    Args:
        values: Setting to value, of the right types; any may be missing.

    Returns:
        A sentence for each problem, without the value.

    Raises:
        ConfigError: When there are rules of approval, and the overlay that they follow is wrong.
    """
    found = []
    if not _HEADER.fullmatch(values.get("idempotency_header", "Idempotency-Key")):
        found.append("`idempotency_header` must be the name of a header")
    if rules := values.get("approvals"):
        known = contract.load(overlay_of(values))
        for number, rule in enumerate(rules):
            if problem := approvals.problem(rule["object"], rule.get("when", "True"), known):
                found.append(f"`approvals.{number}.when` must be {problem}")
    return found
