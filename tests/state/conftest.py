"""The state under test: every kind of store must pass the same tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from state_server import Server
from state_support import KEY, NOW, Store, an_account

from ekomi_reconcile.state.store import State

_NUMBERS = count(1)


@pytest.fixture(params=["sqlite", "postgres"])
def new_store(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Makes places without a state; another kind of store is another parameter here."""
    if request.param == "sqlite":
        return lambda: Store(f"state{next(_NUMBERS)}.db", tmp_path)
    server = request.getfixturevalue("server")
    return lambda: shared_store(server, tmp_path)


@pytest.fixture
def store(new_store: Callable[[], Store]) -> Store:
    """A place without a state."""
    return new_store()


@pytest.fixture
def shared(server: Server, tmp_path: Path) -> Store:
    """A place without a state on PostgreSQL."""
    return shared_store(server, tmp_path)


def shared_store(server: Server, root: Path) -> Store:
    """A schema of its own, which the state makes."""
    return Store(server.url(schema=f"t{next(_NUMBERS)}"), root, KEY)


@pytest.fixture
def state(store: Store) -> Iterator[State]:
    """A new state with the live accounts 1 and 2."""
    with store.opened() as new:
        new.accounts.save(an_account("1"), now=NOW)
        new.accounts.save(an_account("2"), now=NOW)
        yield new
