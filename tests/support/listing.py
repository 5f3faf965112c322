"""A client whose DMS is a few lists in memory, for tests of what is read from it."""

from __future__ import annotations

import datetime as dt
import typing as t

from automate_api.client import Answer, Client, Page
from automate_api.errors import NotOfferedError
from target_automate.checks.lookup import Lookup
from target_automate.sinks.entities import ENTITIES

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Record: t.TypeAlias = dict[str, t.Any]

NOW: t.Final = dt.datetime(2026, 9, 21, 14, 13, 40, tzinfo=dt.UTC)
PATHS: t.Final = {entity.name: entity.path for entity in ENTITIES}


class Lists:
    """What the DMS holds, by object; every filter works unless `ignored`.

    Attributes:
        records: Object to its records.
        asked: Path and query of each request.
        page_size: Of each page, whatever was asked for.
        ignored: Filters that do not work.
        failure: Raised by each request, when given.
        before_page: Called before each page is made.
    """

    def __init__(self, **records: list[Record]) -> None:
        self.records: dict[str, list[Record]] = {name: [] for name in PATHS} | records
        self.asked: list[tuple[str, dict[str, t.Any]]] = []
        self.page_size = 200
        self.ignored: set[str] = set()
        self.failure: Exception | None = None
        self.before_page: Callable[[int], None] = lambda _: None

    def lookup(self) -> Lookup:
        """Make a lookup that asks these lists."""
        return Lookup(t.cast("Client", self), PATHS)

    def server_time(self) -> dt.datetime:
        return NOW

    def list_page(self, path: str, params: Mapping[str, t.Any]) -> Page:
        self.asked.append((path, dict(params)))
        if self.failure is not None:
            raise self.failure
        self.before_page(params["page"])
        (name,) = (name for name, known in PATHS.items() if known == path)
        found = [record for record in self.records[name] if self._fits(record, params)]
        start = (params["page"] - 1) * self.page_size
        items = found[start : start + self.page_size]
        return Page(items, params["page"], self.page_size, len(found), NOW, None)

    def get(self, path: str) -> Answer:
        self.asked.append((path, {}))
        if self.failure is not None:
            raise self.failure
        for entity in ENTITIES:
            for record in self.records[entity.name]:
                if path == f"{entity.path}/{record[entity.id_field]}":
                    return Answer(record, NOW, None)
        msg = f"GET {path}: not offered"
        raise NotOfferedError(msg, status=404)

    def _fits(self, record: Record, params: Mapping[str, t.Any]) -> bool:
        contacts = {
            "email": record.get("emails") or [],
            "phone": [phone.get("number") for phone in record.get("phones") or []],
        }
        for name, value in params.items():
            if name in {"page", "pageSize", "updatedFrom", *self.ignored}:
                continue
            if name in contacts:
                if value not in contacts[name]:
                    return False
            elif name in {"appointmentFrom", "appointmentTo"}:
                if _instant(record["appointmentTime"]) != _instant(value):
                    return False
            elif record.get(name) != value:
                return False
        return True


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text)
