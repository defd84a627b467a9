"""Sending through a network: invitations per second beside a bare loop of the same HTTP library."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from measure import Figure, command, in_turn, python, run
from projects import ACCOUNTS, ENV, PASSWORD, days_ago, make_project, record_accounts
from shop_orders import write_orders
from slow_ekomi import SlowEkomi, slow_ekomi

LATENCY = 0.02
"""Seconds until the other side answers."""

_REQUEST = """
import sys, httpx
url, count, hands = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def form(number):
    return {
        "shop_id": "100000", "password": "sandbox-bench", "recipient_type": "email",
        "transaction_id": str(100000000 + number), "transaction_time": "1700000000",
        "email": f"customer{number}@example.com", "first_name": "Kim", "last_name": f"Example {number}",
    }
"""
IN_THREADS = f"""{_REQUEST}
import threading
from concurrent.futures import ThreadPoolExecutor
local = threading.local()
def ask(number):
    if not hasattr(local, "client"):
        local.client = httpx.Client(trust_env=False)
    local.client.post(url + "/add-recipient", data=form(number)).raise_for_status()
with ThreadPoolExecutor(hands) as pool:
    list(pool.map(ask, range(count)))
"""
"""The best that the library can do here: a client per thread, for in one shared pool it gets slower."""

ASYNCHRONOUS = f"""{_REQUEST}
import asyncio
async def main():
    numbers = iter(range(count))
    async with httpx.AsyncClient(trust_env=False) as client:
        async def ask():
            for number in numbers:
                (await client.post(url + "/add-recipient", data=form(number))).raise_for_status()
        await asyncio.gather(*(ask() for _ in range(hands)))
asyncio.run(main())
"""


def sending(
    folder: Path,
    *,
    invitations: int = 1_200,
    hands: tuple[int, ...] = (8, 16),
    latency: float = LATENCY,
    rounds: int = 3,
) -> Iterator[Figure]:
    """Invitations per second of ``apply``, journal included, beside bare requests of as many ``hands``."""
    for number in hands:
        yield from _with_hands(
            folder / str(number), invitations=invitations, hands=number, latency=latency, rounds=rounds
        )


def _with_hands(
    folder: Path, *, invitations: int, hands: int, latency: float, rounds: int
) -> Iterator[Figure]:
    with slow_ekomi(latency) as ekomi:
        make_due(folder, invitations=invitations, hands=hands, url=ekomi.url)
        bare = {
            "threads": python(IN_THREADS, ekomi.url, str(invitations), str(hands)),
            "asyncio": python(ASYNCHRONOUS, ekomi.url, str(invitations), str(hands)),
        }
        works: dict[str, Callable[[], float]] = {
            "apply": partial(_apply, folder, ekomi),
            **{name: partial(_bare, each, folder, ekomi) for name, each in bare.items()},
        }
        rates = in_turn(works, rounds=rounds)
    found = {name: statistics.median(each) for name, each in rates.items()}
    for name in bare:
        yield Figure(
            f"sending, {latency * 1000:.0f} ms, {hands} at once, beside {name}",
            found["apply"],
            found[name],
            ">= 0.70",
            unit="/s",
            against=f"a bare httpx loop in {name}, {hands} at once, the same server",
        )


def make_due(folder: Path, *, invitations: int, hands: int, url: str) -> None:
    """A project whose queue has so many invitations, all due now; a copy of its state is kept."""
    make_project(folder, accounts=ACCOUNTS, url=url, parallelism=hands)
    write_orders(folder / "orders.jsonl", count=invitations, stores=ACCOUNTS, created_at=days_ago(20))
    record_accounts(folder, password=PASSWORD)
    run(command("apply", "--auto-approve", "--no-send", "-q"), cwd=folder, env=ENV)
    shutil.copytree(folder / ".ekomi-reconcile", folder / "unsent")


def _apply(folder: Path, ekomi: SlowEkomi) -> float:
    """The rate of the sending of one run, from its first request to its last."""
    shutil.rmtree(folder / ".ekomi-reconcile")
    shutil.copytree(folder / "unsent", folder / ".ekomi-reconcile")
    run(command("apply", "--auto-approve", "-q"), cwd=folder, env=ENV)
    return ekomi.span().rate


def _bare(arguments: list[str], folder: Path, ekomi: SlowEkomi) -> float:
    run(arguments, cwd=folder)
    return ekomi.span().rate
