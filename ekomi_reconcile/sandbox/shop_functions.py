"""getShopDetails, getSnapshot, getAverage, getSettings: what the core API says about a shop."""

from __future__ import annotations

from collections.abc import Sequence

from ekomi_reconcile.sandbox.call import Call, Refusal
from ekomi_reconcile.sandbox.encoding import Payload
from ekomi_reconcile.sandbox.shops import Review

DAY = 86400
YEAR = 365 * DAY
MOST_DAYS = 1095


def shop_details(call: Call) -> Payload:
    """The shop's data, certificate and template language."""
    if call.shop.details is None:
        raise Refusal("Not Found")
    language = call.shop.language(call.world.switches.template_language)
    return call.done(details=call.shop.details | {"templateLanguage": language})


def snapshot(call: Call) -> Payload:
    """The ratings of the last 365 days. Its figures are always strings, ``active`` is not."""
    shop = call.shop
    since = call.now - YEAR if call.world.switches.snapshot_window == "365d" else None
    ratings = _ratings(call, since)
    average = _average(ratings)
    info: dict[str, object] = {
        "account_name": shop.name,
        "ekomi_certificate": f"https://www.ekomi.de/cert/{shop.certificate_id}",
        "ekomi_certificate_id": shop.certificate_id,
        "ekomi_certificate_seo": shop.public_page,
        "fb_count": str(len(ratings)),
        "fb_avg": f"{average:.1f}",
        "fb_avg_detail": f"{average:.2f}",
        "active": shop.active,
    }
    return {"info": info, "done": 1}


def average(call: Call) -> Payload:
    """All ratings ever, or those of the last ``days`` (1-1095)."""
    days = call.text("days")
    if days and not (days.isascii() and days.isdigit() and 1 <= int(days) <= MOST_DAYS):
        raise Refusal("ERROR: Days is not valid. Possible options: 1 - 1095.")
    ratings = _ratings(call, call.now - int(days) * DAY if days else None)
    mean = _average(ratings)
    return {
        call.world.switches.average_count_key: call.number(len(ratings)),
        "exact_average": call.decimal(mean, 12),
        "rounded_average": call.decimal(mean, 2),
        "seal": _seal(len(ratings), mean),
    }


def settings(call: Call) -> Payload:
    """The mail that asks for a review (``content=request``), reminds or says thanks."""
    content = call.text("content", "request")
    subjects = {"request": "Ihre Meinung zählt", "reminder": "Erinnerung", "thankyou": "Vielen Dank"}
    if content not in subjects:
        raise Refusal(
            "ERROR: Content is not valid. Possible options: ([request]), [reminder] and [thankyou]."
        )
    text = "Hallo {vorname} {nachname},\nbitte bewerten Sie uns: {ekomilink}"
    return call.done(
        mail_subject=f"{subjects[content]}: {call.shop.name}",
        mail_plain=text,
        mail_html=f"<p>{text}</p>",
        mail_delay=str(call.shop.mail_delay),
        mail_from_name=call.shop.name,
        mail_from_email="service@example.com",
        ekomi_certificate=f"https://www.ekomi.de/cert/{call.shop.certificate_id}",
    )


def mean_rating(reviews: Sequence[Review]) -> float:
    """The average of all given reviews, 0 without any."""
    return _average([review.rating for review in reviews])


def _ratings(call: Call, since: int | None) -> list[int]:
    return [
        review.rating
        for review in call.shop.reviews
        if review.submitted <= call.now and (since is None or review.submitted > since)
    ]


def _average(ratings: Sequence[int]) -> float:
    return sum(ratings) / len(ratings) if ratings else 0.0


def _seal(count: int, mean: float) -> str:
    if count < 10:
        return "none"
    return "gold" if mean >= 4.8 else "silver" if mean >= 4.3 else "bronze"
