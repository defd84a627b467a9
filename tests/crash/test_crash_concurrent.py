"""Several runs at once on one state file: one writes, the others wait or go away."""

import re

import pytest
from crash_support import (
    NOW_DUE,
    PATIENCE,
    check_exactly_once,
    gated_settings,
    started,
    statuses,
    two_accounts,
)
from project_support import order

from ekomi_reconcile.sandbox.shops import Fault


@pytest.mark.slow
def test_four_runs_at_once_send_each_order_once(anywhere, gate):
    """On a file one sends, on PostgreSQL they share; all four succeed, each order reached eKomi once."""
    anywhere.settings(gated_settings(gate))
    two_accounts(anywhere, 0)
    assert anywhere.cli("apply", "--auto-approve") == 0
    expected = two_accounts(anywhere, 60)
    gate.hold(passing=1)
    arguments = ("apply", "--auto-approve", "--lock-timeout", "60s")
    with (
        started(anywhere, *arguments) as first,
        started(anywhere, *arguments) as second,
        started(anywhere, *arguments) as third,
        started(anywhere, *arguments) as fourth,
    ):
        for _ in range(4 if anywhere.server is None else 5):  # one runner has four calls in flight at most
            gate.held(first)
        gate.release()
        ended = [
            (*each.communicate(timeout=PATIENCE), each.returncode) for each in (first, second, third, fourth)
        ]
    assert [code for *_, code in ended] == [0] * 4, ended
    shares = [int(re.search(r"\b(\d+) sent", out)[1]) for out, *_ in ended]
    assert sum(shares) == 60
    assert (max(shares) == 60) == (anywhere.server is None)
    check_exactly_once(anywhere, gate.outbox(), expected)
    assert statuses(anywhere) == {"sent": 60}


@pytest.mark.sampled(2)
def test_first_runs_at_once_begin_one_state(anywhere, gate):
    """One makes the state; a run that planned without it is stale or sends along; no order goes out twice."""
    anywhere.settings(gated_settings(gate))
    expected = two_accounts(anywhere, 12)
    arguments = ("apply", "--auto-approve", "--lock-timeout", "60s")
    with started(anywhere, *arguments) as first, started(anywhere, *arguments) as second:
        ended = [(*each.communicate(timeout=PATIENCE), each.returncode) for each in (first, second)]
    codes = [code for *_, code in ended]
    assert 0 in codes, ended
    assert all(
        "the plan is stale: it was made before there was a state" in errors
        for _, errors, code in ended
        if code
    )
    check_exactly_once(anywhere, gate.outbox(), expected)
    assert statuses(anywhere) == {"sent": 12}


@pytest.mark.slow
def test_a_second_run_says_who_holds_the_lock(gated, gate, capsys):
    """Without --lock-timeout it ends with 1 and names operation and process; plan goes on regardless."""
    expected = two_accounts(gated, 6)
    gate.hold()
    with started(gated, "apply", "--auto-approve") as first:
        gate.held(first)
        assert gated.cli("apply", "--auto-approve") == 1
        error = capsys.readouterr().err
        assert "apply by" in error
        assert f"process {first.pid}" in error
        capsys.readouterr()
        assert gated.cli("plan") == 0
        assert "may have been sent" not in capsys.readouterr().out
        gate.release()
        first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    check_exactly_once(gated, gate.outbox(), expected)


@pytest.mark.slow
def test_a_plan_warns_of_dead_runners_only(shared, gate, capsys):
    """On PostgreSQL rows of a runner that gives signs of life are no doubt; once it has died they are."""
    shared.settings(gated_settings(gate))
    two_accounts(shared, 6)
    gate.hold()
    with started(shared, "apply", "--auto-approve") as first:
        for _ in range(4):
            gate.held(first)
        assert shared.cli("plan") == 0
        assert "may have been sent" not in capsys.readouterr().out
        first.kill()
        first.wait()
    shared.let_leases_end()
    assert shared.cli("plan") == 0
    assert "4 invitation(s) with unknown outcome: they may have been sent" in capsys.readouterr().out


@pytest.mark.slow
def test_overlapping_runs_send_one_probe(shared, gate):
    """While one run tries a stopped account, another sends nothing of it and says why; later runs try it."""
    shared.settings(gated_settings(gate, parallelism=1))
    shared.account("Germany", "28374", NOW_DUE)
    shared.orders(order(number) for number in range(1, 10))
    gate.world.fault(Fault(match="add-recipient", kind="quota"))
    assert shared.cli("apply", "--auto-approve") == 1
    asked = gate.world.requests.of("add-recipient", "28374")
    gate.hold()
    with started(shared, "apply", "--auto-approve") as first:
        gate.held(first)
        with started(shared, "apply", "--auto-approve") as second:
            told, errors = second.communicate(timeout=PATIENCE)
        assert (second.returncode, "another run is trying it" in told) == (1, True), (told, errors)
        gate.release()
        first.communicate(timeout=PATIENCE)
    assert gate.world.requests.of("add-recipient", "28374") == asked + 1
    assert statuses(shared) == {"pending": 9}
    assert shared.cli("apply", "--auto-approve") == 1
    assert gate.world.requests.of("add-recipient", "28374") == asked + 2
