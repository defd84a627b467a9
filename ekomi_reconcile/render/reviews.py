"""The list of reviews."""

from __future__ import annotations

from dataclasses import dataclass

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import iso, iso_or_none
from ekomi_reconcile.render.records import ShownReview
from ekomi_reconcile.render.style import Tone
from ekomi_reconcile.render.tables import Cell, Column, Layout, Row, cell, time_cell

LAYOUT: Layout = (
    (Column("Submitted (UTC)"), Column("State")),
    (Column("Account", whole=False), Column("Order", whole=False), Column("Product", whole=False)),
    (Column("Rating", right=True),),
    (Column("Title", whole=False), Column("Text", whole=False), Column("Answer", whole=False)),
)


@dataclass(frozen=True, slots=True)
class ListedReview:
    """A review and the name of its account."""

    account: str
    recorded: ShownReview


def review_json(each: ListedReview) -> dict[str, Json]:
    """One object of ``reviews list --format json``; ``comment`` is the shop's public answer."""
    recorded, review = each.recorded, each.recorded.review
    return {
        "account": each.account,
        "interface_id": recorded.interface_id,
        "order": review.order_id,
        "product_id": review.product_id or None,
        "submitted_at": iso(review.submitted_at),
        "rating": review.rating,
        "title": review.title or None,
        "text": review.text or None,
        "comment": review.comment or None,
        "first_seen_at": iso(recorded.first_seen_at),
        "changed_at": iso(recorded.changed_at),
        "gone_at": iso_or_none(recorded.gone_at),
    }


def review_row(each: ListedReview) -> Row:
    """One line of the list."""
    review = each.recorded.review
    gone = each.recorded.gone_at is not None
    return (
        time_cell(review.submitted_at),
        Cell("gone", Tone.REMOVE) if gone else Cell(""),
        cell(each.account),
        cell(review.order_id),
        cell(review.product_id),
        cell(f"{review.rating:g}"),
        cell(review.title),
        cell(review.text),
        cell(review.comment),
    )
