"""Statistics of reviews: what the database adds up, whichever it is."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from state_support import NOW

from ekomi_reconcile.model.instant import DAY, parse
from ekomi_reconcile.model.review import Period, Review, ReviewKind, ReviewStatistics, Tally
from ekomi_reconcile.state.repositories.journal import Offer
from ekomi_reconcile.state.store import State

GOOD = Review(order_id="A-1", submitted_at=NOW, rating=5.0, text="Good", comment="Thanks")
BAD = Review(order_id="A-2", submitted_at=NOW + 40 * DAY, rating=2.0)
OF_PRODUCT = replace(BAD, product_id="P-1", rating=3.0)

REVIEWS = st.lists(
    st.builds(
        Review,
        order_id=st.sampled_from(["1", "2", "3"]),
        submitted_at=st.integers(parse("1999-12-25T00:00:00Z"), parse("2030-01-08T00:00:00Z")),
        rating=st.sampled_from([1.0, 1.5, 2.0, 3.0, 4.4, 4.5, 5.0]),
        comment=st.sampled_from(["", "Thanks"]),
        product_id=st.sampled_from(["", "", "P-1"]),
    ),
    max_size=30,
)


def test_figures_by_account(state: State) -> None:
    """Each account has its own; reviews of products are beside; what is gone does not count."""
    state.reviews.save_import("1", [GOOD, BAD, OF_PRODUCT], full=True, now=NOW)
    state.reviews.save_import("1", [GOOD, OF_PRODUCT], full=True, now=NOW)
    first, second = state.aggregates.review_statistics(["2", "1", "77"], by=Period.MONTH)
    assert first == ReviewStatistics(
        interface_id="1",
        total=Tally(1, 5.0),
        stars={5: 1, 4: 0, 3: 0, 2: 0, 1: 0},
        answered=1,
        trend={Period.MONTH.number(NOW): Tally(1, 5.0)},
        products=Tally(1, 3.0),
    )
    assert (first.answered_share, second.interface_id, second.total) == (1.0, "2", Tally())
    assert (second.answered_share, second.total.average) == (None, None)
    assert state.reviews.count_reviews("1") == 1


def test_one_product_and_a_beginning(state: State) -> None:
    """--product counts that product's reviews, whose answers nobody knows; --since only later ones."""
    state.reviews.save_import("1", [GOOD, BAD, OF_PRODUCT], full=True, now=NOW)
    (found,) = state.aggregates.review_statistics(["1"], by=Period.WEEK, product_id="P-1")
    assert (found.total, found.answered, found.answered_share) == (Tally(1, 3.0), None, None)
    assert state.aggregates.review_statistics(["1"], by=Period.WEEK, product_id="P-2")[0].total == Tally()
    (late,) = state.aggregates.review_statistics(["1"], by=Period.WEEK, since=NOW + 1)
    assert (late.total, late.answered_share) == (Tally(1, 2.0), 0.0)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(REVIEWS, st.sampled_from(Period))
def test_the_database_adds_up_as_python_does(state: State, reviews: list[Review], by: Period) -> None:
    """Counts, stars, periods at the edges of years: the same sums, from whatever database."""
    state.reviews.save_import("1", [], full=True, now=NOW)
    state.reviews.save_import("1", reviews, full=True, now=NOW)
    (found,) = state.aggregates.review_statistics(["1"], by=by)
    own = [each for each in reviews if not each.product_id]
    assert found.total.reviews == len(own)
    assert abs(found.total.rating_sum - sum(each.rating for each in own)) < 1e-6
    assert found.products.reviews == len(reviews) - len(own)
    assert found.answered == sum(bool(each.comment) for each in own)
    stars = [int(each.rating + 0.5) for each in own]
    assert found.stars == {star: stars.count(star) for star in (5, 4, 3, 2, 1)}
    periods = [by.number(each.submitted_at) for each in own]
    assert {key: each.reviews for key, each in found.trend.items()} == {
        each: periods.count(each) for each in periods
    }


def test_an_import_of_products_leaves_the_shops_reviews_alone(state: State) -> None:
    """A full import of one kind marks only that kind as gone, and products date nothing."""
    state.reviews.save_import("1", [GOOD, BAD], full=True, now=NOW, kind=ReviewKind.SHOP)
    assert not state.reviews.has_product_reviews("1")
    state.reviews.save_import("1", [OF_PRODUCT], full=True, now=NOW + 1, kind=ReviewKind.PRODUCT)
    assert state.reviews.has_product_reviews("1")
    assert not state.reviews.has_product_reviews("2")
    assert state.accounts.read()[0].last_import_at == NOW
    assert state.reviews.save_import("1", [], full=True, now=NOW + 2, kind=ReviewKind.PRODUCT).gone == 1
    assert {each.review for each in state.reviews.search()} == {GOOD, BAD}
    assert list(state.reviews.search(product_id="P-1")) == []
    assert [each.review for each in state.reviews.search(product_id="P-1", include_gone=True)] == [OF_PRODUCT]


def test_who_is_refused_product_reviews_is_remembered(state: State) -> None:
    """The last word counts."""
    assert state.journal.without_product_reviews() == frozenset()
    state.journal.note_product_reviews("1", Offer.NOT_OFFERED, name="One", now=NOW)
    state.journal.note_product_reviews("2", Offer.NOT_OFFERED, name="Two", now=NOW)
    state.journal.note_product_reviews("1", Offer.OFFERED, name="One", now=NOW)
    assert state.journal.without_product_reviews() == {"2"}


def test_without_names_all_live_accounts_are_added_up(state: State) -> None:
    """The same figures as by name; those of a deleted account only by name."""
    state.reviews.save_import("1", [GOOD, BAD, OF_PRODUCT], full=True, now=NOW)
    state.reviews.save_import("2", [BAD], full=True, now=NOW)
    assert state.aggregates.review_statistics(by=Period.WEEK) == state.aggregates.review_statistics(
        ["1", "2"], by=Period.WEEK
    )
    state.accounts.delete("2", now=NOW)
    assert [each.interface_id for each in state.aggregates.review_statistics(by=Period.WEEK)] == ["1"]
    assert [each.total.reviews for each in state.aggregates.review_statistics(["2"], by=Period.WEEK)] == [1]
