"""The rules of all accounts: who may win an order, what a digest covers, what it costs."""

import time
from dataclasses import replace

import pytest
import rules_strategies as given_some
from hypothesis import given
from hypothesis import strategies as st
from rules_strategies import account

from ekomi_reconcile.model.account import Links
from ekomi_reconcile.model.rule import Deliver, InvitationRule, Selection
from ekomi_reconcile.rules.rulebook import Rule, RuleBook

VIEW_NAMES = st.none() | st.sampled_from([*given_some.VIEWS, "unheard of"])


@given(given_some.account_lists, st.lists(VIEW_NAMES, min_size=1, max_size=4))
def test_candidates_are_those_of_a_search_through_all(accounts, views):
    """The index finds the enabled rules that admit a store view, in winning order, time and again."""
    book = RuleBook(accounts)
    for view in views:
        wanted = [
            each.interface_id
            for each in sorted(accounts, key=lambda each: each.rank)
            if each.invitations.enabled and each.invitations.store_views.admits(view)
        ]
        assert [each.account.interface_id for each in book.candidates(view)] == wanted


def test_rules_are_found_by_interface_id_also_disabled_ones():
    """A disabled account still has a rule to explain with."""
    book = RuleBook([account("7"), account("12", invitations=InvitationRule(enabled=True))])
    assert book.rule("7") is book.rules[0]
    assert book.rule("8") is None
    assert [each.account.interface_id for each in book.candidates("de")] == ["12"]


def test_the_attributes_of_disabled_rules_are_not_asked_for():
    """A source need not tell what nobody looks at."""
    on = InvitationRule(enabled=True, conditions={"grand_total": {"gte": 1}})
    off = InvitationRule(conditions={"any_item": {"category_id": {"in": [1]}}})
    assert RuleBook([account("1", invitations=on), account("2", invitations=off)]).attributes == {
        "grand_total",
        "refunded",
    }
    kept = replace(on, skip_refunded=False)
    assert RuleBook([account("1", invitations=kept)]).attributes == {"grand_total"}


BASE = account(invitations=InvitationRule(enabled=True, conditions={"grand_total": {"gte": 1}}))


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"pending_period": 15},
        {"spread": 3_600},
        {"skip_orders_older_than": 31},
        {"store_views": Selection(frozenset({"de"}))},
        {"customer_groups": Selection(frozenset({"VIP"}), exclude=True)},
        {"order_statuses": ("complete", "processing")},
        {"conditions": {"grand_total": {"gte": 2}}},
        {"conditions": None},
        {"skip_refunded": False},
        {"cancel_statuses": ("returned",)},
        {"deliver": Deliver.EKOMI_SMS},
        {"deliver": Deliver.LINK},
    ],
)
def test_every_rule_field_changes_the_digest(changes):
    """A changed rule is seen, so that pending invitations are judged again."""
    changed = replace(BASE, invitations=replace(BASE.invitations, **changes))
    assert Rule(changed).digest != Rule(BASE).digest


@pytest.mark.parametrize("changes", [{"priority": 1}, {"orders": "us"}])
def test_priority_and_source_change_the_digest(changes):
    """They decide which orders an account gets."""
    assert Rule(replace(BASE, **changes)).digest != Rule(BASE).digest


def test_what_is_no_rule_leaves_the_digest_alone():
    """A rename, new links, tags or protection judge nothing again."""
    changed = replace(
        BASE,
        name="Other",
        interface_password="${env:OTHER}",
        links=Links(webshop_url="https://shop.example.com"),
        protect=True,
        tags=("dach",),
    )
    assert Rule(changed).digest == Rule(BASE).digest
    assert Rule(BASE).digest.startswith("sha256:")


def test_the_order_of_keys_and_statuses_does_not_matter_to_the_digest():
    """Rules that mean the same, written differently, have one digest."""
    one = InvitationRule(order_statuses=("a", "b"), conditions={"price": {"gt": 1, "lt": 2}})
    two = InvitationRule(order_statuses=("b", "a", "b"), conditions={"price": {"lt": 2, "gt": 1}})
    assert Rule(account(invitations=one)).digest == Rule(account(invitations=two)).digest


def test_an_order_does_not_pay_for_accounts_of_other_store_views():
    """Asking among 1,000 accounts with a store view each costs about what 10 cost."""

    def seconds(accounts):
        views = [f"view{each}" for each in range(10)]
        rules = [
            InvitationRule(enabled=True, store_views=Selection(frozenset({f"view{each}"})))
            for each in range(accounts)
        ]
        book = RuleBook(account(str(at + 1), invitations=rule) for at, rule in enumerate(rules))
        assert all(len(book.candidates(view)) == 1 for view in views)
        return min(timed(lambda: [book.candidates(view) for view in views * 500]) for _ in range(7))

    assert seconds(1_000) < 2 * seconds(10)


def timed(work):
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


ROUND_1 = {
    ("1001", "de", 0): "0160f612fd8046c2719b81edafd7723b97f10eacba8c998efd5f0b1051f80fc3",
    ("1002", "fr", 7): "74143c60422ab09ea706a80df1fad104d7e4b29a2bddd7d27386a4c12a90a4ce",
}
"""Digests of rules as the first format of the state has them: interface id, store view, pending period."""


@pytest.mark.parametrize(("of", "digest"), ROUND_1.items())
def test_an_upgrade_changes_no_account_and_no_rule(of, digest):
    """Keys that came later are left out at their default: digest and canonical text stay what they were."""
    key, view, pending = of
    asked = InvitationRule(enabled=True, pending_period=pending, store_views=Selection(frozenset({view})))
    upgraded = account(key, invitations=asked)
    assert Rule(upgraded).digest == f"sha256:{digest}"
    written = f'"order_statuses":["complete"],"pending_period":{pending},"skip_orders_older_than":30'
    assert (
        '"invitations":{"conditions":null,"customer_groups":"all","deliver":"ekomi-email","enabled":true,'
        f'{written},"spread":null,"store_views":["{view}"]}}' in upgraded.derived.text
    )
