"""Replay past orders at their own times: whom one or two revisions of the rules would have invited.

The reconciler sees an order at ticks, every 15 minutes. Between two changes of an order only its age grows,
and that only ever speaks against it: so an order is judged at the first tick after each change. At each one
it is judged as it was then: with the history up to that instant, and the status that the history gives it.
The first account that takes it has it.

The history of an order may lack changes; Magento leaves out most invoices, refunds and cancellations. What
it has is replayed; a final status that it lacks is dated by the latest later document, else by
``updated_at``. An order whose history has no status at all is judged by its final state. Both are counted as
``approximate``.

Pure: memory does not grow with the orders. So the limit per customer and numbers that occur twice, which need
all earlier orders, are not replayed; nor are reviews.

``RecordedQueue`` replays the rules that were in force, at the times of the runs, beside the queue.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import msgspec

from ekomi_reconcile.model import invitation
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order, OrderId, order_state_of, status_key
from ekomi_reconcile.model.review import Response, week_of
from ekomi_reconcile.rules.case import Case
from ekomi_reconcile.rules.judge import COMPLETE, first_failed, reached
from ekomi_reconcile.rules.rulebook import Rule, RuleBook

TICK = 15 * 60
"""Seconds between two looks of the reconciler."""

EXAMPLES = 5
"""Orders that are shown for each kind of difference."""


class Replayed(NamedTuple):
    """The invitation that an order would have got: scheduled at ``judged_at`` to be sent at ``due``."""

    account: Account
    judged_at: Instant
    due: Instant


class Difference(StrEnum):
    """How two revisions treat one order differently."""

    ONLY_FIRST = "only_first"
    ONLY_SECOND = "only_second"
    OTHER_ACCOUNT = "other_account"
    OTHER_TIME = "other_time"


@dataclass(frozen=True, slots=True)
class Example:
    """An order that two revisions treat differently."""

    number: str
    kind: Difference
    first: Replayed | None
    second: Replayed | None


@dataclass(slots=True)
class ReplayedRules:
    """The rules of one revision, and whom they invited so far.

    ``weeks`` counts by the Monday (as an instant) of the week in which invitations are due, and by account.
    """

    ref: str
    accounts: Sequence[Account]
    invited: Counter[str] = field(default_factory=Counter)
    weeks: Counter[tuple[Instant, str]] = field(default_factory=Counter)

    def book(self, source: str) -> RuleBook:
        """The rules for the orders of one source."""
        return book_of(self.accounts, source)

    def count(self, found: Replayed) -> None:
        """Count an invitation."""
        self.invited[found.account.interface_id] += 1
        self.weeks[week_of(found.due), found.account.interface_id] += 1


def book_of(accounts: Sequence[Account], source: str) -> RuleBook:
    """The rules for the orders of one source."""
    return RuleBook(each for each in accounts if each.orders == source)


@dataclass(frozen=True, slots=True)
class PastRun:
    """A run of the reconciler; ``accounts`` are those of its files, ``None`` where they are unknown."""

    at: Instant
    accounts: Sequence[Account] | None


@dataclass(slots=True)
class RecordedQueue:
    """What the runs did, beside a replay of their own rules: is the replay to be believed?

    ``queue`` gives the account that each of these orders of a source was scheduled for first, by interface
    id. ``agreed`` of ``compared`` orders have the same account in the replay, or none in both. Compared are
    orders with a complete history that were placed after the first of ``runs`` (ascending).
    """

    runs: Sequence[PastRun]
    queue: Callable[[str, Sequence[OrderId]], Mapping[OrderId, str]]
    agreed: int = 0
    compared: int = 0

    @property
    def agreement(self) -> float | None:
        """The share that agreed; ``None`` where nothing could be compared."""
        return self.agreed / self.compared if self.compared else None

    def compare(self, source: str, orders: Sequence[Order], opted_out: Callable[[Order], bool]) -> None:
        """Compare a batch of orders of one source."""
        if not self.runs:
            return
        placed = [each for each in orders if each.created_at >= self.runs[0].at and complete_history(each)]
        found = self.queue(source, [each.order_id for each in placed])
        books = self._books(source)
        times = [run.at for run in self.runs]
        for order in placed:
            seen = _runs_that_saw(order, times, books)
            if any(books[number] is None for number in seen):
                continue
            self.compared += 1
            looks = ((times[each], _as_of(order, times[each]), books[each]) for each in seen)
            taken = _first_taken(
                (
                    (at, then, book.candidates(order.store_view))
                    for at, then, book in looks
                    if book is not None
                ),
                opted_out,
            )
            account = None if taken is None else taken.account.interface_id
            self.agreed += account == found.get(order.order_id)

    def _books(self, source: str) -> list[RuleBook | None]:
        """The rules at each run; the same object as long as they stay the same."""
        made: dict[int, RuleBook] = {}
        for run in self.runs:
            if run.accounts is not None and id(run.accounts) not in made:
                made[id(run.accounts)] = book_of(run.accounts, source)
        return [None if run.accounts is None else made[id(run.accounts)] for run in self.runs]


def _runs_that_saw(order: Order, times: Sequence[Instant], books: Sequence[RuleBook | None]) -> list[int]:
    """The numbers of the runs that looked at the order: the first after each change of it or of the rules."""
    changes = {order.created_at, *(each.created_at for each in order.history), *_documented(order)}
    found = {bisect_left(times, each) for each in changes}
    first = bisect_left(times, order.created_at)
    found.update(n for n in range(first + 1, len(times)) if books[n] is not books[n - 1])
    return sorted(each for each in found if each < len(times))


def _first_taken(
    looks: Iterable[tuple[Instant, Order, Sequence[Rule]]], opted_out: Callable[[Order], bool]
) -> Replayed | None:
    """The first invitation from these looks at an order, each with what it was then and the rules then."""
    for at, then, rules in looks:
        for rule in rules:
            known = reached(rule, then, now=at)
            found = None if known is None else _judged(rule, then, at, known, opted_out)
            if found is not None:
                return found
    return None


def _judged(
    rule: Rule, order: Order, at: Instant, known: invitation.Reached, opted_out: Callable[[Order], bool]
) -> Replayed | None:
    case = Case(rule, order, at, known, _Known(order, at, opted_out))
    if first_failed(case, candidate=True) is not None:
        return None
    due = case.scheduled_at
    return None if due is None else Replayed(rule.account, at, due)


class _Known:
    """What is known of an order in a replay: today's opt-outs, and nothing else.

    ``KnownFacts`` would do, but costs a fifth of a replay: the list is looked at only when a rule asks.
    """

    source = "default"
    cap = None
    asked = ()
    holder = None
    __slots__ = ("_opted_out", "now", "order")

    def __init__(self, order: Order, now: Instant, opted_out: Callable[[Order], bool]) -> None:
        self.order = order
        self.now = now
        self._opted_out = opted_out

    @property
    def opted_out(self) -> bool:
        return self._opted_out(self.order)

    def reviewed_at(self, interface_id: str) -> Instant | None:  # noqa: ARG002 - as in Known
        return None

    def rival(self, interface_id: str) -> invitation.Invitation | None:  # noqa: ARG002 - as in Known
        return None

    def claim(self, rule: Rule) -> invitation.Invitation | Account | None:  # noqa: ARG002 - as in Known
        return None

    def name(self, interface_id: str) -> str:
        return interface_id


@dataclass(slots=True)
class Backtest:
    """A replay of the orders that were created since an instant, under one or two revisions.

    ``opted_out`` tells whether a customer is on the suppression list of today; ``recorded`` is what the state
    has to compare with, ``responses`` what it knows about accounts by interface id.
    """

    since: Instant
    now: Instant
    revisions: Sequence[ReplayedRules]
    opted_out: Callable[[Order], bool]
    recorded: RecordedQueue | None = None
    responses: Mapping[str, Response] = field(default_factory=dict)
    orders: int = 0
    approximate: int = 0
    differences: Counter[Difference] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    def read(self, source: str, batches: Iterator[Sequence[Order]]) -> Iterator[int]:
        """Replay these orders of a source, and tell after each batch how many were replayed so far."""
        books = [each.book(source) for each in self.revisions]
        keys = {key for book in books for rule in book.rules for key, _ in rule.triggers}
        triggers = frozenset(keys | {COMPLETE})  # an order that is complete has passed processing
        equal = cache(lambda store_view: _equal_rules(books, store_view))
        for batch in batches:
            for order in batch:
                if order.created_at >= self.since:
                    self._replay(order, books[:1] if equal(order.store_view) else books, triggers)
            if self.recorded is not None:
                wanted = [order for order in batch if order.created_at >= self.since]
                self.recorded.compare(source, wanted, self.opted_out)
            yield self.orders

    def _replay(self, order: Order, books: Sequence[RuleBook], triggers: frozenset[str]) -> None:
        """Replay an order; with one book for two revisions they have the same rules for its store view."""
        self.orders += 1
        moments = tuple(moments_of(order, self.now, triggers))
        self.approximate += not (moments and complete_history(order))
        found = [self._invited(order, moments, book) for book in books]
        if len(found) < len(self.revisions):
            found *= len(self.revisions)
        for revision, each in zip(self.revisions, found, strict=True):
            if each is not None:
                revision.count(each)
        if len(found) > 1:
            self._compare(order, found[0], found[1])

    def _invited(
        self, order: Order, moments: Sequence[tuple[Instant, Order]], book: RuleBook
    ) -> Replayed | None:
        rules = book.candidates(order.store_view)
        if not moments:
            return self._by_final_state(order, rules)
        return _first_taken(((at, then, rules) for at, then in moments), self.opted_out)

    def _by_final_state(self, order: Order, rules: Sequence[Rule]) -> Replayed | None:
        """Of the accounts that take the order as it is today, the one that could have had it first."""
        best: Replayed | None = None
        for rule in rules:
            known = reached(rule, order, now=self.now)
            found = (
                None if known is None else _judged(rule, order, self._tick(known.at), known, self.opted_out)
            )
            if found is not None and (best is None or found.judged_at < best.judged_at):
                best = found
        return best

    def _tick(self, at: Instant) -> Instant:
        return min(tick_after(at), self.now)

    def _compare(self, order: Order, first: Replayed | None, second: Replayed | None) -> None:
        kind = _difference(first, second)
        if kind is None:
            return
        if self.differences[kind] < EXAMPLES:
            self.examples.append(Example(order.number, kind, first, second))
        self.differences[kind] += 1


def _equal_rules(books: Sequence[RuleBook], store_view: str | None) -> bool:
    """Have all revisions the same rules for this store view?"""
    first, *others = ([each.account.derived.text for each in book.candidates(store_view)] for book in books)
    return all(each == first for each in others)


def _difference(first: Replayed | None, second: Replayed | None) -> Difference | None:
    if first is None or second is None:
        if first is second:
            return None
        return Difference.ONLY_SECOND if first is None else Difference.ONLY_FIRST
    if first.account.interface_id != second.account.interface_id:
        return Difference.OTHER_ACCOUNT
    return None if first.due == second.due else Difference.OTHER_TIME


def tick_after(at: Instant) -> Instant:
    """The first tick at or after this instant."""
    return -(-at // TICK) * TICK


def _documented(order: Order) -> list[Instant]:
    """When invoices and shipments were made, as far as they are known."""
    times = (order.first_invoiced_at, order.last_invoiced_at, order.last_shipped_at)
    return [each for each in times if each is not None]


def complete_history(order: Order) -> bool:
    """Does the history end with the status that the order has?"""
    last = next((each.status for each in reversed(order.history) if each.status is not None), None)
    return last is not None and (order.status is None or status_key(last) == status_key(order.status))


def moments_of(order: Order, now: Instant, triggers: frozenset[str]) -> Iterator[tuple[Instant, Order]]:
    """The ticks at which the order has changed, each with the order as it was then, the earliest first.

    None where its history has no status. Those before it may have reached one of ``triggers`` are left out.
    """
    history = [each for each in order.history if each.status is not None and each.created_at <= now]
    if not history:
        return
    documents = [each for each in _documented(order) if each <= now]
    ends = history[-1].created_at
    whole = complete_history(order) and order.history[-1].created_at <= now
    if whole:
        last = max([ends, *documents])
    else:
        later = [each for each in documents if each > ends]
        last = max(later) if later else max(ends, min(order.updated_at or now, now))
    final = min(tick_after(last), now)
    wanted = triggers | {status_key(order.status or "")}
    started = [each.created_at for each in history if status_key(each.status or "") in wanted]
    start = min([*started, *documents], default=last)
    ticks = {min(tick_after(at), now) for at in (*(each.created_at for each in history), *documents)}
    for at in sorted(ticks):
        if at >= start and (at < final or not whole):
            yield at, _as_of(order, at)
    dated = order.updated_at is None or order.updated_at == last
    yield final, order if dated else msgspec.structs.replace(order, updated_at=last)


def _as_of(order: Order, at: Instant) -> Order:
    """The order as it was at this instant, as far as its history tells."""
    history = tuple(each for each in order.history if each.created_at <= at)
    status = next((each.status for each in reversed(history) if each.status is not None), None)
    first, invoiced, shipped = (
        each if each is not None and each <= at else None
        for each in (order.first_invoiced_at, order.last_invoiced_at, order.last_shipped_at)
    )
    changes = [*(each.created_at for each in history[-1:]), *filter(None, (invoiced, shipped))]
    same = status is not None and order.status is not None and status_key(status) == status_key(order.status)
    state = order.state if same else order_state_of(status or "")
    return msgspec.structs.replace(
        order,
        history=history,
        status=status,
        state=state,
        refunded=order.refunded if same else False,
        total_refunded=order.total_refunded if same else None,
        first_invoiced_at=first,
        last_invoiced_at=invoiced,
        last_shipped_at=shipped,
        updated_at=None if order.updated_at is None else max(changes, default=order.created_at),
    )
