"""Lists as the API gives them: filters, bounds on the change time, page orders, the envelope."""

from __future__ import annotations

import bisect
import dataclasses
import random
import typing as t
from collections import OrderedDict
from datetime import datetime

from automate_sandbox.instants import SECOND, parse
from automate_sandbox.ledger import UNDATED, Rank, Row, Table, key_rank, opaque_rank
from automate_sandbox.problems import Problem

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from automate_sandbox.resources import Filter, Value

PageOrder = t.Literal["ascending", "descending", "by_id", "opaque", "unstable"]
PAGE_ORDERS: t.Final[tuple[PageOrder, ...]] = t.get_args(PageOrder)
"""By change time, back in time, by id, by what no one can see, and anew in each answer."""

RANKS: t.Final[Mapping[PageOrder, Callable[[str], Rank]]] = {
    "by_id": key_rank,
    "opaque": opaque_rank,
}
DEFAULT_PAGE_SIZE: t.Final = 50
FOREVER: t.Final = 1 << 62
"""Later than any instant, in milliseconds."""

CACHED: t.Final = 64

Item = t.TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Query:
    """A list request after its parameters have been read.

    Attributes:
        since: Least `updatedAt`, milliseconds, inclusive.
        until: Greatest `updatedAt`, milliseconds, inclusive.
        page: From 1.
        size: Records a page.
        filters: What the other parameters ask for, as (filter, value).
    """

    since: int
    until: int
    page: int
    size: int
    filters: tuple[tuple[Filter, str | int], ...]


class Pager:
    """Cuts pages from tables.

    A stable order is cut from sorted indexes, so that a page costs as much as it holds. What has to
    be filtered or sorted anew is kept until the table changes.
    """

    def __init__(
        self,
        order: PageOrder,
        max_page_size: int,
        *,
        exclusive: bool,
        seed: int,
        whole_seconds: bool = False,
    ) -> None:
        """Set the rules that no request can change.

        Args:
            order: In which order every list comes.
            max_page_size: Greater sizes are cut to this, which the answer's `pageSize` tells.
            exclusive: Whether rows on a bound are left out.
            seed: Of the shuffling of the unstable order.
            whole_seconds: Whether bounds, and the change times that they are held against, lose
                what they have beyond a second.
        """
        self.order = order
        self.rank = RANKS.get(order)
        self.max_page_size = max_page_size
        self.exclusive = exclusive
        self._grain = SECOND if whole_seconds else 1
        self._rng = random.Random(f"pages/{seed}")  # noqa: S311 - page order, no secret
        self._selections: OrderedDict[tuple[object, ...], Sequence[str]] = OrderedDict()

    def page(self, table: Table, parameters: Mapping[str, str]) -> bytes:
        """Answer a list request.

        Args:
            table: Of the resource.
            parameters: Of the query.

        Returns:
            The envelope as JSON.

        Raises:
            Problem: 400 for a parameter that the contract does not know or a value that is none.
        """
        query = self.read(table, parameters)
        total, keys = self._cut(table, query)
        rows = table.rows
        items = [rows[key].body for key in keys] or [b""]
        # One copy of a page is enough: they are so large that each costs memory from the system.
        items[0] = b'{"items":[' + items[0]
        items[-1] += b'],"page":%d,"pageSize":%d,"total":%d}' % (query.page, query.size, total)
        return b",".join(items)

    def read(self, table: Table, parameters: Mapping[str, str]) -> Query:
        """Read the parameters of a list request, strictly."""
        since, until, page, size = UNDATED, FOREVER, 1, DEFAULT_PAGE_SIZE
        filters = []
        for name, text in parameters.items():
            known = table.resource.filters.get(name)
            if name == "page":
                page = _positive(name, text)
            elif name == "pageSize":
                size = min(_positive(name, text), self.max_page_size)
            elif name == "updatedFrom":
                since = (_instant(name, text) // self._grain + self.exclusive) * self._grain
            elif name == "updatedTo":
                end = _instant(name, text) // self._grain + (not self.exclusive)
                until = end * self._grain - 1
                # What has no time is neither before nor after any.
                since = max(since, UNDATED + 1)
            elif known is None:
                raise Problem.invalid(400, name, "this list has no such parameter")
            else:
                filters.append((known, _wanted(name, known, text)))
        return Query(since, until, page, size, tuple(filters))

    def _cut(self, table: Table, query: Query) -> tuple[int, Sequence[str]]:
        start = (query.page - 1) * query.size
        low = bisect.bisect_left(table.by_time, (query.since, ""))
        high = bisect.bisect_left(table.by_time, (query.until + 1, ""))
        is_whole = high - low == len(table.by_time)
        if query.filters or (self.rank and not is_whole):
            chosen = self._selected(table, query, low, high)
            if self.order != "unstable":
                return len(chosen), chosen[start : start + query.size]
            return len(chosen), self._sample(chosen, start, query.size)
        total = max(0, high - low)
        if self.rank:
            return total, [key for _, key in table.by_rank[start : start + query.size]]
        if self.order == "unstable":
            picks = self._sample(range(low, high), start, query.size)
            return total, [table.by_time[pick][1] for pick in picks]
        if self.order == "descending":
            last = max(low, high - start)
            cut = table.by_time[max(low, last - query.size) : last]
            return total, [key for _, key in reversed(cut)]
        return total, [
            key for _, key in table.by_time[low + start : min(high, low + start + query.size)]
        ]

    def _sample(self, items: Sequence[Item], start: int, size: int) -> list[Item]:
        """Take a page of a permutation that is made for this answer only."""
        count = max(0, min(size, len(items) - start))
        return self._rng.sample(items, count)

    def _selected(self, table: Table, query: Query, low: int, high: int) -> Sequence[str]:
        """List the keys that pass, in page order; kept until the table changes."""
        name = (table.resource.stream, query.since, query.until, query.filters)
        cache_key = (*name, table.revision)
        found = self._selections.get(cache_key)
        if found is None:
            keys = [key for _, key in _candidates(table, query, low, high)]
            if query.filters:
                keys = [key for key in keys if _passes(table.rows[key], query.filters)]
            if self.rank:
                keys.sort(key=self.rank)
            elif self.order == "descending":
                keys.reverse()
            found = self._selections[cache_key] = keys
            if len(self._selections) > CACHED:
                self._selections.popitem(last=False)
        return found


def _candidates(table: Table, query: Query, low: int, high: int) -> list[tuple[int, str]]:
    """List rows among which are all that pass, by change time: as few as an index can tell."""
    sets = [
        table.having(known.position, value) for known, value in query.filters if not known.bound
    ]
    fewest = min(sets, key=len, default=None)
    if fewest is None or len(fewest) > high - low:
        return table.by_time[low:high]
    found = sorted((table.rows[key].updated, key) for key in fewest)
    return [pair for pair in found if query.since <= pair[0] <= query.until]


def _passes(row: Row, filters: Sequence[tuple[Filter, str | int]]) -> bool:
    return all(
        _matches(row.values[known.position], known.bound, wanted) for known, wanted in filters
    )


def _matches(value: Value, bound: str, wanted: str | int) -> bool:
    if value is None:
        return False
    if isinstance(value, tuple):
        return wanted in value
    if not bound:
        return value == wanted
    # A filter's bounds and its values are of one kind: both milliseconds or both ISO dates.
    return value >= wanted if bound == "from" else value <= wanted  # type: ignore[operator]


def _wanted(name: str, known: Filter, text: str) -> str | int:
    if known.allowed and text not in known.allowed:
        raise Problem.invalid(400, name, f"expected one of {', '.join(sorted(known.allowed))}")
    if not known.bound:
        return text
    return _date(name, text) if known.is_date else _instant(name, text)


def _date(name: str, text: str) -> str:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date().isoformat()  # noqa: DTZ007 - a day
    except ValueError:
        raise Problem.invalid(400, name, "expected a date such as 2026-01-31") from None


def _positive(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise Problem.invalid(400, name, "expected a whole number from 1")
    return int(text)


def _instant(name: str, text: str) -> int:
    try:
        return parse(text)
    except (ValueError, OverflowError):
        raise Problem.invalid(400, name, "expected an ISO 8601 instant") from None
