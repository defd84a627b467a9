"""The seed: deterministic, well-formed, quick and in flat memory."""

import re
import time
import tracemalloc
from collections import Counter
from datetime import UTC, datetime
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.sandbox.seed import seeded_shops
from ekomi_reconcile.sandbox.seed_orders import orders
from ekomi_reconcile.sandbox.shops import CUSTOMER_GROUPS, STORE_VIEWS
from ekomi_reconcile.sandbox.world import SandboxClock, World

NOW = 1_750_000_000
DAY = 86400
PAIRS = {
    ("new", "pending"),
    ("processing", "processing"),
    ("complete", "complete"),
    ("closed", "closed"),
    ("canceled", "canceled"),
    ("holded", "holded"),
}


@pytest.fixture(scope="module")
def many():
    """Two thousand orders."""
    return list(orders(2000, 1, NOW))


def seconds(text):
    """Magento's UTC time as epoch seconds."""
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC).timestamp())


@given(seed=st.integers(0, 1000), now=st.integers(10**9, 2 * 10**9))
def test_shops_are_deterministic(seed, now):
    """The same seed and time give the same shops; a later time moves every review by the difference."""
    shops = seeded_shops(seed, now)
    assert shops == seeded_shops(seed, now)
    later = seeded_shops(seed, now + 500)
    moved = [r.submitted + 500 for shop in shops for r in shop.reviews]
    assert moved == [r.submitted for shop in later for r in shop.reviews]


def test_seeds_differ():
    """Another seed gives other reviews and orders."""
    assert seeded_shops(1, NOW) != seeded_shops(2, NOW)
    assert list(orders(5, 1, NOW)) != list(orders(5, 2, NOW))


@given(seed=st.integers(0, 1000))
def test_reviews_are_within_three_years(seed):
    """Every shop has old reviews, fresh ones, a repeated key, one without an order, ratings from 1 to 5."""
    for shop in seeded_shops(seed, NOW):
        ages = [NOW - review.submitted for review in shop.reviews]
        keys = Counter((review.order_id, review.submitted) for review in shop.reviews)
        assert 30 <= len(ages) <= 150
        assert min(ages) >= 0
        assert max(ages) <= 3 * 365 * DAY
        assert sum(age > 365 * DAY for age in ages) >= 6
        assert sum(age <= 27 * DAY for age in ages) >= 6
        assert max(keys.values()) == 2
        assert any(review.order_id == "" for review in shop.reviews)
        assert {review.rating for review in shop.reviews} <= {1, 2, 3, 4, 5}
        assert all(review.product_id for review in shop.product_reviews)


def test_the_world_begins_at_its_clock():
    """A world's reviews are relative to its clock, so a test may choose its time."""
    early, late = (
        World(clock=SandboxClock(now)).shops["10001"].reviews[-1].submitted for now in (NOW, NOW + 10)
    )
    assert late == early + 10


@given(count=st.integers(0, 60), seed=st.integers(0, 100))
def test_orders_are_deterministic(count, seed):
    """The same count, seed and time give the same orders, as many as asked for."""
    made = list(orders(count, seed, NOW))
    assert made == list(orders(count, seed, NOW))
    assert len(made) == count


def test_order_of_orders(many):
    """Ids and times rise, ids are unique and have gaps, all within 45 days and not in the future."""
    ids = [order["entity_id"] for order in many]
    times = [seconds(order["created_at"]) for order in many]
    assert ids == sorted(set(ids))
    assert ids[-1] > len(ids)
    assert times == sorted(times)
    assert times[0] >= NOW - 45 * DAY
    assert all(seconds(order["created_at"]) <= seconds(order["updated_at"]) <= NOW for order in many)
    assert len({order["increment_id"] for order in many}) == len(many)


def test_kinds_of_orders(many):
    """All stores, groups and steps occur; status and state belong together; most old orders are complete."""
    assert {(order["store_id"], order["store_code"]) for order in many} == {
        (view.store_id, view.code) for view in STORE_VIEWS
    }
    assert {(order["customer_group_id"], order["customer_group"]) for order in many} == set(
        CUSTOMER_GROUPS.items()
    )
    assert {(order["state"], order["status"]) for order in many} == PAIRS
    assert Counter(order["status"] for order in many[:1000]).most_common(1)[0][0] == "complete"


def test_guests_have_no_customer_id(many):
    """Absent values have no key: guests no customer id, orders without coupon no coupon code."""
    assert all(("customer_id" in o) == (o["customer_is_guest"] == 0) for o in many)
    assert all((o["customer_group_id"] == 0) == (o["customer_is_guest"] == 1) for o in many)
    assert 0 < sum("coupon_code" in o for o in many) < len(many)
    assert None not in {value for o in many for value in o.values() if not isinstance(value, list | dict)}


def test_virtual_orders_have_no_shipping(many):
    """A virtual order has neither shipping address nor method; every other has both."""
    for order in many:
        shipping = order["extension_attributes"]["shipping_assignments"][0]["shipping"]
        goes_by_post = order["is_virtual"] == 0
        assert ("address" in shipping) == ("method" in shipping) == goes_by_post
        assert order["billing_address"]["country_id"]
    assert 0 < sum(order["is_virtual"] for order in many) < 400


def test_items(many):
    """A configurable product counts once with its sku in a child row; bundles have parts; ids are unique."""
    tops = [item for order in many for item in order["items"] if "parent_item_id" not in item]
    assert {item["product_type"] for item in tops} == {"simple", "configurable", "bundle", "virtual"}
    for order in many:
        ids = [item["item_id"] for item in order["items"]]
        top = {item["item_id"]: item for item in order["items"] if "parent_item_id" not in item}
        assert len(ids) == len(set(ids))
        assert order["total_item_count"] == len(top)
        assert order["total_qty_ordered"] == sum(item["qty_ordered"] for item in top.values())
        for item in order["items"]:
            parent = top.get(item.get("parent_item_id"))
            assert (parent is not None) == ("parent_item_id" in item)
            if parent is not None and parent["product_type"] == "configurable":
                assert item["sku"] == parent["sku"]


def test_amounts(many):
    """Sums agree with rows, and base amounts with the rate."""
    for order in many:
        rows = sum(item["row_total"] for item in order["items"] if "parent_item_id" not in item)
        total = order["subtotal"] + order["discount_amount"] + order["shipping_amount"] + order["tax_amount"]
        assert order["subtotal"] == pytest.approx(rows, abs=0.01)
        assert order["grand_total"] == pytest.approx(total, abs=0.01)
        assert order["base_grand_total"] == pytest.approx(
            order["grand_total"] / order["base_to_order_rate"], abs=0.01
        )
        assert order["grand_total"] >= 0
    assert {order["order_currency_code"] for order in many} == {"EUR", "NOK"}


def test_history_is_as_rare_as_in_a_shop(many):
    """Most complete orders have no history; entries are newest first and never after the last update."""
    complete = [order for order in many if order["status"] == "complete"]
    assert sum(not order["status_histories"] for order in complete) > 0.8 * len(complete)
    assert any(order["status_histories"] for order in complete)
    for order in many:
        times = [seconds(entry["created_at"]) for entry in order["status_histories"]]
        assert times == sorted(times, reverse=True)
        assert all(time <= seconds(order["updated_at"]) for time in times)
        assert all(entry["parent_id"] == order["entity_id"] for entry in order["status_histories"])


def test_people_are_invented(many):
    """Addresses to write to are at example.com or missing, numbers are fictitious ones."""
    addresses = {order["customer_email"] for order in many}
    assert "" in addresses
    assert all(re.fullmatch(r"[a-z.]+\.\d+@example\.com", address) for address in addresses - {""})
    numbers = {order["billing_address"]["telephone"] for order in many}
    assert all(number.startswith(("+49 171 39200", "030 23125")) for number in numbers)
    assert len(addresses) < len(many)


@pytest.mark.slow
def test_fifty_thousand_orders_in_flat_memory():
    """The generator holds one order at a time, and is quick."""
    began = time.process_time()
    assert sum(1 for _ in orders(50_000, 1, NOW)) == 50_000
    assert time.process_time() - began < 10
    stream = orders(50_000, 1, NOW)
    sum(1 for _ in islice(stream, 2000))
    tracemalloc.start()
    sum(1 for _ in islice(stream, 2000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
