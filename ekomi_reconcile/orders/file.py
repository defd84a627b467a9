"""Orders from a file: JSON lines, CSV or one JSON document, all in Magento's shape.

Unchanged since the position asked for, the file is not read; only grown, its new lines are; anything
else, and it is read whole. The last record of an order is the one that counts. A record that cannot
be read is a problem of the reading, and remembered with the position: it is reported again as long as
it appears in the file. The last line, not ended by a newline, may still be being written: it is read if
it can be, but the position stays before it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from ekomi_reconcile.config.order_sources import TableSettings
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.errors import OrderUnreadable
from ekomi_reconcile.model.order import Order, OrderId, order_id_of
from ekomi_reconcile.orders import order_file
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.reader import Flaw, Flaws, OrderReader, diagnostics, remarks
from ekomi_reconcile.orders.records import Payload, Scan, Span
from ekomi_reconcile.orders.source import Uses, Wanted

BATCH = 1_000
"""Orders per batch."""

_PLAIN = TableSettings()


class FileSource:
    """An order source that is a file.

    ``stores`` and ``customer_groups`` say what ids mean, ``uses`` what rules look at, ``table`` how a CSV
    file of another system is read.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        stores: Mapping[int, str] | None = None,
        customer_groups: Mapping[int, str] | None = None,
        uses: Uses = lambda: None,
        table: TableSettings = _PLAIN,
    ) -> None:
        self._name = name
        self._file = order_file.OrderFile(path, Codes(stores, customer_groups), uses, table)

    @property
    def name(self) -> str:
        """Its name in ``orders:``."""
        return self._name

    def read(self, wanted: Wanted) -> FileReading:
        """Begin a pass. Nothing is read before the first batch is asked for."""
        return FileReading(self._file, wanted)

    def by_ids(self, order_ids: Collection[OrderId]) -> dict[OrderId, Order]:
        """The present version of these orders; one that cannot be read is left out.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        return self._file.by_ids(order_ids) if order_ids else {}

    def find(self, number: str) -> Sequence[Order]:
        """The orders with this number or, written ``#123`` or bare, this order id.

        Raises:
            OrderUnreadable: the file has it, and it cannot be read.
            OrderSourceError: the file cannot be read.
        """
        number = number.strip()
        digits = number.removeprefix("#")
        whole = digits.isascii() and digits.isdigit() and len(digits) < 19
        order_id = int(digits) if whole else order_id_of(digits)
        ids = self._file.ids_of(number, order_id)
        found = self.by_ids(ids)
        if ids and not found:
            raise self._unreadable(ids)
        return [each for each in found.values() if each.number == number or each.order_id == order_id]

    def _unreadable(self, order_ids: Collection[OrderId]) -> OrderUnreadable:
        """Why the last of these records cannot be read."""
        error = OrderUnreadable("it cannot be read", order_id=next(iter(order_ids)))
        with self._file.opened() as (stream, identity):
            layout = self._file.layout(stream)
            read = layout.reading(OrderReader(self._file.codes))
            for _, _, payload in layout.scan(stream, Span(0, identity.size)):
                key = None if isinstance(payload, OrderUnreadable) else layout.key(payload)
                if key is None or key.entity_id not in order_ids:
                    continue
                try:
                    read(payload)
                except OrderUnreadable as problem:
                    error = problem
        return error

    def find_many(self, numbers: Collection[str]) -> dict[str, list[Order]]:
        """The orders with these numbers, in one pass over the file.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        wanted, found = frozenset(numbers), dict[str, list[Order]]()
        for each in self.by_ids(self._file.ids_numbered(wanted)).values():
            if each.number in wanted:
                found.setdefault(each.number, []).append(each)
        return found

    def gone(self, order_ids: Collection[OrderId]) -> frozenset[OrderId]:
        """Those of these orders, just looked up by ``by_ids``, that the file does not have."""
        return self._file.gone(order_ids)

    def lacking(self, wanted: Collection[str]) -> frozenset[str]:
        """Those of these attributes that no record has a field for.

        Raises:
            OrderSourceError: the file cannot be read.
        """
        return self._file.lacking(wanted)

    def close(self) -> None:
        """Nothing is held open between calls."""


class FileReading:
    """One pass over a file; iterate ``batches`` to the end, then ask for cursor and problems."""

    def __init__(self, file: order_file.OrderFile, wanted: Wanted) -> None:
        self._file = file
        self._wanted = wanted
        self._codes = order_file.digest_of(file.codes, file.table)
        self._reached: order_file.FileCursor | None = None

    @property
    def cursor(self) -> str:
        """Where this pass ended; to be asked for after the last batch."""
        return self._end().text()

    @property
    def problems(self) -> Sequence[Diagnostic]:
        """The records that cannot be read, those of earlier passes too; after the last batch."""
        end = self._end()
        found = diagnostics(self._file.path, Flaws(end.unreadable, end.flaws))
        return [*found, *remarks(self._file.path, end.remarks)]

    def batches(self) -> Iterator[Sequence[Order]]:
        """The orders, each once and in its last version, about a thousand at a time.

        Raises:
            OrderSourceError: the file cannot be read, or became shorter meanwhile.
        """
        with self._file.opened() as (stream, identity):
            known = order_file.earliest(self._wanted.cursors, stream, identity, codes=self._codes)
            if known and not self._whole and identity.unchanged_since(known.identity):
                self._reached = known
            else:
                yield from self._read(stream, identity, known)

    def _end(self) -> order_file.FileCursor:
        if self._reached is None:
            raise RuntimeError("the batches of this reading were not iterated to their end")
        return self._reached

    def _read(
        self, stream: BinaryIO, identity: order_file.FileIdentity, known: order_file.FileCursor | None
    ) -> Iterator[Sequence[Order]]:
        start = None if self._whole else known
        span = Span(start.offset, identity.size, start.lines) if start else Span(0, identity.size)
        layout = self._file.layout(stream)
        found = (order_file.index if start else order_file.whole_index)(layout.scan(stream, span), layout)
        if start is None:
            self._file.remember(identity, found)
        flaws = Flaws(start.unreadable, start.flaws).settled(found.holds) if start else Flaws()
        scan = layout.scan(stream, span)
        read = layout.reading(OrderReader(self._file.codes, self._wanted.attributes))
        yield from _batches(self._orders(scan, read, found.superseded(), flaws=flaws, known=known))
        self._reached = order_file.FileCursor(
            layout=layout.name,
            codes=self._codes,
            identity=identity,
            offset=scan.settled,
            lines=scan.settled_lines,
            digest=order_file.digest_before(stream, scan.settled),
            unreadable=flaws.count,
            flaws=tuple(flaws.first),
            remarks=tuple(scan.remarks),
            rules=order_file.RULES,
        )

    def _orders(
        self,
        scan: Scan,
        read: Callable[[Payload], Order],
        superseded: frozenset[int],
        *,
        flaws: Flaws,
        known: order_file.FileCursor | None,
    ) -> Iterator[Order]:
        """What is wanted of these records; the unreadable ones are added to the flaws."""
        changed_from, created_from = self._bounds(known)
        for offset, line, payload in scan:
            if offset in superseded:
                continue
            try:
                if isinstance(payload, OrderUnreadable):
                    raise payload
                order = read(payload)
            except OrderUnreadable as problem:
                unfinished = offset >= scan.settled
                flaws.add(Flaw(line, problem.reason, problem.order_id, unfinished))
                continue
            if offset >= changed_from or order.created_at >= created_from:
                yield order

    @property
    def _whole(self) -> bool:
        """Are orders wanted that did not change?"""
        return self._wanted.full or self._wanted.reread_from is not None

    def _bounds(self, known: order_file.FileCursor | None) -> tuple[int, float]:
        """Records from this offset on are wanted, and orders created at or after this instant."""
        if not self._whole:
            return 0, -math.inf
        if known is not None:
            return known.offset, self._created_from()
        return (0 if self._wanted.cursors else sys.maxsize), self._created_from()

    def _created_from(self) -> float:
        """Of orders that did not change those created since are wanted."""
        wanted = self._wanted
        since = [] if wanted.reread_from is None else [wanted.reread_from]
        if wanted.full:
            since.append(-sys.maxsize if wanted.created_from is None else wanted.created_from)
        return min(since, default=-math.inf)


def _batches(orders: Iterator[Order]) -> Iterator[Sequence[Order]]:
    while batch := list(islice(orders, BATCH)):
        yield batch
