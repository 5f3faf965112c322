from __future__ import annotations

import gc

import pytest

from automate_singer.garbage import THRESHOLD, search_seldom


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
