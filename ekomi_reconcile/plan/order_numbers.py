"""Order numbers in one pass over a source: which of two orders with one number is invited."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import BLOCKING, Invitation, ScheduleStep
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.plan.steps import Steps
from ekomi_reconcile.rules.order_key import (
    OrderKey,
    is_of,
    is_same_order,
    key_of_order,
    key_of_row,
    own_review,
    rival_of,
)
from ekomi_reconcile.rules.rulebook import RuleBook

MOVED_ORDERS = 3
"""Known order ids with another number or creation date from which on a source is another shop's."""

_SAME_DATE = 900
"""Seconds by which an order's creation date may differ, say because an export was made in another way."""

_PAIRS_SHOWN = 20
_EXACT = 50_000
_BITS = 1 << 26


class GivenAway:
    """Which hashes were added: exact while they are few, then a bitmap that may err on the side of yes."""

    __slots__ = ("_bits", "_few")

    def __init__(self) -> None:
        self._few: set[int] | None = set()
        self._bits = bytearray()

    def add(self, value: int) -> bool:
        """Add a hash; false if it may have been there."""
        if self._few is not None:
            before = len(self._few)
            self._few.add(value)
            if len(self._few) > _EXACT:
                self._spread()
            return self._few is None or len(self._few) > before
        return self._set(value)

    def _spread(self) -> None:
        few, self._few = self._few or set(), None
        self._bits = bytearray(_BITS >> 3)
        for value in few:
            self._set(value)

    def _set(self, value: int) -> bool:
        place = value % _BITS
        mask = 1 << (place & 7)
        byte = self._bits[place >> 3]
        self._bits[place >> 3] = byte | mask
        return not byte & mask


@dataclass(slots=True)
class OrderNumbers:
    """The numbers that one pass over a source meets. ``shops`` are the order sources in use.

    ``rows`` are the invitations of the present batch that are not cancelled, by number; ``reviews`` says
    when its orders were reviewed, by interface id and number.
    """

    source: str
    shops: frozenset[str]
    rows: Mapping[str, Sequence[Invitation]] = field(default_factory=dict)
    reviews: Mapping[tuple[str, str], Sequence[Instant]] = field(default_factory=dict)
    displaced: set[int] = field(default_factory=set)
    _given: GivenAway = field(default_factory=GivenAway)
    _pairs: dict[tuple[str, OrderKey], OrderKey] = field(default_factory=dict)
    _moved: dict[OrderId, str] = field(default_factory=dict)
    _ignored: set[tuple[str, str]] = field(default_factory=set)

    def rival(self, order: Order, interface_id: str) -> Invitation | None:
        """The invitation that keeps this order from being invited at this interface, by its number."""
        rows = self.rows.get(order.number)
        return rival_of(rows, key_of_order(order, self.source), interface_id) if rows else None

    def reviewed_at(self, order: Order, interface_id: str) -> Instant | None:
        """When this order was reviewed at this interface; what may be another's review is reported."""
        submitted = self.reviews.get((interface_id, order.number))
        if not submitted:
            return None
        key, rows = key_of_order(order, self.source), self.rows.get(order.number, ())
        own = own_review(submitted, rows, key, interface_id)
        if own is None and any(at > order.created_at for at in submitted):
            self._ignored.add((interface_id, order.number))
        return own

    def invited_before(self, order: Order, customer: str | None) -> Invitation | None:
        """The request that this very order got under another id or source, through whatever account."""
        rows = self.rows.get(order.number, ())
        key = key_of_order(order, self.source)
        return next(
            (
                row
                for row in rows
                if row.status in BLOCKING
                and not is_of(row, key)
                and (row.source == self.source or row.source not in self.shops)
                and is_same_order(row, key, customer)
            ),
            None,
        )

    def later(self, order: Order, interface_id: str) -> Iterator[Invitation]:
        """Pending invitations of this number at this interface whose orders come after this one."""
        key = key_of_order(order, self.source)
        for row in self.rows.get(order.number, ()):
            if row.interface_id == interface_id and not is_of(row, key) and row.id not in self.displaced:
                yield row

    def give(self, order: Order, interface_id: str) -> bool:
        """Give the number away at this interface; false where that may have been done already."""
        return self._given.add(hash((interface_id, order.number)))

    def note(self, name: str, *, invited: OrderKey, other: OrderKey) -> None:
        """Remember that ``other`` is not invited by the account of this name because of ``invited``."""
        self._pairs[name, other] = invited

    def compare(self, order: Order, rows: Sequence[Invitation]) -> None:
        """Compare an order with what is recorded under its id.

        Raises:
            OrderSourceError: too many orders are others than before; the source is another shop's.
        """
        row = rows[0]
        if row.number == order.number and abs(row.order_date - order.created_at) < _SAME_DATE:
            return
        self._moved[order.order_id] = difference(row, order)
        if len(self._moved) >= MOVED_ORDERS:
            raise another_shop(self.source, list(self._moved.values()))

    @property
    def warnings(self) -> Iterator[Diagnostic]:
        """One warning for each order that is not invited because of its number, up to a limit."""
        yield from ignored_reviews(self._ignored)
        pairs = sorted(self._pairs.items(), key=lambda each: (each[0][0], each[0][1].rank))
        for (name, other), invited in pairs[:_PAIRS_SHOWN]:
            yield _duplicate(
                name, f"two orders have the number {other.number}: {invited} is invited, {other} is not"
            )
        if len(pairs) > _PAIRS_SHOWN:
            rest = len(pairs) - _PAIRS_SHOWN
            yield _duplicate(None, f"{rest} more orders are not invited because of their number")


def review_places(
    orders: Iterable[Order], book: RuleBook, rows: Mapping[OrderId, Sequence[Invitation]]
) -> set[tuple[str, str]]:
    """Where reviews of these orders may be: interface id and number."""
    found = set[tuple[str, str]]()
    for order in orders:
        rules = book.candidates(order.store_view)
        found |= {(each.interface_id, order.number) for each in rules}
        found |= {(row.interface_id, order.number) for row in rows.get(order.order_id, ())}
    return found


def ignored_reviews(places: Collection[tuple[str, str]]) -> Iterator[Diagnostic]:
    """A warning about reviews, by interface id and number, that may be of one of several orders."""
    if places:
        interface_id, number = min(places)
        yield Diagnostic(
            severity=Severity.WARNING,
            rule="review-ambiguous",
            message=f"the reviews of {len(places)} order number(s), such as {number} at interface "
            f"{interface_id}, are ignored: several orders have the number there",
            mend="give each store its own number range, or each store an eKomi account of its own",
        )


def holders(steps: Steps[ScheduleStep], spots: set[tuple[str, str]]) -> dict[tuple[str, str], OrderKey]:
    """The orders planned to be invited at these places: interface id and number."""
    return {spot: key_of_row(step) for step in steps if (spot := (step.interface_id, step.number)) in spots}


def difference(row: Invitation, order: Order) -> str:
    """What an order id stands for now, and what it stood for."""
    return (
        f"id {order.order_id} was {row.number} of {iso(row.order_date)} and is {order.number} of "
        f"{iso(order.created_at)}"
    )


def another_shop(source: str, differences: Sequence[str]) -> OrderSourceError:
    """The error about a source that has other orders under known ids; a few may only have changed."""
    if len(differences) < MOVED_ORDERS:
        return OrderSourceError(
            f"{len(differences)} of the recorded orders have another number now, so their invitations are "
            f"not sent: {'; '.join(differences)}",
            mend="correct the number where the orders come from, or take the invitation out: "
            "ekomi-reconcile invitations skip ID",
        )
    return OrderSourceError(
        f"{len(differences)} of the recorded orders have another number or creation date now, so this is "
        f"another shop: {'; '.join(differences[:MOVED_ORDERS])}",
        mend=f"point {source} back to the shop it was; give another shop a name of its own under orders:",
    )


def _duplicate(account: str | None, message: str) -> Diagnostic:
    return Diagnostic(
        severity=Severity.WARNING,
        rule="duplicate-number",
        message=message,
        mend="give each store its own number range, or each store an eKomi account of its own",
        account=account,
    )
