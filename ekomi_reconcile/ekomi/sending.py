"""What the answer to add-recipient means, under the rule that nobody is asked twice.

The answer's success word, its HTTP codes and its message texts are not documented. So: a clear no is
a refusal, what certainly was not processed may be repeated, and all else is an unknown outcome.
"""

from __future__ import annotations

from ekomi_reconcile.ekomi.answer import (
    Body,
    Reporter,
    is_in_between,
    meaning_of,
    words_count,
)
from ekomi_reconcile.ekomi.texts import Said
from ekomi_reconcile.ekomi.values import Receipt
from ekomi_reconcile.ekomi.wire import Answer, Reply
from ekomi_reconcile.errors import EkomiUnavailable, OutcomeUnknown

_NOT_PROCESSED = frozenset({425, 429, 503})
"""The server says that it did not take the request on."""

_TIMED_OUT = 408

_YES = frozenset({"status", "status_code", "done"})
"""An answer that names no error and has one of these keys is a yes; which one it is is not documented."""


def read_receipt(reply: Reply, reporter: Reporter) -> Receipt:
    """That eKomi took the recipient, now or earlier.

    Raises:
        CredentialsRefused: wrong interface id or password, whatever the HTTP status.
        RequestRefused: eKomi said no, for good.
        EkomiUnavailable: the request certainly had no effect.
        OutcomeUnknown: the customer may be asked, or not.
    """
    if not isinstance(reply, Answer):
        raise reporter.error(OutcomeUnknown if reply.sent else EkomiUnavailable, reply.reason)
    body = Body.of(reply)
    receipt = _by_words(reply, body, reporter)
    if receipt is not None:
        return receipt
    _raise_unless_success(reply, body, reporter)
    if reply.broken is not None:
        raise reporter.error(OutcomeUnknown, reply.broken, answer=reply)
    if isinstance(body.value, dict) and not _YES.isdisjoint(body.value):
        return Receipt()
    raise reporter.error(
        OutcomeUnknown, "the answer says neither yes nor no", answer=reply, said=body.quotable
    )


def _by_words(answer: Answer, body: Body, reporter: Reporter) -> Receipt | None:
    """Decide by what eKomi says, where its words and the status allow it."""
    said, message = meaning_of(answer, body)
    if said is Said.CREDENTIALS:
        raise reporter.credentials(answer, message)
    if said is Said.NOTHING or not words_count(answer):
        return None
    if said is Said.KNOWN_ALREADY:
        return Receipt(known_before=True)
    raise reporter.refused(answer, message)


def _raise_unless_success(answer: Answer, body: Body, reporter: Reporter) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise reporter.redirected(answer)
    if status in _NOT_PROCESSED:
        raise reporter.error(EkomiUnavailable, "eKomi did not take it on", answer=answer, said=body.quotable)
    if 400 <= status < 500 and status != _TIMED_OUT:
        if is_in_between(answer, body):
            raise reporter.error(EkomiUnavailable, "the request did not reach eKomi", answer=answer)
        raise reporter.refused(answer, body.quotable)
    raise reporter.error(OutcomeUnknown, "eKomi failed on it", answer=answer, said=body.quotable)
