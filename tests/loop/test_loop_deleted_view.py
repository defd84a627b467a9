"""A store view that was deleted in the shop: its orders stay where they are."""

from __future__ import annotations

import pytest
from support_loop import NOW, Loop, account, live, order, shops

from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.rule import DELETED_STORE_VIEW, Selection


def without_view(key, **values):
    """As an export writes an order whose store view is gone."""
    return {name: value for name, value in order(key, **values).items() if name != "store_code"}


@pytest.fixture
def loop(tmp_path, sandbox) -> Loop:
    """Two accounts: one for the store view at, one for all but it."""
    shops(sandbox)
    made = Loop(tmp_path, sandbox)
    made.write_accounts(
        [account("10", store_views=["at"]), account("9", priority=1, store_views={"exclude": ["at"]})]
    )
    made.write_orders([order(1, reached=1, store_code="at")])
    made.apply()
    return made


@pytest.mark.parametrize("lines", [{}, {"store_id": 99}])
def test_a_pending_invitation_stays_with_its_account(loop, sandbox, lines):
    """Though the order has no store view any more, and the account that excludes it ranks first."""
    loop.write_orders([without_view(1, reached=1) | lines])
    plan, _ = loop.apply()
    assert len(plan.invitations.cancel) == len(plan.invitations.schedule) == 0
    loop.apply(now=NOW + 5 * 86_400)
    (row,) = loop.rows()
    assert (row.interface_id, row.status, row.store_view) == ("10", Status.SENT, "at")
    assert [each.shop_id for each in sandbox.world.outbox.entries()] == ["10"]


def test_it_also_stays_when_the_rules_change(loop):
    """Every order is judged again then, and the excluding account is offered it."""
    loop.write_orders([without_view(1, reached=1)])
    loop.write_accounts(
        [
            account("10", store_views=["at"], pending_period=7),
            account("9", priority=1, store_views={"exclude": ["at"]}, pending_period=7),
        ]
    )
    loop.apply()
    assert [row.interface_id for row in live(loop.rows())] == ["10"]


def test_a_cancelled_invitation_remembers_the_store_view(loop):
    """An order that is closed and complete again returns to its account."""
    loop.write_orders([without_view(1, state="closed")])
    loop.apply()
    assert loop.rows()[0].status is Status.CANCELLED
    loop.write_orders([without_view(1)])
    loop.apply()
    assert [row.interface_id for row in live(loop.rows())] == ["10"]


@pytest.mark.parametrize(
    ("selection", "admitted"),
    [
        (Selection(), True),
        (Selection(frozenset({"at"})), False),
        (Selection(frozenset({"at"}), exclude=True), False),
    ],
)
def test_a_deleted_store_view_passes_no_exclusion(selection, admitted):
    """It may be one of those excluded; only a rule for all store views takes such an order."""
    assert selection.admits(DELETED_STORE_VIEW) is admitted
