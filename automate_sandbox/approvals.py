"""Approvals of deals: what a manager has to agree to, and what one has agreed to."""

from __future__ import annotations

import typing as t

from automate_sandbox.money import ZERO
from automate_sandbox.refusals import approval_missing

if t.TYPE_CHECKING:
    from automate_sandbox.money import Record

ApprovalRule = t.Literal["loss", "all", "none"]
APPROVE: t.Final = "POST /__sandbox__/approve"
"""What the history calls it."""

RULES: t.Final[tuple[ApprovalRule, ...]] = t.get_args(ApprovalRule)


class Approvals:
    """What waits for a person.

    An approval is given to a deal, once and for all; it is asked for before a delivery, and before
    a contract that was signed gets other terms.
    """

    def __init__(self, rule: ApprovalRule) -> None:
        """Start without any given.

        Args:
            rule: Which deals need one: those that lose money, all, or none.
        """
        self._rule = rule
        self._given: set[str] = set()

    def give(self, deal_id: str) -> None:
        """Approve a deal."""
        self._given.add(deal_id)

    def hold(self, deal: Record, field: str) -> None:
        """Refuse what nobody has approved.

        Args:
            deal: As it would be.
            field: Of the payload.

        Raises:
            Problem: 423.
        """
        if self._rule == "none" or deal["dealId"] in self._given:
            return
        if self._rule == "all":
            raise approval_missing(field, "a manager has to approve the deal")
        if deal["gross"]["total"] < ZERO:
            raise approval_missing(field, "a manager has to approve a deal that loses money")
