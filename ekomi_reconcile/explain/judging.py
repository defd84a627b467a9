"""The planner's matcher over one order, telling what it looked at while it decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from typing_extensions import override

from ekomi_reconcile.model.account import Account, AccountRecord, PositionRecord
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Criterion, Invitation, Observation, Reached, Status
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.plan.matcher import Matcher, Question
from ekomi_reconcile.plan.read_requests import moved_from, needs
from ekomi_reconcile.plan.view import Privacy, Queue
from ekomi_reconcile.rules.rulebook import Rule, RuleBook


@dataclass(frozen=True, slots=True)
class AccountJudgement:
    """What one account's verdict on the order rests on. ``too_often``: the limit per customer is reached."""

    judged_at: Instant
    reached: Reached | None
    opted_out: bool
    too_often: bool


class OneOrder(Matcher):
    """Decides one order like the plan does; ``owner`` has its row already, ``winner`` is given it now."""

    def __init__(self, question: Question, queue: Queue, privacy: Privacy) -> None:
        super().__init__(question, queue, privacy)
        self.owner: str | None = None
        self.winner: str | None = None
        self.rows: Sequence[Invitation] = ()
        self._looks: dict[str, AccountJudgement] = {}
        self._seen: Observation | None = None
        self._offering = False

    def row(self, interface_id: str) -> Invitation | None:
        """The account's row of this order, cancelled ones too."""
        return next((row for row in self.rows if row.interface_id == interface_id), None)

    def look(self, rule: Rule, order: Order) -> AccountJudgement:
        """What the matcher looked at, or would have if it had come to this account."""
        found = self._looks.get(rule.account.interface_id)
        return self._look(rule, order) if found is None else found

    def _look(self, rule: Rule, order: Order) -> AccountJudgement:
        key, now = rule.account.interface_id, self.question.now
        row = self.row(key)
        judged_at = now if row is None else row.judged_at
        if row is not None and row.status is not Status.CANCELLED:
            return AccountJudgement(judged_at, row.reached, self.privacy.opted_out(order), too_often=False)
        known = self._reached(rule, order, row, self._seen)
        return self._noted(rule, order, judged_at, known)

    def _noted(self, rule: Rule, order: Order, judged_at: Instant, known: Reached | None) -> AccountJudgement:
        too_often = self._offering and known is not None and self._too_often(rule, order, known, judged_at)
        return AccountJudgement(judged_at, known, self.privacy.opted_out(order), too_often)

    @override
    def _decide(self, order: Order, rows: Sequence[Invitation], seen: Observation | None) -> None:
        self.rows, self._seen = rows, seen
        super()._decide(order, rows, seen)

    @override
    def _offer(
        self, order: Order, rows: Sequence[Invitation], seen: Observation | None, *, owner: str | None
    ) -> None:
        self.owner, self._offering = owner, True
        super()._offer(order, rows, seen, owner=owner)

    @override
    def _refusal(
        self,
        rule: Rule,
        order: Order,
        *,
        judged_at: Instant,
        known: Reached | None,
        candidate: bool = False,
    ) -> Criterion | None:
        self._looks[rule.account.interface_id] = self._noted(rule, order, judged_at, known)
        return super()._refusal(rule, order, judged_at=judged_at, known=known, candidate=candidate)

    @override
    def _schedule(self, rule: Rule, order: Order, known: Reached, judged_at: Instant) -> None:
        self.winner = rule.account.interface_id
        super()._schedule(rule, order, known, judged_at)


def question_of(
    source: str,
    accounts: Sequence[Account],
    recorded: Sequence[AccountRecord],
    positions: Mapping[str, PositionRecord],
    *,
    now: Instant,
) -> Question:
    """What the plan would ask of this order source if no account were left out."""
    present = frozenset(each.interface_id for each in accounts)
    gone = {each.interface_id for each in recorded if each.deleted_at is None and not each.protect}
    leaving = frozenset(gone - present)
    found = needs(accounts, positions, selected=present, leaving=leaving, now=now)
    need = next((each for each in found if each.source == source), None)
    return Question(
        source=source,
        book=RuleBook(each for each in accounts if each.orders == source) if need is None else need.book,
        selected=present,
        fresh=frozenset() if need is None else need.fresh,
        leaving=leaving,
        moved=moved_from(source, accounts, positions),
        shops=frozenset(each.orders for each in accounts),
        now=now,
    )
