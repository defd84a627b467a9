"""A state as the first version wrote it: it opens, gets its mark, and nothing changes."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import time_machine
import yaml
from project_support import Project

from ekomi_reconcile.config.load import load
from ekomi_reconcile.model import keys
from ekomi_reconcile.model.rule import InvitationRule

RECORDED = Path(__file__).parents[1] / "data" / "state-round1"
NOW = "2026-11-30T15:30:00Z"


@pytest.fixture
def upgraded(tmp_path, sandbox, monkeypatch):
    """A copy of that project; its orders and state are from around ``NOW``."""
    folder = tmp_path / "project"
    shutil.copytree(RECORDED, folder)
    (folder / "state").rename(folder / ".ekomi-reconcile")
    settings = folder / "ekomi-reconcile.yaml"
    settings.write_text(settings.read_text().replace("@PORT@", sandbox.url.rpartition(":")[2]))
    monkeypatch.setenv("BAR_PASSWORD", "bar-secret")
    monkeypatch.setenv("CI", "1")
    with time_machine.travel(NOW, tick=False):
        yield Project(folder)


def recorded(project):
    """Every invitation, change and observation, and the ids that were given out; order ids as text."""
    with closing(sqlite3.connect(project.state)) as connection:
        changes = "id, invitation_id, at, from_status, to_status, actor, detail"
        columns = "id, account_id, source, CAST(order_id AS TEXT), number, status, scheduled_at, customer"
        return [
            connection.execute(f"SELECT {columns} FROM invitation ORDER BY id").fetchall(),
            connection.execute(f"SELECT {changes} FROM invitation_history ORDER BY id").fetchall(),
            sorted(
                connection.execute("SELECT source, CAST(order_id AS TEXT), status, since FROM observation")
            ),
            sorted(connection.execute("SELECT name, seq FROM sqlite_sequence WHERE name LIKE 'invitation%'")),
        ]


def test_a_state_of_the_first_version_goes_on(upgraded, capsys):
    """It is migrated after a copy, gets its mark, and no account changes and no invitation moves."""
    before = recorded(upgraded)
    assert upgraded.cli("state", "migrate") == 0
    assert recorded(upgraded) == before
    assert list(upgraded.state.parent.glob("state.db.format-1.backup"))
    assert upgraded.state.with_name("state.db.mark").exists()
    assert upgraded.cli("state", "check") == 0
    capsys.readouterr()
    assert upgraded.cli("plan") == 0
    shown = capsys.readouterr().out
    assert "No changes." in shown or "0 to add, 0 to change, 0 to destroy" in shown
    assert "No changes." in shown or "0 to reschedule, 0 to cancel" in shown


def newer_keys():
    """The keys of rules that are newer than the first format, at their defaults as files write them."""
    return {
        each.name: each.written_default
        for each in keys.keys(InvitationRule)
        if each.key.recorded is keys.Recorded.CHANGED and each.default not in (None, ())
    }


def test_every_new_key_at_its_default_changes_no_account_and_no_digest(upgraded, capsys):
    """Written out or left out: the digests are those that the first version recorded, and nothing moves."""
    first = load(upgraded.folder / "ekomi-reconcile.yaml")
    with closing(sqlite3.connect(upgraded.state)) as connection:
        known = dict(
            connection.execute(
                "SELECT interface_id, rule_digest FROM position JOIN account ON account.id = account_id"
            )
        )
    assert {each.interface_id: each.derived.rule_digest for each in first.accounts} == known
    assert newer_keys().keys() >= {"skip_refunded", "skip_reviewed"}
    for path in (upgraded.folder / "accounts.d").glob("*.yaml"):
        documents = [each for each in yaml.safe_load_all(path.read_text()) if each]
        for each in documents:
            given = {
                name: value for name, value in newer_keys().items() if isinstance(value, bool | int | str)
            }
            each["invitations"] = {**given, **each.get("invitations", {})}
        path.write_text(yaml.safe_dump_all(documents))
    again = load(upgraded.folder / "ekomi-reconcile.yaml")
    assert again.digest == first.digest
    assert [each.canonical() for each in again.accounts] == [each.canonical() for each in first.accounts]
    assert upgraded.cli("state", "migrate") == 0
    capsys.readouterr()
    assert upgraded.cli("plan", "--format", "json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert {each["change"]["actions"][0] for each in plan["resource_changes"]} <= {"no-op"}
    assert {name: plan["summary"][name] for name in ("add", "change", "destroy", "reschedule", "cancel")} == {
        **dict.fromkeys(("add", "change", "destroy", "reschedule", "cancel"), 0)
    }
