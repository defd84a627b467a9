"""Figures, instants, days and reasons as people read them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import DAY, HOUR, Instant, iso
from ekomi_reconcile.model.invitation import Criterion, Status

NONE = "\N{EN DASH}"
SENSITIVE = "(sensitive)"
"""Shown in place of a password."""
MINUTE = 60
_UNITS = ((365 * DAY, "year"), (30 * DAY, "month"), (DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"))
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

STATUS_MEANINGS = {
    Status.PENDING: "waits for its time",
    Status.SENDING: "is being sent, or a killed run left it half-way",
    Status.SENT: "handed over to eKomi",
    Status.SKIPPED: "taken out by a person",
    Status.CANCELLED: "its order no longer matches; comes back if it does again",
    Status.FAILED: "refused by eKomi, or attempts used up",
    Status.UNKNOWN: "perhaps sent: a person has to find out",
}

REASONS = {
    Criterion.ENABLED.value: ("Disabled", "invitations of the account are switched off"),
    Criterion.STORE_VIEW.value: ("Store view", "the order was placed in a store view of no concern to it"),
    Criterion.CUSTOMER_GROUP.value: ("Customer group", "the customer is in another group"),
    Criterion.ORDER_STATUS.value: (
        "Order status",
        "the order has not reached a trigger status yet, or ended",
    ),
    Criterion.REFUNDED.value: ("Refunded", "the whole order was refunded"),
    Criterion.ORDER_AGE.value: ("Order age", "the order is older than the account allows"),
    Criterion.CONSENT.value: ("No consent", "the order has no consent that the account accepts"),
    Criterion.CONDITIONS.value: ("Conditions", "a custom condition of the account does not hold"),
    Criterion.DELIVERABLE.value: ("No address", "no usable address or number"),
    Criterion.REVIEWED.value: ("Reviewed", "the order has a review already"),
    Criterion.SUPPRESSED.value: ("Opted out", "the customer opted out, or was asked often enough"),
    Criterion.DUPLICATE_NUMBER.value: (
        "Duplicate number",
        "an earlier order with the same number is invited at this interface",
    ),
    Criterion.ALREADY_INVITED.value: ("Already invited", "the order has an invitation already"),
    "account_deleted": ("Account deleted", "its account was deleted"),
    "other": ("Other", "a reason that a person wrote, which is not repeated here"),
}


def number(value: int | None) -> str:
    """``12,345``."""
    return NONE if value is None else f"{value:,}"


def score(value: float | None) -> str:
    """``4.62``."""
    return NONE if value is None else f"{value:.2f}"


def share(part: int, whole: int) -> str:
    """``12 %`` of the whole; a little is never nothing, and nearly all never all."""
    if not whole or not part:
        return "0 %"
    percent = round(100 * part / whole)
    if percent == 0:
        return "<1 %"
    return ">99 %" if percent == 100 and part < whole else f"{percent} %"


def moment(instant: Instant) -> str:
    """``2026-11-30 12:00``, in UTC."""
    text = iso(instant)
    return f"{text[:10]} {text[11:16]}"


def ago(instant: Instant, now: Instant) -> str:
    """``3 hours ago``, ``in 2 days``, ``just now``."""
    distance = abs(now - instant)
    for seconds, unit in _UNITS:
        if distance >= seconds:
            count = distance // seconds
            words = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"in {words}" if instant > now else f"{words} ago"
    return "just now" if instant <= now else "in less than a minute"


def lasting(seconds: int) -> str:
    """``42 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < MINUTE:
        return f"{seconds} s"
    minutes = round(seconds / MINUTE)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def short_moment(instant: Instant, now: Instant) -> str:
    """``30 Nov 12:00``, in UTC; with the year where it is another one than that of ``now``."""
    at, this = datetime.fromtimestamp(instant, UTC), datetime.fromtimestamp(now, UTC)
    year = "" if at.year == this.year else f" {at.year}"
    return f"{at.day} {_MONTHS[at.month - 1]}{year} {at:%H:%M}"


def overdue(since: Instant, now: Instant) -> str:
    """``overdue 7 d`` or ``overdue 3 h``; empty where it is less than an hour."""
    for seconds, unit in ((DAY, "d"), (HOUR, "h")):
        if now - since >= seconds:
            return f"overdue {(now - since) // seconds} {unit}"
    return ""


def yaml_text(value: Json) -> str:
    """A value as the files have it, on one line; ``(none)`` where there is none."""
    return "(none)" if value is None else _flow(value)


def _flow(value: Json) -> str:
    from ekomi_reconcile.formatting.emit import text

    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(key, in_flow=True)}: {_flow(value[key])}" for key in value) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, str):
        return value if value == SENSITIVE else text(value, in_flow=True)
    return json.dumps(value)


def difference_text(before: Json, after: Json) -> str:
    """``14 → 7``; a password only by the fact that it differs."""
    return SENSITIVE if before == after == SENSITIVE else f"{yaml_text(before)} → {yaml_text(after)}"


def key_text(path: Sequence[str | int]) -> str:
    """A key path as people write it: ``conditions.all[0].grand_total.gte``; ``invitations`` is left out."""
    steps = path[1:] if len(path) > 1 and path[0] == "invitations" else path
    return "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in steps).removeprefix(".")


def day_name(day: int) -> str:
    """``30 Nov 2026`` of a day since 1970."""
    date = datetime.fromtimestamp(day * DAY, UTC)
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


def month_name(year: int, month: int) -> str:
    """``Nov 2026``."""
    return f"{_MONTHS[month - 1]} {year}"


def reason_name(reason: str) -> str:
    """A reason as the head of a column."""
    return REASONS[reason][0] if reason in REASONS else reason


def reason_meaning(reason: str) -> str:
    """What a reason means."""
    return REASONS[reason][1] if reason in REASONS else ""


def web_address(text: str | None) -> str | None:
    """The address if it is one of the web and safe to follow, else ``None``."""
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return None
    plain = text.isprintable() and not any(char.isspace() or char == "\\" for char in text)
    return text if plain and host and parts.scheme in ("http", "https") and not parts.username else None
