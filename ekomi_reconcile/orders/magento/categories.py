"""Which categories products are in: asked for once per product and run, and only if a rule looks at it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from ekomi_reconcile.orders.magento.failure import ShopFailure
from ekomi_reconcile.orders.magento.optional import Warnings
from ekomi_reconcile.orders.magento.query import among
from ekomi_reconcile.orders.magento.search import Halving, Searcher
from ekomi_reconcile.orders.wire import WireCategoryLink

_FIELDS = "items[id,extension_attributes[category_links[category_id]]],total_count"


class _Extension(Struct, gc=False):
    category_links: list[WireCategoryLink] | None = None


class _Product(Struct, gc=False):
    id: int
    extension_attributes: _Extension | None = None


class Categories:
    """Direct assignments of today, by product id; deleted products are not known. For any thread."""

    def __init__(self, searcher: Searcher, warnings: Warnings) -> None:
        self._searcher = searcher
        self._warnings = warnings
        self._lock = threading.Lock()
        self._known: dict[int, tuple[int, ...] | None] = {}

    def of(self, product_ids: Iterable[int]) -> Mapping[int, tuple[int, ...]]:
        """The categories of these products, without those of products that the shop does not have.

        Raises:
            ShopFailure: the shop does not tell.
        """
        wanted = frozenset(product_ids)
        with self._lock:
            missing = sorted(wanted - self._known.keys())
        if missing:
            found = Halving(self._searcher, self._ask, self._failed).run(missing)
            with self._lock:
                self._known |= dict.fromkeys(missing)
                self._known |= {each.id: _links(each) for each in found}
        with self._lock:
            return {key: ids for key in wanted if (ids := self._known.get(key)) is not None}

    def _ask(self, product_ids: Sequence[int]) -> list[_Product]:
        return self._searcher.all(
            "products", (among("entity_id", product_ids),), fields=_FIELDS, key="entity_id", kind=_Product
        )

    def _failed(self, product_id: int, failure: ShopFailure) -> None:
        self._warnings.add(
            "product-unreadable", f"product {product_id}: {failure.message}", key=str(product_id)
        )


def _links(product: _Product) -> tuple[int, ...]:
    extension = product.extension_attributes
    links = extension.category_links if extension else None
    return tuple(each.category_id for each in links or () if each.category_id is not None)
