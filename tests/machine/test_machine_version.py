"""version --json: what a script asks before it trusts anything else."""

import json
import platform
import tomllib
from pathlib import Path

from ekomi_reconcile import __version__
from ekomi_reconcile.cli.completion import EXTRAS, FORMATS
from ekomi_reconcile.cli.main import run
from ekomi_reconcile.render.events import UI_VERSION
from ekomi_reconcile.render.tables import FORMAT_VERSION

ROOT = Path(__file__).parents[2]


def test_version_and_what_is_installed(capsys):
    """The tool, Python, every format, and which extras are there; tests have all of them."""
    assert run(["version", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["version"], facts["python"]) == (__version__, platform.python_version())
    assert facts["formats"] == FORMATS
    assert facts["extras"] == dict.fromkeys(EXTRAS, True)


def test_the_versions_are_those_of_the_modules():
    """Formats that are told are those that are written (plan and state are held by another test)."""
    assert FORMATS["events"] == UI_VERSION
    assert FORMATS["output"] == FORMAT_VERSION


def test_every_extra_for_users_is_told():
    """What can be installed for use is listed; what is for work on the project is not."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    assert set(EXTRAS) == set(declared) - {"bench", "docs", "release", "test"}
