"""The order source that is a Magento shop."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.magento.client import MagentoClient
from ekomi_reconcile.orders.magento.directory import Directory
from ekomi_reconcile.orders.magento.failure import ShopFailure
from ekomi_reconcile.orders.magento.probe import Probe, probe
from ekomi_reconcile.orders.magento.progress import progress_path
from ekomi_reconcile.orders.magento.reading import MagentoReading
from ekomi_reconcile.orders.magento.search import BATCH, PAGE_SIZE, Halving
from ekomi_reconcile.orders.magento.segments import MAX_ID
from ekomi_reconcile.orders.magento.shop import MagentoShop, Naming
from ekomi_reconcile.orders.magento.windows import in_order
from ekomi_reconcile.orders.source import Wanted


class MagentoSource:
    """Reads orders of one shop. ``cache`` is a folder for the progress of first loads, safe to delete."""

    def __init__(
        self,
        name: str,
        client: MagentoClient,
        naming: Naming | None = None,
        *,
        cache: Path | None = None,
        page_size: int = PAGE_SIZE,
    ) -> None:
        self._name = name
        self._unread: set[int] = set()
        self._client = client
        self._shop = MagentoShop(client, naming or Naming(), page_size=page_size)
        self._progress = None if cache is None else progress_path(cache, name)

    @property
    def name(self) -> str:
        """Its name in ``orders:``."""
        return self._name

    @property
    def directory(self) -> Directory:
        """The shop's lists: store views, customer groups, statuses."""
        return self._shop.directory

    @property
    def store_view_codes(self) -> frozenset[str] | None:
        """The store views that the present pass learned of, without the admin's."""
        return self._shop.store_view_codes

    @property
    def customer_group_codes(self) -> frozenset[str] | None:
        """The customer groups that the present pass learned of; ``None`` where no rule needs them."""
        return self._shop.customer_group_codes

    @property
    def status_codes(self) -> frozenset[str]:
        """The statuses that every shop has, and those that orders were seen in."""
        return self._shop.status_codes

    def read(self, wanted: Wanted) -> MagentoReading:
        """Begin a pass. Nothing is read before the first batch is asked for."""
        return MagentoReading(self._shop, wanted, progress=self._progress)

    def by_ids(self, order_ids: Collection[int]) -> dict[int, Order]:
        """The present version of these orders; one that cannot be read is left out.

        Raises:
            OrderSourceError: the shop cannot be read.
        """
        wanted = sorted(order_id for order_id in set(order_ids) if 0 < order_id <= MAX_ID)
        if not wanted:
            return {}
        self._unread = set()
        table, assembly = self._shop.look_up()

        def unread(order_id: int, failure: ShopFailure) -> None:  # noqa: ARG001 - a pass reports it
            self._unread.add(order_id)

        def batch(ids: Sequence[int]) -> list[Order]:
            orders, unreadable = assembly.orders(Halving(table.searcher, table.among, unread).run(ids))
            self._unread.update(each.order_id for each in unreadable)
            return orders

        parts = [wanted[at : at + BATCH] for at in range(0, len(wanted), BATCH)]
        jobs = (partial(batch, part) for part in parts)
        return {order.order_id: order for orders in in_order(jobs) for order in orders}

    def gone(self, order_ids: Collection[int]) -> frozenset[int]:
        """Of these orders, just looked up by ``by_ids`` and not found, those that the shop does not have."""
        return frozenset(order_ids) - self._unread

    def find(self, number: str) -> Sequence[Order]:
        """The orders with this number or, written ``#123`` or bare, this order id.

        Raises:
            OrderSourceError: the shop cannot be read.
        """
        number = number.strip()
        digits = number.removeprefix("#")
        order_id = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None
        table, assembly = self._shop.look_up()
        found = {order.order_id: order for order in assembly.orders(table.numbered(number))[0]}
        if order_id is not None and order_id not in found:
            found |= self.by_ids([order_id])
        return [each for each in found.values() if each.number == number or each.order_id == order_id]

    def find_many(self, numbers: Collection[str]) -> dict[str, list[Order]]:
        """The orders with these numbers, about a hundred at a time.

        Raises:
            OrderSourceError: the shop cannot be read.
        """
        table, assembly = self._shop.look_up()
        wanted = sorted(each for each in set(numbers) if each)
        # A comma would end a number within a list, so such a one is asked for alone.
        listed = [each for each in wanted if "," not in each]
        parts = [listed[at : at + BATCH] for at in range(0, len(listed), BATCH)]
        jobs = [partial(table.numbered_among, part) for part in parts]
        jobs += [partial(table.numbered, each) for each in wanted if "," in each]
        found: dict[str, list[Order]] = {}
        for rows in in_order(iter(jobs)):
            for order in assembly.orders(rows)[0]:
                found.setdefault(order.number, []).append(order)
        return found

    def statuses(self) -> Mapping[str, str | None]:
        """Status codes to states: the shop's list where it has one, else shipped ones and those met.

        Raises:
            OrderSourceError: the shop cannot be asked.
        """
        return self._shop.statuses()

    def probe(self, *, annotate: bool = False) -> Probe:
        """What a self-test wants to know; never raises for what the shop answers.

        ``annotate``: whether comments are to be written. From now on no request is repeated.
        """
        return probe(self._shop, annotate=annotate)

    def annotate(self, order_id: int, text: str) -> None:
        """Write a comment into an order's history; needs ``Magento_Sales::comment``.

        Raises:
            OrderSourceError: the shop did not do it.
        """
        self._client.annotate(order_id, text)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _left_out(order_id: int, failure: ShopFailure) -> None:
    """An order that cannot be read is not among the results; a pass reports it."""
