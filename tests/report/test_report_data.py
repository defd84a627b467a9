"""What the report says about a state, and what it keeps to itself."""

from dataclasses import asdict

import pytest
import report_support
from report_support import DAY, HOUR, NOW, an_account, an_order, opened

from ekomi_reconcile.model.account import AccountStop
from ekomi_reconcile.model.invitation import PassedOrder, SendOutcome, Status
from ekomi_reconcile.model.review import Response, Review, Tally, wilson
from ekomi_reconcile.model.run import (
    KEPT_ACCOUNTS,
    OTHERS,
    Done,
    Result,
    RunFigures,
    figures_of,
    read_figures,
)
from ekomi_reconcile.report import make_report
from ekomi_reconcile.report.data import ListLimits
from ekomi_reconcile.state.opening import Mode


@pytest.fixture
def state(tmp_path):
    """A new state with an enabled account 1 and a disabled account 2."""
    with opened(tmp_path, Mode.CREATE) as made:
        made.accounts.save(an_account("1", "One"), now=NOW)
        made.accounts.save(an_account("2", "two", enabled=False), now=NOW)
        yield made


def titles(report):
    """The notices in short."""
    return [(each.level.value, each.title) for each in report.notices]


def test_an_empty_state_has_a_report(tmp_path):
    """Nothing is counted, nothing needs attention, every day and month is there."""
    with opened(tmp_path, Mode.CREATE) as state:
        report = make_report(state, now=NOW)
    assert (report.accounts.count, report.queue.total, report.reviews.count, report.runs) == (0, 0, 0, ())
    assert (len(report.responses.weeks), len(report.queue.scheduled)) == (13, 30)
    assert len(report.reviews.months) == 24
    assert (report.funnel.orders, report.responses.whole.rate) == (0, None)
    assert report.notices == ()
    assert report.looked_at is None


def test_days_hold_what_belongs_to_them(state):
    """The first and the last second of a day count to it; what lies beyond the window does not count."""
    midnight = NOW // DAY * DAY
    state.schedule.add([an_order(4, "1", scheduled_at=NOW)], now=NOW)
    send(state, [row.id for row in state.invitations.search()], NOW)
    ahead = [NOW, NOW + 1, midnight + DAY - 1, midnight + DAY, midnight + 30 * DAY - 1, midnight + 30 * DAY]
    state.schedule.add(
        [an_order(10 + place, "1", scheduled_at=at) for place, at in enumerate(ahead)], now=NOW
    )
    queue = make_report(state, now=NOW).queue
    assert [each.count for each in queue.scheduled] == [2, 1, *([0] * 27), 1]
    assert (queue.later, queue.due, queue.oldest_due) == (1, 1, NOW)
    assert queue.waiting == 4


def send(state, ids, at, status=Status.SENT):
    """These invitations end like this."""
    state.sending.claim(ids, now=at)
    state.sending.settle([SendOutcome(id=key, status=status, at=at) for key in ids])


def test_weeks_months_and_the_rate_count_what_was_sent_in_them(state):
    """A week begins on Monday, 00:00 UTC; the rate is that of all weeks, of reviews after the invitation."""
    monday = NOW // DAY * DAY
    times = [
        monday - 84 * DAY - 1,
        monday - 84 * DAY,
        monday - 59 * DAY,
        monday - 29 * DAY,
        monday - 1,
        monday,
    ]
    state.schedule.add([an_order(place, "1", scheduled_at=at) for place, at in enumerate(times)], now=NOW)
    rows = {row.order_id: row for row in state.invitations.search()}
    for place, at in enumerate(times):
        send(state, [rows[place].id], at)
    review = Review(order_id=rows[3].number, submitted_at=times[3] + DAY, rating=5)
    early = Review(order_id=rows[2].number, submitted_at=times[2] - 1, rating=5)
    state.reviews.save_import("1", [review, early], full=True, now=NOW)
    report = make_report(state, now=NOW)
    responses = report.responses
    sent = {week.monday: week.response for week in responses.weeks if week.response.invited}
    assert [week.monday for week in responses.weeks] == [
        monday // DAY - 7 * each for each in range(12, -1, -1)
    ]
    assert [(key - monday // DAY, each.invited, each.reviewed) for key, each in sent.items()] == [
        (-84, 1, 0),
        (-63, 1, 0),
        (-35, 1, 1),
        (-7, 1, 0),
        (0, 1, 0),
    ]
    assert (responses.whole, responses.last_month, responses.month_before) == (Response(5, 1), 3, 1)
    row = next(each for each in report.accounts.rows if each.grid.account.name == "One")
    assert (row.response, row.last_month) == (Response(5, 1), 3)


def test_the_funnel_counts_every_order_once(state):
    """Taken or not, sent or not, reviewed or not; an order that changed its account is one order."""
    recent = NOW - 10 * DAY
    state.schedule.add(
        [an_order(each, "1", scheduled_at=NOW, order_date=recent) for each in range(4)], now=NOW
    )
    state.schedule.add([an_order(9, "1", scheduled_at=NOW, order_date=NOW - 200 * DAY)], now=NOW)
    rows = {row.order_id: row for row in state.invitations.search()}
    state.schedule.cancel({rows[0].id: "conditions"}, now=NOW)
    state.schedule.add([an_order(0, "2", scheduled_at=NOW, order_date=recent)], now=NOW)
    send(state, [rows[1].id, rows[2].id], NOW - DAY)
    state.reviews.save_import(
        "1", [Review(order_id=rows[1].number, submitted_at=NOW, rating=4)], full=True, now=NOW
    )
    passed = [PassedOrder("default", key, recent, "conditions") for key in (0, 50, 51)]
    state.positions.pass_over([*passed, PassedOrder("default", 52, NOW - 120 * DAY, "conditions")])
    funnel = make_report(state, now=NOW).funnel
    assert (funnel.orders, funnel.eligible, funnel.response) == (6, 4, Response(2, 1))
    assert funnel.response.interval == wilson(1, 2)


def test_scores_are_compared_with_the_time_before(state):
    """Ninety days with the ninety days before them; stars are counted over the months shown."""
    ages = [(0, 5.0), (89, 4.0), (90, 3.0), (179, 2.0), (180, 1.0), (800, 1.0)]
    reviews = [
        Review(order_id=str(age), submitted_at=NOW // DAY * DAY - age * DAY, rating=stars)
        for age, stars in ages
    ]
    state.reviews.save_import("1", reviews, full=True, now=NOW)
    found = make_report(state, now=NOW).reviews
    assert (found.recent, found.before) == (Tally(2, 9.0), Tally(2, 5.0))
    assert found.stars == {5: 1, 4: 1, 3: 1, 2: 1, 1: 1}
    assert (found.count, sum(each.count for each in found.months)) == (6, 5)


def test_disabled_accounts_hold_their_rows(state):
    """Their pending rows are neither due nor scheduled, but held, and that is told."""
    state.schedule.add(
        [an_order(1, "2", scheduled_at=NOW - DAY), an_order(2, "2", scheduled_at=NOW + DAY)], now=NOW
    )
    report = make_report(state, now=NOW)
    assert (report.queue.held, report.queue.due, report.queue.later) == (2, 0, 0)
    assert sum(each.count for each in report.queue.scheduled) == 0
    assert ("note", "2 invitations held") in titles(report)


def test_what_needs_a_person_comes_first(state):
    """Doubtful and failed rows, failing accounts and unfinished runs, the worst and oldest first."""
    rows = [an_order(place, "1", scheduled_at=NOW - 3 * HOUR) for place in range(3)]
    state.schedule.add(rows, now=NOW)
    ids = [row.id for row in state.aggregates.latest_invitations(3)]
    state.sending.claim(ids[:2], now=NOW)
    ends = zip(ids, (Status.UNKNOWN, Status.FAILED), strict=False)
    state.sending.settle(
        [SendOutcome(id=key, status=status, at=NOW - HOUR, reason="HTTP 500") for key, status in ends]
    )
    state.accounts.record_error("1", "sync: HTTP 503", now=NOW - 2 * HOUR)
    state.journal.record_error("1", operation="sync", kind="X", message="HTTP 503", now=NOW)
    figures = RunFigures(failures=1, not_tried=2)
    state.journal.add("apply", outcome="incomplete", now=NOW, detail=figures.text())
    report = make_report(state, now=NOW)
    assert titles(report) == [
        ("critical", "1 invitation with unknown outcome"),
        ("warning", "1 account with a failed call to eKomi"),
        ("warning", "1 invitation failed"),
        ("warning", "The last run is incomplete: 1 failed, 2 not tried"),
        ("note", "1 invitation due and not sent"),
        ("note", "2 accounts never synced"),
    ]
    sections = [each.section for each in report.notices]
    assert sections == ["cases", "accounts", "cases", "runs", "queue", "accounts"]
    ages = [each.since and (NOW - each.since) // HOUR for each in report.notices]
    assert ages == [1, 2, 1, 0, 3, None]
    assert report.notices[3].commands == ("ekomi-reconcile errors",)
    assert "ekomi-reconcile invitations resolve ID --sent" in report.notices[0].commands
    assert [
        (row.invitation.status, row.invitation.reason)
        for row in (*report.queue.unknown, *report.queue.failed)
    ] == [
        (Status.UNKNOWN, "HTTP 500"),
        (Status.FAILED, "HTTP 500"),
    ]


@pytest.mark.parametrize(
    ("scheduled", "judged", "ran", "level", "words"),
    [
        (30 * DAY, 60, 60, None, ""),
        (30 * DAY, HOUR, 60, None, ""),
        (3 * HOUR, 9 * HOUR, 60, "note", "The last run left them"),
        (3 * HOUR, 9 * HOUR, 5 * HOUR, "warning", "Does the scheduled job run?"),
        (3 * HOUR, 9 * HOUR, None, "warning", "Does the scheduled job run?"),
        (2 * DAY, 9 * DAY, 27 * HOUR, "critical", "Does the scheduled job run?"),
        (2 * DAY, 9 * DAY, None, "critical", "Does the scheduled job run?"),
    ],
)
def test_late_invitations_are_told_by_who_is_late(state, scheduled, judged, ran, level, words):
    """Nobody is late with what a run has just found due; a run that left them is not a missing one."""
    order = an_order(1, "1", scheduled_at=NOW - scheduled, judged_at=NOW - judged)
    state.schedule.add([order], now=NOW - judged)
    if ran is not None:
        state.journal.add("apply", outcome="done", now=NOW - ran)
    found = [each for each in make_report(state, now=NOW).notices if each.title.endswith("due and not sent")]
    assert [each.level.value for each in found] == ([] if level is None else [level])
    assert all(words in each.text for each in found)


@pytest.mark.parametrize("last", ["done", "started"])
def test_a_run_after_an_incomplete_one_takes_its_notice_away(state, last):
    """What an earlier run left is not said of the last one; nobody is sent to an empty list of errors."""
    state.journal.add("apply", outcome="incomplete", now=NOW - HOUR, detail=RunFigures(failures=1).text())
    (notice,) = [each for each in make_report(state, now=NOW).notices if "incomplete" in each.title]
    assert notice.title == "The last run is incomplete: 1 failed"
    assert notice.commands == ("ekomi-reconcile doctor",)
    state.journal.add("apply", outcome=last, now=NOW, detail=RunFigures().text())
    assert [each for each in make_report(state, now=NOW).notices if "incomplete" in each.title] == []


def test_an_account_that_ekomi_refuses_is_critical(state):
    """With the instant since when, and in the row of the account."""
    stop = AccountStop(interface_id="1", refusal="quota", message="quota", since=NOW - DAY)
    state.refusals.stop(stop)
    report = make_report(state, now=NOW)
    assert titles(report)[0] == ("critical", "1 account refused by eKomi")
    assert report.notices[0].since == NOW - DAY
    assert [each.problems for each in report.accounts.rows] == [("refused by eKomi",), ()]


def test_beginnings_and_ends_make_one_run(state):
    """Per runner; one that was killed has no end, and the notice says so where it is the last."""
    for who, outcome in (
        ("a", "started"),
        ("b", "started"),
        ("a", "done"),
        ("a", "started"),
        ("b", "incomplete"),
    ):
        state.journal.add("apply", outcome=outcome, now=NOW, detail=RunFigures(counts={"sent": 2}).text())
        report_support.rename_last(state, who)
        state.refresh()
    report = make_report(state, now=NOW)
    assert [(run.entry.who, run.outcome, dict(run.figures.counts)) for run in report.runs] == [
        ("a", None, {"sent": 2}),
        ("b", "incomplete", {"sent": 2}),
        ("a", "done", {"sent": 2}),
    ]
    assert ("note", "The last run has no recorded end") in titles(report)


def test_not_invited_counts_orders_that_no_account_takes(state):
    """Of a month, each once, the most frequent reason first; not those that an account has taken."""
    orders = [(1, 1, "conditions"), (2, 29, "order_status"), (3, 3, "order_status"), (4, 31, "consent")]
    state.positions.pass_over(
        PassedOrder("default", key, NOW - days * DAY, reason)
        for key, days, reason in [*orders, (5, 2, "consent")]
    )
    state.schedule.add([an_order(5, "1", scheduled_at=NOW)], now=NOW)
    for _ in range(3):  # runs that looked at them again and again
        counts = {"1": {"order_status": 4_000}}
        state.journal.add("apply", outcome="done", now=NOW, detail=RunFigures(not_invited=counts).text())
    assert make_report(state, now=NOW).reasons.not_invited == {"order_status": 2, "conditions": 1}


def test_reasons_of_a_run_are_told_from_those_of_people(state):
    """A run may say more after a colon."""
    reasons = ["order_status: canceled", "order_status", "source_merged: pending", "order_gone", "kim: no"]
    state.schedule.add([an_order(place, "1", scheduled_at=NOW) for place in range(len(reasons))], now=NOW)
    ids = sorted(row.id for row in state.invitations.search())
    state.schedule.cancel(dict(zip(ids, reasons, strict=True)), now=NOW)
    expected = {"order_status": 2, "source_merged": 1, "order_gone": 1, "other": 1}
    assert make_report(state, now=NOW).reasons.cancelled == expected


def test_reasons_of_people_are_not_repeated(state):
    """What a person wrote may be personal: it counts as another reason, and stands in no row."""
    state.schedule.add([an_order(place, "1", scheduled_at=NOW) for place in range(3)], now=NOW)
    ids = [row.id for row in state.aggregates.latest_invitations(3)]
    state.invitations.skip(ids[0], now=NOW, actor="kim", reason="Jane Doe called")
    state.schedule.cancel({ids[1]: "order_age", ids[2]: "Jane Doe wrote"}, now=NOW)
    state.journal.add(
        "invitations skip", subject="invitation 1", outcome="skipped", now=NOW, detail="Jane Doe rang"
    )
    report = make_report(state, now=NOW)
    assert report.reasons.cancelled == {"order_age": 1, "other": 1}
    assert sorted(row.invitation.reason or "" for row in report.queue.latest) == ["", "", "order_age"]
    assert "Jane" not in str(asdict(report))


def test_lists_have_limits_and_figures_do_not(shop):
    """A report of a large state is no larger than its limits; sums are over everything."""
    tight = ListLimits(accounts=2, invitations=3, unclear=1, runs=2, products=1)
    with opened(shop) as state:
        small, whole = make_report(state, now=NOW, limits=tight), make_report(state, now=NOW)
    assert [len(each) for each in (small.accounts.rows, small.queue.latest, small.queue.unknown)] == [2, 3, 1]
    assert [len(each) for each in (small.queue.failed, small.runs)] == [1, 2]
    assert (small.accounts.count, small.queue.total, small.reviews.count) == (
        whole.accounts.count,
        whole.queue.total,
        whole.reviews.count,
    )
    assert (small.reasons, small.funnel, small.responses) == (whole.reasons, whole.funnel, whole.responses)


def test_deleted_accounts_leave_the_grid_and_stay_in_the_counts(state):
    """A tombstone is no account any more; its rows are still rows of the queue."""
    state.schedule.add([an_order(1, "1", scheduled_at=NOW)], now=NOW)
    state.accounts.delete("1", now=NOW)
    report = make_report(state, now=NOW)
    assert [row.grid.account.name for row in report.accounts.rows] == ["two"]
    assert report.queue.by_status[Status.CANCELLED] == report.queue.total == 1
    assert [row.account for row in report.queue.latest] == ["One"]
    assert report.reasons.cancelled == {"account_deleted": 1}


def test_the_figures_of_a_run_come_back_from_the_journal():
    """What is written is read again; the accounts with the fewest orders are summed up."""
    result = Result()
    result.count(Done.SENT, 3)
    result.not_tried.append("something")
    many = {str(key): {"order_age": key} for key in range(1, KEPT_ACCOUNTS + 3)}
    figures = figures_of(result, many)
    assert (figures.counts, figures.failures, figures.not_tried) == ({"sent": 3}, 0, 1)
    assert len(figures.not_invited) == KEPT_ACCOUNTS + 1
    assert figures.not_invited[OTHERS] == {"order_age": 1 + 2}
    assert read_figures(figures.text()) == figures


@pytest.mark.parametrize("text", [None, "", "in words", "[]", '{"counts": {"sent": "many"}}', "{"])
def test_other_remarks_are_no_figures(text):
    """Remarks of people and of older versions are not mistaken for figures."""
    assert read_figures(text) is None
