"""The shop: its data, its switches, its faults, and a log of what was asked."""

import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from ekomi_reconcile.sandbox.magento import recorded, settings
from ekomi_reconcile.sandbox.magento import table as table_module
from ekomi_reconcile.sandbox.magento.catalog import Catalog, from_items
from ekomi_reconcile.sandbox.magento.document import Order, completed
from ekomi_reconcile.sandbox.magento.login import ALL, AdminUser, Integration, ShopLogins
from ekomi_reconcile.sandbox.magento.recorded import RequestLog
from ekomi_reconcile.sandbox.magento.render import FaultPlan, OrderDamage, damaged
from ekomi_reconcile.sandbox.magento.table import Row, Table
from ekomi_reconcile.sandbox.magento.workflow import Mutations, Workflow

_NOT_IN_ITEM_SEARCH = {"parent_item", "product_option", "extension_attributes"}


class SimulatedShop(Workflow):
    """A whole shop in memory. Hold `lock` to change several things at once while it is being served."""

    def __init__(
        self,
        *,
        stores: settings.Stores,
        groups: Sequence[Row],
        catalog: Catalog,
        clock: settings.ShopClock | None = None,
    ) -> None:
        super().__init__(clock or settings.ShopClock())
        self.stores = stores
        self.customer_groups = Table(table_module.GROUPS, key="id", rows=groups)
        self.catalog = catalog
        self.settings = settings.Settings()
        self.credentials = ShopLogins(admins={"admin": AdminUser()})
        self.faults = FaultPlan()
        self.damages: dict[int, OrderDamage] = {}
        self.mutations = Mutations()
        self.log = RequestLog()
        self.lock = threading.RLock()
        self.reports = 0
        self._items: tuple[int, Table] = (-1, Table(table_module.ITEMS, key="item_id"))

    @classmethod
    def from_orders(
        cls,
        orders: Iterable[Mapping[str, Any]],
        *,
        stores: Mapping[int, str] = settings.DEFAULT_STORES,
        groups: Mapping[int, str] = settings.DEFAULT_GROUPS,
        categories: Mapping[str, Sequence[int]] | None = None,
        category_parents: Mapping[int, int] | None = None,
        clock: settings.ShopClock | None = None,
    ) -> Self:
        """A shop with these orders; keys left out are filled in.

        `stores`, `groups`: id → code; `categories`: SKU → category ids; `category_parents`: child → parent.
        """
        moment = clock or settings.ShopClock()
        documents = [completed(order, now=moment.sql()) for order in orders]
        catalog = from_items(documents, categories or {}, category_parents or {})
        shop = cls(
            stores=settings.one_website(stores),
            groups=settings.group_rows(groups),
            catalog=catalog,
            clock=moment,
        )
        shop.load(documents)
        return shop

    @classmethod
    def recorded(
        cls, folder: Path, *, last_order: int = recorded.LAST_ORDER, clock: settings.ShopClock | None = None
    ) -> Self:
        """The recorded shop, rebuilt from a folder of recorded answers, up to that order id."""
        archive = recorded.Archive(folder)
        orders = recorded.orders(archive, last_order=last_order)
        catalog = recorded.catalog(archive, orders)
        shop = cls(
            stores=recorded.stores(archive), groups=recorded.groups(archive), catalog=catalog, clock=clock
        )
        shop.load(orders)
        for name, table in (("invoices", shop.invoices), ("shipments", shop.shipments)):
            recorded.fill(archive, name, table)
        recorded.fill(archive, "creditmemos", shop.creditmemos)
        return shop

    def load(self, orders: Iterable[Order]) -> None:
        """Take many whole order documents at once, in place of those there are."""
        self.orders = Table(table_module.ORDERS, rows=orders)
        entries = (entry["entity_id"] for order in self.orders for entry in order["status_histories"])
        self.last_history_id = max(entries, default=0)
        self.changes += 1

    def integrate(self, resources: Iterable[str] = ALL) -> Integration:
        """An integration with these ACL resources, all unless told otherwise."""
        allowed = resources if isinstance(resources, frozenset) else frozenset(resources)
        return self.credentials.integrate(resources=allowed)

    def admin_token(self) -> str:
        """A bearer token of the admin user, valid for an hour of the shop's clock."""
        return self.credentials.issue(self.clock.now())

    def damage(self, order_id: int, damage: OrderDamage | None) -> None:
        """Damage this order in the database; ``None`` repairs it."""
        if damage is None:
            self.damages.pop(order_id, None)
        else:
            self.damages[self.order(order_id)["entity_id"]] = damage

    def visible(self, order: Order) -> Order:
        """The order as it is sent.

        Raises Broken when the order is damaged in a way that breaks the page.
        """
        damage = self.damages.get(order["entity_id"])
        return order if damage is None else damaged(order, damage)

    def order_items(self) -> Table:
        """All order rows, built again only after an order changed."""
        if self._items[0] != self.changes:
            rows = [_flat_item(item) for order in self.orders for item in order.get("items") or ()]
            self._items = (self.changes, Table(table_module.ITEMS, key="item_id", rows=rows))
        return self._items[1]

    def delete_store_view(self, store_id: int) -> None:
        """Orders and their rows lose the store id; `store_name` and `updated_at` stay."""
        self.stores.delete_view(store_id)
        for order in list(self.orders):
            if order.get("store_id") == store_id:
                for row in (order, *order["items"]):
                    row.pop("store_id", None)
                self._stored(order)

    def delete_customer(self, customer_id: int) -> None:
        """Orders lose the customer id while `customer_is_guest` and `updated_at` stay."""
        for order in list(self.orders):
            if order.get("customer_id") == customer_id:
                del order["customer_id"]
                self._stored(order)

    def reset(self) -> None:
        """No faults, no damage, no changes between pages, default switches, an empty log. Orders stay."""
        self.faults.clear()
        self.damages.clear()
        self.mutations.clear()
        self.log.clear()
        self.settings = settings.Settings()


def _flat_item(item: Row) -> Row:
    return {key: value for key, value in item.items() if key not in _NOT_IN_ITEM_SEARCH}
