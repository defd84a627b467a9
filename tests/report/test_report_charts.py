"""Shapes of charts, and figures and instants in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.model.instant import DAY, HOUR
from ekomi_reconcile.render.labels import (
    NONE,
    ago,
    day_name,
    lasting,
    moment,
    number,
    score,
    share,
    web_address,
)
from ekomi_reconcile.render.report import (
    HEIGHT,
    STEP,
    ChartPoint,
    bar_chart,
    ceiling,
    score_chart,
    score_trend,
)
from ekomi_reconcile.render.results import run_words
from ekomi_reconcile.report.data import MonthFigure, first_instant, month_of

NOW = 1_796_040_000


def points(*values):
    """Points named by their place."""
    return [ChartPoint(str(place), value, str(value)) for place, value in enumerate(values)]


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=40))
def test_bars_stand_within_the_plot_and_in_proportion(values):
    """Every value that is not nothing has a bar on the base line, as high as its share of the top."""
    chart = bar_chart("key", title="", summary="", points=points(*values))
    top = int(chart.ticks[0].replace(",", ""))
    assert top >= max(values)
    shown = {int(bar.x // STEP): bar for bar in chart.bars}
    assert sorted(shown) == [place for place, value in enumerate(values) if value]
    for place, bar in shown.items():
        assert bar.y + bar.height == pytest.approx(HEIGHT)
        assert bar.height == pytest.approx(values[place] / top * HEIGHT)
        assert place * STEP < bar.x < bar.x + bar.width < (place + 1) * STEP
    assert [row.value for row in chart.rows] == values


@given(st.integers(0, 10**12))
def test_the_top_of_an_axis_is_round_and_near(value):
    """It is not below the value, has a whole half, and leaves less than two thirds empty."""
    top = ceiling(value)
    assert top >= value
    assert top % 2 == 0
    assert top == 2 or value > top / 3


def test_scores_break_where_there_are_none():
    """A month without reviews is a gap in the line; good scores do not make a flat line."""
    chart = score_chart("key", title="", summary="", points=points(4.0, 5.0, None, 3.0, None, 4.0, 4.5))
    assert chart.ticks == ("5", "4", "3")
    assert chart.lines == ("5,50.00 15,0.00", "55,50.00 65,25.00")
    assert [x for x, _ in chart.dots] == [5, 15, 35, 55, 65]
    assert score_chart("key", title="", summary="", points=points(2.5, 5)).ticks == ("5", "3", "1")


def test_a_trend_says_where_it_began_and_ends():
    """Months without reviews are left out of the small line, which has words too."""
    months = [
        MonthFigure(year=2026, month=each, count=1, average=value)
        for each, value in ((1, 4.0), (2, None), (3, 4.5))
    ]
    trend = score_trend(months)
    assert trend.text == "4.00 in Jan 2026, 4.50 in Mar 2026"
    assert trend.lines == ("5,50.00 15,25.00",)
    assert score_trend(months[1:2]).text == "no reviews in these months"


@pytest.mark.parametrize(
    ("instant", "words"),
    [
        (NOW, "just now"),
        (NOW - 59, "just now"),
        (NOW + 59, "in less than a minute"),
        (NOW - 60, "1 minute ago"),
        (NOW - 2 * HOUR + 1, "1 hour ago"),
        (NOW + 36 * HOUR, "in 1 day"),
        (NOW - 61 * DAY, "2 months ago"),
        (NOW - 800 * DAY, "2 years ago"),
    ],
)
def test_distances_in_time(instant, words):
    """The largest whole unit, before or after."""
    assert ago(instant, NOW) == words


def test_figures_in_words():
    """Thousands, scores, shares, times and days have one form each; what is absent is a dash."""
    assert [number(12_345), number(0), number(None)] == ["12,345", "0", NONE]
    assert [score(4.0), score(4.625), score(None)] == ["4.00", "4.62", NONE]
    assert [share(0, 0), share(1, 1_000), share(999, 1_000), share(1, 4), share(4, 4)] == [
        "0 %",
        "<1 %",
        ">99 %",
        "25 %",
        "100 %",
    ]
    assert [moment(NOW), day_name(NOW // DAY)] == ["2026-11-30 12:00", "30 Nov 2026"]
    assert [lasting(59), lasting(90), lasting(2 * HOUR + 60)] == ["59 s", "2 min", "2 h 1 min"]


def test_a_run_in_words():
    """Only what there was, in the order in which it is done; one is not many."""
    counts = {"sent": 1_200, "added": 5, "reviews_new": 1, "unknown": 2, "something_newer": 3}
    assert run_words(counts, failures=1, not_tried=2) == (
        "5 added, 1 new review, 1,200 sent, 2 perhaps sent, 1 failure, 2 not tried"
    )
    assert run_words({}) == ""


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "data:text/html,x",
        "ftp://example.com",
        "//example.com/r",
        "https://",
        "https:/example.com",
        " https://example.com",
        "https://exa mple.com/",
        "https://[::1",
        "https://user:word@example.com/",
        "https://example.com\\@evil.example",
        "https://example.com/\u202egpj",
        "",
        None,
    ],
)
def test_only_plain_web_addresses_become_links(address):
    """Whatever else eKomi may have told as the public page is no link."""
    assert web_address(address) is None
    assert web_address("https://reviews.example.com/r?a=1&b=2#c") == "https://reviews.example.com/r?a=1&b=2#c"


@given(st.integers(0, 100 * 12 * 30))
def test_months_hold_their_days(day):
    """Every day lies between the beginnings of its month and of the next."""
    month = month_of(day)
    assert first_instant(month) <= day * DAY < first_instant(month + 1)
