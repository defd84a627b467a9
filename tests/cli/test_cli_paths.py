"""Paths on the command line: -C is as if the command had been started in that folder."""

from pathlib import Path

import pytest
from project_support import Project

from ekomi_reconcile.cli.main import run


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project in shops/de whose project file is called proj.yaml; the working directory is above it."""
    made = Project(tmp_path / "shops" / "de")
    made.folder.mkdir(parents=True)
    (made.folder / "proj.yaml").write_text("version: 1\n")
    made.account("Germany", "28374")
    monkeypatch.chdir(tmp_path)
    return made


@pytest.mark.parametrize("config", ["proj.yaml", "./proj.yaml", "../de/proj.yaml"])
@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (("-C", "{dir}", "--config", "{file}", "{command}"), {}),
        (("{command}", "-C", "{dir}", "--config", "{file}"), {}),
        (("-C", "{dir}", "{command}"), {"CONFIG": "{file}"}),
        (("--config", "{file}", "{command}"), {"CHDIR": "{dir}"}),
        (("{command}",), {"CHDIR": "{dir}", "CONFIG": "{file}"}),
        (("-C", "{dir}", "{command}"), {"CHDIR": "nowhere-else", "CONFIG": "{file}"}),
    ],
)
def test_the_project_file_is_relative_to_the_folder(shop, monkeypatch, config, arguments, environment):
    """DIR counts once, from flags and from the environment, before and after the command."""
    (shop.folder.parent.parent / "nowhere-else").mkdir()
    for directory in ("shops/de", "./shops/de/", str(shop.folder)):
        for command in ("validate", "fmt"):
            filled = {"dir": directory, "file": config, "command": command}
            for name, value in environment.items():
                monkeypatch.setenv(f"EKOMI_RECONCILE_{name}", value.format(**filled))
            assert run([each.format(**filled) for each in arguments]) == 0


def test_an_absolute_project_file_needs_no_folder(shop):
    """An absolute path is taken as it is, with and without -C."""
    path = str(shop.folder / "proj.yaml")
    assert run(["--config", path, "validate"]) == 0
    assert run(["-C", "shops", "--config", path, "validate"]) == 0


def test_completion_finds_the_same_accounts(shop, monkeypatch, capsys):
    """Names are completed from the project that the command would use."""
    words = "ekomi-reconcile -C shops/de --config proj.yaml plan --target Ger"
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
    monkeypatch.setenv("_EKOMI_RECONCILE_COMPLETE", "bash_complete")
    with pytest.raises(SystemExit):
        run([])
    assert "many" in capsys.readouterr().out


def test_git_and_state_are_those_of_the_folder(shop, capsys):
    """Relative paths of the command line start in DIR, those of the project file beside it."""
    before = set(Path().iterdir())
    assert run(["-C", "shops/de", "--config", "proj.yaml", "plan", "--offline", "--out", "plan.json"]) == 0
    assert (shop.folder / "plan.json").exists()
    assert set(Path().iterdir()) == before
