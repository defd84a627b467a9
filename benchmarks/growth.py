"""Curves: what more accounts and more orders take, in seconds and memory."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from backfill import bare_json, make_backfill
from measure import Point, Run, command, in_turn, median, python, run
from noop import BARE_PARSE, make_noop
from noop import works as noop_works
from projects import ENV, PASSWORD, record_accounts


def growth_accounts(
    folder: Path, *, sizes: tuple[int, ...] = (100, 1_000, 10_000), rounds: int = 1
) -> Iterator[Point]:
    """A plan that finds nothing to do, over accounts in a file each."""
    for accounts in sizes:
        place = folder / str(accounts)
        plans = noop_works(place, make_noop(place, accounts=accounts))
        works = {
            "plan, first time": plans["first time"],
            "plan, nothing changed": plans["again"],
            "bare yaml.load of the files": partial(run, python(BARE_PARSE, "accounts.d"), cwd=place),
        }
        yield from _points("accounts", accounts, works, rounds)


def growth_orders(
    folder: Path, *, sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000), rounds: int = 1
) -> Iterator[Point]:
    """The first apply over orders of a file; the accounts are in the state already."""
    for orders in sizes:
        place = folder / str(orders)
        make_backfill(place, orders=orders)
        works: dict[str, Callable[[], Run]] = {
            "first apply, all scheduled": partial(_first_apply, place),
            "plan, nothing new": partial(run, command("plan"), cwd=place, env=ENV),
            "bare json.loads of the lines": partial(bare_json, place),
        }
        yield from _points("orders", orders, works, rounds)


def _points(curve: str, size: int, works: dict[str, Callable[[], Run]], rounds: int) -> Iterator[Point]:
    for series, runs in in_turn(works, rounds=rounds).items():
        each = median(runs)
        yield Point(curve, series, size, each.seconds, each.megabytes)


def _first_apply(place: Path) -> Run:
    shutil.rmtree(place / ".ekomi-reconcile", ignore_errors=True)
    record_accounts(place, password=PASSWORD)
    return run(command("apply", "--auto-approve", "--no-send", "-q"), cwd=place, env=ENV)
