"""Names a shop knows: store views, customer groups, categories, products."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.review import ProductDetails
from ekomi_reconcile.orders.lenient import LenientDecoder, Unfit
from ekomi_reconcile.orders.magento.client import MagentoClient
from ekomi_reconcile.orders.magento.search import Halving, Searcher, among, encode
from ekomi_reconcile.orders.magento.wire import FailureKind, ShopFailure
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.wire import WireCategoryLink


class Warnings:
    """Warnings of one run, each once; for any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], Diagnostic] = {}

    def add(self, rule: str, message: str, *, hint: str | None = None, key: str = "") -> None:
        """Warn, unless it was said."""
        found = Diagnostic(severity=Severity.WARNING, rule=rule, message=message, hint=hint)
        with self._lock:
            self._found.setdefault((rule, key), found)

    @property
    def all(self) -> Sequence[Diagnostic]:
        """What was said."""
        with self._lock:
            return tuple(self._found.values())


class Withheld:
    """The resources that the integration cannot read."""

    def __init__(self, warnings: Warnings) -> None:
        self._warnings = warnings
        self._names: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str, failure: ShopFailure, *, instead: str) -> None:
        """Do without it for this run; ``instead`` says what is used in its place."""
        self._names.add(name)
        resource = failure.resource or name
        self._warnings.add(
            f"{name}-withheld",
            f"the integration cannot read {name} ({resource}): {instead}",
            hint=f"give the integration the permission {resource}",
        )


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


T = TypeVar("T")

ADMIN_STORE = 0
"""The id of the admin's own store view: orders may name it, nobody chooses it."""

SHIPPED_STATUSES: Mapping[str, str] = {
    "pending": "new",
    "pending_payment": "pending_payment",
    "processing": "processing",
    "fraud": "processing",
    "complete": "complete",
    "closed": "closed",
    "canceled": "canceled",
    "holded": "holded",
    "payment_review": "payment_review",
}
"""Status to state, as every shop starts out. Most shops cannot list their own over REST."""


class StoreView(Struct, frozen=True, gc=False):
    """A store view, the admin's (id 0) included."""

    id: int
    code: str
    name: str | None = None
    website_id: int | None = None
    is_active: int | bool | None = None


class StoreConfig(Struct, frozen=True, gc=False):
    """Settings of a store view; the admin's has none.

    ``timezone`` is an IANA name; the addresses are those of its pages and its pictures.
    """

    id: int
    code: str
    locale: str | None = None
    base_currency_code: str | None = None
    timezone: str | None = None
    secure_base_link_url: str | None = None
    secure_base_media_url: str | None = None


class CustomerGroup(Struct, frozen=True, gc=False):
    """A customer group; 0 is NOT LOGGED IN."""

    id: int
    code: str


class _Status(Struct, gc=False):
    status: str
    state: str | None = None


@dataclass(frozen=True, slots=True)
class Directory:
    """Asks for lists. Store views and customer groups are read once per pass.

    Each raises ShopFailure when the shop does not give the list, with the permission that is missing.
    """

    searcher: Searcher
    _kept: dict[str, Any] = field(default_factory=dict)

    def forget(self) -> None:
        """Ask again for what was read before."""
        self._kept.clear()

    def store_views(self) -> Sequence[StoreView]:
        """All store views. Needs ``Magento_Backend::store``."""
        fields = encode([("fields", "id,code,name,website_id,is_active")])
        return self._once("views", lambda: self._list("store/storeViews", fields, StoreView))

    def store_configs(self) -> Sequence[StoreConfig]:
        """Locale, currency and time zone per store view. Needs ``Magento_Backend::store``."""
        wanted = "id,code,locale,base_currency_code,timezone,secure_base_link_url,secure_base_media_url"
        fields = encode([("fields", wanted)])
        return self._once("configs", lambda: self._list("store/storeConfigs", fields, StoreConfig))

    def customer_groups(self) -> Sequence[CustomerGroup]:
        """All customer groups. Needs ``Magento_Customer::group``."""
        fields = "items[id,code],total_count"
        return self._once(
            "groups",
            lambda: self.searcher.all(
                "customerGroups/search", (), fields=fields, key="id", kind=CustomerGroup
            ),
        )

    def _once(self, name: str, ask: Callable[[], Sequence[T]]) -> Sequence[T]:
        """What is answered once per pass; a failure is asked for again."""
        if name not in self._kept:
            self._kept[name] = ask()
        found: Sequence[T] = self._kept[name]
        return found

    def statuses(self, observed: Mapping[str, str | None]) -> Mapping[str, str | None]:
        """Status to state: the shop's own list, or else the shipped ones and those seen in orders."""
        try:
            listed = self._list("order-statuses", "", _Status)
        except ShopFailure as failure:
            if failure.kind not in {FailureKind.NOT_FOUND, FailureKind.REFUSED, FailureKind.REJECTED}:
                raise
            return {**observed, **SHIPPED_STATUSES}
        return {**observed, **{each.status: each.state for each in listed}}

    def _list(self, path: str, query: str, kind: type[T]) -> list[T]:
        body, problem = self.searcher.client.get(path, query), ""
        decoder = LenientDecoder(kind)
        try:
            return [decoder.decode(raw) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
        except (Unfit, msgspec.DecodeError) as error:
            problem = str(error)
        raise OrderSourceError(f"{path}: the shop's list cannot be read: {problem}")


class _NamesById(dict[int, str]):
    """Names by id; an id that has none (a deleted store view or group) is its own name."""

    def get(self, key: int, default: object = None) -> str:  # noqa: ARG002
        return super().get(key) or str(key)


def codes_of(stores: Mapping[int, str], customer_groups: Mapping[int, str], *, shipped: bool = True) -> Codes:
    """What ids mean in this shop; ``shipped``: whether the groups of a new shop fill gaps."""
    codes = Codes(stores, customer_groups)
    codes.stores = _NamesById(stores)
    codes.customer_groups = _NamesById(codes.customer_groups if shipped else customer_groups)
    return codes


_PRODUCT_FIELDS = "items[id,name,custom_attributes[attribute_code,value]],total_count"
_NO_IMAGE = "no_selection"
"""What Magento has for the picture of a product without one."""


class _Attribute(Struct, gc=False):
    attribute_code: str | None = None
    value: Any = None


class _ProductDocument(Struct, gc=False):
    id: int
    name: str | None = None
    custom_attributes: list[_Attribute] | None = None


class ProductPages:
    """Products as a shop describes them, each read once per store view. For any thread.

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

    def _read(self, product_ids: Sequence[int], code: str | None) -> list[_ProductDocument]:
        searcher = Searcher(self._client, size=self._page_size, store=code)
        found: list[_ProductDocument] = Halving(searcher, partial(_ask, searcher), _unread).run(product_ids)
        return found

    def _config(self, store_view: str | None) -> StoreConfig | None:
        """The settings of a store view; ``None`` where it has none, or they cannot be read."""
        if self._configs is None:
            try:
                self._configs = {each.code: each for each in self._directory.store_configs()}
            except ShopFailure as failure:
                if failure.kind is not FailureKind.REFUSED:
                    raise
                self._configs = {}
        return None if store_view is None else self._configs.get(store_view)


def _ask(searcher: Searcher, product_ids: Sequence[int]) -> list[_ProductDocument]:
    return searcher.all(
        "products",
        (among("entity_id", product_ids),),
        fields=_PRODUCT_FIELDS,
        key="entity_id",
        kind=_ProductDocument,
    )


def _unread(product_id: int, failure: ShopFailure) -> None:
    """A product that the shop cannot give: the order's own name is used."""


def _details(product: _ProductDocument, config: StoreConfig | None) -> ProductDetails:
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
