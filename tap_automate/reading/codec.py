"""Pages of JSON to typed records, by decoders that are compiled once per schema.

A record that is as the contract has it becomes a struct. Any other is read as a dict, exactly as it
came, and what is unusual about it is remembered: the decoder is compiled anew with these fields
loose, so that a tenant with a field more in every record is read as quickly as any other.
"""

from __future__ import annotations

import functools
import threading
import types
import typing as t
from decimal import Decimal

import msgspec
from msgspec import UNSET

from automate_api import exact_json
from automate_api.client import ListBody
from tap_automate.reading.records import Normaliser, deviations, unkeyed
from tap_automate.reading.shapes import Rules, Shape

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from tap_automate.privacy import Privacy
    from tap_automate.reading.drift import Drift
    from tap_automate.reading.shapes import Path

MOST_LOOSE: t.Final = 256
"""Loose fields for which decoders are compiled: where names are data themselves there is no end."""


class _Numbers(msgspec.Struct, rename={"page_size": "pageSize"}):
    """What a page tells beside its records."""

    page: int
    page_size: int
    total: int


class _Envelope(_Numbers, rename={"page_size": "pageSize"}):
    """A page whose records are still text."""

    items: list[msgspec.Raw]


class _Compiled:
    """A shape with its decoders."""

    def __init__(self, shape: Shape, loose: frozenset[Path]) -> None:
        self.shape = shape
        self.loose = loose
        items = types.GenericAlias(list, (shape.struct,))
        page: t.Any = msgspec.defstruct(
            "Page", [("items", items)], bases=(_Numbers,), rename={"page_size": "pageSize"}
        )
        self.page = exact_json.decoder(page)
        self.record = exact_json.decoder(shape.struct)


class Codec:
    """Reads the pages of one list call; `decode` may be called by many threads at once.

    A record is a struct, or a dict where the contract errs about it; `plain` makes either a dict.
    """

    def __init__(
        self,
        schema: Mapping[str, t.Any],
        privacy: Privacy,
        *,
        keep_unknown: bool = True,
        not_sent: Collection[str] = (),
    ) -> None:
        """Compile a record's schema.

        Args:
            schema: From the contract, with its closed lists and its key.
            privacy: What becomes of personal data.
            keep_unknown: Whether fields that the contract does not have are passed through.
            not_sent: Fields of the schema that do not count as missing when no record has them.
        """
        self._schema = unkeyed(schema)
        self._privacy = privacy
        self._normaliser = Normaliser(schema, privacy, keep_unknown=keep_unknown, not_sent=not_sent)
        self._learning = threading.Lock()
        self._shapes: dict[type, Shape] = {}
        self._compiled = self._compile(frozenset())

    @property
    def drift(self) -> Drift:
        """What `normalise` has counted."""
        return self._normaliser.drift

    def decode(self, content: bytes) -> t.Any:  # noqa: ANN401 - a `ListBody`, or any JSON that is none
        """Decode the body of an answer.

        Args:
            content: As it came.

        Returns:
            A `ListBody`; where the answer is no page, its JSON, numbers with a point as `Decimal`.

        Raises:
            ValueError: When it is no JSON; for no other reason, whatever names and values it has.
            ArithmeticError: For an exponent that no `Decimal` has.
            RecursionError: When it is nested deeper than Python's stack.
        """
        compiled = self._compiled
        try:
            page = compiled.page.decode(content)
        except msgspec.ValidationError:
            return self._decode_each(content, compiled)
        return ListBody(page.items, page.page, page.page_size, page.total)

    def normalise(self, records: Sequence[t.Any]) -> list[t.Any]:
        """Bring records into the form in which they are emitted, in place, and count drift.

        Args:
            records: As `decode` gave them, each once.

        Returns:
            The same records in the same order.
        """
        self.drift.presence.look(records)
        by_type: dict[type, list[t.Any]] = {kind: [] for kind in set(map(type, records))}
        if len(by_type) == 1:
            by_type = {kind: list(records) for kind in by_type}
        else:
            for record in records:
                by_type[type(record)].append(record)
        for kind, group in by_type.items():
            if kind is dict:
                for record in group:
                    self._normaliser(record)
            else:
                self._shapes[kind].finish(group)
        return list(records)

    def shape_of(self, kind: type) -> Shape | None:
        """Return the shape of a type of records; None for dicts."""
        return self._shapes.get(kind)

    def _decode_each(self, content: bytes, compiled: _Compiled) -> t.Any:  # noqa: ANN401 - as `decode`
        try:
            envelope = msgspec.json.decode(content, type=_Envelope)
        except msgspec.ValidationError:
            return exact_json.decode(content)
        odd: list[t.Any] = []
        items = []
        for text in envelope.items:
            try:
                record = compiled.record.decode(text)
            except msgspec.ValidationError:
                record = exact_json.decode(text)
                odd.append(record)
            items.append(record)
        if not all(isinstance(record, dict) for record in odd):
            return exact_json.decode(content)
        self._learn(odd)
        return ListBody(items, envelope.page, envelope.page_size, envelope.total)

    def _learn(self, odd: Iterable[t.Any]) -> None:
        """Have the fields that made records odd loose from the next page on.

        A field that no struct can have stays odd, and with it the records that have it.
        """
        paths = {
            path
            for record in odd
            for path in deviations(self._schema, record)
            if all(map(_can_name_a_field, path))
        }
        with self._learning:
            loose = self._compiled.loose | paths
            if self._compiled.loose < loose and len(loose) <= MOST_LOOSE:
                self._compiled = self._compile(loose)

    def _compile(self, loose: frozenset[Path]) -> _Compiled:
        shape = Shape(self._schema, (), Rules(self._privacy, self._normaliser, loose))
        self._shapes[shape.struct] = shape
        return _Compiled(shape, loose)


@functools.lru_cache(maxsize=4 * MOST_LOOSE)
def _can_name_a_field(name: str) -> bool:
    """Tell whether msgspec takes a name: not with a quote, a backslash or a control character."""
    try:
        struct = msgspec.defstruct("Named", [("field", t.Any)], rename={"field": name})
        msgspec.json.Decoder(struct)
    except (TypeError, ValueError):
        return False
    return True


def value_of(record: t.Any, name: str) -> t.Any:  # noqa: ANN401 - a struct or a dict, and any value
    """Return a field of a record by its name in the contract; None where it has none."""
    value = record.get(name) if isinstance(record, dict) else getattr(record, name, None)
    return None if value is UNSET else value


def plain(record: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - a struct or a dict
    """Return a record as a dict, as JSON has it, numbers with a point as `Decimal`.

    Args:
        record: A struct of a codec's, of which the dict is a copy, or a dict, which is returned.
    """
    if isinstance(record, dict):
        return record
    made: dict[str, t.Any] = msgspec.to_builtins(record, builtin_types=(Decimal,))
    return made
