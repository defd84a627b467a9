"""Every benchmark runs: at a size so small that its figures mean nothing."""

import math
import subprocess
import sys
import time
from pathlib import Path

import measure
import pytest
import run as benchmarks
from measure import Figure, Run

from ekomi_reconcile.cli.main import run

TINY = {
    "start": {"rounds": 1},
    "noop_plan": {"accounts": 3, "rounds": 1},
    "backfill": {"orders": 20, "fewer": 10, "rounds": 1},
    "backfill_cut_down": {"orders": 20, "rounds": 1},
    "shop_requests": {"orders": 40, "broken": 1},
    "shop_first_load": {"orders": 20, "order_seconds": 0.001},
    "new_orders": {"sizes": (10, 20), "new": 5, "rounds": 1},
    "matching": {"orders": 40, "many": 4, "few": 2, "rounds": 1},
    "sending": {"invitations": 12, "hands": (2,), "latency": 0.001, "rounds": 1},
    "runners": {"invitations": 12, "hands": 2, "latency": 0.005, "rounds": 1},
    "large_state": {"sizes": (20, 20), "rounds": 1},
    "growth_accounts": {"sizes": (2,)},
    "growth_orders": {"sizes": (5,)},
    "growth_rows": {"sizes": (20,), "rounds": 1},
    "analysis": {"pairs": 20, "accounts": 4, "rounds": 1},
    "rule_tests": {"tests": 5, "rounds": 1},
    "backtest": {"orders": 20, "fewer": 10},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One folder for all, as in a run: large states are made once."""
    return tmp_path_factory.mktemp("benchmarks")


@pytest.fixture
def quickly(monkeypatch):
    """Commands of this project run in this process: most of what they take is their start."""

    def in_this_process(arguments, cwd, env):
        if arguments[1:3] != ["-m", "ekomi_reconcile"]:
            return measure.in_a_process(arguments, cwd, env)
        before = time.perf_counter()
        with monkeypatch.context() as patch:
            patch.chdir(cwd)
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            assert run(arguments[3:]) == 0
        return Run(time.perf_counter() - before, megabytes=1.0)

    token = measure.how.set(in_this_process)
    yield
    measure.how.reset(token)


@pytest.mark.sampled(16)
@pytest.mark.usefixtures("quickly")
@pytest.mark.parametrize("name", TINY)
def test_a_benchmark_runs_to_its_end(name, folder):
    """It finds figures or points, each of them a positive number."""
    place = folder / name
    place.mkdir()
    found = list(benchmarks.BENCHMARKS[name](place, **TINY[name]))
    assert found
    for each in found:
        values = [each.value, each.baseline] if isinstance(each, Figure) else [each.seconds, each.megabytes]
        assert all(math.isfinite(value) and value > 0 for value in values), each


def test_no_benchmark_is_left_out():
    """All are tried here but the one that installs other tools from the package index."""
    assert set(benchmarks.BENCHMARKS) == {*TINY, "peers"}


def test_the_command_of_the_documentation_starts():
    """Outside of the tests, whose modules it borrows, it finds everything that it needs."""
    script = Path(benchmarks.__file__)
    found = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, check=True)
    assert all(name in found.stdout for name in benchmarks.BENCHMARKS)
