"""Shop details and statistics, from the answers of getShopDetails, getSnapshot and getAverage.

Where a value can come from more than one answer, the order is: details, snapshot; for the statistics
average, snapshot. ``fb_count`` of the snapshot covers the last 365 days only, so it is the last resort.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from ekomi_reconcile.ekomi.fields import line, number, web_address, yes
from ekomi_reconcile.ekomi.locales import locale_of
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.review import ShopData

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
"""Under one of these getAverage tells how many reviews there are: its documentation names no key."""

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
