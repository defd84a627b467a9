"""Which accounts eKomi offers no product reviews. The journal knows: it is written when that changes."""

from __future__ import annotations

from enum import StrEnum

from sqlalchemy import select

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.state.journal import JournalStore
from ekomi_reconcile.state.tables import journal

PRODUCT_REVIEWS = "product reviews"
"""The action of the journal; its subject is the account's name, its detail the interface id."""


class Offer(StrEnum):
    """What eKomi said about product reviews of an account."""

    OFFERED = "offered"
    NOT_OFFERED = "not offered"


class OfferStore(JournalStore):
    """Remembering what was told once."""

    def without_product_reviews(self) -> frozenset[str]:
        """The interface ids of the accounts that were refused product reviews, when last told."""
        told = select(journal.c.detail, journal.c.outcome).where(journal.c.action == PRODUCT_REVIEWS)
        last = {row.detail: row.outcome for row in self._rows(told.order_by(journal.c.id))}
        return frozenset(key for key, outcome in last.items() if outcome == Offer.NOT_OFFERED.value)

    def note_product_reviews(self, interface_id: str, offer: Offer, *, name: str, now: Instant) -> None:
        """Write down that eKomi offers, or no longer offers, product reviews."""
        self.journal(PRODUCT_REVIEWS, subject=name, outcome=offer.value, detail=interface_id, now=now)
