"""A tenant that differs in keys, times, objects and arrays: warehouse and audit are exact."""

from __future__ import annotations

import json
import typing as t

from support.compare import differences
from support.dealership import dealership, pipe, run

if t.TYPE_CHECKING:
    from pathlib import Path

    Resource: t.TypeAlias = dict[str, dict[str, str]]

TIMES: t.Final = {"updatedFrom": "since", "updatedTo": "until", "rooftopId": "store"}
RESOURCES: t.Final[dict[str, tuple[str, Resource]]] = {
    "vehicles": (
        "/inventory/units",
        {
            "parameters": {**TIMES, "page": "number", "pageSize": "rows"},
            "fields": {
                "vehicleId": "id",
                "updatedAt": "meta.modified",
                "vin": "stockNumber",
                "stockNumber": "stock.number",
                "lot.name": "location.title",
                "rooftopId": "store",
                "photos": "pictures",
                "photos[].url": "link",
            },
        },
    ),
    "gl_entries": (
        "/accounting/journal",
        {
            "parameters": {**TIMES, "accountingFrom": "from", "accountingTo": "to"},
            "fields": {
                "journalEntryId": "id",
                "accountingDate": "date",
                "rooftopId": "store",
                "lines": "postings",
                "lines[].accountNumber": "account.number",
                "lines[].debit": "amounts.debit",
                "lines[].credit": "amounts.credit",
            },
        },
    ),
    "repair_orders": (
        "/service/orders",
        {
            "parameters": TIMES,
            "fields": {
                "updatedAt": "modified",
                "rooftopId": "store",
                "lines[].parts": "materials",
                "lines[].parts[].unitCost": "cost.each",
            },
        },
    ),
    "accounting_periods": (
        "/accounting/months",
        {"parameters": {}, "fields": {"startDate": "begins", "endDate": "ends"}},
    ),
}


def test_warehouse_audit_and_rooftops_are_exact(tmp_path: Path) -> None:
    tenant, overlay = tmp_path / "tenant.json", tmp_path / "overlay.json"
    differs = {
        "paths": {name: path for name, (path, _) in RESOURCES.items()},
        **{
            part: {name: said[part] for name, (_, said) in RESOURCES.items() if said[part]}
            for part in ("parameters", "fields")
        },
    }
    tenant.write_text(json.dumps(differs))
    resources = {name: {"path": path, **said} for name, (path, said) in RESOURCES.items()}
    overlay.write_text(json.dumps({"resources": resources}))
    arguments = ("--vehicles", "60", "--days", "10", "--mfa-type", "none", "--tenant", str(tenant))
    with dealership(tmp_path, *arguments) as dealer:
        config = dealer.config("exact", contract_overlay=str(overlay))
        warehouse, state = tmp_path / "dms.duckdb", tmp_path / "state.json"
        for _ in range(2):
            done = pipe(config, warehouse, state)
            assert done.code == 0, done.err
            assert "not as the contract" not in done.err
            dealer.pass_time(10)  # beyond the cool-down
        assert differences(dealer, warehouse) == []
        audit = run(
            *("automate-dms", "audit", "--against", warehouse, "--config", config),
            *(word for name in RESOURCES for word in ("--stream", name)),
        )
        assert audit.code == 0, audit.err
        assert "All agree." in audit.out
        rooftop = dealer.records("rooftops")[0]["rooftopId"]
        config = dealer.config("one", contract_overlay=str(overlay), rooftop_ids=[rooftop])
        one = run("tap-automate", "--config", config)
        assert one.code == 0, one.err
        for name in RESOURCES:
            there = [row for row in dealer.records(name) if row["rooftopId"] == rooftop]
            assert len(one.records(name)) == len(there)
