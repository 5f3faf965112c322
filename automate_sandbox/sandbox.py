"""A running sandbox: its rules, its world, and what everything else acts on."""

from __future__ import annotations

import dataclasses
import gc
import random
import typing as t
from collections import Counter

from automate_sandbox.approvals import ApprovalRule, Approvals
from automate_sandbox.drawers import Drawers
from automate_sandbox.faults import Faults
from automate_sandbox.idempotency import KeyRules, Keys
from automate_sandbox.instants import SECOND, Clock, render
from automate_sandbox.ledger import Ledger
from automate_sandbox.links import Links
from automate_sandbox.office import Office
from automate_sandbox.operations import Operations
from automate_sandbox.pages import PageOrder, Pager
from automate_sandbox.resources import resources
from automate_sandbox.sessions import Login, Sessions
from automate_sandbox.store import Store, StoreError
from automate_sandbox.tenants.more import More
from automate_sandbox.uploads import Uploads
from automate_sandbox.world.generate import Generator, Size
from automate_sandbox.world.numbers import Numbers, Source
from automate_sandbox.world.rooftops import Rooftop, rooftop_of

if t.TYPE_CHECKING:
    from pathlib import Path

    from automate_sandbox.tenants.tenant import Tenant

SIZE_FIELDS: t.Final = tuple(field.name for field in dataclasses.fields(Size))


@dataclasses.dataclass(frozen=True)
class World:
    """Which world to serve; None takes what the store has, or the default.

    Attributes:
        seed: Decides everything.
        rooftops: Dealerships.
        vehicles: Over all rooftops.
        days: Of history.
        huge_file_bytes: Of the one attachment that is larger than any limit.
    """

    seed: int | None = None
    rooftops: int | None = None
    vehicles: int | None = None
    days: int | None = None
    huge_file_bytes: int | None = None


DEFAULTS: t.Final = {"seed": 7, **dataclasses.asdict(Size())}


@dataclasses.dataclass(frozen=True)
class Rules:
    """How the API behaves.

    Attributes:
        integration_id: Last part of the path's prefix.
        page_order: Of every list.
        max_page_size: Greater sizes are cut to it.
        exclusive_bounds: Whether rows on `updatedFrom` and `updatedTo` are left out.
        whole_second_bounds: Whether those, and `updatedAt` beside them, count in whole seconds.
        latency: Milliseconds before each answer.
        session_seconds: Life of a token.
        max_failures: Failed logins in a row that lock the user.
        live: Changed records a second from the start.
        fractional_seconds: Whether `updatedAt` of live changes has milliseconds.
        keys: How idempotency keys are treated.
        unique_references: Whether a second deal with the same `referenceId`, or a second repair
            order with the same `externalId`, is refused.
        external_id_echo: Whether appointments keep their `externalId`.
        visible_after: Milliseconds until reads show what a write has changed.
        approvals: Which deals need one.
        queue_deals: Whether the status of deals changes later than it is answered.
        queue_milliseconds: How long an action is queued and running that the API itself queues.
        max_upload_bytes: Of a file from outside.
        tenant: What it does otherwise than the contract; None is nothing.
    """

    integration_id: str
    page_order: PageOrder = "ascending"
    max_page_size: int = 200
    exclusive_bounds: bool = False
    whole_second_bounds: bool = False
    latency: int = 0
    session_seconds: int = 3600
    max_failures: int = 5
    live: int = 0
    fractional_seconds: bool = False
    keys: KeyRules = dataclasses.field(default_factory=KeyRules)
    unique_references: bool = False
    external_id_echo: bool = True
    visible_after: int = 0
    approvals: ApprovalRule = "loss"
    queue_deals: bool = False
    queue_milliseconds: int = 200
    max_upload_bytes: int = 5 << 30
    tenant: Tenant | None = None


class Sandbox:
    """Everything that a running sandbox knows."""

    def __init__(
        self, world: World, rules: Rules, login: Login, clock: Clock, store_path: Path | None = None
    ) -> None:
        """Make a world or take it from its store.

        Args:
            world: Which one.
            rules: Of the API.
            login: Who may log in.
            clock: Of the server; a new world ends at its time.
            store_path: Keeps the world between runs.

        Raises:
            StoreError: The store cannot be used, or holds another world than the one asked for.
        """
        self.rules = rules
        self.clock = clock
        self.sessions = Sessions(
            login, clock, lifetime=rules.session_seconds, max_failures=rules.max_failures
        )
        self.keys = Keys(rules.keys, clock)
        self.operations = Operations()
        self.requests: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()
        self.downloads: Counter[str] = Counter()
        self.links = Links(clock)
        self.store = Store(store_path) if store_path else None
        folder = store_path.with_name(f"{store_path.name}.uploads") if store_path else None
        self.uploads = Uploads(self.links, folder)
        self.approvals = Approvals(rules.approvals)
        facts = self.store.facts() if self.store else {}
        chosen = _choose(world, facts, store_path)
        self.seed = chosen["seed"]
        self.faults = Faults(self.seed)
        self.pager = Pager(
            rules.page_order,
            rules.max_page_size,
            exclusive=rules.exclusive_bounds,
            seed=self.seed,
            whole_seconds=rules.whole_second_bounds,
        )
        more = More(rules.tenant) if rules.tenant else None
        self.ledger = Ledger(
            more.resources() if more else resources(),
            self.pager.rank,
            self.store,
            rules.visible_after,
            more.add if more else None,
        )
        # A large world is millions of objects that never die; no need to look through them again.
        gc.disable()
        if facts:
            self.ledger.restore()
            anchor = int(facts["anchor"])
        else:
            anchor = clock.now() // SECOND
            size = Size(**{name: chosen[name] for name in SIZE_FIELDS})
            facts = {name: str(value) for name, value in chosen.items()} | {"anchor": str(anchor)}
            self.ledger.create(Generator(self.seed, size, anchor).records(), anchor * SECOND, facts)
        gc.freeze()
        gc.enable()
        self.facts = facts
        self.numbers = Numbers(
            self.seed,
            self.ledger.counts(),
            self._is_known,
        )
        self.rooftops = self._rooftops(anchor)
        # What writes choose decides nothing of what the world does by itself.
        writes = random.Random(f"writes/{self.seed}")  # noqa: S311 - a world, not a secret
        self.source = Source(writes, self.numbers)
        self.drawers = Drawers(self)
        self.office = Office(self, self.source, lambda *_: None)
        user = self.ledger.record("users", min(self.ledger.tables["users"].rows)) or {}
        self.sessions.login = dataclasses.replace(
            login, user_id=user["userId"], user_name=user["displayName"]
        )

    def rooftop(self, rooftop_id: str | None) -> Rooftop:
        """Find a rooftop; a blank id means the first."""
        return self.rooftops.get(rooftop_id or "") or next(iter(self.rooftops.values()))

    def describe(self) -> dict[str, t.Any]:
        """Say which world this is, how large, and how late it is there."""
        return {
            **{name: int(value) for name, value in self.facts.items() if name != "anchor"},
            "anchor": render(int(self.facts["anchor"]) * SECOND),
            "now": render(self.clock.now()),
            "store": str(self.store.path) if self.store else None,
            "records": self.ledger.counts(),
            "lastSeq": len(self.ledger.history),
        }

    def close(self) -> None:
        """Give the store back, and drop what has no store."""
        self.uploads.close()
        if self.store:
            self.store.close()

    def _is_known(self, stream: str, key: str) -> bool:
        """Tell whether an id is taken; a file that was announced is no record yet."""
        return key in self.ledger.tables[stream].rows or key in self.uploads.announced

    def _rooftops(self, anchor: int) -> dict[str, Rooftop]:
        """Wrap the rooftops with their people and lots, for whoever makes new records."""
        keys = sorted(
            self.ledger.tables["rooftops"].rows,
            key=lambda key: t.cast("str", (self.ledger.record("rooftops", key) or {})["companyId"]),
        )
        found = {
            key: rooftop_of(self.ledger.record("rooftops", key) or {}, index, anchor)
            for index, key in enumerate(keys)
        }
        for key in self.ledger.tables["users"].rows:
            user = self.ledger.record("users", key) or {}
            for role in user["roles"]:
                found[user["rooftopId"]].staff.setdefault(role, []).append(key)
        for key in self.ledger.tables["lots"].rows:
            lot = self.ledger.record("lots", key) or {}
            found[lot["rooftopId"]].lots.append({"lotId": key, "name": lot["name"]})
        return found


def _choose(world: World, facts: dict[str, str], path: Path | None) -> dict[str, int]:
    asked = {name: value for name, value in dataclasses.asdict(world).items() if value is not None}
    if not facts:
        return DEFAULTS | asked
    for name, value in asked.items():
        if int(facts[name]) != value:
            message = (
                f"The store {path} holds a world with {name} {facts[name]}, asked for is {value}; "
                "drop the option, or name another store."
            )
            raise StoreError(message)
    return {name: int(facts[name]) for name in DEFAULTS}
