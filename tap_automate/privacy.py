"""What becomes of personal data: kept, dropped, or replaced by a keyed hash.

Dealers are financial institutions under the FTC Safeguards Rule, so what nobody asked for is not
taken: driver's licence and date of birth are dropped unless the `pii` setting says otherwise. A
catalog cannot do this: a selection of `*.*` takes fields that the catalog leaves out by default.
"""

from __future__ import annotations

import hashlib
import hmac
import typing as t

import msgspec

from automate_api.errors import ConfigError
from automate_api.tenant.moves import DISPLACED

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEEP: t.Final = "keep"
DROP: t.Final = "drop"
HASH: t.Final = "hash"

DEFAULTS: t.Final[Mapping[str, str]] = {"driversLicense": DROP, "dateOfBirth": DROP}

_canonical = msgspec.json.Encoder(order="sorted", decimal_format="number")


class Privacy:
    """The treatment of each personal field, by the field's name at any depth."""

    def __init__(
        self,
        treatment: Mapping[str, str],
        key: str | None,
        personal_fields: frozenset[str],
    ) -> None:
        """Check the setting against the contract.

        Args:
            treatment: Field to keep, drop or hash, beside the defaults.
            key: Secret for the hashes.
            personal_fields: The fields that the contract marks as personal.

        Raises:
            ConfigError: On a field that is not personal, another word, or a hash without a key.
        """
        problems = [
            f"`pii.{name}`: the contract has no personal field of this name; it has "
            f"{', '.join(sorted(personal_fields))}"
            for name in sorted(treatment.keys() - personal_fields)
        ]
        problems += [
            f"`pii.{name}` must be keep, drop or hash"
            for name, word in sorted(treatment.items())
            if word not in {KEEP, DROP, HASH}
        ]
        self._treatment = {**DEFAULTS, **treatment}
        if HASH in self._treatment.values() and not key:
            problems.append(
                "`pii_key` is required for `hash`: without a key, licences and dates can be guessed"
            )
        if problems:
            raise ConfigError("\n  - ".join(["The `pii` setting cannot be used.", *problems]))
        self._key = (key or "").encode()

    def drops(self, name: str) -> bool:
        """Tell whether a field is left out."""
        return self._of(name) == DROP

    def hashing(self, name: str) -> Callable[[t.Any], t.Any] | None:
        """Return what hashes a field's value, or None when the field is kept."""
        return self._hash if self._of(name) == HASH else None

    def _of(self, name: str) -> str | None:
        """Give the treatment of a field; what an overlay's work has put beside one counts as it."""
        if name.endswith(DISPLACED):
            parts = name.removesuffix(DISPLACED).split(".")
            return next(filter(None, map(self._treatment.get, parts)), None)
        return self._treatment.get(name)

    def treat(self, value: t.Any) -> t.Any:  # noqa: ANN401 - a vendor may send anything
        """Return a value that no schema describes without, or with hashes of, what is personal."""
        if isinstance(value, list):
            return [self.treat(element) for element in value]
        if not isinstance(value, dict):
            return value
        return {
            name: self._hash(child)
            if child is not None and self.hashing(name)
            else self.treat(child)
            for name, child in value.items()
            if not self.drops(name)
        }

    def schema(self, schema: Mapping[str, t.Any]) -> dict[str, t.Any]:
        """Return a schema as it is after the treatment: dropped fields gone, hashes as text."""
        result = dict(schema)
        if "properties" in schema:
            result["properties"] = {
                name: _hashed_schema(child) if self.hashing(name) else self.schema(child)
                for name, child in schema["properties"].items()
                if not self.drops(name)
            }
        if isinstance(schema.get("items"), dict):
            result["items"] = self.schema(schema["items"])
        return result

    def _hash(self, value: t.Any) -> t.Any:  # noqa: ANN401 - a field of any type may be personal
        """Hash a value; a list element by element, so that it still joins on each."""
        if isinstance(value, list):
            return [self._hash(element) for element in value]
        return hmac.new(self._key, _canonical.encode(value), hashlib.sha256).hexdigest()


def _hashed_schema(schema: Mapping[str, t.Any]) -> dict[str, t.Any]:
    hashed: dict[str, t.Any] = {"type": ["string", "null"]}
    if "description" in schema:
        hashed["description"] = f"{schema['description']} (keyed hash)"
    if "array" in schema.get("type", ()):
        return {**hashed, "type": ["array", "null"], "items": {"type": ["string", "null"]}}
    return hashed
