"""One order explained: every account's verdict, who gets the order, and what the queue has of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ekomi_reconcile.explain.judging import Look, OneOrder
from ekomi_reconcile.explain.remedies import Failure, remedy
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import Criterion, Invitation, Reached, Status, holder_of
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.plan.matching import Question
from ekomi_reconcile.plan.numbers import key_of_row
from ekomi_reconcile.plan.view import Cap, Privacy, Queue
from ekomi_reconcile.rules.explain import CriterionResult, explain
from ekomi_reconcile.rules.judge import scheduled_at, spread_offset
from ekomi_reconcile.rules.rulebook import Rule


class Outcome(StrEnum):
    """What becomes of the order."""

    GETS = "gets"
    """An account is given it by the next apply."""
    KEEPS = "keeps"
    """It waits in the queue of an account."""
    CLOSED = "closed"
    """A request has gone out, or never will."""
    NOBODY = "nobody"
    """No account invites it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountVerdict:
    """What one account makes of the order; ``row`` is its own row.

    ``offset`` is by how many seconds its spread delays the order, ``changes`` what would have to change:
    nothing after its own request.
    """

    account: Account
    criteria: tuple[CriterionResult, ...]
    reached: Reached | None
    scheduled_at: Instant | None
    offset: int
    row: Invitation | None
    changes: tuple[str, ...]

    @property
    def reason(self) -> Criterion | None:
        """The first criterion that fails."""
        return next((each.criterion for each in self.criteria if not each.ok), None)

    @property
    def eligible(self) -> bool:
        """Does it invite the order?"""
        return self.reason is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """An order explained. ``account`` (its name) and ``due`` go with ``outcome``; ``row`` is the live one.

    ``cancelled`` says why the next apply takes a pending row out of the queue, ``names`` are those of all
    accounts by interface id, of deleted ones too.
    """

    order: Order
    source: str
    verdicts: tuple[AccountVerdict, ...]
    outcome: Outcome
    account: str | None
    due: Instant | None
    row: Invitation | None
    rows: tuple[Invitation, ...]
    cancelled: str | None
    names: Mapping[str, str]
    now: Instant


def explain_order(
    order: Order, question: Question, queue: Queue, privacy: Privacy, *, names: Mapping[str, str]
) -> Explanation:
    """Decide this order as the plan does, and tell everything that it rests on.

    It is judged alone: orders of the same customer that are only about to be scheduled do not count.
    """
    judge = OneOrder(question, queue, privacy)
    judge.batch([order])
    outcome, key = _outcome(judge)
    live = holder_of(judge.rows)
    known = {**names, **{rule.account.interface_id: rule.account.name for rule in question.book.rules}}
    verdicts = tuple(_verdict(rule, order, judge, known) for rule in question.book.rules)
    times = {each.account.interface_id: each.scheduled_at for each in verdicts}
    return Explanation(
        order=order,
        source=question.source,
        verdicts=verdicts,
        outcome=outcome,
        account=None if key is None else known.get(key, key),
        due=None if key is None else times.get(key, live.scheduled_at if live else None),
        row=live,
        rows=tuple(judge.rows),
        cancelled=next((step.reason for step in judge.steps.cancel), None),
        names=known,
        now=question.now,
    )


def _outcome(judge: OneOrder) -> tuple[Outcome, str | None]:
    if judge.winner is not None:
        return Outcome.GETS, judge.winner
    if judge.owner is None:
        return Outcome.NOBODY, None
    row = judge.row(judge.owner)
    pending = row is not None and row.status is Status.PENDING
    return (Outcome.KEEPS if pending else Outcome.CLOSED), judge.owner


def _verdict(rule: Rule, order: Order, judge: OneOrder, names: Mapping[str, str]) -> AccountVerdict:
    look, row = judge.look(rule, order), judge.row(rule.account.interface_id)
    closed = row is not None and row.closed
    taken = _already_invited(rule, order, judge, names)
    criteria = (
        *explain(rule, order, judged_at=look.judged_at, reached=look.reached),
        _suppressed(look, judge.privacy.cap, limited=look.too_often and taken.ok),
        _duplicate_number(rule, order, judge),
        taken,
    )
    return AccountVerdict(
        account=rule.account,
        criteria=criteria,
        reached=look.reached,
        scheduled_at=_time(rule, order, look, judge),
        offset=spread_offset(rule, order.order_id),
        row=row,
        changes=tuple(
            remedy(Failure(each, rule.account.invitations, order, look))
            for each in criteria
            if not each.ok and not closed
        ),
    )


def _time(rule: Rule, order: Order, look: Look, judge: OneOrder) -> Instant | None:
    row = judge.row(rule.account.interface_id)
    if row is not None and judge.owner == row.interface_id:
        moved = {step.row_id: step.scheduled_at for step in judge.steps.reschedule}
        return moved.get(row.id, row.scheduled_at)
    if look.reached is None:
        return None
    return scheduled_at(rule, look.reached, order.order_id, judged_at=look.judged_at)


def _suppressed(look: Look, cap: Cap | None, *, limited: bool) -> CriterionResult:
    """The limit per customer stands against an order only while no account has it: else it counts itself."""
    wanted = "no opt-out"
    if cap is not None:
        wanted += f"; at most {cap.count} in {cap.days} days per customer"
    value = "opted out" if look.opted_out else "limit per customer reached" if limited else "no"
    return CriterionResult(Criterion.SUPPRESSED, not (look.opted_out or limited), value, wanted)


def _duplicate_number(rule: Rule, order: Order, judge: OneOrder) -> CriterionResult:
    wanted = "no earlier order with this number at the interface"
    before = judge.numbers.invited_before(order, judge.privacy.customer(order))
    rival = None if before else judge.numbers.rival(order, rule.account.interface_id)
    value = "no" if rival is None else f"{key_of_row(rival)} is {rival.status.value}"
    return CriterionResult(Criterion.DUPLICATE_NUMBER, rival is None, value, wanted)


def _already_invited(rule: Rule, order: Order, judge: OneOrder, names: Mapping[str, str]) -> CriterionResult:
    key, wanted = rule.account.interface_id, "no request by any account"
    owner = None if judge.owner is None else judge.row(judge.owner)
    if owner is not None:
        own = owner.interface_id == key and owner.status is Status.PENDING
        value = _said(owner, names.get(owner.interface_id, owner.interface_id))
        return CriterionResult(Criterion.ALREADY_INVITED, own, value, wanted)
    before = judge.numbers.invited_before(order, judge.privacy.customer(order))
    if before is not None:
        name = names.get(before.interface_id, before.interface_id)
        value = f"{_said(before, name)}, as {key_of_row(before)}"
        return CriterionResult(Criterion.ALREADY_INVITED, ok=False, value=value, wanted=wanted)
    winner = None if judge.winner is None else judge.question.book.rule(judge.winner)
    if winner is not None and winner.account.rank < rule.account.rank:
        value = f"goes to {winner.account.name}"
        return CriterionResult(Criterion.ALREADY_INVITED, ok=False, value=value, wanted=wanted)
    return CriterionResult(Criterion.ALREADY_INVITED, ok=True, value="no", wanted=wanted)


def _said(row: Invitation, name: str) -> str:
    at = row.changed_at if row.sent_at is None else row.sent_at
    when = f"due {iso(row.scheduled_at)}" if row.status is Status.PENDING else f"since {iso(at)}"
    return f"{row.status.value} through {name}, {when}"
