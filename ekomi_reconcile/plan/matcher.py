"""Match orders with accounts: who is invited, who no longer, who at another time.

One order belongs to at most one account. An invitation that is sent, skipped, failed or unknown closes the
order for good; a pending one stays with its account while that account matches; otherwise the account of the
highest rank that matches gets the order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ekomi_reconcile.model import invitation
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order, OrderId, id_rank, status_key
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.plan import decision_trace
from ekomi_reconcile.plan.plan import InvitationSteps
from ekomi_reconcile.plan.steps import OrderNumbers, holders, review_places
from ekomi_reconcile.plan.view import CustomerLoad, Privacy, Queue, in_its_store_view
from ekomi_reconcile.rules import rulebook
from ekomi_reconcile.rules.case import Case, OrderKey, key_of_order, key_of_row
from ekomi_reconcile.rules.judge import first_failed
from ekomi_reconcile.rules.order_fields import products_of


@dataclass(slots=True)
class Matcher:
    """Decides order by order; the decisions collect in ``steps`` and ``tally``.

    ``passed_over`` are accounts, left out of this plan, that would get an order which another gives up: they
    have to start again, for their position may be behind it.
    """

    request: decision_trace.MatchRequest
    queue: Queue
    privacy: Privacy
    schedule: SendingSchedule = field(default_factory=SendingSchedule)
    steps: InvitationSteps = field(default_factory=InvitationSteps)
    tally: decision_trace.ReasonTally = field(default_factory=decision_trace.ReasonTally)
    passed_over: set[str] = field(default_factory=set)
    numbers: OrderNumbers = field(init=False)
    _load: CustomerLoad = field(default_factory=CustomerLoad)
    _context: decision_trace.PassContext = field(init=False)
    _contests: list[decision_trace.Contest] = field(default_factory=list)
    _reviews: bool | None = None
    _rows: Mapping[OrderId, Sequence[invitation.Invitation]] = field(default_factory=dict)
    _seen: Mapping[OrderId, invitation.Observation] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.numbers = OrderNumbers(self.request.source, self.request.shops | {self.request.source})
        self.steps = InvitationSteps.at(self.request.now)
        self._context = decision_trace.PassContext(self.request, self.privacy, self.numbers, self._load)

    def batch(self, orders: Sequence[Order]) -> None:
        """Decide these orders, which were just read.

        Raises:
            OrderSourceError: they are those of another shop.
        """
        self._look_up(orders)
        for order in orders:
            self._decide(order)

    def trace(self, order: Order) -> decision_trace.OrderTrace:
        """Decide one order and return what the decision rests on.

        Raises:
            OrderSourceError: it is one of another shop.
        """
        self._look_up([order])
        return self._decide(order)

    def _look_up(self, orders: Sequence[Order]) -> None:
        source, ids = self.request.source, [order.order_id for order in orders]
        self._rows = self.queue.rows_for(source, ids)
        self._seen = self.queue.observations(source, ids)
        self._look_up_shared(orders)

    def _look_up_shared(self, orders: Sequence[Order]) -> None:
        """Look up what is recorded of the numbers and customers of these orders."""
        self.numbers.rows = self.queue.rows_numbered([order.number for order in orders])
        if self._reviews is None:
            self._reviews = self.queue.any_reviews()
        if self._reviews:
            self.numbers.reviews = self.queue.reviewed(review_places(orders, self.request.book, self._rows))
        self._load.look_up(orders, self.queue, self.privacy, now=self.request.now)

    def _decide(self, order: Order) -> decision_trace.OrderTrace:
        self.tally.read(order)
        rows, noted = self._rows.get(order.order_id, ()), self._seen.get(order.order_id)
        marked = noted is not None and noted.status in invitation.MARKS
        trace = decision_trace.OrderTrace(
            self._context,
            in_its_store_view(order, rows) if rows else order,
            rows,
            None if marked else noted,
        )
        before = len(self.steps.observations)
        if rows:
            self.numbers.compare(trace.order, rows)
            self._settle_holder(trace)
        self._offer(trace, iter(self.request.book.candidates(trace.order.store_view)))
        if trace.on_hold and (noted is None or noted.status != invitation.ON_HOLD_MARK):
            self._note(order, invitation.ON_HOLD_MARK)
        elif marked and not trace.on_hold and len(self.steps.observations) == before:
            self._note(order, order.status or order.state or "")
        return trace

    def _note(self, order: Order, status: str) -> None:
        """Note that the order's invitation waits for it, or no longer does."""
        noted = invitation.Observation(
            source=self.request.source,
            order_id=order.order_id,
            status=status,
            since=self.request.now,
            moved=False,
        )
        self.steps.observations.append(noted)

    def missing(self, rows: Iterable[invitation.Invitation]) -> None:
        """Invitations whose orders cannot be read: they stay, unless their account leaves."""
        for row in rows:
            parting = self.request.parting(row.interface_id)
            if row.status is invitation.Status.PENDING and parting is not None:
                self._cancel(row, parting)

    def _cancel(self, row: invitation.Invitation, reason: str) -> None:
        """Plan to take this invitation out of the queue."""
        self._load.release(row)
        changed = self.request.fresh | self.request.moved
        self.steps.cancel.append(cancellation(row, reason, rule_change=row.interface_id in changed))

    def _settle_holder(self, trace: decision_trace.OrderTrace) -> None:
        """Find the invitation that has the order, and cancel it where it must not keep it."""
        live = invitation.holder_of(trace.rows)
        if live is None or live.id in self.numbers.displaced:
            return
        trace.holder = live
        if live.status is not invitation.Status.PENDING:
            return
        reason = self._why_cancelled(trace, live)
        if reason is not None:
            trace.give_up(reason)
            self._cancel(live, reason)

    def _why_cancelled(self, trace: decision_trace.OrderTrace, row: invitation.Invitation) -> str | None:
        """Why this pending invitation leaves the queue; ``None`` if it stays."""
        request, order = self.request, trace.order
        parting = request.parting(row.interface_id)
        if parting is not None:
            return parting
        rule = request.book.rule(row.interface_id)
        if rule is None or not rule.account.invitations.enabled or row.interface_id not in request.selected:
            return None
        if rulebook.waits_on_hold(order, rule):
            trace.on_hold = True
            return None
        fresh = row.interface_id in request.fresh or not _follows(row, rule)
        reached = trace.reached_by(rule, row) if fresh else row.reached
        case = trace.held_case(rule, row, reached, days=None if fresh else row.pending_days)
        failed = first_failed(case)
        if failed is not None:
            self._note_rival(case, failed)
            return cancel_reason(failed, order, rule)
        if fresh and not row.pushed:
            self._reschedule(trace, row, case)
        return None

    def _reschedule(self, trace: decision_trace.OrderTrace, row: invitation.Invitation, case: Case) -> None:
        known, when, days = case.reached, case.scheduled_at, case.pending_days
        if known is None or when is None:
            return
        same_days = days == row.pending_days or (row.pending_days is None and not case.rule.overrides)
        if when == row.scheduled_at and same_days:
            return
        trace.due = when
        self.steps.reschedule.append(
            invitation.RescheduleStep(
                interface_id=row.interface_id,
                row_id=row.id,
                source=row.source,
                order_id=row.order_id,
                number=row.number,
                scheduled_at=when,
                previously=row.scheduled_at,
                reached_at=known.at,
                reached_status=known.status,
                reached_source=known.source.value,
                rule_change=True,
                pending_days=days,
                leaves_at=self._leaves_at(row.interface_id, when),
                channel=_channel(trace.order, case.rule.account.invitations),
                products=_products(trace.order, case.rule),
            )
        )

    def _offer(self, trace: decision_trace.OrderTrace, rules: Iterator[rulebook.Rule]) -> None:
        """Offer the order to every account in winning order, but to the one that has it already."""
        request, tally = self.request, self.tally
        holder = None if trace.holder is None else trace.holder.interface_id
        for rule in rules:
            key = rule.interface_id
            if key == holder or key in request.leaving:
                tally.saw(key)
                continue
            case = trace.case(rule)
            failed = first_failed(case, candidate=True)
            tally.judged(key, failed)
            if failed is not None:
                trace.waits = trace.waits or failed is invitation.Criterion.ORDER_STATUS
                trace.stopped_at(failed)
                self._note_rival(case, failed)
            elif key in request.selected and not self.numbers.give(trace.order, key):
                self._contests.append(decision_trace.Contest(trace, case, rules))
                return
            else:
                self._schedule(trace, case)
        self._observe(trace)
        if (passed := trace.passed()) is not None:
            self.steps.passed.append(passed)

    def _note_rival(self, case: Case, failed: invitation.Criterion) -> None:
        """Remember which order is invited in place of this one, if its number is the reason."""
        rival = (
            case.known.rival(case.rule.interface_id)
            if failed is invitation.Criterion.DUPLICATE_NUMBER
            else None
        )
        if rival is not None:
            other = key_of_order(case.order, self.request.source)
            self.numbers.note(case.rule.account.name, invited=key_of_row(rival), other=other)

    def settle_numbers(self) -> None:
        """Decide the orders whose number this plan gives away more than once: the earliest is invited."""
        while contests := sorted(
            self._contests, key=lambda each: (each.case.order.created_at, id_rank(each.case.order.order_id))
        ):
            self._contests = []
            self._look_up_shared([each.case.order for each in contests])
            held = holders(self.steps.schedule, {each.spot for each in contests})
            lost = {step for each in contests if (step := self._settle(each, held)) is not None}
            if lost:
                kept = self.steps.schedule.without(lambda step: key_of_row(step) in lost)  # noqa: B023
                self.steps = replace(self.steps, schedule=kept)

    def _settle(
        self, contest: decision_trace.Contest, held: dict[tuple[str, str], OrderKey]
    ) -> OrderKey | None:
        """Invite the order, or offer it on; the order that it displaces from this plan, if it does."""
        trace, rule = contest.trace, contest.case.rule
        trace.look_again()
        mine, first = key_of_order(trace.order, self.request.source), held.get(contest.spot)
        wins = first is None or mine.rank < first.rank
        if wins:
            self._schedule(trace, contest.case)
            held[contest.spot] = mine
        if first is not None:
            invited, other = (mine, first) if wins else (first, mine)
            self.numbers.note(rule.account.name, invited=invited, other=other)
            self.tally.refused(rule.interface_id, invitation.Criterion.DUPLICATE_NUMBER)
            trace.stopped_at(invitation.Criterion.DUPLICATE_NUMBER)
        self._offer(trace, contest.rules)
        return first if wins else None

    def _displace(self, rule: rulebook.Rule, order: Order, row: invitation.Invitation) -> None:
        """Take a later order with the same number out of the queue."""
        self.numbers.displaced.add(row.id)
        self._cancel(row, invitation.Criterion.DUPLICATE_NUMBER.value)
        self.numbers.note(
            rule.account.name, invited=key_of_order(order, self.request.source), other=key_of_row(row)
        )

    def _schedule(self, trace: decision_trace.OrderTrace, case: Case) -> None:
        """Give the order to the account of this case."""
        request, order, rule = self.request, trace.order, case.rule
        known, when = case.reached, case.scheduled_at
        if known is None or when is None:
            return
        trace.winner = rule.account
        key = rule.interface_id
        if key not in request.selected:
            if trace.released_by is not None:
                self.passed_over.add(key)
            return
        for row in self.numbers.later(order, key):
            self._displace(rule, order, row)
        customer = self.privacy.customer(order)
        if customer is not None and self.privacy.cap is not None:
            self._load.add(customer, max(when, request.now))
        self.steps.schedule.append(
            invitation.ScheduleStep(
                interface_id=key,
                source=request.source,
                order_id=order.order_id,
                number=order.number,
                store_view=order.store_view,
                order_date=order.created_at,
                reached_at=known.at,
                reached_status=known.status,
                reached_source=known.source.value,
                judged_at=case.judged_at,
                scheduled_at=when,
                customer=customer if self.privacy.lasting else None,
                pending_days=case.pending_days,
                rule_change=key in request.fresh,
                leaves_at=self._leaves_at(key, when),
                channel=_channel(order, rule.account.invitations),
                products=_products(order, rule),
                released_by=trace.released_by,
            )
        )

    def _leaves_at(self, interface_id: str, when: Instant) -> Instant | None:
        return self.schedule.leaves_at(interface_id, when, now=self.request.now)

    def _observe(self, trace: decision_trace.OrderTrace) -> None:
        """Remember the status while it may still become one that starts the clock.

        It is remembered again where a shipment or invoice was made since: that the order had not moved on by
        then speaks against dating it by this document.
        """
        order, seen = trace.order, trace.seen
        if order.status is None or rulebook.blocked_state(order):
            return
        waits = trace.waits and trace.holder is None and trace.winner is None
        if seen is None or seen.status == order.status:
            newer = seen is None or _documented_since(order, seen.since)
            if not (waits and newer):
                return
        self.steps.observations.append(
            invitation.Observation(
                source=self.request.source,
                order_id=order.order_id,
                status=order.status,
                since=self.request.now,
                moved=seen is not None and (seen.moved or seen.status != order.status),
            )
        )


def _documented_since(order: Order, at: Instant) -> bool:
    """Was a shipment or invoice made after this instant?"""
    return any(each is not None and each > at for each in (order.last_shipped_at, order.last_invoiced_at))


def _follows(row: invitation.Invitation, rule: rulebook.Rule) -> bool:
    """Does the row agree with this rule? One that was on hold when the rule changed does not."""
    if not decision_trace.keeps_period(row, rule) or status_key(row.reached.status) not in {
        key for key, _ in rule.triggers
    }:
        return False
    days = rule.account.invitations.pending_period if row.pending_days is None else row.pending_days
    due = rulebook.scheduled_at(rule, row.reached, row.order_id, judged_at=row.judged_at, days=days)
    return row.scheduled_at == due


def cancellation(row: invitation.Invitation, reason: str, *, rule_change: bool) -> invitation.CancelStep:
    """The step that takes this row out of the queue."""
    return invitation.CancelStep(
        interface_id=row.interface_id,
        row_id=row.id,
        source=row.source,
        order_id=row.order_id,
        number=row.number,
        reason=reason,
        rule_change=rule_change,
    )


def cancel_reason(failed: invitation.Criterion | None, order: Order, rule: rulebook.Rule) -> str:
    """Why a row leaves the queue, as it is recorded: the criterion, with the status that ended the order."""
    ended = rulebook.ended_by(order, rule.account.invitations)
    if failed is invitation.Criterion.ORDER_STATUS and ended is not None:
        return f"{failed.value}: {ended}"
    return (failed or invitation.Criterion.ORDER_STATUS).value


def _products(order: Order, rule: rulebook.Rule) -> tuple[str, ...]:
    """The shop's identifiers of the products that an invitation would ask about."""
    return tuple(each.identifier for each in products_of(order, rule.account.invitations.products))


def _channel(order: Order, rule: InvitationRule) -> Deliver | None:
    """The channel of an order that passed all criteria: so an only one has an address."""
    return rule.only_channel or rulebook.channel_of(order, rule)
