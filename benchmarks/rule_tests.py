"""What testing rules costs, and how many changes of the example rules their tests notice."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from backfill import memory_figure
from measure import Figure, command, in_turn, median, run
from projects import ACCOUNTS, ENV, days_ago, make_project
from shop_orders import Writer, order, write_orders

_ROOT = Path(__file__).parent.parent
_TESTS = 200
_PROJECT = "version: 1\norders: {file: orders.jsonl}\n"
_TEST = "name: Test {number}\norder: {{store_code: de, grand_total: {total}}}\nexpect: {{invited: true}}\n"


def rule_tests(folder: Path, *, tests: int = _TESTS, rounds: int = 3) -> Iterator[Figure]:
    """Whole processes of ``test`` and ``test --mutate`` with the example accounts."""
    many, example = folder / "many", folder / "example"
    for place in (many, example):
        place.mkdir()
        (place / "ekomi-reconcile.yaml").write_text(_PROJECT)
        shutil.copytree(_ROOT / "accounts.d", place / "accounts.d")
    shutil.copytree(_ROOT / "tests.d", example / "tests.d")
    (many / "tests.d").mkdir()
    written = (_TEST.format(number=number, total=50 + number) for number in range(tests))
    (many / "tests.d" / "all.yaml").write_text("---\n".join(written))
    for name, arguments, place, limit in (
        (f"test, {tests:,} tests", ("test",), many, 1.0),
        ("test --mutate, the example accounts", ("test", "--mutate"), example, 3.0),
    ):
        taken = median(in_turn({"": partial(run, command(*arguments), cwd=place)}, rounds=rounds)[""])
        yield Figure(
            name=name,
            value=taken.seconds,
            baseline=1.0,
            target=f"<= {limit} seconds",
            against="one second",
            megabytes=taken.megabytes,
        )
    yield _noticed(example)


def backtest(folder: Path, *, orders: int = 1_000_000, fewer: int = 100_000) -> Iterator[Figure]:
    """A replay of a year of orders under two revisions, half of whose rules differ; its memory."""
    taken = {}
    for count in (orders, fewer):
        place = folder / str(count)
        make_project(place, accounts=ACCOUNTS)
        write_orders(place / "orders.jsonl", count=count, stores=ACCOUNTS, created_at="", kind=_lived)
        (place / ".gitignore").write_text("orders.jsonl\n")
        for arguments in _COMMIT:
            subprocess.run(["git", "-C", str(place), *arguments], check=True)
        for path in sorted((place / "accounts.d").iterdir())[::2]:
            path.write_text(path.read_text().replace("pending_period: 14", "pending_period: 7"))
        asked = command("backtest", "--since", "400d", "--rules", "main", "--rules", ".")
        taken[count] = run(asked, cwd=place, env=ENV)
        (place / "orders.jsonl").unlink()
    yield Figure(
        name=f"backtest, {orders:,} orders of 1.8 kB x 2 revisions",
        value=taken[orders].seconds,
        baseline=1.0,
        target="<= 40.0 seconds",
        against="one second",
        megabytes=taken[orders].megabytes,
    )
    yield memory_figure(orders, fewer, taken[orders], taken[fewer], what="backtest")


_COMMIT = (
    ("init", "-q", "-b", "main"),
    ("add", "-A"),
    ("-c", "user.name=Kim", "-c", "user.email=kim@example.com", "commit", "-q", "-m", "Rules"),
)


def _lived(*, stores: int, created_at: str) -> Writer:
    """Orders of the last year, complete after three days."""
    del created_at

    def line(number: int) -> str:
        placed = 370 - number % 360
        made = order(number, stores=stores, created_at=days_ago(placed))
        made["updated_at"] = days_ago(placed - 3)
        made["status_histories"] = [
            {"entity_id": at, "created_at": days_ago(placed - at), "status": status}
            for at, status in ((0, "pending"), (1, "processing"), (3, "complete"))
        ]
        return json.dumps(made, separators=(",", ":"))

    return line


def _noticed(place: Path) -> Figure:
    """The share of the mutants that are not equivalent."""
    asked = command("test", "--mutate", "--format", "json")
    made = subprocess.run(asked, cwd=place, capture_output=True, check=True)
    found = json.loads(made.stdout)
    return Figure(
        name="test --mutate: changes of the example rules that their tests notice",
        value=found["noticed"],
        baseline=found["noticed"] + found["survived"],
        target=">= 0.95 of the changes",
        unit="changes",
        against=f"all; {found['equivalent']} are equivalent",
    )
