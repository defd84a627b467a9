"""A state as the first version wrote it: it opens, gets its mark, and nothing changes."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import time_machine
from project_support import Project

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
        columns = "id, account_id, source, CAST(order_id AS TEXT), number, status, scheduled_at, customer"
        return [
            connection.execute(f"SELECT {columns} FROM invitation ORDER BY id").fetchall(),
            connection.execute("SELECT * FROM invitation_history ORDER BY id").fetchall(),
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
