"""The shop: its data, its switches, its faults, its recorded answers and a log of requests.

Twenty orders were recorded whole and are taken as they are. Two hundred were recorded with the fields a
mailer needs, the rest with a few: their other keys are filled in. Orders of which only the id is known repeat
a whole order under that id, so that every page has its real length.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from ekomi_reconcile.sandbox.magento import catalog as catalogue
from ekomi_reconcile.sandbox.magento import settings
from ekomi_reconcile.sandbox.magento import table as table_module
from ekomi_reconcile.sandbox.magento.catalog import Catalog, from_items
from ekomi_reconcile.sandbox.magento.document import Order, completed
from ekomi_reconcile.sandbox.magento.login import ALL, AdminUser, Integration, ShopLogins
from ekomi_reconcile.sandbox.magento.render import FaultPlan, OrderDamage, damaged
from ekomi_reconcile.sandbox.magento.settings import Stores, from_sql, sql_time
from ekomi_reconcile.sandbox.magento.table import Row, Table
from ekomi_reconcile.sandbox.magento.workflow import Mutations, Workflow


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """A request, the route pattern that served it (empty when none did), and how many orders it carried."""

    method: str
    path: str
    query: str
    route: str
    status: int
    orders: int


@dataclass(slots=True)
class RequestLog:
    """All requests since the last clearing, oldest first."""

    entries: list[RecordedExchange] = field(default_factory=list)

    def add(self, entry: RecordedExchange) -> None:
        self.entries.append(entry)

    def clear(self) -> None:
        self.entries.clear()

    def by_route(self) -> dict[str, int]:
        """Requests per `METHOD pattern`."""
        return dict(Counter(f"{e.method} {e.route or e.path}" for e in self.entries))

    def orders_served(self) -> int:
        return sum(entry.orders for entry in self.entries)

    def summary(self) -> dict[str, Any]:
        return {
            "requests": len(self.entries),
            "orders_served": self.orders_served(),
            "by_route": self.by_route(),
            "entries": [asdict(entry) for entry in self.entries],
        }


LAST_ORDER = 347
_WHOLE = "quote_id"
_SECONDS_PER_ORDER = 2


class Archive:
    """Answers by `folder/name` without the suffix, read when asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answer(self, name: str) -> Any:
        return json.loads((self._folder / f"{name}.json").read_text("utf-8"))["response"]["json"]

    def order_answers(self) -> Iterator[Row]:
        """Every recorded answer about an order: whole orders first, damaged ones last."""
        first = ["orders/page_20_full", "orders/all_orders_fields_page_1", "orders/all_orders_fields_page_2"]
        rest = [f"{path.parent.name}/{path.stem}" for path in sorted(self._folder.glob("*/*.json"))]
        rest.sort(key=lambda name: name.startswith("poison/"))
        for name in [*first, *(name for name in rest if name not in first)]:
            yield from self._orders(name)

    def _orders(self, name: str) -> Iterator[Row]:
        pair = json.loads((self._folder / f"{name}.json").read_text("utf-8"))
        target = "" if isinstance(pair, list) else pair.get("request", {}).get("target", "")
        if not re.search(r"/orders(/\d+)?($|\?)", target):
            return
        answer = pair["response"].get("json")
        given = answer if isinstance(answer, dict) else {}
        rows = given.get("items") or [] if "/orders?" in target else [given]
        yield from (row for row in rows if isinstance(row, dict) and "entity_id" in row)


def recorded_orders(archive: Archive, *, last_order: int) -> list[Order]:
    """Whole documents of all orders up to that id, ascending."""
    known: dict[int, Order] = {}
    for row in archive.order_answers():
        _fill(known.setdefault(row["entity_id"], {}), row)
    donors = [row for row in known.values() if _WHOLE in row]
    return [_whole(known[i], known, donors) for i in sorted(known) if i <= last_order]


def recorded_stores(archive: Archive) -> Stores:
    return Stores(
        archive.answer("stores/storeViews"),
        archive.answer("stores/storeGroups"),
        archive.answer("stores/websites"),
        archive.answer("stores/storeConfigs"),
    )


def recorded_groups(archive: Archive) -> list[Row]:
    rows: list[Row] = archive.answer("stores/customer_groups")["items"]
    return rows


def recorded_catalog(archive: Archive, known_orders: list[Order]) -> catalogue.Catalog:
    """The recorded products and tree, and every other product that was sold."""
    products: dict[int, Row] = {}
    single = [archive.answer("catalog/product_by_sku_full"), archive.answer("catalog/product_by_sku")]
    searched = [archive.answer(f"catalog/products_by_{key}")["items"] for key in ("ids", "skus")]
    for row in [*single, *searched[0], *searched[1]]:
        _fill(products.setdefault(row["id"], {}), row)
    others = catalogue.sold_products(known_orders, products)
    return catalogue.Catalog([*products.values(), *others], archive.answer("catalog/categories_tree"))


def fill(archive: Archive, name: str, table: Table) -> None:
    """Invoices, shipments or credit memos that were recorded."""
    for row in archive.answer(f"orders/{name}_search")["items"]:
        table.put(row)


def _fill(known: Row, row: Row) -> None:
    """Add what is not known yet, also inside objects and inside lists of the same length."""
    for key, value in row.items():
        if key not in known:
            known[key] = [] if value is None and key in {"items", "status_histories"} else value
        elif isinstance(value, dict) and isinstance(known[key], dict):
            _fill(known[key], value)
        elif isinstance(value, list) and isinstance(known[key], list) and len(value) == len(known[key]):
            for ours, theirs in zip(known[key], value, strict=True):
                if isinstance(ours, dict) and isinstance(theirs, dict):
                    _fill(ours, theirs)


def _whole(row: Order, known: dict[int, Order], donors: list[Order]) -> Order:
    """A recorded whole order shares its rows with its shipping assignment; others are filled in."""
    if _WHOLE in row:
        row["extension_attributes"]["shipping_assignments"][0]["items"] = row["items"]
        return row
    if "items" not in row:
        row = _relabelled(donors[row["entity_id"] % len(donors)], row["entity_id"]) | row
        row.setdefault("created_at", _between(row["entity_id"], known))
        row.setdefault("updated_at", row["created_at"])
    return completed(row, now=row["created_at"])


def _relabelled(donor: Order, number: int) -> Order:
    """A copy of a whole order with ids of its own, without times and history."""
    copy = json.loads(json.dumps(donor))
    for key in ("created_at", "updated_at", "status_histories", "extension_attributes"):
        copy.pop(key, None)
    shift = {item["item_id"]: number * 10_000 + i for i, item in enumerate(copy["items"])}
    for item in copy["items"]:
        item |= {"item_id": shift[item["item_id"]], "order_id": number}
        if "parent_item_id" in item:
            item["parent_item_id"] = shift[item["parent_item_id"]]
    renamed: Order = copy | {"entity_id": number, "increment_id": f"9{number:09d}"}
    return renamed


def _between(number: int, known: dict[int, Order]) -> str:
    """A creation time after the nearest earlier order whose time is known."""
    earlier = max(i for i in known if i < number and "created_at" in known[i])
    start = from_sql(known[earlier]["created_at"])
    return sql_time(start + (number - earlier) * _SECONDS_PER_ORDER)


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
        self.workload = settings.Workload()
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
        cls, folder: Path, *, last_order: int = LAST_ORDER, clock: settings.ShopClock | None = None
    ) -> Self:
        """The recorded shop, rebuilt from a folder of recorded answers, up to that order id."""
        archive = Archive(folder)
        orders = recorded_orders(archive, last_order=last_order)
        catalog = recorded_catalog(archive, orders)
        shop = cls(
            stores=recorded_stores(archive), groups=recorded_groups(archive), catalog=catalog, clock=clock
        )
        shop.load(orders)
        for name, table in (("invoices", shop.invoices), ("shipments", shop.shipments)):
            fill(archive, name, table)
        fill(archive, "creditmemos", shop.creditmemos)
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
