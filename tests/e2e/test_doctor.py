"""doctor at a tenant that differs: it names every difference; its overlay makes the tap exact."""

from __future__ import annotations

import dataclasses
import importlib.resources
import json
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml
from support.canaries import DEBUG, PASSWORD, PERSON, PERSONAL, PLATFORM, SECRETS, TOTP
from support.compare import differences
from support.dealership import Dealership, Run, command, dealership, environment, pipe, run
from support.failures import shows_none_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator

WORLD: t.Final = ("--vehicles", "120", "--days", "20")
HOSTILE: t.Final[dict[str, t.Any]] = yaml.safe_load(
    (importlib.resources.files("automate_sandbox") / "tenants" / "hostile.yaml").read_text()
)
MOST_REQUESTS: t.Final = 150
FURTHER: t.Final = [
    f"{name}: {field}" for name, fields in HOSTILE["more_fields"].items() for field in fields
]


@dataclasses.dataclass(frozen=True)
class Examined:
    """A hostile tenant, and what doctor says of it.

    Attributes:
        dealer: The tenant.
        done: The run with `--json`.
        overlay: What it proposed.
        stats: The sandbox's counters after that one run.
    """

    dealer: Dealership
    done: Run
    overlay: Path
    stats: dict[str, t.Any]

    @property
    def report(self) -> dict[str, t.Any]:
        report: dict[str, t.Any] = json.loads(self.done.out)
        return report

    @property
    def proposed(self) -> dict[str, t.Any]:
        resources: dict[str, t.Any] = yaml.safe_load(self.overlay.read_text())["resources"]
        return resources

    def said(self, check: str, name: str = "") -> str:
        """What is said of a check, in one text."""
        found = [
            f"{finding['what']} {finding['set']}"
            for finding in self.report["findings"]
            if (finding["check"], finding["list"]) == (check, name)
        ]
        assert found, (check, name)
        return " ".join(found)


def doctor(config: Path, *arguments: str | Path, **options: t.Any) -> Run:  # noqa: ANN401
    return run("automate-dms", "doctor", "--config", config, *arguments, **options)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examined]:
    folder = tmp_path_factory.mktemp("hostile")
    with dealership(folder, *WORLD, "--tenant", "hostile") as dealer:
        overlay = folder / "proposed.yaml"
        done = doctor(dealer.config(), "--json", "--propose", overlay)
        yield Examined(dealer, done, overlay, dealer.stats())


def test_it_ends_with_1_and_says_nothing_beside_its_report(hostile: Examined) -> None:
    assert hostile.done.code == 1
    said = f"The proposal is in {hostile.overlay}: look at it, then set `contract_overlay`."
    assert hostile.done.err.splitlines() == [said]
    assert hostile.report["exit_code"] == 1
    assert hostile.report["proposal"]["resources"] == hostile.proposed


@pytest.mark.parametrize("name", HOSTILE["paths"])
def test_a_list_elsewhere_is_found(hostile: Examined, name: str) -> None:
    assert hostile.proposed[name]["path"] == HOSTILE["paths"][name]
    assert f"the list is at {HOSTILE['paths'][name]}" in hostile.said("path", name)


@pytest.mark.parametrize("name", HOSTILE["absent"])
def test_a_module_that_was_not_bought_is_named(hostile: Examined, name: str) -> None:
    assert hostile.proposed[name] == {"offered": False}
    assert "this tenant does not offer it" in hostile.said("path", name)
    assert f"\n# {name}: GET " in hostile.overlay.read_text()


@pytest.mark.parametrize("name", HOSTILE["parameters"])
def test_a_filter_of_another_name_is_found(hostile: Examined, name: str) -> None:
    assert hostile.proposed[name]["parameters"] == HOSTILE["parameters"][name]
    for theirs in HOSTILE["parameters"][name].values():
        assert theirs in hostile.said("change filter", name)


@pytest.mark.parametrize("name", HOSTILE["fields"])
def test_every_field_of_another_name_is_found_and_none_beside(hostile: Examined, name: str) -> None:
    assert hostile.proposed[name]["fields"] == HOSTILE["fields"][name]
    for mine, theirs in HOSTILE["fields"][name].items():
        assert f"`{mine}` never comes, and seems to be `{theirs}`" in hostile.said("fields", name)


@pytest.mark.parametrize("name", HOSTILE["more_fields"])
def test_fields_beyond_the_contract_are_named(hostile: Examined, name: str) -> None:
    assert hostile.proposed[name]["add"].keys() == HOSTILE["more_fields"][name].keys()
    for field in HOSTILE["more_fields"][name]:
        assert f"`{field}`" in hostile.said("fields", name)


@pytest.mark.parametrize("name", HOSTILE["more_words"])
def test_words_beyond_the_contract_are_named(hostile: Examined, name: str) -> None:
    words = {
        field: dict.fromkeys(further) for field, further in HOSTILE["more_words"][name].items()
    }
    assert hostile.proposed[name]["values"] == words
    for field, further in words.items():
        said = hostile.said("fields", name)
        assert all(f"`{word}`" in said and f"`{field}`" in said for word in further)


def test_nothing_is_proposed_of_what_is_as_the_contract_has_it(hostile: Examined) -> None:
    sections = ("paths", "parameters", "fields", "more_fields", "more_words")
    differing = {name for section in sections for name in HOSTILE[section]}
    assert hostile.proposed.keys() == differing | {*HOSTILE["absent"]}


def test_the_cap_of_pages_and_the_kind_of_bounds_are_named(hostile: Examined) -> None:
    assert "A page has 100 records at most" in hostile.said("page size")
    assert "are exclusive, in whole seconds" in hostile.said("bounds", "vehicles")


def test_it_asks_little_and_writes_nothing(hostile: Examined) -> None:
    sent = hostile.stats["requests"]
    assert hostile.report["requests"] == sum(sent.values()) < MOST_REQUESTS
    posted = {call for call in sent if call.split()[0] not in {"GET", "HEAD"}}
    assert posted == {"POST /sessions"}
    assert hostile.stats["logins"] == 1


def test_with_its_overlay_the_warehouse_equals_the_dms_also_while_it_changes(
    hostile: Examined, tmp_path: Path
) -> None:
    warehouse, state = tmp_path / "dms.duckdb", tmp_path / "state.json"
    changing = ("--tenant", "hostile", "--mfa-type", "none", "--live", "20")
    with dealership(tmp_path, *WORLD, *changing) as dealer:
        config = dealer.config("exact", contract_overlay=str(hostile.overlay))
        busy = pipe(config, warehouse, state)
        assert busy.code == 0, busy.err
        dealer.live(0)
        dealer.pass_time(10)  # beyond the cool-down
        quiet = pipe(config, warehouse, state)
        assert quiet.code == 0, quiet.err
        assert dealer.stats()["live"]["changed"] > 0
        assert differences(dealer, warehouse, without=HOSTILE["absent"]) == []
    for done in (busy, quiet):
        assert "does not know" not in done.err
        assert "closed lists do not have" not in done.err


def test_with_its_overlay_doctor_finds_all_well(hostile: Examined, tmp_path: Path) -> None:
    config = hostile.dealer.config("well", contract_overlay=str(hostile.overlay))
    proposed = tmp_path / "again.yaml"
    done = doctor(config, "--json", "--propose", proposed)
    said = f"There is nothing to propose; {proposed} is not written."
    assert (done.code, done.err.splitlines()) == (0, [said])
    report = json.loads(done.out)
    assert report["proposal"] is None
    assert not proposed.exists()
    assert {finding["status"] for finding in report["findings"]} == {"ok", "note", "skipped"}


def test_a_file_that_is_there_is_not_replaced(hostile: Examined) -> None:
    before = hostile.overlay.read_text()
    done = doctor(hostile.dealer.config(), "--propose", hostile.overlay)
    assert done.code == 2
    assert "is there already. Name another file by --propose." in done.err
    assert hostile.overlay.read_text() == before


def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(
    hostile: Examined, tmp_path: Path
) -> None:
    before = hostile.dealer.stats()["requests"]
    done = doctor(hostile.dealer.config(), "--propose", tmp_path / "none" / "tenant.yaml")
    assert (done.code, done.out) == (2, "")
    assert f"There is no folder {tmp_path / 'none'}." in done.err
    assert hostile.dealer.stats()["requests"] == before


@pytest.mark.parametrize("form", ["--all", "--json"])
def test_what_was_found_is_shown_when_the_proposal_cannot_be_written(
    hostile: Examined, form: str
) -> None:
    proposed = "/proc/tenant.yaml"
    done = doctor(hostile.dealer.config(), form, "--propose", proposed)
    assert done.code == 2
    assert "/inventory/vehicles" in done.out
    assert f"is in {proposed}" not in done.out
    assert done.err.startswith(f"The proposal cannot be written to {proposed} (")
    assert len(done.err.splitlines()) == 1


@pytest.mark.parametrize("form", ["--all", "--json"])
def test_a_full_disk_below_standard_output_is_one_line(quiet_dealer: Dealership, form: str) -> None:
    words = command("automate-dms", "doctor", "--config", quiet_dealer.config("full"), form)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(  # noqa: S603 - our own program
            words,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env=environment(None),
        )
    assert done.returncode == 1
    assert done.stderr.startswith("The messages cannot be written to standard output (No space")
    assert len(done.stderr.splitlines()) == 1


def test_at_a_tenant_that_keeps_the_contract_all_is_well(quiet_dealer: Dealership) -> None:
    done = doctor(quiet_dealer.config("well"), "--all")
    assert (done.code, done.err) == (0, "")
    assert " warn " not in done.out
    assert " fail " not in done.out
    assert "the overlay" not in done.out.lower()


def test_no_secret_and_nobodys_data_is_shown(tmp_path: Path) -> None:
    secrets = ("--password", PASSWORD, "--platform-token", PLATFORM, "--totp-secret", TOTP)
    folder = tmp_path / "planted"
    folder.mkdir()
    with dealership(folder, "--vehicles", "5", "--days", "2", *secrets) as dealer:
        assert run("automate-dms", "login", "--config", dealer.config()).code == 0
        customers = [{**customer, **PERSON} for customer in dealer.records("customers")]
        for number, customer in enumerate(customers):
            customer |= {"nickname": "Plantania", "externalId": f"p-{number}"}
            customer |= {"customerType": "Xanaduville", "plantania@mail.example.com": "D7654321Q"}
            customer |= {"preferredContact": 4711, "dateOfBirth": ["1961-02-03"]}
        dealer.control("import", {"stream": "customers", "records": customers})
        proposed = tmp_path / "proposed.yaml"
        for arguments in (("--all", "--propose", proposed), ("--json",)):
            done = doctor(dealer.config(), *arguments, env=DEBUG)
            assert done.code in {0, 1}, done.err
            assert "nickname" in done.out
            shows_none_of(done.out + done.err, (*SECRETS, *PERSONAL))
        shows_none_of(proposed.read_text(), (*SECRETS, *PERSONAL))


@pytest.mark.parametrize(
    ("option", "said"),
    [("honoured", "They are honoured"), ("ignored", "They are not honoured")],
)
def test_keys_are_tried_at_the_sandbox_when_asked_for_and_leave_one_customer(
    tmp_path: Path, option: str, said: str
) -> None:
    with dealership(
        tmp_path, "--vehicles", "5", "--days", "2", "--mfa-type", "none", "--idempotency", option
    ) as dealer:
        before = len(dealer.records("customers"))
        for _ in range(2):
            done = doctor(dealer.config(), "--json", "--write-tests")
            assert done.code == 0, done.err
            found = [f["what"] for f in json.loads(done.out)["findings"]]
            assert any(what.startswith(said) for what in found)
        assert len(dealer.records("customers")) == before + 1


OWN: t.Final[dict[str, t.Any]] = {
    "options": {"page-order": "unstable", "max-page-size": 40},
    "paths": {"vehicles": "/yard/metal", "deals": "/closed/business"},
    "parameters": {
        "customers": {"updatedFrom": "sinceWhen", "updatedTo": "untilWhen"},
        "repair_orders": {"status": "phase"},
        "users": {"updatedFrom": "modifiedFrom"},
        "gl_entries": {"accountingTo": "postedTo"},
    },
    "words": {
        "repair_orders": {"department": {"service": "Service"}, "status": {"closed": "CLOSED"}}
    },
    "fields": {"receipts": {"updatedAt": "lastModified"}},
}
"""A tenant of whose differences some cannot be guessed."""
OWN_WORDS: t.Final = {"department": {"Service": "service"}, "status": {"CLOSED": "closed"}}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Examined]:
    folder = tmp_path_factory.mktemp("own")
    tenant = folder / "tenant.yaml"
    tenant.write_text(yaml.safe_dump(OWN))
    options = (*WORLD, "--mfa-type", "none", "--tenant", str(tenant))
    with dealership(folder, *options) as dealer:
        overlay = folder / "proposed.yaml"
        done = doctor(dealer.config(), "--json", "--propose", overlay)
        yield Examined(dealer, done, overlay, dealer.stats())


def test_what_cannot_be_guessed_fails_with_what_to_ask_for(own: Examined) -> None:
    assert own.done.code == 1
    failures = {
        (finding["check"], finding["list"])
        for finding in own.report["findings"]
        if finding["status"] == "fail"
    }
    assert failures == {("path", "vehicles"), ("change filter", "customers")}
    assert "`resources.vehicles.path`" in own.said("path", "vehicles")
    assert "`resources.customers.parameters`" in own.said("change filter", "customers")
    assert "`resources.deals.path`" in own.said("path", "deals")
    assert "deals" not in own.proposed


def test_half_a_filter_a_filter_of_another_name_and_spelled_words_are_told(own: Examined) -> None:
    assert own.proposed["users"] == {"parameters": {"updatedFrom": "modifiedFrom"}}
    assert "It is not applied" in own.said("filter status", "repair_orders")
    assert "It is not applied" in own.said("filter accountingTo", "gl_entries")
    assert "It is applied" in own.said("filter accountingFrom", "gl_entries")
    assert own.proposed["repair_orders"]["values"] == OWN_WORDS
    assert own.proposed["receipts"]["fields"] == {"updatedAt": "lastModified"}


def test_pages_in_no_order_are_told(own: Examined) -> None:
    assert "in another order, the second time" in own.said("page order", "gl_entries")
    assert own.report["requests"] < MOST_REQUESTS


OTHER: t.Final[dict[str, t.Any]] = {
    "options": {"max-page-size": 37, "page-order": "by_id", "fractional-seconds": True},
    "absent": ["op_codes"],
    "paths": {"customers": "/crm/customers", "gl_accounts": "/accounting/accounts"},
    "parameters": {
        "deals": {"updatedFrom": "modifiedAfter", "updatedTo": "modifiedBefore"},
        "vehicles": {"updatedFrom": "modifiedSince", "updatedTo": "modifiedUntil"},
        "gl_entries": {"updatedFrom": "modifiedSince", "updatedTo": "modifiedUntil"},
    },
    "fields": {
        "vehicles": {
            "vehicleId": "unitId",
            "updatedAt": "lastModified",
            "lot.name": "lotName",
            "listPrice": "prices.list",
            "salePrice": "prices.sale",
            "msrp": "prices.sticker",
            "cost": "prices.cost",
        },
        "customers": {"address": "mailingAddress", "lastName": "familyName"},
        "deals": {"dealId": "id", "customerId": "buyerId", "tradeIns": "trades"},
        "repair_orders": {"lines": "jobs", "totals.labor": "laborTotal"},
        "gl_entries": {"lines[].debit": "debitAmount", "lines[].credit": "creditAmount"},
        "rooftops": {"rooftopId": "storeId"},
    },
    "more_fields": {"vehicles": {"gps": [{"lat": 1.5}, None]}},
}
"""A tenant of which all can be guessed: keys, objects, filters, lists of few records."""


def test_with_the_overlay_of_another_tenant_the_warehouse_equals_its_dms(tmp_path: Path) -> None:
    tenant, overlay = tmp_path / "tenant.yaml", tmp_path / "proposed.yaml"
    tenant.write_text(yaml.safe_dump(OTHER))
    options = (*WORLD, "--mfa-type", "none", "--tenant", str(tenant))
    with dealership(tmp_path, *options) as dealer:
        done = doctor(dealer.config(), "--json", "--propose", overlay)
        assert done.code == 1, done.err
        assert json.loads(done.out)["requests"] < MOST_REQUESTS
        proposed = yaml.safe_load(overlay.read_text())["resources"]
        for section in ("fields", "parameters"):
            told = {name: part[section] for name, part in proposed.items() if section in part}
            assert told == OTHER[section]
        config = dealer.config("exact", contract_overlay=str(overlay))
        warehouse = tmp_path / "dms.duckdb"
        loaded = pipe(config, warehouse, tmp_path / "state.json")
        assert loaded.code == 0, loaded.err
        assert differences(dealer, warehouse, without=OTHER["absent"]) == []
        assert doctor(config).code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "are inclusive, in fractions of seconds."),
        (("--exclusive-bounds",), "are exclusive, in fractions of seconds."),
        (("--whole-second-bounds",), "are inclusive, in whole seconds."),
        (("--exclusive-bounds", "--whole-second-bounds"), "are exclusive, in whole seconds."),
    ],
)
def test_bounds_are_told_by_records_with_and_without_a_fraction(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    small = ("--vehicles", "5", "--days", "2", "--mfa-type", "none")
    with dealership(tmp_path, *small, *options) as dealer:
        for name, fraction in (("vehicles", ""), ("lots", ".250")):
            records = dealer.records(name)
            for number, record in enumerate(records, 10):
                record["updatedAt"] = f"2026-01-{number}T10:00:00{fraction}Z"
            dealer.control("import", {"stream": name, "records": records})
        done = doctor(dealer.config(), "--json")
    found = {
        finding["list"]: finding["what"]
        for finding in json.loads(done.out)["findings"]
        if finding["check"] == "bounds"
    }
    assert found == dict.fromkeys(("vehicles", "lots"), f"`updatedFrom` and `updatedTo` {said}")
