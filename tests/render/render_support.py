"""Records as the state hands them out, at fixed instants, and golden files."""

from __future__ import annotations

import json
from pathlib import Path

from golden import check_golden

from ekomi_reconcile.model.account import Account, AccountRecord
from ekomi_reconcile.model.invitation import Evidence, Invitation, Reached, Status
from ekomi_reconcile.model.review import RecordedReview, Review, ShopData
from ekomi_reconcile.model.rule import Deliver, InvitationRule, Selection
from ekomi_reconcile.render.tables import Paint, json_text, table_text

NOW = 1_793_448_000
"""2026-10-31 12:00 UTC."""

DAY = 86_400
GOLDEN = Path(__file__).parent / "golden"


def golden(name: str, text: str) -> None:
    """The text is what the golden file of this name says."""
    check_golden(GOLDEN / name, text)


def as_read(value):
    """What a reader gets of a value that is written as JSON."""
    return json.loads(json_text(value))


def drawn(layout, rows, width=None, colour=False):
    """A table as one text."""
    return "".join(table_text(layout, rows, width=width, paint=Paint(colour)))


def an_account(name="Germany", interface_id="28374", **more) -> Account:
    """An account as the files ask for it."""
    rule = InvitationRule(
        enabled=True,
        pending_period=7,
        store_views=Selection(frozenset({"de", "at"})),
        customer_groups=Selection(frozenset({"NOT LOGGED IN"}), exclude=True),
        deliver=Deliver.LINK,
        conditions={"all": [{"grand_total": {"gte": 50}}, {"shipping_country": {"in": ["DE", "AT"]}}]},
    )
    values = {"interface_password": "${env:PASSWORD}", "tags": ("dach",), "invitations": rule} | more
    return Account(name=name, interface_id=interface_id, **values)


def a_record(number=1, account=None, **more) -> AccountRecord:
    """An account as recorded and synced."""
    account = account or an_account()
    values = {
        "desired": account.canonical(),
        "password_digest": "d1" * 32,
        "protect": account.protect,
        "created_at": NOW - 90 * DAY,
        "updated_at": NOW - 2 * DAY,
        "shop": ShopData(
            account_name="Example Books Deutschland GmbH",
            locale="de",
            logo_url="https://shop.example.com/logo.png",
            webshop_url="https://shop.example.com/de",
            review_page="https://reviews.example.com/germany.html",
            certificate_id="0751686CED61CA0",
            total_reviews=1204,
            average_score=4.68,
            active=True,
        ),
        "last_fetched_at": NOW - 3_600,
        "last_import_at": NOW - 7_200,
        "last_full_import_at": NOW - 20 * DAY,
    }
    names = {"interface_id": account.interface_id, "name": account.name}
    return AccountRecord(id=number, **(names | values | more))


def an_invitation(number=1, **more) -> Invitation:
    """A pending row."""
    values = {
        "interface_id": "28374",
        "source": "default",
        "order_id": number,
        "number": f"{100_000_000 + number}",
        "store_view": "de",
        "order_date": NOW - 9 * DAY,
        "status": Status.PENDING,
        "reached": Reached(NOW - 8 * DAY, "complete", Evidence.SHIPMENT),
        "judged_at": NOW - 7 * DAY,
        "scheduled_at": NOW + 6 * DAY,
        "customer": "c0ffee" * 10,
        "changed_at": NOW - 7 * DAY,
    }
    return Invitation(id=number, **(values | more))


def a_review(number=1, gone_at=None, **more) -> RecordedReview:
    """A review as recorded."""
    values = {
        "order_id": f"{100_000_000 + number}",
        "submitted_at": NOW - number * DAY,
        "rating": 4.5,
        "text": "Schnell geliefert,\nsehr gut verpackt.",
    } | more
    return RecordedReview(
        interface_id="28374", review=Review(**values), first_seen_at=NOW, changed_at=NOW, gone_at=gone_at
    )
