"""A file of orders: its index, and where reading stopped."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from operator import gt, lt
from pathlib import Path
from stat import S_ISREG
from typing import Any, BinaryIO

import msgspec

from ekomi_reconcile.config.order_sources import TableSettings
from ekomi_reconcile.model.errors import OrderSourceError, OrderUnreadable
from ekomi_reconcile.model.order import Order, OrderId, id_rank
from ekomi_reconcile.orders.facts import CONTACT, own_fields
from ekomi_reconcile.orders.layouts import ROW_PER_ITEM, ROW_PER_ITEM_HINT, CsvRows, layout_of
from ekomi_reconcile.orders.mapped import mapped_rows
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.reader import Flaw, OrderReader
from ekomi_reconcile.orders.records import SHAPES, Layout, OrderName, Payload, Record, Span, with_newlines
from ekomi_reconcile.orders.source import Uses


@dataclass(frozen=True, slots=True)
class Index:
    """The order ids of a file and the offsets of their records, in the order of the file."""

    ids: array[int] | list[OrderId]
    offsets: array[int]
    records: int

    def superseded(self) -> frozenset[int]:
        """The offsets of records that a later one with the same id replaces."""
        ids = self.ids
        if isinstance(ids, list):
            order = sorted(range(len(ids)), key=lambda at: id_rank(ids[at]))
        elif _monotonic(ids):
            return frozenset()
        else:
            order = sorted(range(len(ids)), key=ids.__getitem__)
        later = islice(order, 1, None)
        return frozenset(
            self.offsets[at] for at, then in zip(order, later, strict=False) if self._same(at, then)
        )

    def last(self, order_ids: Collection[OrderId]) -> list[int]:
        """The offsets of the last records of these orders, rising."""
        wanted = frozenset(order_ids)
        found = {key: at for key, at in zip(self.ids, self.offsets, strict=True) if key in wanted}
        return sorted(found.values())

    def holds(self, order_id: OrderId | None) -> bool:
        """Is there a record of this order?"""
        return order_id is not None and order_id in self.ids

    def _same(self, at: int, then: int) -> bool:
        return self.ids[at] == self.ids[then]


def index(records: Iterable[Record], layout: Layout) -> Index:
    """Look through these records; those without a readable id are left out."""
    ids: Any = [] if layout.text_ids else array("q")
    offsets, order_id_of = array("q"), layout.order_id
    count = 0
    for offset, _, payload in records:
        count += 1
        order_id = None if isinstance(payload, OrderUnreadable) else order_id_of(payload)
        if order_id is not None:
            ids.append(order_id)
            offsets.append(offset)
    return Index(ids, offsets, count)


def whole_index(records: Iterable[Record], layout: Layout) -> Index:
    """The index of a whole file.

    Raises:
        OrderSourceError: it holds something else than orders, or has a row per item.
    """
    found = index(records, layout)
    refuse_other_records(found.records, len(found.ids))
    if not layout.repeats and (again := found.superseded()):
        if layout.text_ids:
            raise OrderSourceError(_SCATTERED.format(len(again)), hint="sort the file by order")
        raise OrderSourceError(ROW_PER_ITEM, hint=ROW_PER_ITEM_HINT)
    return found


_SCATTERED = "the rows of {} orders do not follow each other (`items: per_row`)"


def refuse_other_records(records: int, orders: int) -> None:
    """Refuse a file whose records are not orders.

    Raises:
        OrderSourceError: there are records, and none of them is an order.
    """
    if records and not orders:
        said = "its only record has no" if records == 1 else f"none of its {records} records has a"
        raise OrderSourceError(
            f"it holds no orders: {said} readable entity_id (a whole number without decimal point or "
            "exponent)",
            hint=SHAPES,
        )


def _monotonic(ids: array[int]) -> bool:
    """Rising or falling throughout: no id occurs twice, which needs no sorting to see."""
    return all(map(lt, ids, islice(ids, 1, None))) or all(map(gt, ids, islice(ids, 1, None)))


RULES = 3
"""The rules by which order files are read now."""

_GROWING = frozenset({"jsonl", "csv"})
_SAMPLE = 4_096  # bytes at either end of what was read that must still be the same
_TICK = 50_000_000  # nanoseconds in which two writes may leave the same modification time
_COARSE_TICK = 2_000_000_000  # the same where the file system keeps whole seconds


class FileIdentity(msgspec.Struct, frozen=True):
    """What the file system says of a file: as long as it is equal, the file is taken as unchanged.

    ``settled`` is false for a file changed so recently that a later change may leave it equal.
    """

    inode: int
    size: int
    mtime_ns: int
    settled: bool

    @classmethod
    def of(cls, stream: BinaryIO) -> FileIdentity:
        """The identity of this open file, now."""
        stat = os.fstat(stream.fileno())
        tick = _TICK if stat.st_mtime_ns % 1_000_000_000 else _COARSE_TICK
        settled = abs(time.time_ns() - stat.st_mtime_ns) > tick
        return cls(stat.st_ino, stat.st_size, stat.st_mtime_ns, settled)

    def unchanged_since(self, earlier: FileIdentity) -> bool:
        """Is the file as it was then?"""
        same = (self.inode, self.size, self.mtime_ns) == (earlier.inode, earlier.size, earlier.mtime_ns)
        return same and earlier.settled


class FileCursor(msgspec.Struct, frozen=True, kw_only=True):
    """Everything before ``offset`` (bytes; ``lines`` lines) is read.

    ``digest`` is of the bytes before it; ``flaws`` are the first of the ``unreadable`` records, ``remarks``
    are warnings about the file. ``rules`` counts how strictly it was read: a file that was read by other
    rules is read again.
    """

    layout: str
    codes: str
    identity: FileIdentity
    offset: int
    lines: int
    digest: str
    unreadable: int = 0
    flaws: tuple[Flaw, ...] = ()
    remarks: tuple[Flaw, ...] = ()
    rules: int = 1

    def text(self) -> str:
        """The form in which it is stored."""
        return msgspec.json.encode(self).decode()


_DECODER = msgspec.json.Decoder(FileCursor)


def parse_cursor(text: str) -> FileCursor | None:
    """The cursor in this text; ``None`` if it is none of ours."""
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        return None


def earliest(
    texts: Collection[str], stream: BinaryIO, identity: FileIdentity, *, codes: str
) -> FileCursor | None:
    """The earliest of these positions; ``None`` if any of them says nothing about this file."""
    cursors = [parse_cursor(text) for text in texts]
    usable = [each for each in cursors if each and _holds(each, stream, identity, codes=codes)]
    if not usable or len(usable) < len(cursors):
        return None
    return min(usable, key=lambda each: each.offset)


def _holds(cursor: FileCursor, stream: BinaryIO, identity: FileIdentity, *, codes: str) -> bool:
    if cursor.codes != codes or cursor.rules != RULES:
        return False
    if identity.unchanged_since(cursor.identity):
        return True
    grown = identity.inode == cursor.identity.inode and identity.size > cursor.identity.size
    lines = cursor.layout in _GROWING and cursor.offset > 0
    return grown and lines and digest_before(stream, cursor.offset) == cursor.digest


def digest_before(stream: BinaryIO, offset: int) -> str:
    """A digest of the first and of the last bytes before this offset."""
    stream.seek(0)
    digest = blake2b(stream.read(min(_SAMPLE, offset)), digest_size=16)
    stream.seek(max(0, offset - _SAMPLE))
    digest.update(stream.read(min(_SAMPLE, offset)))
    return digest.hexdigest()


_PLAIN = TableSettings()


def digest_of(codes: Codes, table: TableSettings = _PLAIN) -> str:
    """A digest of what ids and columns mean: with other meanings the same file holds other orders."""
    meanings: tuple[Any, ...] = (sorted(codes.stores.items()), sorted(codes.customer_groups.items()))
    if not table.is_plain:
        columns = [(name, each.canonical()) for name, each in sorted(table.columns.items())]
        meanings = (*meanings, columns, table.decimal, table.timezone, table.per_row)
    return blake2b(msgspec.json.encode(meanings), digest_size=8).hexdigest()


_BUFFER = 256 * 1024  # lines come twice as fast as through the usual 8 kB


class OrderFile:
    """One file, and what its ids mean. The index of its orders is kept while it stays the same."""

    def __init__(self, path: Path, codes: Codes, uses: Uses, table: TableSettings) -> None:
        self.path = path
        self.codes = codes
        self.table = table
        self._uses = uses
        self._known: tuple[FileIdentity, Index] | None = None

    @contextmanager
    def opened(self) -> Iterator[tuple[BinaryIO, FileIdentity]]:
        """The file, open for reading, with its identity at that moment.

        Raises:
            OrderSourceError: it is missing, no file, or reading it fails; the message names it.
        """
        try:
            _refuse_other_than_files(self.path)
            with self.path.open("rb", buffering=_BUFFER) as stream:
                yield with_newlines(stream, _BUFFER), FileIdentity.of(stream)
        except OSError as error:
            raise OrderSourceError(
                f"cannot read the orders in {self.path}: {error.strerror or error}"
            ) from error
        except OrderSourceError as error:
            message = f"cannot read the orders in {self.path}: {error.message}"
            raise OrderSourceError(message, hint=error.hint) from error

    def layout(self, stream: BinaryIO) -> Layout:
        """How the orders are written.

        Raises:
            OrderSourceError: the file does not fit its suffix or its mapping.
        """
        if self.table.is_plain:
            return layout_of(self.path, stream)
        return mapped_rows(self.path, stream, self.table)

    def remember(self, identity: FileIdentity, found: Index) -> None:
        """Keep the index of the whole file."""
        self._known = (identity, found)

    def by_ids(self, order_ids: Collection[OrderId]) -> dict[OrderId, Order]:
        """The last version of these orders; one that cannot be read is left out.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        with self.opened() as (stream, identity):
            layout = self.layout(stream)
            if self._known is None or not identity.unchanged_since(self._known[0]):
                found = whole_index(layout.scan(stream, Span(0, identity.size)), layout)
                self.remember(identity, found)
            else:
                found = self._known[1]
            whole = layout.reading(OrderReader(self.codes, naming=self._uses() or frozenset()))
            orders: dict[OrderId, Order] = {}
            for payload in layout.pick(stream, found.last(order_ids), identity.size):
                order = _read(whole, payload) or _read(layout.reading(self._least), payload)
                if order is not None:
                    orders[order.order_id] = order
            return orders

    def gone(self, order_ids: Collection[OrderId]) -> frozenset[OrderId]:
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
            layout = self.layout(stream)
            if isinstance(layout, CsvRows):
                columns = [each.split(".") for each in layout.fields]
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

    def ids_of(self, number: str, order_id: OrderId | None) -> frozenset[OrderId]:
        """The ids of the orders with this number, and this id if there is an order with it.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        return frozenset(
            key.entity_id for key in self._keys() if key.entity_id == order_id or key.increment_id == number
        )

    def ids_numbered(self, numbers: frozenset[str]) -> frozenset[OrderId]:
        """The ids of the orders with these numbers.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        return frozenset(key.entity_id for key in self._keys() if key.increment_id in numbers)

    def _keys(self) -> Iterator[OrderName]:
        with self.opened() as (stream, identity):
            layout = self.layout(stream)
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
    return any(_order_file_holds(tree, path) for path in likely)


def _order_file_holds(node: Any, path: Sequence[str]) -> bool:
    if not path:
        return True
    if isinstance(node, list):
        return any(_order_file_holds(each, path) for each in node)
    return isinstance(node, dict) and path[0] in node and _order_file_holds(node[path[0]], path[1:])


def _read(reading: Callable[[Payload], Order], payload: Payload) -> Order | None:
    try:
        return reading(payload)
    except OrderUnreadable:
        return None
