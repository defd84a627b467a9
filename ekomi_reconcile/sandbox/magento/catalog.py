"""Products, categories and quantities.

Quantities live on top-level rows: the parent of a configurable product or bundle replaces its children.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ekomi_reconcile.sandbox.magento import table
from ekomi_reconcile.sandbox.magento.document import Order
from ekomi_reconcile.sandbox.magento.render import RequestRejected
from ekomi_reconcile.sandbox.magento.table import Row, Table

Quantities = Mapping[int, float] | None


def top_rows(order: Order) -> list[Row]:
    return [item for item in order.get("items") or [] if "parent_item_id" not in item]


def to_invoice(item: Row) -> float:
    return float(item["qty_ordered"] - item["qty_invoiced"] - item["qty_canceled"])


def to_ship(item: Row) -> float:
    if item.get("is_virtual") or item.get("product_type") in {"virtual", "downloadable"}:
        return 0.0
    done = item["qty_shipped"] + item["qty_refunded"] + item["qty_canceled"]
    return max(0.0, float(item["qty_ordered"] - done))


def to_refund(item: Row) -> float:
    return float(item["qty_invoiced"] - item["qty_refunded"])


def taken(order: Order, quantities: Quantities, left: Callable[[Row], float]) -> list[tuple[Row, float]]:
    """The rows an action takes and how much of each, never more than is left."""
    wanted = {item["item_id"]: left(item) for item in top_rows(order)} if quantities is None else quantities
    rows = [(item, min(wanted.get(item["item_id"], 0), left(item))) for item in top_rows(order)]
    return [(item, _whole(quantity)) for item, quantity in rows if quantity > 0]


def _whole(quantity: float) -> float:
    return int(quantity) if quantity == int(quantity) else quantity


def add_up(rows: list[tuple[Row, float]], key: str) -> None:
    for item, quantity in rows:
        item[key] = _whole(item[key] + quantity)


def amount_of(rows: list[tuple[Row, float]]) -> float:
    prices = [(float(item.get("price_incl_tax") or item["price"]), quantity) for item, quantity in rows]
    return round(sum(price * quantity for price, quantity in prices), 2)


def enter_processing(order: Order) -> None:
    if order["state"] == "new":
        order |= {"state": "processing", "status": "processing"}


def settle(order: Order) -> None:
    """Complete when all is invoiced and shipped, closed when all that was invoiced is refunded."""
    rows = top_rows(order)
    if order["state"] not in {"processing", "complete"} or any(to_invoice(item) for item in rows):
        return
    if not any(to_refund(item) for item in rows):
        order |= {"state": "closed", "status": "closed"}
    elif order["state"] == "processing" and not any(to_ship(item) for item in rows):
        order |= {"state": "complete", "status": "complete"}


ROOT = 2


class Catalog:
    """Products by id and SKU, the tree below the root category (id 2), and attribute sets."""

    def __init__(self, products: Iterable[Row], tree: Row) -> None:
        self.products = Table(table.PRODUCTS, key="id", rows=products)
        self.tree = tree
        self.categories = Table(table.CATEGORIES, key="id", rows=[_ROOT_CATALOG, *_flat(tree, "1")])
        default = {
            "attribute_set_id": 4,
            "attribute_set_name": "Default",
            "sort_order": 1,
            "entity_type_id": 4,
        }
        self.attribute_sets = Table(table.ATTRIBUTE_SETS, key="attribute_set_id", rows=[default])
        self._by_sku = {product["sku"]: product for product in self.products}

    def product(self, sku: str) -> Row:
        """Find a product by its SKU.

        Raises:
            RequestRejected: 404 for an unknown SKU.
        """
        if sku not in self._by_sku:
            raise RequestRejected(
                404, "The product that was requested doesn't exist. Verify the product and try again."
            )
        return self._by_sku[sku]

    def subtree(self, root: int) -> Row | None:
        """The tree below a category, None when there is no such category."""
        return next((node for node in _nodes(self.tree) if node["id"] == root), None)


_ROOT_CATALOG: Row = {"id": 1, "parent_id": 0, "name": "Root Catalog", "level": 0, "path": "1"}


def from_items(
    orders: Iterable[Row], categories: Mapping[str, Sequence[int]], parents: Mapping[int, int]
) -> Catalog:
    """The catalogue the rows of these orders came from; `categories` by SKU, `parents` by category id."""
    products = [_product(i, sku, categories) for i, sku in _sold(orders).items()]
    wanted = {category for ids in categories.values() for category in ids} | set(parents)
    return Catalog(products, category_tree(wanted, parents))


def sold_products(orders: Iterable[Row], known: Iterable[int]) -> list[Row]:
    """Products that occur in order rows and are not known yet, without categories."""
    skip = set(known)
    return [_product(i, sku, {}) for i, sku in _sold(orders).items() if i not in skip]


def category_tree(ids: Iterable[int], parents: Mapping[int, int], parent: int = 1, node: int = ROOT) -> Row:
    """A node with all below it; a category without a parent hangs under the root."""
    below = sorted(i for i in set(ids) if i != ROOT and parents.get(i, ROOT) == node)
    return {
        "id": node,
        "parent_id": parent,
        "name": "Default Category" if node == ROOT else f"Category {node}",
        "is_active": True,
        "position": 1,
        "level": 1,
        "product_count": 0,
        "children_data": [category_tree(ids, parents, node, child) for child in below],
    }


def _sold(orders: Iterable[Row]) -> dict[int, str]:
    """SKU by product id; a configurable's parent row carries its child's SKU, so child rows win."""
    result: dict[int, str] = {}
    taken: set[str] = set()
    rows = [item for order in orders for item in order.get("items") or () if "product_id" in item]
    for item in sorted(rows, key=lambda row: row.get("product_type") == "configurable"):
        if item["product_id"] not in result:
            sku = item["sku"] if item["sku"] not in taken else f"{item['sku']}-parent-{item['product_id']}"
            result[item["product_id"]] = sku
            taken.add(sku)
    return result


def _product(number: int, sku: str, categories: Mapping[str, Sequence[int]]) -> Row:
    bare = sku.partition("-parent-")[0]
    links = [{"position": 0, "category_id": str(category)} for category in categories.get(bare, ())]
    return {
        "id": number,
        "sku": sku,
        "name": sku,
        "attribute_set_id": 4,
        "type_id": "simple",
        "status": 1,
        "visibility": 4,
        "extension_attributes": {"website_ids": [1], "category_links": links},
        "custom_attributes": [
            {"attribute_code": "url_key", "value": f"product-{number}"},
            {"attribute_code": "image", "value": f"/p/r/product-{number}.jpg"},
        ],
    }


def _nodes(node: Row) -> Iterator[Row]:
    yield node
    for child in node["children_data"]:
        yield from _nodes(child)


def _flat(node: Row, above: str) -> Iterator[dict[str, Any]]:
    path = f"{above}/{node['id']}"
    yield {key: value for key, value in node.items() if key != "children_data"} | {"path": path}
    for child in node["children_data"]:
        yield from _flat(child, path)
