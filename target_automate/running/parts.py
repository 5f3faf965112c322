"""What a run and a plan are made of alike: who is asked, where, and what is checked first."""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t
import urllib.parse

from automate_api import contract
from automate_api.client import Client
from automate_api.clock import SYSTEM_CLOCK, Clock
from automate_api.errors import ConfigError
from automate_api.session import Session
from target_automate.checks.approvals import Approvals
from target_automate.checks.changes import Changes
from target_automate.checks.lookup import Lookup
from target_automate.checks.matching import Matching
from target_automate.checks.preparation import Preparation
from target_automate.checks.readback import ReadBack
from target_automate.checks.references import References
from target_automate.checks.visibility import Visibility
from target_automate.sending.steps import Desk
from target_automate.sinks.entities import lists_of
from target_automate.sinks.table import SINKS

if t.TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Mapping, Sequence

    from automate_api.config import ApiConfig
    from target_automate.journal.journal import Journal

RECORD: t.Final = "{id}"
"""Stands in a path for the id of the record that a call belongs to."""

DELIVERED: t.Final = "delivered:"
"""Begins the journal's facts of the objects that a run has delivered to its end."""


def tenant_of(api: ApiConfig) -> str:
    """Name whose DMS it is: the API's host and the integration."""
    return f"{urllib.parse.urlsplit(api.api_url).netloc}/{api.integration_id}"


def paths_of(api: ApiConfig) -> dict[str, str]:
    """List the path of each object's call at this tenant.

    A call that belongs to a record lies below the record's list, wherever that is.

    Raises:
        ConfigError: When a path of the tenant's own has no place for a record's id, or a needless
            one: what is sent there would be another call.
    """
    lists = lists_of(api)
    paths = {
        sink.object: api.endpoints.get(
            sink.object, sink.path.replace(sink.entity.path, lists[sink.entity.name], 1)
        )
        for sink in SINKS
    }
    for sink in SINKS:
        if (RECORD in sink.path) is not (RECORD in paths[sink.object]):
            must = "have" if RECORD in sink.path else "have no"
            msg = f"`endpoints.{sink.object}` must {must} `{RECORD}`, as the contract's {sink.path}"
            raise ConfigError(msg)
    return paths


@contextlib.contextmanager
def connected(
    api: ApiConfig, *, stop: threading.Event, clock: Clock = SYSTEM_CLOCK
) -> Iterator[Client]:
    """Make a client with a session of its own; both end with the block."""
    with (
        contextlib.closing(Session(api, stop=stop, clock=clock)) as session,
        contextlib.closing(Client(api, session, stop=stop, clock=clock)) as client,
    ):
        yield client


@dataclasses.dataclass(frozen=True, slots=True)
class Parts:
    """What works on a journal together, and sends nothing but reads.

    Attributes:
        desk: Keeps steps.
        lookup: Asks the DMS.
        references: Resolves what is referred to.
        read_back: Finds what is there from before.
        changes: Judges changes of what is there.
        matching: Judges by whom a customer would be found.
        preparation: Checks intents before they are sent.
    """

    desk: Desk
    lookup: Lookup
    references: References
    read_back: ReadBack
    changes: Changes
    matching: Matching
    preparation: Preparation

    @classmethod
    def of(  # noqa: PLR0913 - what it is made of
        cls,
        journal: Journal,
        client: Client,
        api: ApiConfig,
        values: Mapping[str, t.Any],
        *,
        clock: Clock,
        rules: Sequence[Mapping[str, t.Any]],
    ) -> Parts:
        """Put the parts together.

        Args:
            journal: To work on.
            client: To ask with.
            api: Where.
            values: The target's settings, checked.
            clock: The time.
            rules: What a person has to approve, as `approvals` in the settings.
        """
        desk = Desk(journal, clock)
        lookup = Lookup(client, lists_of(api))
        references = References(journal, lookup)
        read_back = ReadBack(desk, lookup)
        visibility = Visibility(journal, clock, values["cooldown_seconds"])
        changes = Changes(desk, lookup, visibility)
        matching = Matching(values["on_fuzzy_match"], journal, lookup)
        preparation = Preparation(
            desk=desk,
            references=references,
            read_back=read_back,
            changes=changes,
            matching=matching,
            approvals=Approvals(rules, contract.load(api.overlay)),
            look_up=_looked_up(journal, values["lookup_before_create"]),
        )
        return cls(desk, lookup, references, read_back, changes, matching, preparation)


def _looked_up(journal: Journal, policy: str) -> frozenset[str]:
    """Name the objects whose new records are looked up before they are created."""
    if policy == "never":
        return frozenset()
    return frozenset(
        sink.object
        for sink in SINKS
        # The same file may come under another name of what it belongs to, which is another key.
        if policy == "always"
        or sink.operation == "upload"
        or journal.fact(DELIVERED + sink.object) is None
    )
