"""Several processes on one state: readers see whole transactions and never wait."""

from __future__ import annotations

import pytest
from state_support import NOW, Store, an_account, kill, process, schedule

from ekomi_reconcile.model.errors import StateError, StateLocked
from ekomi_reconcile.state.opening import Mode


@pytest.mark.sampled(2)
def test_readers_during_a_transaction(store: Store) -> None:
    """While another process writes, readers see what was committed before; nobody waits."""
    with store.opened() as state:
        state.accounts.save(an_account(), now=NOW)
    code = (
        "s = store.opened(Mode.WRITE); schedule(s, 1)\n"
        "with s.transaction():\n    schedule(s, *range(2, 3000)); wait()\n"
        "print('done', flush=True); sys.stdin.readline()"
    )
    writer = process(code, store)
    with store.opened(Mode.READ) as first, store.opened(Mode.READ) as second:
        assert sorted(first.queue.rows_for("default", range(3_000))) == [1]
        assert sorted(second.queue.rows_for("default", range(3_000))) == [1]
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "done\n"
        assert sorted(first.queue.rows_for("default", range(3_000))) == [1]
        first.refresh()
        assert len(first.queue.rows_for("default", range(3_000))) == 2_999
        assert sorted(second.queue.rows_for("default", range(3_000))) == [1]
    kill(writer)


def test_writer_outlives_its_readers(store: Store) -> None:
    """A snapshot that stays open does not keep a writer from committing."""
    with store.opened() as writer:
        writer.accounts.save(an_account(), now=NOW)
        with store.opened(Mode.READ) as reader:
            assert reader.meta.read().serial == 0
            for _ in range(5):
                writer.meta.bump_serial()
            assert reader.meta.read().serial == 0
        with store.opened(Mode.READ) as reader:
            assert reader.meta.read().serial == 5


def test_second_writer_without_the_lock(store: Store) -> None:
    """Two transactions at once, which the writer lock prevents, end in an error and not in a mixture."""
    with store.opened() as one, store.opened() as two:
        impatient = "PRAGMA busy_timeout = 1" if store.is_file else "SET lock_timeout = 1"
        two.session.connection.exec_driver_sql(impatient)
        two.session.connection.commit()
        one.accounts.save(an_account(), now=NOW)
        with one.transaction():
            schedule(one, 1)
            one.meta.bump_serial()
            with pytest.raises(StateLocked):
                two.meta.bump_serial()
        assert two.meta.bump_serial() == 2
        assert len(two.queue.rows_for("default", [1])) == 1


def test_transactions_do_not_nest(store: Store) -> None:
    """A transaction within another would promise what it cannot keep."""
    with store.opened() as state, state.transaction(), pytest.raises(RuntimeError), state.transaction():
        pass


def test_errors_within_a_transaction_undo_all_of_it(store: Store) -> None:
    """After an error of the store itself, nothing of the transaction is left and the state is usable."""
    with store.opened() as state:
        state.accounts.save(an_account(), now=NOW)

        def attempt() -> None:
            with state.transaction():
                schedule(state, 1)
                state.invitations.skip(999, now=NOW, actor="support")

        with pytest.raises(StateError, match="no invitation 999"):
            attempt()
        assert state.queue.counts() == {}
        assert schedule(state, 1)
