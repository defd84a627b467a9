"""The report as data. Instants are UTC epoch seconds, days are whole days since 1970-01-01 in UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ekomi_reconcile.model.account_record import GridRow
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.run import JournalEntry, RunFigures

OTHER_REASON = "other"
"""Stands for reasons in words of a person, which the report does not repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListLimits:
    """How many rows the lists of a report have at most, whatever the size of the state."""

    accounts: int = 1_000
    invitations: int = 50
    unclear: int = 20
    runs: int = 20
    by_account: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountGrid:
    """The accounts by name: ``rows`` are the first of ``count``, of which ``inviting`` are enabled."""

    count: int
    inviting: int
    rows: tuple[GridRow, ...]


@dataclass(frozen=True, slots=True)
class InvitationRow:
    """A row of the invitations grid. Its ``reason`` is left out where a person may have written it.

    A pending one can leave at ``leaves_at``.
    """

    account: str
    invitation: Invitation
    leaves_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    """How many on one day."""

    day: int
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueFigures:
    """The queue as it stands, of deleted accounts too.

    ``due`` and ``oldest_due`` are of enabled accounts; ``held`` are pending rows of disabled ones.
    ``scheduled`` has the coming days, the present one first; ``later`` is what comes after them.
    """

    total: int
    by_status: Mapping[Status, int]
    due: int
    oldest_due: Instant | None
    held: int
    sent: tuple[DayCount, ...]
    scheduled: tuple[DayCount, ...]
    later: int
    latest: tuple[InvitationRow, ...]
    unknown: tuple[InvitationRow, ...]
    failed: tuple[InvitationRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonRow:
    """How many orders of an account were not invited, by reason; ``account`` is ``None`` for all others."""

    account: str | None
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reasons:
    """Why orders were not invited: ``runs`` runs since then looked at them; ``reasons`` are the columns."""

    since: Instant
    runs: int
    reasons: tuple[str, ...]
    rows: tuple[ReasonRow, ...]
    cancelled_reasons: tuple[str, ...]
    cancelled: tuple[ReasonRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigure:
    """The reviews of one month, 1 to 12; without any there is no ``average``."""

    year: int
    month: int
    count: int
    average: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReviews:
    """The imported reviews of an account, in all and by month."""

    account: str
    count: int
    average: float
    months: tuple[MonthFigure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedProduct:
    """The imported reviews of a product, which is named as the shop names it, where that is known."""

    account: str
    product: str
    name: str
    count: int
    average: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFigures:
    """The imported reviews; ``rows`` are the accounts with the most, of ``accounts`` that have any.

    ``products`` are those with the most reviews, of ``product_count`` that have any.
    """

    count: int
    average: float | None
    months: tuple[MonthFigure, ...]
    accounts: int
    rows: tuple[AccountReviews, ...]
    products: tuple[ReviewedProduct, ...] = ()
    product_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Something that was done. Without ``ended_at`` its end is not on record: it goes on, or was killed.

    ``entry`` is its last one in the journal, without the detail: a person may have written that.
    """

    began_at: Instant
    ended_at: Instant | None
    entry: JournalEntry
    figures: RunFigures

    @property
    def outcome(self) -> str | None:
        """How it ended, or ``None`` where that is not on record."""
        return None if self.ended_at is None else self.entry.outcome


class Urgency(StrEnum):
    """Does somebody have to do something?"""

    ACT = "to do"
    KNOW = "to know"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something that a person should see: what it is, what to do, and the ``commands`` for it."""

    urgency: Urgency
    title: str
    text: str
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportData:
    """Everything that the report shows, as of ``made_at``.

    ``looked_at`` is when orders were evaluated last.
    """

    made_at: Instant
    tool_version: str
    lineage: str
    serial: int
    looked_at: Instant | None
    accounts: AccountGrid
    queue: QueueFigures
    reasons: Reasons
    reviews: ReviewFigures
    runs: tuple[Run, ...]
    notices: tuple[Notice, ...]
