"""`automate-dms reference`: its pages hold what tap, programs and errors have, and are current."""

from __future__ import annotations

import copy
import json
import re
import typing as t

import pytest
from click.testing import CliRunner
from support.dealership import run
from support.papers import ROOT, code, readme_section, table

from automate_api import contract, errors
from automate_api.contract import Contract
from automate_dms.reference import PLUGINS, pages, reference

if t.TYPE_CHECKING:
    from pathlib import Path

    from automate_singer.configured import Configured

FOLDER = "docs/reference"
NAMES = ("streams.md", "sinks.md", "settings.md", "exit-codes.md")


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return pages(contract.load())


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_pages_are_up_to_date(written: dict[str, str], name: str) -> None:
    committed = (ROOT / FOLDER / name).read_text("utf-8")
    assert committed == written[name], "run `automate-dms reference`"


def test_every_page_is_checked(written: dict[str, str]) -> None:
    assert set(written) == set(NAMES)


def test_the_command_writes_the_pages_into_a_folder(
    written: dict[str, str], tmp_path: Path
) -> None:
    done = run("automate-dms", "reference", "--to", tmp_path / "new" / "folder")
    assert done.code == 0, done.err
    found = {file.name: file.read_text("utf-8") for file in (tmp_path / "new/folder").iterdir()}
    assert found == written


def test_the_pages_of_a_tenant_have_what_its_overlay_adds(
    written: dict[str, str], tmp_path: Path
) -> None:
    overlay = tmp_path / "tenant.yaml"
    overlay.write_text(
        "resources: {vehicles: {add: {tenantTag: {type: string, pii: true}}, pii: [comments]}}\n"
        "calls: {createDeal: {add: {channel: {type: string}}}}\n"
    )
    words = ["--overlay", str(overlay), "--to", str(tmp_path / "pages")]
    assert CliRunner().invoke(reference, words, catch_exceptions=False).exit_code == 0
    found = {file.name: file.read_text("utf-8") for file in (tmp_path / "pages").iterdir()}
    assert found["settings.md"] == written["settings.md"]
    for name, field in (("streams.md", "tenantTag"), ("sinks.md", "channel")):
        assert field not in written[name]
        (row,) = [line for line in found[name].splitlines() if f"`{field}`" in line]
        assert "inferred" in row
    (row,) = [line for line in found["streams.md"].splitlines() if "`tenantTag`" in line]
    assert "ersonal" in row


def test_nothing_is_made_where_no_folder_is_named_and_none_is_there(
    written: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.ConfigError, match="--to"):
        CliRunner().invoke(reference, [], catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    assert CliRunner().invoke(reference, [], catch_exceptions=False).exit_code == 0
    assert {file.name for file in folder.iterdir()} == written.keys()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = run("automate-dms", "reference", "--to", tmp_path / "taken" / "folder")
    assert done.code == 2
    assert str(tmp_path / "taken") in done.err
    assert "--to" in done.err
    assert "Traceback" not in done.err


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, t.Any]]:
    """What the tap discovers when it drops no personal field."""
    config = tmp_path_factory.mktemp("discovery") / "config.json"
    config.write_text(json.dumps({"pii": {"driversLicense": "keep", "dateOfBirth": "keep"}}))
    found = run("tap-automate", "--config", config, "--discover")
    assert found.code == 0, found.err
    return {each["tap_stream_id"]: each for each in json.loads(found.out)["streams"]}


def test_the_page_of_streams_lists_what_the_tap_discovers(
    catalog: dict[str, dict[str, t.Any]],
) -> None:
    page = (ROOT / FOLDER / "streams.md").read_text("utf-8")
    sections = re.findall(r"^## (\w+)$", page, re.MULTILINE)
    assert sorted(sections) == sorted(catalog)
    rows = table(page.partition("## ")[0], "stream")
    assert [code(row[0])[0] for row in rows] == sections


def test_each_stream_has_its_key_and_every_field_of_its_rows(
    catalog: dict[str, dict[str, t.Any]],
) -> None:
    for name, entry in catalog.items():
        section = readme_section(name, f"{FOLDER}/streams.md")
        [key] = re.findall(r"^- key: (.*)$", section, re.MULTILINE)
        assert code(key) == entry["key_properties"], name
        listed = [code(row[0])[0] for row in table(section, "field")]
        columns = [field for field in listed if "." not in field and "[" not in field]
        assert sorted(columns) == sorted(entry["schema"]["properties"]), name
        in_key = [code(row[0])[0] for row in table(section, "field") if "key" in row[1].split(", ")]
        assert sorted(in_key) == sorted(entry["key_properties"]), name


def test_types_are_those_of_the_catalog(catalog: dict[str, dict[str, t.Any]]) -> None:
    words = {"text": "string", "integer": "integer", "boolean": "boolean", "object": "object"}
    for name, entry in catalog.items():
        for field, kind, *_ in table(readme_section(name, f"{FOLDER}/streams.md"), "field"):
            column = entry["schema"]["properties"].get(code(field)[0])
            if column is None:
                continue
            said = kind.removesuffix(", key")
            declared = set(column["type"]) - {"null"}
            if said.startswith("list of "):
                assert declared == {"array"}, field
            elif said.startswith("decimal("):
                assert declared == {"number"}, field
                digits = column["x-sql-datatype-properties"]
                assert said == f"decimal({digits['precision']}, {digits['scale']})", field
            elif said in {"instant", "date"}:
                assert column["format"] == {"instant": "date-time", "date": "date"}[said], field
            else:
                assert declared == {words[said]}, field
                assert "format" not in column, field


def test_every_field_says_where_it_comes_from_and_personal_ones_say_that() -> None:
    text = readme_section("customers", f"{FOLDER}/streams.md")
    rows = {code(row[0])[0]: row for row in table(text, "field")}
    assert {row[2] for row in rows.values()} <= {"documented", "inferred"}
    personal = {name for name, row in rows.items() if "Personal data" in row[3]}
    assert personal >= {"emails", "address", "address.postalCode", "phones[].number", "lastName"}
    assert "dropped" in rows["dateOfBirth"][3]
    assert not personal & {"customerId", "customerType", "marketingOptIn.email"}


def test_another_contract_gives_another_page() -> None:
    document = copy.deepcopy(contract.load().document)
    lot = document["components"]["schemas"]["Lot"]
    lot["properties"]["heatedFloor"] = {
        "type": ["boolean", "null"],
        "description": "Of one tenant | alone.",
    }
    page = pages(Contract(document))["streams.md"]
    assert "| `heatedFloor` | boolean | inferred | Of one tenant \\| alone. |" in page


@pytest.mark.parametrize("plugin", PLUGINS, ids=lambda plugin: plugin.name)
def test_the_page_of_settings_has_every_setting_of_every_program(
    plugin: type[Configured],
) -> None:
    about = run(plugin.name, "--about", "--format=json")
    settings = json.loads(about.out)["settings"]
    rows = table(readme_section(plugin.name, f"{FOLDER}/settings.md"), "setting")
    listed = {code(row[0])[0]: row for row in rows}
    assert [name for name in listed if "." not in name] == list(settings["properties"])
    for name, rule in settings["properties"].items():
        _, kind, default, meaning = listed[name]
        assert kind
        assert ("required" in default) == (name in settings.get("required", ()))
        assert ("secret" in default) == bool(rule.get("secret"))
        assert meaning
        if "default" in rule:
            value = rule["default"]
            assert (value if isinstance(value, str) else json.dumps(value)) in code(default)


def test_the_page_of_exit_codes_has_every_code_and_every_error() -> None:
    known = {value for name, value in vars(errors).items() if name.startswith("EXIT_")}
    page = (ROOT / FOLDER / "exit-codes.md").read_text("utf-8")
    assert {int(row[0]) for row in table(page, "exit code")} == known
    listed = {code(row[0])[0]: int(row[1]) for row in table(page, "error")}
    tree = [errors.AutomateError]
    for error in tree:
        tree += error.__subclasses__()
    ours = {error for error in tree if error.__module__ == errors.__name__}
    assert listed == {error.__name__: error.exit_code for error in ours}
