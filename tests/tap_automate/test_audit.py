"""An audit against a model of the list call that changes while it is looked at."""

from __future__ import annotations

import dataclasses
import typing as t
from array import array

import pytest
from support.model import BASE, ORDERS, ModelApi, ModelTap

from tap_automate.audit.comparison import FEW, Audit
from tap_automate.audit.findings import Span
from tap_automate.reading.harvest import certified_windows
from tap_automate.reading.windows import MICROSECONDS, Certified, Row, Window, pages_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from automate_singer.tombstones import Key
    from tap_automate.audit.findings import Findings
    from tap_automate.audit.sides import Record

COOLDOWN: t.Final = 2


@dataclasses.dataclass
class Stored:
    updated: int | None
    tombstone: bool = False


class Store:
    """A warehouse in memory."""

    def __init__(self, rows: dict[str, Stored]) -> None:
        self.held = rows

    @property
    def rows(self) -> int:
        return len(self.seconds())

    def _live(self) -> dict[str, int]:
        return {
            key: row.updated
            for key, row in self.held.items()
            if row.updated is not None and not row.tombstone
        }

    def seconds(self) -> array[int]:
        return array("q", sorted(updated // MICROSECONDS for updated in self._live().values()))

    def newest(self, second: int) -> int | None:
        times = [up for up in self._live().values() if up < (second + 1) * MICROSECONDS]
        return max(times, default=None)

    def between(self, start: int, end: int) -> dict[Key, int]:
        low, high = start * MICROSECONDS, end * MICROSECONDS
        return {(key,): up for key, up in self._live().items() if low <= up < high}

    def find(self, keys: Sequence[Key]) -> dict[Key, Stored]:
        return {key: self.held[key[0]] for key in keys if key[0] in self.held}


class ModelSource:
    """The model as the audit asks it."""

    cooldown = COOLDOWN

    def __init__(self, api: ModelApi, *, details: bool = True) -> None:
        self.api = api
        self.page_size = api.page_size
        self.looked_at: list[Key] = []
        self.waited_until: list[int] = []
        self._details = details

    def now(self) -> int:
        return self.api.now // MICROSECONDS

    def total(self, window: Window) -> int:
        return self.api.fetch(window, 1).total

    def windows(self, start: int, end: int) -> Iterator[Certified]:
        for part in certified_windows(self.api.fetch, start, end):
            yield dataclasses.replace(part, rows=[named(row) for row in part.rows])

    def glimpse(self, start: int) -> Iterator[Row]:
        window = Window(start, self.now() + 2)
        page = self.api.fetch(window, 1)
        for number in range(1, pages_of(page.total, page.size) + 1):
            yield from map(named, self.api.fetch(window, number).rows)

    def detail(self, key: Key) -> Record | None:
        self.looked_at.append(key)
        updated = self.api.rows.get(key[0]) if self._details else None
        return None if updated is None else (key, updated)

    def has_details(self, known: Key) -> bool:
        return self._details and known[0] in self.api.rows

    def updated_of(self, record: Record) -> int | None:
        updated: int = record[1]
        return updated

    def wait_until(self, second: int) -> None:
        self.waited_until.append(second)
        self.api.now = max(self.api.now, second * MICROSECONDS)


def named(row: Row) -> Row:
    """Give a row a record by which it is known again."""
    return Row(row.key, row.updated, (row.key, row.updated))


class Repairs:
    """Keeps what would repair the warehouse."""

    def __init__(self) -> None:
        self.records: dict[str, int] = {}
        self.gone: set[str] = set()

    def record(self, record: Record) -> None:
        (key,), updated = record
        assert key not in self.records
        self.records[key] = updated

    def tombstones(self, keys: Sequence[Key]) -> None:
        self.gone |= {key for (key,) in keys}

    def apply(self, store: Store) -> None:
        store.held |= {key: Stored(updated) for key, updated in self.records.items()}
        for key in self.gone:
            store.held[key].tombstone = True


def loaded(api: ModelApi) -> Store:
    """Load the model as the tap does."""
    tap = ModelTap(api, cooldown=COOLDOWN)
    tap.run()
    return Store({key: Stored(updated) for key, updated in tap.emitted.items()})


def audited(
    api: ModelApi,
    store: Store,
    *,
    details: bool = True,
    **span: t.Any,  # noqa: ANN401 - of several types
) -> tuple[Findings, Repairs]:
    repairs = Repairs()
    found = Audit(ModelSource(api, details=details), store, repairs).run(Span(**span))
    return found, repairs


def model(seed: int, **options: t.Any) -> ModelApi:  # noqa: ANN401 - of several types
    return ModelApi(seed, size=400, page_size=20, span_seconds=40 * 86_400, **options)


def vanish(api: ModelApi, key: str) -> int:
    """Delete a row without a trace; return when it was changed last."""
    hide(api, key)
    return api.rows.pop(key)


def hide(api: ModelApi, key: str) -> None:
    """Let no list show a row any more."""
    api._visible_from[key] = []  # noqa: SLF001 - the model itself deletes in this way


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("bounds", ["[]", "()"])
def test_what_agrees_costs_no_more_than_a_request_a_day(order: str, bounds: str) -> None:
    api = model(1, order=order, bounds=bounds)
    store = loaded(api)
    before = api.requests
    found, repairs = audited(api, store)
    assert not found.differs
    assert (found.missing, found.stale, found.vanished, found.newer) == (0, 0, 0, 0)
    assert found.dms_rows == found.warehouse_rows == 400
    assert api.requests - before <= 40 + 5
    assert (repairs.records, repairs.gone) == ({}, set())


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("details", [True, False])
def test_what_differs_is_found_while_the_dms_changes_and_one_repair_is_enough(
    seed: int,
    details: bool,  # noqa: FBT001 - pytest's parameter
) -> None:
    api = model(seed, order=ORDERS[seed % 5], bounds=("[]", "()", "[)", "(]")[seed % 4])
    store = loaded(api)
    keys = sorted(api.rows)
    changed, imported, deleted, lost = keys[0:30:3], keys[100], keys[1:19:3], keys[2:20:3]
    for key in deleted:
        vanish(api, key)
    for key in lost:
        del store.held[key]
    store.held[imported] = Stored(api.rows[imported] - 86_400 * MICROSECONDS)
    horizon = max(updated for row in store.held.values() if (updated := row.updated))
    store.held["undated"] = Stored(None)
    for key in changed:
        api.pass_time(0.5)
        api.write(key, api.now)
    api.changes = 0.05 * (seed % 3)
    start = BASE // MICROSECONDS - 41 * 86_400
    found, repairs = audited(api, store, details=details, start=start)
    since = {key for key, updated in api.rows.items() if updated > horizon}
    assert repairs.gone >= set(deleted)
    assert repairs.gone.isdisjoint(api.rows)
    assert found.vanished == len(repairs.gone)
    wanted = {*lost, imported}
    assert repairs.records.keys() <= wanted
    assert repairs.records.keys() >= (wanted & api.rows.keys()) - since
    assert found.missing + found.stale == len(repairs.records)
    assert found.newer >= len(set(changed) & api.rows.keys())
    api.changes = 0
    repairs.apply(store)
    again, _ = audited(api, store, details=details, start=start)
    assert (again.missing, again.stale, again.too_many) == (0, 0, False)
    assert again.vanished == len(
        {key for key, row in store.held.items() if row.updated and not row.tombstone}
        - api.rows.keys()
    )


def test_what_came_since_the_load_is_the_next_runs() -> None:
    api = model(3)
    store = loaded(api)
    for number in range(50):
        api.pass_time(7)
        api.write(f"new{number}", api.now)
    api.pass_time(60)
    found, repairs = audited(api, store)
    assert not found.differs
    assert found.newer == 50
    assert repairs.records == {}


def test_what_has_moved_on_costs_no_look_at_the_day_that_it_left() -> None:
    api = ModelApi(14, size=4_000, page_size=20, span_seconds=10 * 86_400)
    store = loaded(api)
    for key in sorted(api.rows)[::400]:
        api.pass_time(3)
        api.write(key, api.now)
    api.pass_time(60)
    source = ModelSource(api)
    before = api.requests
    found = Audit(source, store).run(Span())
    assert (found.newer, found.differs, found.read) == (10, False, 0)
    assert api.requests - before <= 11 + 3
    assert source.looked_at == []


def test_what_has_moved_on_is_not_looked_for_by_its_key() -> None:
    api = model(15)
    store = loaded(api)
    for key in sorted(api.rows)[:10]:
        api.pass_time(3)
        api.write(key, api.now)
    source = ModelSource(api)
    found = Audit(source, store).run(Span())
    assert (found.newer, found.differs) == (10, False)
    assert source.looked_at == []


class Restless(ModelSource):
    """A row changes whenever a part of its past is read."""

    def windows(self, start: int, end: int) -> Iterator[Certified]:
        key = min(self.api.rows)
        if start <= self.api.rows[key] // MICROSECONDS <= end < self.now() - 60:
            self.api.write(key, self.api.now)
        yield from super().windows(start, end)


@pytest.mark.parametrize("seed", range(5))
def test_what_moves_on_while_it_is_compared_is_not_looked_for_by_its_key(seed: int) -> None:
    api = model(seed)
    store = loaded(api)
    api.pass_time(600)
    source = Restless(api)
    found = Audit(source, store).run(Span())
    assert (found.differs, found.newer, found.differing) == (False, 1, 1)
    assert source.looked_at == []


def test_without_details_the_second_look_comes_when_the_first_is_past() -> None:
    api = model(17)
    store = loaded(api)
    vanish(api, min(api.rows))
    source = ModelSource(api, details=False)
    began = source.now()
    found = Audit(source, store).run(Span())
    assert found.vanished == 1
    assert len(source.waited_until) == 1
    assert source.waited_until[0] > began + COOLDOWN


def test_what_lies_before_the_start_was_never_loaded() -> None:
    api = model(16)
    store = loaded(api)
    start = BASE // MICROSECONDS - 10 * 86_400
    for half_seconds in range(-20, 20):
        api.write(f"dense{half_seconds}", start * MICROSECONDS + half_seconds * 500_000)
    found, repairs = audited(api, store, start=start)
    assert repairs.records.keys() == {f"dense{half}" for half in range(20)}
    assert found.missing == 20


def test_a_bookmark_says_what_should_be_there_behind_the_newest_row() -> None:
    api = model(4)
    api.pass_time(10 * 86_400)
    store = loaded(api)
    late = BASE + 5 * 86_400 * MICROSECONDS
    api.write("late", late)
    assert audited(api, store)[0].missing == 0
    found, repairs = audited(api, store, loaded=api.now // MICROSECONDS - 100)
    assert (found.missing, repairs.records) == (1, {"late": late})


def test_an_import_from_before_all_that_is_loaded_is_told() -> None:
    api = model(5)
    store = loaded(api)
    old = BASE - 4_000 * 86_400 * MICROSECONDS
    api.write("old", old)
    found, _ = audited(api, store)
    assert (found.older, found.missing, found.differs) == (1, 0, True)
    found, repairs = audited(api, store, start=old // MICROSECONDS - 10)
    assert (found.older, found.missing, repairs.records) == (0, 1, {"old": old})


def test_only_the_span_that_is_asked_for_is_compared() -> None:
    api = model(6)
    store = loaded(api)
    by_time = sorted(api.rows, key=api.rows.__getitem__)
    for key in (by_time[10], by_time[200], by_time[390]):
        del store.held[key]
    second = [api.rows[key] // MICROSECONDS for key in by_time]
    found, repairs = audited(api, store, start=second[150], end=second[250])
    assert found.missing == 1
    assert repairs.records.keys() == {by_time[200]}
    assert 90 <= found.warehouse_rows <= 110


@pytest.mark.parametrize("details", [True, False])
def test_many_that_vanish_at_once_are_not_taken_for_deleted(
    details: bool,  # noqa: FBT001 - pytest's parameter
) -> None:
    api = model(7)
    store = loaded(api)
    for key in sorted(api.rows)[: FEW + 1]:
        vanish(api, key)
    found, repairs = audited(api, store, details=details)
    assert found.too_many
    assert found.differs
    assert found.vanished == FEW + 1
    assert repairs.gone == set()


@pytest.mark.parametrize("details", [True, False])
def test_many_that_vanish_at_once_are_deleted_if_somebody_says_so(
    details: bool,  # noqa: FBT001 - pytest's parameter
) -> None:
    api = model(7)
    store = loaded(api)
    keys = sorted(api.rows)[: 3 * FEW]
    for key in keys:
        vanish(api, key)
    hide(api, min(api.rows))
    found, repairs = audited(api, store, details=details, accepts_vanished=True)
    assert (found.too_many, found.vanished) == (False, len(repairs.gone))
    assert repairs.gone >= set(keys)
    assert len(repairs.gone) == len(keys) + (not details)


def test_so_many_that_vanish_are_not_looked_at_one_by_one() -> None:
    api = model(8)
    store = loaded(api)
    for key in sorted(api.rows)[:-1]:
        vanish(api, key)
    source = ModelSource(api)
    found = Audit(source, store).run(Span())
    assert (found.too_many, found.vanished) == (True, 399)
    assert len(source.looked_at) == FEW + 1


def test_one_in_a_hundred_may_vanish_from_a_large_stream() -> None:
    api = ModelApi(9, size=3_000, page_size=100, span_seconds=40 * 86_400)
    store = loaded(api)
    for key in sorted(api.rows)[:30]:
        vanish(api, key)
    found, repairs = audited(api, store)
    assert (found.too_many, found.vanished, len(repairs.gone)) == (False, 30, 30)


def test_a_tombstone_is_not_expected_and_its_record_is_missing_once_it_is_back() -> None:
    api = model(10)
    store = loaded(api)
    key = sorted(api.rows)[5]
    updated = vanish(api, key)
    store.held[key].tombstone = True
    assert not audited(api, store)[0].differs
    api.write(key, updated)
    found, repairs = audited(api, store)
    assert (found.missing, repairs.records) == (1, {key: updated})


def test_a_record_that_no_list_has_but_can_be_read_is_left_alone() -> None:
    api = model(11)
    store = loaded(api)
    key = sorted(api.rows)[5]
    hide(api, key)  # merged away, say
    found, repairs = audited(api, store)
    assert (found.hidden, found.vanished, repairs.gone) == (1, 0, set())
    assert not found.differs


def test_an_empty_warehouse_does_not_agree_with_a_dms_that_has_rows() -> None:
    found, repairs = audited(model(12), Store({}))
    assert (found.unloaded, found.newer, found.missing, found.differs) == (400, 0, 0, True)
    assert repairs.records == {}


def test_an_empty_warehouse_agrees_with_an_empty_dms() -> None:
    api = model(12)
    for key in list(api.rows):
        vanish(api, key)
    found, _ = audited(api, Store({}))
    assert (found.unloaded, found.differs, found.buckets) == (0, False, 1)


def test_a_state_without_a_bookmark_leaves_an_empty_warehouse_to_the_next_run() -> None:
    api = model(12)
    found = Audit(ModelSource(api), Store({})).run(Span(has_state=True))
    assert (found.newer, found.unloaded, found.differs) == (400, 0, False)


def test_all_that_a_state_says_was_loaded_is_missing_of_an_empty_warehouse() -> None:
    api = model(12)
    api.pass_time(3_600)
    loaded_until = api.now // MICROSECONDS - 60
    expected = dict(api.rows)
    api.write("new", api.now)
    api.pass_time(60)
    found, repairs = audited(api, Store({}), loaded=loaded_until, has_state=True)
    assert repairs.records == expected
    assert (found.missing, found.newer, found.older, found.unloaded) == (400, 1, 0, 0)


def test_all_from_a_start_on_is_missing_of_an_empty_warehouse() -> None:
    api = model(12)
    api.pass_time(3_600)
    start = sorted(api.rows.values())[200] // MICROSECONDS
    found, repairs = audited(api, Store({}), start=start)
    assert repairs.records == {
        key: updated for key, updated in api.rows.items() if updated >= start * MICROSECONDS
    }
    assert found.missing == len(repairs.records) > 150


def test_a_warehouse_that_has_lost_its_oldest_rows_does_not_agree() -> None:
    api = model(18)
    store = loaded(api)
    oldest = sorted(api.rows, key=api.rows.__getitem__)[:100]
    for key in oldest:
        del store.held[key]
    found, _ = audited(api, store)
    assert found.differs
    assert 90 <= found.older + found.missing <= 100
    start = min(up for row in store.held.values() if (up := row.updated)) // MICROSECONDS
    assert not audited(api, store, start=start)[0].differs


def test_nothing_is_compared_where_the_span_begins_in_the_future() -> None:
    api = model(19)
    store = loaded(api)
    assert audited(api, store, start=api.now // MICROSECONDS + 10_000)[0].buckets == 0


def test_a_row_from_the_future_does_not_hide_what_is_missing() -> None:
    api = model(13)
    store = loaded(api)
    gone = sorted(api.rows)[7]
    del store.held[gone]
    store.held["future"] = Stored(BASE + 10**10 * MICROSECONDS)
    assert audited(api, store)[1].records.keys() == {gone}
