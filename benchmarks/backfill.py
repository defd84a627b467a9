"""Orders from a file: the first run over very many, and the runs after it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from measure import Figure, Run, beside, command, in_turn, median, python, run
from projects import ACCOUNTS, ENV, PASSWORD, days_ago, make_project
from shop_orders import Writer, cut_down, whole, write_orders
from starlette.routing import BaseRoute

from ekomi_reconcile.sandbox import seed
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.world import World

BARE_JSON = """
import sys, json
with open(sys.argv[1], "rb") as file:
    for line in file:
        json.loads(line)
"""


def backfill(
    folder: Path, *, orders: int = 200_000, fewer: int = 20_000, rounds: int = 3
) -> Iterator[Figure]:
    """The first run over so many whole orders, and the runs after it and over ``fewer``; its memory."""
    with ekomi() as url:
        make_backfill(folder / "many", orders=orders, url=url, kind=whole)
        make_backfill(folder / "few", orders=fewer, url=url, kind=whole)
        works = {
            "first": partial(first_run, folder / "many"),
            "again": partial(again, folder / "many"),
            "json": partial(bare_json, folder / "many"),
            "few first": partial(first_run, folder / "few"),
            "few again": partial(again, folder / "few"),
        }
        found = {name: median(runs) for name, runs in in_turn(works, rounds=rounds).items()}
    shutil.rmtree(folder)  # three gigabytes
    yield beside(
        f"backfill of {orders:,} orders, one apply",
        found["first"],
        found["json"],
        target="<= 0.67 (1.5 x the rate)",
        against="bare json.loads of the same lines, whole orders of a shop",
    )
    yield beside(
        "a run in which nothing is new",
        found["again"],
        found["first"],
        target="<= 0.10",
        against="the first run",
    )
    yield beside(
        f"nothing new among {orders:,} orders",
        found["again"],
        found["few again"],
        target="<= 1.2",
        against=f"the same among {fewer:,}",
    )
    yield memory_figure(orders, fewer, found["first"], found["few first"])


def backfill_cut_down(folder: Path, *, orders: int = 200_000, rounds: int = 3) -> Iterator[Figure]:
    """The first run over so many orders that hold little more than what is used."""
    with ekomi() as url:
        make_backfill(folder, orders=orders, url=url)
        works = {"first": partial(first_run, folder), "json": partial(bare_json, folder)}
        found = {name: median(runs) for name, runs in in_turn(works, rounds=rounds).items()}
    yield beside(
        f"backfill of {orders:,} orders cut down to 1.8 kB",
        found["first"],
        found["json"],
        target="",
        against="bare json.loads of the same lines",
    )


def memory_figure(orders: int, fewer: int, many: Run, few: Run, *, what: str = "apply") -> Figure:
    """How the peak memory of a run over all orders grows."""
    return Figure(
        f"peak memory, {orders:,} orders in one {what}",
        many.megabytes,
        few.megabytes,
        "<= 1.5",
        unit="MiB",
        against=f"the same with {fewer:,}",
    )


@contextmanager
def ekomi(more: Sequence[BaseRoute] = ()) -> Iterator[str]:
    """An eKomi that knows the accounts, and has no reviews; beside it what else is served."""
    shops = [
        seed.new_shop(
            str(100_000 + number), PASSWORD, name=f"A{number}", locale="en", seed=1, now=0, review_count=0
        )
        for number in range(ACCOUNTS)
    ]
    with SandboxServer(World(shops=shops), extra_routes=more) as server:
        yield server.url


def make_backfill(
    folder: Path, *, orders: int, url: str = "http://127.0.0.1:9", kind: Callable[..., Writer] = cut_down
) -> None:
    """A project with so many orders that all match."""
    make_project(folder, accounts=ACCOUNTS, url=url)
    write_orders(folder / "orders.jsonl", count=orders, stores=ACCOUNTS, created_at=days_ago(2), kind=kind)


def first_run(folder: Path) -> Run:
    """An apply without a state, to the end of the queue."""
    shutil.rmtree(folder / ".ekomi-reconcile", ignore_errors=True)
    return run(command("apply", "--auto-approve", "--no-send", "-q"), cwd=folder, env=ENV)


def again(folder: Path) -> Run:
    """The same apply again."""
    return run(command("apply", "--auto-approve", "-q"), cwd=folder, env=ENV)


def bare_json(folder: Path) -> Run:
    """Reading the same lines and nothing else."""
    return run(python(BARE_JSON, "orders.jsonl"), cwd=folder)
