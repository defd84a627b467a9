"""``errors``: calls to eKomi that failed."""

import json

import pytest
from recorded_support import THEN

from ekomi_reconcile.model.instant import iso


def listed(project, capsys, *arguments):
    """Who and what of the listed errors."""
    assert project.cli("errors", "--format", "json", *arguments) == 0
    return [(each["account"], each["operation"]) for each in json.loads(capsys.readouterr().out)]


def test_the_latest_come_first(recorded, capsys):
    """With the name of the account, and of what was tried."""
    assert listed(recorded, capsys) == [("Norway", "sync"), ("Germany", "send 100000005")]


def test_errors_are_chosen_by_account_and_time(recorded, capsys):
    """--account by name or id, several of them, --since as a time or as how long ago."""
    assert listed(recorded, capsys, "--account", "28374") == [("Germany", "send 100000005")]
    assert len(listed(recorded, capsys, "--account", "28374", "--account", "Norway")) == 2
    assert listed(recorded, capsys, "--since", iso(THEN + 1)) == [("Norway", "sync")]
    assert listed(recorded, capsys, "--since", "7d") == []


def test_an_unknown_account_is_an_error(recorded, capsys):
    """It is not an empty list."""
    assert recorded.cli("errors", "--account", "Nowhere") == 1
    assert 'unknown account "Nowhere"' in capsys.readouterr().err


def test_a_deleted_account_can_be_named(recorded, capsys):
    """What it left behind is still there."""
    assert listed(recorded, capsys, "--account", "Old") == []


@pytest.mark.parametrize(("value", "code"), [("sandbox-de\n", 1), (" sandbox-de", 1), ("", 1), (None, 0)])
def test_a_password_that_cannot_be_right_fails_in_plan_too(
    project, sandbox, monkeypatch, capsys, value, code
):
    """Whitespace at its ends, or nothing: plan exits as apply would; one that is not set is a warning."""
    project.account("Germany", "28374")
    if value is None:
        monkeypatch.delenv("PASSWORD_28374")
    else:
        monkeypatch.setenv("PASSWORD_28374", value)
    assert project.cli("plan") == code
    shown = capsys.readouterr().out
    assert ("error[password-unresolved]" in shown) is bool(code)
    assert ("treated as unchanged" in shown) is not bool(code)
    assert "sandbox-de" not in shown
    assert project.cli("plan", "--offline") == 0
    assert project.cli("apply", "--auto-approve") == 1
