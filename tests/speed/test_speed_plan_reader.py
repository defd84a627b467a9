"""The glance at a file state: it sees what the whole store sees, in one snapshot, and needs less."""

from __future__ import annotations

import os
import sqlite3

import pytest
from project_support import order

from ekomi_reconcile.config.load import load
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.plan.plan import Scope
from ekomi_reconcile.plan.saved_plan import encode
from ekomi_reconcile.reconcile.planning import make_plan, read_passwords
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.repositories.plan_reader import PlanReader, open_plan_reader
from ekomi_reconcile.state.store import State

STATE = ".ekomi-reconcile/state.db"


@pytest.fixture
def applied(project):
    """A project with a live account, a deleted one, and rows in several states."""
    project.account("Germany", "28374", "pending_period: 0\nstore_views: [de]", more="protect: true")
    gone = project.account("France", "28375", "store_views: [fr]")
    views = ("de", "fr")
    project.orders(order(number, store_code=views[number % 2]) for number in range(1, 9))
    assert project.cli("apply", "--auto-approve", "-q") == 0
    gone.unlink()
    assert project.cli("apply", "--auto-approve", "-q", "--allow-deletes", "1") == 0
    return project


def whole(project) -> State:
    return open_state(STATE, root=project.folder, mode=Mode.READ)


def glanced(project) -> PlanReader:
    found = open_plan_reader(STATE, root=project.folder)
    assert isinstance(found, PlanReader)
    return found


def test_it_sees_what_the_store_sees(applied):
    """Accounts, tombstones, positions, counts, meta and key are the same."""
    with whole(applied) as store, glanced(applied) as seen:
        for deleted in (False, True):
            ours, theirs = (each.accounts.read(include_deleted=deleted) for each in (seen, store))
            assert len(ours) == len(theirs) == 1 + deleted
            assert list(ours) == list(theirs)
        assert seen.positions.read() == store.positions.read()
        assert seen.positions.read().keys() == {"28374"}
        assert (seen.meta.read(), seen.key.require()) == (store.meta.read(), store.key.require())
        assert seen.queue.in_doubt(now=instant.now()) == store.queue.in_doubt(now=instant.now()) == 0


def test_the_queue_goes_on_over_the_same_snapshot(applied):
    """What others commit after the first look is not seen by the second, though the store reads it."""
    with glanced(applied) as seen:
        assert seen.queue.in_doubt(now=5) == 0
        with sqlite3.connect(applied.state) as other:
            other.execute("UPDATE invitation SET status = 'unknown'")
            other.execute("DELETE FROM position")
        other.close()
        statuses = {
            row.status for rows in seen.queue.rows_for("default", range(1, 9)).values() for row in rows
        }
        assert statuses == {Status.SENT, Status.CANCELLED}
        assert seen.queue.in_doubt(now=5) == 0
        assert seen.positions.read().keys() == {"28374"}
        assert list(seen.queue.rows_of({"28374"}, {Status.UNKNOWN})) == []
    with glanced(applied) as seen:
        assert (
            seen.queue.in_doubt(now=5)
            == len(list(seen.queue.rows_of({"28374", "28375"}, {Status.UNKNOWN})))
            > 0
        )


def test_rows_that_are_due_or_being_sent_are_found(applied):
    """The quick looks at the queue agree with the store: at what is due, and at what is in doubt."""
    with sqlite3.connect(applied.state) as other:
        other.execute("UPDATE invitation SET status = 'pending', scheduled_at = 5 WHERE order_id = 2")
        other.execute("UPDATE invitation SET status = 'sending' WHERE order_id = 4")
    other.close()
    with whole(applied) as store, glanced(applied) as seen:
        for now in (4, 5):
            assert list(seen.queue.due({"28374"}, now)) == list(store.queue.due({"28374"}, now))
        assert len(list(seen.queue.due({"28374"}, 5))) == 1
        assert seen.queue.in_doubt(now=5) == store.queue.in_doubt(now=5) == 1
        nobody = frozenset[str]()
        assert (list(seen.queue.pending_of(nobody)), seen.queue.customer_load(nobody, 0)) == ([], {})
        assert list(seen.queue.pending_of({"x"})) == list(store.queue.pending_of({"x"}))
        assert seen.queue.customer_load({"x"}, 0) == store.queue.customer_load({"x"}, 0)
        assert seen.queue.observations("default", [1]) == store.queue.observations("default", [1])


def test_both_make_the_same_plan(applied):
    """A plan with every kind of step does not depend on how the state was read."""
    applied.account("Austria", "28376", "store_views: [at]")
    applied.account("Germany", "28374", "pending_period: 1\nstore_views: [de]", more="tags: [new]")
    applied.orders(order(number, store_code=("de", "at")[number % 2]) for number in range(1, 30))
    os.utime(applied.folder / "orders.jsonl", (1, 1))
    configuration, now = load(applied.folder / "ekomi-reconcile.yaml"), instant.now()

    def plan(state):
        with state, Sources(configuration) as sources:
            passwords = read_passwords(configuration, state)
            return make_plan(
                configuration, state, sources=sources, scope=Scope(), now=now, passwords=passwords
            )

    made = plan(glanced(applied))
    assert len(made.changes) == 2
    assert made.invitations.schedule
    assert encode(made) == encode(plan(whole(applied)))


def test_what_is_wrong_is_said_as_the_store_says_it(applied):
    """Missing, foreign, newer, damaged or without its key: the same error, word for word."""

    def spoil(text):
        def work():
            with sqlite3.connect(applied.state) as other:
                other.execute(text)
            other.close()

        return work

    key = applied.state.with_name("state.db.key")
    for work in (
        lambda: key.write_text("no key"),
        spoil("UPDATE meta SET value = '99' WHERE key = 'format_version'"),
        spoil("DELETE FROM meta WHERE key = 'format_version'"),
        spoil("DROP TABLE meta"),
        spoil("PRAGMA application_id = 7"),
        lambda: applied.state.write_bytes(applied.state.read_bytes()[:4096] + b"x" * 9000),
        lambda: applied.state.write_text("text"),
        applied.state.unlink,
    ):
        work()
        if key.exists() and key.read_text() == "no key":
            _same_error(applied)
            key.unlink()
        _same_error(applied)


def _same_error(project) -> None:
    said = []
    for opened in (lambda: open_plan_reader(STATE, root=project.folder), lambda: whole(project)):
        with pytest.raises(StateError) as caught, opened() as state:
            state.key.require()
        said.append((type(caught.value), caught.value.message, caught.value.hint))
    assert said[0] == said[1]
