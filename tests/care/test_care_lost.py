"""A state that is gone, or has lost what was recorded last, is refused and never taken for a new one."""

import json
import shutil
import sqlite3

import pytest
from project_support import order


@pytest.fixture
def invited(project, sandbox, capsys):
    """A project with one invitation sent, a copy of its state from before, and what eKomi got."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 2", more="tags: [digital]")
    project.orders([order(1, age_days=1)])
    assert project.cli("apply", "--auto-approve") == 0
    assert project.cli("state", "backup", "--out", "copy.db") == 0
    keep(project, "before")
    project.orders([order(1, age_days=1), order(2, age_days=3)])
    assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    return project


def keep(project, name):
    """Put the folder of the state aside, as a snapshot would."""
    shutil.copytree(project.state.parent, project.folder / name)


def beside(project, ending):
    """A file of the state."""
    return project.state.with_name(f"state.db{ending}")


def rolled_back(project):
    """The file of the state as it was before the last run."""
    shutil.copy(project.folder / "before" / "state.db", project.state)


def gone(project):
    """Everything but mark and key is gone."""
    project.state.unlink()


def gone_but_key(project):
    """A state of the first version has no mark."""
    gone(project)
    beside(project, ".mark").unlink()


def gone_but_mark(project):
    """The key is configured, or lost too."""
    gone(project)
    beside(project, ".key").unlink()


def another(project):
    """The state of somebody else was copied here."""
    with sqlite3.connect(project.state) as state:
        state.execute("UPDATE meta SET value = 'another' WHERE key = 'lineage'")
    state.close()


def mark_damaged(project):
    """Nothing tells how far the state had come."""
    beside(project, ".mark").write_text('{"lineage": ')


LOSSES = (rolled_back, gone, gone_but_key, gone_but_mark, another, mark_damaged)


@pytest.mark.sampled(12)
@pytest.mark.parametrize("in_ci", [False, True], ids=["", "ci"])
@pytest.mark.parametrize("lose", LOSSES)
def test_a_lost_state_is_refused_by_every_command(lose, in_ci, invited, sandbox, capsys, monkeypatch):
    """Reading, planning and applying name both ways out and change nothing, in CI or not."""
    lose(invited)
    if in_ci:
        monkeypatch.setenv("CI", "1")
    before = {each.name: each.read_bytes() for each in invited.state.parent.glob("state.db*")}
    sent = sandbox.world.outbox.entries()
    for command in (("plan",), ("apply", "--auto-approve"), ("invitations", "list"), ("state", "check")):
        assert invited.cli(*command) == 1, command
        said = capsys.readouterr().err
        assert "ekomi-reconcile state restore FILE" in said, command
        assert "ekomi-reconcile apply --new-state" in said, command
    after = {each.name: each.read_bytes() for each in invited.state.parent.glob("state.db*")}
    after.pop("state.db.lock", None)
    before.pop("state.db.lock", None)
    assert after == before
    assert sandbox.world.outbox.entries() == sent


@pytest.mark.sampled(4)
@pytest.mark.parametrize("lose", [rolled_back, gone, gone_but_key, mark_damaged])
def test_restoring_puts_a_lost_state_right(lose, invited, capsys):
    """Afterwards the mark is that of the restored state, and commands work again."""
    lose(invited)
    assert invited.cli("state", "restore", "copy.db") == 0
    assert invited.cli("invitations", "mark-sent", str(marked(invited))) == 0
    assert invited.cli("plan", "--detailed-exitcode") == 0
    assert invited.cli("apply", "--auto-approve") == 0
    found = json.loads(beside(invited, ".mark").read_text())
    with sqlite3.connect(invited.state) as state:
        assert found["journal"] == state.execute("SELECT max(id) FROM journal").fetchone()[0]
        assert found["lineage"] == state.execute("SELECT value FROM meta WHERE key = 'lineage'").fetchone()[0]
    state.close()


@pytest.mark.parametrize("lose", [rolled_back, gone])
def test_restoring_prints_how_nobody_is_invited_twice(lose, invited, sandbox, capsys):
    """Also where an older file is in the place of the state; the commands it prints settle all."""
    lose(invited)
    assert invited.cli("state", "restore", "copy.db") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("  ekomi-")]
    assert [words[1:3] for words in lines] == [["apply", "--no-send"], ["state", "accept-loss"]]
    assert [invited.cli(*words[1:]) for words in lines] == [0, 1]
    assert "use --auto-approve" in capsys.readouterr().err
    assert invited.cli(*lines[1][1:], "--auto-approve") == 0
    assert invited.cli("apply", "--auto-approve") == 0
    assert [each.requests for each in sandbox.world.outbox.entries()] == [1]


def marked(project):
    """A list of what was sent after the copy was made."""
    path = project.folder / "sent.csv"
    path.write_text("order\n100000002\n")
    return path


def test_a_copy_of_another_state_does_not_take_its_place(invited, capsys):
    """The mark says which state was here."""
    copy = invited.folder / "copy.db"
    with sqlite3.connect(copy) as state:
        state.execute("UPDATE meta SET value = 'another' WHERE key = 'lineage'")
    state.close()
    gone(invited)
    assert invited.cli("state", "restore", "copy.db") == 1
    assert "the copy is of another state" in capsys.readouterr().err
    assert not invited.state.exists()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("lose", [rolled_back, another])
def test_a_person_may_go_on_with_what_is_there(lose, invited):
    """With --new-state an older state is taken as it is, and is no lost one from then on."""
    lose(invited)
    assert invited.cli("apply", "--auto-approve", "--no-send", "--new-state") == 0
    assert invited.cli("plan") == 0


def test_a_person_may_begin_again(invited, sandbox):
    """With --new-state a state that is gone is made again, under the key that is still there."""
    key = beside(invited, ".key").read_bytes()
    gone(invited)
    assert invited.cli("apply", "--auto-approve", "--no-send", "--new-state") == 0
    assert beside(invited, ".key").read_bytes() == key
    assert invited.cli("plan") == 0


def test_a_state_without_a_mark_gets_one(invited):
    """That of the first version has none: the first command that writes makes it."""
    path = beside(invited, ".mark")
    path.unlink()
    assert invited.cli("plan") == 0
    assert not path.exists()
    assert invited.cli("apply", "--auto-approve") == 0
    assert path.exists()


def test_a_snapshot_of_everything_is_not_noticed(invited):
    """State and mark rolled back together look like a state that nobody used since; so the documents say."""
    shutil.rmtree(invited.state.parent)
    shutil.copytree(invited.folder / "before", invited.state.parent)
    assert invited.cli("plan") == 0


def test_an_unused_state_counts_as_none(project, capsys, monkeypatch):
    """What an interrupted restore of the first version left is empty, and no state to go on with."""
    from ekomi_reconcile.state.opening import Mode, open_state

    open_state(str(project.state), root=project.folder, mode=Mode.CREATE).close()
    project.account("Germany", "28374")
    monkeypatch.setenv("CI", "1")
    assert project.cli("apply", "--auto-approve") == 1
    assert "no state at" in capsys.readouterr().err
    assert project.cli("state", "check") == 1
    assert project.cli("apply", "--auto-approve", "--new-state") == 0
    assert project.cli("state", "check") == 0


def test_a_mark_that_cannot_be_written_stops_nothing_halfway(invited, capsys):
    """The run's work is recorded; the mark is named at the end and made good by the next run."""
    path = beside(invited, ".mark")
    path.unlink()
    path.mkdir()
    assert invited.cli("apply", "--auto-approve") == 1
    assert "state.db.mark" in capsys.readouterr().err
    path.rmdir()
    assert invited.cli("apply", "--auto-approve") == 0
    assert path.is_file()
