"""Figures that the database sums up, against the rows counted one by one."""

from __future__ import annotations

from collections import Counter
from random import Random

from state_support import NOW, an_order

from ekomi_reconcile.model.invitation import InvitationFilter, SendOutcome, Status
from ekomi_reconcile.model.review import Review, ReviewKind
from ekomi_reconcile.state.repositories.aggregates import BEFORE
from ekomi_reconcile.state.store import State

DAY = 86_400


def _fill(state: State) -> None:
    rng = Random(3)
    orders = [
        an_order(each, rng.choice("12"), scheduled_at=NOW + rng.randrange(-5 * DAY, 5 * DAY))
        for each in range(120)
    ]
    state.schedule.add(orders, now=NOW)
    rows = list(state.invitations.search())
    state.schedule.cancel(
        {row.id: rng.choice(("order_age", "conditions", "Kim said so")) for row in rows[:30]}, now=NOW
    )
    claimed = state.sending.claim([row.id for row in rows[30:80]], now=NOW)
    ends = (Status.SENT, Status.SENT, Status.FAILED, Status.UNKNOWN, Status.PENDING)
    state.sending.settle(
        [
            SendOutcome(
                id=row.id,
                status=(end := rng.choice(ends)),
                at=NOW - rng.randrange(4 * DAY),
                next_attempt_at=NOW + 60 if end is Status.PENDING else None,
            )
            for row in claimed
        ]
    )


def test_days_are_counted_as_the_rows_say(state: State) -> None:
    """Sent, scheduled and due rows, by day and by account."""
    _fill(state)
    rows = list(state.invitations.search())
    sent = [row.sent_at for row in rows if row.status is Status.SENT and row.sent_at is not None]
    since = NOW - 2 * DAY
    assert state.aggregates.sent_by_day(since) == Counter(at // DAY for at in sent if at >= since)
    waiting = [row for row in rows if row.status is Status.PENDING]
    found = state.aggregates.scheduled_by_day({"1"}, after=NOW, before=NOW + 3 * DAY)
    times = (row.scheduled_at for row in waiting if row.interface_id == "1")
    assert found == Counter(at // DAY for at in times if NOW < at < NOW + 3 * DAY)
    due = list(state.queue.due({"1", "2"}, NOW))
    figures = state.aggregates.due_by_account(NOW)
    assert {key: each.count for key, each in figures.items()} == Counter(row.interface_id for row in due)
    assert min(each.oldest for each in figures.values()) == due[0].scheduled_at


def test_the_latest_rows_come_first(state: State) -> None:
    """In all, and of one status."""
    _fill(state)
    rows = list(state.invitations.search())
    assert list(state.aggregates.latest_invitations(7)) == rows[: -7 - 1 : -1]
    failed = list(state.invitations.search(InvitationFilter(statuses=frozenset({Status.FAILED}))))
    assert list(state.aggregates.latest_invitations(3, Status.FAILED)) == failed[: -3 - 1 : -1]


def test_cancelled_rows_are_counted_by_reason(state: State) -> None:
    """Reasons that are not asked for count as one."""
    _fill(state)
    cancelled = [row for row in state.invitations.search() if row.status is Status.CANCELLED]
    known = {"order_age", "conditions"}
    counted = Counter((row.interface_id, row.reason if row.reason in known else "rest") for row in cancelled)
    found = state.aggregates.cancelled_by_reason(known, "rest")
    assert {(key, why): count for key, each in found.items() for why, count in each.items()} == counted


def test_reviews_are_summed_by_account_and_day(state: State) -> None:
    """Reviews before the first day count as one sum; those that are gone or of a product do not count."""
    rng = Random(5)
    kept = {
        key: [
            Review(
                order_id=f"{each}", submitted_at=NOW - rng.randrange(9 * DAY), rating=float(rng.randint(1, 5))
            )
            for each in range(40)
        ]
        for key in "12"
    }
    gone = Review(order_id="gone", submitted_at=NOW, rating=1.0)
    for key, found in kept.items():
        state.reviews.save_import(key, [*found, gone], full=True, now=NOW)
        state.reviews.save_import(key, found, full=True, now=NOW)
    of_product = Review(order_id="1", submitted_at=NOW, rating=1.0, product_id="P1")
    state.reviews.save_import("1", [of_product], full=True, now=NOW, kind=ReviewKind.PRODUCT)
    since = (NOW // DAY - 4) * DAY
    expected: Counter[tuple[str, int]] = Counter()
    stars: Counter[tuple[str, int]] = Counter()
    for key, found in kept.items():
        for each in found:
            place = (key, each.submitted_at // DAY if each.submitted_at >= since else BEFORE)
            expected[place] += 1
            stars[place] += int(each.rating)
    figures = list(state.aggregates.review_figures(since))
    assert {(each.interface_id, each.day): each.count for each in figures} == expected
    assert {(each.interface_id, each.day): round(each.stars) for each in figures} == stars


def test_remarks_on_runs(state: State) -> None:
    """Only those on runs, only from then on, the latest first, and no more than asked for."""
    for place in range(5):
        state.journal.add("apply", outcome="done", now=NOW + place, detail=f"run {place}")
    state.journal.add("apply", outcome="started", now=NOW + 9)
    state.journal.add("invitations skip", outcome="skipped", now=NOW + 9, detail="asked on the telephone")
    assert list(state.aggregates.run_remarks(NOW + 1, 3)) == ["run 4", "run 3", "run 2"]
    assert list(state.aggregates.run_remarks(NOW + 4, 3)) == ["run 4"]
