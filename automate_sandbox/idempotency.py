"""Idempotency keys: a write that comes again with its key gets the answer it had.

The vendor promises keys in prose only; what is served here is the IETF draft (httpapi
idempotency-key-header) with a header that says an answer is not new. Only writes that were carried
out are remembered: after a refusal the same key starts anew.
"""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t
from collections import Counter

import msgspec

from automate_sandbox.instants import SECOND
from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from automate_sandbox.instants import Clock

Idempotency = t.Literal["honoured", "ignored"]
MODES: t.Final[tuple[Idempotency, ...]] = t.get_args(Idempotency)
LONGEST: t.Final = 255
REUSED: t.Final = "idempotency_key_reused"
IN_FLIGHT: t.Final = "idempotency_key_in_flight"


class Kept(t.NamedTuple):
    """An answer that is given again.

    Attributes:
        at: When it was made, milliseconds since 1970.
        fingerprint: Of the request.
        status: HTTP status.
        body: JSON.
    """

    at: int
    fingerprint: str
    status: int
    body: bytes


@dataclasses.dataclass(frozen=True)
class KeyRules:
    """How keys are treated.

    Attributes:
        mode: `honoured`, or `ignored` as by a server that only promises them.
        header: That carries the key.
        seconds: How long an answer is kept.
        says_replay: Whether an answer that is given again says so in a header.
    """

    mode: Idempotency = "honoured"
    header: str = "Idempotency-Key"
    seconds: int = 86_400
    says_replay: bool = True


class Keys:
    """The keys of a running sandbox.

    Attributes:
        rules: How they are treated.
        counts: `replayed`, `reused` and `in_flight` requests.
    """

    def __init__(self, rules: KeyRules, clock: Clock) -> None:
        """Know no key yet.

        Args:
            rules: How keys are treated.
            clock: Of the server; a kept answer ages by it.
        """
        self.rules = rules
        self.counts: Counter[str] = Counter()
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._claimed: dict[str, str] = {}

    def claim(self, key: str | None, fingerprint: str) -> Kept | None:
        """Take a key for a request that is about to be carried out.

        Args:
            key: Of the request; None when it has none.
            fingerprint: Of the request.

        Returns:
            The answer to give again; None when the request is to be carried out, after which `keep`
            or `release` must be called.

        Raises:
            Problem: 409 while the first request with the key is being carried out, 422 when the key
                was another request's.
        """
        if key is None or self.rules.mode == "ignored":
            return None
        self._forget_old()
        kept = self._kept.get(key)
        taken_by = kept.fingerprint if kept else self._claimed.get(key)
        if taken_by is None:
            self._claimed[key] = fingerprint
            return None
        if taken_by != fingerprint:
            self.counts["reused"] += 1
            raise Problem(422, "The idempotency key was used for another request.", REUSED)
        if kept is None:
            self.counts["in_flight"] += 1
            raise in_flight()
        self.counts["replayed"] += 1
        return kept

    def keep(self, key: str | None, kept: Kept) -> None:
        """Remember the answer to a request that was carried out."""
        if key is None or self.rules.mode == "ignored":
            return
        self._claimed.pop(key, None)
        # In the order of age, which is how the old ones are found.
        self._kept.pop(key, None)
        self._kept[key] = kept

    def release(self, key: str | None) -> None:
        """Forget a key whose request was refused."""
        if key is not None:
            self._claimed.pop(key, None)
            self._kept.pop(key, None)

    def _forget_old(self) -> None:
        oldest = self._clock.now() - self.rules.seconds * SECOND
        while self._kept:
            key = next(iter(self._kept))
            if self._kept[key].at > oldest:
                return
            del self._kept[key]


def read_key(header: str | None) -> str | None:
    """Read the header's value: a key, or a key in double quotes as the draft writes it.

    Raises:
        Problem: 400 for an empty or endless one.
    """
    if header is None:
        return None
    text = header.strip()
    quoted = len(text) > 1 and text[0] == text[-1] == '"'
    key = text[1:-1] if quoted else text
    if not 0 < len(key) <= LONGEST:
        raise Problem(
            400, f"The idempotency key must have 1 to {LONGEST} characters.", "invalid_request"
        )
    return key


def fingerprint_of(call: str, content: object) -> str:
    """Digest a request: two with the same call and equal JSON have the same one.

    Args:
        call: `POST /deals`.
        content: The decoded body.
    """
    body = msgspec.json.encode(content, order="sorted")
    return hashlib.blake2b(call.encode() + b"\0" + body, digest_size=16).hexdigest()


def in_flight() -> Problem:
    """Make the answer to a request whose first sending is still being carried out."""
    return Problem(
        409,
        "The first request with this idempotency key is still being carried out.",
        IN_FLIGHT,
        headers={"Retry-After": "1"},
    )
