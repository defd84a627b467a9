"""Faults, damage, changing orders, the clock and the log, driven through the control endpoints."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from magento_served import Answer, send, served

from ekomi_reconcile.sandbox.magento.settings import ShopClock, Workload
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop

ORDERS = "/rest/V1/orders?searchCriteria[pageSize]=2&fields=items[entity_id,status,updated_at],total_count"
SORTED = "&searchCriteria[sortOrders][0][field]=entity_id&searchCriteria[sortOrders][0][direction]=ASC"
NOW = 1795440000


class Sandbox:
    """A small shop on a socket, an admin's login, and its control endpoints."""

    def __init__(self, shop: SimulatedShop, base: str) -> None:
        self.shop = shop
        self.base = base
        self.headers = {"Authorization": f"Bearer {shop.admin_token()}"}

    def control(self, method: str, address: str, /, **body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        sent = json.dumps(body) if body else ""
        answer = send(self.base, method, f"/_sandbox/magento{address}", headers=headers, body=sent)
        assert answer.status == 200, answer.body
        return answer.json()

    def get(self, target: str = ORDERS + SORTED, **headers: str) -> Answer:
        return send(self.base, "GET", target, headers=self.headers | headers)

    def post(self, target: str, body: Any) -> Answer:
        headers = self.headers | {"Content-Type": "application/json"}
        return send(self.base, "POST", target, headers=headers, body=json.dumps(body))


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    items = [{"sku": "A", "qty_ordered": 2, "price": 5}]
    orders = [{"entity_id": i, "items": items} for i in range(1, 6)]
    shop = SimulatedShop.from_orders(
        orders, stores={1: "de", 2: "at"}, categories={"A": [7]}, clock=ShopClock(NOW)
    )
    with served(shop) as base:
        yield Sandbox(shop, base)


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "start"),
    [
        ({"kind": "maintenance", "retry_after": "30"}, 503, "text/html", b"<!doctype html>"),
        ({"kind": "too_many_requests", "retry_after": "7"}, 429, "application/json", b'{"message":"Too Many'),
        ({"kind": "internal"}, 500, "application/json", b'{"message":"Internal Error. Details'),
        ({"kind": "fatal"}, 500, "application/json", b'{"messages":{"error":[{"code":500'),
        ({"kind": "database_down"}, 500, "text/plain", b"<!doctype html>"),
        ({"kind": "html", "status": 403}, 403, "text/html", b"<!doctype html>"),
        ({"kind": "html"}, 200, "text/html", b"<!doctype html>"),
        ({"kind": "empty", "status": 502}, 502, "", b""),
        ({"kind": "redirect", "location": "https://other.example.com/"}, 302, "", b""),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_a_fault_replaces_the_answer_as_often_as_told(
    sandbox: Sandbox, fault: dict[str, Any], status: int, content_type: str, start: bytes
) -> None:
    """One request passes, one is hit, the next is right again; other addresses are never hit."""
    sandbox.control("POST", "/faults", path="/orders", skip=1, times=1, **fault)
    assert sandbox.get("/rest/V1/store/websites").status == 200
    answers = [sandbox.get() for _ in range(3)]
    assert [answer.status for answer in answers] == [200, status, 200]
    hit = answers[1]
    assert hit.headers.get("content-type", "").startswith(content_type)
    assert hit.body.startswith(start)
    assert hit.headers.get("retry-after") == fault.get("retry_after")
    assert hit.headers.get("location") == fault.get("location")


def test_a_truncated_answer_is_no_json(sandbox: Sandbox) -> None:
    """Status and type look right, the body ends half-way."""
    whole = sandbox.get().body
    sandbox.control("POST", "/faults", kind="truncated")
    cut = sandbox.get()
    assert (cut.status, cut.body) == (200, whole[: len(whole) // 2])


def test_a_slow_page_is_right_but_late(sandbox: Sandbox) -> None:
    """The delay is in seconds, the answer unchanged, and the fault is listed until it is deleted."""
    (fault,) = sandbox.control("POST", "/faults", kind="slow", delay=0.05)
    assert (fault["kind"], fault["delay"]) == ("slow", 0.05)
    started = time.perf_counter()
    assert sandbox.get().status == 200
    assert time.perf_counter() - started >= 0.05
    assert sandbox.control("DELETE", "/faults") == []
    assert sandbox.control("GET", "/faults") == []


def test_a_poison_order_breaks_every_page_that_touches_it(sandbox: Sandbox) -> None:
    """Pages with the order and the order itself are 500s, other pages are fine; repaired, all is."""
    sandbox.control("POST", "/damage", order=3)
    targets = [f"{ORDERS}{SORTED}&searchCriteria[currentPage]={page}" for page in (1, 2, 3)]
    assert [sandbox.get(target).status for target in targets] == [200, 500, 200]
    assert sandbox.get("/rest/V1/orders/3?fields=entity_id").status == 500
    assert "Report ID: webapi-" in sandbox.get(targets[1]).json()["message"]
    sandbox.control("DELETE", "/damage")
    assert sandbox.get(targets[1]).status == 200


def test_scripted_changes_happen_between_pages(sandbox: Sandbox) -> None:
    """After the first page order 1 is put on hold and a new order comes in, then nothing changes."""
    steps = [{"action": "hold", "order": 1}, {"action": "place", "given": {"store_id": 2}}]
    sandbox.control("POST", "/mutations", script=[steps])
    sandbox.control("POST", "/clock", advance=60)
    first, second, third = (sandbox.get().json() for _ in range(3))
    assert (first["total_count"], first["items"][0]["status"]) == (5, "pending")
    assert (second["total_count"], second["items"][0]["status"]) == (6, "holded")
    assert second["items"][0]["updated_at"] > first["items"][0]["updated_at"]
    assert third == second


def test_seeded_changes_are_the_same_for_the_same_seed() -> None:
    """Two shops with one seed end up alike, and something did change."""

    def statuses(seed: int) -> list[tuple[str, str, int]]:
        orders = [{"entity_id": i, "items": [{"sku": "A"}]} for i in range(1, 21)]
        shop = SimulatedShop.from_orders(orders, clock=ShopClock(NOW))
        shop.mutations.seed(seed, each=5)
        for _ in range(20):
            shop.clock.advance(1)
            shop.mutations.after_page(shop)
        return [(o["status"], o["updated_at"], len(o["status_histories"])) for o in shop.orders]

    assert statuses(1) == statuses(1)
    assert len({status for status, _, _ in statuses(1)}) > 2


def test_the_clock_rules_dates_and_the_date_header(sandbox: Sandbox) -> None:
    """A new order carries the set time, and so does the answer's Date header."""
    assert sandbox.control("POST", "/clock", now=NOW + 5) == {"now": NOW + 5, "set": True}
    number = sandbox.control("POST", "/orders", store_id=2)["entity_id"]
    answer = sandbox.get(f"/rest/V1/orders/{number}")
    assert answer.json()["created_at"] == sandbox.shop.clock.sql()
    assert answer.headers["date"].endswith(f"{sandbox.shop.clock.sql()[11:]} GMT")
    assert sandbox.control("DELETE", "/clock")["set"] is False


def test_order_actions_are_reachable(sandbox: Sandbox) -> None:
    """Each action by its name, with what the order is afterwards; unknown ones are refused."""
    invoiced = sandbox.control("POST", "/orders/1/invoice")
    assert (invoiced["state"], invoiced["status"]) == ("processing", "processing")
    assert sandbox.control("POST", "/orders/1/ship")["status"] == "complete"
    picked = sandbox.control("POST", "/orders/1/set_status", status="picked_up", comment="taken")
    assert picked["status"] == "picked_up"
    for path in ("/orders/1/explode", "/orders/999/hold", "/orders/1/hold"):
        assert send(sandbox.base, "POST", f"/_sandbox/magento{path}").status in {400, 404}


def test_the_rest_interface_changes_orders_too(sandbox: Sandbox) -> None:
    """Invoice, ship, refund, hold, unhold, cancel and mail by their REST addresses."""
    rows = {"items": [{"order_item_id": sandbox.shop.order(1)["items"][0]["item_id"], "qty": 1}]}
    assert sandbox.post("/rest/V1/order/1/invoice", rows).json() == "1"
    assert sandbox.post("/rest/V1/order/1/invoice", {}).json() == "2"
    assert sandbox.post("/rest/V1/order/1/ship", {}).json() == "1"
    assert sandbox.post("/rest/V1/order/1/refund", {}).json() == "1"
    assert sandbox.get("/rest/V1/orders/1/statuses").json() == "closed"
    assert [
        sandbox.post(f"/rest/V1/orders/2/{a}", {}).json() for a in ("hold", "unhold", "cancel", "cancel")
    ] == [
        True,
        True,
        True,
        False,
    ]
    at = "searchCriteria[filter_groups][0][filters][0]"
    shipments = sandbox.get(f"/rest/V1/shipments?{at}[field]=order_id&{at}[value]=1").json()
    assert [row["order_id"] for row in shipments["items"]] == [1]


def test_the_log_counts_by_route_and_orders(sandbox: Sandbox) -> None:
    """Requests per route, orders served, and the status of refused ones; control calls are not counted."""
    sandbox.control("DELETE", "/log")
    sandbox.get()
    sandbox.get("/rest/V1/orders/4")
    sandbox.get("/rest/V1/orders/999")
    sandbox.get("/rest/V1/nonsense")
    log = sandbox.control("GET", "/log")
    assert (log["requests"], log["orders_served"]) == (4, 3)
    assert log["by_route"] == {"GET orders": 1, "GET orders/:id": 2, "GET /rest/V1/nonsense": 1}
    assert [entry["status"] for entry in log["entries"]] == [200, 200, 404, 404]


def test_switches_are_set_by_name_and_reset(sandbox: Sandbox) -> None:
    """A switch changes the next answer; a wrong value is refused; DELETE restores everything."""
    sandbox.control("POST", "/settings", page_limit="on", maximum_page_size=1)
    refused = sandbox.get()
    assert (refused.status, refused.json()["parameters"]) == (400, {"max": 1})
    headers = {"Content-Type": "application/json"}
    wrong = send(
        sandbox.base, "POST", "/_sandbox/magento/settings", headers=headers, body='{"bearer": "maybe"}'
    )
    assert wrong.status == 400
    sandbox.control("POST", "/faults", kind="maintenance")
    overview = sandbox.control("DELETE", "")
    assert (overview["faults"], overview["settings"]["page_limit"], overview["orders"]) == ([], "off", 5)
    assert sandbox.get().status == 200


def test_an_integration_made_by_control_has_its_permissions(sandbox: Sandbox) -> None:
    """The four values come back, and the token opens just the named resources."""
    made = sandbox.control("POST", "/integrations", resources=["Magento_Backend::store"])
    assert {len(value) for value in made.values()} == {32}
    sandbox.control("POST", "/settings", bearer="accepted")
    sandbox.headers = {"Authorization": f"Bearer {made['token']}"}
    assert sandbox.get("/rest/V1/store/storeViews?fields=code").json()[0] == {"code": "de"}
    assert sandbox.get().status == 401


def test_stores_groups_and_categories_of_given_orders(sandbox: Sandbox) -> None:
    """What `from_orders` was told is what the other calls list."""
    views = sandbox.get("/rest/at/V1/store/storeViews?fields=id,code").json()
    assert views == [{"id": 1, "code": "de"}, {"id": 0, "code": "admin"}, {"id": 2, "code": "at"}]
    assert [c["timezone"] for c in sandbox.get("/rest/V1/store/storeConfigs").json()] == ["Europe/Vienna"] * 2
    products = "/rest/V1/products?searchCriteria=&fields=items[sku,extension_attributes[category_links]]"
    (product, *_) = sandbox.get(products).json()["items"]
    links = product["extension_attributes"]["category_links"]
    assert (product["sku"], [link["category_id"] for link in links]) == ("A", ["7"])
    tree = sandbox.get("/rest/V1/categories").json()
    assert [child["id"] for child in tree["children_data"]] == [7]


def test_xml_is_served_to_those_who_ask(sandbox: Sandbox) -> None:
    """Lists become items, and text is escaped."""
    answer = sandbox.get("/rest/V1/orders/1?fields=entity_id,store_name", Accept="application/xml")
    assert answer.headers["content-type"] == "application/xml; charset=utf-8"
    assert b"<entity_id>1</entity_id>" in answer.body


def test_one_page_of_many_orders_is_quick() -> None:
    """From 20,000 whole orders a keyset page of 100 is served well within half a second."""
    item = {"sku": "A", "qty_ordered": 1, "price": 5}
    shop = SimulatedShop.from_orders(
        ({"entity_id": i, "items": [item]} for i in range(1, 20_001)), clock=ShopClock(NOW)
    )
    at = "searchCriteria[filter_groups][0][filters][0]"
    window = f"{at}[field]=entity_id&{at}[condition_type]=gt&{at}[value]=10000"
    with served(shop) as base:
        sandbox = Sandbox(shop, base)
        target = f"/rest/V1/orders?searchCriteria[pageSize]=100&{window}{SORTED}"
        started = time.perf_counter()
        page = sandbox.get(target).json()
        assert time.perf_counter() - started < 0.5
    assert (len(page["items"]), page["total_count"], page["items"][0]["entity_id"]) == (100, 10_000, 10_001)


@pytest.mark.parametrize(
    ("workers", "done"),
    [(0, [2, 2, 2, 2, 3]), (1, [2, 4, 6, 8, 11]), (2, [2, 2, 4, 4, 7]), (9, [2, 2, 2, 2, 3])],
)
def test_workers_do_one_request_at_a_time(workers: int, done: list[int]) -> None:
    """A request waits for a free worker; with enough of them, or any number, it does not."""
    load = Workload()
    assert [load.add(cost, workers=workers, now=0.0) for cost in (2, 2, 2, 2, 3)] == done
    assert load.add(1, workers=workers, now=100.0) == 1
    assert load.add(0, workers=workers, now=100.0) == 0
