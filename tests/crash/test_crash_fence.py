"""Whoever has lost the writer lock writes no more, however it was lost and whatever it was doing."""

from contextlib import contextmanager

import pytest
from crash_support import gated_settings, numbers, statuses, two_accounts
from project_support import order
from state_support import KEY, NOW, Store, an_account, schedule

from ekomi_reconcile.apply.executor import NEW_ROWS
from ekomi_reconcile.apply.run_control import StopSignal
from ekomi_reconcile.config.load import load
from ekomi_reconcile.model.errors import StateLocked
from ekomi_reconcile.model.run import Progress, Stage
from ekomi_reconcile.plan.plan import Scope
from ekomi_reconcile.reconcile.cycle import Cycle
from ekomi_reconcile.state.engine.runner import release_lock
from ekomi_reconcile.state.opening import Mode


def place_of(project):
    """Where the project's state is."""
    if project.server is None:
        return Store("state.db", project.folder)
    return Store(project.server.url(schema=project.schema), project.folder, KEY)


@contextmanager
def held(place):
    """A state with an account that is written under its lock."""
    with place.lock() as lock, place.opened() as state:
        state.session.guard_by(lock)
        state.accounts.save(an_account(), now=NOW)
        yield state, lock


def cut_lock(server):
    """End the connection that holds the writer lock, as a network does."""
    server.run(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
        "WHERE application_name LIKE 'ekomi-reconcile apply%'"
    )


def test_a_broken_lock_is_noticed_by_the_next_write(anywhere):
    """After force-unlock every write is refused, reading goes on; what was written before stays."""
    place = place_of(anywhere)
    with held(place) as (state, lock):
        release_lock(place.place, lock.info.ID)
        with pytest.raises(StateLocked, match="taken away"):
            state.meta.bump_serial()
        with pytest.raises(StateLocked, match="taken away"), state.transaction():
            schedule(state, 1)
        assert state.meta.read().serial == 0
        assert [each.interface_id for each in state.accounts.read()] == ["1"]


def test_a_lock_that_was_given_back_is_not_missed(shared):
    """Who goes on to send writes without the lock, while somebody else has it."""
    place = place_of(shared)
    with held(place) as (state, lock):
        lock.let_others_write()
        with place.lock("sync"):
            assert state.meta.bump_serial() == 1


def test_the_next_holder_waits_for_what_its_predecessor_is_writing(shared):
    """Cut off from its lock within a transaction: until that has ended nobody is given the lock."""
    place = place_of(shared)
    with held(place) as (state, _):
        with state.transaction():
            schedule(state, 1)
            cut_lock(shared.server)
            with pytest.raises(StateLocked, match="was writing"):
                place.lock("sync", sleep=lambda _: None).acquire()
        with place.lock("sync") as other:
            other.verify()
            with pytest.raises(StateLocked, match="connection to the server was lost"):
                schedule(state, 2)
        assert [row.order_id for row in state.invitations.search()] == [1]


def test_a_run_that_lost_its_lock_after_planning_stops_writing(shared, gate):
    """The lock's connection dies between two batches of the queue: no later batch, no position, no request;
    the next run does the rest, each order once."""
    shared.settings(gated_settings(gate, more="safety: {max_sends: 5}\n"))
    expected = two_accounts(shared, 2)
    assert shared.cli("apply", "--auto-approve") == 0
    shared.account("Germany", "28374", "pending_period: 14\nstore_views: [de]")
    many = range(10, 10 + NEW_ROWS + 5)
    shared.orders([order(1, store_code="fr"), order(2), *(order(number) for number in many)])
    place = place_of(shared)
    with place.lock() as lock, place.opened(Mode.WRITE) as state:
        state.session.guard_by(lock)
        positions = state.positions.read()
        configuration = load(shared.folder / "ekomi-reconcile.yaml")
        with Cycle(configuration, state, lock, stop=StopSignal(None)) as cycle:
            plan = cycle.plan(Scope())

            def cut(event):
                if isinstance(event, Progress) and event.stage is Stage.QUEUE:
                    cut_lock(shared.server)

            with pytest.raises(StateLocked, match="connection to the server was lost"):
                cycle.execute(plan, listen=cut)
        assert state.positions.read() == positions
    assert statuses(shared) == {"sent": 2, "pending": NEW_ROWS}
    assert shared.cli("apply", "--auto-approve") == 0
    assert statuses(shared) == {"sent": 2, "pending": len(many)}
    check_exactly_once_among(shared, gate, expected)


def check_exactly_once_among(project, gate, expected):
    """Only these were asked, each once."""
    assert numbers(project, "sent") == expected
    assert gate.outbox() == dict.fromkeys(expected, 1)
