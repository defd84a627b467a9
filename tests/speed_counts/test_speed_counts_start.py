"""What starting the program costs in modules."""

import subprocess
import sys

import pytest

PROGRAM = """
import sys, click
before = set(sys.modules)
from ekomi_reconcile.cli.main import run
run(sys.argv[1:])
print(*sorted(set(sys.modules) - before), file=sys.stderr)
"""


@pytest.mark.parametrize("argument", ["version", "--help"])
def test_starting_loads_little_besides_click(argument):
    """A few modules of its own, none of any other package, and few of the standard library."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, argument], capture_output=True, text=True, check=True
    )
    loaded = done.stderr.split()
    foreign = {each.split(".")[0] for each in loaded} - set(sys.stdlib_module_names)
    own = [each for each in loaded if each.startswith("ekomi_reconcile")]
    assert foreign <= {"ekomi_reconcile", "click"}
    assert len(own) <= 12
    assert len(loaded) <= 40
