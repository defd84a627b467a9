"""One shop as the source of orders sees it: what its ids mean, and how its rows become orders.

What is read once per pass (names, categories, what is withheld) is kept here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.facts import CONTACT, EVERYTHING
from ekomi_reconcile.orders.magento import directory
from ekomi_reconcile.orders.magento.client import MagentoClient
from ekomi_reconcile.orders.magento.evidence import Assembly, DocumentLookup
from ekomi_reconcile.orders.magento.search import PAGE_SIZE, Searcher, order_fields
from ekomi_reconcile.orders.magento.table import OrderTable
from ekomi_reconcile.orders.magento.wire import FailureKind, ShopFailure
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.reader import OrderReader
from ekomi_reconcile.rules.conditions import CATEGORY_ID
from ekomi_reconcile.rules.order_fields import path_of

STORE_VIEW = "store_view"
CUSTOMER_GROUP = "customer_group"

PRODUCTS = "products"


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the configuration says about names.

    ``stores`` and ``customer_groups`` are names by id that the files give: they win over the shop's.
    ``uses`` are the attributes of orders that rules look at, ``store_view`` and ``customer_group`` among
    them; ``None``: not known, so all of them may be.
    """

    stores: Mapping[int, str] = field(default_factory=dict)
    customer_groups: Mapping[int, str] = field(default_factory=dict)
    uses: frozenset[str] | None = None

    def needs(self, attribute: str) -> bool:
        """May a rule look at it?"""
        return self.uses is None or attribute in self.uses


class MagentoShop:
    """Reads what orders need besides themselves."""

    def __init__(self, client: MagentoClient, naming: Naming, *, page_size: int = PAGE_SIZE) -> None:
        self.client = client
        self.searcher = Searcher(client, size=page_size)
        self._page_size = page_size
        self.directory = directory.Directory(self.searcher)
        self._naming = naming
        self._asked: frozenset[str] | None = naming.uses
        self._observed: dict[str, str | None] = {}
        self.begin()

    def begin(self) -> None:
        """A new pass begins: names, categories and permissions may have changed since the last one."""
        self.directory.forget()
        self._warnings = directory.Warnings()
        self._withheld = directory.Withheld(self._warnings)
        self._evidence = DocumentLookup(self.searcher, self._withheld, self._warnings)
        self._categories = directory.Categories(self.searcher, self._warnings)
        self.product_pages = directory.ProductPages(self.client, self.directory, page_size=self._page_size)
        self._lacking: frozenset[str] = frozenset()
        self._codes: Codes | None = None
        self.store_view_codes: frozenset[str] | None = None
        self.customer_group_codes: frozenset[str] | None = None

    def do_without(self, attributes: frozenset[str]) -> None:
        """Leave these attributes of orders unknown in this pass: only rules that are left out need them."""
        self._lacking = attributes

    @property
    def warnings(self) -> Sequence[Diagnostic]:
        """What had to be done without."""
        return self._warnings.all

    @property
    def codes(self) -> Codes:
        """What the shop's ids mean; asked for once.

        Raises:
            OrderSourceError: the shop does not tell, and a rule may need it.
        """
        if self._codes is None:
            stores, groups = self._store_codes(), self._group_codes()
            self._codes = directory.codes_of(
                {**stores, **self._naming.stores},
                {**(groups or {}), **self._naming.customer_groups},
                shipped=groups is None,
            )
        return self._codes

    def needs(self, attribute: str) -> bool:
        """May a rule look at this attribute of orders?"""
        return self._naming.needs(attribute)

    @property
    def documents_read(self) -> frozenset[str]:
        """The kinds of documents (shipments, invoices) that this pass has read."""
        return frozenset(self._evidence.granted)

    @property
    def status_codes(self) -> frozenset[str]:
        """The statuses that every shop has, and those that orders were seen in."""
        return frozenset({**directory.SHIPPED_STATUSES, **self._observed})

    def statuses(self) -> Mapping[str, str | None]:
        """Status to state, as far as known: see Directory.statuses."""
        return self.directory.statuses(self._observed)

    def table(self, attributes: frozenset[str], *, without: Iterable[int] = ()) -> OrderTable:
        """The orders, with the fields that these attributes need; ids in ``without`` are left out."""
        return OrderTable(self.searcher, order_fields(attributes), tuple(sorted(without)))

    def assembly(self, attributes: frozenset[str]) -> Assembly:
        """How rows with the fields of these attributes become orders."""
        self._asked = attributes | (self._asked or frozenset())
        ask = self._needed_categories if CATEGORY_ID in attributes else None
        return Assembly(OrderReader(self.codes, naming=attributes), self._evidence, ask)

    def look_up(self) -> tuple[OrderTable, Assembly]:
        """For single orders: with the contact and what rules are known to look at, else with everything."""
        if self._asked is not None:
            asked = self._asked - self._lacking
            return self.table(asked | {CONTACT}), self.assembly(asked)
        return self.table(EVERYTHING), Assembly(OrderReader(self.codes), self._evidence, self._any_categories)

    @property
    def naming_fields(self) -> frozenset[str]:
        """Those attributes, of all that rules look at, that name fields by their path."""
        return frozenset(each for each in self._naming.uses or () if path_of(each) is not None)

    def observe(self, orders: Iterable[Order]) -> None:
        """Note the statuses that occur."""
        self._observed |= {order.status: order.state for order in orders if order.status is not None}

    def _needed_categories(self, product_ids: Iterable[int]) -> Mapping[int, tuple[int, ...]] | None:
        """The categories, which a rule needs."""
        try:
            return self._categories.of(product_ids)
        except ShopFailure as failure:
            if _missing_permission(failure):
                failure.lacks = CATEGORY_ID
            raise

    def _any_categories(self, product_ids: Iterable[int]) -> Mapping[int, tuple[int, ...]] | None:
        """The categories, if they may be seen; nobody is known to need them."""
        if PRODUCTS in self._withheld:
            return None
        try:
            return self._categories.of(product_ids)
        except ShopFailure as failure:
            if not _missing_permission(failure):
                raise
            self._withheld.add(PRODUCTS, failure, instead="categories of items stay unknown")
        return None

    def _store_codes(self) -> Mapping[int, str]:
        try:
            found = {view.id: view.code for view in self.directory.store_views()}
        except ShopFailure as failure:
            needed = STORE_VIEW not in self._lacking and self._naming.needs(STORE_VIEW)
            if needed and not self._naming.stores and _missing_permission(failure):
                failure.lacks = STORE_VIEW
                raise
            if not _missing_permission(failure):
                raise
            self._withheld.add(
                "store-views", failure, instead="store views are those named under orders:, or ids"
            )
            return {}
        named = {**found, **self._naming.stores}
        self.store_view_codes = frozenset(code for key, code in named.items() if key != directory.ADMIN_STORE)
        return found

    def _group_codes(self) -> Mapping[int, str] | None:
        """Names by id; ``None`` if they are not known or nobody needs them."""
        if CUSTOMER_GROUP in self._lacking or not self._naming.needs(CUSTOMER_GROUP):
            return None
        try:
            found = {group.id: group.code for group in self.directory.customer_groups()}
        except ShopFailure as failure:
            if not _missing_permission(failure):
                raise
            if not self._naming.customer_groups:
                failure.lacks = CUSTOMER_GROUP
                raise
            self._withheld.add(
                "customer-groups", failure, instead="customer groups are those named under orders:, or ids"
            )
            return None
        self.customer_group_codes = frozenset({**found, **self._naming.customer_groups}.values())
        return found


def _missing_permission(failure: ShopFailure) -> bool:
    return failure.kind is FailureKind.REFUSED and failure.resource is not None
