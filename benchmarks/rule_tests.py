"""What testing rules costs, and how many changes of the example rules their tests notice."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from measure import Figure, command, in_turn, median, run

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
