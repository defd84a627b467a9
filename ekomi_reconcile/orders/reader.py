"""Reading single orders from JSON: as much of each as the rules in use ask for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar

from msgspec import Raw

from ekomi_reconcile.errors import OrderUnreadable
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.facts import FACTS, ITEM_FACTS, fields_for
from ekomi_reconcile.orders.lenient import LenientDecoder, Unfit
from ekomi_reconcile.orders.narrow import narrow
from ekomi_reconcile.orders.normalize import Categories, Codes, items_of, order_of
from ekomi_reconcile.orders.wire import WireKey, WireOrder

T = TypeVar("T")

_ID_KEY = b'"entity_id":'
_KEY = LenientDecoder(WireKey)
_ORDER = LenientDecoder(WireOrder)


def key_of(raw: bytes | Raw) -> WireKey | None:
    """What this order is called, at a fifth of the cost of reading it; ``None`` if unreadable."""
    try:
        return _KEY.decode(raw)
    except Unfit:
        return None


def id_of(line: bytes) -> int | None:
    """The id of the order in this line of JSON; ``None`` if unreadable.

    Where no other object opens before the first ``entity_id``, that one is the order's own, and nothing
    of the line needs to be parsed: two to four times as fast. A line broken further on then has an id too.
    """
    at = line.find(_ID_KEY)
    if at > 0 and line.find(b"{", 1, at) < 0:
        end = line.find(b",", at)
        digits = line[at + len(_ID_KEY) : end].strip(b" ") if end > 0 else b""
        if digits[:1] == digits[-1:] == b'"':  # a comma within quotes leaves one quote only
            digits = digits[1:-1]
        if digits.isdigit() and len(digits) < 19 and not digits.startswith(b"0"):
            return int(digits)
    key = key_of(line)
    return None if key is None else key.entity_id


def key_in(tree: Mapping[str, Any]) -> WireKey | None:
    """The same for a parsed JSON object."""
    try:
        return _KEY.convert(tree)
    except Unfit:
        return None


def whole_order(raw: bytes | Raw) -> WireOrder:
    """Everything of an order that is used, in Magento's shape.

    Raises:
        OrderUnreadable: it is not JSON, or a field cannot be read; names the order and the field.
    """
    return _decode(_ORDER, raw)


class OrderReader:
    """Reads orders with what these rule attributes need (``None``: with everything)."""

    def __init__(self, codes: Codes, attributes: frozenset[str] | None = None) -> None:
        self._codes = codes
        wanted = FACTS if attributes is None else FACTS.keys() & (attributes | {"is_virtual"})
        self._facts = [(name, FACTS[name].of) for name in wanted]
        self._items = attributes is None or not ITEM_FACTS.keys().isdisjoint(attributes)
        self._decoder = _ORDER if attributes is None else _decoder(fields_for(attributes))

    def order(self, raw: bytes | Raw) -> Order:
        """The order in this JSON text.

        Raises:
            OrderUnreadable: a field that is needed cannot be read; names the order and the field.
        """
        return self.complete(_decode(self._decoder, raw))

    def tree(self, tree: Mapping[str, Any]) -> Order:
        """The order in this parsed JSON object.

        Raises:
            OrderUnreadable: a field cannot be read; names the order and the field.
        """
        try:
            return self.complete(self._decoder.convert(tree))
        except Unfit as unfit:
            key = key_in(tree)
            raise OrderUnreadable(str(unfit), order_id=key.entity_id if key else None) from None

    def complete(self, wire: WireOrder, categories: Categories | None = None) -> Order:
        """The order in this record, with the categories of its products where the source knows them.

        Raises:
            OrderUnreadable: its order date is out of range.
        """
        items = items_of(wire.items, categories) if wire.items and self._items else ()
        return order_of(wire, self._codes, self._facts, items)


def _decode(decoder: LenientDecoder[T], raw: bytes | Raw) -> T:
    try:
        return decoder.decode(raw)
    except Unfit as unfit:
        raise OrderUnreadable(str(unfit), order_id=id_of(bytes(raw))) from None


@cache
def _decoder(fields: frozenset[str]) -> LenientDecoder[WireOrder]:
    return LenientDecoder(narrow(WireOrder, fields))
