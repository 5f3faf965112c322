"""Leaves out of typed records what the catalog deselects, as the SDK does with dicts."""

from __future__ import annotations

import typing as t

import msgspec
from msgspec import UNSET

if t.TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Breadcrumb: t.TypeAlias = tuple[str, ...]


class Selection:
    """Which fields of a stream's records are emitted; objects in arrays are all or nothing."""

    def __init__(self, mask: Mapping[Breadcrumb, bool]) -> None:
        """Compile nothing yet: the types of records are known when they come.

        Args:
            mask: Whether what is at a breadcrumb is selected; tells of any breadcrumb.
        """
        self._mask = mask
        self._parents = {
            breadcrumb[:length]
            for breadcrumb, selected in mask.items()
            if not selected
            for length in range(len(breadcrumb))
        }
        self._plans: dict[tuple[type, Breadcrumb], tuple[list[str], list[tuple[str, Breadcrumb]]]]
        self._plans = {}

    def apply(self, records: Sequence[t.Any]) -> None:
        """Leave out what is deselected, in place.

        Args:
            records: Structs; what they share with others must not be needed any more.
        """
        for record in records:
            self._prune(record, ())

    def _prune(self, value: object, breadcrumb: Breadcrumb) -> None:
        if isinstance(value, msgspec.Struct):
            deselected, deeper = self._plan(type(value), breadcrumb)
            for attribute in deselected:
                setattr(value, attribute, UNSET)
            for attribute, below in deeper:
                self._prune(getattr(value, attribute), below)
        elif isinstance(value, dict):
            for name in list(value):
                below = (*breadcrumb, "properties", name)
                if not self._mask[below]:
                    del value[name]
                else:
                    self._prune(value[name], below)

    def _plan(
        self, kind: type[msgspec.Struct], breadcrumb: Breadcrumb
    ) -> tuple[list[str], list[tuple[str, Breadcrumb]]]:
        """Return the attributes to leave out, and those to look into, of a type at a place."""
        if (kind, breadcrumb) not in self._plans:
            below = {
                field.name: (*breadcrumb, "properties", field.encode_name)
                for field in msgspec.structs.fields(kind)
            }
            self._plans[kind, breadcrumb] = (
                [name for name, crumb in below.items() if not self._mask[crumb]],
                [(n, c) for n, c in below.items() if self._mask[c] and c in self._parents],
            )
        return self._plans[kind, breadcrumb]
