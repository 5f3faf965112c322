"""The setting `endpoints` beside an overlay: both say paths, so that they must not differ."""

from __future__ import annotations

import typing as t

from automate_api import contract
from automate_api.tenant.operations import operations_of

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from automate_api.tenant.overlay import Overlay


def problems(overlay: Overlay, endpoints: Mapping[str, str]) -> list[str]:
    """Say which endpoints an overlay has no use for.

    With an overlay, requests are recognised by their path. A list that `endpoints` moves is, with
    what is below it; a single call is not.

    Args:
        overlay: Of the tenant.
        endpoints: Stream or sink to path.

    Returns:
        A sentence for each.
    """
    lists = operations_of(contract.load()).lists
    listed = {call.path: name for name, call in lists.items()}
    found = []
    for name, path in endpoints.items():
        if name not in lists:
            found.append(
                f"`endpoints.{name}` is the path of a single call: say it in {overlay.source}, "
                "under `calls.<operationId>.path`"
            )
        elif listed.get(path, name) != name:
            found.append(
                f"`endpoints.{name}` is the contract's path of {listed[path]}: say it under "
                f"`resources.{name}.path` of {overlay.source} alone"
            )
        elif overlay.resource(name).path not in {None, path}:
            found.append(
                f"`endpoints.{name}` is another path than `resources.{name}.path` of "
                f"{overlay.source}: leave one of them out"
            )
    return found
