"""The tap with `batch_config`: its files load like its messages, and hold nothing else."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest
from support.compare import STREAMS, differences
from support.dealership import Dealership, pipe, run

if t.TYPE_CHECKING:
    from support.dealership import Run

PARQUET = {"format": "parquet"}
LINES_OF_GZIP = {"format": "jsonl", "compression": "gzip"}


def batch_config(folder: Path, encoding: dict[str, str], **more: t.Any) -> dict[str, t.Any]:  # noqa: ANN401 - settings
    return {"encoding": encoding, "storage": {"root": folder.as_uri(), "prefix": "dms-"}, **more}


def files_of(done: Run) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for message in done.messages("BATCH"):
        paths = [Path(urlsplit(url).path) for url in message["manifest"]]
        found.setdefault(message["stream"], []).extend(paths)
    return found


@pytest.mark.parametrize(
    "encoding", [PARQUET, LINES_OF_GZIP], ids=lambda encoding: encoding["format"]
)
def test_files_load_as_messages_do(
    dealer: Dealership, tmp_path: Path, encoding: dict[str, str]
) -> None:
    setting = batch_config(tmp_path / "files", encoding, batch_size=50)
    config, state = dealer.config("batches", batch_config=setting), tmp_path / "state.json"
    first = pipe(config, tmp_path / "w.duckdb", state)
    assert first.code == 0, first.err
    assert differences(dealer, tmp_path / "w.duckdb") == []
    assert files_of(first).keys() == {*STREAMS}
    assert len(files_of(first)["vehicles"]) > 1
    assert first.messages("RECORD") == []
    second = pipe(config, tmp_path / "w.duckdb", state)
    assert second.code == 0, second.err
    assert second.messages("BATCH") == []
    by_messages = pipe(dealer.config(), tmp_path / "messages.duckdb", tmp_path / "other.json")
    assert by_messages.code == 0, by_messages.err
    assert content(tmp_path / "w.duckdb") == content(tmp_path / "messages.duckdb")


SIGNED = {"photos", "downloadUrl", "urlExpiresAt"}
"""Columns of links that are signed anew in every answer."""


def content(warehouse: Path) -> dict[str, t.Any]:
    """Read the columns of every table, and the rows without signed links."""
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        tables = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE schema_name = 'main'"
        ).fetchall()
        found: dict[str, t.Any] = {}
        for (table,) in tables:
            columns = connection.execute(f'DESCRIBE "{table}"').fetchall()
            names = ", ".join(f'"{name}"' for name, *_ in columns if name not in SIGNED)
            rows = connection.execute(f'SELECT {names} FROM "{table}" ORDER BY ALL').fetchall()  # noqa: S608 - ours
            found[table] = columns, rows
        return found


@pytest.mark.parametrize(
    "encoding",
    [{**PARQUET, "compression": "none"}, {"format": "jsonl", "compression": "none"}],
    ids=lambda encoding: encoding["format"],
)
def test_what_is_deselected_mapped_away_or_dropped_is_in_no_file(
    dealer: Dealership, tmp_path: Path, encoding: dict[str, str]
) -> None:
    catalog = json.loads(run("tap-automate", "--discover").out)
    for entry in catalog["streams"]:
        for metadata in entry["metadata"]:
            crumb, values = metadata["breadcrumb"], metadata["metadata"]
            if not crumb:
                values["selected"] = entry["tap_stream_id"] in {"vehicles", "customers"}
            elif crumb in (["properties", "vin"], ["properties", "lot", "properties", "name"]):
                values["selected"] = False
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    config = dealer.config(
        "chosen",
        batch_config=batch_config(tmp_path / "files", encoding),
        stream_maps={"customers": {"lastName": "__NULL__", "first": "md5(firstName or '')"}},
        pii={"phones": "drop"},
    )
    done = run("tap-automate", "--config", config, "--catalog", tmp_path / "catalog.json")
    assert done.code == 0, done.err
    files = files_of(done)
    assert files.keys() == {"vehicles", "customers"}
    vehicles, customers = (
        b"".join(f.read_bytes() for f in files[name]) for name in ("vehicles", "customers")
    )
    stored, people = dealer.records("vehicles"), dealer.records("customers")
    assert all(
        vehicle["stockNumber"].encode() in vehicles
        for vehicle in stored
        if vehicle.get("stockNumber")
    )
    assert all(person["customerId"].encode() in customers for person in people)
    away = [vehicle["vin"] for vehicle in stored] + [
        vehicle["lot"]["name"] for vehicle in stored if vehicle.get("lot")
    ]
    assert [text for text in {*away, '"vin"'} if text and text.encode() in vehicles] == []
    phones = [phone["number"] for person in people for phone in person.get("phones") or ()]
    licences = [p["driversLicense"]["number"] for p in people if p.get("driversLicense")]
    assert phones
    assert licences
    gone = {*phones, *licences, "driversLicense", "lastName"}
    assert [text for text in gone if text.encode() in customers] == []
