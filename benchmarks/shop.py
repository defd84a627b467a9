"""A shop behind its REST interface: what a first load costs it, in requests and in time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from backfill import ekomi
from measure import Figure, Run, beside, command, in_turn, median, run
from projects import ACCOUNTS, ENV, days_ago, make_project
from shop_orders import order

from ekomi_reconcile.sandbox.magento.render import OrderDamage
from ekomi_reconcile.sandbox.magento.routes import routes
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop

_PERMITTED = (
    *("Magento_Sales::actions_view", "Magento_Backend::store", "Magento_Customer::group"),
    *("Magento_Sales::shipment", "Magento_Sales::sales_invoice"),
)


@dataclass(frozen=True, slots=True)
class Served:
    """A served shop, and a project that reads it."""

    folder: Path
    shop: SimulatedShop
    url: str
    env: dict[str, str]

    def in_flight(self, parallelism: int) -> None:
        """Let the project make so many requests at the same time."""
        path = self.folder / "ekomi-reconcile.yaml"
        lines = [each for each in path.read_text().splitlines() if not each.startswith("orders:")]
        source = f"base_url: '{self.url}', token: '${{env:BENCH_TOKEN}}', parallelism: {parallelism}"
        path.write_text("\n".join([*lines, f"orders: {{magento: {{{source}}}}}"]) + "\n")

    def without_state(self, *arguments: str, fails: bool = False) -> Run:
        """A command in a project without state and cache."""
        shutil.rmtree(self.folder / ".ekomi-reconcile", ignore_errors=True)
        return self.run(*arguments, fails=fails)

    def run(self, *arguments: str, fails: bool = False) -> Run:
        """A command; ``fails``: it ends with 1, because orders could not be read."""
        shell = ("sh", "-c", '"$@"; test $? -eq 1', "-") if fails else ()
        return run([*shell, *command(*arguments)], cwd=self.folder, env=self.env)

    def requests(self, *arguments: str, fresh: bool = True, fails: bool = False) -> int:
        """How many requests for orders a command makes."""
        self.shop.log.clear()
        if fresh:
            self.without_state(*arguments, fails=fails)
        else:
            self.run(*arguments, fails=fails)
        return sum(each.route == "orders" for each in self.shop.log.entries)


@contextmanager
def served(folder: Path, *, orders: int) -> Iterator[Served]:
    """A shop with so many orders that all match."""
    at = days_ago(2)
    documents = (order(number, stores=ACCOUNTS, created_at=at) for number in range(1, orders + 1))
    stores = {number + 1: f"view{number}" for number in range(ACCOUNTS)}
    shop = SimulatedShop.from_orders(map(_of_a_shop, documents), stores=stores)
    shop.settings.bearer = BearerTokens.ACCEPTED
    with ekomi(routes(shop)) as url:
        make_project(folder, accounts=ACCOUNTS, url=url)
        made = Served(folder, shop, url, {**ENV, "BENCH_TOKEN": shop.integrate(_PERMITTED).token})
        made.in_flight(2)
        yield made


def _of_a_shop(document: dict[str, object]) -> dict[str, object]:
    """An order without what a shop does not send."""
    return {key: each for key, each in document.items() if key not in {"store_code", "customer_group"}}


def shop_requests(folder: Path, *, orders: int = 5_000, broken: int = 12) -> Iterator[Figure]:
    """Requests for orders: of a plan and the first apply after it, and where the shop cannot give some."""
    with served(folder, orders=orders) as made:
        planned = made.requests("plan", "-q")
        applied = made.requests("apply", "--auto-approve", "--no-send", "-q", fresh=False)
        yield Figure(
            "plan without a state, then apply: requests for orders",
            planned + applied,
            planned,
            "<= 1.1",
            unit="requests",
            against=f"the plan alone, {orders:,} orders",
        )
        for number in range(broken):
            made.shop.damage(orders * (2 * number + 1) // (2 * broken), OrderDamage.PAYMENT_INFO_UNREADABLE)
        name, limit = f"{broken} broken orders in {orders:,}", 5 * broken
        first = made.requests("plan", "-q", fails=True)
        yield Figure(
            f"{name}, first load: requests",
            first,
            planned + limit,
            "<= 1.0",
            unit="requests",
            against=f"{limit} more than without",
        )
        again = made.requests("plan", "-q", fresh=False, fails=True)
        yield Figure(
            f"{name}, later pass: requests",
            again,
            limit,
            "<= 1.0",
            unit="requests",
            against=f"{limit}",
        )


def shop_first_load(
    folder: Path,
    *,
    orders: int = 800,
    order_seconds: float = 0.03,
    workers: int = 4,
    at_once: tuple[int, ...] = (4, 2),
    rounds: int = 1,
) -> Iterator[Figure]:
    """A first load of a shop as slow as a real one, with one and with several requests in flight."""
    with served(folder, orders=orders) as made:
        made.shop.settings.order_seconds, made.shop.settings.workers = order_seconds, workers
        works = {str(each): partial(_first_load, made, each) for each in (1, *at_once)}
        found = {name: median(runs) for name, runs in in_turn(works, rounds=rounds).items()}
    for each in at_once:
        yield beside(
            f"first load of {orders:,} orders, {each} requests in flight",
            found[str(each)],
            found["1"],
            target="<= 0.35" if each >= workers else "",
            against=f"one at a time; {order_seconds * 1000:.0f} ms per order, {workers} workers",
        )


def _first_load(made: Served, parallelism: int) -> Run:
    made.in_flight(parallelism)
    return made.without_state("plan", "-q")
