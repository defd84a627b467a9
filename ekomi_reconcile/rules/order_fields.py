"""Fields of orders named by their path, and the products a customer is asked about.

``extension_attributes.x``, ``custom_attributes.CODE`` and any other value of an order may be named. All such
values count as personal data. Consent is judged while an order is read: of its value only the verdict is
kept (``Order.consents``).

An order source is asked for a field by an attribute, like for any other: ``field:PATH``, or ``consent:`` with
the path and the accepted texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b, sha256
from typing import Any, Final

import msgspec

from ekomi_reconcile.model.order import Agreement, Item, Order
from ekomi_reconcile.model.review import OrderedProduct
from ekomi_reconcile.model.rule import Consent, InvitationRule, ProductIdentifier, ProductRule
from ekomi_reconcile.rules.conditions import FIELD_PREFIX, attributes, fold, shared_test

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
    excluded = None if wanted.exclude is None else shared_test(wanted.exclude)
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
    """The products whose id at eKomi belongs to another identifier already, and that identifier.

    ``known`` are identifiers by id; the products are added to it.
    """
    for each in products:
        other = known.setdefault(each.product_id, each.identifier)
        if other != each.identifier:
            yield each, other


def _product(item: Item, identifier: str) -> OrderedProduct:
    return OrderedProduct(
        product_id=ekomi_id(identifier),
        identifier=identifier,
        name=(item.name or "").strip() or identifier,
        shop_id=item.product_id,
    )


CONSENT_PREFIX: Final = "consent:"
"""Begins the attribute that asks an order source for consent."""

CUSTOM_ATTRIBUTES: Final = "custom_attributes"
"""Where orders have custom attributes: a list of objects with ``attribute_code`` and ``value``."""

PLACES: Final[Mapping[str, str]] = {
    "store_view": "store_code",
    "total_qty": "total_qty_ordered",
    "item_count": "total_item_count",
    "currency": "order_currency_code",
    "is_guest": "customer_is_guest",
    "shipping_country": "shipping_address.country_id",
    "shipping_region": "shipping_address.region",
    "shipping_postcode": "shipping_address.postcode",
    "shipping_city": "shipping_address.city",
    "billing_country": "billing_address.country_id",
    "email_domain": "customer_email",
    "has_company": "billing_address.company",
    "has_vat_id": "billing_address.vat_id",
}
"""Where an order file has the attributes of conditions that it calls otherwise, by path."""

ITEM_PLACES: Final[Mapping[str, str]] = {"qty": "qty_ordered", "category_id": "category_ids"}
"""The same of items."""

MADE_UP: Final[Mapping[str, str]] = {"has_company": "Example Ltd", "has_vat_id": "DE123456789"}
"""What a made-up order has where a condition asks only whether there is something."""

_CODE, _VALUE = "attribute_code", "value"


def consent_attribute(consent: Consent) -> str:
    """The attribute that asks for this consent; equal ones have equal attributes."""
    accepted = sorted({_form(each) for each in consent.accept})
    return CONSENT_PREFIX + msgspec.json.encode([consent.field, *accepted]).decode()


@lru_cache(maxsize=4096)
def consent_key(attribute: str) -> str:
    """Under what orders have the verdict on this consent: a digest, for caches hold no accepted value."""
    return blake2b(attribute.encode(), digest_size=8).hexdigest()


def path_of(attribute: str) -> str | None:
    """The path of the field that this attribute asks for; ``None`` for any other attribute."""
    if attribute.startswith(FIELD_PREFIX):
        return attribute.removeprefix(FIELD_PREFIX)
    return _consent(attribute)[0] if is_consent(attribute) else None


def is_consent(attribute: str) -> bool:
    """Does this attribute ask for consent?"""
    return attribute.startswith(CONSENT_PREFIX)


def shop_path(path: str) -> str:
    """What Magento is asked for to get the field: custom attributes can only be had all together."""
    name, _, below = path.partition(".")
    return name if name == CUSTOM_ATTRIBUTES and below else path


@dataclass(frozen=True, slots=True)
class NamedFields:
    """What an order has for the attributes that name fields: ``fields`` and ``consents`` of ``Order``."""

    fields: Mapping[str, tuple[str, ...]] | None = None
    consents: Mapping[str, Agreement] | None = None


NO_FIELDS: Final = NamedFields()


@dataclass(frozen=True, slots=True)
class FieldReader:
    """Reads the fields that these attributes name; other attributes are ignored."""

    attributes: frozenset[str]
    _paths: tuple[str, ...] = field(init=False)
    _consents: tuple[tuple[str, str, frozenset[str]], ...] = field(init=False)

    def __post_init__(self) -> None:
        named = sorted(each for each in self.attributes if path_of(each) is not None)
        paths = (each.removeprefix(FIELD_PREFIX) for each in named if not is_consent(each))
        object.__setattr__(self, "_paths", tuple(paths))
        consents = tuple((each, *_consent(each)) for each in named if is_consent(each))
        object.__setattr__(self, "_consents", consents)

    def __bool__(self) -> bool:
        """Is any field named?"""
        return bool(self._paths or self._consents)

    def read(self, order: Any) -> NamedFields:
        """The fields of this order, given as parsed JSON."""
        if not self:
            return NO_FIELDS
        fields = {path: found for path in self._paths if (found := texts_at(order, path))}
        consents = {
            consent_key(name): _agreement(texts_at(order, path), accepted)
            for name, path, accepted in self._consents
        }
        return NamedFields(fields or None, consents or None)


def texts_at(order: Any, path: str) -> tuple[str, ...]:
    """The values at this path as texts without whitespace around them; of a list, those of its entries.

    An empty text is an absent one, true and false are ``true`` and ``false``, whole numbers have no decimals.
    """
    node = order
    for name in path.split("."):
        node = _step(_parsed(node), name)
        if node is None:
            return ()
    return tuple(_texts(_parsed(node)))


def _step(node: Any, name: str) -> Any:
    if isinstance(node, Mapping):
        return node.get(name)
    if isinstance(node, Sequence) and not isinstance(node, str):
        return next(
            (each.get(_VALUE) for each in node if isinstance(each, Mapping) and each.get(_CODE) == name), None
        )
    return None


def _parsed(node: Any) -> Any:
    """Cells of CSV files have lists and objects as JSON text."""
    if not isinstance(node, str) or not node.lstrip().startswith(("{", "[")):
        return node
    try:
        return msgspec.json.decode(node)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return node


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, bool):
        yield "true" if node else "false"
    elif isinstance(node, float) and node.is_integer():
        yield str(int(node))
    elif isinstance(node, str | int | float):
        if text := str(node).strip():
            yield text
    elif isinstance(node, Sequence):
        for each in node:
            if isinstance(each, str | int | float):
                yield from _texts(each)


def _consent(attribute: str) -> tuple[str, frozenset[str]]:
    path, *accepted = msgspec.json.decode(attribute.removeprefix(CONSENT_PREFIX))
    return path, frozenset(accepted)


def _agreement(values: Iterable[str], accepted: frozenset[str]) -> Agreement:
    found = {_form(each) for each in values}
    if not found:
        return Agreement.ABSENT
    return Agreement.NOT_ACCEPTED if accepted.isdisjoint(found) else Agreement.ACCEPTED


def _form(text: str) -> str:
    return fold(text.strip())
