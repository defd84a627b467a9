"""The report as a page: one HTML file that asks nobody for anything."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.render import labels
from ekomi_reconcile.render.report.charts import report_charts, score_trend
from ekomi_reconcile.render.results import run_words
from ekomi_reconcile.render.tables import printable
from ekomi_reconcile.report.data import ReportData

GENERATOR = "ekomi-reconcile"


def page_html(report: ReportData, *, clean: Callable[[str], str]) -> str:
    """The whole page; every text goes through ``clean``, then is escaped."""
    style, script = _part("report.css"), _part("report.js")
    template = _environment(report.made_at, clean).get_template("page.html")
    return template.render(
        report=report,
        charts=report_charts(report),
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


def _environment(now: Instant, clean: Callable[[str], str]) -> Environment:
    made = Environment(
        loader=PackageLoader(__package__, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=partial(_finish, clean),
    )
    made.filters |= {
        "ago": lambda instant: labels.ago(instant, now),
        "day": labels.day_name,
        "iso": iso,
        "lasting": labels.lasting,
        "moment": labels.moment,
        "number": labels.number,
        "reason_meaning": labels.reason_meaning,
        "reason_name": labels.reason_name,
        "run_words": lambda done: run_words(done.counts, failures=done.failures, not_tried=done.not_tried),
        "score": labels.score,
        "web_address": labels.web_address,
    }
    made.globals |= {
        "none_sign": labels.NONE,
        "score_trend": score_trend,
        "share": labels.share,
        "status_meanings": labels.STATUS_MEANINGS,
    }
    return made


def _finish(clean: Callable[[str], str], value: Any) -> Any:
    """No secret, and no character that could turn the text around it."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(clean(value))
    return value
