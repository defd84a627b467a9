"""What measuring means: a process's own time and memory, ratios, bounds."""

import sys

import measure
import pytest
from measure import Figure, Run, in_turn, median, python

MIB = 1 << 20


def test_memory_is_that_of_the_process_alone(tmp_path):
    """Neither a large parent nor a larger sibling before it adds to a small child's peak."""
    kept = b"x" * (200 * MIB)
    large = measure.run(python("b'x' * (150 << 20)"), cwd=tmp_path)
    small = measure.run(python("pass"), cwd=tmp_path)
    assert len(kept) / MIB == 200
    assert large.megabytes > 150
    assert 1 < small.megabytes < 50
    assert small.processor > 0
    assert small.seconds > 0


def test_a_command_that_fails_is_told_with_its_output(tmp_path):
    """A benchmark of something broken ends, instead of measuring how fast it breaks."""
    with pytest.raises(RuntimeError, match=r"(?s)exit 3.*out of order"):
        measure.run(python("import sys; print('out of order'); sys.exit(3)"), cwd=tmp_path)


def test_processes_can_run_side_by_side(tmp_path):
    """Two that wait for each other's file both come to their end."""
    meet = (
        "import pathlib, sys, time\n"
        "mine, other = map(pathlib.Path, sys.argv[1:])\n"
        "mine.touch()\n"
        "while not other.exists(): time.sleep(0.01)\n"
    )
    both = [measure.start(python(meet, *names), cwd=tmp_path) for names in (("a", "b"), ("b", "a"))]
    assert all(each.end().seconds > 0 for each in both)


def test_works_take_turns():
    """A slow moment of the machine meets each of them."""
    done = []
    works = {name: lambda name=name: done.append(name) for name in ("ours", "theirs")}
    in_turn(works, rounds=2)
    assert done == ["ours", "theirs"] * 2


def test_the_median_is_taken_of_each_quantity():
    """The middle of three, whichever run it was of."""
    assert median([Run(1, 30, 5), Run(2, 10, 4), Run(9, 20, 6)]) == Run(2, 20, 5)


@pytest.mark.parametrize(
    ("target", "reached"),
    [
        ("<= 2.0", True),
        ("<= 1.9 of it", False),
        (">= 2.0", True),
        (">= 2.1", False),
        ("", None),
        ("little", None),
    ],
)
def test_a_target_bounds_the_ratio(target, reached):
    """At the bound it is reached; without a bound there is nothing to reach."""
    assert Figure("name", 3.0, 1.5, target).reached is reached


def test_the_interpreter_is_the_one_that_runs_the_benchmarks():
    """What is measured is what is installed beside the benchmarks."""
    assert measure.command("version") == [sys.executable, "-m", "ekomi_reconcile", "version"]
