"""Making diagnostics, such that no value of a secret ever gets into one."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable
from typing import Any, Final

from ekomi_reconcile.config.source import KeyPath
from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity

SENSITIVE: Final = "(sensitive)"
SECRET_KEYS: Final = frozenset(
    {
        "interface_password",
        "token",
        "oauth",
        "consumer_key",
        "consumer_secret",
        "access_token",
        "access_token_secret",
        "key",
        "webhook",
    }
)
_SECRET_KEY = re.compile(
    r"(?:interface_password|\btoken|\bwebhook|consumer_key|consumer_secret|access_token|access_token_secret)\s*[:=]",
    re.I,
)
_LONGEST: Final = 60


def error(
    rule: str,
    message: str,
    place: Place,
    *,
    hint: str,
    path: KeyPath = (),
    found: str | None = None,
    allowed: str | None = None,
) -> Diagnostic:
    """An error at ``place``; ``path`` becomes the key path of the message."""
    return Diagnostic(
        severity=Severity.ERROR,
        rule=rule,
        message=message,
        place=place,
        key=key_path(path) or None,
        found=found,
        allowed=allowed,
        hint=hint,
    )


def warning(
    rule: str,
    message: str,
    place: Place,
    *,
    hint: str,
    path: KeyPath = (),
    found: str | None = None,
    account: str | None = None,
) -> Diagnostic:
    """A warning at ``place``."""
    return Diagnostic(
        severity=Severity.WARNING,
        rule=rule,
        message=message,
        place=place,
        key=key_path(path) or None,
        found=found,
        hint=hint,
        account=account,
    )


def key_path(path: KeyPath) -> str:
    """``invitations.store_views[0]``; what lies below a secret's key is left out."""
    text = ""
    for step in _open_part(path):
        text += f"[{step}]" if isinstance(step, int) else f".{shown_key(step)}"
    return text.removeprefix(".")


def shown_key(key: str) -> str:
    """A key for a message. ``interface_password:abc``, a forgotten space, would show the secret."""
    match = _SECRET_KEY.search(key)
    return _short(key) if match is None else f"{key[: match.end()]}{SENSITIVE}"


def shown(value: Any, path: KeyPath = ()) -> str:
    """A found value for a message: short, on one line, and never one that is or holds a secret."""
    if is_secret(path):
        return f"{kind(value)} {SENSITIVE}"
    if isinstance(value, dict) or value == [] or _is_nested(value):
        return kind(value)
    text = json.dumps(value, ensure_ascii=False)
    # https://user:password@host, and a line that slipped into the value of its neighbour
    if ("://" in text and "@" in text) or _SECRET_KEY.search(text):
        return f"{kind(value)} {SENSITIVE}"
    return _short(text)


def _is_nested(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(each, dict | list) for each in value)


def kind(value: Any) -> str:
    """What kind of value it is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "a yes/no value"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list" if value else "an empty list"
        case _:
            return "a mapping" if value else "an empty mapping"


def is_secret(path: KeyPath) -> bool:
    """Does the value at ``path`` lie at or below a key that holds a secret?"""
    return any(step in SECRET_KEYS for step in path)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like ``word``, if one is like it."""
    close = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def sort_key(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    """By path, line and column; then stable."""
    place = diagnostic.place
    where = (place.path, place.line, place.column) if place else ("", 0, 0)
    return (*where, diagnostic.rule, diagnostic.message)


def _open_part(path: KeyPath) -> KeyPath:
    for length, step in enumerate(path):
        if is_secret(path[:length]) and step not in SECRET_KEYS:
            return path[:length]
    return path


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
