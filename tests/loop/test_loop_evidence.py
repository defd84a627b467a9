"""What dates an order, what ends it, and what is refunded: through real runs, on real files."""

from __future__ import annotations

import pytest
from support_loop import DAY, NOW, Loop, account, order, shops, text

from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.plan.plan import Plan

BEFORE = text(0)


@pytest.fixture
def loop(tmp_path, sandbox) -> Loop:
    """A project with one account that waits five days."""
    shops(sandbox)
    made = Loop(tmp_path, sandbox)
    made.write_accounts([account("9", skip_orders_older_than=0)])
    return made


def scheduled(plan: Plan) -> dict[int, tuple[int, str]]:
    """By order id when it reached its status, and the evidence."""
    return {each.order_id: (each.reached_at, each.reached_source) for each in plan.invitations.schedule}


def warned(plan: Plan, rule: str) -> list[str]:
    """The messages of this rule."""
    return [each.message for each in plan.diagnostics if each.rule == rule]


MISDATED = {
    "updated_at": {"updated_at": BEFORE},
    "a year before": {"updated_at": text(NOW - 300 * DAY)},
    "a second before": {"updated_at": text(NOW - 2 * DAY - 1)},
    "shipments": {"shipments": [{"created_at": BEFORE}]},
    "invoices": {"shipments": [], "invoices": [{"created_at": BEFORE}]},
    "status_histories": {
        "status_histories": [
            {"entity_id": 2, "status": "complete", "created_at": text(60)},
            {"entity_id": 1, "status": "pending", "created_at": BEFORE},
        ]
    },
}


@pytest.mark.parametrize("fields", MISDATED.values(), ids=list(MISDATED))
def test_times_before_the_order_are_ignored_and_reported(loop, fields):
    """A field that a migration filled with nonsense makes nobody due; the plan names order and field."""
    loop.write_orders([order(1, age=2, reached=1) | fields])
    plan = loop.first_plan()
    at, source = scheduled(plan)[1]
    assert at >= NOW - 2 * DAY
    assert source in ("created_at", "updated_at")
    assert len(plan.invitations.send) == 0
    (message,) = warned(plan, "evidence-before-order")
    name = next(key for key in fields if key != "shipments" or fields[key])
    assert f"1 order(s) have dates before their order date (000000001: {name})" in message


def test_sound_documents_beside_misdated_ones_count(loop):
    """Only what is dated before the order is left out."""
    dates = [{"created_at": BEFORE}, {"created_at": text(NOW - 3 * DAY)}]
    loop.write_orders([order(1, age=5, reached=1, shipments=dates)])
    plan = loop.first_plan()
    assert scheduled(plan) == {1: (NOW - 3 * DAY, "shipment")}
    assert len(warned(plan, "evidence-before-order")) == 1


@pytest.mark.parametrize("count", [1, 3, 4, 50])
def test_the_report_of_misdated_orders_is_short(loop, count):
    """It counts all, and names a few."""
    loop.write_orders([order(key, updated_at=BEFORE) for key in range(1, count + 1)])
    (message,) = warned(loop.first_plan(), "evidence-before-order")
    assert f"{count} order(s)" in message
    assert message.count("updated_at") == min(count, 3)


def test_an_order_of_the_future_is_dated_now(loop):
    """A shop whose clock is ahead moves no invitation back, and nothing of it is reported as damage."""
    loop.write_orders([order(1, age=-40, reached=-41)])
    plan = loop.first_plan()
    assert scheduled(plan) == {1: (NOW, "updated_at")}
    assert not warned(plan, "evidence-before-order")


INVOICED = {"invoices": [{"created_at": text(NOW - 20 * DAY)}], "shipments": []}


@pytest.mark.parametrize("noted", ["in its first status", "again with the invoice"])
def test_an_invoice_from_long_before_the_completion_does_not_make_it_due(loop, noted):
    """An ERP invoices at once and completes weeks later: we saw the order in processing after the invoice."""
    processing = {"state": "processing", "status": "processing"}
    early = order(1, age=21, reached=21, **processing)
    if noted == "again with the invoice":
        loop.write_orders([early])
        loop.apply(now=NOW - 21 * DAY)
    loop.write_orders([order(1, age=21, reached=20, **processing, **INVOICED)])
    loop.apply(now=NOW - 19 * DAY)
    loop.write_orders([order(1, age=21, reached=0, **INVOICED)])
    plan, _ = loop.apply()
    assert scheduled(plan) == {1: (NOW, "observed")}
    assert len(plan.invitations.send) == 0


def test_an_invoice_that_nothing_contradicts_completes(loop):
    """The first look at an order whose shipments are told goes by its documents."""
    loop.write_orders([order(1, age=21, reached=0, **INVOICED)])
    assert scheduled(loop.first_plan()) == {1: (NOW - 20 * DAY, "invoice")}


def test_without_shipments_an_invoice_completes_only_what_is_not_shipped(loop):
    """Where shipments are not told, an order that ships may have been sent long after its invoice."""
    invoices = {"invoices": INVOICED["invoices"]}
    loop.write_orders(
        [
            order(1, age=21, reached=1, **invoices),
            order(2, age=21, reached=1, is_virtual=1, **invoices),
            order(3, age=21, reached=1, is_virtual=0, **invoices),
        ]
    )
    found = scheduled(loop.first_plan())
    assert found == {
        1: (NOW - DAY, "updated_at"),
        2: (NOW - 20 * DAY, "invoice"),
        3: (NOW - DAY, "updated_at"),
    }


# ---------------------------------------------------------------- refunds and cancel statuses

BACK = {
    "amounts": {"total_paid": 100, "total_refunded": 100},
    "rows": {"items": [{"item_id": 1, "sku": "A", "qty_ordered": 2, "qty_refunded": 2}]},
}


@pytest.mark.parametrize("fields", BACK.values(), ids=list(BACK))
def test_a_refunded_order_is_not_invited_whatever_its_status(loop, fields):
    """A comment that sets a closed order to complete again does not revive it."""
    loop.write_orders([order(1, **fields), order(2)])
    plan, _ = loop.apply()
    assert list(scheduled(plan)) == [2]
    assert plan.invitations.not_invited == {"Account 9": {"refunded": 1}}
    loop.write_accounts([account("9", skip_orders_older_than=0, skip_refunded=False)])
    assert list(scheduled(loop.plan())) == [1]


@pytest.mark.parametrize("fields", BACK.values(), ids=list(BACK))
def test_a_refund_before_sending_cancels(loop, sandbox, fields):
    """The order is complete as before; it is looked at again and not sent."""
    loop.write_orders([order(1)])
    loop.apply(sending=False)
    loop.write_orders([order(1, **fields)])
    _, result = loop.apply()
    (row,) = loop.rows()
    assert (row.status, row.reason) == (Status.CANCELLED, "refunded")
    assert not list(sandbox.world.outbox.entries())
    assert result.succeeded


def test_a_refund_noticed_only_when_sending_cancels(loop, sandbox):
    """The re-check just before sending judges refunds and amounts by the order of that moment."""
    loop.write_accounts(
        [account("9", skip_orders_older_than=0, conditions={"not": {"total_refunded": {"gt": 20}}})]
    )
    loop.write_orders([order(1), order(2), order(3)])
    loop.apply(sending=False)
    plan = loop.plan()
    loop.write_orders([order(1, **BACK["amounts"]), order(2, total_paid=100, total_refunded=50), order(3)])
    loop.apply(made=plan)
    assert {row.order_id: row.reason for row in loop.rows() if row.status is Status.CANCELLED} == {
        1: "refunded",
        2: "conditions",
    }
    assert [each.transaction_id for each in sandbox.world.outbox.entries()] == ["000000003"]


ENDING = ["returned", "refunded", "Geschlossen"]


@pytest.mark.parametrize("when", ["planned", "sent"])
def test_a_cancel_status_ends_an_order(loop, sandbox, when):
    """Whatever its state, in any letter case, at the next plan or just before sending; others are closed."""
    ending = account("9", skip_orders_older_than=0, cancel_statuses=ENDING)
    loop.write_accounts([ending])
    loop.write_orders([order(key) for key in range(1, 6)])
    loop.apply(sending=False)
    plan = loop.plan() if when == "sent" else None
    gone = {
        1: ("complete", "Returned"),
        2: ("closed", "closed"),
        3: (None, "geschlossen"),
        4: ("", "refunded"),
    }
    loop.write_orders(
        [order(key, state=state, status=status) for key, (state, status) in gone.items()] + [order(5)]
    )
    loop.apply(made=plan)
    assert {row.order_id: row.reason for row in loop.rows() if row.status is Status.CANCELLED} == {
        key: f"order_status: {status}" for key, (_, status) in gone.items()
    }
    assert [each.transaction_id for each in sandbox.world.outbox.entries()] == ["000000005"]


def test_an_order_that_returns_to_a_trigger_status_matches_again(loop):
    """The same invitation becomes pending again, at its old time."""
    loop.write_accounts([account("9", skip_orders_older_than=0, cancel_statuses=ENDING)])
    loop.write_orders([order(1, reached=1)])
    loop.apply()
    (before,) = loop.rows()
    loop.write_orders([order(1, status="returned")])
    loop.apply()
    assert loop.rows()[0].status is Status.CANCELLED
    loop.write_orders([order(1, reached=0)])
    loop.apply()
    (after,) = loop.rows()
    assert (after.id, after.status, after.scheduled_at) == (before.id, Status.PENDING, before.scheduled_at)


def test_without_the_key_such_a_status_ends_nothing(loop, sandbox):
    """An order that was complete once is invited, whatever a shop calls it now."""
    loop.write_orders([order(1)])
    loop.apply(sending=False)
    loop.write_orders([order(1, status="returned")])
    loop.apply()
    assert len(list(sandbox.world.outbox.entries())) == 1


def test_another_way_of_delivery_judges_again(loop):
    """Who has only a mobile number is invited by text message, who has none no longer; and back."""
    mobile = {"billing_address": {"telephone": "+4915112345678", "country_id": "DE"}}
    loop.write_accounts([account("9", pending_period=30, skip_orders_older_than=0)])
    loop.write_orders([order(1, customer_email="", **mobile), order(2)])
    loop.apply()
    assert {row.order_id: row.status.value for row in loop.rows()} == {2: "pending"}
    loop.write_accounts([account("9", pending_period=30, skip_orders_older_than=0, deliver="ekomi-sms")])
    loop.apply()
    assert {row.order_id: row.status.value for row in loop.rows()} == {1: "pending", 2: "cancelled"}
    loop.write_accounts([account("9", pending_period=30, skip_orders_older_than=0)])
    loop.apply()
    assert {row.order_id: row.status.value for row in loop.rows()} == {1: "cancelled", 2: "pending"}
