"""How accounts are recorded: whatever a rule asks for, an export can be pushed and a check passes."""

from dataclasses import fields

import pytest

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.rule import (
    Consent,
    Deliver,
    InvitationRule,
    Pause,
    PeriodOverride,
    ProductIdentifier,
    ProductRule,
    Selection,
    SendBetween,
)
from ekomi_reconcile.model.sender import SenderSettings
from ekomi_reconcile.state import unlike_account
from ekomi_reconcile.state.maintenance.push import parse

CHANGED = {
    "enabled": True,
    "pending_period": 3,
    "spread": 86_400,
    "send_between": SendBetween(hours="09:00-19:00"),
    "pauses": (Pause(first="2026-12-24", last="2026-12-26"),),
    "pending_period_overrides": (PeriodOverride(when={"weight": {"gte": 9}}, days=21),),
    "skip_orders_older_than": 0,
    "store_views": Selection(frozenset({"de"})),
    "customer_groups": Selection(frozenset({"Wholesale"}), exclude=True),
    "order_statuses": ("complete", "shipped"),
    "deliver": Deliver.LINK,
    "conditions": {"grand_total": {"gte": 5}},
    "skip_refunded": False,
    "skip_reviewed": False,
    "cancel_statuses": ("returned",),
    "sender": SenderSettings(name="Shop DE", email="shop@example.com"),
    "consent": Consent(field="extension_attributes.optin", accept=("1", "true")),
    "products": ProductRule(
        ask=True, max=5, identifier=ProductIdentifier.SKU, exclude={"sku": {"starts_with": "GIFT-"}}
    ),
}


def recorded(**rule):
    """The recorded form of an account with this rule."""
    rules = InvitationRule(**rule)
    return Account(name="A", interface_id="1", interface_password="${env:A}", invitations=rules).canonical()


@pytest.mark.parametrize("name", [each.name for each in fields(InvitationRule)])
def test_every_key_of_a_rule_may_differ_from_its_default(name):
    """None of them makes a sound state look damaged."""
    assert unlike_account(recorded(**{name: CHANGED[name]})) is None


def test_all_of_them_at_once():
    """And none at all."""
    assert unlike_account(recorded(**CHANGED)) is None
    assert unlike_account(recorded()) is None


@pytest.mark.parametrize("key", ["spread", "order_statuses", "cancel_statuses", "skip_refunded", "enabled"])
@pytest.mark.parametrize("value", [5, {}, 1.5])
def test_other_kinds_of_values_are_damage(key, value):
    """As are keys that nobody knows, and missing ones."""
    form = recorded(**CHANGED)
    form["invitations"][key] = value
    assert unlike_account(form) is not None
    assert unlike_account({**recorded(), "more": 1}) is not None
    assert unlike_account({key: each for key, each in recorded().items() if key != "tags"}) is not None


@pytest.mark.parametrize("depth", [5_000, 200_000])
@pytest.mark.parametrize("around", ["{}", '{{"format_version": "1", "accounts": {}}}', '{{"deep": {}}}'])
def test_a_document_that_is_nested_deeply_is_an_error_in_words(depth, around):
    """Not an internal error, however deep."""
    with pytest.raises(StateError):
        parse(around.format("[" * depth + "]" * depth).encode())
