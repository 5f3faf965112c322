"""The reference's page of exit codes: what each means, what to do, and which errors end with it."""

from __future__ import annotations

import inspect
import typing as t

from automate_api import errors
from automate_dms.reference_markdown import GENERATED, page, paragraph, table

if t.TYPE_CHECKING:
    from collections.abc import Iterator

ABOUT: t.Final = (
    "Every program of the project ends with one of these. Where one has several reasons to end, "
    "the first that it met counts. An orchestrator may start again by itself what is marked so; "
    "everything else needs a person first."
)


def exit_codes_page() -> str:
    """Write the page.

    Returns:
        Markdown.
    """
    codes = table(
        ("exit code", "meaning", "what to do", "start again by itself"),
        (
            (str(code), said.meaning, said.remedy, "yes" if said.again else "no")
            for code, said in errors.MEANINGS.items()
        ),
    )
    by_error = table(
        ("error", "exit code", "when"),
        ((f"`{error.__name__}`", str(error.exit_code), _summary(error)) for error in _errors()),
    )
    return page(
        "Exit codes",
        GENERATED,
        paragraph(ABOUT),
        codes,
        "## The errors behind them",
        paragraph(
            "In `automate_api.errors`, for those who call the packages from Python. `StoppedError` "
            "ends with 130 after Ctrl-C."
        ),
        by_error,
    )


def _summary(error: type[errors.AutomateError]) -> str:
    return (inspect.getdoc(error) or "").partition("\n\n")[0]


def _errors() -> Iterator[type[errors.AutomateError]]:
    """List the tree of errors in the order in which it is written."""
    for value in vars(errors).values():
        if inspect.isclass(value) and issubclass(value, errors.AutomateError):
            yield value
