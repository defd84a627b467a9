"""The order table of a shop: pages, windows, single orders.

A page that the shop cannot make is asked for in smaller parts, down to the one order that breaks it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from math import isqrt, sqrt
from typing import TypeVar

from msgspec import Raw, Struct

from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.orders.lenient import LenientDecoder, Unfit
from ekomi_reconcile.orders.magento import search as magento_search
from ekomi_reconcile.orders.magento.segments import BY_ID, MAX_ID, IdSegment, Row, RowKey, Segment
from ekomi_reconcile.orders.magento.wire import SMALLER_HELPS, FailureKind, ShopFailure
from ekomi_reconcile.orders.normalize import instant_of

_TRIES = 5
"""Orders at an end of the table that may be broken before the end is taken as unknown."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An order that the shop cannot give; ``report`` is the id under which its log says why."""

    order_id: int
    reason: str
    report: str | None = None


@dataclass(frozen=True, slots=True)
class Harvest:
    """What a page brought, in the order of its key."""

    rows: Sequence[Row] = ()
    unreadable: Sequence[Unreadable] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The wanted orders have ids above ``low`` up to ``high``, and there are about ``count`` of them.

    ``below`` and ``above``: beyond these ends are few orders, which the shop cannot give.
    """

    low: int
    high: int
    count: int
    below: bool = False
    above: bool = False


@dataclass(frozen=True, slots=True)
class _Edge:
    key: RowKey | None
    broken: int
    total: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a segment that is still to be read.

    ``broken``: the shop failed on it. ``first``: it is the first half of such a part, whose other half comes
    next: where this one can be read, that one is broken. ``behind``: the order before it is broken; often
    so is the next one.
    """

    segment: Segment
    broken: bool = False
    first: bool = False
    behind: bool = False

    @property
    def size(self) -> int:
        """How many ids there are in it."""
        return self.segment.high - self.segment.low

    def split(self) -> list[_Part]:
        """Its halves, or its first id and the rest, the first of them last.

        Where it reaches up to ids that no order may have, its lower half is shorter by far.
        """
        low, high = self.segment.low, self.segment.high
        wide = high > 4 * max(low, 1)
        middle = low + 1 if self.behind else isqrt(max(low, 1) * high) if wide else (low + high) // 2
        return [_Part(self.segment.part(middle, high)), _Part(self.segment.part(low, middle), first=True)]


def _join(todo: list[_Part], *, behind_broken: bool = False) -> None:
    """Ask for the next parts as one where they are neighbours and nothing is known of either."""
    if len(todo) > 1:
        (far, near) = todo[-2:]
        whole = near.segment.part(near.segment.low, far.segment.high)
        if not (far.broken or far.first or near.broken) and whole == far.segment.part(
            near.segment.low, far.segment.high
        ):
            todo[-2:] = [_Part(whole)]
    if todo and behind_broken:
        todo[-1] = replace(todo[-1], behind=True)


@dataclass(frozen=True, slots=True)
class OrderTable:
    """The shop's orders as rows; ``fields`` are those of one order, ``without`` ids that are left out."""

    searcher: magento_search.Searcher
    fields: str
    without: Sequence[int] = ()

    def read(self, segment: Segment) -> Iterator[Harvest]:
        """The orders of this segment, each once, a page at a time.

        An order that breaks its page is looked for by halves, the first of them first: what follows it is
        asked for as a whole again.

        Raises:
            OrderSourceError: the shop cannot be read.
        """
        todo = [_Part(segment)]
        while todo:
            part = todo.pop()
            if part.broken and part.size > 1:
                todo += part.split()
                continue
            page = self._page(part.segment)
            if not isinstance(page, ShopFailure):
                rows, more = page
                self.searcher.readable += len(rows)
                yield Harvest(rows)
                if more:
                    todo.append(replace(part, segment=self._rest(part.segment, rows), first=False))
                elif part.first:
                    todo[-1] = replace(todo[-1], broken=True)
            elif page.kind in SMALLER_HELPS:
                todo.append(part)
            elif part.size > 1:
                _join(todo)
                todo.append(replace(part, broken=True, first=False))
            else:
                _join(todo, behind_broken=True)
                self.searcher.note_broken(page)
                yield Harvest(unreadable=[Unreadable(part.segment.high, page.message, page.report)])

    def newest(self, count: int) -> tuple[Harvest, int]:
        """The ``count`` orders with the highest ids, in one request where none of them is broken.

        Beside them how many orders there are.

        Raises:
            OrderSourceError: the shop cannot be read.
        """
        wide = magento_search.Searcher(self.searcher.client, size=count)
        search = magento_search.Search(
            sort=(("entity_id", magento_search.Direction.DESC),), size=count, fields=self._asked
        )
        try:
            page = wide.page("orders", search)
        except ShopFailure as failure:
            if failure.kind is not FailureKind.BROKEN and failure.kind not in SMALLER_HELPS:
                raise
        else:
            rows = [_row(raw) for raw in page.rows]
            return Harvest(rows), len(rows) if page.total is None else page.total
        extent = self.extent(None)
        parts = list(self.read(IdSegment(max(extent.low, extent.high - count), extent.high)))
        found = Harvest(
            [row for part in parts for row in part.rows],
            [flaw for part in parts for flaw in part.unreadable],
        )
        return found, extent.count

    def among(self, order_ids: Sequence[int]) -> list[Row]:
        """The orders with these ids, at most ``BATCH`` of them; ids that do not exist are left out.

        Raises:
            OrderSourceError: the shop cannot give them.
        """
        found: list[Row] = []
        left = sorted(order_ids)
        while left:
            size = self.searcher.size
            search = magento_search.Search(
                groups=(magento_search.among("entity_id", left),),
                sort=(BY_ID,),
                size=size,
                fields=self._asked,
            )
            page = self.searcher.page("orders", search)
            rows = [_row(raw) for raw in page.rows]
            found += rows
            last = max((row.key.order_id for row in rows), default=MAX_ID)
            left = [] if page.is_last(min(size, self.searcher.size)) else [i for i in left if i > last]
        return found

    def numbered(self, number: str) -> list[Row]:
        """The orders with this number (increment id), which is unique only within a store.

        Raises:
            OrderSourceError: the shop cannot give them.
        """
        groups = (magento_search.one("increment_id", magento_search.Is.EQ, number),)
        search = magento_search.Search(
            groups=groups, sort=(BY_ID,), size=magento_search.BATCH, fields=self._asked
        )
        return [_row(raw) for raw in self.searcher.page("orders", search).rows]

    def numbered_among(self, numbers: Sequence[str]) -> list[Row]:
        """The orders with these numbers, at most ``BATCH`` of them; several stores may share one.

        Raises:
            OrderSourceError: the shop cannot give them.
        """
        found: list[Row] = []
        last, more = 0, True
        listed = (magento_search.Filter("increment_id", magento_search.Is.IN, ",".join(numbers)),)
        while more:
            groups, size = (
                (listed, magento_search.one("entity_id", magento_search.Is.GT, last)),
                self.searcher.size,
            )
            page = self.searcher.page(
                "orders", magento_search.Search(groups=groups, sort=(BY_ID,), size=size, fields=self._asked)
            )
            rows = [_row(raw) for raw in page.rows]
            found += rows
            last = max((row.key.order_id for row in rows), default=MAX_ID)
            more = bool(rows) and not page.is_last(min(size, self.searcher.size))
        return found

    @property
    def _asked(self) -> str:
        return f"items[{self.fields}],total_count"

    def extent(self, created_from: Instant | None) -> Extent:
        """Where the orders created since are.

        Raises:
            OrderSourceError: the shop cannot be read.
        """
        since = (
            ()
            if created_from is None
            else (
                magento_search.one(
                    "created_at", magento_search.Is.GTEQ, magento_search.sql_time(created_from)
                ),
            )
        )
        known = self._left_out()
        first = self._edge(
            magento_search.Search(groups=(*since, *known), sort=(BY_ID,), size=1, fields=_KEYS)
        )
        if first.key is None and not first.broken:
            return Extent(low=0, high=0, count=0)
        last = self._edge(
            magento_search.Search(
                groups=known, sort=(("entity_id", magento_search.Direction.DESC),), size=1, fields=_KEYS
            )
        )
        if first.key is None or last.key is None:
            return Extent(low=0, high=0, count=0, above=True)
        return Extent(
            low=first.key.order_id - 1,
            high=last.key.order_id,
            count=first.total,
            below=first.broken > 0,
            above=last.broken > 0,
        )

    def _edge(self, search: magento_search.Search) -> _Edge:
        """The first row that the shop can give; those before it break it."""
        for number in range(1, _TRIES + 1):
            try:
                page = self.searcher.page("orders", replace(search, page=number))
            except ShopFailure as failure:
                if failure.kind is not FailureKind.BROKEN:
                    raise
                continue
            return _Edge(_key(page.rows[0]) if page.rows else None, number - 1, page.total or 0)
        return _Edge(None, _TRIES, 0)

    def _page(self, segment: Segment) -> tuple[list[Row], bool] | ShopFailure:
        """The next rows and whether there are more, or a failure that a smaller part might not have."""
        size = self.searcher.size
        search = magento_search.Search(
            groups=(*segment.groups(), *self._left_out()),
            sort=segment.sort(),
            size=size,
            fields=self._asked,
        )
        try:
            page = self.searcher.page("orders", search)
        except ShopFailure as failure:
            smaller = failure.kind in SMALLER_HELPS and self.searcher.shrink(size)
            if smaller or failure.kind is FailureKind.BROKEN:
                return failure
            raise
        rows = {row.key.order_id: row for row in map(_row, page.rows)}
        return list(rows.values()), not page.is_last(min(size, self.searcher.size))

    def _left_out(self) -> tuple[magento_search.Group, ...]:
        return (
            (
                magento_search.among(
                    "entity_id", self.without[: magento_search.BATCH], magento_search.Is.NOT_IN
                ),
            )
            if self.without
            else ()
        )

    def _rest(self, part: Segment, rows: Sequence[Row]) -> Segment:
        rest = part.after(rows)
        if rest == part:
            raise OrderSourceError("the shop gives the same orders again and again")
        return rest


class _Keys(Struct, gc=False):
    entity_id: int
    updated_at: datetime | None = None


_KEYS = "items[entity_id,updated_at],total_count"
_DECODER = LenientDecoder(_Keys)


def _row(raw: Raw) -> Row:
    return Row(_key(raw), raw)


def _key(raw: Raw) -> RowKey:
    problem = ""
    try:
        keys = _DECODER.decode(raw)
        return RowKey(keys.entity_id, 0 if keys.updated_at is None else instant_of(keys.updated_at))
    except Unfit as unfit:
        problem = str(unfit)
    raise OrderSourceError(f"the shop's answer has an order without a readable key: {problem}")


T = TypeVar("T")

_WIDEST = 100
"""How many times wider than a page a window may be where most ids are not wanted."""


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
    """Ids per window: more than ``size`` where few of them are wanted orders.

    With gaps here and there, nearly every window fits into one page.
    """
    share = min(extent.count / max(extent.high - extent.low, 1), 1.0)
    fitting = size - 2 * sqrt(size * (1 - share))
    return max(size, min(int(fitting / max(share, 1e-9)), size * _WIDEST))


def in_order(jobs: Iterator[Callable[[], T]], *, parallel: int) -> Iterator[T]:
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
