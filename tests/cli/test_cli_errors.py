"""``errors``: calls to eKomi that failed."""

import json

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
