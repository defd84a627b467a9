"""Chaos: a pooler that dies, and a standby that is promoted without the last seconds. Set SLOW_TESTS=1.

``SLOW_TESTS=1 python -m pytest tests/crash/test_crash_failover.py -s`` runs them and prints the figures.
"""

import random
import time

import pytest
from crash_support import check_exactly_once, finish, serving, started, statuses, two_accounts
from pooler_support import running_pooler
from state_server import standby_of

pytestmark = pytest.mark.slow

LOST_SECONDS = 5
APPLY = ("apply", "--auto-approve", "--lock-timeout", "60s")


def _sends_some(process, gate, count):
    """Come back when so many more requests have arrived, or it has ended; does it still run?"""
    goal = len(gate.outbox()) + count
    while len(gate.outbox()) < goal and process.poll() is None:
        time.sleep(0.01)
    return process.poll() is None


def test_kills_behind_a_pooler_lose_and_repeat_nothing(shared, gate, server, monkeypatch):
    """Runners and PgBouncer in session mode are killed over and over; no order is lost or repeated."""
    dice = random.Random(1)
    expected = two_accounts(shared, 400)
    gate.pace = 0.05
    kills = poolers = 0
    while kills < 15:
        with running_pooler(server, "session") as pooler:
            monkeypatch.setenv("STATE_URL", pooler.url(schema=shared.schema))
            for turn in range(6):
                with started(shared, *APPLY) as process:
                    kills += _sends_some(process, gate, dice.randint(1, 12))
                    if turn == 5:
                        pooler.process.kill()
                        poolers += 1
                shared.let_leases_end()
        gate.restart()
    monkeypatch.setenv("STATE_URL", server.url(schema=shared.schema))
    finish(shared)
    check_exactly_once(shared, gate.outbox(), expected)
    print(f"\n{kills} runners and {poolers} poolers killed, 400 orders: {dict(statuses(shared))}")


def test_a_standby_that_lost_seconds_invites_nobody_twice(shared, gate, server, monkeypatch):
    """A service sends while replication stands still for 5 seconds; then the standby is all there is."""
    expected = two_accounts(shared, 400)
    gate.pace = 0.05
    with standby_of(server) as standby:
        monkeypatch.setenv("STATE_URL", server.url(schema=shared.schema))
        before = 0
        with serving(shared) as service:
            while len(gate.outbox()) < 60:
                time.sleep(0.02)
            standby.stop_following()
            began, before = time.time(), len(gate.outbox())
            while time.time() < began + LOST_SECONDS:
                time.sleep(0.05)
            service.process.kill()
        lost = len(gate.outbox()) - before
        standby.promote()
        monkeypatch.setenv("STATE_URL", standby.url(schema=shared.schema))
        survivor = shared.on(standby)
        survivor.let_leases_end()
        assert survivor.cli("apply", "--auto-approve", "--no-send") == 0
        assert survivor.cli("state", "accept-loss", "--since", f"{LOST_SECONDS + 30}s", "--auto-approve") == 0
        finish(survivor)
        check_exactly_once(survivor, gate.outbox(), expected)
        print(f"\n{before} invitations sent before, {lost} in the lost seconds: {dict(statuses(survivor))}")
