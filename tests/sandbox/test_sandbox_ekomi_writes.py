"""putOrder, putProduct, getProduct."""

import json

import pytest

NOW = 1_750_000_000
DAY = 86400


def put_order(api, **params):
    """putOrder, decoded."""
    return api.json("putOrder", **{"order_id": "100000123", **params})


def test_a_first_and_a_second_time(api, world):
    """The second answer has the same link and hash and says since when the order is known."""
    first = put_order(api)
    world.clock.advance(100)
    second = put_order(api)
    assert (first["done"], first["done_at"], first["known_since"]) == (1, NOW, 0)
    assert first["link"].startswith("https://")
    assert first["hash"] in first["link"]
    assert second == first | {"known_since": NOW, "done_at": NOW + 100}


def test_links_differ_by_order_and_shop(api):
    """An order of another number or another shop has another link."""
    links = {
        put_order(api)["link"],
        put_order(api, order_id="2")["link"],
        put_order(api, auth="28375|sandbox-fr")["link"],
    }
    assert len(links) == 3


@pytest.mark.parametrize(("form", "first"), [("zero", 0), ("null", None), ("date", "2025-06-15")])
def test_known_since_of_a_new_order(api, world, form, first):
    """What a new order says is a switch."""
    world.switch(known_since_first=form)
    assert put_order(api)["known_since"] == first


def test_known_since_absent_and_as_a_date(api, world):
    """It may be missing first and a date later."""
    world.switch(known_since_first="absent", known_since_repeat="date")
    assert "known_since" not in put_order(api)
    world.clock.advance(3 * DAY)
    assert put_order(api)["known_since"] == "2025-06-15"


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        ("15.06.2025", "Invalid date. Expected: YYYY-MM-DD"),
        ("1750000000", "Invalid date. Expected: YYYY-MM-DD"),
        ("2025-02-30", "Invalid date"),
    ],
)
def test_refused_timestamps(api, stamp, text):
    """ordertimestamp is a real day written YYYY-MM-DD; a refused order is not registered."""
    answer = api.call("putOrder", type="json", order_id="1", ordertimestamp=stamp)
    assert (answer.status_code, answer.text) == (200, text)
    assert api.outbox() == []
    assert put_order(api, order_id="1", ordertimestamp="2025-06-15")["known_since"] == 0


def test_date_and_time(api, world):
    """A time of day is accepted, as official clients send it, but not a wrong one; by switch only a date."""
    assert put_order(api, ordertimestamp="2025-06-15 10:00:00")["done"] == 1
    assert "Invalid" in api.call("putOrder", order_id="2", ordertimestamp="2025-06-15 25:00:00").text
    world.switch(order_timestamp="date")
    assert "YYYY-MM-DD" in api.call("putOrder", order_id="2", ordertimestamp="2025-06-15 10:00:00").text


def test_something_is_wrong(api):
    """Without an order id or with an unknown way to update products the request is refused."""
    assert api.call("putOrder").text == "Something in your request was wrong."
    answer = api.call("putOrder", order_id="1", product_ids_update_method="merge")
    assert answer.text == "Something in your request was wrong."


def test_products_are_appended_or_replaced(api, world):
    """product_ids add up without repeats, unless they replace."""
    put_order(api, product_ids="A,B")
    put_order(api, product_ids="B,C")
    orders = world.shops["28374"].orders
    assert orders["100000123"].product_ids == ["A", "B", "C"]
    put_order(api, product_ids="D", product_ids_update_method="replace")
    assert orders["100000123"].product_ids == ["D"]


def test_put_order_sends_nothing_but_is_counted(api):
    """The outbox shows a link per order, how often it was asked for, and that nobody was written to."""
    put_order(api)
    put_order(api)
    entry = api.outbox()[0]
    assert (entry["channel"], entry["transaction_id"], entry["requests"]) == ("link", "100000123", 2)
    assert (entry["delivered"], entry["email"]) == (False, None)
    assert "sandbox-de" not in str(entry)


def test_products(api):
    """A product is stored, overwritten and read back."""
    other = '{"image_url":"https://shop.example.com/1.png"}'
    api.json("putProduct", product_id="BK1", product_name="Bike")
    assert api.json("putProduct", product_id="BK1", product_name="Bell", product_other=other)["done"] == 1
    product = api.json("getProduct", product="BK1")
    assert (product["product_name"], product["product_other"], product["done"]) == ("Bell", other, 1)
    assert "avg_rating" not in product


def test_average_of_a_product(api, world):
    """content=avg_rating adds the average of the product's reviews."""
    api.json("putProduct", product_id="P1", product_name="Bike")
    ratings = [r.rating for r in world.shops["28374"].product_reviews if r.product_id == "P1"]
    product = api.json("getProduct", product="P1", content="avg_rating")
    assert product["avg_rating"] == f"{sum(ratings) / len(ratings):.2f}"


def test_unknown_products(api):
    """getProduct names what is missing."""
    assert api.call("getProduct").text == "Product parameter is empty."
    assert api.call("getProduct", product="X").text == "Product ID not found."


@pytest.mark.parametrize(
    "params",
    [
        {"product_id": "BK 1", "product_name": "Bike"},
        {"product_id": "B" * 33, "product_name": "Bike"},
        {"product_id": "", "product_name": "Bike"},
        {"product_id": "BK1"},
        {"product_id": "BK1", "product_name": "Bike", "product_other": "{no json"},
    ],
)
def test_refused_products(api, params):
    """Ids are 1-32 letters, digits, - and _, names are needed, JSON has to be JSON."""
    assert api.call("putProduct", **params).text == "Something in your request was wrong."


@pytest.mark.parametrize(
    ("switch", "product_id", "accepted"),
    [
        ("dashes", "BK-1_a", True),
        ("dashes", "BK 1", False),
        ("refused", "BK-1", False),
        ("refused", "BK1", True),
        ("accepted", "Öl 1/2", True),
    ],
)
def test_odd_product_ids_by_switch(api, world, switch, product_id, accepted):
    """putProduct, putOrder and add-recipient take the same ids; by default - and _ are among them."""
    assert world.switches.odd_product_ids == "dashes"
    world.switch(odd_product_ids=switch)
    put = api.call("putProduct", type="json", product_id=product_id, product_name="Bike")
    order = api.call("putOrder", type="json", order_id="1", product_ids=product_id)
    ask = api.ask(has_products="1", products_info=json.dumps({product_id: "Bike"})).json()
    found = {"done" in put.text, "done" in order.text, ask["status"] == "success"}
    assert found == {accepted}


def test_shops_without_product_reviews(api, world):
    """A shop whose tier has no product reviews refuses requests with products, or ignores them."""
    world.shops["28374"].has_product_feedback = False
    assert "package" in api.call("putProduct", product_id="BK1", product_name="Bike").text
    asked = {"has_products": "1", "products_info": '{"BK1": "Bike"}'}
    assert "package" in api.ask(**asked).json()["message"]
    assert api.outbox() == []
    world.switch(product_tier="ignored")
    assert api.ask(**asked).json()["status"] == "success"
    assert world.shops["28374"].products == {}
