"""Run the benchmarks: ``python benchmarks/run.py [NAME…] [--json FILE] [--page]``."""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import page
import results
from analysis import analysis
from backfill import backfill, backfill_cut_down
from growth import growth_accounts, growth_orders
from matching import matching
from measure import Figure, Point
from noop import noop_plan
from peers import peers
from queues import growth_rows, large_state, new_orders
from results import Results, Taken
from rule_tests import backtest, rule_tests
from runners import runners
from sending import sending
from shop import shop_first_load, shop_requests
from start import start

RESULTS = Path(__file__).parent.parent / "build" / "benchmarks.json"
"""Where results go unless said otherwise; the file of the documentation is docs/performance.json."""

Benchmark = Callable[[Path], Iterator[Figure | Point]]


BENCHMARKS: dict[str, Benchmark] = {
    "start": start,
    "noop_plan": noop_plan,
    "peers": peers,
    "backfill": backfill,
    "backfill_cut_down": backfill_cut_down,
    "shop_requests": shop_requests,
    "shop_first_load": shop_first_load,
    "new_orders": new_orders,
    "matching": matching,
    "sending": sending,
    "runners": runners,
    "large_state": large_state,
    "growth_accounts": growth_accounts,
    "growth_orders": growth_orders,
    "growth_rows": growth_rows,
    "analysis": analysis,
    "rule_tests": rule_tests,
    "backtest": backtest,
}


def main(arguments: list[str] | None = None) -> None:
    """Run the named benchmarks, or all; what was not run keeps what the file says of it."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if unknown := sorted(set(chosen.names) - set(BENCHMARKS)):
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    found = results.read(chosen.json) if chosen.names and chosen.json.exists() else Results()
    found.machine = results.machine()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        for name in chosen.names or BENCHMARKS:
            found.taken[name] = _take(BENCHMARKS[name], Path(folder) / name)
            found.taken = {each: found.taken[each] for each in BENCHMARKS if each in found.taken}
            results.write(chosen.json, found)
    missed = page.missed(found)
    print(f"\n{len(missed)} targets not reached" + "".join(f"\n  {each}" for each in missed))
    if chosen.page:
        text = page.page_with(page.PAGE.read_text("utf-8"), results.read(chosen.json))
        page.PAGE.write_text(text, encoding="utf-8")


def _take(benchmark: Benchmark, folder: Path) -> Taken:
    folder.mkdir()
    taken, before = Taken(), time.perf_counter()
    for each in benchmark(folder):
        print(each, flush=True)
        if isinstance(each, Figure):
            taken.figures.append(each)
        else:
            taken.points.append(each)
    taken.seconds = time.perf_counter() - before
    return taken


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure this project beside baselines, in one run.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="FILE", help="where the results go")
    parser.add_argument("--page", action="store_true", help="write the table of docs/performance.md too")
    return parser


if __name__ == "__main__":
    main()
