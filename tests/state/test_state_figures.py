"""Figures that the database sums up, against the rows counted one by one."""

from __future__ import annotations

from collections import Counter
from random import Random

from msgspec.structs import replace
from state_support import NOW, an_order

from ekomi_reconcile.model.invitation import PassedOrder, SendOutcome, Status
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
    """Scheduled and due rows, by day and by account."""
    _fill(state)
    rows = list(state.invitations.search())
    waiting = [row for row in rows if row.status is Status.PENDING]
    found = state.aggregates.scheduled_by_day({"1"}, after=NOW, before=NOW + 3 * DAY)
    times = (row.scheduled_at for row in waiting if row.interface_id == "1")
    assert found == Counter(at // DAY for at in times if NOW < at < NOW + 3 * DAY)
    every = Counter(row.scheduled_at // DAY for row in waiting if row.scheduled_at < NOW + 3 * DAY)
    assert state.aggregates.scheduled_by_day(None, after=-1, before=NOW + 3 * DAY) == every
    due = list(state.queue.due({"1", "2"}, NOW))
    figures = state.aggregates.due_by_account(NOW)
    assert {key: each.count for key, each in figures.items()} == Counter(row.interface_id for row in due)
    first = min(max(row.scheduled_at, row.judged_at) for row in due)
    assert min(each.oldest for each in figures.values()) == first


def test_an_order_that_was_late_when_it_was_scheduled_is_due_since_then(state: State) -> None:
    """The first run makes orders due that are weeks old: nobody was late with them."""
    state.schedule.add([an_order(1, "1", scheduled_at=NOW - 9 * DAY, judged_at=NOW)], now=NOW)
    assert state.aggregates.due_by_account(NOW + 60)["1"].oldest == NOW


def test_what_was_sent_is_counted_with_its_reviews(state: State) -> None:
    """By account and day, and by order placed since an instant: the same as the invitations one by one."""
    _fill(state)
    sent = [row for row in state.invitations.search() if row.status is Status.SENT and row.sent_at]
    for key in "12":
        mine = [row for row in sent if row.interface_id == key]
        reviews = [
            Review(order_id=row.number, submitted_at=row.sent_at + offset, rating=5.0)
            for row, offset in zip(mine, (60, 0, -1, DAY, 120), strict=False)
        ]
        state.reviews.save_import(key, reviews, full=True, now=NOW)
    since = NOW - 3 * DAY
    expected = list(state.aggregates.sent_invitations(since=since))
    found = list(state.aggregates.responses(since))
    days = Counter((each.interface_id, each.sent_at // DAY) for each in expected)
    reviewed = Counter((each.interface_id, each.sent_at // DAY) for each in expected if each.reviewed_at)
    assert {(each.interface_id, each.day): each.invited for each in found} == days
    assert Counter({(each.interface_id, each.day): each.reviewed for each in found}) == reviewed
    every = [each for each in state.aggregates.sent_invitations() if each.reviewed_at]
    rows = list(state.invitations.search())
    cohort = state.aggregates.cohort(min(row.order_date for row in rows))
    assert (cohort.eligible, cohort.invited, cohort.reviewed) == (len(rows), len(sent), len(every))
    assert 0 < cohort.reviewed < cohort.invited
    nobody = state.aggregates.cohort(NOW + DAY)
    assert (nobody.eligible, nobody.invited, nobody.reviewed) == (0, 0, 0)


def test_failed_and_unknown_rows_are_counted_by_day(state: State) -> None:
    """With the instant of the oldest of each."""
    _fill(state)
    kinds = (Status.FAILED, Status.UNKNOWN)
    rows = [row for row in state.invitations.search() if row.status in kinds]
    found = state.aggregates.troubles()
    assert Counter({(each.status, each.day): each.count for each in found}) == Counter(
        (row.status, row.changed_at // DAY) for row in rows
    )
    for kind in kinds:
        oldest = min(row.changed_at for row in rows if row.status is kind)
        assert min(each.oldest for each in found if each.status is kind) == oldest


def test_passed_orders_count_once_and_not_when_they_were_taken(state: State) -> None:
    """The last reason counts; an order that has an invitation, or is older, does not."""
    passed = [
        PassedOrder("default", order, NOW - order * DAY, reason)
        for order, reason in ((1, "conditions"), (2, "order_status"), (3, "order_status"), (9, "conditions"))
    ]
    state.positions.pass_over(passed)
    state.positions.pass_over([replace(passed[1], reason="consent")])
    state.schedule.add([an_order(3, "1", scheduled_at=NOW)], now=NOW)
    assert state.positions.passed_orders(NOW - 5 * DAY) == {"conditions": 1, "consent": 1}
    assert state.positions.forget_passed(before=NOW - 5 * DAY, most=9) == 1
    assert state.positions.passed_orders(0) == {"conditions": 1, "consent": 1}


def test_the_latest_rows_come_first(state: State) -> None:
    """In all, those that were made or changed last; of one status by the time of their last change."""
    for place, order in enumerate((1, 2, 3)):
        state.schedule.add([an_order(order, "1", scheduled_at=NOW)], now=NOW + place)
    ids = {row.order_id: row.id for row in state.invitations.search()}
    state.invitations.skip(ids[1], now=NOW + 5, actor="kim", reason=None)
    state.schedule.add([an_order(4, "1", scheduled_at=NOW)], now=NOW + 6)
    state.schedule.cancel({ids[2]: "conditions"}, now=NOW + 7)
    assert [row.order_id for row in state.aggregates.latest_invitations(9)] == [2, 4, 1, 3]
    assert [row.order_id for row in state.aggregates.latest_invitations(2)] == [2, 4]


def test_the_latest_rows_of_a_status_come_first(state: State) -> None:
    """By the time of their last change, of one time the last made first; not by their number."""
    _fill(state)
    rows = sorted(state.invitations.search(), key=lambda row: (-row.changed_at, -row.id))
    failed = [row for row in rows if row.status is Status.FAILED]
    assert [row.id for row in failed] != sorted((row.id for row in failed), reverse=True)
    assert list(state.aggregates.latest_invitations(3, Status.FAILED)) == failed[:3]


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
    counted = Counter(
        int(each.rating) for found in kept.values() for each in found if each.submitted_at >= since
    )
    assert state.aggregates.star_counts(since) == {star: counted[star] for star in (5, 4, 3, 2, 1)}
