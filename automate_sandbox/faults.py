"""Faults by rule: what goes wrong, for which requests, how often.

A rule is a JSON object:

    {"kind": "rate_limit", "match": {"method": "GET", "path": "/deals*"}, "count": 3}

`match.method` and `match.path` (a shell pattern on the path after the integration's prefix) default
to all; `probability` (default 1) is drawn from the seed; `count` is how many requests it strikes
(default: no end); `skip` leaves the first so many matching requests alone.

| kind | what happens | further fields, the default first |
|---|---|---|
| latency | the request waits before it is looked at | `milliseconds`: 100 |
| rate_limit | 429 with `Retry-After` | `retry_after`: 1 (s), `form`: seconds, http_date |
| server_error | a 5xx | `status`: 500, 502, 503; `when`: before, after; `retry_after`: 0 (s) |
| cut | the connection ends | `when`: before, unanswered, during, after |
| delayed | processed later than answered | `milliseconds`: 1000; `answer`: cut, gateway, none |
| accepted | 202, the write follows later | `milliseconds`: 0 |
| failed_operation | 202, and nothing comes of it | `milliseconds`: 0 |
| conflict | 409, nothing is processed | `form`: in_flight, duplicate |
| locked | 423 `approval_pending`, nothing is processed | |
| lost_id | the answer to a write does not name the record | |
| html | a web page instead of JSON | `status`: 200; `when`: before, after |
| expired_token | the request's token expires before it is looked at | |
| killed_session | all sessions are forgotten before the request is looked at | |
| ignored_bounds | `updatedFrom` and `updatedTo` count for nothing | |
| unknown_field | records have a field that the contract does not know | |
| unknown_enum | records have a `status` that the contract does not know | |
| text_field | a field of records has text, ` USD` behind its value | `field`: listPrice |
| lost_field | records lack a field | `field`: listPrice |
| malformed | the answer is broken | `form`: see below |
| status | the error envelope, nothing is processed | `status`: 404; `code`: the status's own |
| slow_body | a file comes in pieces, each after a wait | `milliseconds`: 100 |
| wrong_bytes | a file has other bytes than it should, as many | |
| expired_url | the link to a file has expired | |

- A connection is cut before the request is processed, after that but without an answer
  (unanswered), in the middle of the answer (during), or after a whole one.
- `when` is before or after processing.
- `delayed`: the connection is cut at once, or a 504 comes at once (gateway), or nothing comes while
  the client waits (none). The same idempotency key is in flight until the write is carried out.
- `accepted`: `GET /operations/{id}` says how it goes; a refusal by anything but the contract's
  schema is told there, as is that of `failed_operation`. It is queued for half of its time, then
  running.
- The times of `delayed`, `accepted` and `failed_operation` pass by the sandbox's clock, which
  `POST clock` moves.
- Files lie below `/files`, and are sent to `/files/incoming`; of the other kinds those strike them
  that do without JSON or a session. A fault that comes before processing takes no byte of a file.
- `malformed`: `no_total`, `text_total` and `items_object` break a list's envelope; `truncated`
  (half of it), `empty` (nothing) and `array` (an array of it) break every answer that went well.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import random
import typing as t

from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record

FIELDS: t.Final[dict[str, dict[str, t.Any]]] = {
    "latency": {"milliseconds": 100},
    "rate_limit": {"retry_after": 1, "form": ("seconds", "http_date")},
    "server_error": {"status": (500, 502, 503), "when": ("before", "after"), "retry_after": 0},
    "cut": {"when": ("before", "unanswered", "during", "after")},
    "delayed": {"milliseconds": 1000, "answer": ("cut", "gateway", "none")},
    "accepted": {"milliseconds": 0},
    "failed_operation": {"milliseconds": 0},
    "conflict": {"form": ("in_flight", "duplicate")},
    "locked": {},
    "lost_id": {},
    "html": {"status": 200, "when": ("before", "after")},
    "expired_token": {},
    "killed_session": {},
    "ignored_bounds": {},
    "unknown_field": {},
    "unknown_enum": {},
    "text_field": {"field": "listPrice"},
    "lost_field": {"field": "listPrice"},
    "malformed": {
        "form": ("no_total", "text_total", "items_object", "truncated", "empty", "array")
    },
    "status": {"status": 404, "code": ""},
    "slow_body": {"milliseconds": 100},
    "wrong_bytes": {},
    "expired_url": {},
}
"""Kind to its fields: the default number or text, or the allowed values with the default first."""

COMMON: t.Final = frozenset({"kind", "match", "probability", "count", "skip"})


@dataclasses.dataclass
class Rule:
    """A fault and where it strikes.

    Attributes:
        kind: One of `FIELDS`.
        method: In capitals, or `*`.
        path: Shell pattern.
        probability: Of striking a matching request.
        count: Strikes that are left; None has no end.
        skip: Matching requests that are still left alone.
        fields: The kind's own, defaults filled in.
        strikes: How often it has struck.
    """

    kind: str
    method: str
    path: str
    probability: float
    count: int | None
    skip: int
    fields: Record
    strikes: int = 0


class Faults:
    """The rules in force."""

    def __init__(self, seed: int) -> None:
        """Start without rules.

        Args:
            seed: Decides what probabilities come to.
        """
        self.rules: list[Rule] = []
        self._seed = seed
        self._rng = random.Random(f"faults/{seed}")  # noqa: S311 - faults, not secrets

    def add(self, rules: list[Record]) -> None:
        """Put rules in force, all or none.

        Raises:
            Problem: 422 naming the field that is wrong.
        """
        self.rules += [_read(rule) for rule in rules]

    def reset(self) -> None:
        """Drop all rules; probabilities start over."""
        self.rules.clear()
        self._rng = random.Random(f"faults/{self._seed}")  # noqa: S311 - faults, not secrets

    def strike(self, method: str, path: str) -> list[Rule]:
        """Choose the faults of a request, in the order of their rules."""
        return [rule for rule in self.rules if self._strikes(rule, method, path)]

    def _strikes(self, rule: Rule, method: str, path: str) -> bool:
        if rule.method not in {"*", method} or not fnmatch.fnmatchcase(path, rule.path):
            return False
        if rule.skip:
            rule.skip -= 1
            return False
        if rule.count == 0 or self._rng.random() >= rule.probability:
            return False
        rule.count = None if rule.count is None else rule.count - 1
        rule.strikes += 1
        return True


def _read(rule: object) -> Rule:
    if not isinstance(rule, dict):
        raise Problem.invalid(422, "rules", "expected objects")
    kind = rule.get("kind")
    if kind not in FIELDS:
        raise Problem.invalid(422, "kind", f"expected one of {', '.join(FIELDS)}")
    known = FIELDS[kind]
    unknown = sorted(set(rule) - COMMON - set(known))
    if unknown:
        raise Problem.invalid(422, unknown[0], f"{kind} has no such field")
    match = rule.get("match", {})
    if not isinstance(match, dict) or set(match) - {"method", "path"}:
        raise Problem.invalid(422, "match", "expected an object with method and path")
    return Rule(
        kind=kind,
        method=str(match.get("method", "*")).upper(),
        path=str(match.get("path", "*")),
        probability=_number(rule, "probability", 1),
        count=None if rule.get("count") is None else int(_number(rule, "count", 0)),
        skip=int(_number(rule, "skip", 0)),
        fields={name: _field(rule, name, default) for name, default in known.items()},
    )


def _field(rule: Record, name: str, default: t.Any) -> t.Any:  # noqa: ANN401 - number or word
    if isinstance(default, str):
        text = rule.get(name, default)
        if not isinstance(text, str):
            raise Problem.invalid(422, name, "expected a text")
        return text
    if not isinstance(default, tuple):
        return _number(rule, name, default)
    value = rule.get(name, default[0])
    if value not in default:
        raise Problem.invalid(422, name, f"expected one of {', '.join(map(str, default))}")
    return value


def _number(rule: Record, name: str, default: float) -> t.Any:  # noqa: ANN401 - int or Decimal
    value = rule.get(name, default)
    if isinstance(value, (str, bool, list, dict)) or value is None or value < 0:
        raise Problem.invalid(422, name, "expected a number from 0")
    return value
