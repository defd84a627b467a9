"""Products and categories: which product is in which category, and the category tree."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ekomi_reconcile.sandbox.magento import columns
from ekomi_reconcile.sandbox.magento.refusal import Refused
from ekomi_reconcile.sandbox.magento.table import Row, Table

ROOT = 2


class Catalog:
    """Products by id and SKU, the tree below the root category (id 2), and attribute sets."""

    def __init__(self, products: Iterable[Row], tree: Row) -> None:
        self.products = Table(columns.PRODUCTS, key="id", rows=products)
        self.tree = tree
        self.categories = Table(columns.CATEGORIES, key="id", rows=[_ROOT_CATALOG, *_flat(tree, "1")])
        default = {
            "attribute_set_id": 4,
            "attribute_set_name": "Default",
            "sort_order": 1,
            "entity_type_id": 4,
        }
        self.attribute_sets = Table(columns.ATTRIBUTE_SETS, key="attribute_set_id", rows=[default])
        self._by_sku = {product["sku"]: product for product in self.products}

    def product(self, sku: str) -> Row:
        """Raises Refused 404 for an unknown SKU."""
        if sku not in self._by_sku:
            raise Refused(
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
