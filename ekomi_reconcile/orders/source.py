"""What an order source is: the interface of the built-in kinds, and of those that other packages register.

A package registers a kind with an entry point of the group ``ekomi_reconcile.order_sources``: its name is the
key under ``orders:``, and it leads to a ``SourceType``. docs/how-to/write-an-order-source.md shows one.

Units: instants are whole seconds since 1970 in UTC, amounts are in the order's currency. Only
``OrderSourceError`` says that something could not be read; an empty result means that there is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ekomi_reconcile.config.configuration import resolve
from ekomi_reconcile.http import Stop
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.errors import OrderSourceError, SecretError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order, OrderId
from ekomi_reconcile.model.review import ProductDetails

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

    ``left`` are positions that are not gone on from, because rules changed: what they say about it may
    help, such as which orders cannot be read.

    ``lacking`` are attributes that cannot be read, and that no rule of this pass looks at.

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
    left: frozenset[str] = frozenset()


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
        """Its name in ``orders:``; of a registered kind ``Opening.name`` is taken instead."""
        return ""

    def read(self, wanted: Wanted) -> Reading:
        """Begin a pass. Nothing is read before the first batch is asked for."""

    def by_ids(self, order_ids: Collection[OrderId]) -> dict[OrderId, Order]:
        """The present version of these orders; one that cannot be read is left out.

        Asked right before sending: the contact must be complete, whatever rules look at.

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
        found = {number: [each for each in self.find(number) if each.number == number] for number in numbers}
        return {number: orders for number, orders in found.items() if orders}

    def close(self) -> None:
        """Let go of files and connections."""


# Capabilities: a source that has these methods offers more. All are optional.


@runtime_checkable
class KnowsGone(Protocol):
    """An order source that tells an order it does not have from one that it cannot read."""

    def gone(self, order_ids: Collection[OrderId]) -> frozenset[OrderId]:
        """Those of these orders, just looked up by ``by_ids``, that it does not have."""


@runtime_checkable
class DescribesProducts(Protocol):
    """An order source that tells names, pages and pictures of its products."""

    def describe_products(
        self, product_ids: Collection[int], store_view: str | None
    ) -> Mapping[int, ProductDetails]:
        """Look up these products (``Item.product_id``), as customers of this store view see them.

        Raises:
            OrderSourceError: the source cannot be read.
        """


@runtime_checkable
class Annotating(Protocol):
    """An order source that takes comments on its orders, where its settings have ``annotate: true``."""

    def annotate(self, order_id: OrderId, text: str) -> None:
        """Write a comment into an order's history.

        Raises:
            OrderSourceError: the source does not take it.
        """


@runtime_checkable
class NamingShop(Protocol):
    """An order source that knows which names there are; ``None``: it was not asked, or does not tell."""

    @property
    def store_view_codes(self) -> frozenset[str] | None:
        """The store views in which customers can order."""

    @property
    def customer_group_codes(self) -> frozenset[str] | None:
        """The customer groups."""

    @property
    def status_codes(self) -> frozenset[str]:
        """The statuses that are known to occur; most shops cannot list theirs, so there may be others."""


@runtime_checkable
class Columns(Protocol):
    """An order source that knows which fields its orders can have: a file."""

    def lacking(self, wanted: Collection[str]) -> frozenset[str]:
        """Those of these attributes that no record has a field for.

        Raises:
            OrderSourceError: the file cannot be read.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a source is opened with.

    ``settings`` is the record of the kind, ``root`` the folder of the project file, ``cache`` a folder that
    may be deleted at any time and must never hold personal data. ``stores`` and ``customer_groups`` turn ids
    into names, ``uses`` has what rules look at. All waiting goes through ``stop``, if it is given.
    """

    name: str
    settings: Any
    root: Path
    cache: Path
    stores: Mapping[int, str] = field(default_factory=dict)
    customer_groups: Mapping[int, str] = field(default_factory=dict)
    uses: Uses = lambda: None
    stop: Stop | None = None

    def secret(self, reference: str) -> str:
        """The secret that this reference names; it is redacted in all later output.

        Raises:
            OrderSourceError: it cannot be resolved.
        """
        try:
            return resolve(reference, root=self.root).reveal()
        except SecretError as error:
            message, hint = error.message, error.hint
        raise OrderSourceError(f"order source {self.name}: {message}", hint=hint)


@dataclass(frozen=True, slots=True)
class SourceType:
    """What a package registers: a kind of order source.

    ``settings`` is a frozen dataclass whose fields are declared with ``model.keys.key``: from it follow the
    JSON Schema, and errors with their places. ``open`` makes no request yet; it may raise
    ``OrderSourceError``.
    """

    settings: Any
    open: Callable[[Opening], OrderSource]
