"""Rules that ask for what no order carries: fields that do not exist, stores and groups without a name."""

from __future__ import annotations

import csv
import io
import json
from time import time

import pytest
from support_loop import DAY, Loop, account, text
from support_loop import order as old_order

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.model.rule import InvitationRule, Selection
from ekomi_reconcile.reconcile.absent_fields import OMITTED_WHEN_EMPTY, Carried, absent_fields, nameless

FIELDS = {
    "payment_method": ({"payment": {"method": "checkmo"}}, {"payment_method": "checkmo"}),
    "grand_total": ({"grand_total": 80},),
    "coupon_code": ({"coupon_code": ""}, {"coupon_code": None}),
    "has_company": ({"billing_address": {"company": ""}},),
    "shipping_country": ({"shipping_address": {"country_id": "DE"}},),
    "is_virtual": ({"is_virtual": 0},),
    "total_refunded": ({"total_refunded": None},),
    "email_domain": ({"customer_email": "a@example.com"},),
}
TESTS = {"grand_total": {"gte": 50}, "total_refunded": {"gt": 0}, "has_company": {"eq": True}}
TESTS["is_virtual"] = {"eq": True}


def order(key):
    """An order of these days: doctor looks at recent ones only."""
    now = int(time())
    return old_order(key, created_at=text(now - 9 * DAY), updated_at=text(now - 6 * DAY))


def condition(name, *, negative=False):
    """A condition on this attribute."""
    leaf = {name: TESTS.get(name, {"starts_with": "m2epro"})}
    return {"not": leaf} if negative else leaf


def project(tmp_path, orders, *, name="orders.jsonl", **rule):
    """A project with these orders in one file, and one account."""
    sources = {"file": name, **rule.pop("source", {})}
    loop = Loop(tmp_path, orders=sources)
    loop.write_accounts([account("9", skip_orders_older_than=0, **rule)])
    loop.write_orders(orders)
    return loop


def bare(key):
    """An order with nothing that a condition could look at."""
    return {
        name: value for name, value in order(key).items() if name not in ("grand_total", "customer_email")
    }


def warned(loop, rule):
    """What the plan and doctor say by this rule or check: it is the same."""
    found = [
        (each.message, each.hint)
        for each in loop.first_plan(now=int(time())).diagnostics
        if each.rule == rule
    ]
    check = {"absent-field": "rule-fields", "nameless-store": "store-views"}.get(rule, "customer-groups")
    _, out, _ = loop.command("doctor", "--offline", "--format", "json")
    notes = [each for each in json.loads(out)["checks"] if each["check"] == check]
    said = [
        (each["message"], each.get("hint", each.get("hint"))) for each in notes if each["status"] == "warn"
    ]
    assert [each for each in said if "not checked" not in each[0]] == found
    return [message for message, _ in found]


@pytest.mark.parametrize("negative", [False, True])
@pytest.mark.parametrize("name", FIELDS)
def test_a_condition_on_a_field_that_the_file_has_not_is_reported(tmp_path, name, negative):
    """Rule and field are named, also where the condition is negative and therefore holds for everybody."""
    loop = project(tmp_path, [bare(1), bare(2)], conditions=condition(name, negative=negative))
    (message,) = warned(loop, "absent-field")
    assert f"order source default: no order has {name} " in message
    assert "Account 9" in message


@pytest.mark.parametrize(
    ("rule", "rules"),
    [
        ("absent-field", {"conditions": {"payment_method": {"eq": "paypal"}}}),
        ("nameless-store", {"store_views": ["de"]}),
        ("nameless-customer-group", {"customer_groups": {"exclude": ["B2B"]}}),
    ],
)
def test_several_accounts_share_one_warning(tmp_path, rule, rules):
    """It names those whose rules ask, once, and not the others."""
    ids = {"store_code": None, "store_id": 3, "customer_group": None, "customer_group_id": 5}
    loop = project(tmp_path, [bare(1) | ids])
    accounts = [account(each, skip_orders_older_than=0, **rules) for each in ("7", "8")]
    loop.write_accounts([*accounts, account("9", skip_orders_older_than=0)])
    (message,) = warned(loop, rule)
    assert "Account 7, Account 8 " in message
    assert "Account 9" not in message


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_there_but_empty_is_not_reported(tmp_path, name):
    """One order with the field will do, wherever the file has it, and whatever is in it."""
    for number, fields in enumerate(FIELDS[name]):
        loop = project(tmp_path / str(number), [bare(1), bare(2) | fields], conditions=condition(name))
        assert warned(loop, "absent-field") == []


@pytest.mark.parametrize(
    ("header", "absent"),
    [
        ("payment_method", False),
        ("payment.method", False),
        ("payment", False),
        ("shipping_method", True),
        ("pay", True),
    ],
)
def test_the_columns_of_a_csv_file_decide(tmp_path, header, absent):
    """An empty column is there; one that holds the field as JSON, too."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [*order(1), header], lineterminator="\n")
    writer.writeheader()
    writer.writerow(order(1))
    loop = project(tmp_path, [], name="orders.csv", conditions=condition("payment_method", negative=True))
    (tmp_path / "orders.csv").write_text(text.getvalue())
    assert bool(warned(loop, "absent-field")) is absent


@pytest.mark.parametrize("fields", [{"sku": "A"}, {"category_ids": []}, {"extension_attributes": {}}])
def test_fields_of_items_are_looked_for_in_items(tmp_path, fields):
    """A field of the order with the same name is none of its items."""
    rule = {"conditions": {"any_item": {"category_id": {"in": [1]}}}}
    loop = project(tmp_path, [bare(1) | {"category_ids": [1], "items": [{"item_id": 1, **fields}]}], **rule)
    assert bool(warned(loop, "absent-field")) is ("category_ids" not in fields)


KINDS = [
    ("customer_groups", "customer_group_id", "nameless-customer-group", 5),
    ("store_views", "store_id", "nameless-store", 7),
]


@pytest.mark.parametrize("chosen", [["B2B"], {"exclude": ["B2B"]}])
@pytest.mark.parametrize(("key", "id_field", "rule", "number"), KINDS)
def test_ids_without_a_name_are_reported_where_a_rule_names(tmp_path, key, id_field, rule, number, chosen):
    """With the ids and the key of the project file; with that key the name counts."""
    unnamed = {
        name: value for name, value in order(1).items() if name not in ("store_code", "customer_group")
    }
    orders = [unnamed | {id_field: number}, unnamed | {"entity_id": 2, id_field: number}]
    loop = project(tmp_path, orders, **{key: chosen})
    (message,) = warned(loop, rule)
    project_key = "orders.stores" if key == "store_views" else "orders.customer_groups"
    assert f"without a name in {project_key} ({number})" in message
    _, out, _ = loop.command("explain", "#1")
    assert f"id {number}, which has no name in {project_key}" in out
    loop.write_project(orders={"file": "orders.jsonl", project_key.partition(".")[2]: {str(number): "B2B"}})
    assert warned(loop, rule) == []
    assert bool(len(loop.first_plan(now=int(time())).invitations.schedule)) is (chosen == ["B2B"])


@pytest.mark.parametrize(("key", "id_field", "rule", "number"), KINDS)
def test_ids_do_not_matter_to_rules_without_names(tmp_path, key, id_field, rule, number):
    """A rule for all store views and groups has no use for their names."""
    unnamed = {
        name: value for name, value in order(1).items() if name not in ("store_code", "customer_group")
    }
    loop = project(tmp_path, [unnamed | {id_field: number}])
    assert [each.rule for each in loop.first_plan(now=int(time())).diagnostics if each.rule == rule] == []


class Shop:
    """A source that does not know which fields its orders can have."""

    name = "default"


@pytest.mark.parametrize("count", [199, 200, 500])
@pytest.mark.parametrize("name", sorted(set(FIELDS) | OMITTED_WHEN_EMPTY))
def test_a_shop_is_judged_by_many_orders_and_by_what_it_never_omits(count, name):
    """Fields that Magento leaves out when they are empty prove nothing, nor do few orders."""
    leaf = {name: {"in": [1]}}
    rule = {"any_item": leaf} if name == "category_id" else leaf
    asking = Account(
        name="Germany",
        interface_id="1",
        interface_password="${env:X}",
        invitations=InvitationRule(enabled=True, conditions={"not": rule}),
    )
    carried = Carried.for_rules([asking])
    for key in range(count):
        carried.see([Order(order_id=key + 1, number="1", created_at=0)])
    found = [each.message for each in absent_fields(Shop(), carried, [asking])]
    assert len(found) == (count >= 200 and name not in OMITTED_WHEN_EMPTY)
    assert all(f"none of the {count} orders read has {name}," in each for each in found)


@pytest.mark.parametrize(("source", "prefix"), [("default", "orders"), ("eu", "orders.eu")])
def test_the_key_that_names_ids_is_that_of_their_source(source, prefix):
    """Of several order sources each has names of its own; the hint can be typed as it stands."""
    chosen = Selection(frozenset({"de"}))
    rule = InvitationRule(enabled=True, store_views=chosen, customer_groups=chosen)
    asking = Account(name="Germany", interface_id="1", interface_password="${env:X}", invitations=rule)
    carried = Carried.for_rules([asking])
    carried.see([Order(order_id=1, number="1", created_at=0, store_id=7, customer_group_id=5)])
    said = [each.hint for each in nameless(source, carried, [asking])]
    keys = {"stores": 7, "customer_groups": 5}
    assert said == [f"add their names to {prefix}.{key}: {{{found}: NAME}}" for key, found in keys.items()]
