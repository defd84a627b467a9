"""One pass over a shop: unreadable orders first, then changes, then the rest.

Each order comes once. What changed is read first; where the full window meets such an order again it is
passed over, and a change made in between comes with the next pass, which begins before this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import msgspec

from ekomi_reconcile import __version__
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.orders.magento import segments
from ekomi_reconcile.orders.magento.evidence import Assembly
from ekomi_reconcile.orders.magento.progress import Begun, LoadProgress, forget, may_be_kept
from ekomi_reconcile.orders.magento.search import Halving
from ekomi_reconcile.orders.magento.shop import MagentoShop
from ekomi_reconcile.orders.magento.table import OrderTable, Unreadable, in_order, windows
from ekomi_reconcile.orders.order_file import digest_of
from ekomi_reconcile.orders.reader import MAX_FLAWS, UNREADABLE
from ekomi_reconcile.orders.source import Wanted

RETRIED = 20
"""Orders that one pass tries again, each at the cost of a request or two; of more they take turns."""


class UnreadableOrders:
    """The orders of one pass that cannot be read."""

    def __init__(self) -> None:
        self._found: dict[int, Unreadable] = {}

    @property
    def order_ids(self) -> Sequence[int]:
        """Which ones, ascending."""
        return sorted(self._found)

    def add(self, flaw: Unreadable) -> None:
        """One more."""
        self._found[flaw.order_id] = flaw

    def extend(self, flaws: Iterable[Unreadable]) -> None:
        """Some more."""
        for flaw in flaws:
            self.add(flaw)

    def expect(self, order_ids: Iterable[int], *, turn: Instant) -> Sequence[int]:
        """Those of an earlier pass that are tried again now; the others still count as unreadable."""
        known = sorted(order_ids)
        start = turn % len(known) if len(known) > RETRIED else 0
        due = [*known[start:], *known[:start]][:RETRIED]
        self.extend(Unreadable(each, "it could not be read earlier") for each in known if each not in due)
        return due

    def diagnostics(self) -> list[Diagnostic]:
        """What to tell about them."""
        flaws = [self._found[order_id] for order_id in self.order_ids]
        found = [_diagnostic(f"order {each.order_id}: {each.reason}", each) for each in flaws[:MAX_FLAWS]]
        if len(flaws) > MAX_FLAWS:
            found.append(_diagnostic(f"{len(flaws) - MAX_FLAWS} more orders cannot be read"))
        return found


def _diagnostic(message: str, flaw: Unreadable | None = None) -> Diagnostic:
    report = flaw.report if flaw else None
    hint = f"look for report {report} in the shop's log (var/log, var/report)" if report else None
    return Diagnostic(severity=Severity.ERROR, rule=UNREADABLE, message=message, hint=hint)


@dataclass(frozen=True, slots=True)
class _ReadWindow:
    """One window that was read, up to the id ``high``."""

    high: int
    orders: Sequence[Order]
    keys: Sequence[segments.RowKey]
    unreadable: Sequence[Unreadable]


@dataclass(slots=True)
class _Pass:
    """What has come so far: ``done`` are ids handed out, ``keys`` versions the next pass meets again."""

    until: Instant
    table: OrderTable
    assembly: Assembly
    done: set[OrderId] = field(default_factory=set)
    keys: set[segments.RowKey] = field(default_factory=set)
    flaws: UnreadableOrders = field(default_factory=UnreadableOrders)

    def note(self, keys: Sequence[segments.RowKey]) -> None:
        """These versions were met."""
        self.keys.update(key for key in keys if segments.in_overlap(key, self.until))


class MagentoReading:
    """One pass; iterate ``batches`` to the end, then ask for cursor and problems."""

    def __init__(self, shop: MagentoShop, wanted: Wanted, *, progress: Path | None = None) -> None:
        self._shop = shop
        self._wanted = wanted
        self._progress_path = progress
        self._end: segments.ShopCursor | None = None
        self._flaws = UnreadableOrders()

    @property
    def cursor(self) -> str:
        """Where this pass ended; to be asked for after the last batch.

        Raises:
            RuntimeError: there are batches left.
        """
        if self._end is None:
            raise RuntimeError("the batches of this reading were not iterated to their end")
        return self._end.text()

    @property
    def problems(self) -> Sequence[Diagnostic]:
        """Orders that cannot be read, those of earlier passes too, and what had to be done without."""
        return (*self._flaws.diagnostics(), *self._shop.warnings)

    def batches(self) -> Iterator[Sequence[Order]]:
        """The orders, each once, about a page at a time.

        Raises:
            OrderSourceError: the shop cannot be read.
        """
        positions = segments.Positions.of(self._wanted.cursors)
        scope = _scope(self._wanted, lost=positions.lost)
        self._shop.begin()
        self._shop.do_without(self._wanted.lacking)
        assembly = self._shop.assembly(self._wanted.attributes)
        until = self._shop.client.server_now() - segments.LAG
        progress = self._progress() if scope else None
        begun = progress.begun(scope.created_from, now=until) if progress and scope else None
        if begun is not None:
            resumed = segments.ShopCursor(
                segments.VERSION, begun.since - segments.OVERLAP, bad=sorted(begun.unreadable)
            )
            positions = replace(positions, cursors=[*positions.cursors, resumed])
        run = _Pass(until, self._shop.table(self._wanted.attributes), assembly, flaws=self._flaws)
        for batch in self._orders(run, positions, scope, progress=progress, begun=begun):
            if batch:
                self._shop.observe(batch)
                yield batch
        self._end = segments.reached(until, run.keys, run.flaws.order_ids)
        if scope is None and self._progress_path is not None:
            forget(self._progress_path)

    def _orders(
        self,
        run: _Pass,
        positions: segments.Positions,
        scope: segments.IdSegment | None,
        *,
        progress: LoadProgress | None,
        begun: Begun | None,
    ) -> Iterator[Sequence[Order]]:
        yield self._once_more(run, positions.unreadable | segments.Positions.of(self._wanted.left).unreadable)
        run.table = replace(run.table, without=tuple(run.flaws.order_ids))
        yield from self._changes(run, positions)
        if scope is None:
            return
        if progress is None:
            yield from self._windows(run, scope, None, begun=None)
            return
        try:
            if begun is not None:
                yield from _kept(run, scope, progress)
            yield from self._windows(run, scope, progress, begun=begun)
        finally:
            progress.end()

    def _once_more(self, run: _Pass, order_ids: frozenset[int]) -> Sequence[Order]:
        """Try again what could not be read before; what is gone from the shop is forgotten."""
        if not order_ids:
            return ()
        due = run.flaws.expect(order_ids, turn=run.until)
        asking = Halving(
            run.table.searcher,
            run.table.among,
            lambda order_id, failure: run.flaws.add(Unreadable(order_id, failure.message, failure.report)),
            singly=True,
        )
        rows = asking.run(due)
        orders, unreadable = run.assembly.orders(rows)
        run.flaws.extend(unreadable)
        run.note([row.key for row in rows])
        run.done.update(order.order_id for order in orders)
        return orders

    def _changes(self, run: _Pass, positions: segments.Positions) -> Iterator[Sequence[Order]]:
        start = positions.start
        if start is None or start >= run.until:
            return
        for harvest in run.table.read(segments.ChangeSegment(at=start, until=run.until)):
            run.flaws.extend(harvest.unreadable)
            run.note([row.key for row in harvest.rows])
            fresh = [
                row
                for row in harvest.rows
                if row.key.order_id not in run.done and not positions.cover(row.key)
            ]
            run.done.update(row.key.order_id for row in fresh)
            orders, unreadable = run.assembly.orders(fresh)
            run.flaws.extend(unreadable)
            yield orders

    def _windows(
        self, run: _Pass, scope: segments.IdSegment, progress: LoadProgress | None, *, begun: Begun | None
    ) -> Iterator[Sequence[Order]]:
        extent = run.table.extent(scope.created_from) if begun is None else begun.extent
        if progress is not None:
            if begun is None:
                progress.begin(extent, scope.created_from, since=run.until)
            else:
                progress.resume()
        spans = windows(
            extent,
            created_from=scope.created_from,
            size=self._shop.searcher.size,
            start=begun.position if begun else 0,
        )
        jobs: Iterator[Callable[[], _ReadWindow]] = (partial(_read, run, span) for span in spans)
        for window in in_order(jobs, parallel=self._shop.client.lanes.most):
            run.note(window.keys)
            run.flaws.extend(window.unreadable)
            if progress is not None:
                progress.add(window.high, window.orders, [each.order_id for each in window.unreadable])
            yield [order for order in window.orders if order.order_id not in run.done]

    def _progress(self) -> LoadProgress | None:
        """Where an interrupted load goes on; only with a digest of customers and without places of theirs."""
        wanted = self._wanted
        if self._progress_path is None or wanted.pseudonym is None or not may_be_kept(wanted.attributes):
            return None
        depends = (
            __version__,
            repr(self._shop.client),
            sorted(wanted.attributes),
            digest_of(self._shop.codes),
            wanted.pseudonym("the same key"),
        )
        return LoadProgress(self._progress_path, msgspec.json.encode(depends).hex(), wanted.pseudonym)


def _scope(wanted: Wanted, *, lost: bool) -> segments.IdSegment | None:
    """Which orders are wanted whether or not they changed: all of them where a position is lost."""
    every = segments.IdSegment(0, 0)
    if lost or (wanted.full and wanted.created_from is None):
        return every
    limits = [wanted.created_from if wanted.full else None, wanted.reread_from]
    given = [limit for limit in limits if limit is not None]
    return replace(every, created_from=min(given)) if given else None


def _kept(run: _Pass, scope: segments.IdSegment, progress: LoadProgress) -> Iterator[Sequence[Order]]:
    """What an interrupted load read already, except what changed since."""
    oldest = scope.created_from
    for window in progress.windows():
        yield [
            order
            for order in window.orders
            if order.order_id not in run.done and (oldest is None or order.created_at >= oldest)
        ]


def _read(run: _Pass, span: segments.IdSegment) -> _ReadWindow:
    rows: list[segments.Row] = []
    unreadable: list[Unreadable] = []
    for harvest in run.table.read(span):
        rows += harvest.rows
        unreadable += harvest.unreadable
    orders, damaged = run.assembly.orders(rows)
    return _ReadWindow(span.high, orders, [row.key for row in rows], [*unreadable, *damaged])
