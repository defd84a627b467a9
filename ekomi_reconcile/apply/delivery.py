"""One request for a review: from an order to a call, and from its end to an outcome."""

from __future__ import annotations

from random import randrange

from ekomi_reconcile.apply.context import was_tried
from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.ekomi.values import Channel, Receipt, Recipient
from ekomi_reconcile.errors import (
    AccountRefused,
    EkomiError,
    EkomiUnavailable,
    OutcomeUnknown,
    RecipientRefused,
    RequestRefused,
)
from ekomi_reconcile.model.account import Account, Deliver
from ekomi_reconcile.model.instant import HOUR, Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.rules.contact import mobile_number
from ekomi_reconcile.state.records import Outcome

MOST_ATTEMPTS = 8
"""Calls that certainly had no effect are repeated by later runs; after so many the row has failed."""

_FIRST_PAUSE = 300
_LONGEST_PAUSE = 12 * HOUR


def deliver(client: EkomiClient, account: Account, order: Order) -> Receipt:
    """Ask for the review of this order, once.

    Raises:
        EkomiError: what became of the request, by kind.
    """
    if account.invitations.deliver is Deliver.LINK:
        return client.put_order(order.number, order.created_at)
    return client.add_recipient(_recipient(account, order))


def _recipient(account: Account, order: Order) -> Recipient:
    contact = order.contact
    by_sms = account.invitations.deliver is Deliver.EKOMI_SMS
    return Recipient(
        channel=Channel.SMS if by_sms else Channel.EMAIL,
        transaction_id=order.number,
        transaction_time=order.created_at,
        email=contact.email,
        telephone=mobile_number(contact.telephone, contact.country) if by_sms else None,
        first_name=contact.first_name,
        last_name=contact.last_name,
        client_id=None if contact.customer_id is None else str(contact.customer_id),
        sender_name=account.name if by_sms else None,
    )


def delivered(row: Invitation, receipt: Receipt, *, now: Instant) -> Outcome:
    """The outcome of a call that eKomi took."""
    reason = "eKomi had this order already" if receipt.known_before else None
    return Outcome(id=row.id, status=Status.SENT, at=now, link=receipt.link, reason=reason)


def undelivered(row: Invitation, error: EkomiError, *, now: Instant) -> Outcome:
    """The outcome of a call that failed: waiting again, failed for good, or not known.

    Wrong credentials are no fault of the row, nor is the end of a run. A call that may have taken effect
    is never repeated here.
    """
    if isinstance(error, OutcomeUnknown):
        return Outcome(id=row.id, status=Status.UNKNOWN, at=now, reason=error.message, failed_calls=1)
    refused = isinstance(error, AccountRefused | RequestRefused) and not isinstance(error, RecipientRefused)
    if refused or not was_tried(error):
        return Outcome(id=row.id, status=Status.PENDING, at=now, reason=error.message)
    attempts = row.attempts + 1
    if isinstance(error, EkomiUnavailable) and attempts < MOST_ATTEMPTS:
        return Outcome(
            id=row.id,
            status=Status.PENDING,
            at=now,
            reason=error.message,
            failed_calls=1,
            next_attempt_at=now + spread(pause_after(attempts, error.retry_after)),
        )
    return Outcome(id=row.id, status=Status.FAILED, at=now, reason=error.message, failed_calls=1)


def pause_after(attempts: int, asked: float | None = None) -> int:
    """Seconds until the next attempt: doubling from 5 minutes to 12 hours, at least what eKomi asked for."""
    doubled: int = _FIRST_PAUSE << (attempts - 1)
    return max(min(doubled, _LONGEST_PAUSE), int(asked or 0))


def spread(pause: int) -> int:
    """Up to a fifth longer, by chance: what failed together does not come back together."""
    return pause + randrange(pause // 5 + 1)  # noqa: S311
