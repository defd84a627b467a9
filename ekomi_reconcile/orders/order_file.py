"""A file of orders: opening it, and going straight to single orders in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

import msgspec

from ekomi_reconcile.errors import OrderSourceError, OrderUnreadable
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.csv_layout import CsvRows
from ekomi_reconcile.orders.cursor import Identity
from ekomi_reconcile.orders.facts import CONTACT, own_fields
from ekomi_reconcile.orders.index import Index, refuse_other_records, whole_index
from ekomi_reconcile.orders.layouts import layout_of
from ekomi_reconcile.orders.lines import with_newlines
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.reader import OrderReader
from ekomi_reconcile.orders.records import Payload, Span
from ekomi_reconcile.orders.source import Uses
from ekomi_reconcile.orders.wire import WireKey

_BUFFER = 256 * 1024  # lines come twice as fast as through the usual 8 kB


class OrderFile:
    """One file, and what its ids mean. The index of its orders is kept while it stays the same."""

    def __init__(self, path: Path, codes: Codes, uses: Uses) -> None:
        self.path = path
        self.codes = codes
        self._uses = uses
        self._known: tuple[Identity, Index] | None = None

    @contextmanager
    def opened(self) -> Iterator[tuple[BinaryIO, Identity]]:
        """The file, open for reading, with its identity at that moment.

        Raises:
            OrderSourceError: it is missing, no file, or reading it fails; the message names it.
        """
        try:
            _refuse_other_than_files(self.path)
            with self.path.open("rb", buffering=_BUFFER) as stream:
                yield with_newlines(stream, _BUFFER), Identity.of(stream)
        except OSError as error:
            raise OrderSourceError(
                f"cannot read the orders in {self.path}: {error.strerror or error}"
            ) from error
        except OrderSourceError as error:
            message = f"cannot read the orders in {self.path}: {error.message}"
            raise OrderSourceError(message, mend=error.mend) from error

    def remember(self, identity: Identity, found: Index) -> None:
        """Keep the index of the whole file."""
        self._known = (identity, found)

    def by_ids(self, order_ids: Collection[int]) -> dict[int, Order]:
        """The last version of these orders; one that cannot be read is left out.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        with self.opened() as (stream, identity):
            layout = layout_of(self.path, stream)
            if self._known is None or not identity.unchanged_since(self._known[0]):
                found = whole_index(layout.scan(stream, Span(0, identity.size)), layout)
                self.remember(identity, found)
            else:
                found = self._known[1]
            whole = layout.reading(OrderReader(self.codes))
            orders: dict[int, Order] = {}
            for payload in layout.pick(stream, found.last(order_ids), identity.size):
                order = _read(whole, payload) or _read(layout.reading(self._least), payload)
                if order is not None:
                    orders[order.order_id] = order
            return orders

    def gone(self, order_ids: Collection[int]) -> frozenset[int]:
        """Those of these orders of which the file, as it was last looked at, has no record."""
        if self._known is None:
            return frozenset()
        return frozenset(each for each in order_ids if not self._known[1].holds(each))

    def lacking(self, wanted: Collection[str]) -> frozenset[str]:
        """Those of these attributes that no record has a field for: no such column, or key.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        left = {name: [path.split(".") for path in own_fields(name)] for name in wanted}
        with self.opened() as (stream, identity):
            layout = layout_of(self.path, stream)
            if isinstance(layout, CsvRows):
                columns = [each.split(".") for each in layout.columns]
                return frozenset(
                    name
                    for name, paths in left.items()
                    if not any(path[: len(each)] == each for path in paths for each in columns)
                )
            for _, _, payload in layout.scan(stream, Span(0, identity.size)):
                left = {name: paths for name, paths in left.items() if not _has_any(payload, paths)}
                if not left:
                    break
        return frozenset(left)

    @cached_property
    def _least(self) -> OrderReader:
        """For as much as rules and a request need, where not all of an order can be read."""
        uses = self._uses()
        return OrderReader(self.codes, None if uses is None else uses | {CONTACT})

    def ids_of(self, number: str, order_id: int | None) -> frozenset[int]:
        """The ids of the orders with this number, and this id if there is an order with it.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        return frozenset(
            key.entity_id for key in self._keys() if key.entity_id == order_id or key.increment_id == number
        )

    def ids_numbered(self, numbers: frozenset[str]) -> frozenset[int]:
        """The ids of the orders with these numbers.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        return frozenset(key.entity_id for key in self._keys() if key.increment_id in numbers)

    def _keys(self) -> Iterator[WireKey]:
        with self.opened() as (stream, identity):
            layout = layout_of(self.path, stream)
            records = orders = 0
            for _, _, payload in layout.scan(stream, Span(0, identity.size)):
                key = None if isinstance(payload, OrderUnreadable) else layout.key(payload)
                records += 1
                if key is not None:
                    orders += 1
                    yield key
            refuse_other_records(records, orders)


def _refuse_other_than_files(path: Path) -> None:
    """A folder has no orders, and opening a pipe would wait for its other end."""
    if not S_ISREG(path.stat().st_mode):
        raise OrderSourceError("it is not a file")


def _has_any(payload: Payload, paths: Iterable[Sequence[str]]) -> bool:
    """Does this JSON record have a key at one of these paths? Most records need not be decoded to tell."""
    if isinstance(payload, OrderUnreadable):
        return False
    raw = bytes(payload)
    likely = [path for path in paths if all(f'"{name}"'.encode() in raw for name in path)]
    if not likely:
        return False
    try:
        tree = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return any(_holds(tree, path) for path in likely)


def _holds(node: Any, path: Sequence[str]) -> bool:
    if not path:
        return True
    if isinstance(node, list):
        return any(_holds(each, path) for each in node)
    return isinstance(node, dict) and path[0] in node and _holds(node[path[0]], path[1:])


def _read(reading: Callable[[Payload], Order], payload: Payload) -> Order | None:
    try:
        return reading(payload)
    except OrderUnreadable:
        return None
