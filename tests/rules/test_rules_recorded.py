"""Every attribute and operator of the conditions, over orders that a real shop answered with."""

import fnmatch
import json
from pathlib import Path

import msgspec
import pytest

from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.reader import OrderReader
from ekomi_reconcile.rules.conditions import compile_condition

RECORDED = Path(__file__).parent.parent / "data" / "magento" / "orders"
RAW = json.loads((RECORDED / "page_20_full.json").read_text())["response"]["json"]["items"]


def address(raw):
    """The shipping address, of a virtual order the billing address."""
    shipping = raw["extension_attributes"]["shipping_assignments"][0].get("shipping") or {}
    return raw["billing_address"] if raw["is_virtual"] else shipping.get("address", {})


def method(raw):
    """The shipping method."""
    shipping = raw["extension_attributes"]["shipping_assignments"][0].get("shipping") or {}
    return shipping.get("method")


NUMBERS = {
    "grand_total": lambda raw: raw.get("grand_total"),
    "base_grand_total": lambda raw: raw.get("base_grand_total"),
    "subtotal": lambda raw: raw.get("subtotal"),
    "base_subtotal": lambda raw: raw.get("base_subtotal"),
    "discount_amount": lambda raw: raw.get("discount_amount"),
    "shipping_amount": lambda raw: raw.get("shipping_amount"),
    "total_qty": lambda raw: raw.get("total_qty_ordered"),
    "item_count": lambda raw: raw.get("total_item_count"),
    "weight": lambda raw: raw.get("weight"),
}
TEXTS = {
    "currency": lambda raw: raw.get("order_currency_code"),
    "coupon_code": lambda raw: raw.get("coupon_code"),
    "payment_method": lambda raw: raw["payment"]["method"],
    "shipping_method": method,
    "shipping_country": lambda raw: address(raw).get("country_id"),
    "shipping_region": lambda raw: address(raw).get("region"),
    "shipping_postcode": lambda raw: address(raw).get("postcode"),
    "shipping_city": lambda raw: address(raw).get("city"),
    "billing_country": lambda raw: raw["billing_address"].get("country_id"),
    "email_domain": lambda raw: raw["customer_email"].partition("@")[2],
}
NUMBER_OPERATORS = {
    "eq": lambda value, wanted: value == wanted,
    "ne": lambda value, wanted: value != wanted,
    "gt": lambda value, wanted: value > wanted,
    "gte": lambda value, wanted: value >= wanted,
    "lt": lambda value, wanted: value < wanted,
    "lte": lambda value, wanted: value <= wanted,
    "between": lambda value, wanted: wanted[0] <= value <= wanted[1],
    "in": lambda value, wanted: value in wanted,
    "not_in": lambda value, wanted: value not in wanted,
}
TEXT_OPERATORS = {
    "eq": lambda value, wanted: value == wanted,
    "ne": lambda value, wanted: value != wanted,
    "in": lambda value, wanted: value in wanted,
    "not_in": lambda value, wanted: value not in wanted,
    "contains": lambda value, wanted: wanted in value,
    "not_contains": lambda value, wanted: wanted not in value,
    "starts_with": lambda value, wanted: value.startswith(wanted),
    "ends_with": lambda value, wanted: value.endswith(wanted),
    "glob": fnmatch.fnmatchcase,
}
NEGATIVE = {"ne", "not_in", "not_contains"}


@pytest.fixture(scope="module")
def orders():
    """The recorded orders as the rules see them."""
    reader = OrderReader(Codes({}, {}))
    return [reader.order(msgspec.json.encode(each)) for each in RAW]


def wanted_for(operator, values):
    """Operands made of values that occur."""
    for value in values:
        if operator in ("in", "not_in"):
            yield [value, values[0]]
        elif operator == "between":
            yield sorted([value, values[0]])
        elif operator == "glob":
            yield f"{value[:2]}*"
        else:
            yield value


def check(orders, attribute, value_of, operator, holds, *, fold):
    """The compiled condition says of every order what its raw answer says."""
    values = sorted({value for raw in RAW if (value := value_of(raw)) is not None})
    for wanted in wanted_for(operator, values):
        compiled = compile_condition({attribute: {operator: wanted}})
        for raw, order in zip(RAW, orders, strict=True):
            value = value_of(raw)
            expected = operator in NEGATIVE if value is None else holds(fold(value), fold(wanted))
            assert compiled(order) is expected, (raw["entity_id"], attribute, operator, wanted)


@pytest.mark.parametrize("operator", NUMBER_OPERATORS)
@pytest.mark.parametrize("attribute", NUMBERS)
def test_numbers_of_recorded_orders(orders, attribute, operator):
    """Each number attribute with each operator, for every value that occurs."""
    check(
        orders, attribute, NUMBERS[attribute], operator, NUMBER_OPERATORS[operator], fold=lambda value: value
    )


@pytest.mark.parametrize("operator", TEXT_OPERATORS)
@pytest.mark.parametrize("attribute", TEXTS)
def test_texts_of_recorded_orders(orders, attribute, operator):
    """Each text attribute with each operator, for every value that occurs, in any letter case."""

    def fold(value):
        return [each.casefold() for each in value] if isinstance(value, list) else value.casefold()

    check(orders, attribute, TEXTS[attribute], operator, TEXT_OPERATORS[operator], fold=fold)


@pytest.mark.parametrize(
    ("attribute", "key"), [("is_guest", "customer_is_guest"), ("is_virtual", "is_virtual")]
)
def test_yes_and_no_of_recorded_orders(orders, attribute, key):
    """0 and 1 of the shop are no and yes."""
    for wanted in (True, False):
        compiled = compile_condition({attribute: {"eq": wanted}})
        assert [compiled(order) for order in orders] == [bool(raw[key]) is wanted for raw in RAW]


def top_level(raw):
    """The rows that a customer sees."""
    return [row for row in raw["items"] if "parent_item_id" not in row]


@pytest.mark.parametrize("key", ["sku", "name", "product_type"])
def test_items_of_recorded_orders(orders, key):
    """any_item, every_item and no_item look at top-level rows only: configurables and bundles count once."""
    values = sorted({row[key] for raw in RAW for row in top_level(raw) if row.get(key)})
    for value in values:
        inner = {key: {"eq": value}}
        for raw, order in zip(RAW, orders, strict=True):
            hits = [(row.get(key) or "").casefold() == value.casefold() for row in top_level(raw)]
            assert compile_condition({"any_item": inner})(order) is any(hits)
            assert compile_condition({"every_item": inner})(order) is (bool(hits) and all(hits))
            assert compile_condition({"no_item": inner})(order) is not any(hits)


@pytest.mark.parametrize(("of", "key"), [("qty", "qty_ordered"), ("row_total", "row_total")])
def test_sums_of_recorded_orders(orders, of, key):
    """sum_items adds up the top-level rows."""
    for raw, order in zip(RAW, orders, strict=True):
        total = round(sum(row.get(key, 0) for row in top_level(raw)), 4)
        assert compile_condition({"sum_items": {"of": of, "eq": total}})(order)
        assert not compile_condition({"sum_items": {"of": of, "gt": total}})(order)
