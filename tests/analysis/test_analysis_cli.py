"""The command: offline, complete, and its orders confirmed by ``explain``."""

import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from golden import check_golden
from project_support import Project

sys.path.append(str(Path(__file__).parent.parent / "docs"))

from docs_blocks import DOCS, blocks
from docs_commands import commands

GOLDEN = Path(__file__).parent / "golden"
GUIDE = DOCS / "how-to" / "overlapping-rules.md"
MINIMAL = "version: 1\norders: {file: orders.jsonl}\n"


@pytest.fixture
def shop(tmp_path):
    """A project with an order source that does not exist, and without any password."""
    made = Project(tmp_path)
    (tmp_path / "accounts.d").mkdir()
    made.settings(MINIMAL)
    return made


def analysed(project, capsys, *arguments, code=0):
    """The JSON of the command."""
    assert project.cli("analyze", "--format", "json", *arguments) == code
    return json.loads(capsys.readouterr().out)


def dated(text):
    """The text with the day of the witnesses replaced."""
    return re.sub(r"\d{4}-\d\d-\d\d 00:00:00", "2026-11-30 00:00:00", text)


def every_kind(project):
    """Accounts with one finding of each kind."""
    project.account("Germany", "28374", "store_views: [de]\nconditions: {grand_total: {gte: 50}}")
    project.account(
        "Books",
        "28375",
        "store_views: [de]\nconditions: {any_item: {sku: {starts_with: BK-}}}",
        "priority: 1",
    )
    project.account("Rich", "28376", "store_views: [de]\nconditions: {grand_total: {gt: 100}}")
    project.account("Nobody", "10001", "store_views: [at]\nconditions: {grand_total: {gt: 100, lt: 50}}")
    project.account("Off", "10002").write_text(
        'name: Off\ninterface_id: "10002"\ninterface_password: ${env:X}\n'
    )
    tests = project.folder / "tests.d" / "deep"
    tests.mkdir(parents=True)
    (tests / "a.yaml").write_text("name: A\norder: {store_code: de}\n---\nname: B\norder: {store_code: at}\n")


def test_golden_text_and_json(shop, capsys):
    """One finding of each kind, in both forms; a rule that never matches serves no store view."""
    every_kind(shop)
    assert shop.cli("analyze") == 0
    check_golden(GOLDEN / "every_kind.txt", dated(capsys.readouterr().out))
    assert shop.cli("analyze", "--format", "json") == 0
    check_golden(GOLDEN / "every_kind.json", dated(capsys.readouterr().out))


def test_strict_fails_where_anything_was_found(shop, capsys):
    """Also on an overlap that a priority decides; not where rules are separate."""
    every_kind(shop)
    analysed(shop, capsys, "--strict", code=1)
    shutil.rmtree(shop.folder / "accounts.d")
    shutil.rmtree(shop.folder / "tests.d")
    shop.account("Germany", "28374", "store_views: [de]")
    assert analysed(shop, capsys, "--strict")["disjoint"] == 0
    shop.account("Austria", "28375", "store_views: [at]")
    found = analysed(shop, capsys, "--strict")
    assert (found["disjoint"], found["pairs"]) == (1, [])
    shop.account("Austria", "28375", "store_views: [at, de]", "priority: 3")
    assert [each["winner"] for each in analysed(shop, capsys, "--strict", code=1)["pairs"]] == ["Austria"]


PAIRS = {
    "trigger statuses of both": ("order_statuses: [shipped]", "order_statuses: [ready, complete]"),
    "a status of conditions": (
        "order_statuses: [shipped]\nconditions: {status: {eq: in_dispute}}",
        "order_statuses: [ready]",
    ),
    "a text message": ("deliver: ekomi-sms", "deliver: ekomi-email"),
    "lists of channels": ("deliver: [ekomi-sms, ekomi-email]", "deliver: [ekomi-email, ekomi-sms]"),
    "a list and one channel": ("deliver: [ekomi-sms, ekomi-email]", "deliver: ekomi-sms"),
    "fields of the shop": (
        "conditions: {field: {path: extension_attributes.market, not_in: [amazon, ebay]}}",
        "conditions: {all: [{field: {path: extension_attributes.market, contains: web}}, "  # noqa: ISC004
        "{field: {path: extension_attributes.tier, in: [gold, silver]}}]}",
    ),
    "consent": (
        "consent: {field: extension_attributes.review_consent, accept: ['1', 'true']}",
        "conditions: {field: {path: extension_attributes.review_consent, in: ['1', 'true']}}",
    ),
    "a link": ("deliver: link", "deliver: link\nconditions: {not: {email_domain: {glob: '*'}}}"),
    "exclusions": ("store_views: {exclude: [de]}", "customer_groups: {exclude: [NOT LOGGED IN]}"),
    "a virtual order": (
        "conditions: {is_virtual: {eq: true}}",
        "conditions: {all: [{shipping_country: {eq: DE}}, {shipping_city: {starts_with: Ber}}]}",
    ),
    "a shipped order": (
        "conditions: {all: [{shipping_method: {glob: '*rate'}}, {billing_country: {eq: AT}}]}",
        "conditions: {all: [{shipping_country: {in: [DE, AT]}}, {has_company: {eq: true}}]}",
    ),
    "a guest": ("conditions: {is_guest: {eq: true}}", "conditions: {item_count: {between: [2, 3]}}"),
    "a partial refund": ("conditions: {total_refunded: {gt: 10}}", "conditions: {total_paid: {lte: 50}}"),
    "an open state": (
        "conditions: {not: {state: {glob: '*'}}}",
        "conditions: {status: {starts_with: wait}}",
    ),
    "a domain": (
        "conditions: {email_domain: {ends_with: .example}}",
        "conditions: {email_domain: {ne: shop.example}}",
    ),
    "items and sums": (
        "conditions: {all: [{any_item: {category_id: {in: [12]}}}, {every_item: {qty: {gt: 0}}}]}",
        "conditions: {all: [{sum_items: {of: qty, eq: 3}}, {sum_items: {of: row_total, gte: 99.5}}]}",
    ),
    "a tax number and money": (
        "conditions: {all: [{has_vat_id: {eq: true}}, {currency: {ne: EUR}}]}",
        "conditions: {all: [{currency: {in: [EUR, CHF]}}, {payment_method: {contains: pal}}]}",
    ),
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kind", PAIRS)
def test_explain_confirms_the_order(shop, capsys, kind):
    """The witness, written into an order file, is eligible for both accounts."""
    for name, interface_id, rules in zip(("A", "B"), ("10001", "10002"), PAIRS[kind], strict=True):
        shop.account(name, interface_id, rules)
    (pair,) = analysed(shop, capsys)["pairs"]
    assert pair["verdict"] == "overlap"
    shop.orders([pair["witness"]])
    assert shop.cli("explain", "1", "--format", "json") == 0
    verdicts = json.loads(capsys.readouterr().out)["accounts"]
    failed = [
        each["criterion"]
        for verdict in verdicts
        for each in verdict["criteria"]
        if not each["ok"] and each["criterion"] != "already_invited"
    ]
    assert failed == []


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (
            "conditions: {field: {path: extension_attributes.market, eq: web}}",
            "conditions: {field: {path: extension_attributes.market, not_contains: e}}",
        ),
        (
            "deliver: [ekomi-sms, ekomi-email]\nconditions: {field: {path: channel, eq: web}}",
            "deliver: ekomi-email\nconditions: {field: {path: channel, in: [shop, app]}}",
        ),
    ],
)
def test_fields_of_the_shop_separate_accounts(shop, capsys, one, two):
    """Whatever channels both have."""
    shop.account("A", "10001", one)
    shop.account("B", "10002", two)
    found = analysed(shop, capsys)
    assert (found["disjoint"], found["pairs"]) == (1, [])


def test_it_needs_no_state_no_secret_and_no_pin(shop, capsys):
    """A pinned state that does not exist, an unset variable and a server are in nobody's way."""
    shop.account("Germany", "28374")
    lineage = "1f0c6a52-9b1e-4d0f-8a57-3c2f5f0e7b11"
    for state in ("${env:NOT_SET}", "postgresql://user@127.0.0.1:9/x", ".ekomi-reconcile/none.db"):
        shop.settings(f"{MINIMAL}state: {{location: '{state}', lineage: {lineage}}}\n")
        analysed(shop, capsys)
    assert not list((shop.folder / ".ekomi-reconcile").glob("*.db*"))


def test_store_views_of_the_state_are_known(project, capsys):
    """What invitations were recorded for is compared with what accounts serve."""
    from project_support import order

    project.account("Germany", "28374", "store_views: [de]")
    project.orders([order(1, store_code="de")])
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    capsys.readouterr()
    assert analysed(project, capsys)["unserved_store_views"] == []
    project.account("Germany", "28374", "store_views: [at]")
    assert analysed(project, capsys)["unserved_store_views"] == ["de"]
    assert project.cli("analyze") == 0
    assert "known from state" in capsys.readouterr().out


def test_sources_and_disabled_accounts_are_separate(shop, capsys):
    """Only enabled accounts of one order source are compared."""
    shop.settings("version: 1\norders: {eu: {file: eu.jsonl}, us: {file: us.jsonl}}\n")
    shop.account("Europe", "10001", more="orders: eu")
    shop.account("America", "10002", more="orders: us")
    found = analysed(shop, capsys)
    assert (found["pairs"], found["disjoint"]) == ([], 0)


SHADOWS = {
    "the same rule": ("", "", ["A"]),
    "a narrower rule": ("conditions: {grand_total: {gte: 10}}", "conditions: {grand_total: {gt: 10}}", ["A"]),
    "a wider rule": ("conditions: {grand_total: {gt: 10}}", "conditions: {grand_total: {gte: 10}}", None),
    "other statuses": ("order_statuses: [shipped]", "", None),
    "more statuses": ("order_statuses: [shipped, complete]", "", ["A"]),
    "a shorter age limit": ("skip_orders_older_than: 20", "", None),
    "a longer age limit": ("skip_orders_older_than: 0", "", ["A"]),
    "an address that is needed": ("deliver: ekomi-email", "deliver: link", None),
    "refunded orders": ("", "skip_refunded: false", None),
    "a narrower store view": ("store_views: {exclude: [de]}", "store_views: [at]", ["A"]),
    "missing values": ("conditions: {weight: {lt: 5}}", "conditions: {not: {weight: {gte: 5}}}", None),
}


@pytest.mark.parametrize("kind", SHADOWS)
def test_shadowed_accounts(shop, capsys, kind):
    """An account is shadowed only where each of its orders surely goes to another one."""
    first, second, by = SHADOWS[kind]
    shop.account("A", "10001", first, "priority: 1")
    shop.account("B", "10002", second)
    found = analysed(shop, capsys)["shadowed"]
    assert found == ([] if by is None else [{"account": "B", "by": by}])


def test_two_accounts_shadow_a_third_together(shop, capsys):
    """Neither takes all of its orders alone."""
    shop.account("Cheap", "10001", "conditions: {grand_total: {lt: 50}}", "priority: 1")
    shop.account("Dear", "10002", "conditions: {not: {grand_total: {lt: 50}}}", "priority: 1")
    shop.account("All", "28374")
    assert analysed(shop, capsys)["shadowed"] == [{"account": "All", "by": ["Cheap", "Dear"]}]


def test_the_guide_says_what_happens(shop, capsys):
    """The page's files, put where they belong, give the answers that the page shows."""
    shown = ""
    for block in blocks(GUIDE):
        if block.title:
            (shop.folder / block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "sh":
            capsys.readouterr()
            for command in commands(block):
                assert shop.cli(*command.arguments) == block.exit_code
            shown = capsys.readouterr().out
        elif block.language == "console":
            assert dated(shown) == block.text
