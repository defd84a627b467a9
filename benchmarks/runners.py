"""Two runners that share one state on PostgreSQL, sending through a slow network."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

from measure import Figure, command, in_turn, run, start
from projects import ACCOUNTS, ENV, PASSWORD, days_ago, make_project, record_accounts
from shop_orders import write_orders
from slow_ekomi import SlowEkomi, slow_ekomi

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from state_server import Server, running_server

KEY = "a key for the benchmarks"
_SCHEMAS = count(1)


@dataclass(frozen=True, slots=True)
class Sent:
    """How long the requests took, and how long the processes, in seconds."""

    requests: float
    processes: float


@dataclass(frozen=True, slots=True)
class Stage:
    """A project with due invitations, a slow eKomi and a database."""

    folder: Path
    ekomi: SlowEkomi
    server: Server
    invitations: int

    def send(self, runners: int) -> Sent:
        """Send the whole queue with so many runners at once; each time in a schema of its own."""
        location = self.server.url(schema=f"bench{next(_SCHEMAS)}")
        env = {**ENV, "BENCH_KEY": KEY, "EKOMI_RECONCILE_STATE": location}
        record_accounts(self.folder, password=PASSWORD, location=location, key=KEY.encode())
        run(command("apply", "--auto-approve", "--no-send", "-q"), cwd=self.folder, env=env)
        sends = command("apply", "--auto-approve", "--lock-timeout", "2m", "-q")
        before = time.perf_counter()
        for each in [start(sends, cwd=self.folder, env=env) for _ in range(runners)]:
            each.end()
        processes, span = time.perf_counter() - before, self.ekomi.span()
        if span.count != self.invitations:
            raise RuntimeError(f"{span.count} requests for {self.invitations} invitations")
        return Sent(span.seconds, processes)


def runners(
    folder: Path, *, invitations: int = 1_600, hands: int = 8, latency: float = 0.1, rounds: int = 3
) -> Iterator[Figure]:
    """How many times as fast two runners are."""
    with running_server() as server, slow_ekomi(latency) as ekomi:
        more = "privacy: {key: '${env:BENCH_KEY}'}\n"
        make_project(folder, accounts=ACCOUNTS, url=ekomi.url, parallelism=hands, more=more)
        orders = folder / "orders.jsonl"
        write_orders(orders, count=invitations, stores=ACCOUNTS, created_at=days_ago(20))
        stage = Stage(folder, ekomi, server, invitations)
        found = in_turn({"one": partial(stage.send, 1), "two": partial(stage.send, 2)}, rounds=rounds)
    one, two = found["one"], found["two"]
    against = f"one runner; {latency * 1000:.0f} ms, {hands} at once each"
    yield Figure(
        "two runners on one PostgreSQL, sending",
        invitations / statistics.median(each.requests for each in two),
        invitations / statistics.median(each.requests for each in one),
        ">= 1.8",
        unit="/s",
        against=against,
    )
    yield Figure(
        f"the same, whole processes, {invitations:,} invitations",
        statistics.median(each.processes for each in two),
        statistics.median(each.processes for each in one),
        against=against,
    )
