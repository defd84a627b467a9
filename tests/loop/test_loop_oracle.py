"""The queue after one run is what an independent reading of the rules says."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from support_loop import NOW, Loop, examples, shops
from support_loop_oracle import Row, first_apply
from support_loop_strategies import accounts, orders

ORDERS = st.lists(orders(), min_size=6, max_size=20)


def planned(made):
    """The rows that a plan schedules, by order id."""
    names = dict(made.names)
    steps = list(made.invitations.schedule)
    assert len({each.order_id for each in steps}) == len(steps)
    return {
        each.order_id: Row(names[each.interface_id], each.scheduled_at, each.reached_at, each.reached_source)
        for each in steps
    }


def reasons(outcome, names):
    """The oracle's counts, without accounts that refuse nothing."""
    return {name: outcome.not_invited[name] for name in names if outcome.not_invited.get(name)}


@given(accounts=accounts(), orders=ORDERS)
@examples(80)
def test_a_first_plan_schedules_what_the_rules_say(accounts, orders):
    """Account, order, time, evidence and the counts of reasons are those of the oracle."""
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder))
        loop.write_accounts(accounts)
        loop.write_orders(orders)
        made = loop.first_plan()
    expected = first_apply(accounts, orders, NOW)
    assert made.complete
    assert planned(made) == expected.queue
    assert made.invitations.not_invited == reasons(expected, [each["name"] for each in accounts])


@given(accounts=accounts(), orders=ORDERS)
@examples(15)
def test_the_queue_after_one_apply_is_what_the_rules_say(sandbox, accounts, orders):
    """What stands in the state after a real run, with a real eKomi, is what the oracle says."""
    shops(sandbox)
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder), sandbox)
        loop.write_accounts(accounts)
        loop.write_orders(orders)
        made, result = loop.apply(sending=False)
        rows, names = loop.rows(), loop.names()
    expected = first_apply(accounts, orders, NOW)
    assert result.succeeded, result.failures
    assert {
        row.order_id: Row(names[row.interface_id], row.scheduled_at, row.reached.at, row.reached.source.value)
        for row in rows
    } == expected.queue
    assert {row.status.value for row in rows} <= {"pending"}
    assert made.invitations.not_invited == reasons(expected, [each["name"] for each in accounts])


@given(accounts=accounts(), orders=ORDERS)
@examples(8)
def test_due_orders_are_asked_for_once(sandbox, accounts, orders):
    """A run sends exactly the due rows, through the right account, and the next runs nothing more."""
    shops(sandbox)
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(Path(folder), sandbox)
        loop.write_accounts(accounts)
        loop.write_orders(orders)
        loop.apply()
        loop.apply()
        rows, names = loop.rows(), loop.names()
    expected = first_apply(accounts, orders, NOW)
    due = {f"{key:09d}": row for key, row in expected.queue.items() if row.scheduled_at <= NOW}
    sent = {row.number: names[row.interface_id] for row in rows if row.status.value == "sent"}
    entries = sandbox.world.outbox.entries()
    assert sent == {number: row.account for number, row in due.items()}
    assert {each.transaction_id: f"Account {each.shop_id}" for each in entries} == sent
    assert [each.requests for each in entries] == [1] * len(entries)
