"""Importing reviews: new, changed, gone, and repeats."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from state_support import NOW

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.review import ImportCounts, OrderedProduct, Period, Review
from ekomi_reconcile.state.store import State

FIRST = Review(order_id="A-1", submitted_at=NOW, rating=5.0, text="Good", title="T")
SECOND = Review(order_id="A-2", submitted_at=NOW + 10, rating=2.0, text="Bad")
PRODUCT = replace(FIRST, product_id="P-1")


def test_reviews_come_back(state: State) -> None:
    """Reviews are recorded whole, a product's beside the shop's, each account's apart."""
    counts = state.reviews.save_import("1", [SECOND, FIRST, PRODUCT], full=True, now=NOW + 50)
    assert counts == ImportCounts(new=3)
    listed = list(state.reviews.search(["1"]))
    assert [each.review for each in listed] == [FIRST, PRODUCT, SECOND]
    assert {(each.interface_id, each.first_seen_at) for each in listed} == {("1", NOW + 50)}
    assert list(state.reviews.search(["2"])) == []
    assert [each.review for each in state.reviews.search(since=NOW + 10)] == [SECOND]


def test_reviews_are_found_by_the_identifier_of_the_shop(state: State) -> None:
    """Each account has names of its own for products; the latest name counts, and reviews carry both."""
    bike = OrderedProduct(product_id="P-1", identifier="BK 1", name="Bike")
    state.products.save("1", [bike, replace(bike, product_id="P-2", identifier="BK 2")])
    state.products.save("1", [replace(bike, name="City bike")])
    state.products.save("2", [replace(bike, identifier="Other")])
    assert state.products.identifiers("1", ["P-1", "P-2", "P-3"]) == {"P-1": "BK 1", "P-2": "BK 2"}
    for key in ("1", "2"):
        state.reviews.save_import(key, [FIRST, PRODUCT], full=True, now=NOW)
    (found,) = state.reviews.search(product_id="BK 1")
    assert (found.interface_id, found.product, found.product_name) == ("1", "BK 1", "City bike")
    assert len(list(state.reviews.search(product_id="P-1"))) == 2
    stats = state.aggregates.review_statistics(["1", "2"], by=Period.MONTH, product_id="BK 1")
    assert [each.total.reviews for each in stats] == [1, 0]
    assert [(each.product, each.count) for each in state.products.figures(9)] == [
        ("BK 1", 1),
        ("Other", 1),
    ]
    assert state.products.count_reviewed() == 2


def test_importing_again_changes_nothing(state: State) -> None:
    """The same reviews in another order are unchanged."""
    reviews = [replace(FIRST, order_id=f"A-{number % 40}", text=str(number)) for number in range(200)]
    assert state.reviews.save_import("1", reviews, full=True, now=NOW).new == 200
    random.Random(1).shuffle(reviews)
    assert state.reviews.save_import("1", reviews, full=True, now=NOW + 9) == ImportCounts(unchanged=200)
    assert {each.changed_at for each in state.reviews.search()} == {NOW}


@pytest.mark.parametrize(
    "change", [{"text": "Better"}, {"comment": "Thanks"}, {"rating": 4.0}, {"title": "U"}]
)
def test_changed_reviews_are_updated(state: State, change: dict[str, object]) -> None:
    """A changed text, answer, rating or title updates the review and keeps its first sight."""
    state.reviews.save_import("1", [FIRST, SECOND], full=True, now=NOW)
    changed = replace(FIRST, **change)
    counts = state.reviews.save_import("1", [changed, SECOND], full=True, now=NOW + 9)
    assert counts == ImportCounts(changed=1, unchanged=1)
    first = next(state.reviews.search())
    assert (first.review, first.first_seen_at, first.changed_at) == (changed, NOW, NOW + 9)


def test_only_a_full_import_marks_as_gone(state: State) -> None:
    """What a part of the reviews does not hold is not gone; what returns is no longer gone."""
    state.reviews.save_import("1", [FIRST, SECOND], full=True, now=NOW)
    assert state.reviews.save_import("1", [SECOND], full=False, now=NOW + 1) == ImportCounts(unchanged=1)
    assert state.reviews.save_import("1", [SECOND], full=True, now=NOW + 2) == ImportCounts(
        gone=1, unchanged=1
    )
    assert [each.review for each in state.reviews.search()] == [SECOND]
    assert [each.gone_at for each in state.reviews.search(include_gone=True)] == [NOW + 2, None]
    assert state.reviews.save_import("1", [SECOND], full=True, now=NOW + 3) == ImportCounts(unchanged=1)
    assert state.reviews.save_import("1", [FIRST], full=False, now=NOW + 4) == ImportCounts(changed=1)
    assert len(list(state.reviews.search())) == 2


def test_imports_are_dated(state: State) -> None:
    """The account knows its last import and its last full one, also when there was nothing."""
    state.reviews.save_import("1", [], full=True, now=NOW)
    state.reviews.save_import("1", [FIRST], full=False, now=NOW + 9)
    account = state.accounts.read()[0]
    assert (account.last_import_at, account.last_full_import_at) == (NOW + 9, NOW)


def test_import_for_an_unknown_account(state: State) -> None:
    """Reviews of an account that is not there are refused whole."""
    with pytest.raises(StateError, match="interface id 77"):
        state.reviews.save_import("77", [FIRST], full=True, now=NOW)
    assert list(state.reviews.search()) == []
