"""The sandbox shares nothing with the client but the contract file."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import automate_sandbox

ROOT = Path(automate_sandbox.__file__).parent
FORBIDDEN = {
    "automate_api",
    "automate_dms",
    "tap_automate",
    "target_automate",
    "target_warehouse",
    "singer_sdk",
    "requests",
}


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_no_module_imports_our_client_or_the_sdk() -> None:
    modules = sorted(ROOT.rglob("*.py"))
    assert len(modules) > 20
    for module in modules:
        assert not imports_of(module) & FORBIDDEN, module


def test_a_process_that_has_loaded_and_made_a_world_has_loaded_none_of_them() -> None:
    program = """
import sys
from automate_sandbox import cli
from automate_sandbox.credentials import random_login
from automate_sandbox.instants import Clock
from automate_sandbox.sandbox import Rules, Sandbox, World
from automate_sandbox.api import Api
Api(Sandbox(World(1, 1, 5, 5), Rules("x"), random_login(), Clock()))
print(*sorted({name.partition(".")[0] for name, module in sys.modules.items()
               if getattr(module, "__file__", None)}))
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    # `automate_api` may be there as the folder of the contract file; none of its modules may.
    assert not set(done.stdout.split()) & (FORBIDDEN - {"automate_api"})


def test_none_of_the_clients_modules_is_loaded_with_the_contract_file() -> None:
    program = """
import sys
from automate_sandbox import contract_file
contract_file.operations()
print(*[name for name in sys.modules if name.startswith("automate_api.")])
"""
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == []
