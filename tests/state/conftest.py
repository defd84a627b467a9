"""The state under test: every kind of store must pass the same tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from state_support import NOW, an_account, opened

from ekomi_reconcile.state.store import State


@pytest.fixture(params=["sqlite"])
def state(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[State]:
    """A new state with the live accounts 1 and 2; another kind of store is another parameter here."""
    with opened(tmp_path) as new:
        new.save_account(an_account("1"), now=NOW)
        new.save_account(an_account("2"), now=NOW)
        yield new
