"""One request for a review: re-check, call, outcome, and the shop's annotation."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from random import randrange

from ekomi_reconcile.apply.context import Context, was_tried
from ekomi_reconcile.ekomi import Channel, Receipt, Recipient
from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.model import errors as model_errors
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY, HOUR, Instant
from ekomi_reconcile.model.invitation import UNREACHABLE, Invitation, SendOutcome, Status
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.model.review import OrderedProduct
from ekomi_reconcile.model.rule import Deliver, InvitationRule
from ekomi_reconcile.plan.matcher import cancel_reason
from ekomi_reconcile.plan.view import Privacy, in_its_store_view
from ekomi_reconcile.rules.case import Case, KnownFacts
from ekomi_reconcile.rules.judge import first_failed
from ekomi_reconcile.rules.rulebook import Rule, channel_of, mobile_number, waits_on_hold
from ekomi_reconcile.state.store import State

_log = logging.getLogger("ekomi_reconcile.apply")


class DueVerdict(StrEnum):
    """What happens to a row that is due."""

    SEND = "send"
    WAIT = "wait"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Recheck:
    """A verdict; ``reason`` says why a row is cancelled, ``channel`` through which it is sent."""

    verdict: DueVerdict
    reason: str | None = None
    channel: Deliver | None = None


def recheck(
    row: Invitation,
    order: Order | None,
    rule: Rule | None,
    *,
    privacy: Privacy,
    reviewed: Instant | None = None,
) -> Recheck:
    """Judge a due row by its order as it is now.

    Refunded, canceled, moved or no longer matching is cancelled; on hold or not readable waits. The age
    is judged by the instant of scheduling, the status by the evidence recorded with the row. ``reviewed`` is
    when the order was reviewed.
    """
    if order is None or rule is None or not rule.account.invitations.enabled or waits_on_hold(order, rule):
        return Recheck(DueVerdict.WAIT)
    order = in_its_store_view(order, [row])
    known = KnownFacts(
        now=row.scheduled_at, source=row.source, opted_out=privacy.opted_out(order), reviewed=reviewed
    )
    failed = first_failed(Case(rule, order, row.judged_at, row.reached, known))
    if failed is not None:
        return Recheck(DueVerdict.CANCEL, cancel_reason(failed, order, rule))
    return Recheck(DueVerdict.SEND, channel=channel_of(order, rule.account.invitations))


AT_ONCE = 2
"""A shop answers no faster with more requests at a time."""


def annotate(context: Context, rows: Sequence[Invitation]) -> None:
    """Write a comment for each of these invitations whose source takes one.

    A comment that cannot be written is reported and changes nothing else: the customer was invited. Where the
    credentials of a source do not allow it, that is reported once and not tried again.
    """
    by_source: dict[str, list[Invitation]] = {}
    for row in rows:
        if row.source in context.annotated:
            by_source.setdefault(row.source, []).append(row)
    if not by_source:
        return
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="annotate") as pool:
        for source, wanted in by_source.items():
            _annotate_all(context, pool, source, wanted)


def _annotate_all(context: Context, pool: ThreadPoolExecutor, source: str, rows: list[Invitation]) -> None:
    first = _annotate(context, rows[0])
    if first is not None and first.refused:
        context.result.fail(f"order source {source}: comments on {len(rows)} order(s)", first)
        return
    errors = [first, *pool.map(lambda row: _annotate(context, row), rows[1:])]
    for row, error in zip(rows, errors, strict=True):
        if error is not None:
            context.result.fail(f"{context.name(row.interface_id)}: comment on order {row.number}", error)


def _annotate(context: Context, row: Invitation) -> model_errors.OrderSourceError | None:
    text = f"Asked for a review through eKomi ({context.name(row.interface_id)})."
    try:
        context.annotate(row.source, row.order_id, text)
    except model_errors.OrderSourceError as error:
        return error
    return None


LONGEST_UNREACHED = 14 * DAY
"""Seconds after its time at which an invitation that cannot be handed to eKomi is given up."""

_DIFFERS = re.compile(r"\[[a-z-]+\]|[0-9]+")
_FIRST_PAUSE = 300
_LONGEST_PAUSE = 12 * HOUR


def deliver(
    client: EkomiClient,
    account: Account,
    order: Order,
    products: tuple[OrderedProduct, ...] = (),
    *,
    channel: Deliver,
    shop_name: str | None = None,
) -> Receipt:
    """Ask for the review of this order and of these products, once, through this channel.

    ``shop_name`` is the shop's name at eKomi. For a link the products are registered already.

    Raises:
        EkomiError: what became of the request, by kind.
    """
    if channel is not Deliver.LINK:
        return client.add_recipient(
            _recipient(account.invitations, order, channel, products=products, shop_name=shop_name)
        )
    return client.put_order(order.number, order.created_at, [each.product_id for each in products])


def _recipient(
    rule: InvitationRule,
    order: Order,
    channel: Deliver,
    *,
    products: tuple[OrderedProduct, ...],
    shop_name: str | None,
) -> Recipient:
    contact = order.contact
    by_sms = channel is Deliver.EKOMI_SMS
    return Recipient(
        channel=Channel.SMS if by_sms else Channel.EMAIL,
        transaction_id=order.number,
        transaction_time=order.created_at,
        email=contact.email,
        telephone=mobile_number(contact.telephone, contact.country) if by_sms else None,
        first_name=contact.first_name,
        last_name=contact.last_name,
        client_id=None if contact.customer_id is None else str(contact.customer_id),
        sender_name=rule.sender_name(channel, shop_name),
        sender_email=rule.sender.email,
        products=products,
    )


@dataclass(slots=True)
class RecordedProducts:
    """What the products of this run's invitations are called at eKomi, as the state keeps it.

    They are recorded before eKomi hears of them. Products of which eKomi took no invitation are removed
    again, unless they were known before, or other runners may have invited customers to review them.
    """

    state: State
    _recorded: dict[str, set[OrderedProduct]] = field(default_factory=lambda: defaultdict(set))
    _new: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _taken: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def record(self, wanted: Mapping[str, set[OrderedProduct]]) -> None:
        """Record these products, by interface id, as far as this run has not done it."""
        new = {key: left for key, each in wanted.items() if (left := each - self._recorded[key])}
        if not new:
            return
        with self.state.transaction():
            for key, products in new.items():
                ids = {each.product_id for each in products}
                self._new[key] |= ids - self.state.products.identifiers(key, ids).keys()
                self.state.products.save(key, products)
        for key, products in new.items():
            self._recorded[key] |= products

    def settled(self, row: Invitation, products: Iterable[OrderedProduct], outcome: SendOutcome) -> None:
        """Note that eKomi was asked about these products, and what came of it."""
        if outcome.status in {Status.SENT, Status.UNKNOWN}:
            self._taken[row.interface_id] |= {each.product_id for each in products}

    def finish(self) -> None:
        """Remove the new products of which eKomi took no invitation."""
        left = {key: ids - self._taken[key] for key, ids in self._new.items()}
        if self.state.runner.alone and any(left.values()):
            with self.state.transaction():
                for key, ids in left.items():
                    self.state.products.remove(key, ids)


def delivered(row: Invitation, receipt: Receipt, *, now: Instant) -> SendOutcome:
    """The outcome of a call that eKomi took."""
    reason = "eKomi had this order already" if receipt.known_before else None
    return SendOutcome(id=row.id, status=Status.SENT, at=now, link=receipt.link, reason=reason)


def undelivered(row: Invitation, error: model_errors.EkomiError, *, now: Instant) -> SendOutcome:
    """The outcome of a call that failed: waiting again, failed for good, cancelled, or not known.

    A refusal that is not about the recipient counts no attempt, nor does a call that never reached eKomi,
    or that the end of a run prevented. A call that may have taken effect is never repeated here.
    """
    outcome = partial(SendOutcome, id=row.id, at=now, reason=error.message)
    if isinstance(error, model_errors.OutcomeUnknown):
        return outcome(status=Status.UNKNOWN, failed_calls=1)
    if isinstance(error, model_errors.RecipientRefused):
        return outcome(status=Status.FAILED, failed_calls=1)
    if isinstance(error, model_errors.AccountRefused | model_errors.RequestRefused):
        unlisted = int(isinstance(error, model_errors.RequestRefused))
        return outcome(status=Status.PENDING, refusal=text_of(error, row), refusals=unlisted)
    if not was_tried(error):
        return outcome(status=Status.PENDING, unreached=row.unreached)
    return _unreached(row, error, now=now)


def _unreached(row: Invitation, error: model_errors.EkomiError, *, now: Instant) -> SendOutcome:
    """Try again later, but not for ever; what was due long ago still gets a second attempt."""
    if row.unreached and now >= row.scheduled_at + LONGEST_UNREACHED:
        return SendOutcome(id=row.id, status=Status.CANCELLED, at=now, reason=UNREACHABLE)
    calls = row.unreached + 1
    asked = error.retry_after if isinstance(error, model_errors.EkomiUnavailable) else None
    return SendOutcome(
        id=row.id,
        status=Status.PENDING,
        at=now,
        reason=error.message,
        unreached=calls,
        next_attempt_at=now + spread(pause_after(calls, asked)),
    )


def text_of(error: model_errors.EkomiError, row: Invitation) -> str:
    """What eKomi said, without what differs from order to order."""
    text = (error.said or error.message).casefold().replace(row.number.casefold(), "#")
    return " ".join(_DIFFERS.sub("#", text).split())


def pause_after(calls: int, asked: float | None = None) -> int:
    """Seconds until the next attempt: doubling from 5 minutes to 12 hours, at least what eKomi asked for."""
    doubled: int = _FIRST_PAUSE << min(calls - 1, 20)
    return max(min(doubled, _LONGEST_PAUSE), int(asked or 0))


def spread(pause: int) -> int:
    """Up to a fifth longer, by chance: what failed together does not come back together."""
    return pause + randrange(pause // 5 + 1)  # noqa: S311


def error_of(future: Future[Receipt]) -> model_errors.EkomiError | None:
    """How a call failed. A fault of this program leaves that one invitation in doubt, not the whole run.

    Raises:
        Exception: what is not a failure of eKomi or of the connection, as it is.
    """
    error = future.exception()
    if error is None or isinstance(error, model_errors.EkomiError):
        return error
    if not isinstance(error, Exception):
        raise error
    _log.debug("a call ended with an unexpected error", exc_info=error)
    return model_errors.OutcomeUnknown(
        f"unexpected error while sending: {type(error).__name__}",
        hint="this is a bug in ekomi-reconcile: please report it with the output of -vv",
    )
