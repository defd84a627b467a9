"""Which record of a file holds the last version of an order: 16 bytes per record, not a dictionary."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from operator import gt, lt

from ekomi_reconcile.errors import OrderSourceError, OrderUnreadable
from ekomi_reconcile.orders.csv_layout import ROW_PER_ITEM, ROW_PER_ITEM_HINT
from ekomi_reconcile.orders.json_layouts import SHAPES
from ekomi_reconcile.orders.records import Layout, Record


@dataclass(frozen=True, slots=True)
class Index:
    """The order ids of a file and the offsets of their records, in the order of the file."""

    ids: array[int]
    offsets: array[int]
    records: int

    def superseded(self) -> frozenset[int]:
        """The offsets of records that a later one with the same id replaces."""
        if _monotonic(self.ids):
            return frozenset()
        order = sorted(range(len(self.ids)), key=self.ids.__getitem__)
        later = islice(order, 1, None)
        return frozenset(
            self.offsets[at] for at, then in zip(order, later, strict=False) if self._same(at, then)
        )

    def last(self, order_ids: Collection[int]) -> list[int]:
        """The offsets of the last records of these orders, rising."""
        wanted = frozenset(order_ids)
        found = {key: at for key, at in zip(self.ids, self.offsets, strict=True) if key in wanted}
        return sorted(found.values())

    def holds(self, order_id: int | None) -> bool:
        """Is there a record of this order?"""
        return order_id is not None and order_id in self.ids

    def _same(self, at: int, then: int) -> bool:
        return self.ids[at] == self.ids[then]


def index(records: Iterable[Record], layout: Layout) -> Index:
    """Look through these records; those without a readable id are left out."""
    ids, offsets, order_id_of = array("q"), array("q"), layout.order_id
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
    if not layout.repeats and found.superseded():
        raise OrderSourceError(ROW_PER_ITEM, mend=ROW_PER_ITEM_HINT)
    return found


def refuse_other_records(records: int, orders: int) -> None:
    """Refuse a file whose records are not orders.

    Raises:
        OrderSourceError: there are records, and none of them is an order.
    """
    if records and not orders:
        raise OrderSourceError(
            f"it holds no orders: none of {records} record(s) has a readable entity_id", mend=SHAPES
        )


def _monotonic(ids: array[int]) -> bool:
    """Rising or falling throughout: no id occurs twice, which needs no sorting to see."""
    return all(map(lt, ids, islice(ids, 1, None))) or all(map(gt, ids, islice(ids, 1, None)))
