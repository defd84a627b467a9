"""The accounts grid."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.report.data import AccountGrid, AccountRow
from ekomi_reconcile.state.records import AccountRecord


def account_grid(
    records: Collection[AccountRecord], counts: Mapping[str, Mapping[Status, int]], *, limit: int
) -> AccountGrid:
    """The live accounts by name; ``counts`` are their invitations by interface id and status."""
    ordered = sorted(records, key=lambda each: (each.name.casefold(), each.interface_id))
    return AccountGrid(
        count=len(ordered),
        inviting=sum(map(invites, ordered)),
        rows=tuple(_row(each, counts.get(each.interface_id, {})) for each in ordered[:limit]),
    )


def invites(record: AccountRecord) -> bool:
    """Are its invitations enabled, as last applied?"""
    return bool(record.desired["invitations"]["enabled"])


def _row(record: AccountRecord, counts: Mapping[Status, int]) -> AccountRow:
    shop = record.shop
    return AccountRow(
        id=record.id,
        name=record.name,
        account_name=shop.account_name,
        interface_id=record.interface_id,
        locale=shop.locale,
        total_reviews=shop.total_reviews,
        average_score=shop.average_score,
        invites=invites(record),
        total=sum(counts.values()),
        pending=counts.get(Status.PENDING, 0),
        updated_at=record.updated_at,
        last_fetched_at=record.last_fetched_at,
        last_error=record.last_error,
        last_error_at=record.last_error_at,
        review_page=shop.review_page,
    )
