"""What every order source offers, whatever stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order, OrderId

Uses: TypeAlias = Callable[[], frozenset[str] | None]
"""Tells the attributes that rules look at, ``None`` where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which orders to read.

    ``cursors`` are the positions reached earlier: everything that changed since the earliest of them
    is wanted. With ``full`` also every order created at or after ``created_from`` (``None``: every
    order there is). ``attributes`` are what the rules in use look at (design: conditions; ``telephone``), so
    that a source may ask for less; history and e-mail address are always wanted. With ``reread_from`` orders
    created since are read again whether or not they say that they changed.

    ``lacking`` are attributes that may not be read, and that no rule of this pass looks at.

    ``pseudonym`` makes a keyed digest of a canonical address. With it a source may keep the facts of orders
    it read, and hand them out in a later ``full`` pass with ``Contact.pseudonym`` in place of the contact.
    """

    cursors: frozenset[str] = frozenset()
    full: bool = False
    created_from: Instant | None = None
    attributes: frozenset[str] = frozenset()
    reread_from: Instant | None = None
    pseudonym: Callable[[str], str] | None = None
    lacking: frozenset[str] = frozenset()


class Reading(Protocol):
    """One pass over a source. Iterate ``batches`` to the end, then ask for the rest.

    ``cursor`` is the position reached: an opaque text to store and hand back in ``Wanted.cursors``;
    ``problems`` are the orders that could not be read, each with its place or id.
    """

    def batches(self) -> Iterator[Sequence[Order]]:
        """The orders, each once and in its last version, in bounded batches.

        Raises:
            OrderSourceError: the source cannot be read; nothing read so far is a complete picture.
        """

    @property
    def cursor(self) -> str:
        """Where this pass ended."""

    @property
    def problems(self) -> Sequence[Diagnostic]:
        """What could not be read though the rest could."""


class OrderSource(Protocol):
    """A place where orders are read; it never writes there."""

    @property
    def name(self) -> str:
        """Its name in ``orders:``."""

    def read(self, wanted: Wanted) -> Reading:
        """Begin a pass. Nothing is read before the first batch is asked for."""

    def by_ids(self, order_ids: Collection[OrderId]) -> dict[OrderId, Order]:
        """The present version of these orders; one that cannot be read is left out.

        Raises:
            OrderSourceError: the source cannot be read.
        """

    def find(self, number: str) -> Sequence[Order]:
        """The orders with this number (increment id) or, written ``#123`` or bare, this order id.

        Raises:
            OrderSourceError: the source cannot be read.
        """

    def find_many(self, numbers: Collection[str]) -> dict[str, list[Order]]:
        """The orders with these numbers (increment ids) by number; one without any is left out.

        Raises:
            OrderSourceError: the source cannot be read.
        """

    def close(self) -> None:
        """Let go of files and connections."""


@runtime_checkable
class KnowsGone(Protocol):
    """An order source that tells an order it does not have from one that it cannot read."""

    def gone(self, order_ids: Collection[OrderId]) -> frozenset[OrderId]:
        """Those of these orders, just looked up by ``by_ids``, that it does not have."""


@runtime_checkable
class Annotating(Protocol):
    """An order source that takes remarks on its orders."""

    def annotate(self, order_id: OrderId, text: str) -> None:
        """Write a remark into an order's history.

        Raises:
            OrderSourceError: the source does not take it.
        """
