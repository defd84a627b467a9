"""Several runs at once on one state file: one writes, the others wait or go away."""

import re

from crash_support import PATIENCE, check_exactly_once, started, statuses, two_accounts


def test_four_runs_at_once_send_each_order_once(gated, gate):
    """All four wait for their turn with --lock-timeout and succeed; each order reached eKomi once."""
    expected = two_accounts(gated, 60)
    arguments = ("apply", "--auto-approve", "--lock-timeout", "60s")
    with (
        started(gated, *arguments) as first,
        started(gated, *arguments) as second,
        started(gated, *arguments) as third,
        started(gated, *arguments) as fourth,
    ):
        ended = [
            (*each.communicate(timeout=PATIENCE), each.returncode) for each in (first, second, third, fourth)
        ]
    assert [code for *_, code in ended] == [0] * 4, ended
    assert sum(bool(re.search(r"\b60 sent", out)) for out, *_ in ended) == 1
    check_exactly_once(gated.state, gate.outbox(), expected)
    assert statuses(gated.state) == {"sent": 60}


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
        assert gated.cli("plan") == 0
        gate.release()
        first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    check_exactly_once(gated.state, gate.outbox(), expected)
