"""Which orders of the queue have a review, in every kind of store."""

from __future__ import annotations

from state_support import NOW, schedule

from ekomi_reconcile.model.invitation import SendOutcome, Status
from ekomi_reconcile.model.review import Review

DAY = 86_400


def test_reviews_are_found_by_interface_and_number(state):
    """When they were submitted; those that are gone, and unknown interfaces, are left out."""
    found = [Review(order_id="A", submitted_at=NOW - at, rating=4.0) for at in (5, 9)]
    state.reviews.save_import("1", found, full=True, now=NOW)
    state.reviews.save_import("2", [Review(order_id="G", submitted_at=NOW, rating=1.0)], full=True, now=NOW)
    state.reviews.save_import("2", [], full=True, now=NOW)
    pairs = {("1", "A"), ("2", "A"), ("1", "B"), ("2", "G"), ("77", "A")}
    asked = state.queue.reviewed(pairs)
    assert {key: sorted(each) for key, each in asked.items()} == {("1", "A"): [NOW - 9, NOW - 5]}
    assert state.queue.any_reviews()


def test_what_waits_for_a_reviewed_order_is_found(state):
    """Submitted since then, and after the order date; each once, however many reviews there are."""
    rows = schedule(state, 1, 2, 3)
    orders = {row.order_id: row for row in state.invitations.search()}
    found = [
        Review(order_id=orders[1].number, submitted_at=NOW - 1, rating=4.0),
        Review(order_id=orders[1].number, submitted_at=NOW - 2, rating=4.0),
        Review(order_id=orders[2].number, submitted_at=orders[2].order_date, rating=4.0),
    ]
    state.reviews.save_import("1", found, full=True, now=NOW)
    assert [row.id for row in state.queue.reviewed_pending({"1"}, NOW - DAY)] == [rows[1]]
    assert list(state.queue.reviewed_pending({"1"}, NOW)) == []
    assert list(state.queue.reviewed_pending({"9"}, NOW - DAY)) == []


def test_an_unknown_invitation_is_settled_once(state):
    """Only where no other order has the number at this interface."""
    rows = schedule(state, 1, 2)
    number = state.invitations.get(rows[1]).number
    state.sending.claim(list(rows.values()), now=NOW)
    state.sending.settle([SendOutcome(id=each, status=Status.UNKNOWN, at=NOW) for each in rows.values()])
    state.reviews.save_import(
        "1", [Review(order_id=number, submitted_at=NOW - 1, rating=4.0)], full=True, now=NOW
    )
    assert [state.reviewed.settle("1", now=NOW) for _ in range(2)] == [1, 0]
    settled, other = (state.invitations.get(rows[key]) for key in (1, 2))
    assert (settled.status, settled.reason, settled.sent_at) == (Status.SENT, "reviewed", None)
    assert other.status is Status.UNKNOWN
