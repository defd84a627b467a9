"""Reviews whose texts were erased stay without them, though eKomi may go on to show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import select, update

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.review import Review
from ekomi_reconcile.state.session import Session, chunks
from ekomi_reconcile.state.tables import erased_review, review

_ReviewKey = tuple[str, Instant, str, int]


class ErasedReviewStore(Session):
    """Erasing the texts of reviews for good."""

    def erase_reviews(self, orders: Iterable[tuple[int, str]], *, now: Instant) -> int:
        """Erase text, title and answer of the reviews of these orders (account id, number); how many.

        Reviews of these orders that an import finds later come without them too.
        """
        erased, numbers = 0, dict[int, list[str]]()
        for key, number in sorted(set(orders)):
            numbers.setdefault(key, []).append(number)
        blank = {"text": "", "title": "", "comment": "", "changed_at": now}
        with self._joined():
            for key, own in numbers.items():
                self._insert_rows(erased_review, ("account_id", "order_id"), [(key, each) for each in own])
                for chunk in chunks(own):
                    mine = (review.c.account_id == key) & review.c.order_id.in_(chunk)
                    erased += self._execute(update(review).where(mine).values(blank)).rowcount
        return erased

    def _without_erased(self, key: int, found: Mapping[_ReviewKey, Review]) -> dict[_ReviewKey, Review]:
        """What an import found for an account, without texts that were erased."""
        mine = select(erased_review.c.order_id).where(erased_review.c.account_id == key)
        erased = {row.order_id for row in self._rows(mine)}
        if not erased:
            return dict(found)
        return {
            name: replace(each, text="", title="", comment="") if each.order_id in erased else each
            for name, each in found.items()
        }
