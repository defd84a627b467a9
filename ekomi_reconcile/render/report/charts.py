"""The charts of the report: shapes within a plot that is stretched to the place it gets.

A plot is ``STEP`` wide per value and ``HEIGHT`` high.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.review import Response
from ekomi_reconcile.render.tables import DASH
from ekomi_reconcile.report import data

STEP = 10
HEIGHT = 100
FEW = 10
"""Reviews or invitations below which a share or an average says little: it is greyed."""

_GAP = 2
BEST = 5.0
_LOW, _LOWEST = 3.0, 1.0
_TOPS = (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

REVIEWED, OPEN, UNKNOWN, FAILED = "reviewed", "open", "unknown", "failed"
OUTCOMES = {REVIEWED: "reviewed", OPEN: "no review so far", UNKNOWN: "outcome unknown", FAILED: "failed"}
"""What becomes of invitations, from the base of the bars up, in words."""


def number(value: int | None) -> str:
    """``12,345``."""
    return DASH if value is None else f"{value:,}"


def score(value: float | None) -> str:
    """``4.62``."""
    return DASH if value is None else f"{value:.2f}"


def percent(value: float | None) -> str:
    """``12.3 %`` of a share from 0 to 1."""
    return DASH if value is None else f"{100 * value:.1f} %"


def interval(response: Response) -> str:
    """``10.9 to 13.8 %``: the 95 % interval of a response rate."""
    low, high = response.interval
    return f"{100 * low:.1f} to {100 * high:.1f} %" if response.invited else DASH


def day_name(day: int) -> str:
    """``30 Nov 2026`` of a day since 1970."""
    date = datetime.fromtimestamp(day * DAY, UTC)
    return f"{date.day} {_MONTHS[date.month - 1]} {date.year}"


def month_name(year: int, month: int) -> str:
    """``Nov 2026``."""
    return f"{_MONTHS[month - 1]} {year}"


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """A value with its name and the words for it; ``count`` is the number of cases that it rests on."""

    name: str
    value: float | None
    text: str
    count: int | None = None

    @property
    def faint(self) -> bool:
        """Does it rest on few cases?"""
        return self.count is not None and self.count < FEW


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar within the plot, with the words that describe it; ``kind`` names its filling."""

    x: float
    y: float
    width: float
    height: float
    text: str
    kind: str = "plain"


@dataclass(frozen=True, slots=True)
class Dot:
    """A value of a line, with the words for it; a ``faint`` one rests on few cases."""

    x: float
    y: float
    text: str
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of a line as a list of points."""

    points: str
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """What is written below a value; ``year`` below that."""

    text: str
    year: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A plot and its labels, ``ticks`` from the top down; ``heads`` and ``rows`` are the same as a table.

    The last value is ``running``: its time is not over. Where ``cut``, the axis does not begin at its natural
    floor. ``below`` is a second plot over the same names.
    """

    id: str
    title: str
    summary: str
    unit: str
    width: int
    ticks: tuple[str, ...]
    labels: tuple[Label, ...]
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[Line, ...] = ()
    dots: tuple[Dot, ...] = ()
    kinds: tuple[str, ...] = ()
    running: bool = False
    cut: bool = False
    below: Chart | None = None


def ceiling(value: float) -> int:
    """The least round number that is not below, and has a whole half."""
    power = 1
    while True:
        for top in _TOPS:
            found = round(top * power)
            if found >= value and found % 2 == 0:
                return found
        power *= 10


def bars(points: Sequence[ChartPoint], *, top: int) -> tuple[Bar, ...]:
    """Values as bars that begin at nothing."""
    return tuple(
        _bar(index, 0, each.value, top=top, text=f"{each.name}: {each.text}")
        for index, each in enumerate(points)
        if each.value
    )


def _bar(index: int, base: float, value: float, *, top: int, text: str, kind: str = "plain") -> Bar:
    height = value / top * HEIGHT
    return Bar(
        x=index * STEP + _GAP / 2,
        y=HEIGHT - base / top * HEIGHT - height,
        width=STEP - _GAP,
        height=height,
        text=text,
        kind=kind,
    )


def score_floor(points: Sequence[ChartPoint]) -> float:
    """Where the axis begins: good scores lie closely together, and would be one flat line."""
    return _LOW if min((each.value for each in points if each.value), default=BEST) >= _LOW else _LOWEST


def line(
    points: Sequence[ChartPoint], *, low: float, high: float
) -> tuple[tuple[Line, ...], tuple[Dot, ...]]:
    """A line with a gap for a missing value, and its dots; pieces that end at a faint value are faint."""
    lines: list[Line] = []
    dots: list[Dot] = []
    before: Dot | None = None
    for index, each in enumerate(points):
        if each.value is None:
            before = None
            continue
        y = HEIGHT - (each.value - low) / (high - low) * HEIGHT
        dot = Dot(index * STEP + STEP / 2, y, f"{each.name}: {each.text}", each.faint)
        if before is not None:
            ends = f"{before.x:g},{before.y:.2f} {dot.x:g},{dot.y:.2f}"
            lines.append(Line(ends, before.faint or dot.faint))
        dots.append(dot)
        before = dot
    return tuple(lines), tuple(dots)


@dataclass(frozen=True, slots=True)
class Charts:
    """All charts by what they show."""

    weeks: Chart
    rates: Chart
    scheduled: Chart
    scores: Chart


def report_charts(report: data.ReportData) -> Charts:
    """The charts of this report."""
    return Charts(
        weeks=weeks_chart(report.responses.weeks),
        rates=rates_chart(report.responses.weeks),
        scheduled=_scheduled(report.queue),
        scores=scores_chart(report.reviews.months),
    )


def weeks_chart(weeks: Sequence[data.WeekFigure]) -> Chart:
    """What was sent each week, stacked by outcome."""
    counts = [_outcomes(each) for each in weeks]
    top = ceiling(max((sum(each.values()) for each in counts), default=0))
    stacked: list[Bar] = []
    for index, (week, each) in enumerate(zip(weeks, counts, strict=True)):
        base = 0
        for kind, count in each.items():
            if count:
                text = f"Week of {day_name(week.monday)}: {number(count)} {OUTCOMES[kind]}"
                stacked.append(_bar(index, base, count, top=top, text=text, kind=kind))
            base += count
    sent = sum(each.response.invited for each in weeks)
    return Chart(
        id="weeks",
        title="Invited per week",
        summary=f"{number(sent)} invitations sent in {len(weeks)} weeks; the last week is not over.",
        unit="Invitations",
        width=len(weeks) * STEP,
        ticks=_ticks(top),
        labels=_week_labels(weeks),
        heads=("Week of", *(words.capitalize() for words in OUTCOMES.values())),
        rows=tuple(
            (day_name(week.monday), *map(number, each.values()))
            for week, each in zip(weeks, counts, strict=True)
        ),
        bars=tuple(stacked),
        kinds=tuple(kind for kind in OUTCOMES if any(each[kind] for each in counts)),
        running=True,
    )


def _outcomes(week: data.WeekFigure) -> dict[str, int]:
    reviewed = week.response.reviewed
    return {
        REVIEWED: reviewed,
        OPEN: week.response.invited - reviewed,
        UNKNOWN: week.unknown,
        FAILED: week.failed,
    }


def _week_labels(weeks: Sequence[data.WeekFigure]) -> tuple[Label, ...]:
    return tuple(Label(day_name(each.monday).rpartition(" ")[0]) for each in weeks)


def rates_chart(weeks: Sequence[data.WeekFigure]) -> Chart:
    """The response rate by week of sending, with its interval."""
    points = [
        ChartPoint(
            f"Week of {day_name(each.monday)}",
            each.response.rate,
            f"{percent(each.response.rate)}, {interval(each.response)}, n = {number(each.response.invited)}",
            each.response.invited,
        )
        for each in weeks
    ]
    known = [each.response for each in weeks if each.response.invited]
    sure = [each.interval[1] for each in known if each.invited >= FEW]
    top = min(100, ceiling(100 * max(sure or [each.interval[1] for each in known], default=0.1)))
    lines, dots = line(points, low=0, high=top / 100)
    spans = [_span(index, each.response, top) for index, each in enumerate(weeks) if each.response.invited]
    return Chart(
        id="rates",
        title="Response rate by week of sending",
        summary="With its 95 % interval. Customers need time: the rates of the last weeks still grow.",
        unit="Reviewed, %",
        width=len(weeks) * STEP,
        ticks=(f"{top}", f"{top // 2}", "0"),
        labels=_week_labels(weeks),
        heads=("Week of", "Invited", "Reviewed", "Rate", "95 % interval"),
        rows=tuple(
            (
                day_name(each.monday),
                number(each.response.invited),
                number(each.response.reviewed),
                percent(each.response.rate),
                interval(each.response),
            )
            for each in weeks
        ),
        bars=tuple(spans),
        lines=lines,
        dots=dots,
        running=True,
    )


def _span(index: int, response: Response, top: int) -> Bar:
    low, high = (min(100 * each, top) / top * HEIGHT for each in response.interval)
    return Bar(index * STEP + STEP / 2 - 1, HEIGHT - high, 2, high - low, interval(response), "span")


def _scheduled(queue: data.QueueFigures) -> Chart:
    later = f", {number(queue.later)} after that" if queue.later else ""
    total = sum(each.count for each in queue.scheduled)
    points = [ChartPoint(day_name(each.day), each.count, number(each.count)) for each in queue.scheduled]
    top = ceiling(max((each.count for each in queue.scheduled), default=0))
    return Chart(
        id="scheduled",
        title="Scheduled per day",
        summary=f"{number(total)} invitations in the coming {len(points)} days{later}.",
        unit="Invitations",
        width=len(points) * STEP,
        ticks=_ticks(top),
        labels=tuple(
            Label(each.name.rpartition(" ")[0] if index % 7 == 0 else "") for index, each in enumerate(points)
        ),
        heads=("Day", "Invitations"),
        rows=tuple((each.name, each.text) for each in points),
        bars=bars(points, top=top),
    )


def scores_chart(months: Sequence[data.MonthFigure]) -> Chart:
    """The average score of each month, and below it how many reviews that is."""
    points = [month_point(each) for each in months]
    low = score_floor(points)
    lines, dots = line(points, low=low, high=BEST)
    cut = low > _LOWEST
    counts = [replace(each, value=each.count, text=number(each.count)) for each in points]
    top = ceiling(max((each.count for each in months), default=0))
    chart = Chart(
        id="scores",
        title="Average score per month",
        summary=f"{first_and_last(months)} Months with fewer than {FEW} reviews are grey.",
        unit=f"Stars (the axis starts at {low:g})" if cut else "Stars",
        width=len(points) * STEP,
        ticks=(f"{BEST:g}", f"{(BEST + low) / 2:g}", f"{low:g}"),
        labels=tuple(_month_label(index, each) for index, each in enumerate(months)),
        heads=("Month", "Average score", "Reviews (n)"),
        rows=tuple((each.name, score(each.value), number(each.count)) for each in points),
        lines=lines,
        dots=dots,
        running=True,
        cut=cut,
    )
    below = replace(
        chart,
        title="Reviews per month",
        unit="Reviews (n)",
        ticks=(number(top), "0"),
        bars=bars(counts, top=top),
        lines=(),
        dots=(),
        cut=False,
    )
    return replace(chart, below=below)


def month_point(each: data.MonthFigure) -> ChartPoint:
    text = f"{score(each.average)} of 5, n = {number(each.count)}"
    return ChartPoint(month_name(each.year, each.month), each.average, text, each.count)


def _month_label(index: int, each: data.MonthFigure) -> Label:
    """The first letter, with the year below January, and below the first month where there is room."""
    named = each.month == 1 or (index == 0 and each.month <= 10)
    return Label(_MONTHS[each.month - 1][0], str(each.year) if named else "")


def first_and_last(months: Sequence[data.MonthFigure]) -> str:
    known = [each for each in months if each.average is not None]
    if not known:
        return "No reviews in these months."
    first, last = (
        f"{score(each.average)} in {month_name(each.year, each.month)}" for each in (known[0], known[-1])
    )
    return f"{first}, {last}."


def _ticks(top: int) -> tuple[str, ...]:
    return number(top), number(top // 2), "0"
