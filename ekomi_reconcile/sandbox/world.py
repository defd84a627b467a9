"""Everything one sandbox knows: shops, clock, switches, faults, outbox. Two worlds share nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ekomi_reconcile.sandbox.clock import Clock
from ekomi_reconcile.sandbox.faults import Fault, FaultBook, Rule
from ekomi_reconcile.sandbox.outbox import Outbox, RequestCounts
from ekomi_reconcile.sandbox.seed import seeded_shops
from ekomi_reconcile.sandbox.seed_orders import orders
from ekomi_reconcile.sandbox.shops import Shop
from ekomi_reconcile.sandbox.switches import Switches

FeedbackRows = list[dict[str, object]]


class World:
    """A deterministic beginning (seed and clock), changed by what is sent to it.

    ``shops`` are by interface id; the default are the five of :mod:`seed`, with reviews relative to the
    clock. ``http_ahead`` is by how many seconds the ``Date`` of answers is ahead of this machine's clock
    (``None``: answers have none). ``feedback_cache`` holds, by call, until when (UTC epoch seconds) which
    rows are served again.
    """

    def __init__(
        self,
        *,
        seed: int = 1,
        clock: Clock | None = None,
        order_count: int = 200,
        shops: Iterable[Shop] | None = None,
    ) -> None:
        self.seed = seed
        self.clock = clock or Clock()
        self.began_at = self.clock.now()
        self.http_ahead: int | None = 0
        self.order_count = order_count
        known = seeded_shops(seed, self.began_at) if shops is None else shops
        self.shops: dict[str, Shop] = {shop.interface_id: shop for shop in known}
        self.switches = Switches()
        self.faults = FaultBook(seed)
        self.outbox = Outbox()
        self.requests = RequestCounts()
        self.feedback_cache: dict[tuple[str, ...], tuple[int, FeedbackRows]] = {}

    def switch(self, **changes: object) -> None:
        """Decide some open questions otherwise; see :class:`Switches`.

        Raises:
            msgspec.ValidationError: an unknown switch or a value it does not have.
        """
        self.change_switches(changes)

    def change_switches(self, changes: object) -> None:
        """As :meth:`switch`, from data."""
        self.switches = self.switches.changed(changes)
        self.feedback_cache.clear()

    def reset_switches(self) -> None:
        """All open questions as at the beginning."""
        self.switches = Switches()
        self.feedback_cache.clear()

    def fault(self, fault: Fault) -> Rule:
        """Let calls go wrong; see :class:`Fault`."""
        return self.faults.add(fault)

    def orders(self, *, count: int | None = None, seed: int | None = None) -> Iterator[dict[str, Any]]:
        """The seeded orders of the shop behind: the same at every call, however the clock moved."""
        return orders(
            self.order_count if count is None else count, self.seed if seed is None else seed, self.began_at
        )
