"""Order sources under another name, and names that lead to another shop: nobody is invited again."""

from __future__ import annotations

import sqlite3

import pytest
from support_loop import DAY, NOW, account, order, text

from ekomi_reconcile.model.errors import PlanError
from ekomi_reconcile.model.invitation import Status

FILE = {"file": "orders.jsonl"}
NAMED = {"eu": FILE}
ORDERS = [order(key, age=10 + key) for key in (1, 2, 3, 4)]


def start(loop, *, documents=None) -> None:
    """Four orders of the source ``default``: two were invited, two are pending."""
    loop.write_project(orders=FILE)
    loop.write_accounts(documents or [account("9")])
    loop.write_orders([*ORDERS[:2], *(each | {"updated_at": text(NOW)} for each in ORDERS[2:])])
    loop.apply()
    assert sorted(row.status for row in loop.rows()) == ["pending", "pending", "sent", "sent"]


def requests(sandbox) -> int:
    """How often eKomi was asked to invite somebody."""
    return sum(each.requests for each in sandbox.world.outbox.entries())


def test_a_renamed_source_stops_until_the_state_knows_its_new_name(loop, sandbox):
    """plan, apply, run and doctor name the command; after it everything goes on where it was."""
    start(loop)
    loop.write_project(orders=NAMED)
    loop.write_accounts([account("9", orders="eu")])
    with pytest.raises(PlanError) as stopped:
        loop.plan()
    assert "state mv-source default eu" in (stopped.value.hint or "")
    for command in (["plan"], ["plan", "--refresh-only"], ["apply", "--auto-approve"]):
        assert loop.command(*command)[0] == 1
    assert "mv-source default eu" in loop.command("doctor", "--offline")[1]
    assert loop.command("state", "mv-source", "default", "eu", "--dry-run")[0] == 0
    assert {row.source for row in loop.rows()} == {"default"}
    assert loop.command("state", "mv-source", "default", "eu")[0] == 0
    plan, _ = loop.apply(NOW + 20 * DAY)
    assert len(plan.invitations.schedule) == 0
    assert {(row.source, row.status) for row in loop.rows()} == {("eu", "sent")}
    assert requests(sandbox) == 4


def test_a_renamed_source_without_the_command_invites_nobody_twice(loop, sandbox):
    """Even where its account was replaced by another one at the same time, so that nothing stops the run."""
    start(loop)
    loop.write_project(orders=NAMED)
    loop.write_accounts([account("10", orders="eu", pending_period=0)])
    loop.apply(NOW)
    assert requests(sandbox) == 4
    assert sorted(row.number for row in loop.rows() if row.status is Status.SENT) == [
        each["increment_id"] for each in ORDERS
    ]


def test_a_shop_that_is_closed_can_be_removed(loop):
    """Its accounts are deleted with it: then nothing looks new."""
    start(loop)
    loop.write_project(orders=NAMED)
    loop.write_accounts([])
    plan, result = loop.apply()
    assert (plan.summary.destroy, result.succeeded) == (1, True)


def test_an_account_that_moved_to_another_shop_lets_go_of_the_old_one(loop):
    """Once it was evaluated there, the name of the old source may go."""
    start(loop)
    loop.write_project(orders={"default": FILE, "us": {"file": "us.jsonl"}})
    loop.write_orders([order(50)], "us.jsonl")
    loop.write_accounts([account("9", orders="us")])
    loop.apply()
    loop.write_project(orders={"us": {"file": "us.jsonl"}})
    assert loop.plan().complete


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("default", "us", "defines no order source us"),
        ("eu", "eu", "still defines the order source eu"),
        ("shop", "eu", "nothing is recorded for the order source shop"),
    ],
)
def test_what_cannot_be_renamed_is_refused(loop, old, new, said):
    """Names that the project file or the state does not know, and two sources that would become one."""
    start(loop)
    loop.write_project(orders=NAMED)
    loop.write_accounts([account("9", orders="eu")])
    code, _, err = loop.command("state", "mv-source", old, new)
    assert (code, said in err) == (1, True)
    assert {row.source for row in loop.rows()} == {"default"}


def test_orders_with_invitations_under_both_names_keep_one(loop):
    """Whoever went on under the new name first: what was sent stays, what is pending goes."""
    start(loop)
    with loop.state() as state, state.transaction():
        before = {row.order_id: row.status for row in state.invitations.search()}
    loop.write_project(orders=NAMED)
    loop.write_accounts([account("9", orders="eu")])
    copy(loop, "eu")
    assert len(loop.rows()) == 8
    assert loop.command("state", "mv-source", "default", "eu")[0] == 0
    assert {row.order_id: (row.source, row.status) for row in loop.rows()} == {
        key: ("eu", status) for key, status in before.items()
    }
    with loop.state() as state:
        assert {row.source for row in state.invitations.search()} == {"eu"}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_order_with_another_number_than_scheduled_is_not_sent(loop, sandbox, count):
    """It stays pending and the run fails, under neither number; put right, all seven are sent."""
    orders = [order(key, age=10 + key) for key in range(1, 8)]
    loop.write_accounts([account("9", pending_period=30)])
    loop.write_orders(orders)
    loop.apply()
    changed = [each | {"increment_id": f"7{each['increment_id']}"} for each in orders[:count]]
    loop.write_orders([*changed, *orders[count:]])
    plan, result = loop.apply(NOW + 40 * DAY)
    pending = {row.order_id for row in loop.rows() if row.status is Status.PENDING}
    assert pending >= {each["entity_id"] for each in changed}
    assert not (plan.complete and result.succeeded)
    asked = {each.transaction_id for each in sandbox.world.outbox.entries()}
    assert asked.isdisjoint({each["increment_id"] for each in (*changed, *orders[:count])})
    loop.write_orders(orders)
    loop.apply(NOW + 41 * DAY)
    assert {row.status for row in loop.rows()} == {Status.SENT}
    assert requests(sandbox) == 7


@pytest.mark.sampled(4)
@pytest.mark.parametrize("change", ["number", "date", "both"])
@pytest.mark.parametrize("count", [2, 3, 4])
def test_a_source_that_leads_to_another_shop_is_refused(loop, sandbox, change, count):
    """Three or more known ids that stand for other orders: nothing is scheduled or sent from it."""
    start(loop)
    other = {
        "number": {"increment_id": "7"},
        "date": {"created_at": text(NOW - 15 * DAY)},
        "both": {"increment_id": "7", "created_at": text(NOW - 15 * DAY)},
    }[change]
    lines = [each | other | {"increment_id": f"7{each['increment_id']}"} for each in ORDERS[:count]]
    if change == "date":
        lines = [each | other for each in ORDERS[:count]]
    loop.write_orders([*lines, *ORDERS[count:], order(60)])
    plan, _ = loop.apply(NOW + 20 * DAY)
    found = [each for each in plan.diagnostics if each.rule == "orders-unreadable"]
    if count < 3:
        assert plan.complete
        return
    assert "another shop" in found[0].message
    assert (plan.complete, len(plan.invitations.schedule)) == (False, 0)
    assert requests(sandbox) == 2


def copy(loop, source) -> None:
    """Record the same invitations under another name of the source as pending, as an older version did."""
    columns = (
        "account_id, number, store_view, order_date, reached_at, reached_status, reached_source, judged_at,"
        " scheduled_at, changed_at"
    )
    with sqlite3.connect(loop.root / "state.db") as database:
        database.execute(
            f"INSERT INTO invitation (source, order_id, status, {columns}) "
            f"SELECT ?, order_id, 'pending', {columns} FROM invitation",
            (source,),
        )
    database.close()
