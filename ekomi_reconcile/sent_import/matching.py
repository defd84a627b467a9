"""Find the requests that another tool sent among the orders of this project.

An order is looked up in its order source, by its key or else by its number: the source knows its date, its
store view and its customer. The source is the one asked for, else that of the account, else the only one.
Without an account the one is taken that would win the order by its store view.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.rules.rulebook import RuleBook
from ekomi_reconcile.sent_import.file import BadLine, SentRequest
from ekomi_reconcile.state.repositories.schedule import Adopted

BATCH = 20_000
"""Orders looked up at a time."""


class _Source(Protocol):
    def by_ids(self, order_ids: Collection[OrderId]) -> Mapping[OrderId, Order]: ...
    def find_many(self, numbers: Collection[str]) -> Mapping[str, Sequence[Order]]: ...


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """How orders are found. ``open_source`` gives the order source of a name, ``customer`` a keyed digest.

    ``source`` and ``account`` (an interface id) stand in where an entry does not say; ``names`` are the
    order sources there are.
    """

    accounts: Sequence[Account]
    names: Sequence[str]
    open_source: Callable[[str], _Source]
    customer: Callable[[Order], str | None]
    source: str | None = None
    account: str | None = None
    _books: dict[str, RuleBook] = field(default_factory=dict, init=False)

    def find(self, entries: Sequence[SentRequest]) -> tuple[list[Adopted], list[BadLine]]:
        """The orders that these entries are about, and the entries that are about none.

        Raises:
            OrderSourceError: a source cannot be read.
        """
        adopted: list[Adopted] = []
        bad: list[BadLine] = []
        by_source: dict[str, list[tuple[SentRequest, Account | None]]] = {}
        for entry in entries:
            try:
                source, account = self._place(entry)
            except LookupError as error:
                bad.append(BadLine(entry.line, str(error)))
            else:
                by_source.setdefault(source, []).append((entry, account))
        for source, members in by_source.items():
            for entry, found in self._adopted(source, members):
                if isinstance(found, str):
                    bad.append(BadLine(entry.line, found))
                else:
                    adopted.append(found)
        return adopted, sorted(bad, key=lambda each: each.line)

    def _place(self, entry: SentRequest) -> tuple[str, Account | None]:
        """The source of this entry, and its account if it has one; raises LookupError with the reason."""
        wanted = self.account if entry.account is None else entry.account
        account = None if wanted is None else self._account(wanted)
        if account is not None and self.source not in (None, account.orders):
            raise LookupError("the account reads its orders from another source")
        source = self.source or (account.orders if account else None)
        if source is None and len(self.names) == 1:
            source = self.names[0]
        if source is None:
            raise LookupError("which order source it is from is not clear: give --source")
        return source, account

    def _account(self, wanted: str) -> Account:
        folded = wanted.casefold()
        found = next((each for each in self.accounts if each.name.casefold() == folded), None)
        found = found or next((each for each in self.accounts if each.interface_id == wanted), None)
        if found is None:
            raise LookupError("there is no such account in the files")
        return found

    def _adopted(
        self, source: str, members: Sequence[tuple[SentRequest, Account | None]]
    ) -> Iterator[tuple[SentRequest, Adopted | str]]:
        opened, rest = self.open_source(source), iter(members)
        while part := list(islice(rest, BATCH)):
            entries = [entry for entry, _ in part]
            by_key = opened.by_ids({each.order_id for each in entries if each.order_id is not None})
            numbers = {each.number for each in entries if each.order_id is None and each.number is not None}
            by_number = opened.find_many(numbers) if numbers else {}
            for entry, account in part:
                order = _order(entry, by_key, by_number)
                yield entry, order if isinstance(order, str) else self._row(source, entry, order, account)

    def _row(self, source: str, entry: SentRequest, order: Order, account: Account | None) -> Adopted | str:
        owner = account or self._winner(source, order)
        if owner is None:
            return "no account reads orders from this source: give --account"
        return Adopted(
            interface_id=owner.interface_id,
            named=account is not None,
            source=source,
            order_id=order.order_id,
            number=order.number,
            order_date=order.created_at,
            store_view=order.store_view,
            order_status=order.status,
            sent_at=entry.at,
            customer=self.customer(order),
        )

    def _winner(self, source: str, order: Order) -> Account | None:
        if source not in self._books:
            self._books[source] = RuleBook([each for each in self.accounts if each.orders == source])
        book = self._books[source]
        return next((rule.account for rule in (*book.candidates(order.store_view), *book.rules)), None)


def _order(
    entry: SentRequest, by_key: Mapping[OrderId, Order], by_number: Mapping[str, Sequence[Order]]
) -> Order | str:
    """The order of an entry, or why there is none."""
    if entry.order_id is not None:
        order = by_key.get(entry.order_id)
        if order is None:
            return "there is no order with this id in the order source, or it cannot be read"
        if entry.number not in (None, order.number):
            return "the order with this id has another number"
        return order
    found = by_number.get(entry.number or "", ())
    if len(found) > 1:
        return f"{len(found)} orders have this number: give the order_id"
    return found[0] if found else "there is no order with this number in the order source"
