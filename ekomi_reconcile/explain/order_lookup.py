"""Find one order, explain every account's verdict on it, and what would change it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ekomi_reconcile.explain.judging import AccountJudgement, OneOrder
from ekomi_reconcile.model.account import Account, Deliver, InvitationRule, Selection
from ekomi_reconcile.model.errors import OrderSourceError, ReconcileError
from ekomi_reconcile.model.instant import DAY, Instant, iso
from ekomi_reconcile.model.invitation import Criterion, Invitation, Reached, Status, holder_of
from ekomi_reconcile.model.order import MASKED, Order
from ekomi_reconcile.orders.source import OrderSource
from ekomi_reconcile.plan.matcher import Question
from ekomi_reconcile.plan.order_numbers import key_of_row
from ekomi_reconcile.plan.view import Cap, Privacy, Queue
from ekomi_reconcile.rules.explain import CriterionResult, Verdict, explain
from ekomi_reconcile.rules.rulebook import Rule, blocked_state, ended_by, scheduled_at, spread_offset


@dataclass(frozen=True, slots=True)
class FailedCriterion:
    """A criterion that does not hold, for this rule and order."""

    result: CriterionResult
    rule: InvitationRule
    order: Order
    look: AccountJudgement


def remedy(failure: FailedCriterion) -> str:
    """What would make the criterion hold; it reads on from "would be invited if"."""
    return _REMEDIES[failure.result.criterion](failure)


def _store_view(failure: FailedCriterion) -> str:
    order, number = failure.order, failure.order.store_id
    if number is not None:
        return f"orders.stores gave the order's store id {number} a name that store_views admits"
    return _admitting("store_views", failure.rule.store_views, "store view", order.store_view)


def _customer_group(failure: FailedCriterion) -> str:
    groups, number = failure.rule.customer_groups, failure.order.customer_group_id
    if number is not None:
        return f"orders.customer_groups gave the group id {number} a name that customer_groups admits"
    return _admitting("customer_groups", groups, "customer group", failure.order.customer_group)


def _admitting(key: str, selection: Selection, what: str, name: str | None) -> str:
    if name is None:
        return f"the source told the order's {what}"
    return f"{key} did not exclude {name}" if selection.exclude else f"{key} named {name}"


def _order_status(failure: FailedCriterion) -> str:
    order, parts = failure.order, []
    if failure.look.reached is None:
        parts.append(f"the order reached {' or '.join(failure.rule.order_statuses)}")
    ended = ended_by(order, failure.rule)
    if ended is not None or blocked_state(order):
        parts.append(f"the order were not {ended or order.state or order.status}")
    return " and ".join(parts)


def _order_age(failure: FailedCriterion) -> str:
    days = -((failure.order.created_at - failure.look.judged_at) // DAY)
    return f"skip_orders_older_than were at least {days} (days)"


def _conditions(failure: FailedCriterion) -> str:
    tree = failure.result.conditions
    return "the conditions held" + ("" if tree is None else f": {'; '.join(_culprits(tree))}")


def _culprits(verdict: Verdict) -> Iterator[str]:
    """The parts to blame for a part that does not hold, each with what the order has."""
    if verdict.wanted in ("all", "any") and verdict.parts:
        for part in verdict.parts:
            if not part.ok:
                yield from _culprits(part)
    elif verdict.text == "not":
        yield f"not: {', '.join(part.text for part in verdict.parts)}"
    else:
        value = "masked" if verdict.value == MASKED else verdict.value or "missing"
        yield f"{verdict.text} (it is {value})"


def _deliverable(failure: FailedCriterion) -> str:
    sms = failure.rule.deliver is Deliver.EKOMI_SMS
    return f"the order had a usable {'mobile number' if sms else 'e-mail address'}"


def _suppressed(failure: FailedCriterion) -> str:
    if failure.look.opted_out:
        return "the customer had not opted out"
    return "the customer were asked less often (privacy.max_per_customer)"


_REMEDIES: Mapping[Criterion, Callable[[FailedCriterion], str]] = {
    Criterion.ENABLED: lambda _: "the account were enabled (invitations.enabled: true)",
    Criterion.STORE_VIEW: _store_view,
    Criterion.CUSTOMER_GROUP: _customer_group,
    Criterion.ORDER_STATUS: _order_status,
    Criterion.REFUNDED: lambda _: "refunded orders were invited (skip_refunded: false)",
    Criterion.ORDER_AGE: _order_age,
    Criterion.CONDITIONS: _conditions,
    Criterion.DELIVERABLE: _deliverable,
    Criterion.SUPPRESSED: _suppressed,
    Criterion.DUPLICATE_NUMBER: lambda _: "no earlier order had this number at the interface",
    Criterion.ALREADY_INVITED: lambda _: "no account had the order already",
}


BY_ID = "#"
"""What is written before an order id (Magento: entity id); without it the number is meant."""


@dataclass(frozen=True, slots=True)
class Found:
    """An order, and the name of the source that has it."""

    source: str
    order: Order


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What a search brought; ``unread`` are the sources that could not be asked, with the reason."""

    found: Found
    unread: tuple[tuple[str, OrderSourceError], ...] = ()


def find_order(text: str, names: Sequence[str], open_source: Callable[[str], OrderSource]) -> SearchResult:
    """The order meant by ``100000123`` (its number, else its id), ``#123`` (its id) or ``shop:#123``.

    ``names`` are the order sources to search.

    Raises:
        OrderSourceError: no source that could be asked has it, and one could not be asked.
        ReconcileError: there is no such order, or more than one.
    """
    wanted, searched = _narrowed(text.strip(), names)
    found: list[Found] = []
    unread: list[tuple[str, OrderSourceError]] = []
    for name in searched:
        try:
            orders = _meant(wanted, open_source(name).find(wanted))
        except OrderSourceError as error:
            unread.append((name, error))
        else:
            found += [Found(name, order) for order in orders]
    if len(found) > 1:
        raise _ambiguous(wanted, found, names)
    if not found:
        raise unread[0][1] if unread else _unknown(wanted, searched)
    return SearchResult(found[0], tuple(unread))


def _narrowed(text: str, names: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The order without the source before it, and the sources to search."""
    name, colon, rest = text.partition(":")
    return (rest, (name,)) if colon and name in names else (text, names)


def _meant(wanted: str, orders: Sequence[Order]) -> Sequence[Order]:
    """Of what a source found: with ``#`` the order of this id, without it those of this number, if any."""
    if wanted.startswith(BY_ID):
        exact = [each for each in orders if f"{BY_ID}{each.order_id}" == wanted]
    else:
        exact = [each for each in orders if each.number == wanted]
    return exact or orders


def _ambiguous(wanted: str, found: Sequence[Found], names: Sequence[str]) -> ReconcileError:
    several = len(names) > 1
    exact = [
        f"{each.source}:{BY_ID}{each.order.order_id}" if several else f"{BY_ID}{each.order.order_id}"
        for each in found
    ]
    return ReconcileError(
        f"{len(found)} orders are meant by {wanted}",
        mend="write one of: " + ", ".join(f"'{each}'" for each in exact),
    )


def _unknown(wanted: str, searched: Sequence[str]) -> ReconcileError:
    if not searched:
        return ReconcileError(
            "there is no order source to look in", mend="name one under `orders:` in the project file"
        )
    where = "order source" if len(searched) == 1 else "order sources"
    return ReconcileError(
        f"there is no order {wanted} in the {where} {', '.join(searched)}",
        mend=f"write its number, or its id as '{BY_ID}123'; an order that cannot be read counts as absent",
    )


class OrderOutcome(StrEnum):
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
    outcome: OrderOutcome
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


def _outcome(judge: OneOrder) -> tuple[OrderOutcome, str | None]:
    if judge.winner is not None:
        return OrderOutcome.GETS, judge.winner
    if judge.owner is None:
        return OrderOutcome.NOBODY, None
    row = judge.row(judge.owner)
    pending = row is not None and row.status is Status.PENDING
    return (OrderOutcome.KEEPS if pending else OrderOutcome.CLOSED), judge.owner


def _verdict(rule: Rule, order: Order, judge: OneOrder, names: Mapping[str, str]) -> AccountVerdict:
    look, row = judge.look(rule, order), judge.row(rule.account.interface_id)
    closed = row is not None and row.closed
    taken = _already_invited(rule, order, judge, names)
    criteria = (
        *explain(rule, order, judged_at=look.judged_at, reached=look.reached),
        _is_suppressed(look, judge.privacy.cap, limited=look.too_often and taken.ok),
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
            remedy(FailedCriterion(each, rule.account.invitations, order, look))
            for each in criteria
            if not each.ok and not closed
        ),
    )


def _time(rule: Rule, order: Order, look: AccountJudgement, judge: OneOrder) -> Instant | None:
    row = judge.row(rule.account.interface_id)
    if row is not None and judge.owner == row.interface_id:
        moved = {step.row_id: step.scheduled_at for step in judge.steps.reschedule}
        return moved.get(row.id, row.scheduled_at)
    if look.reached is None:
        return None
    return scheduled_at(rule, look.reached, order.order_id, judged_at=look.judged_at)


def _is_suppressed(look: AccountJudgement, cap: Cap | None, *, limited: bool) -> CriterionResult:
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
