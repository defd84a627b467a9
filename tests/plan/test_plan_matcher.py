"""What a pass decides about one order: which invitations close it, by which instant its age is judged."""

from dataclasses import replace

import pytest
from plan_examples import GERMANY, NOW, account

from ekomi_reconcile.model.account import PositionRecord
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import Criterion, Evidence, Invitation, Reached, Status
from ekomi_reconcile.model.order import Contact, Order
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.plan.decision_trace import MatchRequest
from ekomi_reconcile.plan.matcher import Matcher
from ekomi_reconcile.plan.source_pass import strays
from ekomi_reconcile.plan.steps import OrderNumbers
from ekomi_reconcile.plan.view import EmptyQueue
from ekomi_reconcile.privacy.limits import CustomerPrivacy
from ekomi_reconcile.rules.rulebook import RuleBook

ORDERED = NOW - 20 * DAY
REACHED = NOW - 15 * DAY
ROW = Invitation(
    id=1,
    interface_id=GERMANY,
    source="default",
    order_id=5,
    number="100000005",
    store_view="de",
    order_date=ORDERED,
    status=Status.PENDING,
    reached=Reached(REACHED, "complete", Evidence.UPDATED),
    judged_at=NOW - 10 * DAY,
    scheduled_at=REACHED + 14 * DAY,
)
ORDER = Order(
    order_id=5,
    number="100000005",
    state="complete",
    status="complete",
    store_view="de",
    created_at=ORDERED,
    updated_at=REACHED,
    contact=Contact(email="kim@example.com"),
)
CLOSING = [Status.SENDING, Status.SENT, Status.SKIPPED, Status.FAILED, Status.UNKNOWN]
FINAL = ["unreachable", "order_gone"]


class Queue(EmptyQueue):
    """Holds these invitations."""

    def __init__(self, *rows):
        self.rows = rows

    def rows_for(self, source, order_ids):
        mine = [row for row in self.rows if row.source == source]
        found = {key: [row for row in mine if row.order_id == key] for key in order_ids}
        return {key: rows for key, rows in found.items() if rows}

    def rows_of(self, interface_ids, statuses):
        return (row for row in self.rows if row.interface_id in interface_ids and row.status in statuses)


def matched(*rows, order=ORDER, leaving=False, fresh=True, **rule):
    """What a pass over the order decides, with these invitations recorded."""
    wanted = account(invitations=InvitationRule(**{"enabled": True, **rule}))
    mine = frozenset({GERMANY})
    request = MatchRequest(
        source="default",
        book=RuleBook([] if leaving else [wanted]),
        selected=mine,
        fresh=mine if fresh else frozenset(),
        leaving=mine if leaving else frozenset(),
        now=NOW,
    )
    matcher = Matcher(request, Queue(*rows), CustomerPrivacy())
    matcher.batch([order] if order else [])
    matcher.missing([] if order else rows)
    steps = matcher.steps
    return {
        "scheduled": [(each.scheduled_at, each.judged_at) for each in steps.schedule],
        "moved": [each.scheduled_at for each in steps.reschedule],
        "cancelled": [each.reason for each in steps.cancel],
    }


NOTHING = matched(ROW)


def test_an_invitation_that_stands_as_its_rule_wants_it_is_left_alone():
    """Looking at it again changes nothing."""
    assert NOTHING == {"scheduled": [], "moved": [], "cancelled": []}


@pytest.mark.parametrize("status", CLOSING)
def test_an_invitation_that_may_have_gone_out_closes_its_order(status):
    """Whether its account still matches, or has changed, or is deleted."""
    row = replace(ROW, status=status)
    assert matched(row) == matched(row, pending_period=3) == matched(row, leaving=True) == NOTHING
    assert matched(replace(row, interface_id="10009")) == NOTHING


@pytest.mark.parametrize("reason", [*FINAL, None, *Criterion, "account_deleted", "order_status: closed"])
def test_only_a_person_revives_what_could_not_be_reached(reason):
    """Cancelled for any other reason, the order is scheduled again once it matches, as young as it was."""
    row = replace(ROW, status=Status.CANCELLED, reason=reason)
    again = [] if reason in FINAL else [(ROW.scheduled_at, ROW.judged_at)]
    assert matched(row)["scheduled"] == again


@pytest.mark.parametrize("status", [Status.PENDING, Status.CANCELLED])
@pytest.mark.parametrize(("limit", "kept"), [(9, False), (10, True), (19, True)])
def test_the_age_is_judged_by_the_instant_of_the_first_scheduling(status, limit, kept):
    """Ten days old when it was scheduled, twenty now: a limit of ten days keeps it, or lets it come back."""
    found = matched(replace(ROW, status=status), skip_orders_older_than=limit)
    if status is Status.PENDING:
        assert found["cancelled"] == ([] if kept else ["order_age"])
    else:
        assert bool(found["scheduled"]) is kept


def test_an_order_seen_for_the_first_time_is_judged_by_now():
    """Exactly at the limit it is scheduled, a day beyond it is not."""
    assert matched(skip_orders_older_than=20)["scheduled"] == [(ROW.scheduled_at, NOW)]
    assert matched(skip_orders_older_than=19) == NOTHING


@pytest.mark.parametrize("pushed", [True, False])
def test_another_rule_moves_what_nobody_pushed(pushed):
    """An invitation pushed by hand keeps its time, and is still cancelled where it no longer matches."""
    row = replace(ROW, pushed=pushed)
    assert matched(row, pending_period=3)["moved"] == ([] if pushed else [REACHED + 3 * DAY])
    assert matched(row, conditions={"grand_total": {"gt": 1}})["cancelled"] == ["conditions"]


@pytest.mark.parametrize("order", [ORDER, None], ids=["read", "not read"])
def test_deleting_cancels_and_disabling_holds(order):
    """A deleted account gives up what is pending, a disabled one keeps it, with or without the order."""
    assert matched(ROW, order=order, leaving=True)["cancelled"] == ["account_deleted"]
    assert matched(ROW, order=order, enabled=False, pending_period=3) == NOTHING


@pytest.mark.parametrize(
    ("change", "cancelled"),
    [
        ({}, ["order_source"]),
        ({"needed": {"us", "default"}}, []),
        ({"selected": frozenset()}, []),
        ({"orders": "default"}, []),
        ({"row": replace(ROW, source="us")}, []),
        ({"row": replace(ROW, status=Status.SENT)}, []),
        ({"orders": None}, ["account_deleted"]),
        ({"orders": None, "needed": {"us", "default"}}, []),
        ({"orders": None, "row": replace(ROW, status=Status.SENT)}, []),
    ],
)
def test_a_source_that_nobody_reads_any_more_keeps_nothing_pending(change, cancelled):
    """An account that left, or reads its orders elsewhere, gives up what no pass will find."""
    case = {"row": ROW, "orders": "us", "selected": frozenset({GERMANY}), "needed": {"us"}, **change}
    moved = [] if case["orders"] is None else [account(orders=case["orders"])]
    before = PositionRecord(source="default", rule_digest="sha256:0", cursor="c", evaluated_at=NOW)
    found = strays(
        Queue(case["row"]),
        moved,
        {GERMANY: before},
        selected=case["selected"],
        leaving=frozenset() if moved else frozenset({GERMANY}),
        needed=case["needed"],
    )
    assert [each.reason for each in found] == cancelled


OLD = replace(ROW, order_id=4, status=Status.SENT, source="before", customer="kim")


def invited_before(row, customer="kim"):
    """Is the order taken for the one of this invitation?"""
    numbers = OrderNumbers("default", frozenset({"default", "other"}), rows={row.number: [row]})
    return numbers.invited_before(ORDER, customer) is not None


@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("source", ["default", "before"], ids=["imported again", "source renamed"])
def test_an_order_under_another_id_or_source_is_the_same_order(status, source):
    """Its number, date, store view and customer say so; what never went out blocks nothing."""
    row = replace(OLD, status=status, source=source)
    assert invited_before(row) is (status in CLOSING)
    assert invited_before(row, None) is invited_before(replace(row, customer=None)) is (status in CLOSING)


@pytest.mark.parametrize(
    "change",
    [
        {"order_date": ORDERED + 1},
        {"store_view": "at"},
        {"customer": "lou"},
        {"source": "other"},
        {"source": "default", "order_id": ORDER.order_id},
    ],
)
def test_an_order_that_differs_is_another_one(change):
    """Another date, store view or customer; another shop in use; and its own invitation is no earlier one."""
    assert not invited_before(replace(OLD, **change))
