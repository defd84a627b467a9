"""Which products of an order its customer is asked about, and what eKomi takes for their identifiers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import sha256

import msgspec

from ekomi_reconcile.model.order import Item, Order
from ekomi_reconcile.model.product import OrderedProduct
from ekomi_reconcile.model.rule import InvitationRule, ProductIdentifier, ProductRule
from ekomi_reconcile.rules.conditions import Test, attributes, compile_node

_TAKEN = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
_DIGITS = 32


def ekomi_id(identifier: str) -> str:
    """The id under which eKomi has the product with this identifier of the shop.

    Itself where eKomi takes it (1 to 32 letters and digits), else the first 32 hexadecimal digits of its
    SHA-256.
    """
    if _TAKEN.fullmatch(identifier):
        return identifier
    return sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def products_of(order: Order, wanted: ProductRule) -> tuple[OrderedProduct, ...]:
    """The products to ask about: the most expensive first, those of one price as in the order, each once.

    An item without the identifier cannot be asked about.
    """
    if not wanted.ask:
        return ()
    excluded = None if wanted.exclude is None else _compiled(msgspec.json.encode(wanted.exclude))
    items = [item for item in order.items if excluded is None or not excluded(item)]
    items.sort(key=lambda item: -(item.price or 0))
    found: dict[str, OrderedProduct] = {}
    for item in items:
        identifier = identifier_of(item, wanted.identifier)
        if identifier is not None and identifier not in found:
            found[identifier] = _product(item, identifier)
    return tuple(found.values())[: wanted.max]


def lacks_identifiers(order: Order, wanted: ProductRule) -> bool:
    """Is nothing asked about although the order has items, because none of them has the identifier?"""
    known = any(identifier_of(item, wanted.identifier) is not None for item in order.items)
    return wanted.ask and bool(order.items) and not known


def identifier_of(item: Item, kind: ProductIdentifier) -> str | None:
    """The identifier of this kind that an item has, if any."""
    if kind is ProductIdentifier.SKU:
        return (item.sku or "").strip() or None
    return None if item.product_id is None else str(item.product_id)


def product_attributes(rules: Iterable[InvitationRule]) -> frozenset[str]:
    """The attributes of orders that asking about products needs."""
    asking = [each.products for each in rules if each.enabled and each.products.ask]
    if not asking:
        return frozenset()
    excluded = attributes(each.exclude for each in asking if each.exclude is not None)
    return frozenset({"product_id", "sku", "name", "price"}) | excluded


def collisions(
    products: Iterable[OrderedProduct], known: dict[str, str]
) -> Iterator[tuple[OrderedProduct, str]]:
    """The products whose id at eKomi stands for another identifier already, and that identifier.

    ``known`` are identifiers by id; the products are added to it.
    """
    for each in products:
        other = known.setdefault(each.product_id, each.identifier)
        if other != each.identifier:
            yield each, other


@lru_cache(maxsize=256)
def _compiled(condition: bytes) -> Test:
    return compile_node(msgspec.json.decode(condition))


def _product(item: Item, identifier: str) -> OrderedProduct:
    return OrderedProduct(
        product_id=ekomi_id(identifier),
        identifier=identifier,
        name=(item.name or "").strip() or identifier,
        shop_id=item.product_id,
    )
