"""What docs/how-to/editor.md shows works as it is shown."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from project_support import Project

from ekomi_reconcile.config.models import rendered

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "editor.md").read_text(encoding="utf-8")


def test_the_commands_shown_make_the_schemas(tmp_path, capsys):
    """They print what init writes, and the page sends it where the first lines look for it."""
    lines = re.findall(r"^ekomi-reconcile (schema (\w+)) > (.*)$", PAGE, re.MULTILINE)
    assert [path for _, _, path in lines] == ["schemas/account.schema.json", "schemas/project.schema.json"]
    for command, kind, _ in lines:
        assert Project(tmp_path).cli(*command.split()) == 0
        assert capsys.readouterr().out == rendered(kind)


@pytest.mark.parametrize("line", re.findall(r"^\| `ekomi-reconcile (fmt[^`]*)`", PAGE, re.MULTILINE))
def test_the_commands_of_the_table_work(tmp_path, line, monkeypatch):
    """Each runs in a new project, as it stands in the table."""
    assert Project(tmp_path).cli("init", "--quiet") == 0
    with (tmp_path / "ekomi-reconcile.yaml").open(encoding="utf-8") as source:
        monkeypatch.setattr(sys, "stdin", source)
        assert Project(tmp_path).cli(*line.split()) == 0


def test_the_hooks_shown_are_those_of_the_project():
    """They are those of .pre-commit-hooks.yaml, with which pre-commit itself is tested, found elsewhere."""
    shown = yaml.safe_load(PAGE[PAGE.index("## Before every commit") :].split("```yaml\n")[1].split("```")[0])
    own = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    compared = ("id", "name", "entry", "files", "pass_filenames")
    (repository,) = shown["repos"]
    assert repository["repo"] == "local"
    assert {each["language"] for each in repository["hooks"]} == {"system"}
    found, wanted = (
        {tuple(each[key] for key in compared) for each in of} for of in (repository["hooks"], own)
    )
    assert found == wanted
