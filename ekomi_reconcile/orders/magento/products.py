"""Names, pages and pictures of products, as customers of a store view see them."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import Struct

from ekomi_reconcile.model.product import ProductDetails
from ekomi_reconcile.orders.magento.client import MagentoClient
from ekomi_reconcile.orders.magento.directory import Directory, StoreConfig
from ekomi_reconcile.orders.magento.search import Halving, Searcher, among
from ekomi_reconcile.orders.magento.wire import FailureKind, ShopFailure

_FIELDS = "items[id,name,custom_attributes[attribute_code,value]],total_count"
_NO_IMAGE = "no_selection"
"""What Magento has for the picture of a product without one."""


class _Attribute(Struct, gc=False):
    attribute_code: str | None = None
    value: Any = None


class _Product(Struct, gc=False):
    id: int
    name: str | None = None
    custom_attributes: list[_Attribute] | None = None


class ProductPages:
    """What a shop tells of its products, each asked for once per store view. For any thread.

    Needs ``Magento_Catalog::products``; pages and pictures also need ``Magento_Backend::store``.
    """

    def __init__(self, client: MagentoClient, directory: Directory, *, page_size: int) -> None:
        self._client = client
        self._directory = directory
        self._page_size = page_size
        self._lock = threading.Lock()
        self._known: dict[tuple[str | None, int], ProductDetails | None] = {}
        self._configs: Mapping[str, StoreConfig] | None = None

    def of(self, product_ids: Collection[int], store_view: str | None) -> Mapping[int, ProductDetails]:
        """The details of these products, without those that the shop does not have.

        Raises:
            ShopFailure: the shop does not tell.
        """
        with self._lock:
            config = self._config(store_view)
            code = None if config is None else config.code
            missing = [each for each in sorted(set(product_ids)) if (code, each) not in self._known]
            if missing:
                self._known |= dict.fromkeys((code, each) for each in missing)
                self._known |= {(code, each.id): _details(each, config) for each in self._read(missing, code)}
            found = {each: self._known.get((code, each)) for each in product_ids}
        return {key: each for key, each in found.items() if each is not None}

    def _read(self, product_ids: Sequence[int], code: str | None) -> list[_Product]:
        searcher = Searcher(self._client, size=self._page_size, store=code)
        found: list[_Product] = Halving(searcher, partial(_ask, searcher), _unread).run(product_ids)
        return found

    def _config(self, store_view: str | None) -> StoreConfig | None:
        """The settings of a store view; ``None`` where it has none, or they may not be read."""
        if self._configs is None:
            try:
                self._configs = {each.code: each for each in self._directory.store_configs()}
            except ShopFailure as failure:
                if failure.kind is not FailureKind.REFUSED:
                    raise
                self._configs = {}
        return None if store_view is None else self._configs.get(store_view)


def _ask(searcher: Searcher, product_ids: Sequence[int]) -> list[_Product]:
    return searcher.all(
        "products", (among("entity_id", product_ids),), fields=_FIELDS, key="entity_id", kind=_Product
    )


def _unread(product_id: int, failure: ShopFailure) -> None:
    """A product that the shop cannot give: the order's own name is used."""


def _details(product: _Product, config: StoreConfig | None) -> ProductDetails:
    image = next(
        (each.value for each in product.custom_attributes or () if each.attribute_code == "image"), None
    )
    link = None if config is None else config.secure_base_link_url
    media = None if config is None else config.secure_base_media_url
    has_image = isinstance(image, str) and image.startswith("/") and image != _NO_IMAGE
    return ProductDetails(
        name=product.name or None,
        # The one address that leads to a product whatever the shop's settings of URL keys and suffixes.
        link=f"{link.rstrip('/')}/catalog/product/view/id/{product.id}" if link else None,
        image_url=f"{media.rstrip('/')}/catalog/product{image}" if media and has_image else None,
    )
