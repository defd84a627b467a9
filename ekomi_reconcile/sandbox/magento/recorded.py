"""Recorded answers, and the log of requests.

Twenty orders were recorded whole and are taken as they are. Two hundred were recorded with the fields a
mailer needs, the rest with a few: their other keys are filled in. Orders of which only the id is known repeat
a whole order under that id, so that every page has its real length.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ekomi_reconcile.sandbox.magento import catalog as catalogue
from ekomi_reconcile.sandbox.magento.document import Order, completed
from ekomi_reconcile.sandbox.magento.settings import Stores, from_sql, sql_time
from ekomi_reconcile.sandbox.magento.table import Row, Table


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


def orders(archive: Archive, *, last_order: int) -> list[Order]:
    """Whole documents of all orders up to that id, ascending."""
    known: dict[int, Order] = {}
    for row in archive.order_answers():
        _fill(known.setdefault(row["entity_id"], {}), row)
    donors = [row for row in known.values() if _WHOLE in row]
    return [_whole(known[i], known, donors) for i in sorted(known) if i <= last_order]


def stores(archive: Archive) -> Stores:
    return Stores(
        archive.answer("stores/storeViews"),
        archive.answer("stores/storeGroups"),
        archive.answer("stores/websites"),
        archive.answer("stores/storeConfigs"),
    )


def groups(archive: Archive) -> list[Row]:
    rows: list[Row] = archive.answer("stores/customer_groups")["items"]
    return rows


def catalog(archive: Archive, known_orders: list[Order]) -> catalogue.Catalog:
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
