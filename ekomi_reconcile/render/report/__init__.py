"""The HTML report: its charts and its page.

A plot is ``STEP`` wide per value and ``HEIGHT`` high, and is stretched to the place it gets.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.render import labels
from ekomi_reconcile.render.labels import day_name, month_name, number, score
from ekomi_reconcile.render.results import run_words
from ekomi_reconcile.render.tables import printable
from ekomi_reconcile.report.data import DayCount, MonthFigure, QueueFigures, ReportData, ReviewFigures

STEP = 10
HEIGHT = 100
_GAP = 2
_BEST = 5.0
_LOW, _LOWEST = 3.0, 1.0
_TOPS = (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8)


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """A value with its name and the words for it."""

    name: str
    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar within the plot, with the words that describe it."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot and its labels, ``ticks`` from the top down; ``rows`` are the same as a table."""

    id: str
    title: str
    summary: str
    width: int
    ticks: tuple[str, ...]
    names: tuple[str, ...]
    rows: tuple[ChartPoint, ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[str, ...] = ()
    dots: tuple[tuple[float, float], ...] = ()


def bar_chart(key: str, *, title: str, summary: str, points: Sequence[ChartPoint]) -> Chart:
    """Counts as bars that begin at nothing."""
    top = ceiling(max((each.value or 0 for each in points), default=0))
    ticks = (f"{top:,}", f"{top // 2:,}", "0")
    bars = tuple(
        Bar(
            x=index * STEP + _GAP / 2,
            y=HEIGHT - each.value / top * HEIGHT,
            width=STEP - _GAP,
            height=each.value / top * HEIGHT,
            text=f"{each.name}: {each.text}",
        )
        for index, each in enumerate(points)
        if each.value
    )
    return Chart(
        id=key,
        title=title,
        summary=summary,
        width=len(points) * STEP,
        ticks=ticks,
        names=_ends_and_middle(points),
        rows=tuple(points),
        bars=bars,
    )


def score_chart(key: str, *, title: str, summary: str, points: Sequence[ChartPoint]) -> Chart:
    """Scores as a line, with a gap where there is none."""
    low = score_floor(points)
    lines, dots = score_line(points, low=low)
    middle = (_BEST + low) / 2
    return Chart(
        id=key,
        title=title,
        summary=summary,
        width=len(points) * STEP,
        ticks=(f"{_BEST:g}", f"{middle:g}", f"{low:g}"),
        names=_ends_and_middle(points),
        rows=tuple(points),
        lines=lines,
        dots=dots,
    )


def score_floor(points: Sequence[ChartPoint]) -> float:
    """Where the axis begins: good scores lie closely together, and would be one flat line."""
    return _LOW if min((each.value for each in points if each.value), default=_BEST) >= _LOW else _LOWEST


def score_line(
    points: Sequence[ChartPoint], *, low: float
) -> tuple[tuple[str, ...], tuple[tuple[float, float], ...]]:
    """The pieces of the line as lists of points, and the points themselves."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for index, each in enumerate(points):
        if each.value is None:
            pieces.append([])
        else:
            y = HEIGHT - (each.value - low) / (_BEST - low) * HEIGHT
            pieces[-1].append((index * STEP + STEP / 2, y))
    lines = tuple(" ".join(f"{x:g},{y:.2f}" for x, y in piece) for piece in pieces if len(piece) > 1)
    return lines, tuple(point for piece in pieces for point in piece)


def ceiling(value: float) -> int:
    """The least round number that is not below, and has a whole half."""
    power = 1
    while True:
        for top in _TOPS:
            found = round(top * power)
            if found >= value and found % 2 == 0:
                return found
        power *= 10


def _ends_and_middle(points: Sequence[ChartPoint]) -> tuple[str, ...]:
    if len(points) < 3:
        return tuple(each.name for each in points)
    return (points[0].name, points[len(points) // 2].name, points[-1].name)


@dataclass(frozen=True, slots=True)
class Charts:
    """All charts by what they show."""

    sent: Chart
    scheduled: Chart
    reviews: Chart
    scores: Chart


@dataclass(frozen=True, slots=True)
class Trend:
    """A small line of scores with the words for it; ``width`` is that of the plot."""

    text: str
    width: int
    lines: tuple[str, ...]
    dots: tuple[tuple[float, float], ...]


def report_charts(report: ReportData) -> Charts:
    """The charts of this report."""
    return Charts(
        sent=_sent(report.queue),
        scheduled=_scheduled(report.queue),
        reviews=_reviews(report.reviews),
        scores=_scores(report.reviews),
    )


def score_trend(months: Sequence[MonthFigure]) -> Trend:
    """The scores of an account over the months that have any."""
    known = [each for each in _score_points(months) if each.value is not None]
    lines, dots = score_line(known, low=score_floor(known))
    text = "no reviews in these months"
    if known:
        text = f"{known[0].text} in {known[0].name}, {known[-1].text} in {known[-1].name}"
    return Trend(text=text, width=len(known) * STEP, lines=lines, dots=dots[-1:])


def _sent(queue: QueueFigures) -> Chart:
    return bar_chart(
        "sent",
        title="Sent per day",
        summary=f"{_sum(queue.sent)} invitations in {len(queue.sent)} days{_most(queue.sent)}.",
        points=_days(queue.sent),
    )


def _scheduled(queue: QueueFigures) -> Chart:
    later = f", {number(queue.later)} after that" if queue.later else ""
    return bar_chart(
        "scheduled",
        title="Scheduled per day",
        summary=f"{_sum(queue.scheduled)} invitations in the coming {len(queue.scheduled)} days{later}.",
        points=_days(queue.scheduled),
    )


def _reviews(reviews: ReviewFigures) -> Chart:
    points = [
        ChartPoint(month_name(each.year, each.month), each.count, number(each.count))
        for each in reviews.months
    ]
    total = sum(each.count for each in reviews.months)
    return bar_chart(
        "reviews",
        title="Reviews per month",
        summary=f"{number(total)} reviews in {len(points)} months; the present month is not over.",
        points=points,
    )


def _scores(reviews: ReviewFigures) -> Chart:
    known = [each for each in reviews.months if each.average is not None]
    summary = "No reviews in these months."
    if known:
        first, last = known[0], known[-1]
        summary = (
            f"{score(first.average)} in {month_name(first.year, first.month)}, "
            f"{score(last.average)} in {month_name(last.year, last.month)}, of 5."
        )
    points = _score_points(reviews.months)
    return score_chart("scores", title="Average score per month", summary=summary, points=points)


def _score_points(months: Sequence[MonthFigure]) -> list[ChartPoint]:
    return [
        ChartPoint(month_name(each.year, each.month), each.average, score(each.average)) for each in months
    ]


def _days(counts: Sequence[DayCount]) -> list[ChartPoint]:
    return [ChartPoint(day_name(each.day), each.count, number(each.count)) for each in counts]


def _sum(counts: Sequence[DayCount]) -> str:
    return number(sum(each.count for each in counts))


def _most(counts: Sequence[DayCount]) -> str:
    best = max(counts, key=lambda each: each.count, default=None)
    return f", at most {number(best.count)} on {day_name(best.day)}" if best and best.count else ""


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
