"""What is sent in this run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from heapq import nsmallest

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan.plan import InvitationSteps
from ekomi_reconcile.plan.steps import Send
from ekomi_reconcile.plan.view import Queue

BURST = 100
"""From so many customers on, asked at once because an account is new or changed, a word is said."""


def due(
    steps: InvitationSteps, queue: Queue, *, senders: frozenset[str], now: Instant, cap: int
) -> tuple[InvitationSteps, Mapping[str, int]]:
    """The steps with what is sent now: rows that are due and those that this plan makes due.

    Beside them, by interface id, how many of these are due because the rule is new or changed.

    The oldest come first; beyond ``cap`` they wait, unless a rule change is what makes them due: then a
    guard has to decide about all of them.
    """
    moved = {step.row_id for step in steps.cancel} | {step.row_id for step in steps.reschedule}
    found = list(_due(steps, queue, senders=senders, moved=moved, now=now))
    caused = Counter(send.interface_id for send in found if send.rule_change)
    limit = len(found) if caused.total() > cap else cap
    chosen = nsmallest(limit, found, key=lambda send: (send.scheduled_at, send.source, send.order_id))
    for send in chosen:
        steps.send.append(send)
    deferred = len(found) - len(chosen)
    return replace(steps, deferred=deferred, due_by_rule_change=caused.total()), caused


def bursts(accounts: Iterable[Account], caused: Mapping[str, int]) -> Iterator[Diagnostic]:
    """A word on every account whose new or changed rule makes many invitations due at once."""
    for account in accounts:
        count = caused.get(account.interface_id, 0)
        if count > BURST:
            yield Diagnostic(
                severity=Severity.WARNING,
                rule="burst",
                message=f"{count} invitations of {account.name} are due at once: the rule is new or changed, "
                "and their time has passed already",
                mend=_advice(account),
                account=account.name,
            )


def _advice(account: Account) -> str:
    if account.invitations.spread:
        return "a wider `spread`, or a smaller `skip_orders_older_than`, makes them fewer"
    return "`spread: 3d` under `invitations:` lets them leave over three days"


def _due(
    steps: InvitationSteps, queue: Queue, *, senders: frozenset[str], moved: Collection[int], now: Instant
) -> Iterator[Send]:
    for row in queue.due(senders, now):
        if row.id not in moved:
            yield Send(
                interface_id=row.interface_id,
                row_id=row.id,
                source=row.source,
                order_id=row.order_id,
                number=row.number,
                scheduled_at=row.scheduled_at,
            )
    for step in steps.reschedule:
        if step.scheduled_at <= now:
            yield Send(
                interface_id=step.interface_id,
                row_id=step.row_id,
                source=step.source,
                order_id=step.order_id,
                number=step.number,
                scheduled_at=step.scheduled_at,
                rule_change=True,
            )
    for planned in steps.schedule:
        if planned.scheduled_at <= now:
            yield Send(
                interface_id=planned.interface_id,
                row_id=None,
                source=planned.source,
                order_id=planned.order_id,
                number=planned.number,
                scheduled_at=planned.scheduled_at,
                rule_change=planned.rule_change,
            )
