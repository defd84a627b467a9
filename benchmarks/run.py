"""Run the benchmarks: ``python benchmarks/run.py [NAME…]``."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from measure import Figure, Run, command, compare, python, run
from projects import make_project, record_accounts, write_orders

from ekomi_reconcile.sandbox import seed
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.world import World

PASSWORD = "sandbox-bench"
ENV = {f"BENCH_PASSWORD_{number}": PASSWORD for number in range(10_000)}
"""One reference per account, as real projects have: a shared one is a finding of its own."""

BARE_PARSE = """
import sys, yaml, pathlib
for path in sorted(pathlib.Path(sys.argv[1]).rglob("*.yaml")):
    for event in yaml.parse(path.read_bytes(), Loader=yaml.CSafeLoader):
        pass
"""
BARE_JSON = """
import sys, json
with open(sys.argv[1], "rb") as file:
    for line in file:
        json.loads(line)
"""


def noop_plan(folder: Path, *, accounts: int = 10_000) -> Iterator[Figure]:
    """A plan that finds nothing to do, over accounts in a file each."""
    make_project(folder, accounts=accounts)
    (folder / "orders.jsonl").touch()
    record_accounts(folder, password=PASSWORD)
    run(command("apply", "--auto-approve", "-q"), cwd=folder, env=ENV)
    yield compare(
        f"no-op plan, {accounts} accounts",
        lambda: run(command("plan"), cwd=folder, env=ENV),
        lambda: run(python(BARE_PARSE, "accounts.d"), cwd=folder),
        target="<= 2.0 first, <= 0.5 again",
    )


def backfill(folder: Path, *, orders: int = 200_000) -> Iterator[Figure]:
    """Orders from a file, matched and queued in one apply."""
    make_project(folder, accounts=10)
    created = (datetime.now(UTC) - timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")
    write_orders(folder / "orders.jsonl", count=orders, stores=10, created_at=created)
    shops = [
        seed.new_shop(
            str(100_000 + number), PASSWORD, name=f"A{number}", locale="en", seed=1, now=0, review_count=0
        )
        for number in range(10)
    ]
    with SandboxServer(World(shops=shops)) as server:
        _point_at(folder, server.url)

        def apply() -> Run:
            shutil.rmtree(folder / ".ekomi-reconcile", ignore_errors=True)
            return run(command("apply", "--auto-approve", "--no-send", "-q"), cwd=folder, env=ENV)

        yield compare(
            f"backfill of {orders} orders, one apply",
            apply,
            lambda: run(python(BARE_JSON, "orders.jsonl"), cwd=folder),
            target="<= 0.67 (1.5 x the rate of json.loads)",
        )
        yield compare(
            "a run in which nothing is new",
            lambda: run(command("apply", "--auto-approve", "-q"), cwd=folder, env=ENV),
            apply,
            target="<= 0.10 of the first run",
        )


def start(folder: Path) -> Iterator[Figure]:
    """Starting the program."""
    for name, arguments, target in (("version", ["version"], "<= 1.6"), ("--help", ["--help"], "<= 2.0")):
        yield compare(
            f"start: {name}",
            lambda arguments=arguments: run(command(*arguments), cwd=folder),
            lambda: run(python("import click"), cwd=folder),
            target=target,
            rounds=11,
        )


def _point_at(folder: Path, url: str) -> None:
    path = folder / "ekomi-reconcile.yaml"
    path.write_text(path.read_text().replace("http://127.0.0.1:9", url))


BENCHMARKS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "start": start,
    "noop_plan": noop_plan,
    "backfill": backfill,
}


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all."""
    for name in names or BENCHMARKS:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            for figure in BENCHMARKS[name](Path(folder)):
                print(figure, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
