"""Verdicts on random pairs of rules: witnesses by the rule code, disjoint ones against many orders.

``SLOW_TESTS=1`` tries more pairs and more orders of each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest
from random_rules import NOW, Orders, Rules
from tiers import LONG

from ekomi_reconcile.analysis.pairs import Overlap, Solver, Verdict
from ekomi_reconcile.analysis.rules import rule_form
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.invitation import Criterion, Evidence, Reached
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.model.rule import Deliver, InvitationRule, Selection
from ekomi_reconcile.rules.case import Case, KnownFacts
from ekomi_reconcile.rules.judge import first_failed
from ekomi_reconcile.rules.rulebook import Rule

BLOCKS = 100 if LONG else 6
PAIRS = 100
ORDERS = 2_000 if LONG else 60


def solved(*accounts: Account) -> Verdict:
    """The solver's verdict on two accounts."""
    one, two = map(rule_form, accounts)
    return Solver(accounts, now=NOW).together(one, two)


def admits(account: Account, order: Order) -> bool:
    """Would the rule code invite the order, had it reached a trigger status and an address that works?"""
    reached = Reached(NOW, account.invitations.order_statuses[0], Evidence.HISTORY)
    refused = first_failed(Case(Rule(account), order, order.created_at, reached, KnownFacts(now=NOW)))
    return refused is None or (refused is Criterion.DELIVERABLE and order.contact.email is not None)


def account(number: int, conditions: Mapping[str, Any] | None = None, **rule: Any) -> Account:
    """An enabled account with these conditions."""
    return Account(
        name=f"Account {number}",
        interface_id=str(number),
        interface_password="${env:A}",
        invitations=InvitationRule(enabled=True, conditions=conditions, **rule),
    )


@pytest.mark.sampled(2)
@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_pairs_are_judged_rightly(block: int) -> None:
    """The rule code takes every witness; no order of a brute force matches rules that are called disjoint."""
    verdicts: Counter[Overlap] = Counter()
    for seed in range(block * PAIRS, (block + 1) * PAIRS):
        rules = Rules(seed)
        one, two = rules.account(1), rules.account(2)
        found = solved(one, two)
        verdicts[found.overlap] += 1
        if found.witness is not None:
            order = found.witness.order()
            assert admits(one, order), seed
            assert admits(two, order), seed
        if found.overlap is Overlap.NONE:
            orders = Orders(seed, one.invitations.conditions, two.invitations.conditions)
            for order in (orders.order() for _ in range(ORDERS)):
                assert not (admits(one, order) and admits(two, order)), (seed, order)
        if found.overlap is Overlap.UNDECIDED:
            assert found.reason == "sum_items", seed
    assert verdicts[Overlap.UNDECIDED] <= 0.03 * PAIRS
    assert verdicts[Overlap.NONE] > 0.1 * PAIRS
    assert verdicts[Overlap.ORDER] > 0.3 * PAIRS


QTY, ROW = {"of": "qty"}, {"of": "row_total"}
BOOKS = {"sku": {"starts_with": "BK-"}}
CHEAP = {"price": {"lt": 10}}

KINDS = {
    "numbers that touch": ({"grand_total": {"lte": 50}}, {"grand_total": {"gte": 50}}, True),
    "numbers that do not touch": ({"grand_total": {"lt": 50}}, {"grand_total": {"gte": 50}}, False),
    "only a missing number": (
        {"not": {"grand_total": {"gte": 50}}},
        {"not": {"grand_total": {"lt": 50}}},
        True,
    ),
    "neighbouring floats": (
        {"weight": {"gt": 1.0}},
        {"weight": {"lt": 1.0000000000000002}},
        False,
    ),
    "upper and lower case": ({"coupon_code": {"eq": "SALE"}}, {"coupon_code": {"starts_with": "sa"}}, True),
    "a sharp s": ({"shipping_city": {"eq": "Gießen"}}, {"shipping_city": {"contains": "SS"}}, True),
    "globs that meet": ({"coupon_code": {"glob": "A*B"}}, {"coupon_code": {"glob": "*A?B"}}, True),
    "globs of other lengths": ({"coupon_code": {"glob": "??"}}, {"coupon_code": {"glob": "???*"}}, False),
    "a glob of everything": ({"not": {"coupon_code": {"glob": "*"}}}, {"coupon_code": {"ne": "A"}}, True),
    "text and its negation": (
        {"coupon_code": {"contains": "a"}},
        {"coupon_code": {"not_contains": "A", "starts_with": "b"}},
        False,
    ),
    "text of two ends": ({"coupon_code": {"starts_with": "aba"}}, {"coupon_code": {"eq": "abaB"}}, True),
    "a wildcard as a letter": ({"coupon_code": {"eq": "a*"}}, {"coupon_code": {"ne": "a*"}}, False),
    "a virtual order is not shipped": (
        {"is_virtual": {"eq": True}},
        {"shipping_method": {"eq": "dhl"}},
        False,
    ),
    "a virtual order without method": (
        {"is_virtual": {"eq": True}},
        {"shipping_method": {"ne": "dhl"}},
        True,
    ),
    "a virtual order has one country": (
        {"all": [{"shipping_country": {"eq": "DE"}}, {"billing_country": {"eq": "AT"}}]},
        {"is_virtual": {"eq": True}},
        False,
    ),
    "a shipped order has two": (
        {"all": [{"shipping_country": {"eq": "DE"}}, {"billing_country": {"eq": "AT"}}]},
        {"not": {"is_virtual": {"eq": True}}},
        True,
    ),
    "a guest in another group": (
        {"is_guest": {"eq": True}},
        {"is_guest": {"eq": False}},
        False,
    ),
    "a flag that is missing": (
        {"not": {"is_guest": {"eq": True}}},
        {"not": {"is_guest": {"eq": False}}},
        True,
    ),
    "a flag that is never missing": (
        {"not": {"has_company": {"eq": True}}},
        {"not": {"has_company": {"eq": False}}},
        False,
    ),
    "an item count is its own number": (
        {"item_count": {"eq": 3}},
        {"not": {"any_item": {"sku": {"ne": "x"}}}},
        True,
    ),
    "every item of no items": ({"every_item": BOOKS}, {"no_item": BOOKS}, False),
    "not every item of no items": ({"not": {"every_item": BOOKS}}, {"no_item": {"sku": {"ne": "x"}}}, True),
    "an item of its own": ({"any_item": BOOKS}, {"any_item": {"sku": {"eq": "DL-1"}}}, True),
    "one item must be both": (
        {"all": [{"any_item": BOOKS}, {"every_item": {"price": {"gte": 10}}}]},
        {"every_item": CHEAP},
        False,
    ),
    "categories of one item": (
        {"any_item": {"all": [{"category_id": {"in": [12]}}, {"category_id": {"in": [14]}}]}},
        {"no_item": {"category_id": {"in": [16]}}},
        True,
    ),
    "categories that exclude": (
        {"every_item": {"category_id": {"in": [12, 14]}}},
        {"any_item": {"category_id": {"not_in": [12, 14]}}},
        False,
    ),
    "a sum and its opposite": (
        {"sum_items": {**QTY, "gte": 3}},
        {"sum_items": {**QTY, "lt": 3}},
        False,
    ),
    "a part above the whole": (
        {"all": [{"sum_items": {**QTY, "lt": 3}}, {"every_item": {"qty": {"gte": 0}}}]},
        {"sum_items": {**QTY, "where": BOOKS, "gte": 3}},
        False,
    ),
    "a part above the whole, with returns": (
        {"sum_items": {**QTY, "lt": 3}},
        {"sum_items": {**QTY, "where": BOOKS, "gte": 3}},
        True,
    ),
    "overlapping sums": (
        {"sum_items": {**QTY, "where": BOOKS, "eq": 2}},
        {"sum_items": {**QTY, "where": CHEAP, "eq": 3}},
        True,
    ),
    "a sum of a sum": (
        {"all": [{"sum_items": {**QTY, "where": BOOKS, "eq": 2}}, {"every_item": {"qty": {"gt": 0}}}]},
        {
            "all": [
                {"sum_items": {**QTY, "where": {"not": BOOKS}, "eq": 2}},
                {"sum_items": {**QTY, "between": [4.5, 9]}},
            ]
        },
        False,
    ),
    "one item satisfies and counts": (
        {"all": [{"any_item": {"all": [BOOKS, {"qty": {"gte": 5}}]}}, {"every_item": {"qty": {"gt": 0}}}]},
        {"sum_items": {**QTY, "where": BOOKS, "lt": 5}},
        False,
    ),
    "one item satisfies and counts enough": (
        {"all": [{"any_item": {"all": [BOOKS, {"qty": {"gte": 5}}]}}, {"every_item": {"qty": {"gt": 0}}}]},
        {"sum_items": {**QTY, "where": BOOKS, "lt": 5.5}},
        True,
    ),
    "sums are rounded": (
        {"sum_items": {**ROW, "gt": 1.0}},
        {"sum_items": {**ROW, "lt": 1.0001}},
        False,
    ),
    "a sum of missing amounts": (
        {"not": {"sum_items": {**ROW, "gte": 1}}},
        {"not": {"sum_items": {**ROW, "lt": 1}}},
        True,
    ),
    "a sum of nothing": ({"sum_items": {**QTY, "gt": 0}}, {"no_item": {"sku": {"ne": "x"}}}, True),
    "a sum of no items": (
        {"sum_items": {**QTY, "gt": 0}},
        {"not": {"any_item": {"any": [{"sku": {"eq": "x"}}, {"sku": {"ne": "x"}}]}}},
        False,
    ),
    "whole pieces": (
        {"every_item": {"qty": {"in": [2, 4]}}},
        {"sum_items": {**QTY, "eq": 6}},
        True,
    ),
    "a refund below the payment": ({"total_refunded": {"gt": 0}}, {"total_paid": {"lte": 50}}, True),
    "a refund of everything": ({"total_refunded": {"gte": 50}}, {"total_paid": {"lte": 50}}, False),
    "a refund without a payment": (
        {"total_refunded": {"gte": 50}},
        {
            "all": [
                {"grand_total": {"lte": 50}},
                {"not": {"any": [{"total_paid": {"gte": 0}}, {"total_paid": {"lt": 0}}]}},
            ]
        },
        False,
    ),
    "a state that ends orders": (
        {"state": {"in": ["closed", "canceled"]}},
        {"grand_total": {"gte": 0}},
        False,
    ),
    "a state that is unknown": ({"state": {"eq": "shipping"}}, {"grand_total": {"gte": 0}}, False),
    "a state with spaces": ({"state": {"eq": "Pending Payment"}}, {"state": {"ends_with": "t"}}, True),
    "a status of an order without state": (
        {"not": {"state": {"glob": "*"}}},
        {"status": {"eq": "closed"}},
        False,
    ),
    "a status of an order with a state": ({"status": {"eq": "closed"}}, {"state": {"eq": "complete"}}, True),
    "a domain holds no @": (
        {"email_domain": {"contains": "@"}},
        {"email_domain": {"ends_with": ".com"}},
        False,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_conditions(kind: str) -> None:
    """What conditions have in common is decided exactly, and the rule code takes the witness."""
    first, second, overlap = KINDS[kind]
    one, two = account(1, first), account(2, second)
    found = solved(one, two)
    assert found.overlap is (Overlap.ORDER if overlap else Overlap.NONE), found
    if found.witness is not None:
        assert admits(one, found.witness.order())
        assert admits(two, found.witness.order())


SELECTIONS = {
    "lists that meet": (["de", "at"], ["at"], True),
    "lists that do not": (["de"], ["at"], False),
    "a list and an exclusion": (["de"], {"de"}, False),
    "two exclusions": ({"de"}, {"at"}, True),
    "upper and lower case": (["de"], ["DE"], False),
}


@pytest.mark.parametrize("key", ["store_views", "customer_groups"])
@pytest.mark.parametrize("kind", SELECTIONS)
def test_selections(kind: str, key: str) -> None:
    """Store views and groups separate accounts where no name is admitted by both; case matters."""
    *selections, overlap = SELECTIONS[kind]
    chosen = [Selection(frozenset(each), exclude=isinstance(each, set)) for each in selections]
    one, two = (account(number, **{key: each}) for number, each in enumerate(chosen))
    assert (solved(one, two).overlap is Overlap.ORDER) is overlap


def test_trigger_statuses_separate_nobody_and_cancel_statuses_do() -> None:
    """An order may have passed any trigger status; the witness has passed those of both."""
    one, two = account(1, order_statuses=("shipped",)), account(2, order_statuses=("complete", "ready"))
    found = solved(one, two).witness
    assert found is not None
    statuses = {each["status"] for each in found.json()["status_histories"]} | {found.json()["status"]}
    assert "shipped" in statuses
    assert statuses & {"complete", "ready"}
    returned = account(3, {"status": {"eq": "returned"}})
    assert solved(returned, account(4, cancel_statuses=("Returned",))).overlap is Overlap.NONE


@pytest.mark.parametrize(
    ("one", "two", "overlap"),
    [(Deliver.EKOMI_EMAIL, Deliver.LINK, False), (Deliver.LINK, Deliver.LINK, True)],
)
def test_an_address_has_a_domain(one: Deliver, two: Deliver, *, overlap: bool) -> None:
    """Where somebody is written to by e-mail the domain is not missing."""
    nowhere = {"not": {"email_domain": {"glob": "*"}}}
    found = solved(account(1, nowhere, deliver=one), account(2, deliver=two))
    assert (found.overlap is Overlap.ORDER) is overlap


@pytest.mark.slow
def test_too_many_alternatives_are_undecided_never_disjoint() -> None:
    """Beyond the limit only what all alternatives share separates rules; a witness is still found."""
    names = ("shipping_city", "shipping_region", "coupon_code")
    wide = [{"any": [{name: {"contains": f"{name[0]}{at}"}} for name in names]} for at in range(9)]
    none = [{name: {"not_contains": f"{name[0]}{at}"}} for name in names for at in range(9)]
    assert solved(account(1, {"all": wide}), account(2)).overlap is Overlap.ORDER
    found = solved(account(1, {"all": wide}), account(2, {"all": none}))
    assert (found.overlap, found.reason) == (Overlap.UNDECIDED, "too many alternatives")
    euros = account(3, {"all": [*wide, {"currency": {"eq": "EUR"}}]})
    assert solved(euros, account(4, {"currency": {"eq": "CHF"}})).overlap is Overlap.NONE
