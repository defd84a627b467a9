"""Runs are killed while they send: around the recording of a request, and at random instants."""

import json
import random
import subprocess

import pytest
from crash_support import (
    PATIENCE,
    check_exactly_once,
    finish,
    gated_settings,
    numbers,
    started,
    statuses,
    two_accounts,
)

from ekomi_reconcile.sandbox.faults import Fault


def kill_at_request(project, gate, number, *, moment):
    """Run until add-recipient was called ``number`` times, then kill, before or after it is recorded."""
    gate.restart()
    with started(project, "apply", "--auto-approve") as process:

        def kill(seen):
            if seen != number:
                return False
            process.kill()
            process.wait()
            return True

        setattr(gate, moment, kill)
        process.communicate(timeout=PATIENCE)
    return process.returncode == -9


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_recording_leaves_only_what_was_in_flight_in_doubt(gated, gate, moment):
    """With one call at a time: exactly the row that was in flight is unknown, whether eKomi has it or not."""
    gated.settings(gated_settings(gate, parallelism=1))
    expected = two_accounts(gated, 8)
    assert kill_at_request(gated, gate, 3, moment=moment)
    assert statuses(gated.state) == {"sent": 2, "sending": 1, "pending": 5}
    assert len(gate.outbox()) == (2 if moment == "before" else 3)
    assert kill_at_request(gated, gate, 1, moment=moment)
    assert statuses(gated.state) == {"sent": 2, "sending": 1, "unknown": 1, "pending": 4}
    finish(gated)
    check_exactly_once(gated.state, gate.outbox(), expected)
    assert len(numbers(gated.state, "unknown")) == 2


def test_what_is_in_doubt_is_seen(gated, gate, capsys):
    """Before and after the next run, plan warns of it; after it the list of unknown rows names it."""
    gated.settings(gated_settings(gate, parallelism=1))
    two_accounts(gated, 3)
    assert kill_at_request(gated, gate, 2, moment="after")
    (doubtful,) = numbers(gated.state, "sending")
    capsys.readouterr()
    gated.cli("plan")
    assert "1 invitation(s) may have been sent" in capsys.readouterr().out
    gate.restart()
    assert gated.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    gated.cli("plan", "--format", "json")
    (warning,) = json.loads(capsys.readouterr().out)["diagnostics"]
    assert (warning["severity"], warning["rule"]) == ("warning", "outcome-unknown")
    gated.cli("invitations", "list", "--status", "unknown", "--format", "json")
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["order"], row["status"]) == (doubtful, "unknown")
    assert "killed" in row["reason"]


def test_a_link_in_doubt_is_asked_for_again(gated, gate):
    """Registering an order is idempotent: killed meanwhile, the next run repeats it and has the link."""
    expected = two_accounts(gated, 6)
    gated.account("Germany", "28374", "pending_period: 0\nstore_views: [de]\ndeliver: link")
    gate.world.fault(Fault(match="putOrder", kind="latency", seconds=PATIENCE))
    gate.hold()
    with started(gated, "apply", "--auto-approve") as process:
        gate.held(process)
        process.kill()
    doubtful = numbers(gated.state, "sending")
    linked = {f"{100_000_000 + number}" for number in (2, 4, 6)}
    assert len(doubtful & linked) == len(doubtful - linked) == 2
    gate.release()
    gate.world.faults.clear()
    finish(gated)
    check_exactly_once(gated.state, gate.outbox(), expected)
    assert numbers(gated.state, "unknown") == doubtful - linked


def storm(project, gate, *, kills, count, seed):
    """Kill ``kills`` runs at random while eKomi cuts 1 % and fails 2 %, then finish and check; the kills."""
    dice = random.Random(seed)
    for kind, status, share in (("cut_after", None, 0.01), ("status", 500, 0.01), ("status", 503, 0.01)):
        gate.world.fault(Fault(match="add-recipient", kind=kind, status=status, probability=share))
    expected = two_accounts(project, count)
    per_run, in_doubt, done = max(1, count // (2 * kills)), 0, 0
    while done < kills and len(gate.outbox()) < count:
        before = len(gate.outbox())
        if dice.random() < 0.6:
            hit = kill_at_request(
                project, gate, dice.randint(1, per_run), moment=dice.choice(["before", "after"])
            )
        else:
            hit = kill_after(project, gate, seconds=dice.uniform(0.3, 1.0))
        done += hit
        left = statuses(project.state)["sending"]
        assert left <= 4
        in_doubt += left
        assert len(gate.outbox()) >= before
    gate.restart()
    failed = sum(rule.struck for rule in gate.world.faults.rules())
    gate.world.faults.clear()
    finish(project)
    check_exactly_once(project.state, gate.outbox(), expected)
    assert len(numbers(project.state, "unknown")) <= in_doubt + failed
    return done


def kill_after(project, gate, *, seconds):
    """Kill a run so long after its start, unless it ends before."""
    gate.restart()
    with started(project, "apply", "--auto-approve") as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
        process.communicate(timeout=PATIENCE)
    return process.returncode == -9


def test_kills_at_random_instants_lose_and_repeat_nothing(gated, gate):
    """Five kills over 80 orders at a failing eKomi: each order once, or unknown."""
    assert storm(gated, gate, kills=5, count=80, seed=1) == 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 10))
def test_25_kills_over_400_orders_lose_and_repeat_nothing(gated, gate, seed):
    """The same for 25 kills over 400 orders, many times over."""
    assert storm(gated, gate, kills=25, count=400, seed=seed) == 25


def test_an_account_turned_into_links_does_not_repeat_a_request_in_doubt(gated, gate):
    """Killed while eKomi was asked to write, then changed to links: the row is unknown, not a link."""
    gated.settings(gated_settings(gate, parallelism=1))
    two_accounts(gated, 2)
    assert kill_at_request(gated, gate, 1, moment="after")
    (doubtful,) = numbers(gated.state, "sending")
    for name, key, view in (("Germany", "28374", "de"), ("France", "28375", "fr")):
        gated.account(name, key, f"pending_period: 0\nstore_views: [{view}]\ndeliver: link")
    gate.restart()
    assert gated.cli("apply", "--auto-approve") == 0
    assert numbers(gated.state, "unknown") == {doubtful}
    assert [each.requests for each in gate.world.outbox.entries() if each.transaction_id == doubtful] == [1]
