"""What the report says about a state, and what it keeps to itself."""

from dataclasses import asdict

import pytest
import report_support
from report_support import DAY, HOUR, NOW, an_account, an_order, opened

from ekomi_reconcile.model.invitation import SendOutcome, Status
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
    return [(each.urgency.value, each.title) for each in report.notices]


def test_an_empty_state_has_a_report(tmp_path):
    """Nothing is counted, nothing needs attention, every day and month is there."""
    with opened(tmp_path, Mode.CREATE) as state:
        report = make_report(state, now=NOW)
    assert (report.accounts.count, report.queue.total, report.reviews.count, report.runs) == (0, 0, 0, ())
    assert (len(report.queue.sent), len(report.queue.scheduled), len(report.reviews.months)) == (90, 30, 24)
    assert report.notices == ()
    assert report.looked_at is None


def test_days_hold_what_belongs_to_them(state):
    """The first and the last second of a day count to it; what lies beyond the window does not count."""
    midnight = NOW // DAY * DAY
    times = [midnight - 89 * DAY - 1, midnight - 89 * DAY, midnight - 1, midnight, NOW]
    state.schedule.add([an_order(place, "1", scheduled_at=at) for place, at in enumerate(times)], now=NOW)
    for row in state.aggregates.latest_invitations(10):
        state.sending.claim([row.id], now=NOW)
        state.sending.settle([SendOutcome(id=row.id, status=Status.SENT, at=row.scheduled_at)])
    ahead = [NOW, NOW + 1, midnight + DAY - 1, midnight + DAY, midnight + 30 * DAY - 1, midnight + 30 * DAY]
    state.schedule.add(
        [an_order(10 + place, "1", scheduled_at=at) for place, at in enumerate(ahead)], now=NOW
    )
    queue = make_report(state, now=NOW).queue
    assert [each.count for each in queue.sent] == [1, *([0] * 87), 1, 2]
    assert [each.count for each in queue.scheduled] == [2, 1, *([0] * 27), 1]
    assert (queue.later, queue.due, queue.oldest_due) == (1, 1, NOW)


def test_disabled_accounts_hold_their_rows(state):
    """Their pending rows are neither due nor scheduled, but held, and that is told."""
    state.schedule.add(
        [an_order(1, "2", scheduled_at=NOW - DAY), an_order(2, "2", scheduled_at=NOW + DAY)], now=NOW
    )
    report = make_report(state, now=NOW)
    assert (report.queue.held, report.queue.due, report.queue.later) == (2, 0, 0)
    assert sum(each.count for each in report.queue.scheduled) == 0
    assert ("to know", "2 invitations held") in titles(report)


def test_what_needs_a_person_comes_first(state):
    """Doubtful, failed and overdue rows, failing accounts and unfinished runs are told, with commands."""
    rows = [an_order(place, "1", scheduled_at=NOW - 3 * HOUR) for place in range(3)]
    state.schedule.add(rows, now=NOW)
    ids = [row.id for row in state.aggregates.latest_invitations(3)]
    state.sending.claim(ids[:2], now=NOW)
    ends = zip(ids, (Status.UNKNOWN, Status.FAILED), strict=False)
    state.sending.settle(
        [SendOutcome(id=key, status=status, at=NOW, reason="HTTP 500") for key, status in ends]
    )
    state.accounts.record_error("1", "sync: HTTP 503", now=NOW)
    state.journal.add("apply", outcome="incomplete", now=NOW)
    report = make_report(state, now=NOW)
    assert titles(report) == [
        ("to do", "1 invitation perhaps sent"),
        ("to do", "1 invitation failed for good"),
        ("to do", "1 invitation overdue"),
        ("to do", "1 account with a failed call to eKomi"),
        ("to do", "The last run is incomplete"),
        ("to know", "2 accounts never synced"),
    ]
    assert "ekomi-reconcile invitations resolve ID --sent" in report.notices[0].commands
    assert [
        (row.invitation.status, row.invitation.reason)
        for row in (*report.queue.unknown, *report.queue.failed)
    ] == [
        (Status.UNKNOWN, "HTTP 500"),
        (Status.FAILED, "HTTP 500"),
    ]


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
    assert ("to know", "The last run has no recorded end") in titles(report)


def test_reasons_are_summed_over_the_runs_of_a_month(state):
    """Older runs do not count, unknown accounts are summed up, other remarks are passed over."""
    for at, counts in (
        (NOW - 31 * DAY, {"1": {"order_age": 100}}),
        (NOW - DAY, {"1": {"order_age": 2, "store_view": 1}, "9": {"conditions": 4}}),
        (NOW, {"1": {"order_age": 3}, "2": {"enabled": 7}, OTHERS: {"conditions": 1}}),
    ):
        state.journal.add("apply", outcome="done", now=at, detail=RunFigures(not_invited=counts).text())
    state.journal.add("apply", outcome="done", now=NOW, detail="in words")
    reasons = make_report(state, now=NOW).reasons
    assert reasons.runs == 2
    assert reasons.reasons == ("enabled", "store_view", "order_age", "conditions")
    assert [(row.account, dict(row.counts)) for row in reasons.rows] == [
        ("two", {"enabled": 7}),
        ("One", {"order_age": 5, "store_view": 1}),
        (None, {"conditions": 5}),
    ]


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
    assert [dict(row.counts) for row in report.reasons.cancelled] == [{"order_age": 1, "other": 1}]
    assert [row.invitation.reason for row in report.queue.latest] == [None, "order_age", None]
    assert "Jane" not in str(asdict(report))


def test_lists_have_limits_and_figures_do_not(shop):
    """A report of a large state is no larger than its limits; sums are over everything."""
    tight = ListLimits(accounts=2, invitations=3, unclear=1, runs=2, by_account=1)
    with opened(shop) as state:
        small, whole = make_report(state, now=NOW, limits=tight), make_report(state, now=NOW)
    assert [len(each) for each in (small.accounts.rows, small.queue.latest, small.queue.unknown)] == [2, 3, 1]
    assert [len(each) for each in (small.queue.failed, small.runs, small.reviews.rows)] == [1, 2, 1]
    assert (small.accounts.count, small.queue.total, small.reviews.count) == (
        whole.accounts.count,
        whole.queue.total,
        whole.reviews.count,
    )
    assert [row.account for row in small.reasons.rows] == [whole.reasons.rows[0].account, None]
    assert sum(sum(row.counts.values()) for row in small.reasons.rows) == sum(
        sum(row.counts.values()) for row in whole.reasons.rows
    )


def test_deleted_accounts_leave_the_grid_and_stay_in_the_counts(state):
    """A tombstone is no account any more; its rows are still rows of the queue."""
    state.schedule.add([an_order(1, "1", scheduled_at=NOW)], now=NOW)
    state.accounts.delete("1", now=NOW)
    report = make_report(state, now=NOW)
    assert [row.account.name for row in report.accounts.rows] == ["two"]
    assert report.queue.by_status[Status.CANCELLED] == report.queue.total == 1
    assert [row.account for row in report.queue.latest] == ["One"]
    assert [(row.account, dict(row.counts)) for row in report.reasons.cancelled] == [
        ("One", {"account_deleted": 1})
    ]


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
