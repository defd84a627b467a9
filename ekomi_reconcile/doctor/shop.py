"""What a shop can tell about itself, where an order source is one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from ekomi_reconcile.orders.magento.directory import ADMIN_STORE, Directory
from ekomi_reconcile.orders.magento.probe import Probe

Names = Callable[[Directory], frozenset[str]]
"""Reads one kind of names from a shop's lists."""


@runtime_checkable
class Shop(Protocol):
    """An order source that is a shop. What it raises is an ``OrderSourceError``."""

    @property
    def directory(self) -> Directory:
        """Its lists."""

    def probe(self, *, annotate: bool = ...) -> Probe:
        """Can it be reached, what may the integration see, is its clock right, its newest orders."""

    def statuses(self) -> Mapping[str, str | None]:
        """Status codes to states."""


def store_views(lists: Directory) -> frozenset[str]:
    """The codes of the store views in which customers can order."""
    return frozenset(each.code for each in lists.store_views() if each.id != ADMIN_STORE)


def active_store_views(lists: Directory) -> frozenset[str]:
    """Those of them that are switched on."""
    views = (each for each in lists.store_views() if each.id != ADMIN_STORE)
    return frozenset(each.code for each in views if each.is_active is None or each.is_active)


def customer_groups(lists: Directory) -> frozenset[str]:
    """The names of the customer groups."""
    return frozenset(each.code for each in lists.customer_groups())
