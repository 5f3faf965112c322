"""Whether the DMS's lists can be read that a push needs: asked before one."""

from __future__ import annotations

import typing as t

from automate_api.errors import NotEntitledError, NotOfferedError
from target_automate.sinks.entities import ENTITIES

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from automate_api.client import Client
    from target_automate.sinks.declarations import SinkDeclaration
    from target_automate.sinks.entities import Entity


class Unread(t.NamedTuple):
    """A list that cannot be read.

    Attributes:
        entity: Whose it is.
        sinks: Those that look records up in it.
        reason: Why, and what to do.
    """

    entity: Entity
    sinks: tuple[SinkDeclaration, ...]
    reason: str


def unread(
    client: Client, paths: Mapping[str, str], sinks: Collection[SinkDeclaration]
) -> Iterator[Unread]:
    """Ask each list that sinks need for one record.

    Args:
        client: Sends the requests.
        paths: Entity to the path of its list at this tenant.
        sinks: What is to be pushed.

    Yields:
        The lists that the tenant does not have, or does not show to this login.

    Raises:
        AutomateError: When one cannot be asked for another reason.
    """
    for entity in ENTITIES:
        needing = tuple(sink for sink in sinks if _needs(sink, entity))
        if not needing:
            continue
        try:
            client.list_page(paths[entity.name], {"page": 1, "pageSize": 1})
        except (NotOfferedError, NotEntitledError) as error:
            yield Unread(entity, needing, str(error))


def _needs(sink: SinkDeclaration, entity: Entity) -> bool:
    """Tell whether records are looked up for a sink: its own, or what they refer to."""
    is_own = sink.entity is entity and (sink.lookup is not None or sink.change is not None)
    is_named = entity.is_filtered and any(named.entity is entity for named in sink.references)
    return is_own or is_named
