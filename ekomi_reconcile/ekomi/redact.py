"""Taking secrets and personal data out of what a remote server said."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

LONGEST_QUOTE = 200
"""Characters of eKomi's own text that a message may hold."""

_EMAIL = re.compile(r"[^\s@<>\"'(),;:]{1,254}(?:@|%40|&#0*64;)[^\s@<>\"'(),;:]+", re.IGNORECASE)
_PHONE = re.compile(r"\+?(?:\d[\s()/.\-]{0,2}){6,}\d")
_CONSIDERED = 65_536
"""Characters in which given values are looked for; far more than are shown, so that none is cut in half."""
_MATCHED = 4_000
"""Characters in which addresses and numbers are looked for, after that."""


@dataclass(frozen=True, slots=True, repr=False)
class Redactor:
    """Replaces ``secrets`` and ``personal`` values, and all that looks like an address or phone number.

    ``keep`` are numbers that may stay, such as the order's.
    """

    secrets: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()
    keep: frozenset[str] = frozenset()

    def quote(self, text: str) -> str:
        """``text`` on one line, redacted, and then cut to ``LONGEST_QUOTE`` characters."""
        text = text[:_CONSIDERED]
        for form in _longest_first(form for secret in self.secrets for form in _forms(secret)):
            text = re.sub(re.escape(form), "[password]", text, flags=re.IGNORECASE)
        for form in _longest_first(form for value in self.personal for form in _forms(value)):
            text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "[personal]", text, flags=re.IGNORECASE)
        text = _PHONE.sub(self._number, _EMAIL.sub("[e-mail]", text[:_MATCHED]))
        line = "".join(each if each.isprintable() else " " for each in text)
        return _cut(" ".join(line.split()))

    def _number(self, match: re.Match[str]) -> str:
        found = match.group()
        return found if found in self.keep else "[number]"


def _forms(value: str) -> set[str]:
    """``value`` as it may come back: plain, in a URL, in JSON, in HTML."""
    safe = value.encode("utf-8", "replace").decode("utf-8")
    escaped = {json.dumps(safe)[1:-1], json.dumps(safe, ensure_ascii=False)[1:-1], html.escape(safe)}
    return {form for form in {value, quote(safe, safe=""), quote(safe), quote_plus(safe)} | escaped if form}


def _longest_first(forms: Iterable[str]) -> list[str]:
    return sorted(set(forms), key=len, reverse=True)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 1] + "…"
