"""The second look: what an order has become between scheduling and sending."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ekomi_reconcile.model.invitation import Criterion, Invitation
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.plan.matching import cancel_reason, in_its_store_view
from ekomi_reconcile.plan.view import Privacy
from ekomi_reconcile.rules.judge import refusal, waits_on_hold
from ekomi_reconcile.rules.rulebook import Rule


class Verdict(StrEnum):
    """What happens to a row that is due."""

    SEND = "send"
    WAIT = "wait"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Look:
    """A verdict; ``reason`` says why a row is cancelled."""

    verdict: Verdict
    reason: str | None = None


def second_look(row: Invitation, order: Order | None, rule: Rule | None, *, privacy: Privacy) -> Look:
    """Judge a due row by its order as it is now.

    Refunded, canceled, moved or no longer matching is cancelled; on hold or not readable waits. The age
    is judged by the instant of scheduling, the status by the evidence recorded with the row.
    """
    if order is None or rule is None or not rule.account.invitations.enabled or waits_on_hold(order, rule):
        return Look(Verdict.WAIT)
    order = in_its_store_view(order, [row])
    failed = refusal(rule, order, judged_at=row.judged_at, reached=row.reached)
    if failed is None and privacy.opted_out(order):
        failed = Criterion.SUPPRESSED
    if failed is not None:
        return Look(Verdict.CANCEL, cancel_reason(failed, order, rule))
    return Look(Verdict.SEND)
