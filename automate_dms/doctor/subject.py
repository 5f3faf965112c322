"""The tenant under examination: its lists, what is known of each, and the overlay that grows."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import typing as t
from pathlib import Path

from automate_api import contract, redaction
from automate_api.client import Client
from automate_api.differences import Sample
from automate_api.errors import ConfigError
from automate_api.tenant import personal, proposal, reading
from automate_api.tenant.operations import operations_of

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from automate_api.client import Page
    from automate_api.clock import Clock
    from automate_api.config import ApiConfig
    from automate_api.contract import Contract
    from automate_api.session import Session
    from automate_api.tenant.operations import Operation

LONGEST_WAIT_SECONDS: t.Final = 20.0
"""A person waits: what takes longer is reported, and not waited for."""

PAGE_SIZE: t.Final = 200

_RATE_HEADER: t.Final = re.compile(r"(x-)?rate-?limit.*", re.IGNORECASE)
_RATE: t.Final = re.compile(r"[A-Za-z0-9;=,\" ._-]{1,60}")


@dataclasses.dataclass
class Listed:
    """A list that answers.

    Attributes:
        name: Of its stream.
        call: By the contract.
        sample: What its first page shows.
        records: Of that page, by the contract and the overlay as it was then.
        total: Records of the whole list.
        page_size: Records of a page at most, as the server echoes it.
    """

    name: str
    call: Operation
    sample: Sample
    records: Sequence[Mapping[str, t.Any]]
    total: int
    page_size: int


class Subject:
    """A tenant that is being asked.

    Attributes:
        api: The settings, patient for as long as a person is, with the overlay as it has grown.
        session: The login.
        client: Sends the requests, through the overlay as it has grown.
        lists: Name to what is known of each list that answers.
        document: What the overlay's file would hold now.
        rates: Header about rates to its value, as they came.
        page_size: Records that are asked for on a page unless a check says otherwise.
    """

    def __init__(self, api: ApiConfig, session: Session, clock: Clock) -> None:
        """Begin with what the settings say.

        Args:
            api: The settings.
            session: The login.
            clock: The time.
        """
        self.api = patient(api)
        self.session = session
        self.lists: dict[str, Listed] = {}
        self.document: dict[str, t.Any] = api.overlay.as_document() if api.overlay else {}
        self.rates: dict[str, str] = {}
        self.page_size = PAGE_SIZE
        self._clock = clock
        self._started = clock.monotonic()
        self.client = Client(self.api, session, clock=clock, watch=self._watch)

    @contextlib.contextmanager
    def as_it_is(self) -> Iterator[Client]:
        """Ask for paths without the overlay."""
        self.client.follow(dataclasses.replace(self.api, overlay=None, endpoints={}))
        try:
            yield self.client
        finally:
            self.client.follow(self.api)

    @property
    def known(self) -> Contract:
        """The contract with the overlay as it is now."""
        return contract.load(self.api.overlay)

    @property
    def calls(self) -> Mapping[str, Operation]:
        """The lists of the contract, by name."""
        return operations_of(contract.load()).lists

    @property
    def requests(self) -> int:
        """Requests that were sent, logins among them."""
        return self.client.stats.requests + self.session.stats.requests

    @property
    def pace(self) -> float:
        """Requests that were really sent in a second, but for pauses that the DMS asked for."""
        stats = self.client.stats
        paused = stats.waited_seconds - stats.paced_seconds
        busy = self._clock.monotonic() - self._started - paused
        return min(self.api.requests_per_second, stats.requests / max(busy, 1e-3))

    @property
    def throttled(self) -> int:
        """Answers 429 among them."""
        return self.client.stats.throttled

    def path(self, name: str) -> str:
        """Give what to ask for, so that the client knows which list is meant."""
        return self.api.endpoints.get(name, self.calls[name].path)

    def page(self, name: str, **params: str | int) -> Page:
        """Read a page of a list, by the contract's names.

        Args:
            name: The list.
            params: The query; the first page of `page_size` records unless given.

        Raises:
            AutomateError: As `Client.list_page`.
        """
        query = {"page": 1, "pageSize": self.page_size, **params}
        return self.client.list_page(self.path(name), query)

    def keep(self, name: str, page: Page) -> Listed:
        """Take the first page of a list for its sample."""
        call = self.calls[name]
        sample = Sample(self.known.resource(call.path).record_schema)
        for record in page.items:
            sample.add(record)
        listed = Listed(name, call, sample, page.items, page.total, page.page_size)
        self.lists[name] = listed
        return listed

    def propose(self, name: str, part: Mapping[str, t.Any]) -> str | None:
        """Let the overlay say something more of a list.

        Args:
            name: The list.
            part: What, as a file has it under `resources.<name>`.

        Returns:
            None; where no overlay can say it, why, and it stays as it was.
        """
        document = proposal.with_part(self.document, name, part)
        source = self.api.overlay.source if self.api.overlay else Path("proposal")
        try:
            overlay = reading.from_text(proposal.written(document), source)
        except ConfigError as error:
            return str(error).partition("`: ")[2] or str(error)
        redaction.register_personal(personal.fields(overlay), personal.parameters(overlay))
        endpoints = dict(self.api.endpoints)
        if "path" in part:
            endpoints.pop(name, None)
        self.document = document
        self.api = dataclasses.replace(self.api, overlay=overlay, endpoints=endpoints)
        self.client.follow(self.api)
        return None

    def close(self) -> None:
        """Close the connections; the session stays."""
        self.client.close()

    def _watch(self, headers: Mapping[str, str]) -> None:
        for name, value in headers.items():
            if _RATE_HEADER.fullmatch(name) and _RATE.fullmatch(value):
                self.rates.setdefault(name, value)


def patient(api: ApiConfig) -> ApiConfig:
    """Give the settings with no longer waits than a person has patience for."""
    return dataclasses.replace(
        api,
        max_wait_seconds=min(api.max_wait_seconds, LONGEST_WAIT_SECONDS),
        request_timeout_seconds=min(api.request_timeout_seconds, LONGEST_WAIT_SECONDS),
    )
