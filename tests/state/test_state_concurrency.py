"""Several processes on one state: readers see whole transactions and never wait."""

from __future__ import annotations

from pathlib import Path

import pytest
from state_support import NOW, an_account, kill, opened, process, schedule

from ekomi_reconcile.errors import StateError, StateLocked
from ekomi_reconcile.state.opening import Mode


def test_readers_during_a_transaction(tmp_path: Path) -> None:
    """While another process writes, readers see what was committed before; nobody waits."""
    with opened(tmp_path) as state:
        state.save_account(an_account(), now=NOW)
    code = (
        "s = opened(root, Mode.WRITE); schedule(s, 1)\n"
        "with s.transaction():\n    schedule(s, *range(2, 3000)); wait()\n"
        "print('done', flush=True); sys.stdin.readline()"
    )
    writer = process(code, tmp_path)
    with opened(tmp_path, Mode.READ) as first, opened(tmp_path, Mode.READ) as second:
        assert sorted(first.rows_for("default", range(3_000))) == [1]
        assert sorted(second.rows_for("default", range(3_000))) == [1]
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
        assert writer.stdout.readline() == "done\n"
        assert sorted(first.rows_for("default", range(3_000))) == [1]
        first.refresh()
        assert len(first.rows_for("default", range(3_000))) == 2_999
        assert sorted(second.rows_for("default", range(3_000))) == [1]
    kill(writer)


def test_writer_outlives_its_readers(tmp_path: Path) -> None:
    """A snapshot that stays open does not keep a writer from committing."""
    with opened(tmp_path) as writer:
        writer.save_account(an_account(), now=NOW)
        with opened(tmp_path, Mode.READ) as reader:
            assert reader.meta.serial == 0
            for _ in range(5):
                writer.bump_serial()
            assert reader.meta.serial == 0
        with opened(tmp_path, Mode.READ) as reader:
            assert reader.meta.serial == 5


def test_second_writer_without_the_lock(tmp_path: Path) -> None:
    """Two transactions at once, which the writer lock prevents, end in an error and not in a mixture."""
    with opened(tmp_path) as one, opened(tmp_path, Mode.WRITE) as two:
        two._connection.exec_driver_sql("PRAGMA busy_timeout = 1")
        one.save_account(an_account(), now=NOW)
        with one.transaction():
            schedule(one, 1)
            with pytest.raises(StateLocked):
                two.bump_serial()
        assert two.bump_serial() == 1
        assert len(two.rows_for("default", [1])) == 1


def test_transactions_do_not_nest(tmp_path: Path) -> None:
    """A transaction within another would promise what it cannot keep."""
    with opened(tmp_path) as state, state.transaction(), pytest.raises(RuntimeError), state.transaction():
        pass


def test_errors_within_a_transaction_undo_all_of_it(tmp_path: Path) -> None:
    """After an error of the store itself, nothing of the transaction is left and the state is usable."""
    with opened(tmp_path) as state:
        state.save_account(an_account(), now=NOW)

        def attempt() -> None:
            with state.transaction():
                schedule(state, 1)
                state.skip(999, now=NOW, actor="support")

        with pytest.raises(StateError, match="no invitation 999"):
            attempt()
        assert state.counts() == {}
        assert schedule(state, 1)
