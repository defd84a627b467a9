"""Kills at random instants lose no order and repeat none, whoever shares the state."""

import pytest
from crash_storm import storm


@pytest.fixture
def runners(anywhere):
    """Who works on the state, by the door each goes through: one on a file, three on PostgreSQL."""
    if anywhere.server is None:
        return {"": anywhere}
    return {"": anywhere, "1": anywhere.twin(1), "2": anywhere.twin(2)}


@pytest.mark.slow
def test_a_dozen_kills_lose_and_repeat_nothing(runners, gate):
    """Each of 120 orders reached a failing eKomi once, or is unknown because it was in flight."""
    assert storm(runners, gate, kills=12, count=120, seed=1) >= 12


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
def test_25_kills_over_400_orders_lose_and_repeat_nothing(runners, gate, seed):
    """The same for 25 kills over 400 orders, many times over."""
    assert storm(runners, gate, kills=25, count=400, seed=seed) >= 25
