"""Importing reviews: which ones to ask for, and writing what came back.

Reviews of products are a function of their own at eKomi, which lower tiers do not have. An account that is
refused it is told once, and asked again with every full import.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ekomi_reconcile.apply.context import Context
from ekomi_reconcile.apply.fetching import Errand, Fetched, Products
from ekomi_reconcile.ekomi.feedback import Reviews
from ekomi_reconcile.errors import EkomiError
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.result import Done
from ekomi_reconcile.model.review import ReviewKind
from ekomi_reconcile.state.offers import Offer

_REMOVED_WITHIN = 2 * DAY
"""Seconds in which a run surely has removed what is older than the retention says."""


def with_products(context: Context, errands: Iterable[Errand]) -> list[Errand]:
    """The errands; those that import reviews also say which reviews of products to ask for."""
    refused = context.state.without_product_reviews()
    return [
        replace(each, products=_products(context, each, refused), refused_before=each.interface_id in refused)
        if each.reviews
        else each
        for each in errands
    ]


def _products(context: Context, errand: Errand, refused: frozenset[str]) -> Products:
    """All of them until there are some: an account may have been offered them only now."""
    if errand.full:
        return Products.ALL
    if errand.interface_id in refused:
        return Products.NONE
    return Products.RECENT if context.state.has_product_reviews(errand.interface_id) else Products.ALL


def keep_reviews(context: Context, errand: Errand, reviews: Reviews, kind: ReviewKind) -> None:
    """Write what an import brought. Only a full answer that was read whole says which reviews are gone."""
    everything = errand.full if kind is ReviewKind.SHOP else errand.products is Products.ALL
    _leave_out_forgotten(context, reviews)
    with context.state.transaction():
        counts = context.state.import_reviews(
            errand.interface_id, reviews, full=everything and reviews.whole, now=context.now(), kind=kind
        )
    context.result.count(Done.REVIEWS_NEW, counts.new)
    context.result.count(Done.REVIEWS_CHANGED, counts.changed)
    context.result.count(Done.REVIEWS_GONE, counts.gone)
    context.result.count(Done.REVIEWS_UNREADABLE, reviews.unreadable)


def _leave_out_forgotten(context: Context, reviews: Reviews) -> None:
    """What retention has removed does not come back with every full import."""
    retention = context.upkeep.retention
    if retention is not None:
        oldest = context.now() - retention - _REMOVED_WITHIN
        reviews.keep(lambda each: each.submitted_at >= oldest)


def keep_products(context: Context, fetched: Fetched) -> EkomiError | None:
    """Write the reviews of products; an error is one only if it is not eKomi's no to this account."""
    errand, products = fetched.errand, fetched.products
    if isinstance(products, Reviews):
        keep_reviews(context, errand, products, ReviewKind.PRODUCT)
        if errand.refused_before:
            _note(context, errand, Offer.OFFERED)
    elif fetched.products_refused:
        if not errand.refused_before:
            _note(context, errand, Offer.NOT_OFFERED)
            context.result.notes.append(
                f"{context.name(errand.interface_id)}: eKomi offers this account no product reviews; they "
                "are asked for again with every full import"
            )
    else:
        return products
    return None


def _note(context: Context, errand: Errand, offer: Offer) -> None:
    key = errand.interface_id
    with context.state.transaction():
        context.state.note_product_reviews(key, offer, name=context.name(key), now=context.now())
