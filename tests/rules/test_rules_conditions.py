"""Conditions: the compiled form means what the table of the documentation says."""

import time

import pytest
import rules_naive as naive
import rules_strategies as given_some
from hypothesis import given, settings
from hypothesis import strategies as st
from tiers import examples

from ekomi_reconcile.model.order import Contact, Item, Order
from ekomi_reconcile.rules.conditions import attributes, compile_condition, describe, glob, judge_condition


def order(**facts):
    return Order(order_id=1, number="1", created_at=0, **facts)


def asks(condition, **facts):
    return compile_condition(condition)(order(**facts))


@pytest.mark.slow
@settings(max_examples=examples(400))
@given(given_some.conditions, given_some.orders)
def test_compiled_conditions_agree_with_a_plain_reading(condition, subject):
    """Whatever the condition and the order, the compiled test and the plain reading agree."""
    assert compile_condition(condition)(subject) is naive.holds(condition, subject)


@given(given_some.conditions, given_some.orders)
def test_the_explanation_agrees_with_the_test(condition, subject):
    """The verdict at the root of the explanation is the answer of the compiled test."""
    assert judge_condition(condition, subject).ok is compile_condition(condition)(subject)


@given(st.text("ab*?", max_size=6), st.text("ab", max_size=7))
def test_globs_agree_with_trying_everything(pattern, text):
    """Only * and ? are special, and every way to spread them is found."""
    assert glob(pattern)(text) is naive.glob_holds(pattern, text)


def test_brackets_in_globs_are_plain_characters():
    """A glob has no character classes."""
    assert asks({"coupon_code": {"glob": "[ab]*"}}, coupon_code="[ab]cd")
    assert not asks({"coupon_code": {"glob": "[ab]*"}}, coupon_code="acd")


def test_globs_do_not_backtrack_without_end():
    """A pattern made to blow up a regular expression answers in a moment."""
    matches, begun = glob("*a" * 40 + "b"), time.perf_counter()
    assert matches("a" * 20_000) is False
    assert time.perf_counter() - begun < 1


@pytest.mark.parametrize("operator", ["ne", "not_in", "not_contains"])
def test_a_missing_value_passes_the_negative_operators(operator):
    """What is not there differs from everything."""
    assert asks({"coupon_code": {operator: ["X"] if operator == "not_in" else "X"}})


@pytest.mark.parametrize(
    "leaf",
    [
        {"grand_total": {"lt": 5}},
        {"grand_total": {"gte": -5}},
        {"grand_total": {"between": [-1, 1]}},
        {"grand_total": {"in": [0]}},
        {"coupon_code": {"eq": ""}},
        {"coupon_code": {"glob": "*"}},
        {"coupon_code": {"starts_with": ""}},
        {"is_guest": {"eq": False}},
        {"any_item": {"category_id": {"in": [1]}}},
    ],
)
def test_a_missing_value_fails_every_positive_operator(leaf):
    """What is not there is neither less nor more, neither empty nor false."""
    assert not asks(leaf, items=(Item(),))


def test_sums_are_rounded_to_four_decimals():
    """0.1 + 0.2 is 0.3 for a shop."""
    items = (Item(row_total=0.1), Item(row_total=0.2))
    assert asks({"sum_items": {"of": "row_total", "eq": 0.3}}, items=items)


def test_a_sum_with_an_untold_amount_is_missing():
    """An amount that the source does not tell is not taken as nothing."""
    items = (Item(qty=1.0), Item(qty=None))
    assert not asks({"sum_items": {"of": "qty", "lt": 5}}, items=items)
    assert asks({"sum_items": {"of": "qty", "ne": 1}}, items=items)


def test_sums_count_only_the_items_asked_for():
    """``where`` chooses the items; none chosen is a sum of 0."""
    items = (Item(sku="BK-1", qty=2.0), Item(sku="X", qty=5.0))
    books = {"sku": {"starts_with": "bk-"}}
    assert asks({"sum_items": {"of": "qty", "where": books, "eq": 2}}, items=items)
    assert asks({"sum_items": {"of": "qty", "where": {"sku": {"eq": "none"}}, "eq": 0}}, items=items)


def test_orders_without_items():
    """Every item of none is no praise; no item of none is."""
    condition = {"qty": {"gte": 0}}
    assert not asks({"every_item": condition})
    assert not asks({"any_item": condition})
    assert asks({"no_item": condition})


def test_long_lists_of_conditions_do_not_exhaust_the_stack():
    """A group of thousands of conditions is tested like a short one."""
    many = {"all": [{"grand_total": {"ne": float(each)}} for each in range(5_000)]}
    assert asks(many, grand_total=0.5)
    assert not asks(many, grand_total=4_999.0)


def test_the_attributes_of_a_condition_are_named():
    """Every attribute is found, at any depth, so that sources may ask for less."""
    condition = {
        "all": [
            {"grand_total": {"gte": 50}},
            {
                "not": {
                    "any": [{"email_domain": {"eq": "b.example"}}, {"no_item": {"category_id": {"in": [1]}}}]
                }
            },
            {"sum_items": {"of": "qty", "where": {"not": {"sku": {"eq": "X"}}}, "gte": 1}},
        ]
    }
    assert attributes([condition]) == {"grand_total", "email_domain", "category_id", "qty", "sku"}
    assert attributes([condition, {"weight": {"gt": 1}}]) == attributes([condition]) | {"weight"}
    assert attributes([]) == frozenset()


def test_places_and_mail_domains_are_masked():
    """An explanation shows what is asked for, never where the customer lives."""
    condition = {
        "all": [
            {name: {"ne": "elsewhere"}}
            for name in ("shipping_city", "shipping_postcode", "shipping_region", "email_domain")
        ]
    }
    subject = order(
        shipping_city="Graz-Secret",
        shipping_postcode="8020-Secret",
        shipping_region="Styria-Secret",
        contact=Contact(email="mira@secret.example.com"),
    )
    verdict = judge_condition(condition, subject)
    assert [part.value for part in verdict.parts] == ["(masked)"] * 4
    assert "secret" not in repr(verdict).casefold()


def test_explanations_show_values_and_what_is_wanted():
    """A part tells in words what it asks, with the order's value."""
    condition = {"any": [{"grand_total": {"gte": 50}}, {"any_item": {"sku": {"starts_with": "BK-"}}}]}
    verdict = judge_condition(condition, order(grand_total=41.77, items=(Item(sku="BK-1"), Item(sku="X"))))
    total, books = verdict.parts
    assert verdict.ok
    assert verdict.value == "1 of 2 hold"
    assert (total.text, total.ok, total.value, total.wanted) == (
        "grand_total gte 50",
        False,
        "41.77",
        "gte 50",
    )
    assert (books.ok, books.value, books.wanted) == (True, "1 of 2 items", "sku starts_with BK-")


def test_conditions_fit_on_one_line():
    """The short form names groups, negations, item tests and sums."""
    condition = {
        "all": [
            {"not": {"shipping_method": {"in": ["flatrate_flatrate"]}}},
            {"is_guest": {"eq": True}},
            {"sum_items": {"of": "qty", "where": {"price": {"gt": 1.5, "lt": 9}}, "between": [1, 3]}},
        ]
    }
    assert describe(condition) == (
        "all(not(shipping_method in [flatrate_flatrate]), is_guest eq true,"
        " sum_items(qty where price gt 1.5 and lt 9) between [1, 3])"
    )
