"""Explanations for people and programs, at fixed instants."""

from dataclasses import replace
from pathlib import Path

import pytest
from explain_support import Customers, Rows, row
from golden import check_golden

from ekomi_reconcile.model.account import Account, PositionRecord
from ekomi_reconcile.model.invitation import CustomerLimit, Status, StatusChange
from ekomi_reconcile.model.order import Contact, HistoryEntry, Order
from ekomi_reconcile.model.rule import Deliver, InvitationRule, Selection
from ekomi_reconcile.reconcile.order_lookup import explain_order, match_request
from ekomi_reconcile.render.explain import Told, explanation_json, explanation_text
from ekomi_reconcile.render.tables import Paint, json_text
from ekomi_reconcile.rules.rulebook import Rule

NOW = 1_793_448_000
DAY = 86_400
GOLDEN = Path(__file__).parent / "golden"

ORDER = Order(
    order_id=123,
    number="100000123",
    state="complete",
    status="complete",
    store_view="de",
    customer_group="General",
    created_at=NOW - 6 * DAY,
    updated_at=NOW - 2 * DAY,
    history=(
        HistoryEntry("processing", NOW - 6 * DAY, 1),
        HistoryEntry("complete", NOW - 4 * DAY, 2),
    ),
    contact=Contact(email="mira@example.com", first_name="Mira", last_name="Kolb"),
    grand_total=80.0,
    shipping_city="Canaryville",
)
CONDITIONS = {
    "all": [
        {"grand_total": {"gte": 50}},
        {"any": [{"shipping_city": {"in": ["Graz"]}}, {"any_item": {"sku": {"starts_with": "BK-"}}}]},
    ]
}


def account(name, interface_id, **rule):
    """An enabled account."""
    wanted = InvitationRule(**({"enabled": True} | rule))
    reference = f"${{env:P_{interface_id}}}"
    return Account(name=name, interface_id=interface_id, interface_password=reference, invitations=wanted)


ACCOUNTS = [
    account("Germany", "10", store_views=Selection(frozenset({"de", "at"}))),
    account("Books", "20", conditions=CONDITIONS, deliver=Deliver.EKOMI_SMS),
    account("All", "30", customer_groups=Selection(frozenset({"VIP"}), exclude=True), pending_period=3),
    account("Off", "40", enabled=False, store_views=Selection(frozenset({"fr"}))),
]


def told(order=ORDER, rows=(), histories=None):
    """The explanation of an order by four accounts whose rules have not changed."""
    positions = {
        each.interface_id: PositionRecord(
            source="default", rule_digest=Rule(each).digest, cursor="", evaluated_at=NOW
        )
        for each in ACCOUNTS
    }
    request = match_request("default", ACCOUNTS, [], positions, now=NOW)
    request = replace(request, names={**request.names, "99": "Old"})
    privacy = Customers(cap=CustomerLimit(1, 90))
    explanation = explain_order(order, request, Rows(rows), privacy)
    return Told(explanation, explanation.verdicts, histories or {})


def held():
    """The order in Germany's queue, on hold, after another account was deleted."""
    mine = row("10", ORDER, scheduled_at=NOW + 8 * DAY, pushed=True)
    old = row("99", ORDER, Status.CANCELLED, reason="account_deleted")
    changes = [
        StatusChange(at=NOW - 3 * DAY, from_status=None, to_status=Status.PENDING, actor="loop"),
        StatusChange(
            at=NOW - DAY,
            from_status=Status.PENDING,
            to_status=Status.CANCELLED,
            actor="loop",
            detail="account_deleted",
        ),
    ]
    holded = Order(**{each: getattr(ORDER, each) for each in Order.__struct_fields__} | {"state": "holded"})
    return told(holded, [mine, old], {99: changes, 10: changes[:1]})


def sent():
    """The order after its request."""
    mine = row("30", ORDER, Status.SENT, sent_at=NOW - DAY, changed_at=NOW - DAY)
    return told(rows=[mine])


CASES = {"new": told, "held": held, "sent": sent}


@pytest.mark.parametrize("case", CASES)
def test_text(case):
    """What people see is what somebody has looked at and found good; colour only adds to it."""
    text = explanation_text(CASES[case](), Paint(colour=False))
    check_golden(GOLDEN / f"{case}.txt", text)
    assert "Canaryville" not in text
    assert "mira" not in text.lower()


@pytest.mark.parametrize("case", CASES)
def test_json(case):
    """What programs get is what somebody has looked at and found good."""
    check_golden(GOLDEN / f"{case}.json", json_text(explanation_json(CASES[case]())) + "\n")


def test_colour_only_adds():
    """Without the codes of colour the text is the same: every sign is also a word."""
    coloured = explanation_text(told(), Paint(colour=True))
    assert coloured != explanation_text(told(), Paint(colour=False))
    for code in ("32", "33", "31", "36", "1", "2", "0"):
        coloured = coloured.replace(f"\033[{code}m", "")
    assert coloured == explanation_text(told(), Paint(colour=False))
