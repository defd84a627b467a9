"""Read single orders from JSON: as much of each as the rules need."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Raw, Struct
from msgspec.structs import FieldInfo

from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.model.errors import OrderUnreadable
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.orders.facts import FACTS, ITEM_FACTS, fields_for
from ekomi_reconcile.orders.lenient import LenientDecoder, Unfit
from ekomi_reconcile.orders.normalize import Categories, Codes, items_of, order_of
from ekomi_reconcile.orders.wire import WireKey, WireOrder
from ekomi_reconcile.rules.order_fields import NO_FIELDS, FieldReader, NamedFields

UNREADABLE = "order-unreadable"
UNFINISHED = "order-unfinished"
REMARK = "order-file"

_WRITTEN_BESIDE = "write the file under another name, and rename it when it is complete"

MAX_FLAWS = 20
"""Flaws that are reported one by one; of the others only how many there are."""


class Flaw(msgspec.Struct, frozen=True):
    """A record that cannot be read; ``reason`` holds no values.

    ``unfinished``: it is the last one, no newline ends it, and the rest may still come.
    """

    line: int
    reason: str
    order_id: OrderId | None = None
    unfinished: bool = False


class Flaws:
    """The flaws of one pass: how many in all, and the first of them."""

    def __init__(self, count: int = 0, first: Sequence[Flaw] = ()) -> None:
        self.count = count
        self.first = list(first)

    def add(self, flaw: Flaw) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < MAX_FLAWS:
            self.first.append(flaw)

    def settled(self, replaced: Callable[[OrderId | None], bool]) -> Flaws:
        """Those that still stand after more lines: without unfinished ones, and orders written again."""
        left = [each for each in self.first if not each.unfinished and not replaced(each.order_id)]
        return Flaws(self.count - len(self.first) + len(left), left)


def diagnostics(path: Path, flaws: Flaws) -> list[Diagnostic]:
    """The errors; a last line without a newline is one like any other."""
    found = [_diagnostic(path, flaw) for flaw in flaws.first]
    if flaws.count > len(flaws.first):
        more = Flaw(flaws.first[-1].line, f"{flaws.count - len(flaws.first)} more orders cannot be read")
        found.append(_diagnostic(path, more))
    return found


def _diagnostic(path: Path, flaw: Flaw) -> Diagnostic:
    subject = "" if flaw.order_id is None else f"order {flaw.order_id}: "
    return Diagnostic(
        severity=Severity.ERROR,
        rule=UNFINISHED if flaw.unfinished else UNREADABLE,
        message=subject + flaw.reason,
        place=Place(path=str(path), line=flaw.line),
        hint=_WRITTEN_BESIDE if flaw.unfinished else None,
    )


def remarks(path: Path, found: Sequence[Flaw]) -> list[Diagnostic]:
    """Warnings about the file as a whole."""
    return [
        Diagnostic(
            severity=Severity.WARNING,
            rule=REMARK,
            message=each.reason,
            place=Place(path=str(path), line=each.line),
        )
        for each in found
    ]


S = TypeVar("S", bound=Struct)


@cache
def narrow(kind: type[S], paths: frozenset[str]) -> type[S]:
    """A struct with only these fields of ``kind``, named by their paths (``items.sku``).

    Its instances have the same attributes as those of ``kind``: a field that was left out has its default. A
    path that ends at a struct means all of that struct.
    """
    inner = grouped(paths)
    kept, left = [], {}
    for each in msgspec.structs.fields(kind):
        if each.name in inner:
            kept.append(_field(each, inner[each.name]))
        else:
            left[each.name] = each.default
    made = msgspec.defstruct(kind.__name__, kept, namespace=left, module=__name__, kw_only=True, gc=False)
    return cast("type[S]", made)


def grouped(paths: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """What is wanted below the first name of each path; nothing in particular means everything."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        name, _, rest = path.partition(".")
        found[name] |= {rest} if rest else set()
    return {name: frozenset(below) for name, below in found.items()}


def _field(field: FieldInfo, below: frozenset[str]) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = _narrowed(field.type, below) if below else field.type
    return (field.name, kind) if field.default is NODEFAULT else (field.name, kind, field.default)


def _narrowed(hint: Any, paths: frozenset[str]) -> Any:
    """This annotation, with the structs in it narrowed."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        return narrow(hint, paths)
    origin, parts = get_origin(hint), get_args(hint)
    if not parts or origin is Annotated:
        return hint
    narrowed = tuple(_narrowed(part, paths) for part in parts)
    return Union[narrowed] if origin in (Union, UnionType) else origin[narrowed]  # noqa: UP007 - made at run time


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
    """Reads orders with what these rule attributes need (``None``: with everything).

    ``naming`` are attributes that name fields by their path, where those are not among ``attributes``.
    """

    def __init__(
        self,
        codes: Codes,
        attributes: frozenset[str] | None = None,
        *,
        naming: frozenset[str] = frozenset(),
    ) -> None:
        self._codes = codes
        self._named = FieldReader(naming | (attributes or frozenset()))
        wanted = FACTS if attributes is None else FACTS.keys() & (attributes | {"is_virtual"})
        self._facts = [(name, FACTS[name].of) for name in wanted]
        self._items = attributes is None or not ITEM_FACTS.keys().isdisjoint(attributes)
        self._decoder = _ORDER if attributes is None else _decoder(fields_for(attributes))

    def order(self, raw: bytes | Raw) -> Order:
        """The order in this JSON text.

        Raises:
            OrderUnreadable: a field that is needed cannot be read; names the order and the field.
        """
        return self.complete(_decode(self._decoder, raw), named=self.named(raw))

    def named(self, raw: bytes | Raw) -> NamedFields:
        """The fields of the order in this JSON text that rules name; it was decoded before, so it is JSON."""
        return self._named.read(msgspec.json.decode(raw)) if self._named else NO_FIELDS

    def tree(self, tree: Mapping[str, Any]) -> Order:
        """The order in this parsed JSON object.

        Raises:
            OrderUnreadable: a field cannot be read; names the order and the field.
        """
        try:
            return self.complete(self._decoder.convert(tree), named=self._named.read(tree))
        except Unfit as unfit:
            key = key_in(tree)
            raise OrderUnreadable(str(unfit), order_id=key.entity_id if key else None) from None

    def complete(
        self, wire: WireOrder, categories: Categories | None = None, *, named: NamedFields = NO_FIELDS
    ) -> Order:
        """The order in this record, with the categories of its products where the source knows them.

        ``named`` are its fields that rules name.

        Raises:
            OrderUnreadable: its order date is out of range.
        """
        items = items_of(wire.items, categories) if wire.items and self._items else ()
        return order_of(wire, self._codes, self._facts, items, named=named)


def _decode(decoder: LenientDecoder[T], raw: bytes | Raw) -> T:
    try:
        return decoder.decode(raw)
    except Unfit as unfit:
        raise OrderUnreadable(str(unfit), order_id=id_of(bytes(raw))) from None


@cache
def _decoder(fields: frozenset[str]) -> LenientDecoder[WireOrder]:
    return LenientDecoder(narrow(WireOrder, fields))
