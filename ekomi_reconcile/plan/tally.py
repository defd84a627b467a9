"""Counting, per account, why orders were not invited."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.model.order import Order

ENOUGH = 20
"""From so many orders on, a condition that holds for all or for none of them is worth a word."""

_EXAMPLES = 3
"""How many orders a warning names."""

_AFTER_CONDITIONS = frozenset(
    {Criterion.DELIVERABLE, Criterion.SUPPRESSED, Criterion.DUPLICATE_NUMBER, Criterion.ALREADY_INVITED}
)


class _Counts:
    """Of one account: orders looked at, orders for which its conditions held or not, and refusals."""

    __slots__ = ("against", "held", "refused", "seen")

    def __init__(self) -> None:
        self.seen = self.held = self.against = 0
        self.refused: Counter[Criterion] = Counter()


class Tally:
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
        """This account was looked at for one order."""
        self._counts[interface_id].seen += 1

    def refused(self, interface_id: str, criterion: Criterion) -> None:
        """It was not invited, and this is why."""
        self._counts[interface_id].refused[criterion] += 1

    def judged(self, interface_id: str, first_failed: Criterion | None) -> None:
        """Its conditions were reached for one order, unless a criterion before them failed."""
        if first_failed is Criterion.CONDITIONS:
            self._counts[interface_id].against += 1
        elif first_failed is None or first_failed in _AFTER_CONDITIONS:
            self._counts[interface_id].held += 1

    def one_sided(self, accounts: Collection[Account]) -> Iterator[tuple[Account, bool, int]]:
        """Accounts whose conditions held for all, or for none, of so many orders."""
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
            return _positive({Criterion.ENABLED: self.orders})
        counts = self._counts[account.interface_id]
        return _positive({Criterion.STORE_VIEW: self.orders - counts.seen, **counts.refused})


def _positive(counts: Mapping[Criterion, int]) -> dict[str, int]:
    return {each.value: counts[each] for each in Criterion if counts.get(each)}
