"""What is said about settings, in five places, is what `--about` says."""

from __future__ import annotations

import json
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from support.papers import ROOT, code, readme_section, table

from automate_api.settings import problems

PROGRAMS = (
    "tap-automate",
    "tap-automate-results",
    "tap-outbox",
    "target-automate",
    "target-warehouse",
)
SHARING = ("tap-automate", "target-automate")
"""They have one session."""
KINDS = {
    "string": "string",
    "integer": "integer",
    "number": "string",
    "boolean": "boolean",
    "object": "object",
    "array": "array",
}
"""Type in JSON Schema to kind in Meltano, which cannot hand on a `decimal` of the environment."""

About = dict[str, t.Any]


@pytest.fixture(scope="module")
def abouts() -> dict[str, About]:
    return {program: about(program) for program in PROGRAMS}


def about(program: str) -> About:
    done = subprocess.run(  # noqa: S603 - our own program
        [str(Path(sys.executable).parent / program), "--about", "--format=json"],
        capture_output=True,
        text=True,
        check=True,
    )
    found: About = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def meltano() -> dict[str, t.Any]:
    project: dict[str, t.Any] = yaml.safe_load((ROOT / "meltano.yml").read_text("utf-8"))
    return project


@pytest.fixture(scope="module")
def plugins(meltano: dict[str, t.Any]) -> dict[str, dict[str, t.Any]]:
    return {plugin["name"]: plugin for group in meltano["plugins"].values() for plugin in group}


def expected_setting(name: str, rule: dict[str, t.Any]) -> dict[str, t.Any]:
    """Give the definition that Meltano should have of a setting; options without their labels."""
    if rule.get("secret"):
        return {"name": name, "sensitive": True}
    if "enum" in rule:
        return {"name": name, "kind": "options", "options": rule["enum"]}
    if rule.get("format") == "date-time":
        return {"name": name, "kind": "date_iso8601"}
    kinds = [rule["type"]] if isinstance(rule["type"], str) else rule["type"]
    [kind] = [kind for kind in kinds if kind != "null"]
    return {"name": name, "kind": KINDS[kind]}


@pytest.mark.parametrize("program", PROGRAMS)
class TestMeltano:
    def test_has_every_setting_with_its_kind_and_marks_exactly_the_secrets(
        self, program: str, abouts: dict[str, About], plugins: dict[str, dict[str, t.Any]]
    ) -> None:
        rules = abouts[program]["settings"]["properties"]
        found = [
            {**setting, "options": [option["value"] for option in setting["options"]]}
            if "options" in setting
            else setting
            for setting in plugins[program]["settings"]
        ]
        assert found == [expected_setting(name, rule) for name, rule in rules.items()]

    def test_claims_the_capabilities_that_the_program_has(
        self, program: str, abouts: dict[str, About], plugins: dict[str, dict[str, t.Any]]
    ) -> None:
        claimed = plugins[program]["capabilities"]
        assert sorted(claimed) == sorted(abouts[program]["capabilities"])

    def test_environments_configure_only_settings_that_there_are(
        self, program: str, abouts: dict[str, About], meltano: dict[str, t.Any]
    ) -> None:
        configured = {
            name
            for environment in meltano["environments"]
            for group in environment["config"]["plugins"].values()
            for plugin in group
            if plugin["name"] == program
            for name in plugin["config"]
        }
        assert configured
        assert configured <= abouts[program]["settings"]["properties"].keys()


@pytest.mark.parametrize("program", [*SHARING, "tap-outbox"])
def test_meltano_asks_for_the_settings_that_a_program_requires(
    program: str, abouts: dict[str, About], plugins: dict[str, dict[str, t.Any]]
) -> None:
    required = abouts[program]["settings"]["required"]
    assert plugins[program]["settings_group_validation"] == [required]


def test_the_sandbox_environment_logs_in_as_the_sandbox_publishes(
    meltano: dict[str, t.Any],
) -> None:
    from automate_sandbox import credentials, daemon  # noqa: PLC0415 - for this test alone

    [sandbox] = [e for e in meltano["environments"] if e["name"] == "sandbox"]
    configured = [
        plugin["config"]
        for group in sandbox["config"]["plugins"].values()
        for plugin in group
        if plugin["name"] in SHARING
    ]
    said = credentials.announcement(
        credentials.DEMO_LOGIN, credentials.DEMO_INTEGRATION, daemon.DEFAULT_PORT
    )
    del said["control_url"]
    assert len(configured) == len(SHARING)
    for config in configured:
        assert said.items() <= config.items()


def test_the_sample_configuration_is_one_that_the_tap_takes(abouts: dict[str, About]) -> None:
    schema = abouts["tap-automate"]["settings"]
    sample = json.loads((ROOT / "sample_config.json").read_text("utf-8"))
    assert problems(schema, sample) == []
    assert sample.keys() <= schema["properties"].keys()


def test_the_example_of_the_environment_names_settings_and_all_that_are_required(
    abouts: dict[str, About],
) -> None:
    known = {
        f"{program.upper().replace('-', '_')}_{name.upper()}"
        for program in PROGRAMS
        for name in abouts[program]["settings"]["properties"]
    }
    lines = (ROOT / ".env.example").read_text("utf-8").splitlines()
    named = [line.removeprefix("# ").partition("=")[0] for line in lines if "=" in line]
    ours = {name for name in named if not name.startswith("MELTANO_")}
    assert ours <= known
    required = abouts["tap-automate"]["settings"]["required"]
    for prefix in ("TAP_AUTOMATE", "TARGET_AUTOMATE"):
        assert {f"{prefix}_{name.upper()}" for name in required} <= ours


def test_readme_names_settings_that_there_are_with_their_defaults(
    abouts: dict[str, About],
) -> None:
    for names, programs, cell, _ in table(readme_section("Settings"), "setting"):
        for program in programs.split(", "):
            settings = abouts[program]["settings"]
            for name in code(names):
                rule = settings["properties"][name]
                default = rule.get("default")
                text = default if isinstance(default, str) else json.dumps(default)
                assert code(cell) == ([] if default is None else [text]), name
                assert ("required" in cell) == (name in settings.get("required", ())), name


def test_readme_names_every_setting_that_a_program_requires(abouts: dict[str, About]) -> None:
    named = {
        (program, name)
        for names, programs, *_ in table(readme_section("Settings"), "setting")
        for program in programs.split(", ")
        for name in code(names)
    }
    for program in PROGRAMS:
        assert {
            (program, name) for name in abouts[program]["settings"].get("required", ())
        } <= named
