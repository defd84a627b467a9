"""The order source that is a Magento shop.

Can it be reached, what may the integration see, is its clock right, what are its newest orders like? Nothing
is asked twice, and nothing more after a failure that every further request would meet, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path

from ekomi_reconcile.config.configuration import Secret, resolve
from ekomi_reconcile.config.order_sources import MagentoSettings
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.errors import OrderSourceError, OrderUnreadable, SecretError
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.model.review import ProductDetails
from ekomi_reconcile.orders.facts import EVERYTHING
from ekomi_reconcile.orders.magento.auth import BearerLogin, IntegrationKeys, Login, OAuthLogin
from ekomi_reconcile.orders.magento.client import MagentoClient
from ekomi_reconcile.orders.magento.directory import Directory
from ekomi_reconcile.orders.magento.evidence import INVOICES, SHIPMENTS
from ekomi_reconcile.orders.magento.progress import progress_path
from ekomi_reconcile.orders.magento.reading import MagentoReading, UnreadableOrders
from ekomi_reconcile.orders.magento.search import BATCH, PAGE_SIZE, Direction, Halving, Search
from ekomi_reconcile.orders.magento.segments import MAX_ID
from ekomi_reconcile.orders.magento.shop import CUSTOMER_GROUP, MagentoShop, Naming
from ekomi_reconcile.orders.magento.table import Harvest, in_order
from ekomi_reconcile.orders.magento.wire import FailureKind, ShopFailure
from ekomi_reconcile.orders.source import Opening, Wanted
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
    """Access to one resource; ``message`` and ``hint`` say why not."""

    access: Access
    message: str | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest orders, and what could not be read of them."""

    orders: Sequence[Order]
    problems: Sequence[Diagnostic]


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """``version`` such as ``Magento/2.4 (Community)``, where the shop tells. ``clock_skew``: seconds that
    the shop's clock is ahead of ours. ``orders``: how many there are, ``recent`` the newest of them.

    ``unreachable`` says why the shop gives nothing at all (with ``hint``): no answer, maintenance, or a login
    that it refuses; then nothing else is known. ``permissions`` are by Magento's names of resources.
    """

    unreachable: str | None = None
    hint: str | None = None
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
        return Probe(unreachable=failure.message, hint=failure.hint, permissions={})
    return Probe(
        version=version,
        clock_skew=shop.client.clock_skew,
        orders=count,
        recent=recent,
        permissions=permissions,
    )


def _newest(shop: MagentoShop) -> tuple[Harvest | None, int | None, Answered | None]:
    """The newest orders and how many there are, or why they cannot be read."""
    try:
        return *shop.table(EVERYTHING | shop.naming_fields).newest(RECENT), None
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
        if failure.kind is FailureKind.REFUSED:
            raise ShopFailure(
                FailureKind.REFUSED, refused.message or failure.message, hint=refused.hint
            ) from None


def _recent(shop: MagentoShop, harvest: Harvest) -> Recent | None:
    """The orders of these rows; ``None`` where the meaning of their ids cannot be read."""
    flaws = UnreadableOrders()
    flaws.extend(harvest.unreadable)
    try:
        orders, unreadable = shop.assembly(shop.naming_fields).orders(harvest.rows)
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
    if shop.needs(CATEGORY_ID) or shop.needs("product_id"):
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
        return Answered(Access.FAILED, error.message, error.hint)
    return Answered(Access.GRANTED)


def _refused(failure: ShopFailure) -> Answered:
    """What a failure says of one resource.

    Raises:
        ShopFailure: it says so of every resource: the shop is away, or refuses the login.
    """
    if failure.kind is FailureKind.REFUSED and failure.resource is not None:
        return Answered(Access.REFUSED, failure.message, failure.hint)
    if failure.kind in {
        FailureKind.NOT_FOUND,
        FailureKind.BROKEN,
        FailureKind.REJECTED,
        FailureKind.PAGE_SIZE,
    }:
        return Answered(Access.FAILED, failure.message, failure.hint)
    raise failure


class MagentoSource:
    """Reads orders of one shop. ``cache`` is a folder for the progress of first loads, safe to delete."""

    def __init__(
        self,
        name: str,
        client: MagentoClient,
        naming: Naming | None = None,
        *,
        cache: Path | None = None,
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._name = name
        self._unread: set[OrderId] = set()
        self._client = client
        self._shop = MagentoShop(client, naming or Naming(), page_size=page_size)
        self._progress = None if cache is None else progress_path(cache, name)

    @property
    def name(self) -> str:
        """Its name in ``orders:``."""
        return self._name

    @property
    def directory(self) -> Directory:
        """The shop's lists: store views, customer groups, statuses."""
        return self._shop.directory

    @property
    def store_view_codes(self) -> frozenset[str] | None:
        """The store views that the present pass learned of, without the admin's."""
        return self._shop.store_view_codes

    @property
    def customer_group_codes(self) -> frozenset[str] | None:
        """The customer groups that the present pass learned of; ``None`` where no rule needs them."""
        return self._shop.customer_group_codes

    @property
    def status_codes(self) -> frozenset[str]:
        """The statuses that every shop has, and those that orders were seen in."""
        return self._shop.status_codes

    def read(self, wanted: Wanted) -> MagentoReading:
        """Begin a pass. Nothing is read before the first batch is asked for."""
        return MagentoReading(self._shop, wanted, progress=self._progress)

    def by_ids(self, order_ids: Collection[OrderId]) -> dict[OrderId, Order]:
        """The present version of these orders; one that cannot be read is left out.

        Raises:
            OrderSourceError: the shop cannot be read.
        """
        wanted = sorted(each for each in set(order_ids) if isinstance(each, int) and 0 < each <= MAX_ID)
        if not wanted:
            return {}
        self._unread = set()
        table, assembly = self._shop.look_up()

        def unread(order_id: OrderId, failure: ShopFailure) -> None:  # noqa: ARG001 - a pass reports it
            self._unread.add(order_id)

        def batch(ids: Sequence[int]) -> list[Order]:
            orders, unreadable = assembly.orders(Halving(table.searcher, table.among, unread).run(ids))
            self._unread.update(each.order_id for each in unreadable)
            return orders

        parts = [wanted[at : at + BATCH] for at in range(0, len(wanted), BATCH)]
        jobs, most = (partial(batch, part) for part in parts), self._client.lanes.most
        return {order.order_id: order for orders in in_order(jobs, parallel=most) for order in orders}

    def gone(self, order_ids: Collection[OrderId]) -> frozenset[OrderId]:
        """Of these orders, just looked up by ``by_ids`` and not found, those that the shop does not have."""
        return frozenset(order_ids) - self._unread

    def find(self, number: str) -> Sequence[Order]:
        """The orders with this number or, written ``#123`` or bare, this order id.

        Raises:
            OrderSourceError: the shop, or the order that it has, cannot be read.
        """
        number = number.strip()
        digits = number.removeprefix("#")
        order_id = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
        table, assembly = self._shop.look_up()
        orders, unreadable = assembly.orders(table.numbered(number))
        if unreadable and not orders:
            raise OrderUnreadable(unreadable[0].reason, order_id=unreadable[0].order_id)
        found = {order.order_id: order for order in orders}
        if order_id is not None and order_id not in found:
            found |= self.by_ids([order_id])
        return [each for each in found.values() if each.number == number or each.order_id == order_id]

    def find_many(self, numbers: Collection[str]) -> dict[str, list[Order]]:
        """The orders with these numbers, about a hundred at a time.

        Raises:
            OrderSourceError: the shop cannot be read.
        """
        table, assembly = self._shop.look_up()
        wanted = sorted(each for each in set(numbers) if each)
        # A comma would end a number within a list, so such a one is asked for alone.
        listed = [each for each in wanted if "," not in each]
        parts = [listed[at : at + BATCH] for at in range(0, len(listed), BATCH)]
        jobs = [partial(table.numbered_among, part) for part in parts]
        jobs += [partial(table.numbered, each) for each in wanted if "," in each]
        found: dict[str, list[Order]] = {}
        for rows in in_order(iter(jobs), parallel=self._client.lanes.most):
            for order in assembly.orders(rows)[0]:
                found.setdefault(order.number, []).append(order)
        return found

    def store_view_locales(self) -> Mapping[str, str]:
        """The locale of each store view that is switched on, by code; those without one are left out.

        Raises:
            OrderSourceError: the shop does not tell them.
        """
        views = self.directory.store_views()
        active = {each.code for each in views if each.id and each.is_active in (None, True, 1)}
        configs = self.directory.store_configs()
        return {each.code: each.locale for each in configs if each.locale and each.code in active}

    def statuses(self) -> Mapping[str, str | None]:
        """Status codes to states: the shop's list where it has one, else shipped ones and those met.

        Raises:
            OrderSourceError: the shop cannot be asked.
        """
        return self._shop.statuses()

    def probe(self, *, annotate: bool = False) -> Probe:
        """What a self-test wants to know; never raises for what the shop answers.

        ``annotate``: whether comments are to be written. Requests are no longer retried.
        """
        return probe(self._shop, annotate=annotate)

    def describe_products(
        self, product_ids: Collection[int], store_view: str | None
    ) -> Mapping[int, ProductDetails]:
        """Names, pages and pictures of products; needs ``Magento_Catalog::products``.

        Raises:
            OrderSourceError: the shop does not tell.
        """
        return self._shop.product_pages.of(product_ids, store_view)

    def annotate(self, order_id: OrderId, text: str) -> None:
        """Write a comment into an order's history; needs ``Magento_Sales::comment``.

        Raises:
            OrderSourceError: the shop did not do it.
        """
        if isinstance(order_id, int):
            self._client.annotate(order_id, text)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def open_magento(opening: Opening) -> MagentoSource:
    """The source that these settings describe; no request is made yet.

    Raises:
        OrderSourceError: the login cannot be resolved, or the address is none.
    """
    shop: MagentoSettings = opening.settings
    login = _login(opening.name, shop, opening.root)
    client = MagentoClient(shop.base_url, login, stop=opening.stop, parallelism=shop.parallelism)
    naming = Naming(stores=opening.stores, customer_groups=opening.customer_groups, uses=opening.uses())
    return MagentoSource(opening.name, client, naming, cache=opening.cache)


def _login(source: str, shop: MagentoSettings, root: Path) -> Login:
    if shop.oauth is not None:
        oauth = shop.oauth
        references = (
            oauth.consumer_key,
            oauth.consumer_secret,
            oauth.access_token,
            oauth.access_token_secret,
        )
        return OAuthLogin(IntegrationKeys(*(_resolved(source, each, root) for each in references)))
    if shop.token is not None:
        return BearerLogin(_resolved(source, shop.token, root))
    raise OrderSourceError(f"order source {source}: no login is given", hint="set token: or oauth:")


def _resolved(source: str, reference: str, root: Path) -> Secret:
    """Without its secret a source cannot be read, and the rest of a run goes on."""
    try:
        return resolve(reference, root=root)
    except SecretError as error:
        message, hint = error.message, error.hint
    raise OrderSourceError(f"order source {source}: {message}", hint=hint)
