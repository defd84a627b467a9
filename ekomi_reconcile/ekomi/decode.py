"""Decode shop details, statistics and reviews from eKomi's answers.

Rows have no id. Their keys differ from the names of the fields asked for (``date`` comes back as
``submitted``, ``feedback`` as ``review``); numbers may be texts; a line break may be backslash and n.

Where a value can come from more than one answer, the order is: details, snapshot; for the statistics
average, snapshot. ``fb_count`` of the snapshot covers the last 365 days only, so it is the last resort.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from urllib.parse import quote

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import Instant, parse
from ekomi_reconcile.model.review import Review, ShopData

_LONGEST_LINE = 255
_LONGEST_ADDRESS = 2_048
_UNFIT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_BREAK = re.compile(r"\\r\\n|\\n|\\r|\r\n|\r")
_HOST_FIRST = re.compile(r"[\w-]+(\.[\w-]+)+(/\S*)?")
_ADDRESS = re.compile(r"https?://[^\s/\"'<>\\]+[^\s\"'<>\\]*", re.IGNORECASE)


def number(value: Json) -> float | None:
    """A finite number, given as one or as text; a yes or no is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def text(value: Json) -> str:
    """Text with real line breaks (they may come as backslash and n); anything else is ``""``.

    Nothing is left that a terminal or a database would stumble over.
    """
    return (
        ""
        if not isinstance(value, str | int | float)
        else _UNFIT.sub("", _BREAK.sub("\n", str(value))).strip()
    )


def line(value: Json) -> str | None:
    """One line of printable text, cut to 255 characters."""
    if not isinstance(value, str):
        return None
    printable = "".join(each if each.isprintable() else " " for each in value)
    return " ".join(printable.split())[:_LONGEST_LINE] or None


def identifier(value: Json) -> str:
    """An id is text, though a number may come; absent is ``""``."""
    return text(int(value) if isinstance(value, float) and value.is_integer() else value)


def web_address(value: Json) -> str | None:
    """An absolute http(s) address, completed where the scheme is left out; any other is ``None``."""
    address = value.strip() if isinstance(value, str) else ""
    if address.startswith("//"):
        address = f"https:{address}"
    elif _HOST_FIRST.fullmatch(address):
        address = f"https://{address}"
    fits = len(address) <= _LONGEST_ADDRESS and address.isprintable() and _ADDRESS.fullmatch(address)
    return address if fits else None


def yes(value: Json) -> bool | None:
    """A yes or no, given as one, as a number or as text."""
    if isinstance(value, str):
        return {"1": True, "true": True, "0": False, "false": False}.get(value.strip().lower())
    return bool(value) if isinstance(value, bool | int) else None


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


SHOP_FIELDS = ("date", "order_id", "rating", "feedback", "comment")
PRODUCT_FIELDS = ("date", "order_id", "product_id", "rating", "feedback")
SHOP_TITLE = "shop_review_title"
PRODUCT_TITLE = "product_review_title"

_LATEST = 253_402_300_799  # the end of the year 9999


class Reviews(list[Review]):
    """The reviews of one answer.

    ``unreadable`` counts the rows that lack what makes a review: date and rating, of a product also its id.
    ``silent``: an empty answer, which mostly means no reviews, but proves nothing.
    """

    unreadable: int = 0
    silent: bool = False

    @property
    def whole(self) -> bool:
        """Are these surely all the reviews that were asked for?"""
        return not (self.unreadable or self.silent)

    def keep(self, wanted: Callable[[Review], bool]) -> None:
        """Forget the others."""
        self[:] = [each for each in self if wanted(each)]


def reviews_from(rows: list[Json]) -> Reviews:
    """Every row that is a review."""
    reviews = Reviews()
    for row in rows:
        review = _review(row) if isinstance(row, dict) else None
        if review is None:
            reviews.unreadable += 1
        else:
            reviews.append(review)
    return reviews


def _review(row: dict[str, Json]) -> Review | None:
    submitted, rating = _instant(_first(row, "submitted", "date")), _rating(row.get("rating"))
    if submitted is None or rating is None:
        return None
    return Review(
        order_id=identifier(row.get("order_id")),
        submitted_at=submitted,
        rating=rating,
        text=text(_first(row, "review", "feedback")),
        comment=text(row.get("comment")),
        title=text(_first(row, SHOP_TITLE, PRODUCT_TITLE)),
        product_id=identifier(row.get("product_id")),
    )


def _first(row: dict[str, Json], *keys: str) -> Json:
    return next((row[key] for key in keys if row.get(key) is not None), None)


def _instant(value: Json) -> Instant | None:
    """Unix seconds, as number or text; a written date is taken too."""
    seconds = number(value)
    if seconds is not None:
        return int(seconds) if 0 < seconds <= _LATEST else None
    try:
        return parse(value.strip()) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None


def _rating(value: Json) -> float | None:
    stars = number(value)
    return stars if stars is not None and 1 <= stars <= 5 else None


_COUNT_KEYS = (
    "number_of_ratings",
    "ratings_count",
    "rating_count",
    "num_ratings",
    "total_ratings",
    "count",
    "fb_count",
    "total",
    "ratings",
)
"""Under one of these getAverage has the number of reviews: its documentation names no key."""

_CERTIFICATE_PAGE = "https://www.ekomi.de/cert/"


def shop_data_from(
    *, details: Json, snapshot: Json, average: Json, imported_reviews: int | None = None
) -> ShopData:
    """Merge the answers; one that could not be had is ``{}``."""
    shop, info, figures = _flat(details), _flat(snapshot), _flat(average)
    certificate = line(info.get("ekomi_certificate_id")) or line(shop.get("ekomi_certificate_id"))
    review_page = web_address(info.get("ekomi_certificate_seo")) or web_address(info.get("ekomi_certificate"))
    return ShopData(
        account_name=line(shop.get("name")) or line(info.get("account_name")),
        locale=locale_of(shop.get("templatelanguage"), review_page, shop.get("addresscountry")),
        logo_url=web_address(shop.get("logo_url")),
        webshop_url=web_address(shop.get("url")),
        review_page=review_page or (_CERTIFICATE_PAGE + quote(certificate, safe="") if certificate else None),
        certificate_id=certificate,
        total_reviews=_total(figures, info, imported_reviews),
        average_score=_first_score(figures, info),
        active=yes(info.get("active")),
    )


def _flat(answer: Json) -> dict[str, Json]:
    """The fields of the answer and of its sections, keys in one spelling (``number of ratings``)."""
    if not isinstance(answer, dict):
        return {}
    sections = [value for value in answer.values() if isinstance(value, dict)]
    return {
        re.sub(r"[^a-z0-9]+", "_", str(key).lower()): value
        for part in (answer, *sections)
        for key, value in part.items()
    }


def _total(figures: dict[str, Json], info: dict[str, Json], imported: int | None) -> int | None:
    for key in _COUNT_KEYS:
        count = number(figures.get(key))
        if count is not None and count >= 0:
            return int(count)
    if imported is None:
        return None
    last_resort = number(info.get("fb_count"))
    return imported or (int(last_resort) if last_resort is not None else imported)


def _first_score(figures: dict[str, Json], info: dict[str, Json]) -> float | None:
    """From 1 to 5; an account without reviews has none."""
    values = [figures.get("rounded_average"), figures.get("exact_average"), info.get("fb_avg_detail")]
    for value in (*values, info.get("fb_avg")):
        score = number(value)
        if score is not None and 1 <= score <= 5:
            return score
    return None
