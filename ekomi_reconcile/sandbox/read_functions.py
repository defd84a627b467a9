"""Functions of the core API that read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from ekomi_reconcile.sandbox.shops import SandboxReview
from ekomi_reconcile.sandbox.world import FeedbackRows, Payload, Refusal, SandboxCall

FILTERS: MappingProxyType[str, Callable[[SandboxReview], bool]] = MappingProxyType(
    {
        "all": lambda review: True,  # noqa: ARG005
        "positive": lambda review: review.rating > 3,
        "critical": lambda review: review.rating < 4,
    }
)
CACHE_SECONDS = MappingProxyType({"none": 0, "short": 120, "middle": 300, "long": 600, "verylong": 3600})
RANGE_MONTHS = MappingProxyType({"1m": 1, "3m": 3, "6m": 6, "1y": 12})
WEEK = 7 * 86400

PLAIN_FIELDS = ("date", "order_id", "rating", "feedback", "comment")
SHOP_FIELDS = (*PLAIN_FIELDS, "shop_review_title", "has_email")
AFNOR_FIELDS = ("order_day", "firstname", "lastname", "screenname", "client_id")
PRODUCT_FIELDS = ("date", "order_id", "product_id", "rating", "feedback")
MORE_PRODUCT_FIELDS = (*PRODUCT_FIELDS, "product_review_title", *AFNOR_FIELDS)

RESPONSE_KEYS = MappingProxyType({"date": "submitted", "feedback": "review"})


def feedback(call: SandboxCall) -> Payload:
    """The shop's reviews."""
    allowed = PLAIN_FIELDS if call.world.switches.feedback_fields == "plain" else SHOP_FIELDS
    if call.shop.afnor and call.world.switches.feedback_fields == "all":
        allowed = (*allowed, *AFNOR_FIELDS)
    fields = _fields(call, allowed, default=PLAIN_FIELDS)
    return _cached(call, "feedback", lambda: _rows(call, call.shop.reviews, fields))


def product_feedback(call: SandboxCall) -> Payload:
    """The reviews of products, of one (``product``) or of all; not every tier has them.

    Raises:
        Refusal: the tier of the shop lacks product reviews.
    """
    if not call.shop.has_product_feedback:
        raise Refusal(call.world.switches.tier_refusal)
    fields = _fields(call, MORE_PRODUCT_FIELDS, default=PRODUCT_FIELDS)
    product = call.text("product", "all")
    reviews = call.shop.product_reviews
    if product != "all" and call.world.switches.product_filter == "honoured":
        reviews = [review for review in reviews if review.product_id == product]
    return _cached(call, "product_feedback", lambda: _rows(call, reviews, fields))


def _fields(call: SandboxCall, allowed: Sequence[str], *, default: Sequence[str]) -> Sequence[str]:
    if not call.text("fields"):
        return default
    fields = call.text("fields").split(",")
    if not set(fields) <= set(allowed):
        raise Refusal("ERROR: Invalid content in parameter fields.")
    return fields


def _cached(call: SandboxCall, name: str, compute: Callable[[], FeedbackRows]) -> FeedbackRows:
    """Rows no older than ``caching`` allows; the parameters are judged before the cache is asked."""
    _check(call)
    seconds = CACHE_SECONDS[call.text("caching", "verylong")]
    selecting = ("fields", "filter", "range", "product")
    key = (name, call.shop.interface_id, *(call.text(parameter) for parameter in selecting))
    made_at, rows = call.world.feedback_cache.get(key, (None, []))
    honoured = call.world.switches.caching == "honoured"
    if honoured and made_at is not None and 0 <= call.now - made_at < seconds:
        return rows
    rows = compute()
    call.world.feedback_cache[key] = (call.now, rows)
    return rows


def _check(call: SandboxCall) -> None:
    if call.text("filter", "all") not in FILTERS:
        raise Refusal("ERROR: Filter is not valid. Possible options: ([all]), [positive] and [critical].")
    if call.text("caching", "verylong") not in CACHE_SECONDS:
        options = "[none], [short], [middle], [long] and ([verylong])"
        raise Refusal(f"ERROR: Caching is not valid. Possible options: {options}.")
    ranges = {"all", *RANGE_MONTHS}
    if call.world.switches.range_1w == "accepted":
        ranges.add("1w")
    if call.text("range", "all") not in ranges:
        raise Refusal("ERROR: Range is not valid. Possible options: ([all]), [1m], [3m], [6m] and [1y].")
    if call.text("state", "published") != "published":
        raise Refusal("ERROR: state is not valid. Possible options: [published].")


def _rows(call: SandboxCall, reviews: Sequence[SandboxReview], fields: Sequence[str]) -> FeedbackRows:
    since = _since(call.text("range", "all"), call.now)
    wanted = FILTERS[call.text("filter", "all")]
    chosen = [review for review in reviews if since <= review.submitted <= call.now and wanted(review)]
    newest_first = call.world.switches.row_order == "newest"
    chosen.sort(key=lambda review: review.submitted, reverse=newest_first)
    return [_row(call, review, fields) for review in chosen]


def _row(call: SandboxCall, review: SandboxReview, fields: Sequence[str]) -> dict[str, object]:
    values: dict[str, object] = {
        "date": call.number(review.submitted),
        "order_id": review.order_id,
        "product_id": review.product_id or "",
        "rating": call.number(review.rating),
        "feedback": _one_line(review.review),
        "comment": _one_line(review.comment),
        "shop_review_title": _one_line(review.title),
        "product_review_title": _one_line(review.title),
        "has_email": call.number(int(review.has_email)),
        "order_day": datetime.fromtimestamp(review.submitted, UTC).strftime("%Y-%m-%d"),
        "firstname": review.firstname,
        "lastname": review.lastname,
        "screenname": review.screenname,
        "client_id": review.client_id,
    }
    return {RESPONSE_KEYS.get(field, field): values[field] for field in fields}


def _one_line(text: str) -> str:
    """Line breaks travel as the two characters backslash and n."""
    return text.replace("\r\n", "\n").replace("\n", "\\n")


def _since(window: str, now: int) -> int:
    """Where ``range`` begins. Months are calendar months: ``1m`` can be as short as 28 days."""
    if window == "all":
        return 0
    if window == "1w":
        return now - WEEK
    then = datetime.fromtimestamp(now, UTC)
    months = then.year * 12 + then.month - 1 - RANGE_MONTHS[window]
    first = then.replace(year=months // 12, month=months % 12 + 1, day=1)
    # As PHP's "-1 month": the 31st of a short month runs over into the next one.
    return int(first.timestamp()) + (then.day - 1) * 86400


DAY = 86400
YEAR = 365 * DAY
MOST_DAYS = 1095


def shop_details(call: SandboxCall) -> Payload:
    """The shop's data, certificate and template language.

    Raises:
        Refusal: the parameters are wrong.
    """
    if call.shop.details is None:
        raise Refusal("Not Found")
    language = call.shop.language(call.world.switches.template_language)
    return call.done(details=call.shop.details | {"templateLanguage": language})


def snapshot(call: SandboxCall) -> Payload:
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


def average(call: SandboxCall) -> Payload:
    """All ratings ever, or those of the last ``days`` (1-1095).

    Raises:
        Refusal: ``days`` is out of range.
    """
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


def settings(call: SandboxCall) -> Payload:
    """The mail that asks for a review (``content=request``), reminds or says thanks.

    Raises:
        Refusal: there is no such content.
    """
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


def mean_rating(reviews: Sequence[SandboxReview]) -> float:
    """The average of all given reviews, 0 without any."""
    return _average([review.rating for review in reviews])


def _ratings(call: SandboxCall, since: int | None) -> list[int]:
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
