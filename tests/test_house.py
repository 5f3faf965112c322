"""Who imports whom, where private names of the SDK are, and what tracked files may not hold."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import textwrap
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    "automate_api",
    "automate_dms",
    "automate_sandbox",
    "automate_singer",
    "tap_automate",
    "tap_outbox",
    "target_automate",
    "target_warehouse",
)
SINGER_PACKAGES = (
    "automate_singer",
    "tap_automate",
    "tap_outbox",
    "target_automate",
    "target_warehouse",
)
SEAMS = "sdk_seams"

MAY_IMPORT: dict[str, set[str]] = {
    "automate_api": set(),
    "automate_sandbox": set(),
    "automate_singer": {
        "automate_api.errors",
        "automate_api.exact_json",
        "automate_api.log_fields",
        "automate_api.program",
        "automate_api.redaction",
        "automate_api.settings",
        "automate_api.whole_files",
    },
    "tap_automate": {"automate_api", "automate_singer"},
    "tap_outbox": {
        "automate_api.errors",
        "automate_api.exact_json",
        "automate_api.program",
        "automate_api.settings",
        "automate_singer",
    },
    "target_automate": {"automate_api", "automate_singer"},
    "target_warehouse": {
        "automate_api.errors",
        "automate_api.exact_json",
        "automate_api.program",
        "automate_api.settings",
        "automate_api.tables",
        "automate_singer",
    },
    # The reference lists streams, sinks, and the settings of every program.
    "automate_dms": {
        "automate_api",
        "automate_singer",
        "tap_automate",
        "tap_outbox.tap",
        "target_automate",
        "target_warehouse",
    },
}
"""Package to what it may import of the others: packages or modules."""

ABSENT = {
    "a folder of one machine": r"(?<![\w.])/(?:[r]oot|[w]ork|home/\w+|Users/\w+)/",
    "a registry's host": r"[p]ypi\.(?:org|python\.org)|[p]ythonhosted\.org|[e]xtra-index-url",
}


def modules(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, allowed: set[str]) -> bool:
    return any(name == base or name.startswith(f"{base}.") for base in allowed)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_imports_only_what_the_house_allows(package: str) -> None:
    files = modules(package)
    assert files
    allowed = MAY_IMPORT[package] | {package}
    wrong = {
        (str(file.relative_to(ROOT)), name)
        for file in files
        for name in imported(file)
        if name.partition(".")[0] in PACKAGES and not within(name, allowed)
    }
    assert wrong == set()


def test_the_client_and_the_command_do_without_the_singer_sdk() -> None:
    files = [*modules("automate_api"), *modules("automate_dms")]
    assert not [file for file in files if any(within(n, {"singer_sdk"}) for n in imported(file))]


def test_private_modules_and_names_of_the_sdk_are_imported_in_the_seams_alone() -> None:
    private = {
        (file.stem, name)
        for package in SINGER_PACKAGES
        for file in modules(package)
        for name in imported(file)
        if within(name, {"singer_sdk"}) and "._" in name
    }
    assert private, "the seams import some; has this test lost sight of them?"
    assert {stem for stem, _ in private} == {SEAMS}


def test_private_members_of_the_sdks_classes_are_used_in_the_seams_alone() -> None:
    used = {
        (cls.__module__, cls.__name__, name)
        for cls in subclasses_of_the_sdk()
        for name in members(cls) & set[str]().union(*map(members, sdk_bases(cls)))
    }
    assert used, "the seams override some; has this test lost sight of them?"
    assert {name for name in used if not name[0].endswith(f".{SEAMS}")} == set()


def subclasses_of_the_sdk() -> Iterator[type]:
    for package in SINGER_PACKAGES:
        for file in modules(package):
            parts = file.relative_to(ROOT).with_suffix("").parts
            module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
            for cls in vars(module).values():
                if (
                    inspect.isclass(cls)
                    and cls.__module__ == module.__name__
                    and any(sdk_bases(cls))
                ):
                    yield cls


def sdk_bases(cls: type) -> Iterator[type]:
    return (base for base in cls.__mro__ if base.__module__.startswith("singer_sdk."))


def members(cls: type) -> set[str]:
    """Private members that a class defines, or uses on itself or its base."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(cls)))):
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"self", "super()"}:
            found.add(node.attr)
    return {name for name in found if name.startswith("_") and not name.startswith("__")}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git is where the system has it
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name]
    assert len(files) > 50
    return [file for file in files if file.is_file()]


@pytest.mark.parametrize("what", ABSENT)
def test_no_tracked_file_names(tracked: list[Path], what: str) -> None:
    pattern = re.compile(ABSENT[what])
    found = [file for file in tracked if pattern.search(file.read_text("utf-8", errors="ignore"))]
    assert found == []


def test_no_lock_file_environment_or_output_is_tracked(tracked: list[Path]) -> None:
    names = {part for file in tracked for part in file.relative_to(ROOT).parts}
    assert not names & {"uv.lock", ".venv", ".env", ".bootstrap", ".meltano", "output", "data.db"}
