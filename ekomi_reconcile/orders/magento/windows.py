"""Reading a long stretch of orders in windows of ids, a few at a time, with the results in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.orders.magento.segments import MAX_ID, IdSegment
from ekomi_reconcile.orders.magento.table import Extent

T = TypeVar("T")

PARALLEL = 2
"""Requests at the same time: two nearly double the throughput of a shop with two cores, four add nothing."""

_WIDEST = 100
"""So many times wider than a page a window may be where most ids are not wanted."""


def windows(
    extent: Extent, *, created_from: Instant | None, size: int, start: int = 0
) -> Iterator[IdSegment]:
    """The extent in windows of about ``size`` orders, ascending, from the id ``start`` on."""
    whole = IdSegment(0, MAX_ID, created_from)
    if extent.below and start < extent.low:
        yield whole.part(start, extent.low)
    width = _width(extent, size)
    low = max(extent.low, start)
    while low < extent.high:
        high = min(low + width, extent.high)
        yield whole.part(low, high)
        low = high
    if extent.above:
        yield whole.part(max(low, start), MAX_ID)


def _width(extent: Extent, size: int) -> int:
    """Ids per window: more than ``size`` where few of them are wanted orders."""
    ids = extent.high - extent.low
    return max(size, min(size * ids // max(extent.count, 1), size * _WIDEST))


def in_order(jobs: Iterator[Callable[[], T]], *, parallel: int = PARALLEL) -> Iterator[T]:
    """What the jobs give, in their order, with ``parallel`` of them running and as many waiting.

    An error of a job comes at its place, and ends the rest.
    """
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="orders")
    running: deque[Future[T]] = deque()
    try:
        for job in jobs:
            running.append(pool.submit(job))
            if len(running) > parallel:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
