"""PgBouncer before the server: session mode is fine, the others are named and refused, and nothing leaks."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import psycopg
import pytest
from pooler_support import running_pooler
from state_server import Server
from state_support import KEY, NOW, Store, an_account, schedule

from ekomi_reconcile.model.errors import StateError, StateLocked
from ekomi_reconcile.model.invitation import SendOutcome, Status
from ekomi_reconcile.state.engine.runner import lock_holder
from ekomi_reconcile.state.opening import Mode

_NUMBERS = count(1)
IGNORES = "ignore_startup_parameters = options"
"""Many poolers are set up to drop what they do not know."""


@pytest.mark.parametrize("more", ["", IGNORES])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
def test_shared_connections_are_refused(server: Server, tmp_path: Path, mode: str, more: str) -> None:
    """Whatever is opened, the message names the mode and the way out; no table is made."""
    with running_pooler(server, mode, more=more) as pooler:
        schema = f"pool{next(_NUMBERS)}"
        store = Store(pooler.url(schema=schema), tmp_path, KEY)
        for attempt in (store.opened, lambda: store.opened(Mode.READ), store.lock().acquire):
            with pytest.raises(StateError, match="pooler in transaction or statement mode") as caught:
                attempt()
            assert "pool_mode = session" in str(caught.value.hint)
        found = server.run(f"SELECT count(*) FROM pg_tables WHERE schemaname = '{schema}'")
        assert found == [(0,)]


@pytest.mark.parametrize("more", ["", IGNORES])
def test_session_mode_is_fine(server: Server, tmp_path: Path, more: str) -> None:
    """A state behind a pool in session mode is made, locked, written and read as any other."""
    schema = f'pool{next(_NUMBERS)} "x"'
    with running_pooler(server, "session", more=more) as pooler:
        store = Store(pooler.url(schema=schema), tmp_path, KEY)
        with store.opened() as state, store.lock() as lock:
            state.session.guard_by(lock)
            state.accounts.save(an_account("1"), now=NOW)
            (key,) = schedule(state, 1).values()
            state.sending.claim([key], now=NOW)
            state.sending.settle([SendOutcome(id=key, status=Status.SENT, at=NOW)])
            assert lock_holder(store.place) == lock.info
            lock.verify()
            with pytest.raises(StateLocked):
                store.lock().acquire()
    direct = Store(server.url(schema=schema), tmp_path, KEY)
    with direct.opened(Mode.READ) as state:
        assert state.queue.counts() == {"1": {Status.SENT: 1}}


def test_no_setting_reaches_another_client(server: Server, tmp_path: Path) -> None:
    """Whoever gets our connection next, without a reset between, finds the settings of the server."""
    asked = (
        "SELECT name, setting FROM pg_settings WHERE source IN ('session', 'client') "
        "AND name NOT IN ('application_name', 'client_encoding')"
    )
    for mode in ("session", "transaction"):
        with running_pooler(server, mode, size=4, more="server_reset_query =") as pooler:
            with psycopg.connect(pooler.url(), autocommit=True) as connection:
                before = connection.execute(asked).fetchall()
            store = Store(pooler.url(schema=f"pool{next(_NUMBERS)}"), tmp_path, KEY)
            if mode == "session":
                with store.opened() as state, store.lock():
                    state.accounts.save(an_account("1"), now=NOW)
                    schedule(state, 1)
            else:
                with pytest.raises(StateError):
                    store.opened()
            others = [psycopg.connect(pooler.url(), autocommit=True) for _ in range(3)]
            for connection in others:
                assert connection.execute(asked).fetchall() == before
            for connection in others:
                connection.close()


def test_a_full_pool_in_session_mode_is_not_taken_for_a_shared_one(server: Server, tmp_path: Path) -> None:
    """The probe waits for a second connection only for a while."""
    with running_pooler(server, "session", size=1) as pooler:
        store = Store(pooler.url(schema=f"pool{next(_NUMBERS)}"), tmp_path, KEY)
        with store.opened() as state:
            state.accounts.save(an_account("1"), now=NOW)
        with store.opened(Mode.READ) as state:
            assert len(state.accounts.read()) == 1
