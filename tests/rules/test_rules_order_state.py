"""What the state of an order means, in whatever words it is written."""

import pytest

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.order import Order, OrderState, order_state_of
from ekomi_reconcile.reconcile.absent_fields import Carried, unknown_states
from ekomi_reconcile.rules.rulebook import Rule, blocked_state, state_of, waits_on_hold

RULE = Rule(Account(name="A", interface_id="1", interface_password="${env:P}"))


def order(**more):
    """An order with this state and status."""
    return Order(order_id=1, number="1", created_at=1, **more)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *((each.value, each) for each in OrderState),
        *((word, OrderState.ON_HOLD) for word in ("on-hold", "On Hold", "ON_HOLD", " onhold ", "hold")),
        *((word, OrderState.CANCELED) for word in ("cancelled", "Canceled", "voided")),
        ("Refunded", OrderState.REFUNDED),
        ("storniert", None),
        ("", None),
    ],
)
def test_known_spellings_of_states(word, meant):
    """Case and separators make no difference; a word that is none of them means nothing."""
    assert order_state_of(word) is meant


@pytest.mark.parametrize("word", ["on-hold", "refunded", "cancelled", "storniert", "in_dispute", "unknown"])
def test_a_foreign_state_is_no_normal_order(word):
    """Whatever a state is called, an order is invited only in one that is known to be normal."""
    assert blocked_state(order(state=word, status="complete"))


@pytest.mark.parametrize("status", ["on-hold", "refunded", "cancelled", "voided"])
def test_a_status_that_means_the_end_or_a_hold_blocks_without_a_state(status):
    """Files of other shops have a status only."""
    assert blocked_state(order(status=status))


@pytest.mark.parametrize("status", ["complete", "delivered", "my_own_status"])
def test_a_status_of_the_shops_own_is_left_to_the_rules(status):
    """Without a state the trigger statuses decide."""
    assert not blocked_state(order(status=status))


def test_an_unknown_state_waits_and_is_counted():
    """Pending invitations of such an order stay pending; the words are reported with counts."""
    found = order(state="storniert")
    assert state_of(found) is OrderState.UNKNOWN
    assert waits_on_hold(found, RULE)
    carried = Carried(set())
    carried.see([found, found, order(state="unknown", status="teleported"), order(state="complete")])
    (warning,) = unknown_states("eu", carried)
    assert "order source eu: 3 orders" in warning.message
    assert "storniert: 2, teleported: 1" in warning.message
    assert list(unknown_states("eu", Carried(set()))) == []
