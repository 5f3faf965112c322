from __future__ import annotations

import gc

from automate_singer.garbage import THRESHOLD, search_seldom


def test_garbage_is_searched_for_seldom_and_not_in_what_was_imported() -> None:
    before = gc.get_threshold()
    try:
        search_seldom()
        assert gc.get_threshold() == (THRESHOLD, *before[1:])
        assert gc.get_freeze_count() > 0
        assert gc.isenabled()
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
