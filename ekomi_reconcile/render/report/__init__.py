"""The HTML report: its page, and how figures, instants and reasons read there."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.invitation import Criterion, Status
from ekomi_reconcile.render.report import charts
from ekomi_reconcile.render.results import run_words
from ekomi_reconcile.render.tables import DASH, ago, printable
from ekomi_reconcile.report.data import MONTHS, AccountRow, MonthFigure, ReportData

MINUTE = 60

STATUS_MEANINGS = {
    Status.PENDING: "is sent when it is due",
    Status.SENDING: "is being sent, or a killed run left it unfinished",
    Status.SENT: "handed over to eKomi",
    Status.SKIPPED: "taken out by a person",
    Status.CANCELLED: "its order no longer matches; comes back if it does again",
    Status.FAILED: "refused by eKomi, or attempts used up",
    Status.UNKNOWN: "sent, or not: a person has to find out",
}

REASONS = {
    Criterion.ENABLED.value: ("Disabled", "invitations of all accounts are disabled"),
    Criterion.STORE_VIEW.value: ("Store view", "no account serves the store view"),
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
    Criterion.SUPPRESSED.value: ("Opted out", "the customer opted out, or was invited often enough"),
    Criterion.DUPLICATE_NUMBER.value: (
        "Duplicate number",
        "an earlier order with the same number is invited at this interface",
    ),
    Criterion.ALREADY_INVITED.value: ("Already invited", "the order has an invitation already"),
    "account_deleted": ("Account deleted", "its account was deleted"),
    "order_source": ("Order source", "its account reads orders elsewhere now"),
    "source_merged": ("Merged source", "the order has another invitation under the new name of its source"),
    "unreachable": ("Unreachable", "eKomi could not be reached for 14 days"),
    "order_gone": ("Order gone", "the shop has not had the order for 30 days"),
    "other": ("Other", "a reason that a person wrote, which is not repeated here"),
}


def share(part: int, whole: int) -> str:
    """``12 %`` of the whole; a little is never nothing, and nearly all never all."""
    if not whole or not part:
        return "0 %"
    percent = round(100 * part / whole)
    if percent == 0:
        return "<1 %"
    return ">99 %" if percent == 100 and part < whole else f"{percent} %"


def moment(instant: Instant, zone: ZoneInfo) -> str:
    """``2026-11-30 13:00``, in this zone."""
    return f"{datetime.fromtimestamp(instant, zone):%Y-%m-%d %H:%M}"


def lasting(seconds: int) -> str:
    """``42 s``, ``3 min``, ``2 h 5 min``."""
    if seconds < MINUTE:
        return f"{seconds} s"
    minutes = round(seconds / MINUTE)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


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


@dataclass(frozen=True, slots=True)
class Trend:
    """A small line of scores with the words for it; ``width`` is that of the plot."""

    text: str
    width: int
    lines: tuple[charts.Line, ...]
    dots: tuple[charts.Dot, ...]


def trend_floor(rows: Sequence[AccountRow]) -> float:
    """Where the axis of all small lines begins, so that they can be compared."""
    return charts.score_floor([charts.month_point(month) for row in rows for month in row.months])


def score_trend(months: Sequence[MonthFigure], *, low: float) -> Trend:
    """The scores of an account; a month without reviews is a gap."""
    lines, dots = charts.line([charts.month_point(each) for each in months], low=low, high=charts.BEST)
    return Trend(
        text=charts.first_and_last(months),
        width=(len(months) or MONTHS) * charts.STEP,
        lines=lines,
        dots=dots[-1:],
    )


GENERATOR = "ekomi-reconcile"


def page_html(report: ReportData, *, clean: Callable[[str], str]) -> str:
    """The whole page; every text goes through ``clean``, then is escaped."""
    style, script = _part("report.css"), _part("report.js")
    template = _environment(report, clean).get_template("page.html")
    return template.render(
        report=report,
        charts=charts.report_charts(report),
        trend_floor=trend_floor(report.accounts.rows),
        style=Markup(style),  # noqa: S704 - our own file
        script=Markup(script),  # noqa: S704 - our own file
        policy=_policy(style, script),
        generator=GENERATOR,
    )


def is_ours(head: str) -> bool:
    """Does a page that begins so come from here?"""
    return f'<meta name="generator" content="{GENERATOR} ' in head


def _policy(style: str, script: str) -> str:
    """Nothing may be loaded, sent, framed or run but what this page holds itself."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _part(name: str) -> str:
    return files(__package__).joinpath(name).read_text("utf-8")


def _environment(report: ReportData, clean: Callable[[str], str]) -> Environment:
    made = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=partial(_finish, clean),
    )
    made.filters |= {
        "ago": lambda instant: ago(instant, report.made_at),
        "day": charts.day_name,
        "interval": charts.interval,
        "iso": iso,
        "lasting": lasting,
        "moment": partial(moment, zone=ZoneInfo(report.timezone)),
        "number": charts.number,
        "percent": charts.percent,
        "reason_meaning": reason_meaning,
        "reason_name": reason_name,
        "run_words": lambda done: run_words(done.counts, failures=done.failures, not_tried=done.not_tried),
        "score": charts.score,
        "web_address": web_address,
    }
    made.globals |= {
        "few": charts.FEW,
        "none_sign": DASH,
        "outcomes": charts.OUTCOMES,
        "score_trend": score_trend,
        "share": share,
        "status_meanings": STATUS_MEANINGS,
    }
    return made


def _finish(clean: Callable[[str], str], value: Any) -> Any:
    """No secret, and no character that could turn the text around it."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(clean(value))
    return value
