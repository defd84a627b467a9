"""The limit per customer right before sending: delays, pushes, holds, stopped accounts, other runners."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support_loop import DAY, NOW, account, order

from ekomi_reconcile.apply.executor import execute
from ekomi_reconcile.apply.run_control import StopSignal
from ekomi_reconcile.model.account import AccountStop
from ekomi_reconcile.model.invitation import SendOutcome, Status
from ekomi_reconcile.model.run import Done, Started, Work
from ekomi_reconcile.plan.plan import Scope
from ekomi_reconcile.reconcile.planning import make_context, make_plan, read_passwords
from ekomi_reconcile.reconcile.sources import Sources

FIRST = NOW + 1 * DAY
"""When the first invitation of the customer is due; with a pending period of 5 days."""


def bought(key, *, after=0.0, **values):
    """An order of the customer, due so many days after ``FIRST``."""
    return order(key, reached=4 - after, **{"customer_email": "Anna@example.com", **values})


def limited(loop, *orders, count=1, days=3):
    """A project whose state has these orders in its queue, all pending."""
    loop.write_project(privacy={"max_per_customer": {"count": count, "days": days}})
    loop.write_accounts([account("9", store_views=["de"]), account("10", store_views=["at"])])
    loop.write_orders(orders)
    loop.apply(sending=False)
    assert {row.status for row in loop.rows()} == {Status.PENDING}
    assert len(loop.rows()) == len(orders)
    return loop


def ends(loop):
    """Order id to what became of it, with the reason where it was cancelled."""
    found = {row.order_id: (row.status.value, row.reason) for row in loop.rows()}
    return {key: why if status == "cancelled" else status for key, (status, why) in found.items()}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("store", ["de", "at"], ids=["one account", "two accounts"])
@pytest.mark.parametrize(("count", "sent"), [(1, {2}), (2, {2, 3})])
def test_after_an_outage_the_earliest_leave(loop, sandbox, store, count, sent):
    """Of invitations that were days apart and are due at once, as many as allowed leave, by their time."""
    limited(loop, bought(2), bought(1, after=3.9, store_code=store), bought(3, after=3.5), count=2)
    loop.write_project(privacy={"max_per_customer": {"count": count, "days": 3}})
    _, result = loop.apply(NOW + 30 * DAY)
    assert ends(loop) == {key: "sent" if key in sent else "suppressed" for key in (1, 2, 3)}
    assert result.counts[Done.CANCELLED] == 3 - count
    assert len(sandbox.world.outbox.entries()) == count


@pytest.mark.sampled(2)
@pytest.mark.parametrize(("off", "end"), [(-1, "suppressed"), (0, "sent"), (1, "sent")])
def test_the_days_count_from_when_it_was_sent(loop, off, end):
    """One second less than the days after the late first request is too soon, exactly the days is not."""
    limited(loop, bought(1), bought(2, after=3))
    late = FIRST + 5_000
    loop.apply(late)
    loop.apply(late + 3 * DAY + off)
    assert ends(loop) == {1: "sent", 2: end}


@pytest.mark.parametrize(("days_later", "end"), [(1, "suppressed"), (3, "sent")])
def test_a_push_does_not_get_round_the_limit(loop, days_later, end):
    """A pushed invitation is judged like any other when its turn comes."""
    limited(loop, bought(1), bought(2, after=3.9))
    loop.apply(FIRST)
    with loop.state() as state:
        (row,) = [row for row in state.invitations.search() if row.order_id == 2]
        state.invitations.push(row.id, now=FIRST + 1, actor="support")
    loop.apply(FIRST + days_later * DAY)
    assert ends(loop) == {1: "sent", 2: end}


def test_one_that_may_have_been_sent_counts(loop):
    """A call without a known end may have reached the customer."""
    limited(loop, bought(1), bought(2, after=3))
    with loop.state() as state:
        (row,) = [row for row in state.invitations.search() if row.order_id == 1]
        state.sending.claim([row.id], now=FIRST + 2 * DAY)
        state.sending.settle([SendOutcome(id=row.id, status=Status.UNKNOWN, at=FIRST + 2 * DAY)])
    loop.apply(FIRST + 4 * DAY)
    assert ends(loop) == {1: "unknown", 2: "suppressed"}


def test_one_on_hold_stands_in_nobodys_way(loop):
    """What waits for its order does not count; released, it is the one too many."""
    held = {"state": "holded", "status": "holded"}
    limited(loop, bought(1), bought(2, after=3))
    loop.append_orders([bought(1, **held)])
    loop.apply(FIRST + 4 * DAY)
    assert ends(loop) == {1: "pending", 2: "sent"}
    loop.append_orders([bought(1, after=1)])
    loop.apply(FIRST + 5 * DAY)
    assert ends(loop) == {1: "suppressed", 2: "sent"}


def test_one_of_a_refused_account_stands_in_nobodys_way(loop, sandbox):
    """An account that eKomi refuses sends nothing, so the invitation of the other account leaves."""
    limited(loop, order(9, reached=5), bought(1), bought(2, after=3, store_code="at"))
    sandbox.world.shops["9"].password = "another"
    with loop.state() as state:
        stop = AccountStop(interface_id="9", refusal="quota", message="quota", since=NOW)
        state.refusals.stop(stop, refused=[])
    loop.apply(FIRST + 4 * DAY)
    assert ends(loop) == {9: "pending", 1: "pending", 2: "sent"}


def test_what_another_runner_sent_meanwhile_counts(loop, sandbox):
    """A request that was made after the look at the orders, and before the claim, is not overlooked."""
    limited(loop, order(9, reached=5), bought(1), bought(2, after=3))
    now = FIRST
    configuration = loop.configuration()
    with loop.state() as state, Sources(configuration) as sources:
        later = next(row.id for row in state.invitations.search() if row.order_id == 2)

        def other_runner(event):
            if (
                isinstance(event, Started)
                and event.task.work is Work.SEND
                and state.queue.still_pending([later])
            ):
                state.sending.claim([later], now=now)
                state.sending.settle([SendOutcome(id=later, status=Status.SENT, at=now)])

        passwords = read_passwords(configuration, state)
        made = make_plan(configuration, state, sources=sources, scope=Scope(), now=now, passwords=passwords)
        context = make_context(
            configuration, state, sources=sources, passwords=passwords, stop=StopSignal(), clock=lambda: now
        )
        with context.clients:
            execute(replace(context, parallelism=1, listen=other_runner), made)
    assert ends(loop) == {9: "sent", 1: "suppressed", 2: "sent"}
