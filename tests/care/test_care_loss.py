"""A state that lost its last records is accepted without inviting anybody twice."""

from __future__ import annotations

import json
import shutil

import pytest
from project_support import order
from state_support import NOW, an_account, schedule

from ekomi_reconcile.model.errors import StateLost
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import STATE_LOST, SendOutcome, Status
from ekomi_reconcile.state.engine.session import Memory
from ekomi_reconcile.state.maintenance.move import prune
from ekomi_reconcile.state.opening import Mode
from ekomi_reconcile.state.repositories.journal import ACCEPT_LOSS

UNTIL = NOW + DAY


def test_what_may_have_left_is_unknown(store):
    """Whatever was due becomes unknown, with the reason; what was not due, or is not pending, stays."""
    with store.opened() as state:
        state.accounts.save(an_account("1"), now=NOW)
        ids = schedule(state, 1, 2, 3, 4, 5, 6, scheduled_at=UNTIL - 60)
        late = schedule(state, 7, scheduled_at=UNTIL + 1)[7]
        early = schedule(state, 8, scheduled_at=NOW)[8]
        state.sending.claim([ids[1], ids[2], ids[3], ids[4]], now=NOW)
        later = {"status": Status.PENDING, "at": NOW}
        state.sending.settle(
            [
                SendOutcome(id=ids[1], status=Status.SENT, at=NOW),
                SendOutcome(id=ids[2], status=Status.FAILED, at=NOW),
                SendOutcome(id=ids[3], next_attempt_at=UNTIL + 1, **later),
                SendOutcome(id=ids[4], next_attempt_at=UNTIL, **later),
            ]
        )
        state.invitations.skip(ids[5], now=NOW, actor="kim")
        (count,) = state.lost_records.due_by(UNTIL, before=UNTIL - 3_600)
        assert (count.interface_id, count.due, count.due_before) == ("1", 3, 1)
        assert state.lost_records.accept(since=UNTIL - 3_600, now=UNTIL, actor="kim") == 3
        rows = {row.id: row for row in state.queue.rows_of(["1"], set(Status))}
        unknown = {key for key, row in rows.items() if row.status is Status.UNKNOWN}
        assert unknown == {ids[4], ids[6], early}
        assert {rows[key].reason for key in unknown} == {STATE_LOST}
        assert rows[late].status is rows[ids[3]].status is Status.PENDING
        assert state.invitations.history(early)[-1].detail.startswith(f"{STATE_LOST} since 2023-11-")
        assert state.lost_records.due_by(UNTIL, before=UNTIL) == ()


def forget_journal(state):
    """The last journal entry is lost."""
    state.session.connection.exec_driver_sql("DELETE FROM journal WHERE id = (SELECT max(id) FROM journal)")


def forget_claim(state):
    """The claim of the last invitation is lost."""
    state.session.connection.exec_driver_sql("UPDATE invitation SET status = 'pending'")
    state.session.connection.exec_driver_sql("DELETE FROM invitation_history")


def replace_state(state):
    """An empty state is in its place."""
    state.session.connection.exec_driver_sql("UPDATE meta SET value = 'other' WHERE key = 'lineage'")


@pytest.fixture
def sent(place):
    """A state on PostgreSQL, and what the process remembers that has sent an invitation."""
    store = place("postgres")
    with store.opened() as state:
        state.accounts.save(an_account("1"), now=NOW)
        state.journal.add("apply", outcome="started", now=NOW)
        (key,) = schedule(state, 1, scheduled_at=NOW).values()
        state.sending.claim([key], now=NOW + 1)
        state.sending.settle([SendOutcome(id=key, status=Status.SENT, at=NOW + 2)])
        state.journal.add("apply", outcome="done", now=NOW + 3)
        state.lost_records.remember()
        yield store, state.session.memory


@pytest.mark.parametrize("lose", [forget_journal, forget_claim])
def test_a_living_run_notices_what_is_gone(sent, lose):
    """It refuses to go on, names the command, and goes on once the loss was accepted."""
    store, memory = sent
    with store.opened(Mode.WRITE) as state:
        state.lost_records.check(memory)
        with state.transaction():
            lose(state)
        with pytest.raises(StateLost, match="has lost what this run recorded") as caught:
            state.lost_records.check(memory)
        assert "state accept-loss --since" in caught.value.hint
        state.journal.add(ACCEPT_LOSS, outcome="", now=NOW + 60)
        state.lost_records.check(memory)


def test_another_state_in_its_place_is_refused(sent):
    """A server that comes back with another state is not that state, whatever was accepted."""
    store, memory = sent
    with store.opened(Mode.WRITE) as state:
        with state.transaction():
            replace_state(state)
        state.journal.add(ACCEPT_LOSS, outcome="", now=NOW + 60)
        with pytest.raises(StateLost, match="is another state than before"):
            state.lost_records.check(memory)


def test_retention_is_no_loss(sent):
    """What retention has deleted is not missed; nothing remembered is nothing missed."""
    store, memory = sent
    with store.opened(Mode.WRITE) as state:
        prune(state, NOW + 100, NOW + 200)
        state.lost_records.check(memory)
        state.lost_records.check(Memory())


def test_an_open_transaction_is_not_remembered(place):
    """What is rolled back was never recorded."""
    with place("postgres").opened() as state:
        state.accounts.save(an_account("1"), now=NOW)
        with state.transaction():
            state.journal.add("apply", outcome="started", now=NOW)
            state.session.connection.get_transaction().rollback()
        assert state.journal.entries() == ()
        assert state.session.memory == Memory()


@pytest.fixture
def lost(project, sandbox, capsys):
    """A project whose state was put back to before its second invitation was scheduled and sent."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 2", more="tags: [digital]")
    project.orders([order(1, age_days=3), order(9, age_days=1)])
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    shutil.copy(project.state, project.folder / "before.db")
    project.orders([order(1, age_days=3), order(9, age_days=1), order(2, age_days=3)])
    assert project.cli("apply", "--auto-approve") == 0
    shutil.copy(project.folder / "before.db", project.state)
    capsys.readouterr()
    return project


def test_nobody_is_invited_twice(lost, sandbox, capsys):
    """What was sent in the lost time is unknown, also what was scheduled in it; resolved, all is settled."""
    assert lost.cli("apply", "--auto-approve") == 1
    assert "state accept-loss --since 20" in capsys.readouterr().err
    assert lost.cli("apply", "--auto-approve", "--no-send", "--new-state") == 0
    capsys.readouterr()
    assert lost.cli("state", "accept-loss", "--since", "1h", "--dry-run", "--format", "json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["unknown"], shown["dry_run"]) == (2, True)
    assert shown["accounts"] == [{"account": "Germany", "unknown": 2, "due_before": 2}]
    assert lost.cli("state", "accept-loss", "--since", "1h") == 1
    assert "--auto-approve" in capsys.readouterr().err
    assert lost.cli("state", "accept-loss", "--since", "1h", "--auto-approve") == 0
    assert "Germany: 2 invitations unknown" in capsys.readouterr().out
    assert lost.cli("apply", "--auto-approve") == 0
    assert len(sandbox.world.outbox.entries()) == 2
    which = ("--where", f"reason={STATE_LOST}", "--expect", "2")
    assert lost.cli("invitations", "resolve", *which, "--sent") == 0
    capsys.readouterr()
    assert lost.cli("state", "history", "--format", "json") == 0
    actions = [each["action"] for each in json.loads(capsys.readouterr().out)]
    assert actions.count(ACCEPT_LOSS) == 1
    assert lost.cli("plan", "--detailed-exitcode") == 0


@pytest.mark.parametrize("since", ["0s", "1h", "30d"])
def test_an_older_file_is_not_accepted_before_its_orders_are_read(lost, sandbox, capsys, since):
    """What was scheduled and sent in the lost time is not in the file; no run sends in between."""
    accept = ("state", "accept-loss", "--since", since, "--auto-approve")
    assert lost.cli(*accept) == 1
    assert "apply --no-send" in capsys.readouterr().err
    for command in (("--no-send", "--target", "Nobody*"), ()):
        assert lost.cli("apply", "--auto-approve", *command) in (0, 1)
        assert lost.cli(*accept) == 1
    for _ in range(3):  # its numbers catch up with those of the mark
        assert lost.cli("apply", "--auto-approve", "--no-send") == 0
        assert lost.cli("apply", "--auto-approve") == 1
    assert lost.cli(*accept) == 0
    assert lost.cli("apply", "--auto-approve") == 0
    assert sorted(each.requests for each in sandbox.world.outbox.entries()) == [1, 1]


def test_orders_that_could_not_be_read_are_not_read_again(lost, capsys):
    """A run without its orders does not make an older file acceptable."""
    orders = lost.folder / "orders.jsonl"
    kept = orders.read_text()
    orders.unlink()
    assert lost.cli("apply", "--auto-approve", "--no-send") == 1
    assert lost.cli("state", "accept-loss", "--since", "1h", "--auto-approve") == 1
    orders.write_text(kept)
    assert lost.cli("apply", "--auto-approve", "--no-send") == 0
    assert lost.cli("state", "accept-loss", "--since", "1h", "--auto-approve") == 0


def test_a_time_in_the_future_is_a_usage_error(lost, capsys):
    """Nothing can have been lost then."""
    assert lost.cli("state", "accept-loss", "--since", "2999-01-01", "--auto-approve") == 64
    assert "in the future" in capsys.readouterr().err
