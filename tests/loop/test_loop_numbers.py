"""One number at one interface is invited once: two stores with one number range, imports, renamed sources."""

from __future__ import annotations

import itertools
import sqlite3

import pytest
from support_loop import DAY, NOW, account, order, text

from ekomi_reconcile.model.invitation import Status

SHARED = "000000123"
FIRST = order(1, age=10, increment_id=SHARED, store_code="de")
SECOND = order(2, age=9, increment_id=SHARED, store_code="at")
TWIN = {**SECOND, "created_at": FIRST["created_at"]}
CLOSED = (Status.SENDING, Status.SENT, Status.SKIPPED, Status.FAILED, Status.UNKNOWN)
"""In one of these an invitation closes its order and its number."""


def found(loop) -> dict[int, str]:
    """Order ids with the statuses of their invitations."""
    return {row.order_id: row.status.value for row in loop.rows()}


def warned(plan) -> list[str]:
    """The messages about numbers."""
    return [each.message for each in plan.diagnostics if each.rule == "duplicate-number"]


@pytest.mark.parametrize("later", [SECOND, TWIN], ids=["later", "created in the same second"])
@pytest.mark.parametrize("turned", [False, True], ids=["in order", "the later one first"])
def test_of_two_orders_in_one_run_the_earlier_is_invited(loop, sandbox, later, turned):
    """One request goes out, for the earlier order; the other is counted and named, and nothing fails."""
    loop.write_accounts([account("9", pending_period=0)])
    loop.write_orders([later, FIRST] if turned else [FIRST, later])
    plan, result = loop.apply()
    assert (found(loop), result.succeeded, plan.complete) == ({1: "sent"}, True, True)
    assert plan.invitations.not_invited == {"Account 9": {"duplicate_number": 1}}
    (message,) = warned(plan)
    assert "order id 1 " in message
    assert "order id 2 " in message
    assert sum(each.requests for each in sandbox.world.outbox.entries()) == 1


@pytest.mark.sampled(2)
@pytest.mark.parametrize("status", [*CLOSED, Status.PENDING])
def test_an_order_that_comes_in_a_later_run_is_not_invited(loop, status):
    """Whatever became of the first order's invitation, as long as it is not cancelled."""
    loop.write_accounts([account("9", pending_period=20)])
    loop.write_orders([FIRST])
    loop.apply()
    force(loop, status)
    loop.append_orders([SECOND])
    plan, _ = loop.apply()
    assert list(found(loop)) == [1]
    assert plan.invitations.not_invited == {"Account 9": {"duplicate_number": 1}}
    assert len(warned(plan)) == 1


@pytest.mark.sampled(2)
@pytest.mark.parametrize("status", CLOSED)
def test_a_number_that_was_invited_is_not_invited_again_for_an_earlier_order(loop, status):
    """The earlier order wins only while nothing can have been sent."""
    loop.write_accounts([account("9", pending_period=20)])
    loop.write_orders([SECOND])
    loop.apply()
    force(loop, status)
    loop.append_orders([FIRST])
    plan, _ = loop.apply()
    assert list(found(loop)) == [2]
    assert plan.invitations.not_invited == {"Account 9": {"duplicate_number": 1}}


@pytest.mark.parametrize("seen_again", [False, True], ids=["alone", "with the later one changed"])
def test_an_earlier_order_takes_the_place_of_a_pending_later_one(loop, sandbox, seen_again):
    """The pending invitation of the later order is cancelled with the reason."""
    loop.write_accounts([account("9")])
    loop.write_orders([SECOND])
    loop.apply(NOW - 2 * DAY)
    assert found(loop) == {2: "pending"}
    loop.append_orders([FIRST, {**SECOND, "updated_at": text(NOW)}] if seen_again else [FIRST])
    plan, _ = loop.apply(NOW + 20 * DAY)
    assert found(loop) == {1: "sent", 2: "cancelled"}
    assert {row.reason for row in loop.rows() if row.order_id == 2} == {"duplicate_number"}
    assert len(warned(plan)) == 1
    assert sum(each.requests for each in sandbox.world.outbox.entries()) == 1


def test_an_opt_out_is_the_reason_before_the_number(loop):
    """Of several criteria that fail the first is recorded: suppressed comes before duplicate_number."""
    loop.write_project(privacy={"suppress": "suppressed.txt"})
    (loop.root / "suppressed.txt").write_text("customer-2@example.com\n")
    loop.write_accounts([account("9")])
    loop.write_orders([FIRST])
    loop.apply()
    loop.append_orders([SECOND])
    plan, _ = loop.apply()
    assert plan.invitations.not_invited == {"Account 9": {"suppressed": 1}}


def test_the_other_order_is_offered_to_the_next_account(loop):
    """A number is taken at one interface: an account with another one invites its own order."""
    loop.write_accounts([account("9", priority=1), account("10", store_views=["at"])])
    loop.write_orders([FIRST, SECOND])
    loop.apply()
    assert {row.order_id: row.interface_id for row in loop.rows()} == {1: "9", 2: "10"}


@pytest.mark.parametrize("orders", list(itertools.permutations([1, 2, 3])))
def test_of_many_orders_with_one_number_the_earliest_is_invited(loop, orders):
    """Whatever the order in which they are read."""
    loop.write_accounts([account("9")])
    loop.write_orders([order(key, age=20 - key, increment_id=SHARED) for key in orders])
    plan, _ = loop.apply(sending=False)
    assert found(loop) == {1: "pending"}
    assert plan.invitations.not_invited == {"Account 9": {"duplicate_number": 2}}


@pytest.mark.parametrize("other", ["the same account", "another account", "a new account, the old deleted"])
def test_a_shop_that_was_imported_again_is_not_invited_again(loop, sandbox, other):
    """New ids, the numbers and dates of old: these are orders that were invited before."""
    loop.write_accounts([account("9", pending_period=0)])
    loop.write_orders([order(key) for key in (1, 2, 3)])
    loop.apply()
    documents = {
        "the same account": [account("9", pending_period=0)],
        "another account": [account("9", pending_period=0), account("10", priority=5, pending_period=0)],
        "a new account, the old deleted": [account("10", pending_period=0)],
    }
    loop.write_accounts(documents[other])
    loop.write_orders([order(key) | {"entity_id": key + 100} for key in (1, 2, 3)])
    plan, _ = loop.apply()
    assert sum(each.requests for each in sandbox.world.outbox.entries()) == 3
    assert set(found(loop)) == {1, 2, 3}
    assert all(counts == {"already_invited": 3} for counts in plan.invitations.not_invited.values())


def test_a_renamed_account_keeps_its_numbers(loop):
    """The interface counts, not the name of the account."""
    loop.write_accounts([account("9", pending_period=0)])
    loop.write_orders([FIRST])
    loop.apply()
    loop.write_accounts([account("9", pending_period=0) | {"name": "Another name"}])
    loop.append_orders([SECOND])
    loop.apply()
    assert found(loop) == {1: "sent"}


def test_a_second_invitation_with_a_sent_number_is_never_claimed(loop, sandbox):
    """Two pending invitations of one number, as older versions made them: one request goes out."""
    loop.write_accounts([account("9")])
    loop.write_orders([order(1, increment_id="1"), order(2, age=9, increment_id="2")])
    loop.apply(sending=False)
    renumber(loop, SHARED)
    with loop.state() as state:
        ids = {row.order_id: row.id for row in state.invitations.search()}
        assert [row.order_id for row in state.sending.claim([ids[2]], now=NOW)] == []
        assert [row.order_id for row in state.sending.claim([ids[2], ids[1]], now=NOW)] == [1]
        assert [row.order_id for row in state.sending.claim([ids[2]], now=NOW)] == []


def test_two_pending_invitations_of_one_number_become_one(loop, sandbox):
    """The later one is cancelled before anything is sent."""
    loop.write_accounts([account("9")])
    loop.write_orders([order(1, increment_id="1"), order(2, age=9, increment_id="2")])
    loop.apply(sending=False)
    renumber(loop, SHARED)
    loop.write_orders([{**FIRST, "increment_id": SHARED}, {**SECOND, "increment_id": SHARED}])
    loop.apply(NOW + 20 * DAY)
    assert found(loop) == {1: "sent", 2: "cancelled"}
    assert sum(each.requests for each in sandbox.world.outbox.entries()) == 1


def test_two_shops_with_the_same_numbers_do_not_block_each_other(loop):
    """Accounts of two order sources invite under the same numbers, as every Magento begins at 1."""
    loop.write_project(orders={"eu": {"file": "eu.jsonl"}, "us": {"file": "us.jsonl"}})
    loop.write_accounts([account("9", orders="eu"), account("10", orders="us")])
    for name in ("eu", "us"):
        loop.write_orders([order(1), order(2)], f"{name}.jsonl")
    loop.apply()
    assert sorted((row.source, row.order_id) for row in loop.rows()) == [
        ("eu", 1),
        ("eu", 2),
        ("us", 1),
        ("us", 2),
    ]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("status", CLOSED)
@pytest.mark.parametrize("other", ["alone", "beside the other"])
def test_a_living_shop_is_blocked_by_no_other_one(loop, status, other):
    """What one shop invited is another's business: even where number, date and store view are the same."""
    loop.write_project(orders={"eu": {"file": "eu.jsonl"}, "us": {"file": "us.jsonl"}})
    loop.write_orders([order(1)], "eu.jsonl")
    loop.write_orders([], "us.jsonl")
    both = [account("9", orders="eu"), account("10", orders="us")]
    loop.write_accounts(both[:1] if other == "alone" else both)
    loop.apply(sending=False)
    force(loop, status)
    loop.write_accounts(both)
    loop.write_orders([order(7) | {"increment_id": order(1)["increment_id"]}], "us.jsonl")
    loop.apply(sending=False)
    assert sorted((row.source, row.status.value) for row in loop.rows() if row.source == "us") == [
        ("us", "pending")
    ]


def force(loop, status) -> None:
    """Give every invitation this status, as a run or a person would have."""
    statement = "UPDATE invitation SET status = :status, sent_at = :sent"
    execute(loop, statement, status=str(status), sent=NOW if status is Status.SENT else None)


def renumber(loop, number) -> None:
    """Give every invitation the same number."""
    execute(loop, "UPDATE invitation SET number = :number", number=number)


def execute(loop, statement, **values) -> None:
    """Change the state behind its back."""
    with sqlite3.connect(loop.root / "state.db") as database:
        database.execute(statement, values)
    database.close()
