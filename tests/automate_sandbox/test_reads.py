"""Lists, details, sessions and refusals of a served sandbox, spoken to over HTTP."""

from __future__ import annotations

import typing as t
from email.utils import parsedate_to_datetime

import pytest
from support.links import settled
from support.visitor import Visitor, error_of, serving

from automate_sandbox import contract_file
from automate_sandbox.resources import resources

if t.TYPE_CHECKING:
    from pathlib import Path

    from support.visitor import Shop

PATHS: t.Final = {resource.path: stream for stream, resource in resources().items()}


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_list_gives_every_record_of_the_truth_once(
    shop: Shop, visitor: Visitor, path: str
) -> None:
    stream = PATHS[path]
    key_of = resources()[stream].key_of
    truth = {key_of(record): settled(record) for record in shop.records(stream)}
    items = visitor.all(path, size=37)
    assert len(items) == len(truth)
    assert {key_of(item): settled(item) for item in items} == truth


@pytest.mark.parametrize("path", sorted(PATHS))
def test_a_detail_is_the_record_of_the_list(visitor: Visitor, path: str) -> None:
    item = visitor.get(path, pageSize=1).json()["items"][0]
    first, *others = resources()[PATHS[path]].key
    parameters = {name: item[name] for name in others}
    detail = visitor.get(f"{path}/{item[first]}", **parameters).json()
    assert settled(detail) == settled(item)
    missing = visitor.get(f"{path}/none_such")
    assert missing.status_code == 404
    assert error_of(missing)["code"] == "record_not_found"


@pytest.mark.parametrize(
    ("path", "parameter", "field"),
    [
        ("/vehicles", "vin", "vin"),
        ("/vehicles", "make", "make"),
        ("/vehicles", "lotId", "lot.lotId"),
        ("/vehicles", "rooftopId", "rooftopId"),
        ("/customers", "customerType", "customerType"),
        ("/customers", "email", "emails.0"),
        ("/customers", "phone", "phones.0.number"),
        ("/deals", "stockNumber", "vehicle.stockNumber"),
        ("/deals", "vin", "vehicle.vin"),
        ("/deals", "dealNumber", "dealNumber"),
        ("/service/repair-orders", "roNumber", "roNumber"),
        ("/accounting/gl-entries", "journalCode", "journalCode"),
        ("/accounting/gl-entries", "accountNumber", "lines.0.accountNumber"),
        ("/accounting/gl-entries", "controlNumber", "lines.0.controlNumber"),
    ],
)
def test_a_filter_leaves_what_has_the_value(
    visitor: Visitor, path: str, parameter: str, field: str
) -> None:
    def value(record: t.Any) -> t.Any:  # noqa: ANN401 - a JSON value
        for name in field.split("."):
            if record in ([], None):
                return None
            record = record[int(name)] if name.isdigit() else record[name]
        return record

    everything = visitor.all(path)
    wanted = next(found for record in everything if (found := value(record)))
    chosen = visitor.all(path, **{parameter: wanted})
    named = [record for record in everything if value(record) == wanted]
    assert 0 < len(named) <= len(chosen) < len(everything)
    assert all(record in chosen for record in named)


@pytest.mark.parametrize(
    ("path", "name", "field"),
    [
        ("/service/repair-orders", "opened", "openedAt"),
        ("/service/repair-orders", "closed", "closedAt"),
        ("/deals", "delivered", "deliveredAt"),
        ("/accounting/gl-entries", "accounting", "accountingDate"),
    ],
)
def test_a_range_leaves_what_lies_in_it_bounds_included(
    visitor: Visitor, path: str, name: str, field: str
) -> None:
    everything = visitor.all(path)
    values = sorted(record[field] for record in everything if record[field])
    low, high = values[len(values) // 4], values[len(values) // 2]
    chosen = visitor.all(path, **{f"{name}From": low, f"{name}To": high})
    assert sorted(record[field] for record in chosen) == [v for v in values if low <= v <= high]


def test_every_answer_has_a_date_and_a_request_id(visitor: Visitor) -> None:
    ids = set()
    for path in ("/vehicles", "/vehicles/none", "/nowhere", "/parts"):
        answer = visitor.get(path)
        assert parsedate_to_datetime(answer.headers["Date"]).tzinfo is not None
        ids.add(answer.headers["X-Request-Id"])
    assert len(ids) == 4


def test_paths_that_the_tenant_lacks_and_paths_that_nobody_has(visitor: Visitor) -> None:
    not_offered = visitor.post("/webhooks", {})
    assert not_offered.status_code == 501
    assert error_of(not_offered)["code"] == "not_implemented"
    unknown = visitor.get("/boats")
    assert unknown.status_code == 404
    assert error_of(unknown)["code"] == "path_not_found"
    wrong_method = visitor.send("DELETE", "/vehicles")
    assert wrong_method.status_code == 405
    assert error_of(wrong_method)["code"] == "method_not_allowed"
    assert (
        visitor.http.get(visitor.base.replace("integrations", "other"), timeout=30).status_code
        == 404
    )


def test_without_a_valid_token_nothing_is_shown(visitor: Visitor) -> None:
    for headers in ({"Authorization": ""}, {"Authorization": "Bearer stolen"}):
        answer = visitor.send("GET", "/vehicles", headers=headers)
        assert answer.status_code == 401
        error_of(answer)


def test_session_refresh_rotates_token_and_cookie(shop: Shop, visitor: Visitor) -> None:
    old, cookie = visitor.token, visitor.http.cookies["dms_session"]
    before = shop.stats()["requests_without_cookie"]
    assert visitor.get("/rooftops").ok
    answer = visitor.post("/sessions/refresh", None)
    assert contract_file.validator("Session").is_valid(answer.json())
    assert visitor.http.cookies["dms_session"] != cookie
    assert visitor.get("/rooftops").status_code == 401
    visitor.token = answer.json()["authToken"]
    assert visitor.token != old
    assert visitor.get("/rooftops").ok
    assert shop.stats()["requests_without_cookie"] == before
    visitor.http.cookies.clear()
    assert visitor.get("/rooftops").ok
    assert shop.stats()["requests_without_cookie"] == before + 1


def test_entitlements_decide_and_users_need_none(tmp_path: Path) -> None:
    options = ("--vehicles", "5", "--entitlements", "service", "--mfa-type", "none")
    with serving(tmp_path, *options) as served:
        guest = Visitor(served)
        assert guest.login().json()["user"]["entitlements"] == ["service"]
        for path, status in (
            ("/vehicles", 403),
            ("/deals", 403),
            ("/accounting/gl-entries", 403),
            ("/customers", 200),
            ("/service/repair-orders", 200),
            ("/users", 200),
            ("/rooftops", 200),
        ):
            answer = guest.get(path)
            assert answer.status_code == status, path
            if status == 403:
                assert error_of(answer)["code"] == "not_entitled"
        assert guest.post("/deals", {"customerId": "x", "vehicle": {"vin": "y"}}).status_code == 403
        guest.http.close()


def test_a_totp_login_over_http_and_its_lock_out(tmp_path: Path) -> None:
    with serving(tmp_path, "--vehicles", "5", "--max-failures", "2") as served:
        guest = Visitor(served)
        answer = guest.login()
        assert contract_file.validator("Session").is_valid(answer.json())
        assert answer.json()["user"]["id"] in {user["userId"] for user in served.records("users")}
        for _ in range(2):
            assert guest.login(mfa={"type": "totp", "code": "000000"}).status_code == 401
        locked = guest.login()
        assert locked.status_code == 423
        assert error_of(locked)["code"] == "user_locked"
        assert served.stats()["logins"] == 1
        assert served.stats()["locked"]
        guest.http.close()
