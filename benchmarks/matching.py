"""Matching alone, in this process: what one order costs beside few and beside very many accounts."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from measure import Figure, in_turn
from projects import days_ago, make_project
from shop_orders import write_orders

from ekomi_reconcile.config.load import load
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.orders.file import FileSource
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.plan.read_requests import Need, needs
from ekomi_reconcile.plan.source_pass import match
from ekomi_reconcile.plan.view import EmptyQueue, Privacy
from ekomi_reconcile.reconcile.planning import read_privacy


@dataclass(frozen=True, slots=True)
class InMemory:
    """Orders that were read already, as a source of orders."""

    read: Sequence[Sequence[Order]]
    cursor: str = ""
    problems: tuple[()] = ()

    def batches(self) -> Iterator[Sequence[Order]]:
        """All of them."""
        return iter(self.read)

    def by_ids(self, order_ids: Collection[int]) -> Mapping[int, Order]:
        """None is asked for again."""
        raise NotImplementedError(f"nobody asks for {order_ids}")


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that matching needs, at hand."""

    need: Need
    orders: InMemory
    privacy: Privacy

    def seconds(self) -> float:
        """The processor time that it takes to decide all of them."""
        gc.collect()
        gc.disable()
        before = time.process_time()
        found = match(self.need, self.orders, EmptyQueue(), privacy=self.privacy, now=instant.now())
        seconds = time.process_time() - before
        gc.enable()
        if len(found.steps.schedule) != sum(map(len, self.orders.read)):
            raise RuntimeError("not every order matched")
        return seconds


def matching(
    folder: Path, *, orders: int = 20_000, few: int = 10, many: int = 1_000, rounds: int = 7
) -> Iterator[Figure]:
    """Time per order with ``many`` accounts of a store view each, beside ``few``."""
    questions = {
        number: make_question(folder / str(number), orders=orders, accounts=number) for number in (many, few)
    }
    works = {str(number): partial(each.seconds) for number, each in questions.items()}
    times = {name: statistics.median(each) for name, each in in_turn(works, rounds=rounds).items()}
    yield Figure(
        f"one order against {many:,} accounts, a store view each",
        times[str(many)] / orders * 1e6,
        times[str(few)] / orders * 1e6,
        "<= 1.3",
        unit="µs",
        against=f"the same against {few}",
    )


def make_question(folder: Path, *, orders: int, accounts: int) -> Question:
    """A project with orders of all store views, read into memory."""
    make_project(folder, accounts=accounts)
    path = folder / "orders.jsonl"
    write_orders(path, count=orders, stores=accounts, created_at=days_ago(2))
    configuration = load(folder / "ekomi-reconcile.yaml")
    ids = frozenset(each.interface_id for each in configuration.accounts)
    (need,) = needs(configuration.accounts, {}, selected=ids, leaving=frozenset(), now=instant.now())
    reading = FileSource("default", path).read(Wanted(full=True, attributes=need.attributes))
    return Question(need, InMemory(list(reading.batches())), read_privacy(configuration))
