"""Fields of orders that rules name by their path: the condition ``field``, and consent.

``extension_attributes.x``, ``custom_attributes.CODE`` and any other value of an order may be named. All such
values count as personal data. Consent is judged while an order is read: of its value only the verdict is
kept (``Order.consents``).

An order source is asked for a field by an attribute, like for any other: ``field:PATH``, or ``consent:`` with
the path and the accepted texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec

from ekomi_reconcile.model.order import Agreement
from ekomi_reconcile.model.rule import Consent
from ekomi_reconcile.rules.conditions import FIELD_PREFIX, fold

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
