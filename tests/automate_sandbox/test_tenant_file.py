"""What a tenant's file may say, and what is said of one that cannot be."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from click.testing import CliRunner

from automate_sandbox.cli import serve_command
from automate_sandbox.tenants.checks import problems
from automate_sandbox.tenants.option import MANNERS
from automate_sandbox.tenants.reading import SHIPPED, TenantError, read
from automate_sandbox.tenants.tenant import Tenant, routes

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_tenants_that_ship_can_be(name: str) -> None:
    tenant = read(name)
    assert {option.replace("-", "_") for option in tenant.options} <= MANNERS
    assert tenant.paths
    assert tenant.fields


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([], "the file: [] is not of type"),
        ({"field": {}}, "the file: Additional properties are not allowed ('field' was unexpected)"),
        ({"fields": {"vehicles": {"vin": 1}}}, "fields.vehicles.vin: 1 is not of type"),
        ({"fields": {"vehicles": {"vin": "a..b"}}}, 'fields.vehicles.vin: "a..b" does not match'),
        ({"paths": {"vehicles": "cars"}}, 'paths.vehicles: "cars" does not match'),
        ({"options": {"max-page-size": [1]}}, "options.max-page-size: [1] is not of types"),
        (
            {"absent": ["part"]},
            "absent.part: the sandbox has no such list or call; the nearest is parts",
        ),
        (
            {"fields": {"vehicle": {}}},
            "fields.vehicle: the sandbox has no such list or call; the nearest is vehicles",
        ),
        ({"words": {"getDeal": {}}}, "words.getDeal: the sandbox has no such list"),
        ({"paths": {"vehicles": "/cars/{id}"}}, "paths.vehicles: expected no {id}"),
        ({"paths": {"getDeal": "/deals/one"}}, "paths.getDeal: expected {id} once"),
        ({"paths": {"vehicles": "/deals"}}, "paths: 2 calls are GET /deals"),
        (
            {"parameters": {"vehicles": {"updateFrom": "since"}}},
            (
                "parameters.vehicles.updateFrom: the contract has no such name; "
                "the nearest is updatedFrom"
            ),
        ),
        (
            {"parameters": {"vehicles": {"updatedFrom": "since", "updatedTo": "since"}}},
            "parameters.vehicles: two would be called since",
        ),
        (
            {"parameters": {"vehicles": {"updatedFrom": "vin"}}},
            "parameters.vehicles: two would be called vin",
        ),
        (
            {"fields": {"vehicles": {"stockNum": "stockNo"}}},
            "fields.vehicles.stockNum: the contract has no such field; the nearest is stockNumber",
        ),
        (
            {"fields": {"repair_orders": {"lines[]": "jobs"}}},
            "fields.repair_orders.lines[]: expected the array's own name, without []",
        ),
        (
            {"fields": {"repair_orders": {"lines[].laborSales": "sale"}}},
            (
                "fields.repair_orders.lines[].laborSales: the contract has no such field; "
                "the nearest is lines[].laborSale"
            ),
        ),
        (
            {"fields": {"vehicles": {"lot.lotIds": "lot"}}},
            "fields.vehicles.lot.lotIds: the contract has no such field; the nearest is lot.lotId",
        ),
        (
            {"fields": {"vehicles": {"vin": "make"}}},
            "fields.vehicles: two would be called make",
        ),
        (
            {"fields": {"repair_orders": {"lines[].laborSale": "x", "lines[].laborCost": "x"}}},
            "fields.repair_orders.lines[]: two would be called x",
        ),
        (
            {"fields": {"vehicles": {"vin": "lot.vin"}}},
            "fields.vehicles.vin: lot is there already; expected a move to where nothing is",
        ),
        (
            {"fields": {"changeDealStatus": {"expectStatus": "from"}}},
            (
                "fields.changeDealStatus.expectStatus: the contract has no such field; "
                "the nearest is expectedStatus"
            ),
        ),
        (
            {"words": {"vehicles": {"make": {"Ford": "F"}}}},
            "words.vehicles.make: the contract has no closed list there",
        ),
        (
            {"words": {"vehicles": {"status": {"instock": "here"}}}},
            "words.vehicles.status.instock: the contract has no such name; the nearest is in_stock",
        ),
        (
            {"words": {"vehicles": {"status": {"in_stock": "transit"}}}},
            "words.vehicles.status: two would be called transit",
        ),
        ({"more_fields": {"vehicles": {"vin": ["x"]}}}, "more_fields.vehicles.vin: there is such"),
        ({"more_fields": {"vehicles": {"x": []}}}, "more_fields.vehicles.x: [] has less than 1"),
        (
            {"fields": {"vehicles": {"vin": "x"}}, "more_fields": {"vehicles": {"x": [1]}}},
            "more_fields.vehicles.x: there is such a field",
        ),
        (
            {"more_words": {"vehicles": {"status": {"transit": "in_stock"}}}},
            "more_words.vehicles.status.transit: there is such a word",
        ),
        (
            {"more_words": {"vehicles": {"status": {"demo": "instock"}}}},
            "more_words.vehicles.status.demo: the contract has no instock; the nearest is in_stock",
        ),
    ],
)
def test_a_file_that_cannot_be_is_told_where_and_why(content: object, problem: str) -> None:
    assert any(line.startswith(problem) for line in problems(content)), problems(content)


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "tenant.yaml"
    file.write_text("absent: [part]\nfields: {vehicle: {}}\n")
    with pytest.raises(TenantError) as caught:
        read(str(file))
    lines = str(caught.value).splitlines()
    assert len(lines) == 2
    assert all(line.startswith(f"{file}: ") for line in lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"fields: [", "line 1: this is no YAML"),
        (b"a: b\nc: d: e\n", "line 2: this is no YAML"),
        (b"\xff\xfe\x00", "this is no UTF-8"),
        (b"fields: {lots: {on: x}}", "only what JSON has; quote on, off, yes and no"),
        (None, "No such file or directory; expected one of hostile, or a YAML file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: bytes | None, said: str) -> None:
    file = tmp_path / "tenant.yaml"
    if text is not None:
        file.write_bytes(text)
    with pytest.raises(TenantError, match=str(file)) as caught:
        read(str(file))
    assert said in str(caught.value)


def test_an_empty_file_is_a_tenant_that_keeps_the_contract(tmp_path: Path) -> None:
    file = tmp_path / "tenant.yaml"
    file.touch()
    assert read(str(file)) == Tenant()
    assert all(operation.path == path for operation, path in routes(Tenant()))


def test_the_calls_of_a_list_move_with_it_unless_they_have_a_path_of_their_own() -> None:
    paths = {"deals": "/sales", "changeDealStatus": "/moves/{id}"}
    found = {operation.operation_id: path for operation, path in routes(Tenant(paths=paths))}
    assert found["listDeals"] == found["createDeal"] == "/sales"
    assert found["getDeal"] == "/sales/{id}"
    assert found["changeDealStatus"] == "/moves/{id}"
    # The recaps are a list of their own, although their path begins with that of the deals.
    assert found["listDealRecaps"] == "/deals/recaps"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "options: {max-page-sizes: 1}",
            "options.max-page-sizes: a tenant has no such option; the nearest is max-page-size",
        ),
        ("options: {port: 1}", "options.port: a tenant has no such option"),
        ("options: {max-page-size: none}", "Invalid value for '--max-page-size'"),
        ("options: {page-order: random}", "Invalid value for '--page-order'"),
        ("absent: [nothing]", "absent.nothing: the sandbox has no such list or call"),
    ],
)
def test_serve_refuses_a_tenant_that_cannot_be(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "tenant.yaml"
    file.write_text(text)
    done = CliRunner().invoke(serve_command, ["--tenant", str(file)])
    assert done.exit_code == 2
    assert said in done.stderr


def test_the_options_of_a_tenant_are_options_of_serve() -> None:
    options = {parameter.name for parameter in serve_command.params}
    assert options > MANNERS


def test_the_page_on_tenants_names_every_section_and_option() -> None:
    page = (ROOT / "docs" / "sandbox-tenants.md").read_text("utf-8")
    for section in dataclasses.fields(Tenant):
        assert f"| `{section.name}` |" in page
    for option in MANNERS:
        assert f"`{option.replace('_', '-')}`" in page
