"""Opt-outs that reach rows whose orders did not come by: in the plan, and done as planned."""

from __future__ import annotations

import pytest
from support_loop import DAY, NOW, account, order

from ekomi_reconcile.plan.plan import Scope
from ekomi_reconcile.render.plan_text import plan_text
from ekomi_reconcile.render.tables import Paint


@pytest.fixture
def shop(loop):
    """Orders 1 and 2 wait with one account, order 3 with another."""
    loop.write_project(privacy={"suppress": "suppressed.txt"})
    out(loop)
    loop.write_accounts([account("9", store_views=["de"]), account("10", store_views=["at"])])
    loop.write_orders([order(1, reached=1), order(2, reached=1), order(3, reached=1, store_code="at")])
    loop.apply()
    return loop


def out(loop, *keys):
    """The customers of these orders, and nobody else, opted out."""
    text = "".join(f"customer-{key}@example.com\n" for key in keys)
    (loop.root / "suppressed.txt").write_text(text)


def steps(made):
    """Order and reason of every cancellation."""
    return sorted((step.order_id, step.reason) for step in made.invitations.cancel)


def cancelled(loop):
    """The orders of cancelled rows, with the reason."""
    return sorted((row.order_id, row.reason) for row in loop.rows() if row.status.value == "cancelled")


def test_the_plan_shows_and_apply_does_it(shop):
    """One step per waiting row; afterwards there is nothing left to do."""
    out(shop, 1, 3)
    made = shop.plan()
    assert steps(made) == [(1, "suppressed"), (3, "suppressed")]
    assert made.summary.cancel == 2
    assert not made.changes_present
    assert "000000001   cancelled: suppressed" in plan_text(made, Paint(False))
    _, result = shop.apply(made=made)
    assert result.succeeded
    assert cancelled(shop) == steps(made)
    assert shop.plan().empty


def test_an_order_that_comes_by_as_well_is_cancelled_once(shop):
    """Read again because its rule changed, and found in the list."""
    out(shop, 1)
    shop.write_accounts(
        [account("9", store_views=["de"], pending_period=6), account("10", store_views=["at"])]
    )
    made = shop.plan()
    assert steps(made) == [(1, "suppressed")]
    assert [step.order_id for step in made.invitations.reschedule] == [2]


def test_what_is_due_and_cancelled_is_not_sent(shop, sandbox):
    """The plan does not promise a request that the second look would stop."""
    out(shop, 1)
    made, _ = shop.apply(NOW + 5 * DAY)
    assert sorted(step.order_id for step in made.invitations.send) == [2, 3]
    sent = sorted(each.transaction_id for each in sandbox.world.outbox.entries())
    assert sent == ["000000002", "000000003"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("hindrance", ["held", "unread", "order on hold"])
def test_rows_that_only_wait_are_reached_too(shop, hindrance):
    """A disabled account, an order source that is away, an order on hold: the customer said no."""
    out(shop, 1)
    if hindrance == "held":
        shop.write_accounts([account("9", store_views=["de"], enabled=False)])
    elif hindrance == "unread":
        (shop.root / "orders.jsonl").unlink()
    else:
        shop.append_orders([order(1, reached=0, state="holded", status="holded")])
    shop.apply()
    assert (1, "suppressed") in cancelled(shop)


def test_a_partial_plan_cancels_only_what_it_is_about(shop):
    """``--target`` leaves the rows of other accounts to the next run."""
    out(shop, 1, 3)
    assert steps(shop.plan(scope=Scope(targets=("Account 9",)))) == [(1, "suppressed")]
    assert steps(shop.plan(scope=Scope(refresh_only=True))) == []


def test_an_order_with_another_address_now_is_asked_there(shop):
    """The row goes with the customer who opted out, and comes back for the one who did not."""
    out(shop, 1)
    shop.append_orders(
        [order(1, reached=1, customer_email="other@example.com", updated_at="2025-11-23 00:00:00")]
    )
    made, _ = shop.apply()
    assert steps(made) == [(1, "suppressed")]
    assert [step.order_id for step in made.invitations.schedule] == [1]
    assert cancelled(shop) == []
    assert shop.plan().empty


def test_a_run_forgets_statuses_that_no_rule_can_use(loop):
    """Older than age limit and pending period of every enabled account; with no age limit all are kept."""
    loop.write_accounts([account("9")])
    loop.write_orders([order(1, state="processing", status="processing")])
    loop.apply()
    late = NOW + 36 * DAY
    for limit, left in ((0, [1]), (30, [])):
        loop.write_accounts([account("9", skip_orders_older_than=limit)])
        loop.apply(late)
        with loop.state() as state:
            assert sorted(state.queue.observations("default", [1])) == left
