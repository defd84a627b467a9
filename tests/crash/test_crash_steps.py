"""A run is killed right before a step, at one step after the other; the next runs finish its work."""

import hashlib
import sqlite3
from contextlib import closing
from itertools import count

import pytest
from crash_support import (
    NOW_DUE,
    check_exactly_once,
    finish,
    gated_settings,
    killed,
    numbers,
    statuses,
    two_accounts,
)
from project_support import order
from tiers import phases

PARALLELISM = 4
STRIDE = 8


def kill_first_run(project, gate, *, at, steps):
    """Kill the very first run at a step, then finish and check; false if it has fewer steps."""
    expected = two_accounts(project, 6)
    was_killed = killed(project, "apply", "--auto-approve", at=at, steps=steps)
    in_flight = statuses(project)["sending"]
    assert in_flight <= PARALLELISM
    finish(project)
    check_exactly_once(project, gate.outbox(), expected)
    assert len(numbers(project, "unknown")) == in_flight
    assert project.cli("plan", "--detailed-exitcode") == 0
    return was_killed


@pytest.mark.sampled(5)
@pytest.mark.parametrize("at", [1, 6, 10, 15, 18])
def test_a_first_run_killed_before_a_commit_is_finished_by_the_next(gated, gate, at):
    """Killed while it makes the state, accounts, queue or requests: each order once, or unknown."""
    gated.settings(gated_settings(gate, parallelism=1))
    assert kill_first_run(gated, gate, at=at, steps="commits")


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 8, 15])
def test_a_first_run_on_a_server_killed_before_a_commit_is_finished_by_the_next(shared, gate, at):
    """The same on PostgreSQL, once the leases of the dead have run out."""
    shared.settings(gated_settings(gate, parallelism=1))
    assert kill_first_run(shared, gate, at=at, steps="commits")


@pytest.mark.sampled(4)
@pytest.mark.parametrize("at", [1, 2, 3, 4])
def test_a_first_run_killed_before_a_write_is_finished_by_the_next(gated, gate, at):
    """Killed while it makes the files of the state and of its key: no half one stops the next run."""
    assert kill_first_run(gated, gate, at=at, steps="writes")


def arrange_changes(project):
    """A full queue that nobody sent, then files that rename, delete, move, cancel and add; what is due."""
    project.settings(
        (project.folder / "ekomi-reconcile.yaml").read_text() + "safety: {max_delete_percent: 100}\n"
    )
    for name, key, view in (("Germany", "28374", "de"), ("France", "28375", "fr"), ("Norway", "28376", "no")):
        project.account(name, key, f"{NOW_DUE}\nstore_views: [{view}]")
    views = ("de", "fr", "no")
    orders = [order(number, store_code=views[number % 3]) for number in range(1, 10)]
    project.orders(orders)
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    project.account("Deutschland", "28374", "pending_period: 1\nstore_views: [de]")
    (project.folder / "accounts.d" / "28375.yaml").unlink()
    project.account(
        "Norway", "28376", f"{NOW_DUE}\nstore_views: [no]\nconditions: {{grand_total: {{gte: 99}}}}"
    )
    project.orders([*orders, order(20), order(21)])
    return {f"{100_000_000 + number}" for number in (3, 6, 9, 20, 21)}


def kill_changing_run(project, gate, *, at, steps):
    """Kill the run that carries out many changes, then finish and check; false if it has fewer steps."""
    expected = arrange_changes(project)
    was_killed = killed(project, "apply", "--auto-approve", at=at, steps=steps)
    in_flight = statuses(project)["sending"]
    assert in_flight <= PARALLELISM
    finish(project)
    check_exactly_once(project, gate.outbox(), expected)
    assert len(numbers(project, "unknown")) == in_flight
    assert len(numbers(project, "cancelled")) == 6
    assert project.cli("plan", "--detailed-exitcode") == 0
    return was_killed


@pytest.mark.slow
@pytest.mark.parametrize("at", [2, 6, 9])
def test_a_run_of_changes_killed_before_a_commit_is_finished_by_the_next(gated, gate, at):
    """Killed between a rename, cancels, schedules, reschedules, a delete: nothing is lost or done twice."""
    assert kill_changing_run(gated, gate, at=at, steps="commits")


@pytest.mark.slow
@pytest.mark.parametrize("at", [3, 8])
def test_a_run_of_changes_on_a_server_killed_before_a_commit_is_finished_by_the_next(shared, gate, at):
    """The same on PostgreSQL."""
    assert kill_changing_run(shared, gate, at=at, steps="commits")


def digest(path):
    """What a file holds, as a short text."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("at", [2, 30])
def test_a_killed_plan_has_changed_nothing(gated, gate, at):
    """Killed at whatever step, plan leaves the state byte for byte, asks nobody, and runs again."""
    arrange_changes(gated)
    before = digest(gated.state)
    assert killed(gated, "plan", "--out", "plan.json", at=at, steps="all")
    assert digest(gated.state) == before
    assert gate.outbox() == {}
    assert gated.cli("plan", "--out", "plan.json") == 0
    assert gated.cli("apply", "plan.json") == 0


@pytest.mark.slow
def test_scheduling_many_rows_is_continued_after_a_kill(gated, gate):
    """Killed between two batches of the queue: the next run schedules the rest, none twice, index whole."""
    gated.account("Germany", "28374", "pending_period: 14")
    gated.orders(order(number) for number in range(1, 6_001))
    assert killed(gated, "apply", "--auto-approve", at=12, steps="commits")
    assert 0 < statuses(gated)["pending"] < 6_000
    assert "invitation_customer" not in indexes(gated.state)
    assert gated.cli("apply", "--auto-approve") == 0
    assert statuses(gated) == {"pending": 6_000}
    assert "invitation_customer" in indexes(gated.state)
    assert gate.outbox() == {}


def indexes(state):
    """The indexes of a state; it must be sound."""
    with closing(sqlite3.connect(state)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}


@pytest.mark.slow
@pytest.mark.parametrize("kill", [kill_first_run, kill_changing_run])
def test_a_run_on_a_server_killed_before_any_commit_is_finished_by_the_next(shared, gate, tmp_path, kill):
    """Every commit of a run on PostgreSQL, one kill each: the same promises hold."""
    for at in count(1):
        gate.world.outbox.clear()
        shared.server.run(f"DROP SCHEMA IF EXISTS {shared.schema} CASCADE")
        project = type(shared)(tmp_path / str(at), shared.server, shared.schema)
        (project.folder / "accounts.d").mkdir(parents=True)
        project.settings(gated_settings(gate))
        if not kill(project, gate, at=at, steps="commits"):
            return


@pytest.mark.slow
@pytest.mark.parametrize("offset", phases(STRIDE))
@pytest.mark.parametrize("kill", [kill_first_run, kill_changing_run])
def test_a_run_killed_before_any_step_is_finished_by_the_next(gated, gate, tmp_path, kill, offset):
    """Every statement, file and socket step of a run, one kill each, over several nights."""
    for at in count(offset, STRIDE):
        gate.world.outbox.clear()
        project = type(gated)(tmp_path / str(at))
        (project.folder / "accounts.d").mkdir(parents=True)
        project.settings(gated_settings(gate))
        if not kill(project, gate, at=at, steps="all"):
            return
