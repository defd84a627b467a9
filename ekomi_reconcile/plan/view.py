"""What the planner reads besides the files, and which accounts are meant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

import msgspec
from typing_extensions import override

from ekomi_reconcile.model.account import Account, AccountRecord, account_address
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.errors import PlanError
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.invitation import CustomerLimit, Invitation, Observation, Status
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.model.rule import DELETED_STORE_VIEW
from ekomi_reconcile.plan.plan import AccountChange, Scope


def select(
    scope: Scope,
    accounts: Sequence[Account],
    changes: Sequence[AccountChange],
    recorded: Sequence[AccountRecord],
) -> frozenset[str]:
    """The interface ids that the scope leaves in the plan.

    An account that is only in the state has the tags that were applied last.

    Raises:
        PlanError: a glob matches no account, or none has a tag.
    """
    live = [each for each in recorded if each.deleted_at is None]
    names = _names(accounts, changes, live)
    _check_globs(scope, names.values())
    tagged = _tagged(scope, _tags(accounts, changes, live)) if scope.tags else names.keys()
    return frozenset(
        key
        for key, own in names.items()
        if key in tagged and _named(scope, own) and (scope.changed is None or key in scope.changed)
    )


def _names(
    accounts: Sequence[Account], changes: Sequence[AccountChange], live: Sequence[AccountRecord]
) -> dict[str, set[str]]:
    names = {each.interface_id: {each.name} for each in accounts}
    for known in live:
        names.setdefault(known.interface_id, set()).add(known.name)
    for change in changes:
        if change.previous_id is not None:
            names.setdefault(change.previous_id, set()).add(change.name)
    return names


def _tags(
    accounts: Sequence[Account], changes: Sequence[AccountChange], live: Sequence[AccountRecord]
) -> dict[str, frozenset[str]]:
    tags = {each.interface_id: frozenset(each.desired.get("tags", ())) for each in live}
    tags |= {each.interface_id: frozenset(each.tags) for each in accounts}
    # What a replacement takes out goes with what it puts in.
    return tags | {
        each.previous_id: tags[each.interface_id] for each in changes if each.previous_id is not None
    }


def _named(scope: Scope, own: set[str]) -> bool:
    if scope.targets:
        return any(_matches(glob, own) for glob in scope.targets)
    return not any(_matches(glob, own) for glob in scope.excludes)


def _check_globs(scope: Scope, names: Iterable[set[str]]) -> None:
    known = list(names)
    for glob in (*scope.targets, *scope.excludes):
        if not any(_matches(glob, each) for each in known):
            raise PlanError(
                f"{glob!r} matches no account",
                hint="give a name or an address as in `accounts list`; * and ? are wildcards",
            )


def _tagged(scope: Scope, tags: Mapping[str, frozenset[str]]) -> frozenset[str]:
    known = frozenset[str]().union(*tags.values())
    for tag in scope.tags:
        if tag not in known:
            there = f"these there are: {', '.join(sorted(known))}"
            raise PlanError(
                f"no account has the tag {tag!r}", hint=there if known else "add `tags` to accounts"
            )
    return frozenset(key for key, own in tags.items() if not own.isdisjoint(scope.tags))


def _matches(glob: str, names: set[str]) -> bool:
    literal = glob.replace("[", "[[]")
    return any(fnmatchcase(name, literal) or fnmatchcase(account_address(name), literal) for name in names)


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
        """The keyed digests of customers on a suppression list: they match a row without its order."""

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


@dataclass(slots=True)
class CustomerLoad:
    """When the customers of a pass were, or will be, invited; needed only where there is a limit."""

    _recorded: dict[str, list[Instant]] = field(default_factory=dict)
    _planned: defaultdict[str, list[Instant]] = field(default_factory=lambda: defaultdict(list))

    def look_up(self, orders: Sequence[Order], queue: Queue, privacy: Privacy, *, now: Instant) -> None:
        """Look up what is recorded of the customers of these orders, in place of earlier ones."""
        if privacy.cap is None:
            return
        customers = {digest for order in orders if (digest := privacy.customer(order))}
        since = now - (privacy.cap.days + 366) * DAY
        self._recorded = {key: list(each) for key, each in queue.customer_load(customers, since).items()}

    def of(self, customer: str | None) -> Sequence[Instant]:
        """When this customer (a keyed digest) was, or will be, invited."""
        if customer is None:
            return ()
        return [*self._recorded.get(customer, ()), *self._planned.get(customer, ())]

    def add(self, customer: str, at: Instant) -> None:
        """An invitation of this customer is planned."""
        self._planned[customer].append(at)

    def release(self, row: Invitation) -> None:
        """This invitation is cancelled."""
        if row.customer is not None and row.scheduled_at in self._recorded.get(row.customer, ()):
            self._recorded[row.customer].remove(row.scheduled_at)


def in_its_store_view(order: Order, rows: Iterable[Invitation]) -> Order:
    """The order in the store view that was recorded with its invitation, where the shop no longer tells it.

    A store view that was deleted must not move its orders to an account that excludes it by name.
    """
    unknown = (None, DELETED_STORE_VIEW)
    if order.store_view not in unknown:
        return order
    recorded = next((row.store_view for row in rows if row.store_view not in unknown), None)
    return order if recorded is None else msgspec.structs.replace(order, store_view=recorded, store_id=None)
