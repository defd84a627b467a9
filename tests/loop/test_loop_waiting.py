"""Due invitations whose order is on hold, or no longer there: they wait, and are not tried in every run."""

from __future__ import annotations

import json

import pytest
from support_loop import DAY, NOW, Loop, account, order, shops

from ekomi_reconcile.model.invitation import Status

HELD = {"state": "holded", "status": "holded"}


@pytest.fixture
def loop(tmp_path, sandbox) -> Loop:
    """Two due invitations."""
    shops(sandbox)
    made = Loop(tmp_path, sandbox)
    made.write_accounts([account("9", skip_orders_older_than=0)])
    made.write_orders([order(1), order(2)])
    made.apply(sending=False)
    return made


def figures(plan):
    """How many to send and to wait."""
    return plan.summary.send, plan.summary.waiting


def sent(sandbox):
    return [each.transaction_id for each in sandbox.world.outbox.entries()]


@pytest.mark.parametrize("known", ["by the plan", "by the re-check"])
def test_an_order_on_hold_is_waiting_until_it_is_released(loop, sandbox, known):
    """It counts as waiting in every plan, is not tried again, and is sent once the hold is lifted."""
    saved = loop.plan() if known == "by the re-check" else None
    loop.write_orders([order(1, **HELD), order(2)])
    if saved is None:
        assert figures(loop.plan()) == (1, 1)
    loop.apply(made=saved)
    assert sent(sandbox) == ["000000002"]
    for days in (0, 1, 40):
        plan, result = loop.apply(now=NOW + days * DAY)
        assert figures(plan) == (0, 1)
        assert plan.empty or days
        assert result.succeeded
    loop.write_orders([order(1), order(2)])
    assert figures(loop.plan()) == (1, 0)
    loop.apply()
    assert sorted(sent(sandbox)) == ["000000001", "000000002"]


def test_plans_show_what_waits(loop):
    """In the text, short and long, and in the JSON plan."""
    loop.write_orders([order(1, **HELD), order(2, **HELD)])
    loop.apply()
    for options in ([], ["--concise"]):
        _, out, _ = loop.command("plan", *options)
        assert "2 waiting" in out
    _, out, _ = loop.command("plan", "--format", "json")
    made = json.loads(out)
    assert (made["summary"]["waiting"], made["summary"]["send"]) == (2, 0)
    assert made["invitations"]["waiting"] == 2


def test_an_order_that_is_gone_waits_30_days_and_is_cancelled(loop, sandbox):
    """The plan names it meanwhile; it is not looked for in every run; only retry revives it."""
    loop.write_orders([order(2)])
    loop.apply()
    assert sent(sandbox) == ["000000002"]
    plan = loop.plan(now=NOW + 29 * DAY)
    assert figures(plan) == (0, 1)
    (warning,) = [each for each in plan.diagnostics if each.rule == "order-missing"]
    assert "1 due invitation(s) (000000001)" in warning.message
    loop.apply(now=NOW + 30 * DAY)
    row = next(row for row in loop.rows() if row.order_id == 1)
    assert (row.status, row.reason) == (Status.CANCELLED, "order_gone")
    loop.write_orders([order(1), order(2)])
    assert len(loop.plan(now=NOW + 31 * DAY).invitations.schedule) == 0
    with loop.state() as state, state.transaction():
        state.invitations.retry(row.id, now=NOW + 31 * DAY, actor="kim")
    loop.apply(now=NOW + 32 * DAY)
    loop.apply(now=NOW + 32 * DAY)
    assert sorted(sent(sandbox)) == ["000000001", "000000002"]


def test_an_order_that_comes_back_in_time_is_sent(loop, sandbox):
    """A rolling export that held it back for a while loses nothing."""
    loop.write_orders([order(2)])
    loop.apply()
    loop.write_orders([order(1), order(2)])
    loop.apply(now=NOW + 29 * DAY)
    assert sorted(sent(sandbox)) == ["000000001", "000000002"]
    assert not [each for each in loop.plan().diagnostics if each.rule == "order-missing"]


def test_an_order_that_cannot_be_read_is_not_gone(loop, sandbox):
    """A faulty record is there: its invitation stays as it is, for as long as it takes."""
    loop.write_orders([order(1, total_refunded="much"), order(2)])
    loop.apply()
    loop.apply(now=NOW + 40 * DAY)
    row = next(row for row in loop.rows() if row.order_id == 1)
    assert row.status is Status.PENDING
    assert not [each for each in loop.plan().diagnostics if each.rule == "order-missing"]


def test_a_source_that_cannot_be_read_loses_no_order(loop):
    """A missing file is an error of its own, and says nothing about its orders."""
    saved = loop.plan()
    (loop.root / "orders.jsonl").unlink()
    loop.apply(made=saved)
    loop.write_orders([order(1), order(2)])
    assert figures(loop.plan(now=NOW + 40 * DAY)) == (2, 0)
