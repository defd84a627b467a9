"""Sending windows and pauses: what leaves now, what waits, and when it leaves."""

from __future__ import annotations

import json

import pytest
import time_machine
from support_loop import DAY, NOW, account, order

from ekomi_reconcile.model.instant import HOUR, iso, parse
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.run import Done
from ekomi_reconcile.plan.codec import from_json
from ekomi_reconcile.plan.saved_plan import decode, encode
from ekomi_reconcile.render.plan_text import concise_text, plan_text
from ekomi_reconcile.render.tables import Paint

WEEKDAYS = {"hours": "09:00-17:00", "days": ["mon", "tue", "wed", "thu", "fri"]}
SUNDAY, MONDAY = NOW, parse("2025-11-24T08:00:00Z")
"""``NOW`` is 13:13 on a Sunday in Berlin; the window opens on Monday."""


@pytest.fixture
def window(loop):
    """Two invitations that are due on a Sunday, of an account that sends on weekdays."""
    loop.write_project(timezone="Europe/Berlin")
    loop.write_accounts([account("9", send_between=WEEKDAYS)])
    loop.write_orders([order(1), order(2)])
    return loop


def sent(sandbox):
    return sorted(each.transaction_id for each in sandbox.world.outbox.entries())


def waits(plan):
    """How many leave now, how many wait, and until when."""
    return plan.summary.send, plan.summary.waiting, [each.leaves_at for each in plan.invitations.windows]


def test_what_is_due_outside_of_the_window_leaves_when_it_opens(window, sandbox):
    """Its time stays as it is; the last second before and the first of the window make the difference."""
    plan, result = window.apply()
    assert (waits(plan), sent(sandbox)) == ((0, 2, [MONDAY]), [])
    assert result.succeeded
    due = {row.scheduled_at for row in window.rows()}
    assert waits(window.plan(MONDAY - 1)) == (0, 2, [MONDAY])
    assert window.plan(NOW + HOUR).empty
    window.apply(MONDAY - 1)
    assert sent(sandbox) == []
    plan, _ = window.apply(MONDAY)
    assert waits(plan) == (2, 0, [])
    assert len(sent(sandbox)) == 2
    assert {row.scheduled_at for row in window.rows()} == due


@pytest.mark.parametrize(
    ("pauses", "leaves"),
    [
        ([{"from": "2025-11-23", "until": "2025-11-24"}], "2025-11-25T08:00:00Z"),
        ([{"from": "2025-11-24", "until": "2025-11-30", "reason": "stocktaking"}], "2025-12-01T08:00:00Z"),
    ],
)
def test_a_pause_keeps_the_window_closed(window, sandbox, pauses, leaves):
    """`until` is the last day; afterwards everything that was due leaves."""
    window.write_accounts([account("9", send_between=WEEKDAYS, pauses=pauses)])
    assert waits(window.plan()) == (0, 2, [parse(leaves)])
    window.apply(parse(leaves) - 1)
    assert sent(sandbox) == []
    window.apply(parse(leaves))
    assert len(sent(sandbox)) == 2


def test_plans_say_what_waits_for_a_window(window):
    """In the text, short and long, and in the JSON plan, which is read back as it was."""
    made = window.plan()
    said = "2 waiting for their sending window, next: Mon 09:00 Europe/Berlin"
    assert said in plan_text(made, Paint())
    assert said in concise_text(made, Paint())
    assert "on hold" not in plan_text(made, Paint())
    document = json.loads(encode(made))
    assert document["summary"]["waiting"] == document["invitations"]["waiting"] == 2
    assert document["invitations"]["windows"] == [
        {
            "account": "Account 9",
            "interface_id": "9",
            "count": 2,
            "leaves_at": iso(MONDAY),
            "timezone": "Europe/Berlin",
        }
    ]
    assert decode(encode(made)).plan.invitations.windows == made.invitations.windows


def test_a_plan_of_an_earlier_format_has_no_channel_products_and_time_of_leaving(window):
    """It is read all the same."""
    document = json.loads(encode(window.plan()))
    for step in document["invitations"]["schedule"]:
        del step["leaves_at"], step["channel"], step["products"]
    (step, _) = from_json(document).invitations.schedule
    assert (step.leaves_at, step.channel, step.products) == (None, None, None)


def test_a_saved_plan_sends_nothing_outside_of_the_window(window, sandbox):
    """Made when it was open and applied when it is closed, it leaves the invitations out and counts them."""
    window.apply(sending=False)
    saved = window.plan(MONDAY + HOUR)
    assert saved.summary.send == 2
    _, result = window.apply(MONDAY + 8 * HOUR, made=saved)
    assert (sent(sandbox), result.counts[Done.WAITING]) == ([], 2)
    assert result.notes == ["Account 9: 2 waiting for their sending window, next: Tue 09:00 Europe/Berlin"]
    assert result.succeeded


def test_a_window_that_closes_while_the_run_sends_stops_it(window, sandbox):
    """It is looked at before each call."""
    window.project["ekomi"]["parallelism"] = 1
    window.write_project()
    window.apply()
    opened, closed = MONDAY + 7 * HOUR, MONDAY + 8 * HOUR
    _, result = window.apply(opened, clock=lambda: closed if sent(sandbox) else opened)
    assert (len(sent(sandbox)), result.counts[Done.SENT], result.counts[Done.WAITING]) == (1, 1, 1)
    assert result.succeeded


def test_a_window_is_no_rule_change(window):
    """Adding, changing or removing it judges no invitation again and moves none."""
    window.apply()
    before = window.rows()
    for rule in ({}, {"pauses": [{"from": "2025-12-24", "until": "2025-12-26"}]}):
        window.write_accounts([account("9", **rule)])
        made = window.plan(MONDAY - 1)
        assert made.summary.change == 1
        assert not made.invitations.moved_by_rules
        window.apply(MONDAY - 1, sending=False)
        assert window.rows() == before


def test_push_waits_for_the_window_unless_now_is_given(window, sandbox):
    """--now is remembered with the invitation until it is sent."""
    window.write_orders([order(1, reached=1), order(2, reached=1)])
    with time_machine.travel(SUNDAY, tick=False):
        window.apply()
        for number in (1, 2):
            more = ["--now"] if number == 2 else []
            code, _, err = window.command("invitations", "push", f"order:{number:09d}", *more)
            assert code == 0, err
        assert waits(window.plan()) == (1, 1, [MONDAY])
        code, out, _ = window.command("invitations", "list", "--format", "json")
        assert [each["leaves_at"] for each in json.loads(out)] == [iso(MONDAY), iso(SUNDAY)]
        window.apply()
    assert sent(sandbox) == ["000000002"]
    assert sorted(row.status for row in window.rows()) == [Status.PENDING, Status.SENT]


def test_lists_and_explain_show_when_it_leaves(window):
    """`leaves_at` is the time itself where the window is open then."""
    window.write_orders([order(1), order(2, reached=4)])
    with time_machine.travel(SUNDAY, tick=False):
        window.apply()
        _, out, _ = window.command("invitations", "list", "--format", "json")
        held, later = json.loads(out)
        assert (held["leaves_at"], held["pending_days"]) == (iso(MONDAY), 5)
        assert later["scheduled_at"] == later["leaves_at"] == iso(NOW + DAY)
        _, out, _ = window.command("explain", "000000001", "--format", "json")
        (verdict,) = json.loads(out)["accounts"]
        assert (verdict["leaves_at"], verdict["invitation"]["leaves_at"]) == (iso(MONDAY), iso(MONDAY))
        _, out, _ = window.command("explain", "000000001")
        assert "leaves 2025-11-24 08:00 UTC when the sending window opens" in out


@pytest.mark.parametrize(("hours_after_opening", "stuck"), [(-1, False), (1, False), (3, True)])
def test_only_open_time_makes_an_invitation_overdue(window, hours_after_opening, stuck):
    """Doctor does not complain about a weekend."""
    window.apply()
    with time_machine.travel(MONDAY + hours_after_opening * HOUR, tick=False):
        _, out, _ = window.command("doctor", "--offline", "--format", "json")
    (check,) = [each for each in json.loads(out)["checks"] if each["check"] == "queue-stuck"]
    assert (check["status"] != "pass") is stuck


BASKET = [
    {"item_id": key, "product_id": key, "sku": f"BK-{key}", "name": f"Book {key}", "price": 10 * key}
    for key in (1, 2, 3)
]
PRODUCTS = {"ask": True, "max": 2, "identifier": "sku"}


def steps_of(plan, kind):
    """Channel, products and time of leaving of each order's step in the JSON plan."""
    found = json.loads(encode(plan))["invitations"][kind]
    return {int(each["order"]): (each["channel"], each["products"], each.get("leaves_at")) for each in found}


def test_plans_show_channel_products_and_when_each_invitation_leaves(window, sandbox):
    """In text and JSON, read back as it was; what arrives is what the plan has shown."""
    rules = {"send_between": WEEKDAYS, "deliver": ["ekomi-sms", "ekomi-email"], "products": PRODUCTS}
    window.write_accounts([account("9", **rules)])
    mobile = {"telephone": "+49 151 12345678", "country_id": "DE"}
    window.write_orders(
        [order(1, items=BASKET, billing_address=mobile), order(2, items=BASKET[:1]), order(3, reached=3)]
    )
    made, later = window.plan(), iso(NOW + 2 * DAY)
    assert steps_of(made, "schedule") == {
        1: ("ekomi-sms", ["BK-3", "BK-2"], iso(MONDAY)),
        2: ("ekomi-email", ["BK-1"], iso(MONDAY)),
        3: ("ekomi-email", [], later),
    }
    assert list(decode(encode(made)).plan.invitations.schedule) == list(made.invitations.schedule)
    text = plan_text(made, Paint())
    assert "    2 waiting for their sending window, next: Mon 09:00 Europe/Berlin\n" in text
    opened = window.plan(MONDAY)
    assert steps_of(opened, "send") == {
        key: (*each[:2], None) for key, each in steps_of(made, "schedule").items() if key < 3
    }
    window.apply(MONDAY)
    assert {int(each.transaction_id): each.channel for each in sandbox.world.outbox.entries()} == {
        1: "sms",
        2: "email",
    }


def test_steps_of_recorded_invitations_show_what_is_known(window):
    """A new time is shown with everything; of what is sent only what every order of the account has."""
    window.apply()
    assert steps_of(window.plan(MONDAY), "send") == dict.fromkeys((1, 2), ("ekomi-email", [], None))
    window.write_accounts([account("9", send_between=WEEKDAYS, pending_period=4)])
    assert steps_of(window.plan(), "reschedule") == dict.fromkeys((1, 2), ("ekomi-email", [], iso(MONDAY)))
    rules = {"deliver": ["ekomi-sms", "ekomi-email"], "products": PRODUCTS}
    window.write_accounts([account("9", send_between=WEEKDAYS, **rules)])
    window.apply()
    assert steps_of(window.plan(MONDAY), "send") == dict.fromkeys((1, 2), (None, None, None))
