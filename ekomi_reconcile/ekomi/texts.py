"""What eKomi says when it does not do what was asked.

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
    KNOWN_ALREADY = auto()
    REFUSAL = auto()
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

_KNOWN_ALREADY = re.compile(r"\b(already|duplicate|exists)\b", re.IGNORECASE)
_NOT_KNOWN_ALREADY = re.compile(
    r"\bno(t| longer) exists|unsubscri|opt(ed)?[ -]?out|black[ -]?list|block|suppress|bounce", re.IGNORECASE
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
    """What a bare line says; ``NOTHING`` if it is no text of eKomi's."""
    text = text.strip().strip('"')[:_LONGEST_TEXT]
    if _CREDENTIALS_LINE.fullmatch(text):
        return Said.CREDENTIALS
    return Said.REFUSAL if _REFUSAL_LINE.fullmatch(text) else Said.NOTHING


def meaning_of_message(text: str) -> Said:
    """What the message of an answer with ``status: error`` says: at least a refusal."""
    text = text.strip()[:_LONGEST_TEXT]
    if _CREDENTIALS_MESSAGE.search(text):
        return Said.CREDENTIALS
    if _KNOWN_ALREADY.search(text) and not _NOT_KNOWN_ALREADY.search(text):
        return Said.KNOWN_ALREADY
    return Said.REFUSAL


def error_in(answer: Json) -> str | None:
    """The message of a JSON object that says it is an error; ``None`` if it does not say so."""
    if not isinstance(answer, dict):
        return None
    told = answer.get("error") or answer.get("errors")
    if told or answer.get("success") is False or _is_error(answer.get("status")):
        return _words_in(answer.get("message")) or _words_in(told)
    return _bare_message(answer)


def _words_in(value: Json) -> str:
    """The texts of a message, which may be one, or several in a list or by field."""
    values = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    return "; ".join(each for each in values if isinstance(each, str))


def _bare_message(answer: dict[str, Json]) -> str | None:
    """A message about credentials without any status is an error too."""
    message = answer.get("message")
    if "status" in answer or not isinstance(message, str):
        return None
    return message if meaning_of_message(message) is Said.CREDENTIALS else None


def _is_error(status: Json) -> bool:
    if isinstance(status, dict):
        status = status.get("type")
    if isinstance(status, str):
        return status.strip().lower() in {"error", "errors", "fail", "failed", "failure"}
    return status is False or (isinstance(status, int) and status >= 400)
