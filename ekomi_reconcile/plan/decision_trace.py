"""How one order was decided, and how often each criterion failed for all orders of a pass."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ekomi_reconcile.model import invitation
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import HistoryEntry, Order
from ekomi_reconcile.plan.steps import OrderNumbers
from ekomi_reconcile.plan.view import CustomerLoad, Privacy
from ekomi_reconcile.rules.case import Case, held_from
from ekomi_reconcile.rules.judge import Decision, reached
from ekomi_reconcile.rules.rulebook import Rule, RuleBook

ACCOUNT_DELETED = "account_deleted"
"""Why an invitation is cancelled whose account leaves the files."""

_RANKS: Mapping[invitation.Criterion, int] = {each: rank for rank, each in enumerate(invitation.Criterion)}

_NOTHING_SEEN: Mapping[str, Instant] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchRequest:
    """What is matched.

    ``fresh`` accounts have new or changed rules, ``leaving`` ones are deleted, ``moved`` ones read their
    orders elsewhere now. ``shops`` are the order sources in use, ``names`` those of accounts by interface id.
    """

    source: str
    book: RuleBook
    selected: frozenset[str]
    fresh: frozenset[str]
    leaving: frozenset[str]
    moved: frozenset[str] = frozenset()
    shops: frozenset[str] = frozenset()
    names: Mapping[str, str] = field(default_factory=dict)
    now: Instant

    def parting(self, interface_id: str) -> str | None:
        """Why this account gives up its invitations here, if it does."""
        if interface_id in self.leaving:
            return ACCOUNT_DELETED
        return invitation.SOURCE_CHANGED if interface_id in self.moved else None


@dataclass(frozen=True, slots=True)
class PassContext:
    """What all decisions of one pass share."""

    request: MatchRequest
    privacy: Privacy
    numbers: OrderNumbers
    load: CustomerLoad


class OrderTrace:
    """How one order was decided: what every account's decision rests on, and what comes of it.

    ``rows`` are its invitations, ``seen`` its recorded observation. ``holder`` is the invitation that has the
    order and keeps it, ``winner`` the account that is given it now. ``cancelled`` says why its pending
    invitation leaves the queue, ``due`` when the one that keeps it is due, if that changes. ``on_hold``: its
    invitation waits until the order goes on. ``released_by`` is the interface id of the account that gave it
    up. ``waits``: an account would invite it in another status. ``nearest`` is the criterion that failed at
    the account that came nearest to taking it.

    Nothing is looked up before a criterion needs it.
    """

    __slots__ = (
        "_asked",
        "_context",
        "_held_days",
        "_held_since",
        "_opted_out",
        "cancelled",
        "due",
        "holder",
        "nearest",
        "on_hold",
        "order",
        "released_by",
        "rows",
        "seen",
        "waits",
        "winner",
    )

    def __init__(
        self,
        context: PassContext,
        order: Order,
        rows: Sequence[invitation.Invitation],
        seen: invitation.Observation | None,
    ) -> None:
        self._context = context
        self.order = order
        self.rows = rows
        self.seen = seen
        self.holder: invitation.Invitation | None = None
        self.winner: Account | None = None
        self.cancelled: str | None = None
        self.due: Instant | None = None
        self.nearest: invitation.Criterion | None = None
        self.on_hold = self.waits = False
        self.released_by: str | None = None
        self._opted_out: bool | None = None
        self._asked: Sequence[Instant] | None = None
        self._held_since: invitation.Reached | None = None
        self._held_days: int | None = None

    @property
    def now(self) -> Instant:
        """The instant of the plan, in seconds since 1970."""
        return self._context.request.now

    @property
    def source(self) -> str:
        """The name of the order source."""
        return self._context.request.source

    @property
    def opted_out(self) -> bool:
        """Is the customer on a suppression list, by the order or by its pending invitation?"""
        found = self._opted_out
        if found is None:
            found = self._opted_out = (
                self._context.privacy.opted_out(self.order) or self._recorded_opted_out()
            )
        return found

    def _recorded_opted_out(self) -> bool:
        row = self.holder
        if row is None or row.status is not invitation.Status.PENDING:
            return False
        return row.customer in self._context.privacy.opted_out_digests

    @property
    def cap(self) -> invitation.CustomerLimit | None:
        """The limit per customer, if there is one."""
        return self._context.privacy.cap

    @property
    def asked(self) -> Sequence[Instant]:
        """When the customer was, or will be, invited; this order itself is not counted."""
        if self._asked is None:
            self._asked = self._context.load.of(self._context.privacy.customer(self.order))
        return self._asked

    def give_up(self, reason: str) -> None:
        """The pending invitation that has the order is cancelled: the order can go to any account."""
        if self.holder is not None:
            self.released_by = self.holder.interface_id
        self.holder, self.cancelled = None, reason
        self._opted_out = None

    def stopped_at(self, failed: invitation.Criterion) -> None:
        """An account does not take the order: this criterion fails first."""
        if self.nearest is None or _RANKS[failed] > _RANKS[self.nearest]:
            self.nearest = failed

    def passed(self) -> invitation.PassedOrder | None:
        """The order, if no account takes it, none ever did, and it is new enough to be remembered."""
        request, order, nearest = self._context.request, self.order, self.nearest
        if self.winner is not None or self.rows or nearest is invitation.Criterion.ALREADY_INVITED:
            return None
        if order.created_at < request.now - invitation.PASSED_KEPT:
            return None
        reason = nearest or request.book.nobody
        return invitation.PassedOrder(request.source, order.order_id, order.created_at, reason.value)

    def look_again(self) -> None:
        """Look up the customer's other invitations again: more may be planned by now."""
        self._asked = None

    def reviewed_at(self, interface_id: str) -> Instant | None:
        """When the order was reviewed at this interface, if it was."""
        numbers = self._context.numbers
        return numbers.reviewed_at(self.order, interface_id) if numbers.reviews else None

    def rival(self, interface_id: str) -> invitation.Invitation | None:
        """The invitation of another order that holds this order's number at this interface."""
        numbers = self._context.numbers
        if self.order.number not in numbers.rows or self._invited_before() is not None:
            return None
        return numbers.rival(self.order, interface_id)

    def claim(self, rule: Rule) -> invitation.Invitation | Account | None:
        """What keeps the order from this account: an invitation, or an account that wins over it."""
        found = held_from(rule, self.holder) or self._invited_before()
        if found is not None:
            return found
        winner = self.winner
        return winner if winner is not None and winner.rank < rule.account.rank else None

    def _invited_before(self) -> invitation.Invitation | None:
        numbers = self._context.numbers
        if self.order.number not in numbers.rows:
            return None
        return numbers.invited_before(self.order, self._context.privacy.customer(self.order))

    def name(self, interface_id: str) -> str:
        """The name of an account, or its interface id."""
        return self._context.request.names.get(interface_id, interface_id)

    def row(self, interface_id: str) -> invitation.Invitation | None:
        """The account's invitation of this order, a cancelled one too."""
        return next((row for row in self.rows if row.interface_id == interface_id), None)

    def decision(self, rule: Rule) -> Decision:
        """What this account's decision rests on, or would if the order had come to it."""
        holder = self.holder
        if (
            holder is None
            or holder.interface_id != rule.interface_id
            or holder.status is invitation.Status.CANCELLED
        ):
            return Decision(self.case(rule))
        days = holder.pending_days if self._held_days is None else self._held_days
        return Decision(self.held_case(rule, holder, self._held_since or holder.reached, days=days))

    def held_case(
        self, rule: Rule, row: invitation.Invitation, known: invitation.Reached | None, *, days: int | None
    ) -> Case:
        """The case of the invitation that has the order, with the evidence by which it is judged.

        ``days`` is the pending period that it keeps, ``None`` where it is judged again.
        """
        self._held_since = known
        case = Case(rule, self.order, row.judged_at, known, self, days)
        self._held_days = case.pending_days
        return case

    def case(self, rule: Rule) -> Case:
        """The case of an account that the order is offered to."""
        row = self.row(rule.interface_id) if self.rows else None
        if row is None:
            return Case(rule, self.order, self._context.request.now, self.reached_by(rule, None), self)
        kept = rule.interface_id not in self._context.request.fresh and keeps_period(row, rule)
        days = row.pending_days if kept else None
        return Case(rule, self.order, row.judged_at, self.reached_by(rule, row), self, days)

    def reached_by(self, rule: Rule, row: invitation.Invitation | None) -> invitation.Reached | None:
        """When the order first reached a trigger status of this rule, by all that is known."""
        seen = self.seen
        return reached(
            rule,
            self.order,
            now=self._context.request.now,
            seen=_NOTHING_SEEN if seen is None else self._observed(seen),
            recorded=None if seen is None else HistoryEntry(seen.status, seen.since),
            frozen=None if row is None else row.reached,
        )

    def _observed(self, seen: invitation.Observation) -> Mapping[str, Instant]:
        """In which status the order was seen to arrive, and when."""
        if self.order.status is None:
            return _NOTHING_SEEN
        if seen.status != self.order.status:
            return {self.order.status: self.now}
        return {seen.status: seen.since} if seen.moved else _NOTHING_SEEN


def keeps_period(row: invitation.Invitation, rule: Rule) -> bool:
    """Can the pending period of the invitation come from this rule, as it is now?

    One that is not recorded is that of a rule without overrides.
    """
    if row.pending_days is None:
        return not rule.overrides
    return row.pending_days in rule.account.invitations.pending_periods


@dataclass(frozen=True, slots=True)
class Contest:
    """An order that would be invited under a number that this plan gives away already.

    ``rules`` are those that come after the one of ``case``, which the order is offered to if it loses.
    """

    trace: OrderTrace
    case: Case
    rules: Iterator[Rule]

    @property
    def spot(self) -> tuple[str, str]:
        """Interface id and number."""
        return self.case.rule.interface_id, self.case.order.number


ENOUGH = 20
"""The number of orders from which a condition that holds for all or for none of them is reported."""

_EXAMPLES = 3
"""How many orders a warning names."""

_AFTER_CONDITIONS = frozenset(
    {
        *(invitation.Criterion.DELIVERABLE, invitation.Criterion.REVIEWED, invitation.Criterion.SUPPRESSED),
        *(invitation.Criterion.DUPLICATE_NUMBER, invitation.Criterion.ALREADY_INVITED),
    }
)


class _Counts:
    """Of one account: orders looked at, orders for which its conditions held or not, and refusals."""

    __slots__ = ("against", "held", "refused", "seen")

    def __init__(self) -> None:
        self.seen = self.held = self.against = 0
        self.refused: Counter[invitation.Criterion] = Counter()


class ReasonTally:
    """Counts the first criterion that fails.

    Accounts that an order's store view rules out are never looked at one by one: their number follows
    from the orders read and the orders seen.
    """

    __slots__ = ("_counts", "misdated", "misdated_examples", "orders")

    def __init__(self) -> None:
        self.orders = self.misdated = 0
        self.misdated_examples: list[tuple[str, tuple[str, ...]]] = []
        self._counts: defaultdict[str, _Counts] = defaultdict(_Counts)

    def read(self, order: Order) -> None:
        """This order was read."""
        self.orders += 1
        if order.misdated:
            self.misdated += 1
            if len(self.misdated_examples) < _EXAMPLES:
                self.misdated_examples.append((order.number, order.misdated))

    def saw(self, interface_id: str) -> None:
        """An order came to this account that it has already, or that it gives up."""
        self._counts[interface_id].seen += 1

    def judged(self, interface_id: str, failed: invitation.Criterion | None) -> None:
        """This account was offered an order; ``failed`` is the first criterion that does not hold."""
        counts = self._counts[interface_id]
        counts.seen += 1
        if failed is None:
            counts.held += 1
            return
        counts.refused[failed] += 1
        if failed is invitation.Criterion.CONDITIONS:
            counts.against += 1
        elif failed in _AFTER_CONDITIONS:
            counts.held += 1

    def refused(self, interface_id: str, criterion: invitation.Criterion) -> None:
        """An order that was judged already is not invited, and this is why."""
        self._counts[interface_id].refused[criterion] += 1

    def one_sided(self, accounts: Collection[Account]) -> Iterator[tuple[Account, bool, int]]:
        """Accounts whose conditions held for all, or for none, of at least that number of orders."""
        for account in accounts:
            if account.invitations.conditions is None or account.interface_id not in self._counts:
                continue
            counts = self._counts[account.interface_id]
            total = counts.held + counts.against
            if total >= ENOUGH and total in (counts.held, counts.against):
                yield account, bool(counts.held), total

    def result(self, accounts: Collection[Account]) -> dict[str, dict[str, int]]:
        """By account name and criterion, in the order in which criteria are judged."""
        found = {account.name: self._of(account) for account in accounts}
        return {name: counts for name, counts in found.items() if counts}

    def _of(self, account: Account) -> dict[str, int]:
        if not account.invitations.enabled:
            return _positive({invitation.Criterion.ENABLED: self.orders})
        counts = self._counts[account.interface_id]
        return _positive({invitation.Criterion.STORE_VIEW: self.orders - counts.seen, **counts.refused})


def _positive(counts: Mapping[invitation.Criterion, int]) -> dict[str, int]:
    return {each.value: counts[each] for each in invitation.Criterion if counts.get(each)}
