"""Account names for completion: quickly, without secrets, and silent whatever is wrong."""

import time

import pytest
from completion_support import BRITAIN, NAMES, make_project

from ekomi_reconcile.cli.completion import Fish
from ekomi_reconcile.cli.main import app, run


@pytest.fixture
def folder(tmp_path, capsys):
    """A project without a state and without any secret."""
    make_project(tmp_path, capsys)
    return tmp_path


def offered(monkeypatch, line):
    """What stands for the last word of the line."""
    monkeypatch.setenv("COMP_WORDS", line)
    shell = Fish(app, {}, "ekomi-reconcile", "_EKOMI_RECONCILE_COMPLETE")
    return [each.value for each in shell.get_completions(*shell.get_completion_args())]


@pytest.mark.parametrize(
    "command",
    [
        "accounts show",
        "accounts open",
        "accounts check",
        "sync",
        "reviews import",
        "reviews list --account",
        "invitations list --account",
        "explain --account",
        "plan --target",
        "plan --exclude",
        "apply --replace",
        "state show",
        "state rm",
        "state mv",
    ],
)
def test_wherever_an_account_is_named(folder, monkeypatch, command):
    """Every place that takes the name of an account offers those of the files."""
    monkeypatch.chdir(folder)
    assert sorted(offered(monkeypatch, f"ekomi-reconcile {command} ")) == sorted(NAMES)
    assert offered(monkeypatch, f"ekomi-reconcile {command} gREAT") == [BRITAIN]


def test_the_project_may_be_elsewhere(folder, monkeypatch):
    """-C and --config, before the command or after it, name the project."""
    assert BRITAIN in offered(monkeypatch, f"ekomi-reconcile -C {folder} sync ")
    assert BRITAIN in offered(monkeypatch, f"ekomi-reconcile sync -C {folder} ")
    assert BRITAIN in offered(monkeypatch, f"ekomi-reconcile --config {folder}/ekomi-reconcile.yaml sync ")
    assert BRITAIN in offered(monkeypatch, f"sudo /opt/bin/ekomi-reconcile -C {folder} sync ")


@pytest.mark.parametrize("damage", ["no project", "broken project", "no folder"])
def test_errors_are_silent(folder, monkeypatch, capsys, damage):
    """Without files, or with broken ones, nothing is offered and nothing is said."""
    project = folder / "ekomi-reconcile.yaml"
    if damage == "no project":
        project.unlink()
    else:
        project.write_text("accounts: [" if damage == "broken project" else "version: 1\naccounts: nowhere\n")
    monkeypatch.chdir(folder)
    found = offered(monkeypatch, "ekomi-reconcile sync ")
    assert found == ([*sorted(NAMES)] if damage == "broken project" else [])
    assert capsys.readouterr() == ("", "")


def test_order_numbers_are_not_offered(folder, monkeypatch):
    """What would need the state or the shop is left to be typed."""
    monkeypatch.chdir(folder)
    assert offered(monkeypatch, "ekomi-reconcile explain ") == []
    assert offered(monkeypatch, "ekomi-reconcile invitations show ") == []


def test_commands_are_offered_without_importing_them(monkeypatch):
    """The first word costs no more than the list of commands."""
    assert offered(monkeypatch, "ekomi-reconcile vers") == ["version"]
    assert "accounts" in offered(monkeypatch, "ekomi-reconcile ")
    assert offered(monkeypatch, "ekomi-reconcile --chd") == ["--chdir"]
    assert set(offered(monkeypatch, "ekomi-reconcile lock ")) == {"show"}


def test_an_unknown_shell_is_a_usage_error(capsys):
    """It says which there are."""
    assert run(["completion", "tcsh"]) == 64
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err


def test_ten_thousand_accounts_are_read_quickly(folder, monkeypatch):
    """A large project answers before one gets impatient: its YAML is read, but not checked."""
    many = "\n---\n".join(f'name: Shop {number}\ninterface_id: "{number}"' for number in range(10_000))
    (folder / "accounts.d" / "many.yaml").write_text(many)
    monkeypatch.chdir(folder)
    began = time.monotonic()
    assert len(offered(monkeypatch, "ekomi-reconcile sync Shop")) == 10_000
    assert time.monotonic() - began < 5
