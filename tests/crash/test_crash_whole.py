"""Restore, backup, move and creation are killed, or the disk is full: a whole state or copy, or none."""

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import count

import pytest
from crash_support import killed, started, two_accounts

ORDERS = 6
STRIDE = 7
COPY = "copy.db"


def arrange(project):
    """A state with a queue that nobody sent, and a copy of it."""
    two_accounts(project, ORDERS)
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    assert project.cli("state", "backup", "--out", str(project.folder / COPY)) == 0


def lose(project):
    """The state is gone; on a file mark and key are still there."""
    if project.server is not None:
        project.server.run(f"DROP SCHEMA IF EXISTS {project.schema} CASCADE")
        return
    for each in project.state.parent.glob("state.db*"):
        if each.suffix not in (".key", ".mark"):
            each.unlink()


def parts(project):
    """Unfinished files anywhere in the project."""
    return [each.name for each in project.folder.rglob("*.part")]


def age_drafts(project):
    """Let a minute pass, in which somebody might still be writing the draft of a mark or a key."""
    for each in project.folder.rglob("*.part"):
        os.utime(each, (time.time() - 61,) * 2)


def check_whole_or_missing(project, monkeypatch):
    """Either every invitation is there, or there is no state for any command, least of all for an apply."""
    if len(project.rows()) == ORDERS:
        return
    assert project.rows() == []
    with monkeypatch.context() as patch:
        patch.setenv("CI", "1")
        for command in (("apply", "--auto-approve"), ("state", "check"), ("invitations", "list")):
            assert project.cli(*command) == 1


def kill_restore(project, monkeypatch, *, at, steps):
    """Kill a restore into a missing state at a step, look, restore again; false if it has fewer steps."""
    lose(project)
    was_killed = killed(project, "state", "restore", COPY, at=at, steps=steps)
    age_drafts(project)
    check_whole_or_missing(project, monkeypatch)
    assert project.cli("state", "restore", COPY) == 0
    assert len(project.rows()) == ORDERS
    assert project.cli("state", "check") == 0
    assert parts(project) == []
    return was_killed


@pytest.mark.sampled(4)
@pytest.mark.parametrize("at", [30, 75, 110, 140])
def test_a_restore_killed_anywhere_leaves_all_or_nothing(gated, gate, monkeypatch, at):
    """Of a file state, killed between its statements, flushes and the renaming; nobody is invited again."""
    arrange(gated)
    assert kill_restore(gated, monkeypatch, at=at, steps="all")
    assert gate.outbox() == {}


@pytest.mark.slow
def test_a_restore_on_a_server_killed_before_its_commit_leaves_nothing(shared, monkeypatch):
    """The same on PostgreSQL, where it is one transaction."""
    arrange(shared)
    assert kill_restore(shared, monkeypatch, at=1, steps="commits")


@pytest.mark.slow
@pytest.mark.parametrize("offset", range(1, STRIDE + 1))
def test_a_restore_killed_at_every_step_leaves_all_or_nothing(gated, monkeypatch, offset):
    """Every step of a restore into a missing file state, one kill each."""
    arrange(gated)
    for at in count(offset, STRIDE):
        if not kill_restore(gated, monkeypatch, at=at, steps="all"):
            return


@pytest.mark.slow
def test_a_restore_on_a_server_killed_before_every_commit_leaves_all_or_nothing(shared, monkeypatch):
    """Every commit of a restore on PostgreSQL."""
    arrange(shared)
    for at in count(1):
        if not kill_restore(shared, monkeypatch, at=at, steps="commits"):
            return


def kill_backup(project, *, at, steps):
    """Kill a backup at a step; what has the name of the copy is whole, and the next one leaves no parts."""
    target = project.folder / "second.db"
    target.unlink(missing_ok=True)
    was_killed = killed(project, "state", "backup", "--out", str(target), at=at, steps=steps)
    age_drafts(project)
    if target.exists():
        check_copy(target)
        target.unlink()
    assert project.cli("state", "backup", "--out", str(target)) == 0
    check_copy(target)
    assert project.cli("state", "check") == 0
    assert parts(project) == []
    return was_killed


def check_copy(path):
    """It is sound and has every invitation."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("SELECT count(*) FROM invitation").fetchone() == (ORDERS,)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("at", [22, 34])
def test_a_backup_killed_anywhere_leaves_a_whole_copy_or_none(gated, at):
    """Of a file state."""
    arrange(gated)
    assert kill_backup(gated, at=at, steps="all")


@pytest.mark.slow
@pytest.mark.parametrize("offset", range(1, STRIDE + 1))
def test_a_backup_killed_at_every_step_leaves_a_whole_copy_or_none(gated, offset):
    """Every step, one kill each."""
    arrange(gated)
    for at in count(offset, STRIDE):
        if not kill_backup(gated, at=at, steps="all"):
            return


@pytest.mark.slow
def test_a_backup_of_a_server_killed_anywhere_leaves_a_whole_copy_or_none(shared):
    """Of a state on PostgreSQL, which is copied row by row: every third step."""
    arrange(shared)
    for at in count(1, 3):
        if not kill_backup(shared, at=at, steps="all"):
            return


def kill_marking(project, *, at):
    """Kill a short command that writes; the mark is never ahead of what is recorded, nor half written."""
    was_killed = killed(project, "state", "backup", "--out", f"copy-{at}.db", at=at, steps="all")
    assert project.cli("state", "check") == 0
    return was_killed


@pytest.mark.slow
@pytest.mark.parametrize("offset", range(1, STRIDE + 1))
def test_a_mark_never_runs_ahead(gated, offset):
    """Every step of a command that is journaled, one kill each: the next command is never refused."""
    arrange(gated)
    for at in count(offset, STRIDE):
        if not kill_marking(gated, at=at):
            return


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["", "-wal"])
def test_a_killed_run_whose_log_is_lost_is_a_lost_state(gated, gate, capsys, kept):
    """state.db copied without its log knows nothing of the run that was killed while it sent."""
    gated.settings((gated.folder / "ekomi-reconcile.yaml").read_text() + "privacy: {}\n")
    two_accounts(gated, ORDERS)
    assert gated.cli("apply", "--auto-approve", "--no-send") == 0
    gate.hold()
    with started(gated, "apply", "--auto-approve") as run:
        gate.held(run)
    gate.release()
    for ending in ("-wal", "-shm"):
        if ending != kept:
            gated.state.with_name(f"state.db{ending}").unlink(missing_ok=True)
    capsys.readouterr()
    assert gated.cli("plan") == (0 if kept else 1)
    if not kept:
        assert "has lost what was recorded last" in capsys.readouterr().err


LIMITED = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
runpy.run_module("ekomi_reconcile", run_name="__main__", alter_sys=True)
"""


def with_little_room(project, room, *arguments):
    """Run a command that can make no file larger than that; its exit code and what it says."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(room), "-C", str(project.folder), *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("room", [20_000, 70_000])
def test_a_copy_without_room_leaves_nothing(anywhere, room):
    """The error is told, no part of a copy is left, and the state is as it was."""
    arrange(anywhere)
    code, said = with_little_room(anywhere, room, "state", "backup", "--out", str(anywhere.folder / "b.db"))
    assert code == 1
    assert "Error: " in said
    assert "internal" not in said
    assert not (anywhere.folder / "b.db").exists()
    assert parts(anywhere) == []
    assert anywhere.cli("state", "check") == 0


@pytest.mark.sampled(2)
@pytest.mark.parametrize("room", [pytest.param(0, marks=pytest.mark.slow), 70_000])
def test_a_state_without_room_leaves_nothing(gated, room):
    """Neither an apply nor a restore into a missing state leaves one on a full disk, or parts of one."""
    arrange(gated)
    shutil.rmtree(gated.state.parent)
    for command in (("apply", "--auto-approve"), ("state", "restore", COPY)):
        code, said = with_little_room(gated, room, *command)
        assert (code, "internal" in said) == (1, False), said
        left = {each.name for each in gated.folder.rglob("state.db*")}
        assert left <= {"state.db.lock"}, left
    assert parts(gated) == []
    assert gated.cli("state", "restore", COPY) == 0
    assert len(gated.rows()) == ORDERS
