"""Runs are killed while they send, right before or after a request is recorded."""

import json

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

from ekomi_reconcile.sandbox.shops import Fault


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


@pytest.mark.sampled(2)
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_recording_leaves_only_what_was_in_flight_in_doubt(gated, gate, moment):
    """With one call at a time: exactly the row that was in flight is unknown, whether eKomi has it or not."""
    gated.settings(gated_settings(gate, parallelism=1))
    expected = two_accounts(gated, 8)
    assert kill_at_request(gated, gate, 3, moment=moment)
    assert statuses(gated) == {"sent": 2, "sending": 1, "pending": 5}
    assert len(gate.outbox()) == (2 if moment == "before" else 3)
    assert kill_at_request(gated, gate, 1, moment=moment)
    assert statuses(gated) == {"sent": 2, "sending": 1, "unknown": 1, "pending": 4}
    finish(gated)
    check_exactly_once(gated, gate.outbox(), expected)
    assert len(numbers(gated, "unknown")) == 2


def test_what_is_in_doubt_is_seen(gated, gate, capsys):
    """Before and after the next run, plan warns of it; after it the list of unknown rows names it."""
    gated.settings(gated_settings(gate, parallelism=1))
    two_accounts(gated, 3)
    assert kill_at_request(gated, gate, 2, moment="after")
    (doubtful,) = numbers(gated, "sending")
    capsys.readouterr()
    gated.cli("plan")
    assert "they may have been sent" in capsys.readouterr().out
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
    doubtful = numbers(gated, "sending")
    linked = {f"{100_000_000 + number}" for number in (2, 4, 6)}
    assert len(doubtful & linked) == len(doubtful - linked) == 2
    gate.release()
    gate.world.faults.clear()
    finish(gated)
    check_exactly_once(gated, gate.outbox(), expected)
    assert numbers(gated, "unknown") == doubtful - linked


def test_an_account_turned_into_links_does_not_repeat_a_request_in_doubt(gated, gate):
    """Killed while eKomi was asked to write, then changed to links: the row is unknown, not a link."""
    gated.settings(gated_settings(gate, parallelism=1))
    two_accounts(gated, 2)
    assert kill_at_request(gated, gate, 1, moment="after")
    (doubtful,) = numbers(gated, "sending")
    for name, key, view in (("Germany", "28374", "de"), ("France", "28375", "fr")):
        gated.account(name, key, f"pending_period: 0\nstore_views: [{view}]\ndeliver: link")
    gate.restart()
    assert gated.cli("apply", "--auto-approve") == 0
    assert numbers(gated, "unknown") == {doubtful}
    assert [each.requests for each in gate.world.outbox.entries() if each.transaction_id == doubtful] == [1]
