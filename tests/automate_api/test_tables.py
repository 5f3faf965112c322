"""Where tables are printed, and how wide."""

from __future__ import annotations

import pytest

from automate_api.tables import PLAIN_WIDTH, console


@pytest.mark.parametrize("forced", [False, True])
@pytest.mark.parametrize("stderr", [False, True])
def test_a_pipe_has_a_width_of_its_own_with_colours_forced_too(
    monkeypatch: pytest.MonkeyPatch, *, forced: bool, stderr: bool
) -> None:
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    if forced:
        monkeypatch.setenv("FORCE_COLOR", "1")
    assert console(stderr=stderr).width == PLAIN_WIDTH
    assert console(stderr=stderr, width=60).width == 60


def test_standard_error_is_written_to_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    console(stderr=True).print("aside")
    console().print("result")
    captured = capsys.readouterr()
    assert (captured.err, captured.out) == ("aside\n", "result\n")
