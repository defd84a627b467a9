"""Reviews, from the rows of getFeedback and getProductfeedback.

Rows have no id. Their keys differ from the names of the fields asked for (``date`` comes back as
``submitted``, ``feedback`` as ``review``); numbers may be texts; a line break may be backslash and n.
"""

from __future__ import annotations

from collections.abc import Callable

from ekomi_reconcile.ekomi.fields import identifier, number, text
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import Instant, parse
from ekomi_reconcile.model.review import Review

SHOP_FIELDS = ("date", "order_id", "rating", "feedback", "comment")
PRODUCT_FIELDS = ("date", "order_id", "product_id", "rating", "feedback")
SHOP_TITLE = "shop_review_title"
PRODUCT_TITLE = "product_review_title"

_LATEST = 253_402_300_799  # the end of the year 9999


class Reviews(list[Review]):
    """The reviews of one answer.

    ``unreadable`` counts the rows that lack what makes a review: date and rating, of a product also its id.
    ``silent``: there was no answer at all, which mostly means that there are no reviews, but proves nothing.
    """

    unreadable: int = 0
    silent: bool = False

    @property
    def whole(self) -> bool:
        """Are these surely all the reviews that were asked for?"""
        return not (self.unreadable or self.silent)

    def keep(self, wanted: Callable[[Review], bool]) -> None:
        """Forget the others."""
        self[:] = [each for each in self if wanted(each)]


def reviews_from(rows: list[Json]) -> Reviews:
    """Every row that is a review."""
    reviews = Reviews()
    for row in rows:
        review = _review(row) if isinstance(row, dict) else None
        if review is None:
            reviews.unreadable += 1
        else:
            reviews.append(review)
    return reviews


def _review(row: dict[str, Json]) -> Review | None:
    submitted, rating = _instant(_first(row, "submitted", "date")), _rating(row.get("rating"))
    if submitted is None or rating is None:
        return None
    return Review(
        order_id=identifier(row.get("order_id")),
        submitted_at=submitted,
        rating=rating,
        text=text(_first(row, "review", "feedback")),
        comment=text(row.get("comment")),
        title=text(_first(row, SHOP_TITLE, PRODUCT_TITLE)),
        product_id=identifier(row.get("product_id")),
    )


def _first(row: dict[str, Json], *keys: str) -> Json:
    return next((row[key] for key in keys if row.get(key) is not None), None)


def _instant(value: Json) -> Instant | None:
    """Unix seconds, as number or text; a written date is taken too."""
    seconds = number(value)
    if seconds is not None:
        return int(seconds) if 0 < seconds <= _LATEST else None
    try:
        return parse(value.strip()) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _rating(value: Json) -> float | None:
    stars = number(value)
    return stars if stars is not None and 1 <= stars <= 5 else None
