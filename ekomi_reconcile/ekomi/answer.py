"""Classify and decode eKomi's answers.

The answer's success word, its HTTP codes and its message texts are not documented. So only a listed
value is a yes, only a listed value or an HTTP error in eKomi's own words a no, what certainly was not
processed may be repeated, and everything else is an unknown outcome.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Self, TypeVar

from ekomi_reconcile.ekomi import Receipt, refusal_texts
from ekomi_reconcile.ekomi.decode import Reviews, reviews_from, text, web_address
from ekomi_reconcile.ekomi.wire import Answer, Reply
from ekomi_reconcile.http.client import Redactor
from ekomi_reconcile.model import errors
from ekomi_reconcile.model.account import Json

E = TypeVar("E", bound=errors.EkomiError)

NOT_JSON = object()
"""The value of a body that is not a JSON array or object."""

_SINGLE_BYTE = frozenset({"iso-8859-1", "iso-8859-15", "latin-1", "windows-1252", "cp1252"})
_PASSING = frozenset({408, 425, 429})
"""Client errors that say: later."""
_IN_BETWEEN = _PASSING | {401, 403, 407}
"""Client errors that a proxy or firewall may have given."""

_MARKUP = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>?", re.IGNORECASE | re.DOTALL)
_CONSIDERED = 20_000
"""Characters of a page that are searched for text."""

_CREDENTIALS_HINT = (
    "check interface_id and the interface password of the account: "
    "it is the one of eKomi's interface, not of the web login"
)


@dataclass(frozen=True, slots=True, repr=False)
class Body:
    """A body, read once: its trimmed ``text`` (``None``: it is not text), and the JSON it is, if it is."""

    text: str | None
    value: Json

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """The body of this answer."""
        text = _text_of(answer)
        return cls(text, _json_of(text))

    @property
    def quotable(self) -> str:
        """What is worth showing of an unexpected body: not pages and not data."""
        return "" if not self.text or self.text[0] in "<[{" else self.text

    @property
    def words(self) -> str:
        """The text of an answer that a person has to judge: JSON as it is, a page without its markup."""
        text = self.text or ""
        return _MARKUP.sub(" ", text[:_CONSIDERED]).strip() if is_html(text) else text


@dataclass(frozen=True, slots=True)
class Reporter:
    """Words errors about one call of ``function``; everything quoted passes through ``redactor``."""

    function: str
    redactor: Redactor

    def error(self, kind: type[E], reason: str, *, answer: Answer | None = None, said: str = "") -> E:
        """``getAverage: reason (HTTP 500): "what eKomi said"``."""
        message, quoted = f"{self.function}: {self.redactor.quote(reason)}", self.redactor.quote(said)
        if answer is not None:
            message += f" (HTTP {answer.status})"
        if quoted:
            message += f': "{quoted}"'
        hint = _CREDENTIALS_HINT if issubclass(kind, errors.CredentialsRefused) else None
        status = answer.status if answer else None
        error = kind(message, function=self.function, status=status, hint=hint, said=quoted)
        if isinstance(error, errors.EkomiUnavailable) and answer is not None:
            error.retry_after = answer.retry_after
        return error

    def credentials(self, answer: Answer, said: str) -> errors.CredentialsRefused:
        """eKomi refused the interface id or password."""
        return self.error(
            errors.CredentialsRefused, "eKomi refused the credentials", answer=answer, said=said
        )

    def refused(self, answer: Answer, said: str) -> errors.RequestRefused:
        """eKomi said no."""
        return self.error(errors.RequestRefused, "eKomi refused the request", answer=answer, said=said)

    def redirected(self, answer: Answer, kind: type[E]) -> E:
        """The address is not the right one; where it leads is shown without its query."""
        where = (answer.location or "nowhere").split("?")[0].split("#")[0]
        return self.error(kind, f"the address redirects to {where}", answer=answer)


def read_json(reply: Reply, reporter: Reporter, *, empty: Json = NOT_JSON) -> Json:
    """The JSON object or array of a successful answer; ``empty`` is what an empty body means, if anything.

    Raises:
        CredentialsRefused: wrong interface id or password, whatever the HTTP status.
        RequestRefused: eKomi understood and said no.
        EkomiUnavailable: everything else: nothing is known about the request.
    """
    if not isinstance(reply, Answer):
        raise reporter.error(errors.EkomiUnavailable, reply.reason)
    body = Body.of(reply)
    _raise_for_text(reply, body, reporter)
    _raise_for_status(reply, body, reporter)
    if reply.broken is not None:
        raise reporter.error(errors.EkomiUnavailable, reply.broken, answer=reply)
    if body.text == "" and empty is not NOT_JSON:
        return empty
    if body.value is NOT_JSON:
        raise reporter.error(
            errors.EkomiUnavailable, _unreadable(body.text), answer=reply, said=body.quotable
        )
    return body.value


def _raise_for_text(answer: Answer, body: Body, reporter: Reporter) -> None:
    """Credentials errors count with any status, refusals not with those of a failing server."""
    said, message = meaning_of(answer, body)
    if said is refusal_texts.Said.CREDENTIALS:
        raise reporter.credentials(answer, message)
    if said is not refusal_texts.Said.NOTHING and words_count(answer):
        raise reporter.refused(answer, message)


def meaning_of(answer: Answer, body: Body) -> tuple[refusal_texts.Said, str]:
    """What eKomi's own words in the body mean, and those words; ``NOTHING`` of a success too."""
    if body.value is NOT_JSON:
        return refusal_texts.meaning_of_line(body.text or ""), body.text or ""
    message = refusal_texts.error_in(body.value)
    if message is None:
        return refusal_texts.Said.NOTHING, ""
    said = refusal_texts.meaning_of_message(message)
    return (refusal_texts.Said.CREDENTIALS if answer.status == 401 else said), message


def words_count(answer: Answer) -> bool:
    """Is a no in words to be believed? Not of a redirect, nor of a failing or busy server."""
    return answer.status // 100 in {2, 4} and answer.status not in _PASSING


def _raise_for_status(answer: Answer, body: Body, reporter: Reporter) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise reporter.redirected(answer, errors.EkomiUnavailable)
    if 400 <= status < 500 and not is_in_between(answer, body):
        raise reporter.refused(answer, body.quotable)
    raise reporter.error(errors.EkomiUnavailable, "eKomi did not answer", answer=answer, said=body.quotable)


def is_in_between(answer: Answer, body: Body) -> bool:
    """Does this 4xx come from something in between, or pass? Then eKomi has not decided anything."""
    return answer.status in _IN_BETWEEN or not body.text or is_html(body.text)


def _text_of(answer: Answer) -> str | None:
    """The trimmed body; ``None`` if it is not text. UTF-8, which was asked for, else what is declared."""
    try:
        return answer.body.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        if (answer.charset or "").lower() in _SINGLE_BYTE:
            return answer.body.decode("cp1252", "replace").strip()
        return None


def _json_of(text: str | None) -> Json:
    """The JSON array or object that ``text`` is, else ``NOT_JSON``."""
    if not text or text[0] not in "[{":
        return NOT_JSON
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return NOT_JSON


def is_html(text: str) -> bool:
    """A page for people; content types are not told apart, PHP calls everything HTML."""
    return text.startswith("<")


def _unreadable(text: str | None) -> str:
    if text is None:
        return "the answer is not text"
    if text == "":
        return "the answer is empty"
    if is_html(text):
        return "the answer is a web page"
    return "the answer is incomplete" if text[0] in "[{" else "the answer is not what was expected"


def read_object(reply: Reply, reporter: Reporter) -> dict[str, Json]:
    """The JSON object of a successful answer.

    Raises:
        EkomiUnavailable: it is not; beside what ``read_json`` raises.
    """
    value = read_json(reply, reporter)
    if not isinstance(value, dict):
        raise _unfit(reply, reporter, "the answer is not a JSON object")
    return value


def read_reviews(reply: Reply, reporter: Reporter) -> Reviews:
    """The rows of a dump; an answer of which nothing can be read is not an empty list.

    Raises:
        EkomiUnavailable: it is not; beside what ``read_json`` raises.
    """
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
    except errors.RequestRefused as error:
        kind = _REFUSALS.get(refusal_texts.meaning_of_message(error.said))
        if kind is None:
            raise
        raise kind(error.message, function=error.function, status=error.status, said=error.said) from None
    link = web_address(order.get("link"))
    if link is None:
        raise _unfit(reply, reporter, "the answer holds no review link")
    known_since = text(order.get("known_since")).strip(" 0:.-TZ").lower()
    return Receipt(link=link, known_before=known_since not in {"", "false", "null"})


_REFUSALS: dict[refusal_texts.Said, type[errors.EkomiError]] = {
    refusal_texts.Said.ACCOUNT: errors.AccountRefused,
    refusal_texts.Said.RECIPIENT: errors.RecipientRefused,
}


def _unfit(reply: Reply, reporter: Reporter, reason: str) -> errors.EkomiUnavailable:
    answer = reply if isinstance(reply, Answer) else None
    return reporter.error(errors.EkomiUnavailable, reason, answer=answer)


_NOT_PROCESSED = frozenset({429, 503})
"""The server says that it did not take the request on."""

_NOT_ITS_OWN = frozenset({407, 408, 425})
"""Client errors that decide nothing: they come from something in between, or after a timeout."""

_DENIED_REQUEST = frozenset({401, 402, 403})

_REFUSED_REQUESTS: dict[refusal_texts.Said, tuple[type[errors.EkomiError], str]] = {
    refusal_texts.Said.ACCOUNT: (errors.AccountRefused, "eKomi refused the account"),
    refusal_texts.Said.RECIPIENT: (errors.RecipientRefused, "eKomi refused the recipient"),
    refusal_texts.Said.REFUSAL: (errors.RequestRefused, "eKomi refused the request"),
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
        raise reporter.error(errors.OutcomeUnknown if reply.sent else errors.EkomiUnavailable, reply.reason)
    body = Body.of(reply)
    said, message = meaning_of(reply, body)
    if said is refusal_texts.Said.CREDENTIALS:
        raise reporter.credentials(reply, message)
    if reply.status in _NOT_PROCESSED:
        raise reporter.error(
            errors.EkomiUnavailable, "eKomi did not take it on", answer=reply, said=body.quotable
        )
    if 300 <= reply.status < 400:
        raise reporter.redirected(reply, errors.OutcomeUnknown)
    if reply.broken is not None:
        raise reporter.error(errors.OutcomeUnknown, reply.broken, answer=reply)
    if 200 <= reply.status < 300:
        return _by_words(reply, body, reporter, said=said, message=message)
    if 400 <= reply.status < 500 and _is_ekomis(reply, body):
        return _refused(
            reply, body, reporter, message=message or refusal_texts.message_in(body.value) or body.quotable
        )
    raise _unclear(reply, body, reporter)


def _by_words(
    answer: Answer, body: Body, reporter: Reporter, *, said: refusal_texts.Said, message: str
) -> Receipt:
    """Decide an answer with a success status by its words."""
    tendency = refusal_texts.tendency_of_answer(body.value)
    if tendency is refusal_texts.Tendency.YES:
        return Receipt()
    listed = said not in {refusal_texts.Said.NOTHING, refusal_texts.Said.REFUSAL}
    if (
        listed
        or tendency is refusal_texts.Tendency.NO
        or (body.value is NOT_JSON and said is refusal_texts.Said.REFUSAL)
    ):
        return _refused(answer, body, reporter, message=message)
    raise _unclear(answer, body, reporter)


def _refused(answer: Answer, body: Body, reporter: Reporter, *, message: str) -> Receipt:
    """Return a receipt where eKomi has the order already; raise the refusal otherwise."""
    said = refusal_texts.meaning_of_message(message)
    if said is refusal_texts.Said.CREDENTIALS:
        raise reporter.credentials(answer, message)
    if said is refusal_texts.Said.KNOWN_ALREADY:
        return Receipt(known_before=True)
    if said is refusal_texts.Said.REFUSAL and (
        answer.status in _DENIED_REQUEST or refusal_texts.denies_access(body.value)
    ):
        said = refusal_texts.Said.ACCOUNT
    kind, reason = _REFUSED_REQUESTS[said]
    raise reporter.error(kind, reason, answer=answer, said=message)


def _is_ekomis(answer: Answer, body: Body) -> bool:
    """Is this client error eKomi's own, and not that of a proxy, a firewall or a timeout?"""
    if answer.status in _NOT_ITS_OWN or not body.text or is_html(body.text):
        return False
    return refusal_texts.tendency_of_answer(body.value) is not refusal_texts.Tendency.YES


def _unclear(answer: Answer, body: Body, reporter: Reporter) -> errors.OutcomeUnknown:
    """Nobody can say what became of the request; the text is shown for a person to judge."""
    reason = "eKomi returned an error" if answer.status >= 400 else "unrecognised response"
    return reporter.error(errors.OutcomeUnknown, reason, answer=answer, said=body.words)
