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
from ekomi_reconcile.reconcile.order_lookup import detailed, explain_order, match_request
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


def told(order=ORDER, rows=(), histories=None, *, fresh=False):
    """The explanation of an order by four accounts whose rules have not changed, or are ``fresh``."""
    positions = {
        each.interface_id: PositionRecord(
            source="default", rule_digest="other" if fresh else Rule(each).digest, cursor="", evaluated_at=NOW
        )
        for each in ACCOUNTS
    }
    request = match_request("default", ACCOUNTS, [], positions, now=NOW)
    request = replace(request, names={**request.names, "99": "Old"})
    privacy = Customers(cap=CustomerLimit(1, 90))
    explanation = explain_order(order, request, Rows(rows), privacy)
    return Told(explanation, explanation.verdicts, histories or {}, detailed(explanation.verdicts))


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


def moved():
    """The order in Germany's queue, due four days later than by its rule as it is now."""
    mine = row("10", ORDER, scheduled_at=NOW + 14 * DAY, pending_days=18, judged_at=NOW)
    return told(rows=[mine], fresh=True)


CASES = {"new": told, "held": held, "sent": sent, "moved": moved}


@pytest.mark.parametrize("width", [80, 120, None])
@pytest.mark.parametrize("case", CASES)
def test_text(case, width):
    """What people see is what somebody has looked at and found good, at two widths and in a pipe."""
    text = explanation_text(CASES[case](), Paint(colour=False), width=width)
    check_golden(GOLDEN / f"{case}-{width or 'pipe'}.txt", text)
    assert "Canaryville" not in text
    assert "mira" not in text.lower()
    assert width is None or all(len(line) <= width for line in text.splitlines())


def test_details_are_of_the_accounts_that_match():
    """Of all others there is a line; where none matches, the nearest has its details."""
    shown = told()
    assert [each.account.name for each in shown.detailed] == ["Germany"]
    gone = replace(shown, verdicts=[each for each in shown.verdicts if not each.matches])
    assert [each.account.name for each in detailed(gone.verdicts)] == ["All"]
    whole = explanation_text(replace(shown, detailed=shown.verdicts), Paint())
    assert whole.count("✓ ok    reviewed") == 4
    assert "--all" not in whole


def test_a_sent_order_is_no_failure():
    """Nothing about the account that sent it is red; the others have no red sign for it."""
    lines = explanation_text(sent(), Paint(colour=True)).splitlines()
    of_account = [line for line in lines if "All" in line or "already_invited" in line]
    assert of_account
    assert not [line for line in of_account if "\033[31m" in line]


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
