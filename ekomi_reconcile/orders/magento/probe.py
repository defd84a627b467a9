"""What a self-test wants to know of a shop, with as few requests as possible.

Can it be reached, what may the integration see, is its clock right, what are its newest orders like? Nothing
is asked twice, and nothing more after a failure that every further request would meet, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ekomi_reconcile.errors import OrderSourceError
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.facts import EVERYTHING
from ekomi_reconcile.orders.magento.evidence import INVOICES, SHIPMENTS
from ekomi_reconcile.orders.magento.failure import Kind, ShopFailure
from ekomi_reconcile.orders.magento.flaws import Flaws
from ekomi_reconcile.orders.magento.query import Direction, Search
from ekomi_reconcile.orders.magento.shop import CUSTOMER_GROUP, MagentoShop
from ekomi_reconcile.orders.magento.table import Harvest
from ekomi_reconcile.rules.conditions import CATEGORY_ID

RECENT = 200
"""The newest orders that are looked at."""

ORDERS = "Magento_Sales::actions_view"
PRODUCTS = "Magento_Catalog::products"
STORES = "Magento_Backend::store"
GROUPS = "Magento_Customer::group"
COMMENT = "Magento_Sales::comment"
_DOCUMENTS: Mapping[str, str] = {
    "Magento_Sales::shipment": SHIPMENTS,
    "Magento_Sales::sales_invoice": INVOICES,
}


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


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest orders, and what could not be read of them."""

    orders: Sequence[Order]
    problems: Sequence[Diagnostic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """``version`` such as ``Magento/2.4 (Community)``, where the shop tells. ``clock_skew``: seconds that
    the shop's clock is ahead of ours. ``orders``: how many there are, ``recent`` the newest of them.

    ``unreachable`` says why the shop gives nothing at all (with ``mend``): no answer, maintenance, or a login
    that it refuses; then nothing else is known. ``permissions`` are by Magento's names of resources.
    """

    unreachable: str | None = None
    mend: str | None = None
    version: str | None = None
    clock_skew: int | None = None
    orders: int | None = None
    recent: Recent | None = None
    permissions: Mapping[str, Answered]


def probe(shop: MagentoShop, *, annotate: bool = False) -> Probe:
    """Ask for everything that the rules need, once; ``annotate``: whether comments are to be written."""
    shop.client.patient = False
    shop.begin()
    try:
        version = shop.client.version()
        harvest, count, refused = _newest(shop)
        if refused is not None:
            _check_login(shop, refused)
        asked = dict(_asked(shop, annotate=annotate))
        permissions = {resource: _answered(ask) for resource, ask in asked.items()}
        recent = None if harvest is None else _recent(shop, harvest)
        permissions[ORDERS] = refused or Answered(Access.GRANTED)
        for resource, name in _DOCUMENTS.items():
            granted = name in shop.documents_read
            permissions[resource] = Answered(Access.GRANTED) if granted else _answered(_counting(shop, name))
    except ShopFailure as failure:
        return Probe(unreachable=failure.message, mend=failure.mend, permissions={})
    return Probe(
        version=version,
        clock_skew=shop.client.clock_skew,
        orders=count,
        recent=recent,
        permissions=permissions,
    )


def _newest(shop: MagentoShop) -> tuple[Harvest | None, int | None, Answered | None]:
    """The newest orders and how many there are, or why they may not be read."""
    try:
        return *shop.table(EVERYTHING).newest(RECENT), None
    except ShopFailure as failure:
        return None, None, _refused(failure)


def _check_login(shop: MagentoShop, refused: Answered) -> None:
    """A shop answers a login that it does not know as it answers one that lacks the permission.

    Raises:
        ShopFailure: store views are refused, too: it is the login.
    """
    try:
        shop.directory.store_views()
    except ShopFailure as failure:
        if failure.kind is Kind.REFUSED:
            raise ShopFailure(Kind.REFUSED, refused.message or failure.message, mend=refused.mend) from None


def _recent(shop: MagentoShop, harvest: Harvest) -> Recent | None:
    """The orders of these rows; ``None`` where what their ids mean may not be read."""
    flaws = Flaws()
    flaws.extend(harvest.unreadable)
    try:
        orders, unreadable = shop.assembly(frozenset()).orders(harvest.rows)
    except OrderSourceError as error:
        if isinstance(error, ShopFailure):
            _refused(error)
        return None
    flaws.extend(unreadable)
    return Recent(orders, flaws.diagnostics())


def _asked(shop: MagentoShop, *, annotate: bool) -> Mapping[str, Callable[[], object]]:
    """What the rules need besides orders and documents."""
    asked: dict[str, Callable[[], object]] = {STORES: shop.directory.store_views}
    if shop.needs(CUSTOMER_GROUP):
        asked[GROUPS] = shop.directory.customer_groups
    if shop.needs(CATEGORY_ID):
        asked[PRODUCTS] = _counting(shop, "products")
    if annotate:
        asked[COMMENT] = shop.client.may_annotate
    return asked


def _counting(shop: MagentoShop, path: str) -> Callable[[], object]:
    fields = "items[id],total_count" if path == "products" else "items[entity_id],total_count"
    search = Search(sort=(("entity_id", Direction.ASC),), size=1, fields=fields)
    return lambda: shop.searcher.page(path, search)


def _answered(ask: Callable[[], object]) -> Answered:
    try:
        ask()
    except ShopFailure as failure:
        return _refused(failure)
    except OrderSourceError as error:
        return Answered(Access.FAILED, error.message, error.mend)
    return Answered(Access.GRANTED)


def _refused(failure: ShopFailure) -> Answered:
    """What a failure says of one resource.

    Raises:
        ShopFailure: it says so of every resource: the shop is away, or refuses the login.
    """
    if failure.kind is Kind.REFUSED and failure.resource is not None:
        return Answered(Access.REFUSED, failure.message, failure.mend)
    if failure.kind in {Kind.NOT_FOUND, Kind.BROKEN, Kind.REJECTED, Kind.PAGE_SIZE}:
        return Answered(Access.FAILED, failure.message, failure.mend)
    raise failure
