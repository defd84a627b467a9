"""From an answer to its JSON, or to the error that says what happened (reads and putOrder)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Self, TypeVar

from ekomi_reconcile.ekomi.redact import Redactor
from ekomi_reconcile.ekomi.texts import Said, error_in, meaning_of_line, meaning_of_message
from ekomi_reconcile.ekomi.wire import Answer, Reply
from ekomi_reconcile.errors import CredentialsRefused, EkomiError, EkomiUnavailable, RequestRefused
from ekomi_reconcile.model.account import Json

E = TypeVar("E", bound=EkomiError)

NOT_JSON = object()
"""Stands for a body that is no JSON array or object."""

_SINGLE_BYTE = frozenset({"iso-8859-1", "iso-8859-15", "latin-1", "windows-1252", "cp1252"})
_PASSING = frozenset({408, 425, 429})
"""Client errors that say: later."""
_IN_BETWEEN = _PASSING | {401, 403, 407}
"""Client errors that a proxy or firewall may have given."""

_MARKUP = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>?", re.IGNORECASE | re.DOTALL)
_CONSIDERED = 20_000
"""Characters of a page that are searched for text."""

_CREDENTIALS_MEND = (
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
        mend = _CREDENTIALS_MEND if issubclass(kind, CredentialsRefused) else None
        status = answer.status if answer else None
        error = kind(message, function=self.function, status=status, mend=mend, said=quoted)
        if isinstance(error, EkomiUnavailable) and answer is not None:
            error.retry_after = answer.retry_after
        return error

    def credentials(self, answer: Answer, said: str) -> CredentialsRefused:
        """eKomi refused the interface id or password."""
        return self.error(CredentialsRefused, "eKomi refused the credentials", answer=answer, said=said)

    def refused(self, answer: Answer, said: str) -> RequestRefused:
        """eKomi said no."""
        return self.error(RequestRefused, "eKomi refused the request", answer=answer, said=said)

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
        raise reporter.error(EkomiUnavailable, reply.reason)
    body = Body.of(reply)
    _raise_for_text(reply, body, reporter)
    _raise_for_status(reply, body, reporter)
    if reply.broken is not None:
        raise reporter.error(EkomiUnavailable, reply.broken, answer=reply)
    if body.text == "" and empty is not NOT_JSON:
        return empty
    if body.value is NOT_JSON:
        raise reporter.error(EkomiUnavailable, _unreadable(body.text), answer=reply, said=body.quotable)
    return body.value


def _raise_for_text(answer: Answer, body: Body, reporter: Reporter) -> None:
    """Credentials errors are told with any status, refusals not with those of a failing server."""
    said, message = meaning_of(answer, body)
    if said is Said.CREDENTIALS:
        raise reporter.credentials(answer, message)
    if said is not Said.NOTHING and words_count(answer):
        raise reporter.refused(answer, message)


def meaning_of(answer: Answer, body: Body) -> tuple[Said, str]:
    """What eKomi's own words in the body mean, and those words; ``NOTHING`` of a success too."""
    if body.value is NOT_JSON:
        return meaning_of_line(body.text or ""), body.text or ""
    message = error_in(body.value)
    if message is None:
        return Said.NOTHING, ""
    said = meaning_of_message(message)
    return (Said.CREDENTIALS if answer.status == 401 else said), message


def words_count(answer: Answer) -> bool:
    """Is a no in words to be believed? Not of a redirect, nor of a failing or busy server."""
    return answer.status // 100 in {2, 4} and answer.status not in _PASSING


def _raise_for_status(answer: Answer, body: Body, reporter: Reporter) -> None:
    status = answer.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise reporter.redirected(answer, EkomiUnavailable)
    if 400 <= status < 500 and not is_in_between(answer, body):
        raise reporter.refused(answer, body.quotable)
    raise reporter.error(EkomiUnavailable, "eKomi did not answer", answer=answer, said=body.quotable)


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
