"""Reviews as imported, and which orders have one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Row, Select, and_, bindparam, exists, func, or_, select, tuple_, update

from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import LOOP, Criterion, Invitation, Status
from ekomi_reconcile.model.review import ImportCounts, RecordedReview, Review, ReviewKind
from ekomi_reconcile.state.engine.session import ROWS_PER_PAGE, Repository, Session, chunks
from ekomi_reconcile.state.engine.tables import PENDING, account, erased_review, invitation, product, review
from ekomi_reconcile.state.repositories.invitations import COLUMNS, record_changes, to_invitation

_ANY = select(review.c.id).limit(1)
_PAIRS = 400
_LIVE = review.c.gone_at.is_(None)
_OTHER = invitation.alias("other")
SOLE = ~exists().where(
    _OTHER.c.number == invitation.c.number,
    _OTHER.c.account_id + 0 == invitation.c.account_id,  # or SQLite looks through all of the account
    _OTHER.c.id != invitation.c.id,
)
"""No other order is recorded with this number at this interface."""


def _of_invitation() -> Any:
    """A review of the order of an invitation, submitted after the order date."""
    return (
        _LIVE
        & (review.c.account_id == invitation.c.account_id)
        & (review.c.order_id == invitation.c.number)
        & (review.c.submitted_at > invitation.c.order_date)
    )


def reviewed_rows(keys: Collection[int], since: Instant) -> Select[Any]:
    """Pending invitations of these accounts whose orders have a review that was submitted since then."""
    return (
        select(*COLUMNS)
        .distinct()
        .select_from(review)
        .join(invitation, _of_invitation())
        .where(
            review.c.account_id.in_(keys),
            review.c.submitted_at >= since,
            invitation.c.status == PENDING,
        )
    )


class ReviewedRepository(Repository):
    """Looking up reviews by order number, and what follows from them."""

    def any(self) -> bool:
        """Is there any review of any account?"""
        return self._session.execute(_ANY).scalar() is not None

    def submitted(self, pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], tuple[Instant, ...]]:
        """When reviews with these interface ids and order numbers were submitted; without any: left out."""
        found: dict[tuple[str, str], tuple[Instant, ...]] = {}
        if not pairs or not self.any():
            return found
        names = self._keys.names()
        ids = {name: key for key, name in names.items()}
        wanted = [(ids[name], number) for name, number in sorted(set(pairs)) if name in ids]
        statement = select(review.c.account_id, review.c.order_id, review.c.submitted_at).where(_LIVE)
        for at in range(0, len(wanted), _PAIRS):
            mine = tuple_(review.c.account_id, review.c.order_id).in_(wanted[at : at + _PAIRS])
            for key, number, submitted in self._session.rows(statement.where(mine)):
                place = (names[key], number)
                found[place] = (*found.get(place, ()), submitted)
        return found

    def pending(self, interface_ids: Collection[str], since: Instant) -> Iterator[Invitation]:
        """Pending invitations whose orders have a review that was submitted since then, by id."""
        for chunk in chunks(self._keys.any_of(interface_ids)):
            names = self._keys.names()
            rows = self._session.rows(reviewed_rows(chunk, since).order_by(invitation.c.id))
            yield from (to_invitation(row, names) for row in rows)

    def settle(self, interface_id: str, *, now: Instant) -> int:
        """Record as sent what was perhaps sent and has been reviewed; how many. Nobody knows when it was.

        An invitation whose number another order has at this interface stays unknown.
        """
        mine = select(invitation.c.id).where(
            invitation.c.account_id.in_(self._keys.any_of([interface_id])),
            invitation.c.status == Status.UNKNOWN.value,
            exists().where(_of_invitation()),
            SOLE,
        )
        with self._session.joined():
            ids = [row.id for row in self._session.rows(mine)]
            for chunk in chunks(ids):
                self._session.execute(
                    update(invitation)
                    .where(invitation.c.id.in_(chunk))
                    .values(
                        status=Status.SENT.value,
                        reason=Criterion.REVIEWED.value,
                        sent_at=None,
                        next_attempt_at=None,
                        changed_at=now,
                    )
                )
            record_changes(
                self._session,
                ids,
                Status.UNKNOWN,
                Status.SENT,
                at=now,
                actor=LOOP,
                detail=Criterion.REVIEWED.value,
            )
        return len(ids)


_Key: TypeAlias = tuple[str, Instant, str, int]

_NEW = (
    "account_id",
    "order_id",
    "submitted_at",
    "product_id",
    "repeat",
    "rating",
    "text",
    "comment",
    "title",
    "first_seen_at",
    "changed_at",
)
_CHANGE = (
    update(review)
    .where(review.c.id == bindparam("key"))
    .values(
        rating=bindparam("new_rating"),
        text=bindparam("new_text"),
        comment=bindparam("new_comment"),
        title=bindparam("new_title"),
        changed_at=bindparam("now"),
        gone_at=None,
    )
)


_WITH_PRODUCTS = select(review, product.c.identifier, product.c.name.label("product_name")).outerjoin_from(
    review,
    product,
    and_(product.c.account_id == review.c.account_id, product.c.product_id == review.c.product_id),
)


def of_product(product_id: str) -> ColumnElement[bool]:
    """Which reviews are of the product with this id at eKomi, or with this identifier of the shop?"""
    named = product.alias("named")
    own = select(named.c.product_id).where(
        named.c.account_id == review.c.account_id, named.c.identifier == product_id
    )
    return or_(review.c.product_id == product_id, review.c.product_id.in_(own))


@dataclass(frozen=True, slots=True)
class _KnownReview:
    id: int
    content: tuple[float, str, str, str]
    gone: bool


class ReviewRepository(Repository):
    """Importing and listing reviews."""

    def count_reviews(self, interface_id: str) -> int:
        """How many reviews of the shop itself are held of an account; those that are gone do not count."""
        mine = review.c.account_id.in_(self._keys.any_of([interface_id]))
        counted = select(func.count()).select_from(review).where(mine, review.c.product_id == "", _LIVE)
        return int(self._session.execute(counted).scalar_one())

    def save_import(
        self,
        interface_id: str,
        reviews: Iterable[Review],
        *,
        full: bool,
        now: Instant,
        kind: ReviewKind | None = None,
    ) -> ImportCounts:
        """Record what an import found, committed as one. ``full``: these are all there are (of that kind).

        A changed rating, text, title or answer updates; reviews alike in order, instant and product are
        numbered; one that a full import no longer finds is marked as gone, and comes back if found again.
        An import of product reviews alone does not count as one of the account.

        Raises:
            StateError: there is no such live account.
        """
        found = _numbered(reviews)
        with self._session.joined():
            key = self._keys.of(interface_id)
            found = self._without_erased(key, found)
            known = self._known(key, _earliest(found, full=full), kind)
            counts = self._store(key, found, known, now=now)
            if full:
                gone = [each.id for name, each in known.items() if name not in found and not each.gone]
                counts = replace(counts, gone=self._mark_gone(gone, now=now))
            if kind is not ReviewKind.PRODUCT:
                done = {"last_import_at": now} | ({"last_full_import_at": now} if full else {})
                self._session.execute(update(account).where(account.c.id == key).values(**done))
        return counts

    def has_product_reviews(self, interface_id: str) -> bool:
        """Was any review of a product ever imported for this account?"""
        mine = review.c.account_id.in_(self._keys.any_of([interface_id]))
        return bool(
            self._session.execute(select(exists().where(mine, _of_kind(ReviewKind.PRODUCT)))).scalar()
        )

    def search(
        self,
        interface_ids: Iterable[str] | None = None,
        *,
        since: Instant | None = None,
        include_gone: bool = False,
        product_id: str | None = None,
    ) -> Iterator[RecordedReview]:
        """Reviews by account, then by instant, the oldest first; of all kinds, or of one product.

        ``product_id`` is eKomi's id of a product, or the shop's own identifier.
        """
        names = self._keys.names()
        keys = sorted(names) if interface_ids is None else self._keys.any_of(interface_ids)
        for key in keys:
            statement = _WITH_PRODUCTS.where(review.c.account_id == key)
            if since is not None:
                statement = statement.where(review.c.submitted_at >= since)
            if not include_gone:
                statement = statement.where(review.c.gone_at.is_(None))
            if product_id is not None:
                statement = statement.where(of_product(product_id))
            statement = statement.order_by(review.c.submitted_at, review.c.id)
            with self._session.connection.execute(
                statement, execution_options={"yield_per": ROWS_PER_PAGE}
            ) as rows:
                for row in rows:
                    found = to_review(row, names[key])
                    yield replace(found, product=row.identifier, product_name=row.product_name)

    def _known(self, key: int, earliest: Instant, kind: ReviewKind | None) -> dict[_Key, _KnownReview]:
        statement = select(review).where(review.c.account_id == key, review.c.submitted_at >= earliest)
        if kind is not None:
            statement = statement.where(_of_kind(kind))
        return {
            (row.order_id, row.submitted_at, row.product_id, row.repeat): _KnownReview(
                row.id, (row.rating, row.text, row.comment, row.title), row.gone_at is not None
            )
            for row in self._session.rows(statement)
        }

    def _store(
        self, key: int, found: Mapping[_Key, Review], known: Mapping[_Key, _KnownReview], *, now: Instant
    ) -> ImportCounts:
        new: list[tuple[Any, ...]] = []
        changed: list[dict[str, Any]] = []
        for name, each in found.items():
            before = known.get(name)
            if before is None:
                new.append((key, *name, *_content(each), now, now))
            elif before.gone or before.content != _content(each):
                changed.append(_changed(before.id, each, now))
        self._session.insert_rows(review, _NEW, new)
        if changed:
            self._session.execute(_CHANGE, changed)
        unchanged = len(found) - len(new) - len(changed)
        added = tuple(each for name, each in found.items() if name not in known)
        return ImportCounts(new=len(new), changed=len(changed), unchanged=unchanged, added=added)

    def _without_erased(self, key: int, found: Mapping[_Key, Review]) -> dict[_Key, Review]:
        """What an import found for an account, without texts that were erased."""
        mine = select(erased_review.c.order_id).where(erased_review.c.account_id == key)
        erased = {row.order_id for row in self._session.rows(mine)}
        if not erased:
            return dict(found)
        return {
            name: replace(each, text="", title="", comment="") if each.order_id in erased else each
            for name, each in found.items()
        }

    def _mark_gone(self, ids: list[int], *, now: Instant) -> int:
        for chunk in chunks(ids):
            self._session.execute(
                update(review).where(review.c.id.in_(chunk)).values(gone_at=now, changed_at=now)
            )
        return len(ids)


def erase_reviews(session: Session, orders: Iterable[tuple[int, str]], *, now: Instant) -> int:
    """Erase text, title and answer of the reviews of these orders (account id, number); how many.

    Reviews of these orders that an import finds later come without them too.
    """
    erased, numbers = 0, dict[int, list[str]]()
    for key, number in sorted(set(orders)):
        numbers.setdefault(key, []).append(number)
    blank = {"text": "", "title": "", "comment": "", "changed_at": now}
    with session.joined():
        for key, own in numbers.items():
            session.insert_rows(erased_review, ("account_id", "order_id"), [(key, each) for each in own])
            for chunk in chunks(own):
                mine = (review.c.account_id == key) & review.c.order_id.in_(chunk)
                erased += session.execute(update(review).where(mine).values(blank)).rowcount
    return erased


def _of_kind(kind: ReviewKind) -> ColumnElement[bool]:
    return review.c.product_id == "" if kind is ReviewKind.SHOP else review.c.product_id != ""


def _numbered(reviews: Iterable[Review]) -> dict[_Key, Review]:
    """The reviews by key. Repeats are numbered by content, as eKomi may tell them in any order."""
    alike: defaultdict[tuple[str, Instant, str], list[Review]] = defaultdict(list)
    for each in reviews:
        alike[each.order_id, each.submitted_at, each.product_id].append(each)
    return {
        (*key, repeat): each
        for key, group in alike.items()
        for repeat, each in enumerate(sorted(group, key=_content) if len(group) > 1 else group)
    }


def _earliest(found: Mapping[_Key, Review], *, full: bool) -> Instant:
    """From which instant on recorded reviews matter to this import."""
    return 0 if full else min((key[1] for key in found), default=0)


def _content(each: Review) -> tuple[float, str, str, str]:
    return (each.rating, each.text, each.comment, each.title)


def _changed(key: int, each: Review, now: Instant) -> dict[str, Any]:
    rating, text, comment, title = _content(each)
    return {
        "key": key,
        "new_rating": rating,
        "new_text": text,
        "new_comment": comment,
        "new_title": title,
        "now": now,
    }


def to_review(row: Row[Any], interface_id: str) -> RecordedReview:
    """The review in a row of its table."""
    return RecordedReview(
        interface_id=interface_id,
        review=Review(
            order_id=row.order_id,
            submitted_at=row.submitted_at,
            rating=row.rating,
            text=row.text,
            comment=row.comment,
            title=row.title,
            product_id=row.product_id,
        ),
        first_seen_at=row.first_seen_at,
        changed_at=row.changed_at,
        gone_at=row.gone_at,
    )
