"""The charts of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ekomi_reconcile.render.report.charts import (
    STEP,
    Chart,
    Point,
    bar_chart,
    score_chart,
    score_floor,
    score_line,
)
from ekomi_reconcile.render.report.words import day_name, month_name, number, score
from ekomi_reconcile.report.data import DayCount, MonthFigure, Queue, ReportData, Reviews


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


def _sent(queue: Queue) -> Chart:
    return bar_chart(
        "sent",
        title="Sent per day",
        summary=f"{_sum(queue.sent)} invitations in {len(queue.sent)} days{_most(queue.sent)}.",
        points=_days(queue.sent),
    )


def _scheduled(queue: Queue) -> Chart:
    later = f", {number(queue.later)} after that" if queue.later else ""
    return bar_chart(
        "scheduled",
        title="Scheduled per day",
        summary=f"{_sum(queue.scheduled)} invitations in the coming {len(queue.scheduled)} days{later}.",
        points=_days(queue.scheduled),
    )


def _reviews(reviews: Reviews) -> Chart:
    points = [
        Point(month_name(each.year, each.month), each.count, number(each.count)) for each in reviews.months
    ]
    total = sum(each.count for each in reviews.months)
    return bar_chart(
        "reviews",
        title="Reviews per month",
        summary=f"{number(total)} reviews in {len(points)} months; the present month is not over.",
        points=points,
    )


def _scores(reviews: Reviews) -> Chart:
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


def _score_points(months: Sequence[MonthFigure]) -> list[Point]:
    return [Point(month_name(each.year, each.month), each.average, score(each.average)) for each in months]


def _days(counts: Sequence[DayCount]) -> list[Point]:
    return [Point(day_name(each.day), each.count, number(each.count)) for each in counts]


def _sum(counts: Sequence[DayCount]) -> str:
    return number(sum(each.count for each in counts))


def _most(counts: Sequence[DayCount]) -> str:
    best = max(counts, key=lambda each: each.count, default=None)
    return f", at most {number(best.count)} on {day_name(best.day)}" if best and best.count else ""
