"""Each kind of list that is not as it should be: the line that doctor says of it."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from click.testing import CliRunner
from support.dms import Canned, FakeDms, Seen
from support.examination import HTML, Examine, failed, only_failure

from automate_api import contract
from automate_api.tenant.operations import operations_of
from automate_dms.doctor import command
from automate_dms.doctor.candidates import PATHS
from automate_dms.doctor.findings import Status

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.clock import FakeClock

    from automate_dms.doctor.findings import Report


def not_json() -> Canned:
    return Canned(200, b"<html>", HTML)


LISTS: t.Final[dict[str, tuple[Callable[[], Canned], Status, str, int]]] = {
    "documented and gone": (
        lambda: Canned(404, {"error": {"code": "not_found"}}),
        Status.FAIL,
        "GET /vehicles: 404, nor is it at 3 other likely paths.",
        1,
    ),
    "not entitled": (
        lambda: Canned(403, {"error": {"code": "forbidden"}}),
        Status.WARN,
        "GET /vehicles: 403, though the login names the entitlement.",
        1,
    ),
    "no page": (
        lambda: Canned(200, {"data": []}),
        Status.FAIL,
        (
            "GET /vehicles: expected a page {items: [object, ...], page, pageSize, total} with "
            "whole numbers, got {items: missing, page: missing, pageSize: missing, total: missing}."
        ),
        1,
    ),
    "html": (
        not_json,
        Status.FAIL,
        (
            "GET /vehicles: expected JSON, got an HTML page with status 200. Check `api_url` and "
            "`integration_id`, and whether a proxy answers in the API's place."
        ),
        1,
    ),
    "pages from 0": (
        lambda: Canned(200, {"items": [], "page": 1, "pageSize": 50, "total": 7}),
        Status.FAIL,
        "Page 1 is empty although there are 7 records.",
        1,
    ),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_cannot_be_read_is_named_and_the_others_are_asked(
    dms: FakeDms, doctor: Examine, tmp_path: Path, name: str
) -> None:
    answer, status, what, code = LISTS[name]
    dms.answer("GET /vehicles", *(answer() for _ in range(9)))
    for path in ("/inventory/vehicles", "/inventory/units", "/inventory"):
        dms.answer(f"GET {path}", Canned(404, {"error": {"code": "not_found"}}))
    report = doctor(dms.settings(tmp_path))
    found = [each for each in report.findings if each.list == "vehicles" and each.check == "path"]
    assert (status, what) in [(each.status, each.what) for each in found]
    assert report.exit_code == code
    assert dms.calls("GET", "/customers")


def test_a_list_that_breaks_each_time_is_named_with_its_request_id(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    broken = Canned(500, {"error": {"code": "boom", "requestId": "req_77"}})
    dms.answer("GET /vehicles", *[broken] * 4)
    check, said, told, _ = failed(doctor(dms.settings(tmp_path)))
    assert (check, "req_77" in said) == ("path", True)
    assert "support" in told


def test_an_api_that_throttles_for_long_ends_the_checks_and_says_when_to_come_back(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    dms.answer("GET /deals", Canned(429, headers={"Retry-After": "3600"}))
    check, said, told, code = failed(doctor(dms.settings(tmp_path)))
    assert (check, code) == ("requests", 75)
    assert "asks to wait 3600 s" in said
    assert told == "Run again later. All further checks are left out."


def test_rates_that_the_api_names_and_429_are_told(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    dms.answer("GET /lots", Canned(429, headers={"Retry-After": "1", "X-RateLimit-Limit": "100"}))
    report = doctor(dms.settings(tmp_path, requests_per_second=8))
    (found,) = [each for each in report.findings if each.check == "rate limits"]
    assert found.status is Status.NOTE
    assert found.what.startswith("1 answer 429 in ")
    assert found.what.endswith("Its answers name a limit: X-RateLimit-Limit: 100.")
    assert re.search(r"`requests_per_second` to ([1-3]\.\d|[1-4]) or less", found.set)


def test_after_429_half_of_what_was_sent_is_advised_however_much_is_allowed(
    dms: FakeDms, doctor: Examine, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = dms.handle

    def handle(seen: Seen) -> Canned:
        clock.pass_by(0.25)
        return plain(seen)

    monkeypatch.setattr(dms, "handle", handle)
    dms.answer("GET /lots", Canned(429, headers={"Retry-After": "1"}))
    report = doctor(dms.settings(tmp_path, requests_per_second=50))
    (found,) = [each for each in report.findings if each.check == "rate limits"]
    rate = re.search(r"`requests_per_second` to ([0-9.]+) or less", found.set)
    assert rate is not None
    assert 1 <= float(rate[1]) <= 2


def page(*keys: str, total: int = 3) -> Canned:
    items = [{"lotId": key, "updatedAt": None} for key in keys]
    return Canned(200, {"items": items, "page": 1, "pageSize": 2, "total": total})


def test_pages_that_begin_at_0_and_records_without_a_time_are_told(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    dms.answer("GET /lots", page("b", "c"))
    dms.answer("GET /lots?page=0", page("a", "b"))
    report = doctor(dms.settings(tmp_path))
    found = {each.check: each for each in report.findings if each.list in {"", "lots"}}
    assert found["first page"].status is Status.WARN
    assert found["first page"].what.startswith("Page 0 has other records than page 1")
    assert found["updatedAt"].what == "2 of 2 records have none."


def test_a_page_that_is_not_full_is_told(dms: FakeDms, doctor: Examine, tmp_path: Path) -> None:
    dms.answer("GET /lots", page("b"))
    report = doctor(dms.settings(tmp_path))
    told = [each.what for each in report.of(Status.WARN) if each.list == "lots"]
    assert told[0] == "Page 1 has 1 record; 2 were to be expected."


def lots(*changes: dict[str, t.Any]) -> list[dict[str, t.Any]]:
    plain = {"updatedAt": "2026-01-20T13:45:00Z", "name": "Main"}
    return [{"lotId": f"lot_{number}", **plain, **each} for number, each in enumerate(changes)]


class Served:
    """A list that is served by rules of its own.

    Attributes:
        records: All of them.
        most: Records of a page; more are refused.
        start: Whether `updatedFrom` is inclusive.
        end: Whether `updatedTo` is.
    """

    def __init__(self, records: list[dict[str, t.Any]], most: int = 1000, *bounds: bool) -> None:
        self.records = records
        self.most = most
        self.start, self.end = bounds or (True, True)

    def answer(self, seen: Seen) -> Canned:
        """Answer a request for a page."""
        size, number = int(seen.query["pageSize"]), int(seen.query["page"])
        if size > self.most or number < 1:
            return Canned(422, {"error": {"code": "invalid", "message": "too many"}})
        fitting = [each for each in self.records if self._fits(each, seen.query)]
        items = fitting[(number - 1) * size : number * size]
        body = {"items": items, "page": number, "pageSize": size, "total": len(fitting)}
        return Canned(body=body)

    def _fits(self, record: dict[str, t.Any], query: dict[str, str]) -> bool:
        at = record["updatedAt"]
        start, end = query.get("updatedFrom", ""), query.get("updatedTo", "a")
        return (start < at < end) or (self.start and at == start) or (self.end and at == end)


class Serve(t.Protocol):
    """Lets a list be served by its own rules, once there is a session."""

    def __call__(self, path: str, served: Served) -> None:
        """Take the list at a path."""


@pytest.fixture
def serve(dms: FakeDms, monkeypatch: pytest.MonkeyPatch) -> Serve:
    def take(path: str, served: Served) -> None:
        plain = dms.handle

        def handle(seen: Seen) -> Canned:
            told = plain(seen)
            return served.answer(seen) if (seen.method, seen.path) == ("GET", path) else told

        monkeypatch.setattr(dms, "handle", handle)

    return take


@pytest.fixture
def asked(dms: FakeDms, doctor: Examine, tmp_path: Path) -> Callable[[], Report]:
    return lambda: doctor(dms.settings(tmp_path))


@pytest.mark.parametrize(
    ("most", "said"),
    [
        (
            500,
            (
                Status.NOTE,
                "Pages of 1,000 records are refused (422), of 200 not.",
                "Set `page_size` to 200 or less.",
            ),
        ),
        (
            100,
            (
                Status.WARN,
                "Pages of 200 records are refused (422), of 100 not.",
                "Set `page_size` to 100 or less.",
            ),
        ),
    ],
)
def test_large_pages_that_are_refused_are_named_and_all_lists_asked_for_smaller_ones(
    asked: Callable[[], Report], serve: Serve, most: int, said: tuple[Status, str, str]
) -> None:
    serve("/vehicles", Served([], most))
    serve("/lots", Served(lots({}), most))
    report = asked()
    (found,) = [each for each in report.findings if each.check == "page size"]
    assert (found.status, found.what, found.set) == said
    assert not list(report.of(Status.FAIL))


def test_a_list_that_refuses_every_page_is_named_and_the_others_are_asked(
    dms: FakeDms, asked: Callable[[], Report], serve: Serve
) -> None:
    serve("/vehicles", Served([], 0))
    failure = only_failure(asked())
    assert (failure.check, failure.list, "422" in failure.what) == ("path", "vehicles", True)
    assert dms.calls("GET", "/customers")


def test_pages_that_are_smaller_than_they_say_are_told_by_the_size_to_set(
    dms: FakeDms, asked: Callable[[], Report]
) -> None:
    body = {"items": lots({}, {}), "page": 1, "pageSize": 1000, "total": 7}
    dms.answer("GET /vehicles", Canned(403))
    dms.answer("GET /lots", Canned(body=body))
    report = asked()
    (size,) = [each for each in report.findings if each.check == "page size"]
    assert size.what == "A page has 2 records at most; 1,000 were asked for."
    (short,) = [each for each in report.of(Status.WARN) if each.list == "lots"]
    assert short.set.endswith("otherwise set `page_size` to 2.")


def test_one_list_without_an_answer_is_named_and_the_others_are_asked(
    dms: FakeDms, asked: Callable[[], Report]
) -> None:
    dms.answer("GET /vehicles", *[Canned(cut="before")] * 5)
    report = asked()
    failure = only_failure(report)
    assert (failure.check, failure.list, report.exit_code) == ("path", "vehicles", 75)
    assert dms.calls("GET", "/events")


def test_a_second_list_without_an_answer_ends_the_checks(
    dms: FakeDms, asked: Callable[[], Report]
) -> None:
    for path in ("/vehicles", "/lots"):
        dms.answer(f"GET {path}", *[Canned(cut="before")] * 5)
    report = asked()
    assert [each.check for each in report.of(Status.FAIL)] == ["path", "requests"]
    assert not dms.calls("GET", "/customers")


@pytest.mark.parametrize(
    ("bounds", "said"),
    [
        ((True, False), "`updatedFrom` is inclusive and `updatedTo` exclusive, in whole seconds."),
        ((False, True), "`updatedFrom` is exclusive and `updatedTo` inclusive."),
        ((True, True), "`updatedFrom` and `updatedTo` are inclusive, in whole seconds."),
    ],
)
def test_each_bound_is_told_by_itself_also_beside_times_that_nobody_can_count(
    asked: Callable[[], Report],
    serve: Serve,
    bounds: tuple[bool, bool],
    said: str,
) -> None:
    sentinels = ({"updatedAt": "0001-01-01T00:00:00Z"}, {"updatedAt": "0001-01-01T00:00:00+02:00"})
    last = {"updatedAt": "9999-12-31T23:59:59Z"}
    serve("/lots", Served(lots(*sentinels, last, {}), 1000, *bounds))
    report = asked()
    assert [each.what for each in report.findings if each.check == "bounds"] == [said]


def test_a_record_that_changes_while_it_is_asked_for_tells_nothing_of_bounds(
    dms: FakeDms, asked: Callable[[], Report], serve: Serve
) -> None:
    served = Served(lots({"updatedAt": "2026-01-20T13:45:00.250Z"}))
    plain = served.answer

    def answer(seen: Seen) -> Canned:
        if {"updatedFrom", "updatedTo"} <= seen.query.keys():
            served.records[0]["updatedAt"] = "2026-01-20T14:00:00.500Z"
        return plain(seen)

    served.answer = answer  # type: ignore[method-assign]  # this one only
    serve("/lots", served)
    (found,) = [each for each in asked().findings if each.check == "bounds"]
    assert found.status is Status.SKIPPED
    assert dms.calls("GET", "/lots")


def test_a_filter_is_not_blamed_for_a_record_that_has_changed_meanwhile(
    dms: FakeDms, asked: Callable[[], Report]
) -> None:
    records = [{"dealId": f"d_{number}", "status": "penciled"} for number in range(6)]
    before = [*records, {"dealId": "d_7", "status": "pending"}]
    dms.answer("GET /deals", Canned(body=page_of(before)))
    dms.answer("GET /deals?status=pending", Canned(body=page_of([])))
    dms.answer("GET /deals?status=penciled", Canned(body=page_of(records)))
    report = asked()
    found = {each.list: each for each in report.findings if each.check == "filter status"}
    assert (found["deals"].status, found["deals"].what) == (Status.OK, "It is applied.")


def page_of(records: list[dict[str, t.Any]]) -> dict[str, t.Any]:
    return {"items": records, "page": 1, "pageSize": 1000, "total": len(records)}


def test_records_without_their_key_fail_however_few_they_are(
    dms: FakeDms, asked: Callable[[], Report]
) -> None:
    records = [{"label": "Main", "updatedAt": "2026-01-20T13:45:00Z"}]
    dms.answer("GET /lots", Canned(body=page_of(records)))
    report = asked()
    failures = [each for each in report.of(Status.FAIL) if each.check == "fields"]
    assert [each.what for each in failures] == [
        "`lotId` never came, by which records are told apart: they cannot be loaded."
    ]
    assert failures[0].set.startswith("Set `resources.lots.fields`")


def test_names_of_a_filter_that_one_list_has_are_tried_first_at_the_next(
    dms: FakeDms, asked: Callable[[], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = dms.handle

    def handle(seen: Seen) -> Canned:
        told = plain(seen)
        if seen.method != "GET" or seen.path not in {"/lots", "/users"}:
            return told
        is_excluded = {"modifiedAfter", "modifiedBefore"} & seen.query.keys()
        key = {"/lots": "lotId", "/users": "userId"}[seen.path]
        return Canned(body=page_of([] if is_excluded else [{key: "k", "updatedAt": None}]))

    monkeypatch.setattr(dms, "handle", handle)
    report = asked()
    proposed = (report.proposal or {})["resources"]
    names = {"parameters": {"updatedFrom": "modifiedAfter", "updatedTo": "modifiedBefore"}}
    assert (proposed["lots"], proposed["users"]) == (names, names)
    tried = [{*seen.query} - {"page", "pageSize"} for seen in dms.calls("GET", "/users")]
    assert [names for names in tried if names and "status" not in names][2:4] == [
        {"modifiedAfter"},
        {"modifiedBefore"},
    ]


def test_another_list_at_a_likely_path_is_not_taken_for_it(
    dms: FakeDms, asked: Callable[[], Report]
) -> None:
    own = ("rooftopId", "name", "createdAt", "updatedAt", "deletedAt")
    store = {**dict.fromkeys(own, "x"), "dealerCode": "D", "timeZone": "UTC", "companyId": "c"}
    dms.answer("GET /lots", Canned(404))
    dms.answer("GET /inventory/lots", Canned(body=page_of([store])))
    dms.answer("GET /inventory/locations", Canned(404))
    dms.answer("GET /vehicles/lots", Canned(body=page_of(lots({}))))
    proposed = asked().proposal or {}
    assert proposed["resources"]["lots"]["path"] == "/vehicles/lots"


@pytest.mark.parametrize("name", ["customers", "deals", "repair_orders", "gl_entries"])
def test_a_list_that_every_dms_has_is_not_taken_for_one_that_is_not_offered(
    dms: FakeDms, asked: Callable[[], Report], name: str
) -> None:
    dms.entitlements = ["sales", "service", "accounting"]
    path = operations_of(contract.plain()).lists[name].path
    for each in (path, *PATHS[name]):
        dms.answer(f"GET {each}", Canned(404))
    report = asked()
    (found,) = [each for each in report.of(Status.WARN) if each.list == name]
    assert found.what == f"GET {path}: 404, nor is it at 3 other likely paths."
    assert found.set.startswith("Ask the vendor for its path")
    assert report.proposal is None
    assert report.exit_code == 1


def test_what_is_taken_for_not_offered_is_proposed_with_where_it_was_looked_for(
    dms: FakeDms, asked: Callable[[], Report]
) -> None:
    dms.entitlements = ["service"]
    for path in ("/parts", *PATHS["parts"]):
        dms.answer(f"GET {path}", Canned(404))
    report = asked()
    assert report.proposal == {"resources": {"parts": {"offered": False}}}
    said = "GET /parts: 404, nor is it at 3 other likely paths, so taken for not offered."
    assert report.reasons == [f"parts: {said}"]


def test_further_fields_that_look_personal_are_named_with_what_to_set(
    dms: FakeDms, asked: Callable[[], Report]
) -> None:
    lot = {"lotId": "lot_1", "keeperEmail": "", "keeperDob": "1961-02-03", "updatedAt": None}
    dms.answer("GET /lots", *[Canned(body=page_of([lot]))] * 2)
    (found,) = [each for each in asked().of(Status.WARN) if each.check == "fields"]
    assert found.what == (
        "Beyond the contract, and personal by name or value: `keeperDob`, `keeperEmail`."
    )
    assert '`{"keeperDob": "drop", "keeperEmail": "drop"}`' in found.set


def test_a_filter_that_is_refused_is_told_by_the_status(
    dms: FakeDms, asked: Callable[[], Report]
) -> None:
    vehicles = [{"vehicleId": f"v_{number}", "vin": f"VIN{number}"} for number in range(2)]
    dms.answer("GET /vehicles?vin=VIN1", Canned(400, {"error": {"code": "unknown_parameter"}}))
    dms.answer("GET /vehicles", Canned(body=page_of(vehicles)))
    found = {each.check: each for each in asked().findings if each.list == "vehicles"}
    assert found["filter vin"].status is Status.WARN
    assert found["filter vin"].what == "It is refused with 400."
    assert "`resources.vehicles.parameters.vin`" in found["filter vin"].set


def test_a_list_that_is_back_at_the_contracts_path_is_found_there(
    dms: FakeDms, doctor: Examine, tmp_path: Path
) -> None:
    overlay = tmp_path / "tenant.yaml"
    overlay.write_text("resources: {lots: {path: /old/lots}}")
    dms.answer("GET /old/lots", Canned(404))
    dms.answer("GET /lots", *[Canned(body=page_of(lots({})))] * 2)
    report = doctor(dms.settings(tmp_path, contract_overlay=str(overlay)))
    assert report.proposal == {"resources": {"lots": {"path": "/lots"}}}
    (found,) = [each for each in report.of(Status.WARN) if each.check == "path"]
    assert found.what == "GET /old/lots: 404; the list is at /lots."


def test_a_proposal_of_what_was_asked_before_the_checks_ended_says_so(
    dms: FakeDms, tmp_path: Path
) -> None:
    dms.totp = False  # the command goes by this machine's clock, which the fake one's is not
    config, proposed = tmp_path / "config.json", tmp_path / "tenant.yaml"
    config.write_text(json.dumps(dms.settings(tmp_path)))
    dms.answer("GET /lots", Canned(404))
    dms.answer("GET /vehicles/lots", Canned(body=page_of(lots({}))))
    dms.answer("GET /deals", Canned(429, headers={"Retry-After": "3600"}))
    arguments = ["--config", str(config), "--propose", str(proposed)]
    CliRunner().invoke(command.doctor, arguments, standalone_mode=False)
    assert f"# {command.PARTIAL}" in proposed.read_text()
