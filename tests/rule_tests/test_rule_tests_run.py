"""The command ``test``: what a test says, what fails, and what is wrong with a file."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from golden import check_golden
from jsonschema import Draft202012Validator
from project_support import Project

from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.reader import OrderReader
from ekomi_reconcile.rule_tests.document import problems, rule_test_schema
from ekomi_reconcile.rule_tests.order import order_record
from ekomi_reconcile.rules.conditions import compile_condition


def order_of_test(written, codes):
    """The order of a test as rules see it."""
    return OrderReader(codes).tree(order_record(written))


GOLDEN = Path(__file__).parent / "golden"
GERMANY = """store_views: [de]
customer_groups: {exclude: [Wholesale]}
conditions: {grand_total: {gte: 50}}"""
BOOKS = """store_views: [de]
deliver: ekomi-sms
conditions: {any_item: {sku: {starts_with: BK-}}}"""
PIN = "state: {location: nowhere/state.db, lineage: 1f0c6a52-9b1e-4d0f-8a57-3c2f5f0e7b11}\n"


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A project without orders, passwords and its pinned state; paths are relative."""
    monkeypatch.chdir(tmp_path)
    made = Project(Path())
    made.settings(f"version: 1\norders: {{file: orders.jsonl}}\n{PIN}")
    made.account("Germany", "28374", GERMANY)
    made.account("Books", "31905", BOOKS, "priority: 5")
    return made


def write(shop, text, name="germany.yaml"):
    """Write a file of tests."""
    path = shop.folder / "tests.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def without_passed_criteria(text):
    """The output without the criteria that hold: more of them may come."""
    return "\n".join(line for line in text.split("\n") if "✓" not in line and not line.startswith(" " * 20))


def run_json(shop, capsys, text, *, code):
    """The JSON of a run over these tests."""
    write(shop, text)
    assert shop.cli("test", "--format", "json") == code
    return json.loads(capsys.readouterr().out)


LEFT = "invited: false, account: Germany, reason"


def case(expect, order="", more=""):
    """A test of an order of the store view `de`, but for its name."""
    return f"order: {{store_code: de{order}}}\n{more}expect: {{{expect}}}"


HISTORY = """order:
  store_code: de
  created_at: 2026-01-05 10:00:00
  status_histories:
    - {created_at: 2026-01-06 08:00:00, status: processing}
    - {created_at: 2026-01-08 09:00:00, status: complete}
expect: {invited: true, scheduled_at: 2026-01-22T09:00:00Z}"""
PASSING = [
    case("invited: true"),
    case("invited: true, account: Germany, scheduled_at: 2026-01-19T10:00:00Z"),
    case("invited: true, leaves_at: 2026-01-19T10:00:00Z, channel: ekomi-email"),
    case("invited: true, leaves_at: 2026-01-19T10:00:00Z", more="now: 2026-01-30T00:00:00Z\n"),
    case("invited: true, account: Books, channel: ekomi-sms", ", items: [{sku: BK-1}]"),
    case(f"{LEFT}: already_invited", ", items: [{sku: BK-1}]"),
    case(f"{LEFT}: customer_group", ", customer_group: Wholesale"),
    "order: {store_code: fr}\nexpect: {invited: false, reason: store_view}",
    case(f"{LEFT}: conditions", ", grand_total: 49.99"),
    case("invited: false, reason: order_status", ", status: canceled"),
    case(f"{LEFT}: order_status", ", status: holded"),
    case(f"{LEFT}: order_age", more="now: 2026-03-05T00:00:00Z\n"),
    case(f"{LEFT}: refunded", ", total_refunded: 100"),
    case(f"{LEFT}: deliverable", ", customer_email: null"),
    case("invited: false, reason: already_invited", more="given: {invited: true}\n"),
    case("invited: false, reason: reviewed", more="given: {reviewed: true}\n"),
    HISTORY,
]


def test_what_is_expected_is_compared_key_by_key(shop, capsys):
    """Winner, reason, due time, channel: as a plan decides, without state, orders and passwords."""
    documents = [f"name: Test {at}\n{each}\n" for at, each in enumerate(PASSING)]
    found = run_json(shop, capsys, "---\n".join(documents), code=0)
    assert [each for each in found["tests"] if not each["ok"]] == []
    assert (found["passed"], found["failed"], found["ok"]) == (len(PASSING), 0, True)


FAILING = {
    case("invited: false"): ("invited", "false", "true (account: Germany)"),
    case("invited: false, account: Germany"): ("invited", "false", "true"),
    case("invited: true, account: Germany", ", grand_total: 10"): (
        *("invited", "true"),
        "false (reason: conditions)",
    ),
    case("invited: true", ", grand_total: 10"): ("invited", "true", "false"),
    case("invited: true, account: Books"): ("account", "Books", "Germany"),
    case("invited: true, scheduled_at: 2026-01-18T10:00:00Z"): (
        *("scheduled_at", "2026-01-18T10:00:00Z"),
        "2026-01-19T10:00:00Z",
    ),
    case("invited: true, leaves_at: 2026-01-18T10:00:00Z"): (
        *("leaves_at", "2026-01-18T10:00:00Z"),
        "2026-01-19T10:00:00Z",
    ),
    case("invited: true, channel: link"): ("channel", "link", "ekomi-email"),
    case(f"{LEFT}: already_invited", ", grand_total: 10"): ("reason", "already_invited", "conditions"),
}


@pytest.mark.parametrize("text", FAILING)
def test_what_is_not_as_expected_is_named(shop, capsys, text):
    """The key, what was expected and what was found; with the criteria of every account."""
    found = run_json(shop, capsys, f"name: A\n{text}\n", code=1)
    (one,) = found["tests"]
    (wrong,) = one["mismatches"]
    assert (wrong["key"], wrong["expected"], wrong["found"]) == FAILING[text]
    assert [each["account"] for each in one["accounts"]] == ["Books", "Germany"]
    assert (found["ok"], found["failed"], one["path"], one["line"]) == (False, 1, "tests.d/germany.yaml", 1)


BROKEN = {
    "name: A\nexpect: {invited: true}\n": ("tests.d/germany.yaml:1:1", "missing-key", "store_code"),
    "name: A\norder: {}\nexpect: {invited: true}\n": (
        "tests.d/germany.yaml:2:1", "missing-key", "store_code",
    ),
    "order: {store_code: de}\nexpect: {invited: true}\n": ("tests.d/germany.yaml:1:1", "missing-key", "name"),
    "name: A\norder: {store_code: de}\n": ("tests.d/germany.yaml:1:1", "missing-key", "expect"),
    "name: A\norder: {store_code: de, grandtotal: 1}\nexpect: {invited: true}\n": (
        "tests.d/germany.yaml:2:25", "unknown-key", "did you mean `grand_total`?",
    ),
    "name: A\norder: {store_code: de, items: [{skuu: a}]}\nexpect: {invited: true}\n": (
        "tests.d/germany.yaml:2:34", "unknown-key", "did you mean `sku`?",
    ),
    "name: A\norder: {store_code: de, shipping_postcode: 12345}\nexpect: {invited: true}\n": (
        "tests.d/germany.yaml:2:44", "wrong-type", 'put it in quotes: "12345"',
    ),
    "name: A\norder: {store_code: de}\nexpect: {invited: yes}\n": (
        "tests.d/germany.yaml:3:19", "wrong-type", "expected true or false, got ",
    ),
    "name: A\norder: {store_code: de}\nexpect: {invited: true, account: germny}\n": (
        "tests.d/germany.yaml:3:34", "unknown-account", "did you mean `Germany`?",
    ),
    "name: A\norder: {store_code: de}\nexpect: {invited: false, reason: condition}\n": (
        "tests.d/germany.yaml:3:34", "unknown-value", "did you mean `conditions`?",
    ),
    "name: A\norder: {store_code: de}\nexpect: {invited: true, reason: conditions}\n": (
        "tests.d/germany.yaml:3:25", "contradiction", "invited: false",
    ),
    "name: A\norder: {store_code: de}\nexpect: {invited: false, channel: link}\n": (
        "tests.d/germany.yaml:3:26", "contradiction", "invited: true",
    ),
    "name: A\norder: {store_code: de, created_at: yesterday}\nexpect: {invited: true}\n": (
        "tests.d/germany.yaml:2:37", "invalid-text", "2026-11-30T12:00:00Z",
    ),
    "name: A\nnow: soon\norder: {store_code: de}\nexpect: {invited: true}\n": (
        "tests.d/germany.yaml:2:6", "invalid-text", "2026-11-30T12:00:00Z",
    ),
    "name: A\nname: B\norder: {store_code: de}\nexpect: {invited: true}\n": (
        "tests.d/germany.yaml:2:1", "duplicate-key", "occurs twice",
    ),
    "- a\n": ("tests.d/germany.yaml:1:1", "not-a-mapping", "key: value"),
}  # fmt: skip


@pytest.mark.sampled(2)
@pytest.mark.parametrize("text", BROKEN)
def test_a_mistake_in_a_file_has_its_place_and_a_hint(shop, capsys, text):
    """Path, line and column, the rule, and what to write; such a test makes the run fail."""
    write(shop, text)
    place, rule, hint = BROKEN[text]
    assert shop.cli("test") == 1
    found = capsys.readouterr()
    assert f"{place}: error[{rule}]" in found.err
    assert hint in found.err
    assert "1 error in the files" in found.out


def test_all_mistakes_of_all_files_come_in_one_run(shop, capsys):
    """A mistake hides no other, and keeps no sound test from running."""
    write(shop, "name: A\norder: {store_code: de, colour: red}\nexpect: {invited: 1, chanel: link}\n")
    write(shop, f"name: B\n{PASSING[0]}\n", name="deep/below/b.yml")
    assert shop.cli("test", "--format", "json") == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["passed"], len(found["diagnostics"])) == (1, 3)


def test_the_output_for_people(shop, capsys):
    """One line per test; below a failed one what is wrong, and the criteria as explain shows them."""
    text = "---\n".join(
        f"name: Test {at}\n{each}\n" for at, each in enumerate((PASSING[1], *list(FAILING)[1:3]))
    )
    write(shop, text)
    assert shop.cli("test") == 1
    check_golden(GOLDEN / "test.txt", without_passed_criteria(capsys.readouterr().out))


def test_the_output_for_ci_systems(shop, capsys):
    """JUnit's XML counts tests, failures and errors; a failure has a message."""
    write(shop, f"name: A & B\n{PASSING[0]}\n---\nname: C\n{next(iter(FAILING))}\n---\nname: D\n")
    assert shop.cli("test", "--format", "junit") == 1
    text = capsys.readouterr().out
    check_golden(GOLDEN / "test.xml", without_passed_criteria(text))
    suite = ET.fromstring(text)[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("3", "1", "1")
    assert [each.get("name") for each in suite][:2] == ["A & B", "C"]


def test_tests_are_found_where_the_project_or_the_argument_says(shop, capsys):
    """`tests:` names a folder; PATH a folder or one file; a folder that does not exist is an error."""
    assert shop.cli("test") == 0
    assert "No tests yet" in capsys.readouterr().err
    path = write(shop, f"name: A\n{PASSING[0]}\n")
    write(shop, f"name: B\n{PASSING[0]}\n", name="more/b.yaml")
    for arguments, count in (((), 2), ((str(path),), 1), (("tests.d/more",), 1)):
        assert shop.cli("test", *arguments) == 0
        assert f"{count} passed, 0 failed." in capsys.readouterr().out
    assert shop.cli("test", "elsewhere") == 1
    assert "elsewhere cannot be read" in capsys.readouterr().err
    shop.settings("version: 1\norders: {file: orders.jsonl}\ntests: checks\n")
    assert shop.cli("test") == 1
    (shop.folder / "tests.d").rename("checks")
    assert shop.cli("test") == 0


def test_an_account_may_have_its_own_order_source(shop, capsys):
    """The order of a test comes from the source of the account that it names, or else from any."""
    shop.settings("version: 1\norders: {eu: {file: eu.jsonl}, us: {file: us.jsonl}}\n")
    shop.account("Germany", "28374", "store_views: [de]", "orders: eu")
    shop.account("Books", "31905", "store_views: [de]", "orders: us")
    for expected in ("account: Germany, invited: true", "account: Books, invited: true", "invited: true"):
        write(shop, f"name: A\norder: {{store_code: de}}\nexpect: {{{expected}}}\n")
        assert shop.cli("test") == 0
    capsys.readouterr()


def test_a_column_that_a_rule_names_may_be_in_an_order(shop, capsys):
    """Fields by their path, as `field` and consent read them; a column that no rule names stays unknown."""
    shop.account("Germany", "28374", "store_views: [de]\nconditions: {field: {path: gift_note, eq: hello}}")
    shop.account("Books", "31905", "store_views: [at]\nconsent: {field: custom_attributes.opt, accept: [ja]}")
    noted = "order: {store_code: de, gift_note: hello}\nexpect: {invited: true, account: Germany}\n"
    agreed = (
        "order: {store_code: at, custom_attributes: {opt: ja}}\nexpect: {invited: true, account: Books}\n"
    )
    found = run_json(shop, capsys, f"name: A\n{noted}---\nname: B\n{agreed}", code=0)
    assert found["passed"] == 2
    found = run_json(shop, capsys, f"name: A\n{noted.replace('gift_note', 'gift_nota')}", code=1)
    assert found["diagnostics"][0]["rule"] == "unknown-key"


ATTRIBUTES = {
    "store_view: at": None,
    "grand_total: 12.5": {"all": [{"grand_total": {"eq": 12.5}}, {"total_paid": {"eq": 12.5}}]},
    "total_qty: 3": {"total_qty": {"eq": 3}},
    "item_count: 4": {"item_count": {"eq": 4}},
    "currency: CHF": {"currency": {"eq": "CHF"}},
    "is_guest: true": {"is_guest": {"eq": True}},
    "shipping_country: FR": {"all": [{"shipping_country": {"eq": "FR"}}, {"billing_country": {"eq": "DE"}}]},
    "{is_virtual: true, shipping_country: FR}": {"shipping_country": {"eq": "FR"}},
    "shipping_city: Bonn": {"shipping_city": {"eq": "Bonn"}},
    "billing_country: AT": {"billing_country": {"eq": "AT"}},
    "email_domain: shop.example": {"email_domain": {"eq": "shop.example"}},
    "has_company: true": {"has_company": {"eq": True}},
    "has_vat_id: true": {"has_vat_id": {"eq": True}},
    "items: [{sku: A, qty: 2, price: 5}, {sku: B}]": {
        "all": [
            {"total_qty": {"eq": 3}},
            {"item_count": {"eq": 2}},
            {"any_item": {"row_total": {"eq": 10}}},
        ]
    },
    "items: [{category_id: 12}]": {"any_item": {"category_id": {"in": [12]}}},
    "items: []": {"item_count": {"eq": 0}},
    "shipping_address: {city: Ulm}": {
        "all": [{"shipping_city": {"eq": "Ulm"}}, {"shipping_country": {"eq": "DE"}}]
    },
    "total_paid: null": {"total_paid": {"ne": 100}},
}


@pytest.mark.parametrize("written", ATTRIBUTES)
def test_an_order_may_be_written_with_the_attributes_of_conditions(written):
    """An attribute means what conditions mean by it; amounts and counts that follow from others do so."""
    text = written if written[0] == "{" else f"{{{written}}}"
    (document,), _ = read("a.yaml", f"name: A\norder: {text}\n"
                          "expect: {invited: true}\n".encode())  # fmt: skip
    assert problems(document) == []
    order = order_of_test(document.data["order"], Codes())
    condition = ATTRIBUTES[written]
    assert order.store_view == "at" if condition is None else compile_condition(condition)(order)


def test_the_default_order_is_an_ordinary_one():
    """Complete, in EUR, of group General, one simple item, an address and a mobile number."""
    order = order_of_test({}, Codes())
    assert (order.state, order.status, order.customer_group) == ("complete", "complete", "General")
    assert (order.grand_total, order.currency, order.total_qty, order.item_count) == (100, "EUR", 1, 1)
    assert (order.items[0].product_type, order.items[0].row_total) == ("simple", 100)
    assert (order.contact.email, order.contact.telephone) == ("customer@example.com", "+4915112345678")
    assert (order.shipping_country, order.is_guest, order.refunded) == ("DE", False, False)
    assert order_of_test({"is_guest": True}, Codes()).customer_group == "NOT LOGGED IN"
    assert order_of_test({"customer_group": "NOT LOGGED IN"}, Codes()).is_guest is True
    assert order_of_test({"status": "pending"}, Codes()).state == "new"
    assert order_of_test({"status": "shipped"}, Codes()).state == "complete"
    assert order_of_test({"status": "shipped", "state": "processing"}, Codes()).state == "processing"


def test_the_schema_is_a_schema_and_takes_whole_orders():
    """Editors can use it; the default order with everything filled in is valid."""
    schema = rule_test_schema()
    Draft202012Validator.check_schema(schema)
    test = {"name": "A", "order": order_record({}), "expect": {"invited": True}}
    Draft202012Validator(schema).validate(test)


@pytest.mark.parametrize(("skip", "expect"), [("true", f"{LEFT}: reviewed"), ("false", "invited: true")])
def test_an_order_may_have_a_review(shop, capsys, skip, expect):
    """`given: {reviewed: true}` stands for a review of the order at the account's interface."""
    shop.account("Germany", "28374", f"{GERMANY}\nskip_reviewed: {skip}")
    text = f"name: reviewed\n{case(expect, more='given: {reviewed: true}' + chr(10))}\n"
    run_json(shop, capsys, text, code=0)
