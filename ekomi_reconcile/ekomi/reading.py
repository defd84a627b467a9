"""From an answer to what was asked for: an object, reviews, a review link."""

from __future__ import annotations

from ekomi_reconcile.ekomi.answer import Reporter, read_json
from ekomi_reconcile.ekomi.feedback import Reviews, reviews_from
from ekomi_reconcile.ekomi.fields import text, web_address
from ekomi_reconcile.ekomi.texts import Said, meaning_of_message
from ekomi_reconcile.ekomi.values import Receipt
from ekomi_reconcile.ekomi.wire import Answer, Reply
from ekomi_reconcile.errors import (
    AccountRefused,
    EkomiError,
    EkomiUnavailable,
    RecipientRefused,
    RequestRefused,
)
from ekomi_reconcile.model.account import Json


def read_object(reply: Reply, reporter: Reporter) -> dict[str, Json]:
    """The JSON object of a successful answer; raises as ``read_json``."""
    value = read_json(reply, reporter)
    if not isinstance(value, dict):
        raise _unfit(reply, reporter, "the answer is not a JSON object")
    return value


def read_reviews(reply: Reply, reporter: Reporter) -> Reviews:
    """The rows of a dump; an answer of which nothing can be read is no empty list."""
    rows = read_json(reply, reporter, empty=None)
    reviews = reviews_from(rows or []) if isinstance(rows, list | None) else None
    if reviews is None or (reviews.unreadable and not reviews):
        raise _unfit(reply, reporter, "the answer holds no readable reviews")
    reviews.silent = rows is None
    return reviews


def read_link(reply: Reply, reporter: Reporter) -> Receipt:
    """The link that putOrder gives; without one nothing could be sent to the customer.

    Raises:
        AccountRefused: a no about the account, beside what ``read_json`` raises.
        RecipientRefused: a no about the order's customer.
    """
    try:
        order = read_object(reply, reporter)
    except RequestRefused as error:
        kind = _REFUSALS.get(meaning_of_message(error.said))
        if kind is None:
            raise
        raise kind(error.message, function=error.function, status=error.status, said=error.said) from None
    link = web_address(order.get("link"))
    if link is None:
        raise _unfit(reply, reporter, "the answer holds no review link")
    known_since = text(order.get("known_since")).strip(" 0:.-TZ").lower()
    return Receipt(link=link, known_before=known_since not in {"", "false", "null"})


_REFUSALS: dict[Said, type[EkomiError]] = {
    Said.ACCOUNT: AccountRefused,
    Said.RECIPIENT: RecipientRefused,
}


def _unfit(reply: Reply, reporter: Reporter, reason: str) -> EkomiUnavailable:
    answer = reply if isinstance(reply, Answer) else None
    return reporter.error(EkomiUnavailable, reason, answer=answer)
