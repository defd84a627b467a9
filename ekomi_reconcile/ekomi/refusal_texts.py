"""Texts in which eKomi refuses, and what each means.

The core interface answers errors as a bare line of text, mostly with HTTP status 200, whatever type
was asked for. The texts are those of its documentation and of public client code.
"""

from __future__ import annotations

import re
from enum import Enum, auto

from ekomi_reconcile.model.account import Json


class Said(Enum):
    """What a text means."""

    CREDENTIALS = auto()
    ACCOUNT = auto()
    """A no about the account: quota, tariff, inactive, not permitted."""
    RECIPIENT = auto()
    """A no about this recipient: a bad address, an opt-out."""
    KNOWN_ALREADY = auto()
    REFUSAL = auto()
    """A no with a text that is not listed here."""
    NOTHING = auto()


_LONGEST_TEXT = 2_000

_CREDENTIALS_LINE = re.compile(
    r"(access denied|nonauth|unauthori[sz]ed)[.!]?"
    r"|(error:\s*)?interface[ _-]?id (or|and) (interface[ _-]?)?(password|pw)\b.*",
    re.IGNORECASE | re.DOTALL,
)

_KEY = r"(password|interface[ _-]?(id|pw)|shop[ _-]?id|credentials?|login)"
_BAD = (
    r"(invalid|wrong|incorrect|not valid|mismatch|do(es)? not match|unknown|missing|required|not transmitted)"
)
_CREDENTIALS_MESSAGE = re.compile(
    r"access denied(?! for user)|\bnonauth\b|(not |un)authori[sz]ed|^authentication\b|not authenticated"
    rf"|\b{_KEY}\b.{{0,40}}\b{_BAD}\b|\b{_BAD}\b.{{0,20}}\b{_KEY}\b",
    re.IGNORECASE | re.DOTALL,
)

_SUBJECT = r"(order|transaction|recipient|request|invitation|entry)"
_KNOWN_ALREADY = re.compile(
    rf"\bduplicate\b.{{0,20}}\b{_SUBJECT}|\b{_SUBJECT}(_?ids?)?\b.{{0,40}}\bduplicated?\b"
    rf"|\b{_SUBJECT}\b.{{0,20}}(?<!not )(?<!longer )\bexists\b"
    r"|\balready (been )?(exists?|added|registered|known|received|sent|processed|imported|invited)\b",
    re.IGNORECASE | re.DOTALL,
)
_OPTED_OUT = re.compile(
    r"unsubscri|opt(ed)?[ _-]?out|black[ _-]?list|block[ _-]?list|\bblocked\b|suppress|bounce"
    r"|do[ _-]not[ _-](contact|mail)|\bdnc\b",
    re.IGNORECASE,
)
_ADDRESS = (
    r"(e-?mails?( address(es)?)?|mail address(es)?|recipient|telephone|phone( number)?|mobile( number)?"
    r"|cell ?phone|customer|first[ _]?name|last[ _]?name|name|address)"
)
_USELESS = (
    r"(invalid|not valid|malformed|missing|required|empty|wrong|incorrect|undeliverable|unreachable"
    r"|not deliverable|does not exist|not a valid|bad|left no mail address)"
)
_RECIPIENT = re.compile(
    rf"\b{_ADDRESS}\b.{{0,40}}\b{_USELESS}\b|\b{_USELESS}\b.{{0,20}}\b{_ADDRESS}\b|\bno valid e-?mail\b",
    re.IGNORECASE | re.DOTALL,
)
_OWNER = r"(account|shop|interface|customer account|client|subscription|contract|licen[cs]e)"
_CLOSED = (
    r"(inactive|not active|deactivated|disabled|suspended|locked|closed|cancell?ed|terminated|expired|blocked"
    r"|not found|no(t| longer) exists?|does not exist|unknown)"
)
_ACCOUNT = re.compile(
    r"\b(quota|kontingent|contingent|tariff|rate[ _-]?limit(ed)?|payment required)\b"
    r"|\b(limit|allowance|credits?)\b.{0,30}\b(reach|exceed|exhaust|used|over|hit)|\b(exceed|reach|exhaust)\w*\b"
    r".{0,30}\b(limit|allowance|credits?)\b|\btoo many (requests|invitations|mails|e-?mails|recipients)\b"
    rf"|\b{_OWNER}\b.{{0,40}}\b{_CLOSED}\b|\b{_CLOSED}\b.{{0,20}}\b{_OWNER}\b"
    r"|\bnot (permitted|allowed|available|included|enabled|activated)\b.{0,40}"
    r"\b(account|plan|package|product|contract|subscription|shop)\b"
    r"|\b(permission|forbidden|not permitted)\b"
    r"|\b(plan|package|subscription)\b.{0,40}\bnot (include|allow|cover)"
    r"|\b(feature|function|service)\b.{0,30}\bnot (included|enabled|activated|available|booked)\b"
    r"|\bupgrade\b",
    re.IGNORECASE | re.DOTALL,
)

_REFUSAL_LINE = re.compile(
    r"error:.*|non(function|version)|invalidfunction|not found|invalid (date|content)\b.*"
    r"|(type|filter|charset|caching|state|range|fields?|version|content) is not valid\b.*"
    r"|something in your request was wrong\.?|order-id not found\.?|client id not known\.?"
    r"|order \S+ already assigned to .*|empty comment parameter\.?|comment already exists\b.*"
    r"|orderid empty\.?|message parameter is empty\.?|customer left no mail address\.?"
    r"|dialog closed by (customer|ekomi)\.?|product parameter is empty\.?|product id not found\.?",
    re.IGNORECASE | re.DOTALL,
)


def meaning_of_line(text: str) -> Said:
    """What a bare line says; ``NOTHING`` if it is not a text of eKomi's."""
    text = text.strip().strip('"')[:_LONGEST_TEXT]
    if _CREDENTIALS_LINE.fullmatch(text):
        return Said.CREDENTIALS
    return meaning_of_message(text) if _REFUSAL_LINE.fullmatch(text) else Said.NOTHING


def meaning_of_message(text: str) -> Said:
    """What the message of an answer that is a clear no says: at least a refusal.

    A listed opt-out wins over everything but credentials: it must never be taken for an order that eKomi
    has already, nor for the account's fault.
    """
    text = text.strip()[:_LONGEST_TEXT]
    if _CREDENTIALS_MESSAGE.search(text):
        return Said.CREDENTIALS
    for pattern, said in _MEANINGS:
        if pattern.search(text):
            return said
    return Said.REFUSAL


_PRODUCTS = re.compile(
    r"\b(products?|produkte?|has_products|products_\w+)\b|\b(package|plan|tariff|tarif|tier|subscription)\b"
    r"|\b(feature|function|service)\b",
    re.IGNORECASE,
)


def refuses_account(text: str) -> bool:
    """Is this a refusal about the account, such as its tariff?"""
    return meaning_of_message(text) is Said.ACCOUNT


def refuses_products(text: str) -> bool:
    """May this refusal be about the products in a request, or the tariff that does not include them?"""
    return _PRODUCTS.search(text[:_LONGEST_TEXT]) is not None


_MEANINGS = (
    (_OPTED_OUT, Said.RECIPIENT),
    (_ACCOUNT, Said.ACCOUNT),
    (_RECIPIENT, Said.RECIPIENT),
    (_KNOWN_ALREADY, Said.KNOWN_ALREADY),
)


class Tendency(Enum):
    """Whether an answer is a yes, a no, or neither."""

    YES = auto()
    NO = auto()
    UNCLEAR = auto()


_YES = frozenset({"success", "ok", "true", "1", "200", "201", "created", "accepted", "added", "queued"})
_NO = frozenset({"error", "errors", "fail", "failed", "failure", "rejected", "refused", "denied", "invalid"})
_NO_TOO = frozenset({"false", "0", "forbidden", "declined", "not ok", "nok"})
_DENIED = frozenset({"401", "402", "403"})
_VERDICTS = ("status", "status_code", "statusCode", "done", "success")
"""Keys whose value says yes or no; which one is used is not documented."""


def tendency_of(value: Json) -> Tendency:
    """What a single value says: only listed values are a yes, only listed ones and HTTP errors a no."""
    if isinstance(value, dict):
        return tendency_of(value["type"]) if "type" in value else Tendency.UNCLEAR
    word = _as_word(value)
    if word in _YES:
        return Tendency.YES
    if word in _NO or word in _NO_TOO or re.fullmatch("[45][0-9][0-9]", word):
        return Tendency.NO
    listed = {Said.CREDENTIALS, Said.ACCOUNT, Said.RECIPIENT}
    if isinstance(value, str) and meaning_of_message(word) in listed:
        return Tendency.NO
    return Tendency.UNCLEAR


def tendency_of_answer(answer: Json) -> Tendency:
    """What a JSON answer says: yes only if every verdict in it is a yes, no if one is and no other a yes.

    Anything but an object is unclear.
    """
    if not isinstance(answer, dict):
        return Tendency.UNCLEAR
    found = {tendency_of(answer[key]) for key in _VERDICTS if key in answer}
    if answer.get("error") or answer.get("errors"):
        found.add(Tendency.NO)
    if found == {Tendency.YES}:
        return Tendency.YES
    if Tendency.NO in found:
        return Tendency.UNCLEAR if Tendency.YES in found else Tendency.NO
    return Tendency.UNCLEAR


def error_in(answer: Json) -> str | None:
    """The message of a JSON object that says it is an error; ``None`` if it does not say so."""
    if not isinstance(answer, dict):
        return None
    told = answer.get("error") or answer.get("errors")
    verdicts = [answer[key] for key in _VERDICTS if key in answer]
    if told or any(tendency_of(each) is Tendency.NO for each in verdicts):
        return _words_in(answer.get("message")) or _words_in(told) or _word_among(verdicts)
    return _bare_message(answer)


def message_in(answer: Json) -> str:
    """The message of a JSON object, whatever else it says."""
    return _words_in(answer.get("message")) if isinstance(answer, dict) else ""


def denies_access(answer: Json) -> bool:
    """Does a JSON answer carry one of the HTTP codes for a caller that is not allowed to?"""
    return isinstance(answer, dict) and any(_as_word(answer.get(key)) in _DENIED for key in _VERDICTS)


def _words_in(value: Json) -> str:
    """The texts of a message, which may be one, or several in a list or by field."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return "; ".join(each for each in values if isinstance(each, str))


def _word_among(verdicts: list[Json]) -> str:
    """A status that is more than a plain "error", such as ``unauthorized``, is the text itself."""
    words = [_as_word(each) for each in verdicts if isinstance(each, str)]
    return next((each for each in words if each not in _YES | _NO | _NO_TOO), "")


def _as_word(value: Json) -> str:
    if isinstance(value, str):
        return " ".join(value.lower().replace("_", " ").split())[:_LONGEST_TEXT]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).lower() if isinstance(value, bool | int | float) else ""


def _bare_message(answer: dict[str, Json]) -> str | None:
    """A message about credentials without any status is an error too."""
    message = answer.get("message")
    if "status" in answer or not isinstance(message, str):
        return None
    return message if meaning_of_message(message) is Said.CREDENTIALS else None
