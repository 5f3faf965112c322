"""The SDK's own tests for targets, every stream of them mapped onto customers of a real sandbox."""

from __future__ import annotations

import io
import json
import typing as t

import pytest
from singer_sdk.testing import get_target_test_class
from support.dealership import Dealership, dealership
from support.singer import lines_of, schema

from target_automate.journal.file import read_journal
from target_automate.journal.intents import State
from target_automate.target import TargetAutomate

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ID: t.Final = "str(_.get('id') or _.get('Id') or _.get('_id') or md5(str(_)))"
MAPS: t.Final = {"*": {"externalId": ID, "lastName": "'Example'", "__alias__": "customers"}}
"""A record keeps its own fields beside these; the API takes none of them."""

SETTINGS: t.Final[dict[str, t.Any]] = {
    "api_url": "http://127.0.0.1:1",
    "integration_id": "replaced",
    "platform_token": "replaced",
    "username": "replaced",
    "password": "replaced",
}

Standard: t.Any = get_target_test_class(TargetAutomate, config=SETTINGS)

NOTHING_ARRIVES: t.Final = frozenset(
    {
        "test_target_cli_prints",
        "test_target_invalid_schema",
        "test_target_record_before_schema",
        "test_target_record_missing_key_property",
    }
)
"""Tests that bring no record, or none which could arrive."""


@pytest.fixture(scope="module")
def dealer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dealership]:
    folder = tmp_path_factory.mktemp("standard")
    with dealership(folder, "--vehicles", "2", "--days", "1", "--mfa-type", "none") as running:
        yield running


class TestStandard(Standard):  # type: ignore[misc]
    """Every test of the SDK, on a journal of its own; its records are then to be in the DMS."""

    @pytest.fixture(autouse=True)
    def _delivers(
        self,
        dealer: Dealership,
        tmp_path: Path,
        runner: t.Any,  # noqa: ANN401 - the SDK's runner
        request: pytest.FixtureRequest,
    ) -> Iterator[None]:
        journal_path = tmp_path / "journal.db"
        settings = dealer.settings(overlap_seconds=None, cooldown_seconds=0)
        runner.config.update(settings, journal_path=str(journal_path), stream_maps=MAPS)
        runner.config.update(max_reject_percent=100)
        yield
        if request.node.name in NOTHING_ARRIVES:
            return
        with read_journal(journal_path) as journal:
            arrived = {kept.business_key for kept in journal.having({State.ACKED})}
            open_or_refused = [*journal.having({*State} - {State.ACKED})]
        assert open_or_refused == []
        assert arrived >= ids_in(runner.input_filepath)
        assert arrived <= {customer["externalId"] for customer in dealer.records("customers")}

    def test_target_record_missing_key_property(self, dealer: Dealership, tmp_path: Path) -> None:
        """Hold another promise: the SDK's target ends there, ours rejects the one record."""
        settings = dealer.settings(overlap_seconds=None, journal_path=str(tmp_path / "journal.db"))
        target = TargetAutomate(config=settings)
        record = {"type": "RECORD", "stream": "customers", "record": {"lastName": "Example"}}
        keyed = {**record, "record": {"externalId": "sdk-with-key", "lastName": "Example"}}
        target.listen(io.StringIO(lines_of([schema("customers", ["externalId"]), record, keyed])))
        target.close()
        with read_journal(tmp_path / "journal.db") as journal:
            (rejected,) = journal.having({State.REJECTED})
            (arrived,) = journal.having({State.ACKED})
            assert (rejected.reason or "").startswith("externalId: required")
            assert arrived.business_key == "sdk-with-key"


def ids_in(path: Path) -> set[str]:
    """List the ids of the records in one of the SDK's files."""
    messages = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
    records = [message["record"] for message in messages if message["type"] == "RECORD"]
    known = (record.get("id") or record.get("Id") or record.get("_id") for record in records)
    return {str(value) for value in known if value}
