from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from automate_singer.garbage import THRESHOLD, frozen, search_seldom


@pytest.mark.parametrize("freeze", [True, False])
def test_garbage_is_searched_for_seldom_and_if_asked_not_in_what_was_imported(
    *, freeze: bool
) -> None:
    before = gc.get_threshold()
    frozen = gc.get_freeze_count()
    try:
        search_seldom(freeze=freeze)
        assert gc.get_threshold() == (THRESHOLD, *before[1:])
        assert (gc.get_freeze_count() > frozen) is freeze
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_in_a_block_and_what_it_leaves_nothing_is_searched_for() -> None:
    count = gc.get_freeze_count()
    left: list[object] = []
    try:
        with frozen():
            assert not gc.isenabled()
            left.extend([] for _ in range(1_000))
        assert gc.isenabled()
        assert gc.get_freeze_count() >= count + 1_000
        with pytest.raises(ZeroDivisionError), frozen():
            left.append(1 // 0)
        assert gc.isenabled()
    finally:
        gc.unfreeze()


def test_the_tap_is_imported_without_a_search() -> None:
    program = """
import gc, sys
from tap_automate.__main__ import main
from automate_api import program

def run(*_, **__):
    print(len(searches), "singer_sdk" in sys.modules)

searches = []
program.run = run
gc.callbacks.append(lambda phase, _: searches.append(phase))
main()
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)  # noqa: S603 - ours
    assert done.stdout == "0 True\n"
