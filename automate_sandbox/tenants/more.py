"""What a tenant's records have beyond the contract: further fields, further words."""

from __future__ import annotations

import dataclasses
import hashlib
import typing as t

from automate_sandbox.resources import resources

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_sandbox.money import Record
    from automate_sandbox.resources import Filter, Resource
    from automate_sandbox.tenants.tenant import Tenant

ONE_IN: t.Final = 4
"""Records of which one has a further word."""


class More:
    """Gives records what the tenant has more."""

    def __init__(self, tenant: Tenant) -> None:
        """Take the tenant's own.

        Args:
            tenant: Checked.
        """
        self._fields = tenant.more_fields
        self._words = tenant.more_words

    def resources(self) -> dict[str, Resource]:
        """Stream to resource, whose filters take the further words."""
        return {
            stream: dataclasses.replace(
                resource,
                filters={
                    name: self._widened(
                        each, self._words[stream].get(resource.fields[each.position])
                    )
                    for name, each in resource.filters.items()
                },
            )
            if stream in self._words
            else resource
            for stream, resource in resources().items()
        }

    def add(self, stream: str, record: Record) -> None:
        """Give a new version of a record, in place, what its key decides."""
        fields, words = self._fields.get(stream, {}), self._words.get(stream, {})
        if not fields and not words:
            return
        key = resources()[stream].key_of(record)
        for name, values in fields.items():
            record.setdefault(name, values[_draw(key, name) % len(values)])
        for name, pairs in words.items():
            for word, instead in pairs.items():
                if record.get(name) == instead and not _draw(key, word) % ONE_IN:
                    record[name] = word

    @staticmethod
    def _widened(known: Filter, words: Mapping[str, str] | None) -> Filter:
        allowed = frozenset({*known.allowed, *(words or ())})
        return dataclasses.replace(known, allowed=allowed)


def _draw(key: str, name: str) -> int:
    digest = hashlib.blake2b(f"{key} {name}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")
