"""What the shop's ids mean: store views, customer groups, order statuses. Raw facts, read when asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from ekomi_reconcile.errors import OrderSourceError
from ekomi_reconcile.orders.lenient import LenientDecoder, Unfit
from ekomi_reconcile.orders.magento.failure import Kind, ShopFailure
from ekomi_reconcile.orders.magento.query import encode
from ekomi_reconcile.orders.magento.search import Searcher
from ekomi_reconcile.orders.normalize import Codes

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
    """Settings of a store view; the admin's has none. ``timezone`` is an IANA name."""

    id: int
    code: str
    locale: str | None = None
    base_currency_code: str | None = None
    timezone: str | None = None


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
        fields = encode([("fields", "id,code,locale,base_currency_code,timezone")])
        return self._list("store/storeConfigs", fields, StoreConfig)

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
            if failure.kind not in {Kind.NOT_FOUND, Kind.REFUSED, Kind.REJECTED}:
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


class _Names(dict[int, str]):
    """Names by id; an id that has none (a deleted store view or group) is its own name."""

    def get(self, key: int, default: object = None) -> str:  # noqa: ARG002
        return super().get(key) or str(key)


def codes_of(stores: Mapping[int, str], customer_groups: Mapping[int, str], *, shipped: bool = True) -> Codes:
    """What ids mean in this shop; ``shipped``: whether the groups of a new shop fill gaps."""
    codes = Codes(stores, customer_groups)
    codes.stores = _Names(stores)
    codes.customer_groups = _Names(codes.customer_groups if shipped else customer_groups)
    return codes
