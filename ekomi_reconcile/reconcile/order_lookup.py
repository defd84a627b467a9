"""What ``explain`` looks up of one order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ekomi_reconcile.model.account import Account, AccountRecord, PositionRecord
from ekomi_reconcile.model.errors import OrderSourceError, OrderUnreadable, ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Criterion, Invitation, Reached, Status, holder_of
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.model.review import OrderedProduct
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.orders.source import OrderSource
from ekomi_reconcile.plan.build import names_of
from ekomi_reconcile.plan.decision_trace import MatchRequest, OrderTrace
from ekomi_reconcile.plan.matcher import Matcher
from ekomi_reconcile.plan.read_requests import moved_from, needs
from ekomi_reconcile.plan.view import Privacy, Queue
from ekomi_reconcile.rules.judge import CriterionResult
from ekomi_reconcile.rules.order_fields import products_of
from ekomi_reconcile.rules.rulebook import Rule, RuleBook, channel_of, spread_offset

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
        raise _cannot_be_read(wanted, unread[0][1]) if unread else _unknown(wanted, searched)
    return SearchResult(found[0], tuple(unread))


def _cannot_be_read(wanted: str, error: OrderSourceError) -> ReconcileError:
    if not isinstance(error, OrderUnreadable):
        return error
    return ReconcileError(
        f"order {wanted} cannot be read: {error.reason}",
        hint="correct it at its source; until then no account can invite it",
    )


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
        hint="write one of: " + ", ".join(f"'{each}'" for each in exact),
    )


def _unknown(wanted: str, searched: Sequence[str]) -> ReconcileError:
    if not searched:
        return ReconcileError(
            "the project has no order source", hint="add one under `orders:` in the project file"
        )
    where = "order source" if len(searched) == 1 else "order sources"
    return ReconcileError(
        f"order {wanted} not found in the {where} {', '.join(searched)}",
        hint=f"give the order number, or the order id as '{BY_ID}123'",
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

    ``offset`` is by how many seconds its spread delays the order, ``channel`` the one through which it was
    invited, or would be as it is now; ``changes`` what would have to change: nothing after its own request.
    ``products`` are those that an invitation asks about.
    """

    account: Account
    criteria: tuple[CriterionResult, ...]
    reached: Reached | None
    pending_days: int
    scheduled_at: Instant | None
    leaves_at: Instant | None
    offset: int
    row: Invitation | None
    channel: Deliver | None
    changes: tuple[str, ...]
    products: tuple[OrderedProduct, ...] = ()

    @property
    def reason(self) -> Criterion | None:
        """The first criterion that fails."""
        return next((each.criterion for each in self.criteria if not each.ok), None)

    @property
    def matches(self) -> bool:
        """Does the account invite the order, or has it done so?"""
        return self.eligible or (self.row is not None and self.row.status is not Status.CANCELLED)

    @property
    def recorded_due(self) -> Instant | None:
        """When its pending invitation is due now, if the next apply changes that."""
        row = self.row
        moves = row is not None and row.status is Status.PENDING and row.scheduled_at != self.scheduled_at
        return row.scheduled_at if row is not None and moves else None

    @property
    def pending_leaves_at(self) -> Instant | None:
        """When its own invitation can leave, if that is pending."""
        pending = self.row is not None and self.row.status is Status.PENDING
        return self.leaves_at if pending else None

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


def detailed(verdicts: Sequence[AccountVerdict]) -> Sequence[AccountVerdict]:
    """The accounts that match; if none does, the one that came nearest to it."""
    matching = [each for each in verdicts if each.matches]
    if matching or not verdicts:
        return matching
    return [max(verdicts, key=lambda each: next(at for at, it in enumerate(each.criteria) if not it.ok))]


def match_request(
    source: str,
    accounts: Sequence[Account],
    recorded: Sequence[AccountRecord],
    positions: Mapping[str, PositionRecord],
    *,
    now: Instant,
) -> MatchRequest:
    """What the plan would match with this order source if no account were left out."""
    present = frozenset(each.interface_id for each in accounts)
    gone = {each.interface_id for each in recorded if each.deleted_at is None and not each.protect}
    leaving = frozenset(gone - present)
    found = needs(accounts, positions, selected=present, leaving=leaving, now=now)
    need = next((each for each in found if each.source == source), None)
    return MatchRequest(
        source=source,
        book=RuleBook(each for each in accounts if each.orders == source) if need is None else need.book,
        selected=present,
        fresh=frozenset() if need is None else need.fresh,
        leaving=leaving,
        moved=moved_from(source, accounts, positions),
        shops=frozenset(each.orders for each in accounts),
        names=names_of(accounts, recorded),
        now=now,
    )


def explain_order(
    order: Order,
    request: MatchRequest,
    queue: Queue,
    privacy: Privacy,
    schedule: SendingSchedule | None = None,
) -> Explanation:
    """Decide this order as the plan does, and show everything that the decision rests on.

    It is judged alone: orders of the same customer that are only about to be scheduled do not count.
    """
    trace = Matcher(request, queue, privacy).trace(order)
    outcome, account = _outcome(trace)
    times = SendingSchedule() if schedule is None else schedule
    verdicts = tuple(_verdict(rule, trace, times) for rule in request.book.rules)
    due = {each.account.interface_id: each.scheduled_at for each in verdicts}
    live = holder_of(trace.rows)
    return Explanation(
        order=order,
        source=request.source,
        verdicts=verdicts,
        outcome=outcome,
        account=None if account is None else trace.name(account),
        due=None if account is None else due.get(account, live.scheduled_at if live else None),
        row=live,
        rows=tuple(trace.rows),
        cancelled=trace.cancelled,
        names=request.names,
        now=request.now,
    )


def _outcome(trace: OrderTrace) -> tuple[OrderOutcome, str | None]:
    """What becomes of the order, and the interface id of the account that has it or gets it."""
    if trace.winner is not None:
        return OrderOutcome.GETS, trace.winner.interface_id
    if trace.holder is None:
        return OrderOutcome.NOBODY, None
    pending = trace.holder.status is Status.PENDING
    return (OrderOutcome.KEEPS if pending else OrderOutcome.CLOSED), trace.holder.interface_id


def _verdict(rule: Rule, trace: OrderTrace, times: SendingSchedule) -> AccountVerdict:
    decision, row = trace.decision(rule), trace.row(rule.interface_id)
    held = _due(rule, trace)
    due = held or decision.scheduled_at
    kept = row is not None and row.pending_days is not None and held == row.scheduled_at
    at_once = row is not None and row.at_once
    closed = row is not None and row.closed
    return AccountVerdict(
        account=rule.account,
        criteria=decision.criteria,
        reached=decision.reached,
        pending_days=row.pending_days
        if row and row.pending_days is not None and kept
        else decision.pending_days,
        scheduled_at=due,
        leaves_at=None
        if due is None or closed
        else times.leaves_at(rule.interface_id, due, now=trace.now, at_once=at_once),
        offset=spread_offset(rule, trace.order.order_id),
        row=row,
        channel=(row and row.channel) or channel_of(trace.order, rule.account.invitations),
        changes=() if closed else tuple(each.remedy for each in decision.criteria if each.remedy),
        products=products_of(trace.order, rule.account.invitations.products),
    )


def _due(rule: Rule, trace: OrderTrace) -> Instant | None:
    """When the invitation of this account is due, if it has the order."""
    holder = trace.holder
    if holder is None or holder.interface_id != rule.interface_id:
        return None
    return holder.scheduled_at if trace.due is None else trace.due
