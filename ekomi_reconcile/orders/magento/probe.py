"""What a self-test wants to know of a shop: can it be reached, what may the login see, is the clock right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ekomi_reconcile.orders.magento.failure import Kind, ShopFailure
from ekomi_reconcile.orders.magento.query import Direction, Search
from ekomi_reconcile.orders.magento.shop import MagentoShop


class Access(StrEnum):
    """What came of asking for a resource."""

    GRANTED = "granted"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Answered:
    """Access to one resource; ``message`` and ``mend`` say why not."""

    access: Access
    message: str | None = None
    mend: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """``version`` such as ``Magento/2.4 (Community)``, where the shop tells. ``clock_skew``: seconds that
    the shop's clock is ahead of ours. ``orders``: how many there are, where they may be counted.

    ``unreachable`` says why there was no answer at all; then nothing else is known. ``permissions`` are by
    Magento's names of resources.
    """

    unreachable: str | None = None
    version: str | None = None
    clock_skew: int | None = None
    orders: int | None = None
    permissions: Mapping[str, Answered]


_SEARCHED: Mapping[str, str] = {
    "Magento_Sales::actions_view": "orders",
    "Magento_Sales::shipment": "shipments",
    "Magento_Sales::sales_invoice": "invoices",
    "Magento_Catalog::products": "products",
}


def probe(shop: MagentoShop) -> Probe:
    """Ask for one row of everything."""
    try:
        version = shop.client.version()
    except ShopFailure as failure:
        return Probe(unreachable=failure.message, permissions={})
    counts: dict[str, int | None] = {}
    asked: dict[str, Callable[[], object]] = {
        resource: _counting(shop, path, counts) for resource, path in _SEARCHED.items()
    }
    asked["Magento_Backend::store"] = shop.directory.store_views
    asked["Magento_Customer::group"] = shop.directory.customer_groups
    permissions = {resource: _answered(ask) for resource, ask in asked.items()}
    return Probe(
        version=version,
        clock_skew=shop.client.clock_skew,
        orders=counts.get("orders"),
        permissions=permissions,
    )


def _counting(shop: MagentoShop, path: str, counts: dict[str, int | None]) -> Callable[[], None]:
    fields = "items[id],total_count" if path == "products" else "items[entity_id],total_count"

    def ask() -> None:
        search = Search(sort=(("entity_id", Direction.ASC),), size=1, fields=fields)
        counts[path] = shop.searcher.page(path, search).total

    return ask


def _answered(ask: Callable[[], object]) -> Answered:
    try:
        ask()
    except ShopFailure as failure:
        refused = failure.kind is Kind.REFUSED
        return Answered(Access.REFUSED if refused else Access.FAILED, failure.message, failure.mend)
    return Answered(Access.GRANTED)
