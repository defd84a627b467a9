"""One pass over an order source: match its orders, and re-read those of invitations that it did not bring."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from ekomi_reconcile.model.account import Account, PositionRecord
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import SOURCE_CHANGED, CancelStep, Criterion, Invitation, Status
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.plan.decision_trace import ACCOUNT_DELETED, MatchRequest, ReasonTally
from ekomi_reconcile.plan.matcher import Matcher, cancellation
from ekomi_reconcile.plan.plan import InvitationSteps, Position
from ekomi_reconcile.plan.read_requests import Need
from ekomi_reconcile.plan.steps import ignored_reviews
from ekomi_reconcile.plan.view import Orders, Privacy, Queue
from ekomi_reconcile.rules.case import is_sole, key_of_row

_LOOKUP = 500
_OPEN = frozenset({Status.PENDING, Status.CANCELLED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """What matching one source brought; ``failure`` says why the source could not be read.

    ``stopped`` accounts were left out: their rules need what cannot be read.
    """

    steps: InvitationSteps
    positions: tuple[Position, ...] = ()
    passed_over: frozenset[str] = frozenset()
    diagnostics: tuple[Diagnostic, ...] = ()
    failure: str | None = None
    error: OrderSourceError | None = None
    stopped: frozenset[str] = frozenset()


def match_all(
    need: Need,
    open_pass: Callable[[Need], Orders],
    queue: Queue,
    *,
    privacy: Privacy,
    schedule: SendingSchedule,
    now: Instant,
) -> Matched:
    """Match everything that ``need`` asks for, as far as it may be read.

    Where an attribute of orders cannot be read, only the accounts whose rules look at it are stopped.
    """
    found = match(need, open_pass(need), queue, privacy=privacy, schedule=schedule, now=now)
    lacking = None if found.error is None else found.error.lacks
    rest = None if lacking is None else need.without(lacking)
    if found.error is None or rest is None:
        return found
    stopped = need.selected - rest.selected
    again = match_all(rest, open_pass, queue, privacy=privacy, schedule=schedule, now=now)
    if again.failure is not None:
        return again
    said = _stopped(need, found.error, stopped)
    return replace(again, stopped=again.stopped | stopped, diagnostics=(*said, *again.diagnostics))


def _stopped(need: Need, error: OrderSourceError, stopped: Collection[str]) -> Iterator[Diagnostic]:
    """An error for every account that is stopped."""
    for rule in need.book.rules:
        if rule.interface_id in stopped and rule.account.invitations.enabled:
            yield Diagnostic(
                severity=Severity.ERROR,
                rule="permission-missing",
                message=f"order source {need.source}: {error.message}; the rules of "
                f"{rule.account.name} need it: its invitations are unchanged, "
                f"other accounts are not affected",
                hint=error.hint,
                account=rule.account.name,
            )


def match(
    need: Need, orders: Orders, queue: Queue, *, privacy: Privacy, schedule: SendingSchedule, now: Instant
) -> Matched:
    """Match everything that ``need`` asks for; a source that fails half-way brings nothing."""
    request = MatchRequest(
        source=need.source,
        book=need.book,
        selected=need.selected,
        fresh=need.fresh,
        leaving=need.leaving,
        moved=need.moved,
        shops=need.shops,
        now=now,
    )
    matcher = Matcher(request, queue, privacy, schedule)
    try:
        _read(matcher, need, orders, now=now)
    except OrderSourceError as error:
        return Matched(
            steps=InvitationSteps(),
            diagnostics=(_unreadable(need, error),),
            failure=error.message,
            error=error,
        )
    concerned = need.fresh or need.selected
    accounts = [rule.account for rule in need.book.rules if rule.account.interface_id in concerned]
    counted = matcher.tally.result(accounts) if matcher.tally.orders else {}
    remarks = (
        *(_one_sided(*each) for each in matcher.tally.one_sided(accounts)),
        *_misdated(need.source, matcher.tally),
    )
    return Matched(
        steps=replace(matcher.steps, not_invited=counted),
        positions=_positions(need, orders.cursor),
        passed_over=frozenset(matcher.passed_over),
        diagnostics=(*orders.problems, *remarks, *matcher.numbers.warnings),
    )


def _read(matcher: Matcher, need: Need, orders: Orders, *, now: Instant) -> None:
    visited = set[OrderId]()
    track = _has_rows(matcher.queue, need)
    for batch in orders.batches():
        matcher.batch(batch)
        if track:
            visited.update(order.order_id for order in batch)
    if track:
        _reconsider(matcher, need, orders, visited=visited, now=now)
    matcher.settle_numbers()


def _has_rows(queue: Queue, need: Need) -> bool:
    return next(queue.rows_of(_concerned(need), _OPEN), None) is not None


def _concerned(need: Need) -> frozenset[str]:
    return need.fresh | need.leaving | need.moved


def _reconsider(matcher: Matcher, need: Need, orders: Orders, *, visited: set[OrderId], now: Instant) -> None:
    """Look again, once each, at orders of changed and leaving accounts that the pass did not bring."""
    rows = (
        row
        for row in matcher.queue.rows_of(_concerned(need), _OPEN)
        if row.source == need.source and row.order_id not in visited and _worth_a_look(row, need, now)
    )
    while chunk := list(islice(rows, _LOOKUP)):
        found = orders.by_ids({row.order_id for row in chunk})
        visited.update(found)
        matcher.batch(list(found.values()))
        matcher.missing(row for row in chunk if row.order_id not in found)


def _worth_a_look(row: Invitation, need: Need, now: Instant) -> bool:
    if row.status is Status.PENDING:
        return True
    rule = need.book.rule(row.interface_id)
    if rule is None or row.interface_id in need.leaving:
        return False
    wanted = rule.account.invitations
    limit = wanted.skip_orders_older_than
    oldest = now - (limit + max(wanted.pending_periods)) * DAY - wanted.spread
    return limit == 0 or row.order_date >= oldest


def _positions(need: Need, cursor: str) -> tuple[Position, ...]:
    return tuple(
        Position(
            interface_id=rule.account.interface_id,
            source=need.source,
            rule_digest=rule.digest,
            cursor=cursor,
        )
        for rule in need.book.rules
        if rule.account.interface_id in need.selected and rule.account.invitations.enabled
    )


def _one_sided(account: Account, held: bool, orders: int) -> Diagnostic:  # noqa: FBT001
    share = "all" if held else "none"
    return Diagnostic(
        severity=Severity.WARNING,
        rule="conditions-one-sided",
        message=f"the conditions of {account.name} match {share} of the {orders} candidate orders",
        hint="is that intended? `explain ORDER` shows every condition with its value",
        account=account.name,
    )


def _misdated(source: str, tally: ReasonTally) -> Iterator[Diagnostic]:
    """A warning about orders with dates before their own order date."""
    if not tally.misdated:
        return
    examples = "; ".join(f"{number}: {', '.join(fields)}" for number, fields in tally.misdated_examples)
    more = "; …" if tally.misdated > len(tally.misdated_examples) else ""
    yield Diagnostic(
        severity=Severity.WARNING,
        rule="evidence-before-order",
        message=f"order source {source}: {tally.misdated} order(s) have dates before their order date "
        f"({examples}{more}); these dates are ignored",
        hint="correct these fields, or created_at, at the source of the orders",
    )


def _unreadable(need: Need, error: OrderSourceError) -> Diagnostic:
    return Diagnostic(
        severity=Severity.ERROR,
        rule="orders-unreadable",
        message=f"order source {need.source}: {error.message}; its invitations are unchanged",
        hint=error.hint,
        incident=error.incident,
    )


def opted_out(
    queue: Queue, privacy: Privacy, *, selected: frozenset[str], cancelled: Iterable[CancelStep]
) -> Iterator[CancelStep]:
    """Cancellations for customers who opted out and whose orders were not read.

    They need no look at an order, so also rows go that are held, or whose source cannot be read.
    ``cancelled`` are the cancellations known already.
    """
    digests = privacy.opted_out_digests
    waiting = queue.pending_of(digests) if digests else iter(())
    rows = [row for row in waiting if row.interface_id in selected]
    known = {step.row_id for step in cancelled} if rows else set[int]()
    for row in rows:
        if row.id not in known:
            yield cancellation(row, Criterion.SUPPRESSED.value, rule_change=False)


RECENT_REVIEWS = 30 * DAY
"""Seconds: reviews submitted since then are looked up in each plan. The re-check before sending knows all."""


def reviewed(
    queue: Queue,
    accounts: Sequence[Account],
    *,
    selected: frozenset[str],
    cancelled: Iterable[CancelStep],
    now: Instant,
) -> Iterator[CancelStep | Diagnostic]:
    """Cancellations of invitations whose orders were reviewed since, though the orders did not change.

    A review whose number several orders have at the interface is ignored, with a warning.
    """
    skipping = frozenset(
        each.interface_id
        for each in accounts
        if each.invitations.enabled and each.invitations.skip_reviewed and each.interface_id in selected
    )
    rows = list(queue.reviewed_pending(skipping, now - RECENT_REVIEWS))
    known = {step.row_id for step in cancelled} if rows else set[int]()
    named = queue.rows_numbered({row.number for row in rows})
    ignored = set[tuple[str, str]]()
    for row in rows:
        if not is_sole(named.get(row.number, ()), key_of_row(row), row.interface_id):
            ignored.add((row.interface_id, row.number))
        elif row.id not in known:
            yield cancellation(row, Criterion.REVIEWED.value, rule_change=False)
    yield from ignored_reviews(ignored)


def strays(
    queue: Queue,
    accounts: Sequence[Account],
    positions: Mapping[str, PositionRecord],
    *,
    selected: frozenset[str],
    leaving: frozenset[str],
    needed: Collection[str],
) -> Iterator[CancelStep]:
    """Cancellations that need no look at an order.

    These are rows of leaving accounts, and of accounts that read their orders elsewhere now, from a source
    that nobody reads any more.
    """
    moved = {
        each.interface_id: each.orders
        for each in accounts
        if each.interface_id in selected
        and (position := positions.get(each.interface_id)) is not None
        and position.source != each.orders
    }
    for row in queue.rows_of(frozenset(moved), frozenset({Status.PENDING})):
        if row.source != moved[row.interface_id] and row.source not in needed:
            yield cancellation(row, SOURCE_CHANGED, rule_change=True)
    for row in queue.rows_of(leaving, frozenset({Status.PENDING})):
        if row.source not in needed:
            yield cancellation(row, ACCOUNT_DELETED, rule_change=False)
