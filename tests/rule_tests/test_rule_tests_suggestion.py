"""test --suggest: a test out of a real order, without what is personal about it."""

from pathlib import Path

import pytest
from project_support import Project, order

GERMANY = """pending_period: 7
skip_orders_older_than: 60
deliver: ekomi-sms
consent: {field: extension_attributes.optin, accept: ["1"]}
conditions:
  all:
    - grand_total: {gte: 50}
    - shipping_city: {ne: Secretville}
    - email_domain: {not_in: [private.example]}
    - field: {path: extension_attributes.note, ne: hidden-note}
    - any_item: {sku: {starts_with: BK-}}
"""
PERSONAL = {
    "customer_email": "jane.roe@private-mail.example",
    "customer_firstname": "Jane",
    "customer_lastname": "Roeburg",
    "customer_id": 4711,
    "billing_address": {
        "city": "Musterdorf", "postcode": "98765", "region": "Hinterland", "telephone": "+4917612345999",
        "country_id": "DE", "company": "Roe Ltd",
    },
    "shipping_address": {
        "city": "Musterdorf", "postcode": "98765", "region": "Hinterland", "telephone": "+4917612345999",
        "country_id": "DE",
    },
    "extension_attributes": {"optin": "1", "note": "ring twice"},
}  # fmt: skip
SECRETS = ("jane", "roe", "4711", "musterdorf", "98765", "hinterland", "17612345999", "ring twice", "private")


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project whose orders have personal data of all kinds."""
    monkeypatch.chdir(tmp_path)
    made = Project(Path())
    made.settings("version: 1\norders: {file: orders.jsonl}\n")
    made.account("Germany", "28374", GERMANY)
    made.orders([
        order(1, **PERSONAL),
        order(2, **PERSONAL | {"grand_total": 10}),
        order(3, **PERSONAL | {"status": "canceled", "state": "canceled"}),
        order(4, **PERSONAL | {"total_refunded": 80, "total_paid": 80}),
        order(5, **PERSONAL | {"extension_attributes": {}}),
        order(6, **PERSONAL | {"items": [{"sku": "DVD-1", "qty_ordered": 1}]}),
        order(7, **PERSONAL | {"billing_address": {}, "shipping_address": {}}),
        order(8, age_days=70, **PERSONAL),
    ])  # fmt: skip
    (tmp_path / "tests.d").mkdir()
    return made


EXPECTED = {
    1: "invited: true",
    2: "conditions",
    3: "order_status",
    4: "refunded",
    5: "consent",
    6: "conditions",
    7: "deliverable",
    8: "order_age",
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("number", EXPECTED)
def test_the_test_of_an_order_passes_and_holds_nothing_personal(shop, capsys, number):
    """What is written can be pasted at once; what is personal and looked at is named, never shown."""
    assert shop.cli("test", "--suggest", f"{100_000_000 + number}") == 0
    found = capsys.readouterr()
    assert EXPECTED[number] in found.out.splitlines()[-1]
    assert [each for each in SECRETS if each in (found.out + found.err).casefold()] == []
    for name in ("shipping_city", "email_domain", "extension_attributes.note"):
        assert name in found.err
    (shop.folder / "tests.d" / "a.yaml").write_text(found.out)
    assert shop.cli("test") == 0, capsys.readouterr().out


def test_an_unknown_order_and_other_flags_are_refused(shop, capsys):
    """The order is looked up as explain does; nothing else goes with it."""
    assert shop.cli("test", "--suggest", "12") == 1
    assert "order 12 not found" in capsys.readouterr().err
    assert shop.cli("test", "--suggest", "100000001", "--mutate") == 64
