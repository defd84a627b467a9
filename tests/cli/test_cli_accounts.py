"""``accounts``: the grid, one account, its page, its credentials."""

import json

import pytest
from recorded_support import PAGE

from ekomi_reconcile.sandbox.shops import Fault


def shown(project, capsys, *arguments):
    """What a command says in JSON."""
    assert project.cli(*arguments, "--format", "json") == 0
    return json.loads(capsys.readouterr().out)


def test_the_grid_lists_the_accounts_of_the_state(recorded, capsys):
    """In the order of their ids, without deleted ones, with both counters of the queue."""
    first, second = shown(recorded, capsys, "accounts", "list")
    assert (first["name"], first["account_name"], first["total_reviews"]) == ("Germany", "Shop DE", 3)
    assert first["queue"] == {"total": 7, "pending": 1}
    assert first["invitations"] is True
    assert (second["name"], second["locale"], second["last_error"]) == ("Norway", None, "sync: HTTP 503")


def test_the_grid_names_accounts_in_trouble(recorded, capsys):
    """Below the table stands which account's last call failed, and how."""
    recorded.cli("accounts", "list")
    assert capsys.readouterr().out.splitlines()[-1] == "failed: Norway: sync: HTTP 503"


def test_values_come_with_their_origin(recorded, capsys):
    """Each value says whether a file, the defaults, the format or eKomi gave it, with the line."""
    settings = shown(recorded, capsys, "accounts", "show", "Germany")["settings"]
    path = recorded.folder / "accounts.d" / "28374.yaml"
    lines = path.read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "pending_period" in text)
    assert settings["invitations.pending_period"] == {"value": 7, "origin": f"{path}:{line}"}
    assert settings["invitations.deliver"]["origin"] == "default"
    settings = shown(recorded, capsys, "accounts", "show", "Norway")["settings"]
    assert settings["invitations.pending_period"]["origin"].endswith("ekomi-reconcile.yaml:3 (defaults)")


def test_what_was_applied_stands_beside_what_is_written(recorded, capsys):
    """An edit that was not applied yet shows both values."""
    recorded.account("Germany", "28374", "pending_period: 3")
    found = shown(recorded, capsys, "accounts", "show", "Germany")["settings"]["invitations.pending_period"]
    assert (found["value"], found["applied"]) == (3, 7)


@pytest.mark.parametrize("name", ["Germany", "gErMaNy", "28374"])
def test_an_account_is_found_by_name_and_id(name, recorded, capsys):
    """Exactly, in any letter case, or by interface id."""
    assert shown(recorded, capsys, "accounts", "show", name)["address"] == 'account["Germany"]'


def test_a_name_wins_over_an_id(recorded, capsys):
    """An account that is called like another one's id is found by its name."""
    recorded.account('"28374"', "5")
    assert shown(recorded, capsys, "accounts", "show", "28374")["address"] == 'account["28374"]'


def test_a_misspelt_account_is_answered_with_the_nearest(recorded, capsys):
    """An error on stderr with a suggestion, exit 1."""
    assert recorded.cli("accounts", "show", "Germny") == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert 'did you mean "Germany"?' in output.err


def test_accounts_in_the_files_or_the_state_only(recorded, capsys):
    """One is not applied yet, the other has left the files; both are shown."""
    recorded.account("Italy", "39")
    (recorded.folder / "accounts.d" / "28376.yaml").unlink()
    new, left = (shown(recorded, capsys, "accounts", "show", name) for name in ("Italy", "Norway"))
    assert (new["in_files"], new["in_state"], new["id"]) == (True, False, None)
    assert (left["in_files"], left["in_state"]) == (False, True)


def test_the_public_page(recorded, capsys):
    """Its address alone on stdout; without a terminal no browser."""
    assert recorded.cli("accounts", "open", "Germany") == 0
    assert capsys.readouterr().out == f"{PAGE}\n"
    assert recorded.cli("accounts", "open", "Norway", "--print") == 1
    assert "ekomi-reconcile sync 28376" in capsys.readouterr().err


def checks(project, capsys, *names):
    """Exit code and verdicts by account."""
    code = project.cli("accounts", "check", *names, "--format", "json")
    found = json.loads(capsys.readouterr().out)
    return code, {each["account"]: each["result"] for each in found}


def test_credentials_are_tested_without_a_state(project, sandbox, capsys, monkeypatch):
    """Right, wrong, unreachable and unresolved are told apart; no state is made; anything but ok is 1."""
    for name, key in (("Germany", "28374"), ("France", "28375"), ("Norway", "28376"), ("Brand A", "10001")):
        project.account(name, key)
    assert checks(project, capsys)[0] == 0
    monkeypatch.setenv("PASSWORD_28375", "wrong-password")
    monkeypatch.delenv("PASSWORD_10001")
    sandbox.world.fault(Fault(match="*", kind="status", status=403, shop="28376", body="blocked"))
    code, found = checks(project, capsys)
    assert code == 1
    assert found == {
        "Brand A": "unresolved",
        "France": "wrong",
        "Germany": "ok",
        "Norway": "unchecked",
    }
    assert checks(project, capsys, "germany") == (0, {"Germany": "ok"})
    assert not project.state.exists()


def test_a_check_shows_no_password(project, capsys, monkeypatch):
    """Neither a right nor a wrong one."""
    project.account("Germany", "28374")
    monkeypatch.setenv("PASSWORD_28374", "wrong-password")
    assert project.cli("accounts", "check") == 1
    output = capsys.readouterr()
    assert output.out.startswith("Germany (28374): wrong: ")
    assert "wrong-password" not in output.out + output.err
