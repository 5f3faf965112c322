"""What a load leaves: keys, versions, types that grow, and STATE after its records."""

from __future__ import annotations

import datetime as dt
import io
import typing as t
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.singer import Loader, Message, lines_of, record, schema, state

from automate_singer.errors import UnfitRecordError
from target_warehouse.errors import MissingKeyError
from target_warehouse.target import DRAIN_BYTES, DRAIN_SECONDS, TargetWarehouse

if t.TYPE_CHECKING:
    from pathlib import Path

MONEY = {
    "type": ["number", "null"],
    "x-sql-datatype-properties": {"precision": 18, "scale": 2},
}


def test_the_last_version_of_a_key_wins_inside_a_batch_and_between_batches(loader: Loader) -> None:
    car = schema("cars", ["id"], id="string", price="integer")
    versions = [record("cars", id=key, price=price) for price in (1, 2, 3) for key in ("a", "b")]
    loader.run([car, *versions])
    assert loader.query("SELECT * FROM cars ORDER BY id") == [("a", 3), ("b", 3)]
    loader.run([car, record("cars", id="b", price=4), record("cars", id="c", price=5)])
    assert loader.query("SELECT * FROM cars ORDER BY id") == [("a", 3), ("b", 4), ("c", 5)]


@settings(max_examples=15, deadline=None)
@given(
    batches=st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.sampled_from("ab"), st.integers()), max_size=6),
        max_size=4,
    ),
)
def test_an_upsert_of_composite_keys_equals_a_dictionary(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[tuple[int, str, int]]],
) -> None:
    path = tmp_path_factory.mktemp("upsert") / "warehouse.duckdb"
    expected: dict[tuple[int, str], int] = {}
    for batch in batches:
        messages = [schema("s", ["k", "key"], k="integer", key="string", v="integer")]
        for k, key, v in batch:
            expected[k, key] = v
            messages.append(record("s", k=k, key=key, v=v))
        TargetWarehouse(config={"filepath": str(path)}).listen(io.StringIO(lines_of(messages)))
    if batches:
        with duckdb.connect(str(path)) as connection:
            rows = connection.execute("SELECT k, key, v FROM s").fetchall()
        assert {(k, key): int(v) for k, key, v in rows} == expected
        assert len(rows) == len(expected)


def test_a_stream_without_keys_or_with_append_only_gets_every_record_as_a_row(
    loader: Loader,
) -> None:
    loader.run([schema("log", [], n="integer"), record("log", n=1), record("log", n=1)])
    keyed = [schema("keyed", ["n"], n="integer"), record("keyed", n=1), record("keyed", n=1)]
    loader.run(keyed, load_method="append-only")
    loader.run(keyed, load_method="append-only")
    assert loader.query("SELECT n FROM log") == [(1,), (1,)]
    assert loader.query("SELECT n FROM keyed") == [(1,)] * 4


def test_appended_rows_stay_in_the_order_they_came(loader: Loader) -> None:
    loader.run([schema("log", [], n="integer"), *(record("log", n=n) for n in range(9000))])
    assert loader.query("SELECT n FROM log") == [(n,) for n in range(9000)]


@pytest.mark.parametrize("fields", [{"v": 1}, {"k": None, "v": 1}])
def test_a_record_without_a_key_is_refused_by_its_place_and_nothing_is_written(
    loader: Loader,
    fields: dict[str, t.Any],
) -> None:
    messages = [
        schema("s", ["k"], k="string", v="integer"),
        record("s", k="kept private", v=1),
        record("s", **fields),
        state(1),
    ]
    with pytest.raises(MissingKeyError, match="record 2: no value for the key property 'k'") as no:
        loader.run(messages)
    assert "kept private" not in str(no.value)
    assert loader.states() == []
    assert loader.query("SELECT * FROM s") == []


def test_a_field_that_a_record_lacks_is_null_also_in_an_update(loader: Loader) -> None:
    both = schema("s", ["k"], k="integer", v="string")
    loader.run([both, record("s", k=1, v="x"), record("s", k=2)])
    loader.run([both, record("s", k=1)])
    assert loader.query("SELECT * FROM s ORDER BY k") == [(1, None), (2, None)]


def test_a_column_that_the_schema_no_longer_has_keeps_its_values(loader: Loader) -> None:
    loader.run([schema("s", ["k"], k="integer", v="string"), record("s", k=1, v="x")])
    loader.run([schema("s", ["k"], k="integer"), record("s", k=1), record("s", k=2)])
    assert loader.query("SELECT * FROM s ORDER BY k") == [(1, "x"), (2, None)]


def test_fields_that_no_schema_names_are_counted_and_said_once(
    loader: Loader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    records = [record("s", k=k, extra="private", more=k) for k in range(5000)]
    loader.run([schema("s", ["k"], k="integer"), *records])
    warnings = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert len(warnings) == 1
    assert "extra (5000), more (5000)" in warnings[0]
    assert "private" not in warnings[0]


def test_money_is_exact_and_more_digits_widen_the_column_never_round(loader: Loader) -> None:
    money = schema("gl", ["id"], id="integer", amount=MONEY)
    line = '{"type":"RECORD","stream":"gl","record":{"id":%d,"amount":%s}}'
    loader.run([money, line % (1, "0.10"), line % (2, "0.20"), line % (3, "-0.30")])
    assert loader.types("gl")["amount"] == "DECIMAL(18,2)"
    assert loader.query("SELECT sum(amount) FROM gl") == [(Decimal("0.00"),)]
    loader.run([money, line % (4, "0.0375"), line % (5, "12345678901234567.25")])
    assert loader.types("gl")["amount"] == "DECIMAL(21,4)"
    assert loader.query("SELECT sum(amount) FROM gl") == [(Decimal("12345678901234567.2875"),)]
    assert loader.query("SELECT amount FROM gl WHERE id = 4") == [(Decimal("0.0375"),)]


def test_a_number_beyond_38_digits_makes_the_column_text_with_a_warning(
    loader: Loader,
    caplog: pytest.LogCaptureFixture,
) -> None:
    number = schema("s", ["k"], k="integer", n="number")
    line = '{"type":"RECORD","stream":"s","record":{"k":%d,"n":%s}}'
    digits = "1" * 40 + ".5"
    loader.run([number, line % (1, "2.50")])
    loader.run([number, line % (2, digits), line % (3, "1e400")])
    assert loader.query("SELECT n FROM s ORDER BY k") == [("2.5",), (digits,), ("1E+400",)]
    assert "column 'n' was DECIMAL(18,4) and is text now" in caplog.text


@pytest.mark.parametrize("first", ["1.5", "100", "1E+2", "0.10", "0", "-7.0"])
def test_a_number_that_is_a_key_stays_one_row_when_its_column_becomes_text(
    loader: Loader,
    first: str,
) -> None:
    number = schema("s", ["k"], k="number", v="integer")
    line = '{"type":"RECORD","stream":"s","record":{"k":%s,"v":%d}}'
    loader.run([number, line % (first, 1)])
    loader.run([number, line % (first, 2), line % ("1e-40", 2)])
    loader.run([number, line % (first, 3), line % ("1.0e-40", 3)])
    assert loader.query("SELECT count(*), count(DISTINCT k), min(v) FROM s") == [(2, 2, 3)]


def test_a_stream_may_have_any_names_that_the_loader_uses_itself(loader: Loader) -> None:
    names = schema("chunk_0", ["ordinal"], ordinal="integer", c0="integer", c1="integer")
    rows = [(9, 1, 2), (3, 3, 4), (9, 5, 6)]
    loader.run([names, *(record("chunk_0", ordinal=a, c0=b, c1=c) for a, b, c in rows)])
    assert loader.query("SELECT * FROM chunk_0 ORDER BY ordinal") == [(3, 3, 4), (9, 5, 6)]
    loader.run([names, record("chunk_0", ordinal=3, c0=8, c1=7)])
    assert loader.query("SELECT * FROM chunk_0 ORDER BY ordinal") == [(3, 8, 7), (9, 5, 6)]
    log = [schema("log", [], ordinal="integer"), record("log", ordinal=9), record("log", ordinal=3)]
    loader.run(log)
    assert loader.query("SELECT * FROM log") == [(9,), (3,)]


@pytest.mark.parametrize(
    ("before", "after", "column", "expected"),
    [
        (("integer", 5), ("number", 1.5), "DECIMAL(23,4)", ["5.0000", "1.5000"]),
        (("integer", 5), ("string", "x"), "VARCHAR", ["5", "x"]),
        (("number", 2.5), ("integer", 7), "DECIMAL(23,4)", ["2.5000", "7.0000"]),
        (("string", "x"), ("integer", 7), "VARCHAR", ["x", "7"]),
        (("boolean", True), ("string", "x"), "VARCHAR", ["true", "x"]),
        (("string", "x"), ("object", {"a": [1]}), "JSON", ['"x"', '{"a":[1]}']),
        (("array", [1.5]), ("string", "x"), "JSON", ["[1.5]", '"x"']),
        (
            ({"type": "string", "format": "date"}, "2026-01-31"),
            ({"type": "string", "format": "date-time"}, "2026-02-01T10:00:00+02:00"),
            "TIMESTAMP WITH TIME ZONE",
            ["2026-01-31 00:00:00+00", "2026-02-01 08:00:00+00"],
        ),
        (
            ({"type": "string", "format": "date-time"}, "2026-02-01T10:00:00+02:00"),
            ("string", "soon"),
            "VARCHAR",
            ["2026-02-01T08:00:00.000000Z", "soon"],
        ),
    ],
)
@pytest.mark.parametrize("runs", [1, 2])
def test_a_schema_that_changes_widens_the_column_and_keeps_every_row(  # noqa: PLR0913, PLR0917 - parameters
    loader: Loader,
    before: tuple[t.Any, t.Any],
    after: tuple[t.Any, t.Any],
    column: str,
    expected: list[str],
    runs: int,
) -> None:
    first = [schema("s", ["k"], k="integer", v=before[0]), record("s", k=1, v=before[1])]
    second = [schema("s", ["k"], k="integer", v=after[0]), record("s", k=2, v=after[1])]
    for messages in [[*first, *second]] if runs == 1 else [first, second]:
        loader.run(messages)
    assert loader.types("s")["v"] == column
    rows = loader.query("SELECT CAST(v AS VARCHAR) FROM s ORDER BY k")
    assert [value for (value,) in rows] == expected


def test_a_key_column_widens_too_and_still_finds_its_rows(loader: Loader) -> None:
    loader.run([schema("s", ["k"], k="integer", v="string"), record("s", k=1, v="old")])
    loader.run([schema("s", ["k"], k="string", v="string"), record("s", k="1", v="new")])
    big = 2**70
    loader.run([schema("t", ["k"], k="integer", v="string"), record("t", k=1, v="old")])
    loader.run(
        [
            schema("t", ["k"], k="integer", v="string"),
            record("t", k=1, v="new"),
            record("t", k=big, v="big"),
        ]
    )
    assert loader.query("SELECT * FROM s") == [("1", "new")]
    assert loader.query("SELECT * FROM t ORDER BY k") == [(1, "new"), (big, "big")]


def test_new_properties_become_columns_and_older_rows_have_null_there(loader: Loader) -> None:
    loader.run([schema("s", ["k"], k="integer"), record("s", k=1)])
    loader.run([schema("s", ["k"], k="integer", v="object"), record("s", k=2, v={"a": 1})])
    assert loader.query("SELECT * FROM s ORDER BY k") == [(1, None), (2, '{"a":1}')]


def test_an_empty_stream_has_its_table(loader: Loader) -> None:
    loader.run([schema("s", ["k"], k="integer", at={"type": "string", "format": "date-time"})])
    assert loader.types("s") == {"k": "BIGINT", "at": "TIMESTAMP WITH TIME ZONE"}


def test_tables_go_into_the_schema_that_is_asked_for(loader: Loader) -> None:
    loader.run([schema("s", [], a="integer"), record("s", a=1)], schema="raw data")
    assert loader.query('SELECT a FROM "raw data".s') == [(1,)]


def test_someone_elses_column_types_stay_and_small_integers_grow(loader: Loader) -> None:
    with duckdb.connect(str(loader.path)) as connection:
        connection.execute("CREATE TABLE s (k INTEGER, f DOUBLE, extra VARCHAR)").fetchall()
        connection.execute("INSERT INTO s VALUES (1, 0.5, 'kept')").fetchall()
    loader.run(
        [
            schema("s", ["k"], k="integer", f="number"),
            record("s", k=1, f=1.5),
            record("s", k=2**40, f=2),
        ]
    )
    assert loader.types("s") == {"k": "BIGINT", "f": "DOUBLE", "extra": "VARCHAR"}
    assert loader.query("SELECT * FROM s ORDER BY k") == [(1, 1.5, "kept"), (2**40, 2.0, None)]


def test_stream_maps_and_flattening_of_the_sdk_are_applied(loader: Loader) -> None:
    messages = [
        schema(
            "s",
            ["id"],
            id="integer",
            note="string",
            at={"type": "object", "properties": {"lot": {"type": "string"}}},
        ),
        record("s", id=1, note="x", at={"lot": "A"}),
        record("s", id=2, note="y", at={"lot": "B"}),
    ]
    loader.run(
        messages,
        stream_maps={"s": {"note": "__NULL__", "double": "str(id * 2)", "__filter__": "id < 2"}},
        flattening_enabled=True,
        flattening_max_depth=2,
    )
    assert loader.query("SELECT id, at__lot, double FROM s") == [(1, "A", "2")]
    assert "note" not in loader.types("s")


@pytest.mark.parametrize("expression", ["float(v)", "nowhere", "v.missing"])
def test_a_stream_map_that_fails_on_a_record_names_the_line_not_the_value(
    loader: Loader,
    expression: str,
) -> None:
    messages = [schema("s", ["id"], id="integer", v="string"), record("s", id=1, v="private")]
    with pytest.raises(UnfitRecordError, match="Stream 's': its stream map failed on line 2") as no:
        loader.run(messages, stream_maps={"s": {"v": expression}})
    assert "private" not in str(no.value)


def test_metadata_columns_of_the_sdk_come_when_asked_for(loader: Loader) -> None:
    message: Message = {
        **record("s", 7, id=1),
        "time_extracted": "2026-01-02T03:04:05Z",
    }
    loader.run([schema("s", ["id"], id="integer"), message], add_record_metadata=True)
    [row] = loader.query(
        "SELECT _sdc_extracted_at, _sdc_table_version, _sdc_deleted_at, "
        "_sdc_received_at <= now(), _sdc_batched_at <= now() FROM s"
    )
    assert row == (dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC), 7, None, True, True)


def test_a_taps_own_sdc_columns_are_kept_without_that_setting(loader: Loader) -> None:
    deleted = {"type": ["string", "null"], "format": "date-time"}
    loader.run(
        [
            schema("s", ["id"], id="integer", _sdc_deleted_at=deleted),
            record("s", id=1, _sdc_deleted_at="2026-01-02T03:04:05Z"),
        ]
    )
    assert loader.query("SELECT _sdc_deleted_at IS NOT NULL FROM s") == [(True,)]


class TestActivateVersion:
    """Old rows go when, and only when, the new version's rows are committed."""

    KEYED = schema("s", ["id"], id="integer")

    @staticmethod
    def activate(version: int) -> Message:
        return {"type": "ACTIVATE_VERSION", "stream": "s", "version": version}

    def test_rows_of_older_versions_and_of_none_are_deleted(self, loader: Loader) -> None:
        loader.run([self.KEYED, record("s", id=1)])
        loader.run([self.KEYED, record("s", 10, id=2), record("s", 10, id=3)])
        assert loader.query("SELECT id FROM s ORDER BY id") == [(1,), (2,), (3,)]
        loader.run([self.KEYED, record("s", 11, id=3), record("s", 11, id=4), self.activate(11)])
        assert loader.query("SELECT id FROM s ORDER BY id") == [(3,), (4,)]

    def test_a_version_announced_before_its_rows_deletes_only_at_the_end(
        self,
        loader: Loader,
    ) -> None:
        loader.run([self.KEYED, record("s", 10, id=1)])
        target = loader.target()
        target.process_lines(io.StringIO(lines_of([self.KEYED, self.activate(11)])))
        target.process_lines(io.StringIO(lines_of([record("s", 11, id=2)])))
        target.drain()
        connection = target.open_warehouse()._connection  # noqa: SLF001 - a look while it is open
        assert connection.execute("SELECT id FROM s ORDER BY id").fetchall() == [(1,), (2,)]
        target.process_endofpipe()
        assert loader.query("SELECT id FROM s") == [(2,)]

    def test_an_announced_version_is_not_forgotten_when_the_schema_changes(
        self,
        loader: Loader,
    ) -> None:
        loader.run([self.KEYED, record("s", 10, id=1)])
        wider = schema("s", ["id"], id="integer", v="string")
        loader.run([self.KEYED, self.activate(11), wider, record("s", 11, id=2)])
        assert loader.query("SELECT id FROM s") == [(2,)]

    def test_an_emptied_source_empties_the_table(self, loader: Loader) -> None:
        loader.run([self.KEYED, record("s", 10, id=1)])
        loader.run([self.KEYED, self.activate(11)])
        assert loader.query("SELECT id FROM s") == []

    def test_the_same_version_again_deletes_nothing(self, loader: Loader) -> None:
        loader.run([self.KEYED, record("s", 10, id=1), self.activate(10)])
        loader.run([self.KEYED, self.activate(10), record("s", 10, id=2)])
        assert loader.query("SELECT id FROM s ORDER BY id") == [(1,), (2,)]

    def test_records_without_a_version_are_never_deleted(
        self,
        loader: Loader,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        loader.run([self.KEYED, record("s", id=1), self.activate(10)])
        assert loader.query("SELECT id FROM s") == [(1,)]
        assert "ACTIVATE_VERSION is ignored" in caplog.text

    def test_the_version_may_appear_in_the_middle_of_a_batch(self, loader: Loader) -> None:
        loader.run([self.KEYED, record("s", id=1), record("s", 10, id=2), record("s", 10, id=3)])
        assert loader.query("SELECT * FROM s ORDER BY id") == [(1, None), (2, 10), (3, 10)]

    def test_it_can_be_switched_off(self, loader: Loader) -> None:
        loader.run([self.KEYED, record("s", 10, id=1)])
        loader.run(
            [self.KEYED, record("s", 11, id=2), self.activate(11)],
            process_activate_version_messages=False,
        )
        assert loader.query("SELECT id FROM s ORDER BY id") == [(1,), (2,)]


class TestState:
    """STATE is written when, and only when, the records before it are committed."""

    MESSAGES: t.ClassVar = [
        schema("s", ["id"], id="integer"),
        schema("t", ["id"], id="integer"),
    ]

    def test_rows_of_all_streams_together_make_a_drain(self, loader: Loader) -> None:
        messages = list(self.MESSAGES)
        for number in range(10):
            messages += [record("st"[number % 2], id=number), state({"n": number})]
        assert loader.run(messages, batch_size_rows=4) == [{"n": 2}, {"n": 6}, {"n": 9}]

    def test_a_state_is_not_written_before_its_records(self, loader: Loader) -> None:
        target = loader.target()
        target.process_lines(
            io.StringIO(lines_of([*self.MESSAGES, record("s", id=1), state({"n": 1})]))
        )
        assert loader.states() == []
        target.process_endofpipe()
        assert loader.states() == [{"n": 1}]

    def test_ten_seconds_make_a_drain_with_records_or_without(
        self,
        loader: Loader,
        tmp_path: Path,
    ) -> None:
        now = [0.0]
        target = TargetWarehouse(
            config={"filepath": str(tmp_path / "warehouse.duckdb")}, clock=lambda: now[0]
        )
        target.process_lines(
            io.StringIO(lines_of([*self.MESSAGES, record("s", id=1), state({"n": 1})]))
        )
        now[0] = DRAIN_SECONDS - 0.1
        target.message_reader.on_wait()
        assert loader.states() == []
        now[0] = DRAIN_SECONDS
        target.message_reader.on_wait()
        assert loader.states() == [{"n": 1}]
        records = [record("s", id=n) for n in range(256)]
        now[0] = 3 * DRAIN_SECONDS
        target.process_lines(io.StringIO(lines_of([state({"n": 2}), *records])))
        assert loader.states() == [{"n": 2}]
        target.close()

    def test_wide_records_make_a_drain_by_their_bytes(self, loader: Loader) -> None:
        wide = record("s", id=1, note="x" * (DRAIN_BYTES // 200))
        target = loader.target()
        messages = [schema("s", ["id"], id="integer"), state({"n": 1}), *[wide] * 256]
        target.process_lines(io.StringIO(lines_of(messages)))
        assert loader.states() == [{"n": 1}]
        target.close()

    def test_a_schema_that_changes_drains_what_came_before_it(self, loader: Loader) -> None:
        target = loader.target()
        messages = [
            *self.MESSAGES,
            record("s", id=1),
            record("t", id=1),
            state({"n": 1}),
            schema("s", ["id"], id="integer", v="string"),
        ]
        target.process_lines(io.StringIO(lines_of(messages)))
        assert loader.states() == [{"n": 1}]
        target.close()

    def test_numbers_in_state_keep_their_digits(
        self,
        loader: Loader,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        target = loader.target()
        text = '{"type":"STATE","value":{"a":1.10,"b":12345678901234567890.5}}'
        target.listen(io.StringIO(text + "\n"))
        assert capsys.readouterr().out == '{"a":1.10,"b":12345678901234567890.5}\n'
