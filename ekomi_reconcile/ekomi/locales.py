"""The language of an account, as ``de`` or ``de_DE``. In what form eKomi tells it is not documented."""

from __future__ import annotations

import re

from ekomi_reconcile.model.account import Json

_CODE = re.compile(r"([a-z]{2})(?:[-_]([a-z]{2}))?(?:[.@].*)?", re.IGNORECASE)

_WORDS = {
    "german": "de", "deutsch": "de", "english": "en", "englisch": "en", "french": "fr", "français": "fr",
    "francais": "fr", "spanish": "es", "español": "es", "espanol": "es", "italian": "it", "italiano": "it",
    "dutch": "nl", "nederlands": "nl", "polish": "pl", "polski": "pl", "portuguese": "pt",
    "português": "pt", "swedish": "sv", "svenska": "sv", "danish": "da", "dansk": "da",
}  # fmt: skip
_BY_PLACE = {
    "de": "de", "at": "de", "uk": "en", "gb": "en", "us": "en", "ie": "en", "au": "en", "fr": "fr",
    "es": "es", "it": "it", "nl": "nl", "pl": "pl", "pt": "pt", "br": "pt", "se": "sv", "dk": "da",
}  # fmt: skip
"""Languages of top-level domains and of countries with one language."""


def locale_of(language: Json, review_page: str | None, country: Json) -> str | None:
    """From the template language; else guessed from the domain of the review page, or the country."""
    return _read(language) or _of_domain(review_page) or _of_place(country)


def _read(language: Json) -> str | None:
    text = language.strip() if isinstance(language, str) else ""
    match = _CODE.fullmatch(text)
    if match is None:
        return _WORDS.get(text.lower())
    return "_".join(filter(None, (match[1].lower(), (match[2] or "").upper())))


def _of_domain(review_page: str | None) -> str | None:
    host = re.match(r"https?://[^/:?#]*?([a-z]+)(?:[:/?#]|$)", review_page or "", re.IGNORECASE)
    return _of_place(host[1]) if host else None


def _of_place(place: Json) -> str | None:
    return _BY_PLACE.get(place.strip().lower()) if isinstance(place, str) else None
