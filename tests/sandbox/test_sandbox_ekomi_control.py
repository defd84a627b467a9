"""The control endpoints: switches, clock, accounts, orders, counts."""

import json

import msgspec
import pytest

from ekomi_reconcile.sandbox.world import Switches

NOW = 1_750_000_000


def test_switches(api):
    """Switches are shown whole, changed in part and put back."""
    before = api.control("GET", "/switches")
    assert before == json.loads(msgspec.json.encode(Switches()))
    changed = api.control("PUT", "/switches", {"numbers": "numbers", "missing_functions": ["putOrder"]})
    assert changed == before | {"numbers": "numbers", "missing_functions": ["putOrder"]}
    assert api.control("PUT", "/switches", {"success_word": "ok"})["numbers"] == "numbers"
    assert api.control("DELETE", "/switches") == before


@pytest.mark.parametrize("changes", [{"colour": 1}, {"numbers": "roman"}, {"error_status": 42}, []])
def test_refused_switches(api, changes):
    """An unknown switch or value is refused and changes nothing."""
    answer = api.client.put(f"{api.server.url}/_sandbox/switches", json=changes)
    assert (answer.status_code, bool(answer.json()["error"])) == (400, True)
    assert api.control("GET", "/switches") == json.loads(msgspec.json.encode(Switches()))


def test_clock(api, world):
    """The clock is set, moved and let go, and the API lives by it."""
    assert api.control("GET", "/clock") == {"now": NOW, "iso": "2025-06-15T15:06:40Z", "fixed": True}
    api.control("PUT", "/clock", {"now": 1_800_000_000, "advance": 60})
    assert api.json("putProduct", product_id="A", product_name="B")["done_at"] == 1_800_000_060
    assert api.control("PUT", "/clock", {"advance": -60})["now"] == 1_800_000_000
    running = api.control("PUT", "/clock", {"now": None})
    assert running["fixed"] is False
    assert api.control("PUT", "/clock", {"advance": 1000})["now"] >= running["now"] + 1000


@pytest.mark.parametrize("wanted", [{"now": "tomorrow"}, {"later": 5}, 7])
def test_refused_times(api, wanted):
    """What is no time is refused."""
    assert api.client.put(f"{api.server.url}/_sandbox/clock", json=wanted).status_code == 400
    assert api.control("GET", "/clock")["now"] == NOW


def test_control_needs_json(api):
    """A body that is no JSON is refused, not ignored."""
    answer = api.client.put(f"{api.server.url}/_sandbox/switches", content=b"numbers=numbers")
    assert answer.status_code == 400


def test_seeded_accounts(api):
    """The five shops of the examples are there with their passwords and 30 to 150 reviews."""
    accounts = api.control("GET", "/accounts")
    assert {account["interface_id"]: account["password"] for account in accounts} == {
        "10001": "sandbox-brand-a",
        "10002": "sandbox-brand-b",
        "28374": "sandbox-de",
        "28375": "sandbox-fr",
        "28376": "sandbox-no",
    }
    assert all(30 <= account["reviews"] <= 150 for account in accounts)


def test_adding_an_account(api):
    """A shop is added with invented reviews and answers at once; its id is taken then."""
    new = {"interface_id": "5", "password": "p", "name": "Five", "locale": "fr_FR", "reviews": 12}
    assert api.control("POST", "/accounts", new)["reviews"] == 12
    assert len(api.rows(auth="5|p")) == 12
    assert api.json("getShopDetails", auth="5|p")["details"]["addressCountry"] == "FR"
    assert api.client.post(f"{api.server.url}/_sandbox/accounts", json=new).status_code == 409


def test_adding_an_account_with_reviews(api):
    """Its reviews may be given; one with a product id is of a product."""
    reviews = [
        {"submitted": NOW, "order_id": "1", "rating": 4, "review": "fine"},
        {"submitted": NOW, "order_id": "1", "rating": 3, "product_id": "P9"},
    ]
    api.control("POST", "/accounts", {"interface_id": "5", "password": "p", "reviews": reviews})
    assert [row["review"] for row in api.rows(auth="5|p")] == ["fine"]
    assert api.json("getProductfeedback", auth="5|p")[0]["product_id"] == "P9"


def test_changing_and_removing_an_account(api):
    """A changed password refuses the old one; a removed shop is unknown."""
    api.control("PATCH", "/accounts/28374", {"password": "new", "name": "Deutschland", "details": None})
    assert api.call("getAverage").text == "Access denied"
    assert api.json("getSnapshot", auth="28374|new")["info"]["account_name"] == "Deutschland"
    assert api.call("getShopDetails", auth="28374|new").text == "Not Found"
    api.control("DELETE", "/accounts/28374")
    assert api.call("getAverage", auth="28374|new").text == "Access denied"
    assert api.client.get(f"{api.server.url}/_sandbox/accounts/28374").status_code == 404
    assert api.client.patch(f"{api.server.url}/_sandbox/accounts/28375", json={"id": "1"}).status_code == 400


def test_changing_reviews(api):
    """Reviews are read, added with POST and replaced with PUT."""
    before = api.control("GET", "/accounts/28374/reviews")
    extra = [{"submitted": NOW, "order_id": "x", "rating": 1}]
    summary = api.control("POST", "/accounts/28374/reviews", extra)
    assert summary["reviews"] + summary["product_reviews"] == len(before) + 1
    assert api.control("PUT", "/accounts/28374/reviews", extra)["reviews"] == 1
    assert [row["order_id"] for row in api.rows()] == ["x"]


def test_request_counts(api):
    """Calls are counted by function and shop, refused ones too, under the documented name."""
    api.call("getaverage")
    api.raw("getAverage")
    api.ask()
    assert api.control("GET", "/requests") == {
        "total": 3,
        "functions": {"getAverage": 2, "add-recipient": 1},
        "shops": {"28374": {"getAverage": 1, "add-recipient": 1}, "": {"getAverage": 1}},
    }
    assert api.server.world.requests.of("getAverage") == 2
    assert api.server.world.requests.of("getAverage", "28374") == 1
    api.control("DELETE", "/requests")
    assert api.control("GET", "/requests")["total"] == 0


def test_orders_as_lines(api, world):
    """The seeded orders come as JSON lines, as many as the world has or as asked for."""
    lines = api.client.get(f"{api.server.url}/_sandbox/orders").text.splitlines()
    assert [json.loads(line) for line in lines] == list(world.orders())
    assert len(lines) == 200
    more = api.client.get(f"{api.server.url}/_sandbox/orders", params={"count": 1001, "seed": 7})
    assert more.text.count("\n") == 1001
    assert api.client.get(f"{api.server.url}/_sandbox/orders", params={"count": "x"}).status_code == 400


def test_orders_stay_when_the_clock_moves(world):
    """Orders are relative to the beginning of the world, not to the moment of asking."""
    before = list(world.orders(count=5))
    world.clock.advance(86400)
    assert list(world.orders(count=5)) == before
