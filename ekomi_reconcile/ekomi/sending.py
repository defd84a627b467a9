"""What the answer to add-recipient means, under the rule that nobody is invited twice.

The answer's success word, its HTTP codes and its message texts are not documented. So only a listed
value is a yes, only a listed value or an HTTP error in eKomi's own words a no, what certainly was not
processed may be repeated, and everything else is an unknown outcome.
"""

from __future__ import annotations

from ekomi_reconcile.ekomi.answer import NOT_JSON, Body, Reporter, is_html, meaning_of
from ekomi_reconcile.ekomi.texts import (
    Said,
    Tendency,
    denies_access,
    meaning_of_message,
    message_in,
    tendency_of_answer,
)
from ekomi_reconcile.ekomi.values import Receipt
from ekomi_reconcile.ekomi.wire import Answer, Reply
from ekomi_reconcile.errors import (
    AccountRefused,
    EkomiError,
    EkomiUnavailable,
    OutcomeUnknown,
    RecipientRefused,
    RequestRefused,
)

_NOT_PROCESSED = frozenset({429, 503})
"""The server says that it did not take the request on."""

_NOT_ITS_OWN = frozenset({407, 408, 425})
"""Client errors that decide nothing: they come from something in between, or after a timeout."""

_DENIED = frozenset({401, 402, 403})

_REFUSALS: dict[Said, tuple[type[EkomiError], str]] = {
    Said.ACCOUNT: (AccountRefused, "eKomi refused the account"),
    Said.RECIPIENT: (RecipientRefused, "eKomi refused the recipient"),
    Said.REFUSAL: (RequestRefused, "eKomi refused the request"),
}


def read_receipt(reply: Reply, reporter: Reporter) -> Receipt:
    """Read that eKomi took the recipient, now or earlier.

    Raises:
        CredentialsRefused: wrong interface id or password, whatever the HTTP status.
        AccountRefused: a clear no about the account.
        RecipientRefused: a clear no about the recipient, for good.
        RequestRefused: a clear no with a text that is not listed.
        EkomiUnavailable: the request certainly had no effect.
        OutcomeUnknown: the customer may be invited, or not.
    """
    if not isinstance(reply, Answer):
        raise reporter.error(OutcomeUnknown if reply.sent else EkomiUnavailable, reply.reason)
    body = Body.of(reply)
    said, message = meaning_of(reply, body)
    if said is Said.CREDENTIALS:
        raise reporter.credentials(reply, message)
    if reply.status in _NOT_PROCESSED:
        raise reporter.error(EkomiUnavailable, "eKomi did not take it on", answer=reply, said=body.quotable)
    if 300 <= reply.status < 400:
        raise reporter.redirected(reply, OutcomeUnknown)
    if reply.broken is not None:
        raise reporter.error(OutcomeUnknown, reply.broken, answer=reply)
    if 200 <= reply.status < 300:
        return _by_words(reply, body, reporter, said=said, message=message)
    if 400 <= reply.status < 500 and _is_ekomis(reply, body):
        return _refused(reply, body, reporter, message=message or message_in(body.value) or body.quotable)
    raise _unclear(reply, body, reporter)


def _by_words(answer: Answer, body: Body, reporter: Reporter, *, said: Said, message: str) -> Receipt:
    """Decide an answer with a success status by its words."""
    tendency = tendency_of_answer(body.value)
    if tendency is Tendency.YES:
        return Receipt()
    listed = said not in {Said.NOTHING, Said.REFUSAL}
    if listed or tendency is Tendency.NO or (body.value is NOT_JSON and said is Said.REFUSAL):
        return _refused(answer, body, reporter, message=message)
    raise _unclear(answer, body, reporter)


def _refused(answer: Answer, body: Body, reporter: Reporter, *, message: str) -> Receipt:
    """Return a receipt where eKomi has the order already; raise the refusal otherwise."""
    said = meaning_of_message(message)
    if said is Said.CREDENTIALS:
        raise reporter.credentials(answer, message)
    if said is Said.KNOWN_ALREADY:
        return Receipt(known_before=True)
    if said is Said.REFUSAL and (answer.status in _DENIED or denies_access(body.value)):
        said = Said.ACCOUNT
    kind, reason = _REFUSALS[said]
    raise reporter.error(kind, reason, answer=answer, said=message)


def _is_ekomis(answer: Answer, body: Body) -> bool:
    """Is this client error eKomi's own, and not that of a proxy, a firewall or a timeout?"""
    if answer.status in _NOT_ITS_OWN or not body.text or is_html(body.text):
        return False
    return tendency_of_answer(body.value) is not Tendency.YES


def _unclear(answer: Answer, body: Body, reporter: Reporter) -> OutcomeUnknown:
    """Nobody can say what became of the request; the text is shown for a person to judge."""
    reason = "eKomi returned an error" if answer.status >= 400 else "unrecognised response"
    return reporter.error(OutcomeUnknown, reason, answer=answer, said=body.words)
