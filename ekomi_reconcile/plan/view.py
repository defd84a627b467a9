"""What the planner reads besides the files: state and orders."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Protocol

from typing_extensions import override

from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import CustomerLimit, Invitation, Observation, Status
from ekomi_reconcile.model.order import Order, OrderId


class Queue(Protocol):
    """The rows of the state, looked up in batches."""

    def rows_for(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Sequence[Invitation]]:
        """All rows of these orders, of whatever account."""

    def rows_numbered(self, numbers: Collection[str]) -> Mapping[str, Sequence[Invitation]]:
        """The rows that are not cancelled of orders with these numbers, of whatever account and source."""

    def sources(self) -> Sequence[str]:
        """The names of all order sources under which invitations are recorded."""

    def accounts_at(self, source: str) -> Sequence[str]:
        """The interface ids of the accounts with invitations of this source, of deleted ones too."""

    def observations(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Observation]:
        """In which status these orders were last seen."""

    def rows_of(self, interface_ids: Collection[str], statuses: Collection[Status]) -> Iterator[Invitation]:
        """The rows of these accounts in one of these states."""

    def due(self, interface_ids: Collection[str], now: Instant) -> Iterator[Invitation]:
        """Pending rows whose time has come, the oldest first."""

    def pending_of(self, customers: Collection[str]) -> Iterator[Invitation]:
        """The pending rows of these customers (keyed digests)."""

    def customer_load(self, customers: Collection[str], since: Instant) -> Mapping[str, Sequence[Instant]]:
        """When these customers (keyed digests) were, or will be, asked since then."""

    def any_reviews(self) -> bool:
        """Is there any review of any account?"""

    def reviewed(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[Instant]]:
        """When reviews with these interface ids and order numbers were submitted."""

    def reviewed_pending(self, interface_ids: Collection[str], since: Instant) -> Iterator[Invitation]:
        """The pending rows of these accounts whose orders have a review that was submitted since then."""


class Orders(Protocol):
    """One pass over an order source."""

    def batches(self) -> Iterator[Sequence[Order]]:
        """The orders that changed or are newly wanted, each once."""

    def by_ids(self, order_ids: Collection[OrderId]) -> Mapping[OrderId, Order]:
        """The present version of these orders; one that cannot be read is left out."""

    @property
    def cursor(self) -> str:
        """Where the pass ended."""

    @property
    def problems(self) -> Iterable[Diagnostic]:
        """Orders that could not be read though the rest could."""


class Privacy(Protocol):
    """Who must not be asked."""

    @property
    def cap(self) -> CustomerLimit | None:
        """The limit per customer, if there is one."""

    @property
    def lasting(self) -> bool:
        """Do digests mean anything beyond this plan? Without a state their key is forgotten with it."""

    @property
    def by_number(self) -> bool:
        """Are customers recognised by their telephone number too?"""

    @property
    def opted_out_digests(self) -> AbstractSet[str]:
        """The keyed digests of customers on a suppression list: they tell of a row without its order."""

    def opted_out(self, order: Order) -> bool:
        """Is this customer on a suppression list?"""

    def customer(self, order: Order) -> str | None:
        """The keyed digest of the customer, or ``None`` where it cannot be made."""


class EmptyQueue(Queue):
    """Knows no order and no customer."""

    @override
    def rows_for(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Sequence[Invitation]]:
        return {}

    @override
    def rows_numbered(self, numbers: Collection[str]) -> Mapping[str, Sequence[Invitation]]:
        return {}

    @override
    def sources(self) -> Sequence[str]:
        return ()

    @override
    def accounts_at(self, source: str) -> Sequence[str]:
        return ()

    @override
    def observations(self, source: str, order_ids: Sequence[OrderId]) -> Mapping[OrderId, Observation]:
        return {}

    @override
    def rows_of(self, interface_ids: Collection[str], statuses: Collection[Status]) -> Iterator[Invitation]:
        return iter(())

    @override
    def due(self, interface_ids: Collection[str], now: Instant) -> Iterator[Invitation]:
        return iter(())

    @override
    def pending_of(self, customers: Collection[str]) -> Iterator[Invitation]:
        return iter(())

    @override
    def customer_load(self, customers: Collection[str], since: Instant) -> Mapping[str, Sequence[Instant]]:
        return {}

    @override
    def any_reviews(self) -> bool:
        return False

    @override
    def reviewed(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], Sequence[Instant]]:
        return {}

    @override
    def reviewed_pending(self, interface_ids: Collection[str], since: Instant) -> Iterator[Invitation]:
        return iter(())
