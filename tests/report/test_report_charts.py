"""Shapes of charts, and figures and instants in words."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.model.instant import DAY, HOUR
from ekomi_reconcile.model.review import Response
from ekomi_reconcile.render.report import (
    charts,
    lasting,
    moment,
    reason_meaning,
    score_trend,
    share,
    trend_floor,
    web_address,
)
from ekomi_reconcile.render.results import run_words
from ekomi_reconcile.render.tables import DASH, ago
from ekomi_reconcile.report import LOOP_REASONS, data

NOW = 1_796_040_000
HEIGHT, STEP = charts.HEIGHT, charts.STEP


def points(*values, count=None):
    """Points named by their place."""
    return [charts.ChartPoint(str(place), value, str(value), count) for place, value in enumerate(values)]


def months(*figures):
    """Months of 2026 with these averages and counts."""
    return [
        data.MonthFigure(year=2026, month=place, count=count, average=average)
        for place, (average, count) in enumerate(figures, start=1)
    ]


@given(st.lists(st.integers(0, 10**7), min_size=1, max_size=40))
def test_bars_stand_within_the_plot_and_in_proportion(values):
    """Every value that is not nothing has a bar on the base line, as high as its share of the top."""
    top = charts.ceiling(max(values))
    shown = {int(bar.x // STEP): bar for bar in charts.bars(points(*values), top=top)}
    assert sorted(shown) == [place for place, value in enumerate(values) if value]
    for place, bar in shown.items():
        assert bar.y + bar.height == pytest.approx(HEIGHT)
        assert bar.height == pytest.approx(values[place] / top * HEIGHT)
        assert place * STEP < bar.x < bar.x + bar.width < (place + 1) * STEP


_COUNTS = st.tuples(st.integers(0, 500), st.integers(0, 500), st.integers(0, 9), st.integers(0, 9))


@given(st.lists(_COUNTS, min_size=1, max_size=14))
def test_weeks_are_stacked_without_gaps(counts):
    """The outcomes of a week stand on each other, together as high as their sum, as in the table."""
    weeks = [
        data.WeekFigure(
            monday=4 + 7 * place,
            response=Response(reviewed + more, reviewed),
            unknown=unknown,
            failed=failed,
        )
        for place, (reviewed, more, unknown, failed) in enumerate(counts)
    ]
    chart = charts.weeks_chart(weeks)
    top = int(chart.ticks[0].replace(",", ""))
    assert top >= max(sum(each) for each in counts)
    for place, each in enumerate(counts):
        stack = [bar for bar in chart.bars if int(bar.x // STEP) == place]
        assert [bar.kind for bar in stack] == [
            kind for kind, count in zip(charts.OUTCOMES, each, strict=True) if count
        ]
        floor = float(HEIGHT)
        for bar in stack:
            assert bar.y + bar.height == pytest.approx(floor)
            floor = bar.y
        assert HEIGHT - floor == pytest.approx(sum(each) / top * HEIGHT)
        assert chart.rows[place][1:] == tuple(f"{count:,}" for count in each)
    assert len(chart.labels) == len(counts)
    assert set(chart.kinds) == {bar.kind for bar in chart.bars}


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), min_size=1, max_size=13))
def test_rates_lie_within_their_interval_and_the_plot(counts):
    """A week has a dot exactly if something was sent, and a greyed one if that was little."""
    weeks = [
        data.WeekFigure(monday=4 + 7 * place, response=Response(a + b, a), unknown=0, failed=0)
        for place, (a, b) in enumerate(counts)
    ]
    chart = charts.rates_chart(weeks)
    sent = [each.response for each in weeks if each.response.invited]
    assert [dot.faint for dot in chart.dots] == [each.invited < charts.FEW for each in sent]
    for span, each in zip(chart.bars, sent, strict=True):
        low, high = each.interval
        assert low <= each.rate <= high
        assert 0 <= span.y <= span.y + span.height <= HEIGHT


@given(st.integers(0, 10**12))
def test_the_top_of_an_axis_is_round_and_near(value):
    """It is not below the value, has a whole half, and leaves less than two thirds empty."""
    top = charts.ceiling(value)
    assert top >= value
    assert top % 2 == 0
    assert top == 2 or value > top / 3


def test_scores_break_where_there_are_none():
    """A month without reviews is a gap in the line."""
    lines, dots = charts.line(points(4.0, 5.0, None, 3.0, None, 4.0, 4.5), low=3, high=5)
    assert [each.points for each in lines] == ["5,50.00 15,0.00", "55,50.00 65,25.00"]
    assert [each.x for each in dots] == [5, 15, 35, 55, 65]


def test_months_with_few_reviews_are_grey():
    """So are the pieces of the line that end there; each has its n, in the table and below the line."""
    chart = charts.scores_chart(months((4.0, 10), (5.0, 9), (4.5, 30), (4.4, 31)))
    assert [each.faint for each in chart.dots] == [False, True, False, False]
    assert [each.faint for each in chart.lines] == [True, True, False]
    assert chart.rows[1] == ("Feb 2026", "5.00", "9")
    assert chart.below is not None
    assert [bar.text for bar in chart.below.bars][1] == "Feb 2026: 9"
    assert chart.dots[1].text == "Feb 2026: 5.00 of 5, n = 9"
    assert chart.running
    assert chart.below.running


@pytest.mark.parametrize(
    ("lowest", "ticks", "cut"), [(3.0, ("5", "4", "3"), True), (2.9, ("5", "3", "1"), False)]
)
def test_a_floor_above_the_lowest_score_is_marked(lowest, ticks, cut):
    """Good scores do not make a flat line, and the axis says where it starts."""
    chart = charts.scores_chart(months((5.0, 20), (lowest, 20)))
    assert (chart.ticks, chart.cut) == (ticks, cut)
    assert ("axis starts at 3" in chart.unit) == cut


def test_every_month_has_a_label_and_years_do_not_collide():
    """The first letter each; a year below January, and below the first month if January is not near."""
    figures = [
        data.MonthFigure(year=2024 + (10 + place) // 12, month=(10 + place) % 12 + 1, count=1, average=4.0)
        for place in range(24)
    ]
    labels = charts.scores_chart(figures).labels
    assert "".join(each.text for each in labels) == "NDJFMAMJJASONDJFMAMJJASO"
    assert {place: each.year for place, each in enumerate(labels) if each.year} == {2: "2025", 14: "2026"}
    assert charts.scores_chart(figures[4:]).labels[0].year == "2025"


def account_row(*figures):
    """An account with these months."""
    return data.AccountRow(
        grid=None, last_month=0, response=Response(), problems=(), months=tuple(months(*figures))
    )


def test_small_lines_share_a_floor_and_keep_empty_months():
    """Lines one below the other can be compared: same axis, same width, a gap where nothing is."""
    good = account_row((4.0, 20), (None, 0), (4.5, 20))
    bad = account_row((2.0, 20), (4.0, 20), (4.0, 20))
    low = trend_floor([good, bad])
    assert low == 1
    trends = [score_trend(each.months, low=low) for each in (good, bad)]
    assert {each.width for each in trends} == {30}
    assert [len(each.lines) for each in trends] == [0, 2]
    assert trends[1].lines[0].points == "5,75.00 15,25.00"
    assert trends[0].text == "4.00 in Jan 2026, 4.50 in Mar 2026."
    nothing = score_trend((), low=low)
    assert (nothing.text, nothing.width) == ("No reviews in these months.", 240)


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
    assert [charts.number(12_345), charts.number(0), charts.number(None)] == ["12,345", "0", DASH]
    assert [charts.score(4.0), charts.score(4.625), charts.score(None)] == ["4.00", "4.62", DASH]
    assert [charts.percent(0.1234), charts.percent(None)] == ["12.3 %", DASH]
    assert charts.interval(Response(379, 50)) == "10.2 to 17.0 %"
    assert charts.interval(Response()) == DASH
    assert [share(0, 0), share(1, 1_000), share(999, 1_000), share(1, 4), share(4, 4)] == [
        "0 %",
        "<1 %",
        ">99 %",
        "25 %",
        "100 %",
    ]
    assert moment(NOW, ZoneInfo("UTC")) == "2026-11-30 12:00"
    assert moment(NOW, ZoneInfo("Europe/Berlin")) == "2026-11-30 13:00"
    assert moment(NOW - 150 * DAY, ZoneInfo("Europe/Berlin")) == "2026-07-03 14:00"
    assert charts.day_name(NOW // DAY) == "30 Nov 2026"
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
    month = data.month_of(day)
    assert data.first_instant(month) <= day * DAY < data.first_instant(month + 1)


def test_every_reason_of_a_run_has_a_meaning():
    """Whatever a run cancels or does not invite for is explained on the page."""
    assert [each for each in LOOP_REASONS if not reason_meaning(each)] == []
