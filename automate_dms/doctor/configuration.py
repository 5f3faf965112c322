"""The settings: whether they fit, and whether any is mistyped."""

from __future__ import annotations

import typing as t

from automate_api import settings
from automate_api.config import ApiConfig
from automate_api.errors import EXIT_USAGE, ConfigError
from automate_dms import tap_settings
from automate_dms.doctor.findings import Finding, Status, counted, told
from tap_automate.tap import TapAutomate
from target_automate.target import TargetAutomate

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automate_dms.doctor.findings import Report

CHECK: t.Final = "configuration"
_ITEM: t.Final = "\n  - "


class Read(t.NamedTuple):
    """Settings that fit.

    Attributes:
        api: Those about the API.
        values: All that were given, brought to their types.
    """

    api: ApiConfig
    values: Mapping[str, t.Any]


def read(report: Report, sources: Sequence[str]) -> Read | None:
    """Read the tap's settings.

    Args:
        report: Is told what is wrong with them.
        sources: JSON files, or `ENV`.

    Returns:
        They; None where they cannot be used.
    """
    schema = tap_settings.schema()
    try:
        values = tap_settings.given(sources)
    except ConfigError as error:
        what, advice = told(error, "Correct it, or name another file by `--config`.")
        report.add(_fail(what, advice), code=EXIT_USAGE)
        return None
    api, problems = None, list(_problems(schema, values))
    try:
        api = ApiConfig.from_settings(values, program=TapAutomate.name)
    except ConfigError as error:
        head, *rest = str(error).split(_ITEM)
        lines = [line.partition("\nAll settings:")[0] for line in rest] or [head]
        problems = [*lines, *(each for each in problems if each not in lines)]
    names = ", ".join(
        "the environment" if each == settings.ENVIRONMENT else each for each in sources
    )
    for problem in problems:
        report.add(_fail(problem, _correction(problem, names)), code=EXIT_USAGE)
    both = {
        "properties": {**TargetAutomate.config_jsonschema["properties"], **schema["properties"]}
    }
    for sentence in settings.unknown(both, values):
        what, _, meant = sentence.partition(" Is ")
        name = what.split("`")[1]
        advice = f"Call it {meant.removesuffix(' meant?')}." if meant else f"Remove `{name}`."
        report.add(Finding(CHECK, Status.WARN, what, advice))
    if api is None or problems:
        return None
    said = counted(len(values), "setting")
    if api.overlay:
        said += f", and {api.overlay.source.name} about " + counted(
            len(api.overlay.resources) + len(api.overlay.calls), "list or call", "lists and calls"
        )
    report.add(Finding(CHECK, Status.OK, f"{said}: they fit."))
    return Read(api, settings.coerce(schema, values))


def _problems(schema: Mapping[str, t.Any], values: Mapping[str, t.Any]) -> Iterator[str]:
    resolved = settings.resolve(schema, values)
    yield from settings.problems(schema, resolved)
    fitting = settings.fitting(schema, resolved)
    yield from TapAutomate.check_settings(fitting)
    metrics = fitting.get("metrics_file")
    if metrics and not settings.path("metrics_file", metrics).parent.is_dir():
        yield "`metrics_file` must be a file in a folder that is there"


def _fail(what: str, advice: str) -> Finding:
    return Finding(CHECK, Status.FAIL, what, advice)


def _correction(problem: str, names: str) -> str:
    if problem.startswith("line "):
        return "Correct this line of the overlay."
    if problem.startswith("The overlay "):
        return "Correct that file, or name another by `contract_overlay`."
    return f"{'Add' if problem.endswith('missing') else 'Correct'} it in {names}."
