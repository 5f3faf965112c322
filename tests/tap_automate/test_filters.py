"""Filters are sent to the server, have bookmarks of their own, and are held against its rows."""

from __future__ import annotations

import typing as t

import msgspec
import pytest
from support.dealership import Run, run
from support.dms import Canned, FakeDms

from automate_api import contract
from automate_api.errors import ConfigError, ProtocolError
from tap_automate import filters
from tap_automate.privacy import Privacy
from tap_automate.reading.codec import Codec
from tap_automate.streams import STREAMS, Declaration

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_automate.tap import TapAutomate

API = contract.load()
BY_NAME = {declaration.name: declaration for declaration in STREAMS}
VEHICLES, GL_ENTRIES = BY_NAME["vehicles"], BY_NAME["gl_entries"]
NOON = "2026-01-20T12:00:00Z"
PROBES = 4
"""Requests of a first load that ask for totals alone."""


class TestSettings:
    def test_a_filter_is_a_parameter_and_a_field_of_its_list(self) -> None:
        for declaration in STREAMS:
            resource = API.resource(declaration.path)
            for each in declaration.filters:
                assert each.parameter in resource.parameters
                assert resource.field(each.field or each.parameter)

    def test_closed_lists_are_those_of_the_contract_without_null(self) -> None:
        settings = filters.filter_settings()
        assert settings["vehicle_status"]["enum"] == [
            "in_stock",
            "retail_sold",
            "wholesale",
            "transit",
        ]
        assert settings["customer_type"]["enum"] == ["lead", "retail", "fleet"]
        assert "enum" not in settings["vehicle_make"]

    def test_each_says_whom_it_leaves_and_that_they_are_not_read_again(self) -> None:
        for setting in filters.filter_settings().values():
            about, _, leaving = setting["description"].partition(". ")
            assert about
            assert leaving == filters.LEAVING

    @pytest.mark.parametrize(
        ("setting", "value", "said"),
        [
            ("vehicle_status", "sold", "one of in_stock, .*; got another value$"),
            ("vehicle_status", "", "one of in_stock, .*; got an empty one$"),
            ("vehicle_make", "", "not empty"),
            ("gl_accounting_from", "yesterday", "a date such as"),
            ("gl_accounting_from", "2026-1-5", "a date such as"),
            ("gl_accounting_from", "2026-W05-1", "a date such as"),
            ("gl_accounting_to", "2026-02-30", "a date such as"),
        ],
    )
    def test_a_value_that_cannot_be_sent_is_refused(
        self, make_tap: Callable[..., TapAutomate], setting: str, value: str, said: str
    ) -> None:
        with pytest.raises(ConfigError, match=rf"(?m)`{setting}`.*{said}"):
            make_tap(**{setting: value})

    def test_a_range_that_ends_before_it_begins_is_refused(
        self, make_tap: Callable[..., TapAutomate]
    ) -> None:
        days = {"gl_accounting_from": "2026-02-01", "gl_accounting_to": "2026-01-31"}
        with pytest.raises(ConfigError, match="`gl_accounting_to` must not be before"):
            make_tap(**days)
        make_tap(**dict.fromkeys(days, "2026-01-31"))


class TestPartitions:
    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({}, None),
            ({"customer_type": "lead"}, None),
            ({"rooftop_ids": []}, None),
            ({"rooftop_ids": ["a", "b", "a"]}, [{"rooftopId": "a"}, {"rooftopId": "b"}]),
            ({"vehicle_status": "in_stock"}, [{"status": "in_stock"}]),
            (
                {"vehicle_lot_id": "lot_1", "vehicle_make": "Honda", "rooftop_ids": ["a", "b"]},
                [
                    {"rooftopId": "a", "make": "Honda", "lotId": "lot_1"},
                    {"rooftopId": "b", "make": "Honda", "lotId": "lot_1"},
                ],
            ),
        ],
    )
    def test_there_is_one_for_each_rooftop_with_all_filters(
        self, settings: dict[str, t.Any], expected: list[dict[str, str]] | None
    ) -> None:
        assert filters.partitions(VEHICLES, settings) == expected

    def test_streams_that_are_cut_from_another_have_those_of_it(
        self, make_tap: Callable[..., TapAutomate]
    ) -> None:
        streams = make_tap(vehicle_vin="V", gl_accounting_from="2026-01-01").streams
        assert streams["vehicle_status_history"].partitions == [{"vin": "V"}]
        assert streams["gl_entry_lines"].partitions == [{"accountingFrom": "2026-01-01"}]
        assert streams["deal_fees"].partitions is None


def refused(declaration: Declaration, context: dict[str, str], *records: t.Any) -> str:  # noqa: ANN401 - records
    """Say what a check says of records, nothing where they are let pass."""
    check = filters.check(declaration, "/path", context)
    assert check
    try:
        check(records, "req_1")
    except ProtocolError as error:
        return str(error)
    return ""


def typed(path: str, *records: dict[str, t.Any]) -> list[t.Any]:
    """Return records as the reader has them before they are normalised."""
    resource = API.resource(path)
    codec = Codec(resource.record_schema, Privacy({}, None, API.pii_fields))
    named = {**dict.fromkeys(resource.key, "k"), "updatedAt": NOON}
    items = [{**named, **record} for record in records]
    body = {"items": items, "page": 1, "pageSize": 50, "total": len(items)}
    return list(codec.decode(msgspec.json.encode(body)).items)


class TestCheck:
    def test_without_a_filter_there_is_none(self) -> None:
        assert filters.check(VEHICLES, "/vehicles", None) is None
        assert filters.check(VEHICLES, "/vehicles", {"rooftopId": "a"}) is None

    @pytest.mark.parametrize(
        ("context", "record", "fits"),
        [
            ({"status": "in_stock"}, {"status": "in_stock"}, True),
            ({"status": "in_stock"}, {"status": "transit"}, False),
            ({"make": "honda"}, {"make": "HONDA"}, True),
            ({"make": "STRASSE"}, {"make": "Straße"}, True),
            ({"make": "honda "}, {"make": "HONDA     "}, True),
            ({"make": "honda"}, {"make": "Acura"}, False),
            ({"make": "honda"}, {"make": None}, True),
            ({"make": "honda"}, {}, True),
            ({"lotId": "1"}, {"lot": {"lotId": "1"}}, True),
            ({"lotId": "1"}, {"lot": {"lotId": "2"}}, False),
            ({"lotId": "1"}, {"lot": None}, True),
            ({"lotId": "1"}, {"lot": "main"}, True),
            ({"status": "in_stock", "make": "a"}, {"status": "in_stock", "make": "b"}, False),
        ],
    )
    @pytest.mark.parametrize("is_typed", [True, False])
    def test_a_row_has_to_fit_and_what_is_not_said_fits(
        self, context: dict[str, str], record: dict[str, t.Any], *, fits: bool, is_typed: bool
    ) -> None:
        found = typed("/vehicles", record) if is_typed else [record]
        assert (refused(VEHICLES, context, *found) == "") is fits

    @pytest.mark.parametrize(
        ("date", "fits"),
        [("2026-01-01", True), ("2026-01-31", True), ("2025-12-31", False), ("2026-02-01", False)],
    )
    def test_a_range_has_its_ends(self, date: str, *, fits: bool) -> None:
        context = {"accountingFrom": "2026-01-01", "accountingTo": "2026-01-31"}
        for record in ({"accountingDate": date}, {"accountingDate": f"{date}T09:00:00Z"}):
            found = [record, *typed("/accounting/gl-entries", record)]
            assert (refused(GL_ENTRIES, context, *found) == "") is fits

    def test_a_refusal_counts_names_the_setting_and_shows_no_value(self) -> None:
        rows = [{"vin": "W1"}, {"vin": "W2"}, {"vin": "V"}]
        said = refused(VEHICLES, {"vin": "V"}, *rows)
        assert "GET /path: 2 of 3 rows do not fit `vehicle_vin`, which was sent as `vin`" in said
        assert "W1" not in said


@pytest.fixture
def dms() -> Iterator[FakeDms]:
    with FakeDms(totp=False) as server:
        server.entitlements = ["inventory", "accounting"]
        yield server


@pytest.fixture
def extract(dms: FakeDms, extract_from: Callable[..., Run]) -> Callable[..., Run]:
    """Read one stream, and what is cut from it, from the fake."""

    def extract(
        stream: str,
        *records: dict[str, t.Any],
        state: dict[str, t.Any] | None = None,
        **settings: t.Any,  # noqa: ANN401 - settings
    ) -> Run:
        family = {stream, *(cut.name for cut in BY_NAME[stream].cuts)}
        rows = [{"updatedAt": NOON, **record} for record in records]
        call = f"GET {BY_NAME[stream].path}"
        dms.script.clear()
        dms.answer(
            call, Canned(body={"items": rows, "page": 1, "pageSize": 50, "total": len(rows)})
        )
        dms.answer(f"{call}?pageSize=1", *[Canned()] * PROBES)
        return extract_from(dms, *family, state=state, **settings)

    return extract


class TestRun:
    def test_every_request_has_the_filters_and_every_bookmark_is_theirs(
        self, extract: Callable[..., Run], dms: FakeDms
    ) -> None:
        done = extract(
            "vehicles",
            {"vehicleId": "v", "status": "in_stock", "make": "HONDA"},
            vehicle_status="in_stock",
            vehicle_make="Honda",
        )
        assert done.code == 0, done.err
        calls = dms.calls("GET", "/vehicles")
        assert len(calls) == PROBES + 1
        asked = {"status": "in_stock", "make": "Honda"}
        assert all(call.query.items() >= asked.items() for call in calls)
        for stream in ("vehicles", "vehicle_status_history"):
            (partition,) = done.state()["bookmarks"][stream]["partitions"]
            assert partition["context"] == asked
            assert partition["replication_key_value"] > NOON
        assert len(done.records("vehicles")) == len(done.records("vehicle_status_history")) == 1

    def test_another_value_begins_at_the_start_and_the_same_goes_on(
        self, extract: Callable[..., Run], dms: FakeDms
    ) -> None:
        row = {"vehicleId": "v", "status": "in_stock"}
        state = extract("vehicles", row, vehicle_status="in_stock").state()
        again = extract("vehicles", row, state=state, vehicle_status="in_stock")
        assert (again.code, again.records("vehicles")) == (1, []), "an old row is out of its window"
        row = {"vehicleId": "v", "status": "transit"}
        other = extract("vehicles", row, state=state, vehicle_status="transit")
        assert (other.code, len(other.records("vehicles"))) == (0, 1), other.err
        state = other.state()
        assert len(state["bookmarks"]["vehicles"]["partitions"]) == 2
        everything = extract("vehicles", row, state=state)
        assert (everything.code, len(everything.records("vehicles"))) == (0, 1), everything.err
        assert "status" not in dms.calls("GET", "/vehicles")[-1].query

    def test_a_server_that_does_not_apply_a_filter_is_refused_before_anything_is_emitted(
        self, extract: Callable[..., Run]
    ) -> None:
        done = extract(
            "vehicles",
            {"vehicleId": "v", "status": "in_stock"},
            {"vehicleId": "w", "status": "transit"},
            vehicle_status="in_stock",
        )
        assert (done.code, done.records("vehicles")) == (1, [])
        assert "1 of 2 rows do not fit `vehicle_status`" in done.err
        assert "Traceback" not in done.err

    def test_lines_follow_their_filtered_parent(
        self, extract: Callable[..., Run], dms: FakeDms
    ) -> None:
        entry = {"journalEntryId": "je", "accountingDate": "2026-01-15"}
        done = extract(
            "gl_entries",
            {**entry, "rooftopId": "rt_1", "lines": [{"lineId": "1", "debit": 1.5}]},
            rooftop_ids=["rt_1"],
            gl_accounting_from="2026-01-01",
            gl_accounting_to="2026-01-31",
        )
        assert done.code == 0, done.err
        context = {
            "rooftopId": "rt_1",
            "accountingFrom": "2026-01-01",
            "accountingTo": "2026-01-31",
        }
        assert dms.calls("GET", "/accounting/gl-entries")[0].query.items() >= context.items()
        (line,) = done.records("gl_entry_lines")
        assert line["lineId"] == "1"
        (partition,) = done.state()["bookmarks"]["gl_entry_lines"]["partitions"]
        assert partition["context"] == context

    def test_a_filter_that_nothing_fits_is_said(self, extract: Callable[..., Run]) -> None:
        done = extract("vehicles", vehicle_vin="NONE", rooftop_ids=["rt_1"])
        assert done.code == 0, done.err
        assert "'vehicles': the DMS has no rows of rooftop rt_1 that fit `vehicle_vin`." in done.err
        assert "with the stream 'rooftops', or correct `vehicle_vin`." in done.err
        alone = extract("vehicles", vehicle_vin="NONE")
        assert "has no rows that fit `vehicle_vin`. Where it should, correct" in alone.err
        quiet = extract("vehicles", state=alone.state(), vehicle_vin="NONE")
        assert quiet.code == 0
        assert "has no rows" not in quiet.err

    def test_a_connection_test_takes_no_row_that_does_not_fit(
        self, extract: Callable[..., Run], dms: FakeDms, tmp_path: Path
    ) -> None:
        extract("vehicles", vehicle_status="in_stock")
        row = {"vehicleId": "w", "updatedAt": NOON, "status": "transit"}
        body = {"items": [row], "page": 1, "pageSize": 1, "total": 1}
        dms.script.clear()
        dms.answer("GET /vehicles", Canned(body=body))
        done = run("tap-automate", "--config", tmp_path / "config.json", "--test")
        assert done.code == 1
        assert "1 of 1 rows do not fit `vehicle_status`" in done.err
