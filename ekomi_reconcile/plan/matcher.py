"""Match orders with accounts: who is invited, who no longer, who at another time.

One order belongs to at most one account. A row that is sent, skipped, failed or unknown closes the
order for good; a pending row stays with its account while that account matches; otherwise the account
of the highest rank that matches gets it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from ekomi_reconcile.model.account import DELETED_STORE_VIEW
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import (
    MARKS,
    ON_HOLD_MARK,
    CancelStep,
    Criterion,
    Invitation,
    Observation,
    Reached,
    RescheduleStep,
    ScheduleStep,
    Status,
    holder_of,
)
from ekomi_reconcile.model.order import HistoryEntry, Order
from ekomi_reconcile.plan.order_numbers import (
    Contest,
    Numbers,
    OrderKey,
    Resume,
    holders,
    key_of_order,
    key_of_row,
)
from ekomi_reconcile.plan.plan import InvitationSteps
from ekomi_reconcile.plan.steps import ReasonTally
from ekomi_reconcile.plan.view import Privacy, Queue
from ekomi_reconcile.rules.reached import reached
from ekomi_reconcile.rules.rulebook import (
    Rule,
    RuleBook,
    blocked_state,
    ended_by,
    key_of,
    refusal,
    scheduled_at,
    waits_on_hold,
)

ACCOUNT_DELETED = "account_deleted"
"""Why a row is cancelled whose account leaves the files."""

SOURCE_CHANGED = "order_source"
"""Why a row is cancelled whose account now reads its orders elsewhere."""

_NOTHING_SEEN: Mapping[str, Instant] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is matched.

    ``fresh`` accounts have new or changed rules, ``leaving`` ones are deleted, ``moved`` ones read their
    orders elsewhere now. ``shops`` are the order sources in use.
    """

    source: str
    book: RuleBook
    selected: frozenset[str]
    fresh: frozenset[str]
    leaving: frozenset[str]
    moved: frozenset[str] = frozenset()
    shops: frozenset[str] = frozenset()
    now: Instant

    def parting(self, interface_id: str) -> str | None:
        """Why this account gives up its rows here, if it does."""
        if interface_id in self.leaving:
            return ACCOUNT_DELETED
        return SOURCE_CHANGED if interface_id in self.moved else None


@dataclass(slots=True)
class Matcher:
    """Decides order by order; the decisions collect in ``steps`` and ``tally``.

    ``passed_over`` are accounts, left out of this plan, that would get an order which another gives up: they
    have to start anew, for their position may be behind it.
    """

    question: Question
    queue: Queue
    privacy: Privacy
    steps: InvitationSteps = field(default_factory=InvitationSteps)
    tally: ReasonTally = field(default_factory=ReasonTally)
    passed_over: set[str] = field(default_factory=set)
    numbers: Numbers = field(init=False)
    _released: bool = False
    _waits: bool = False
    _loads: defaultdict[str, list[Instant]] = field(default_factory=lambda: defaultdict(list))
    _planned: defaultdict[str, list[Instant]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.numbers = Numbers(self.question.source, self.question.shops | {self.question.source})

    def batch(self, orders: Sequence[Order]) -> None:
        """Decide these orders, which were just read.

        Raises:
            OrderSourceError: they are those of another shop.
        """
        ids = [order.order_id for order in orders]
        rows = self.queue.rows_for(self.question.source, ids)
        self.numbers.rows = self.queue.rows_numbered([order.number for order in orders])
        seen = self.queue.observations(self.question.source, ids)
        self._look_up_customers(orders)
        for order in orders:
            self.tally.read(order)
            known, noted = rows.get(order.order_id, ()), seen.get(order.order_id)
            marked = noted is not None and noted.status in MARKS
            self._waits, before = False, len(self.steps.observations)
            self._decide(in_its_store_view(order, known), known, None if marked else noted)
            mark = ON_HOLD_MARK if self._waits else None
            if mark is not None and (noted is None or noted.status != mark):
                self._note(order, mark)
            elif marked and mark is None and len(self.steps.observations) == before:
                self._note(order, order.status or order.state or "")

    def _note(self, order: Order, status: str) -> None:
        """Note that the order's invitation waits for it, or no longer does."""
        noted = Observation(
            source=self.question.source,
            order_id=order.order_id,
            status=status,
            since=self.question.now,
            moved=False,
        )
        self.steps.observations.append(noted)

    def missing(self, rows: Iterable[Invitation]) -> None:
        """Rows whose orders cannot be read: they stay, unless their account leaves."""
        for row in rows:
            parting = self.question.parting(row.interface_id)
            if row.status is Status.PENDING and parting is not None:
                self.cancel(row, parting)

    def cancel(self, row: Invitation, reason: str) -> None:
        """Plan to take this row out of the queue."""
        if row.customer is not None and row.scheduled_at in self._loads.get(row.customer, ()):
            self._loads[row.customer].remove(row.scheduled_at)
        changed = self.question.fresh | self.question.moved
        self.steps.cancel.append(cancellation(row, reason, rule_change=row.interface_id in changed))

    def _decide(self, order: Order, rows: Sequence[Invitation], seen: Observation | None) -> None:
        if rows:
            self.numbers.compare(order, rows)
        live = holder_of(rows) if rows else None
        if live is not None and live.id in self.numbers.displaced:
            live = None
        taken = live is not None and (live.status is not Status.PENDING or self._keeps(live, order, seen))
        self._released = live is not None and not taken
        self._offer(order, rows, seen, owner=live.interface_id if live is not None and taken else None)

    def _keeps(self, row: Invitation, order: Order, seen: Observation | None) -> bool:
        """Does this pending row stay in the queue? If not, it is cancelled."""
        question = self.question
        parting = question.parting(row.interface_id)
        if parting is not None:
            self.cancel(row, parting)
            return False
        rule = question.book.rule(row.interface_id)
        held = (
            rule is None or not rule.account.invitations.enabled or row.interface_id not in question.selected
        )
        if rule is None or held:
            return True
        if waits_on_hold(order, rule):
            self._waits = True
            return True
        fresh = row.interface_id in question.fresh or not _follows(row, rule)
        known = self._reached(rule, order, row, seen) if fresh else row.reached
        failed = self._refusal(rule, order, judged_at=row.judged_at, known=known)
        if failed is None and row.customer in self.privacy.opted_out_digests:
            failed = Criterion.SUPPRESSED
        if failed is None:
            failed = self._number_refusal(rule, order)
        if failed is not None or known is None:
            self.cancel(row, cancel_reason(failed, order, rule))
            return False
        if fresh and not row.pushed:
            self._reschedule(row, known, scheduled_at(rule, known, order.order_id, judged_at=row.judged_at))
        return True

    def _reached(
        self, rule: Rule, order: Order, row: Invitation | None, seen: Observation | None
    ) -> Reached | None:
        return reached(
            rule,
            order,
            now=self.question.now,
            seen=self._sight(order, seen),
            recorded=None if seen is None else HistoryEntry(seen.status, seen.since),
            frozen=None if row is None else row.reached,
        )

    def _refusal(
        self,
        rule: Rule,
        order: Order,
        *,
        judged_at: Instant,
        known: Reached | None,
        candidate: bool = False,
    ) -> Criterion | None:
        failed = refusal(rule, order, judged_at=judged_at, reached=known, candidate=candidate)
        if failed is None and self.privacy.opted_out(order):
            return Criterion.SUPPRESSED
        return failed

    def _reschedule(self, row: Invitation, known: Reached, when: Instant) -> None:
        if when == row.scheduled_at:
            return
        self.steps.reschedule.append(
            RescheduleStep(
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
            )
        )

    def _offer(
        self,
        order: Order,
        rows: Sequence[Invitation],
        seen: Observation | None,
        *,
        owner: str | None,
    ) -> None:
        """Offer the order to every account in winning order; ``owner`` already has it."""
        resume = Resume(rows=rows, seen=seen, owner=owner, waits=False)
        self._offer_to(
            iter(self.question.book.candidates(order.store_view)), order, resume, taken=owner is not None
        )

    def _offer_to(self, rules: Iterator[Rule], order: Order, resume: Resume, *, taken: bool) -> None:
        rows, seen, owner, waits = resume.rows, resume.seen, resume.owner, resume.waits
        for rule in rules:
            key = rule.interface_id
            self.tally.saw(key)
            if key == owner or key in self.question.leaving:
                continue
            row = next((row for row in rows if row.interface_id == key), None) if rows else None
            known = self._reached(rule, order, row, seen)
            judged_at = row.judged_at if row else self.question.now
            failed = self._refusal(rule, order, judged_at=judged_at, known=known, candidate=True)
            self.tally.judged(key, failed)
            if failed is None:
                failed = self._number_refusal(rule, order)
            if failed is None and taken:
                failed = Criterion.ALREADY_INVITED
            if failed is None and known is not None and self._too_often(rule, order, known, judged_at):
                failed = Criterion.SUPPRESSED
            if failed is not None:
                self.tally.refused(key, failed)
                waits = waits or failed is Criterion.ORDER_STATUS
            elif known is not None and key in self.question.selected and not self.numbers.give(order, key):
                resume = Resume(rows=rows, seen=seen, owner=owner, waits=waits)
                self.numbers.contests.append(Contest(order, rule, known, judged_at, rules, resume))
                return
            elif known is not None:
                taken = True
                self._schedule(rule, order, known, judged_at)
        self._observe(order, seen, waits=waits and not taken)

    def _number_refusal(self, rule: Rule, order: Order) -> Criterion | None:
        """Does an invitation under the same number stand against inviting this order?"""
        numbers = self.numbers
        if order.number not in numbers.rows:
            return None
        if numbers.invited_before(order, self.privacy.customer(order)) is not None:
            return Criterion.ALREADY_INVITED
        rival = numbers.rival(order, rule.interface_id)
        if rival is None:
            return None
        numbers.note(rule.account.name, invited=key_of_row(rival), other=key_of_order(order, numbers.source))
        return Criterion.DUPLICATE_NUMBER

    def settle_numbers(self) -> None:
        """Decide the orders whose number this plan gives away more than once: the earliest is invited."""
        numbers = self.numbers
        while contests := sorted(
            numbers.contests, key=lambda each: (each.order.created_at, each.order.order_id)
        ):
            numbers.contests = []
            numbers.rows = self.queue.rows_numbered([each.order.number for each in contests])
            self._look_up_customers([each.order for each in contests])
            held = holders(self.steps.schedule, {each.spot for each in contests})
            lost = {step for each in contests if (step := self._settle(each, held)) is not None}
            if lost:
                kept = self.steps.schedule.without(lambda step: key_of_row(step) in lost)  # noqa: B023
                self.steps = replace(self.steps, schedule=kept)

    def _settle(self, contest: Contest, held: dict[tuple[str, str], OrderKey]) -> OrderKey | None:
        """Invite the order, or offer it on; the order that it displaces from this plan, if it does."""
        order, rule = contest.order, contest.rule
        mine, first = key_of_order(order, self.question.source), held.get(contest.spot)
        wins = first is None or mine.rank < first.rank
        if wins:
            self._schedule(rule, order, contest.known, contest.judged_at)
            held[contest.spot] = mine
        if first is not None:
            invited, other = (mine, first) if wins else (first, mine)
            self.numbers.note(rule.account.name, invited=invited, other=other)
            self.tally.refused(rule.interface_id, Criterion.DUPLICATE_NUMBER)
        self._offer_to(contest.rules, order, contest.resume, taken=wins)
        return first if wins else None

    def _displace(self, rule: Rule, order: Order, row: Invitation) -> None:
        """Take a later order with the same number out of the queue."""
        self.numbers.displaced.add(row.id)
        self.cancel(row, Criterion.DUPLICATE_NUMBER.value)
        self.numbers.note(
            rule.account.name, invited=key_of_order(order, self.question.source), other=key_of_row(row)
        )

    def _schedule(self, rule: Rule, order: Order, known: Reached, judged_at: Instant) -> None:
        question, key = self.question, rule.interface_id
        if key not in question.selected:
            if self._released:
                self.passed_over.add(key)
            return
        for row in self.numbers.later(order, key):
            self._displace(rule, order, row)
        when = scheduled_at(rule, known, order.order_id, judged_at=judged_at)
        customer = self.privacy.customer(order)
        if customer is not None and self.privacy.cap is not None:
            self._planned[customer].append(max(when, question.now))
        self.steps.schedule.append(
            ScheduleStep(
                interface_id=key,
                source=question.source,
                order_id=order.order_id,
                number=order.number,
                store_view=order.store_view,
                order_date=order.created_at,
                reached_at=known.at,
                reached_status=known.status,
                reached_source=known.source.value,
                judged_at=judged_at,
                scheduled_at=when,
                customer=customer if self.privacy.lasting else None,
                rule_change=key in question.fresh,
            )
        )

    def _look_up_customers(self, orders: Sequence[Order]) -> None:
        cap = self.privacy.cap
        if cap is None:
            return
        customers = {digest for order in orders if (digest := self.privacy.customer(order))}
        since = self.question.now - (cap.days + 366) * DAY
        self._loads.clear()
        for digest, instants in self.queue.customer_load(customers, since).items():
            self._loads[digest] = list(instants)

    def _too_often(self, rule: Rule, order: Order, known: Reached, judged_at: Instant) -> bool:
        """Would the customer be asked more often than the limit allows? What is overdue is asked now."""
        cap = self.privacy.cap
        if cap is None or (customer := self.privacy.customer(order)) is None:
            return False
        when = max(scheduled_at(rule, known, order.order_id, judged_at=judged_at), self.question.now)
        asked = [*self._loads.get(customer, ()), *self._planned.get(customer, ())]
        return cap.reached(when, asked)

    def _sight(self, order: Order, seen: Observation | None) -> Mapping[str, Instant]:
        """In which status we saw the order arrive ourselves, and when."""
        if seen is None or order.status is None:
            return _NOTHING_SEEN
        if seen.status != order.status:
            return {order.status: self.question.now}
        return {seen.status: seen.since} if seen.moved else _NOTHING_SEEN

    def _observe(self, order: Order, seen: Observation | None, *, waits: bool) -> None:
        """Remember the status while it may still become one that starts the clock.

        It is remembered again where a shipment or invoice was made since: that the order had not moved on by
        then speaks against dating it by this document.
        """
        if order.status is None or blocked_state(order):
            return
        if seen is None or seen.status == order.status:
            newer = seen is None or _documented_since(order, seen.since)
            if not (waits and newer):
                return
        self.steps.observations.append(
            Observation(
                source=self.question.source,
                order_id=order.order_id,
                status=order.status,
                since=self.question.now,
                moved=seen is not None and (seen.moved or seen.status != order.status),
            )
        )


def in_its_store_view(order: Order, rows: Iterable[Invitation]) -> Order:
    """The order in the store view that was recorded with its invitation, where the shop no longer tells it.

    A store view that was deleted must not move its orders to an account that excludes it by name.
    """
    unknown = (None, DELETED_STORE_VIEW)
    if order.store_view not in unknown:
        return order
    recorded = next((row.store_view for row in rows if row.store_view not in unknown), None)
    return order if recorded is None else msgspec.structs.replace(order, store_view=recorded, store_id=None)


def _documented_since(order: Order, at: Instant) -> bool:
    """Was a shipment or invoice made after this instant?"""
    return any(each is not None and each > at for each in (order.last_shipped_at, order.last_invoiced_at))


def _follows(row: Invitation, rule: Rule) -> bool:
    """Does the row stand as this rule wants it? One that was on hold when the rule changed does not."""
    triggers = {key for key, _ in rule.triggers}
    due = scheduled_at(rule, row.reached, row.order_id, judged_at=row.judged_at)
    return key_of(row.reached.status) in triggers and row.scheduled_at == due


def cancellation(row: Invitation, reason: str, *, rule_change: bool) -> CancelStep:
    """The step that takes this row out of the queue."""
    return CancelStep(
        interface_id=row.interface_id,
        row_id=row.id,
        source=row.source,
        order_id=row.order_id,
        number=row.number,
        reason=reason,
        rule_change=rule_change,
    )


def cancel_reason(failed: Criterion | None, order: Order, rule: Rule) -> str:
    """Why a row leaves the queue, as it is recorded: the criterion, with the status that ended the order."""
    ended = ended_by(order, rule.account.invitations)
    if failed is Criterion.ORDER_STATUS and ended is not None:
        return f"{failed.value}: {ended}"
    return (failed or Criterion.ORDER_STATUS).value
