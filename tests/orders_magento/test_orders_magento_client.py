"""Requests to a shop: what is repeated, what is refused, and what never leaves the host."""

from __future__ import annotations

import json
import re
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.orders.magento.auth import BearerLogin
from ekomi_reconcile.orders.magento.client import ATTEMPTS, LONGEST_RETRY_AFTER, MagentoClient
from ekomi_reconcile.orders.magento.wire import (
    LARGEST_ANSWER,
    FailureKind,
    ShopAnswer,
    ShopFailure,
    ShopReporter,
)
from ekomi_reconcile.sandbox.magento.render import FaultKind
from tests.orders_magento.magento_support import TOKEN, Case, Key, Patience, client_for, ids, read

GOOD = httpx.Response(200, json={"items": [], "total_count": 0})


def sequence(*answers: httpx.Response | Exception) -> Any:
    """These answers one after the other; the last one for good."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = answers[min(len(asked), len(answers)) - 1]
        if isinstance(found, Exception):
            raise found
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)

    answer.asked = asked
    return answer


@pytest.mark.parametrize("fault", [429, 503, 502, 504])
def test_passing_faults_are_waited_out(fault: int) -> None:
    """One such answer, a pause, and the data."""
    handler, stop = sequence(httpx.Response(fault, text="<html>"), GOOD), Patience()
    assert client_for(handler, stop=stop).get("orders")
    assert len(handler.asked) == 2
    assert len(stop.waits) == 1


@pytest.mark.parametrize(
    ("status", "requests"),
    [(400, 1), (401, 1), (403, 1), (404, 1), (405, 1), (500, 2), (502, 2), (503, 5), (429, 5)],
)
def test_how_often_a_failure_is_asked_again(status: int, requests: int) -> None:
    """Refusals once, Magento's own 500 twice, busy shops five times."""
    handler = sequence(httpx.Response(status, json={"message": "no"}))
    with pytest.raises(ShopFailure):
        client_for(handler).get("orders")
    assert len(handler.asked) == requests


def test_retry_after() -> None:
    """The pause is at least what the shop asks for; one that is too long is left to a later run."""
    stop = Patience()
    client_for(sequence(httpx.Response(429, headers={"Retry-After": "77"}, json={}), GOOD), stop=stop).get(
        "orders"
    )
    assert 77 <= stop.waits[0] < 79
    handler = sequence(httpx.Response(503, headers={"Retry-After": str(int(LONGEST_RETRY_AFTER) + 1)}), GOOD)
    with pytest.raises(ShopFailure) as caught:
        client_for(handler).get("orders")
    assert len(handler.asked) == 1
    assert caught.value.retry_after == LONGEST_RETRY_AFTER + 1


def test_stop_ends_waiting_and_asking() -> None:
    """Set while waiting, nothing more is asked; set before, nothing at all."""
    stop = Patience()
    stop._on_wait = lambda _: setattr(stop, "ended", True)
    handler = sequence(httpx.Response(503))
    client = client_for(handler, stop=stop)
    with pytest.raises(ShopFailure):
        client.get("orders")
    with pytest.raises(ShopFailure, match="stopped"):
        client.get("orders")
    assert len(handler.asked) == 1


def test_timeout_is_not_repeated() -> None:
    """Two minutes in vain are enough for one page; who reads pages asks for less."""
    handler = sequence(httpx.ReadTimeout("slow"))
    with pytest.raises(ShopFailure, match="no answer in time") as caught:
        client_for(handler).get("orders")
    assert (caught.value.kind, len(handler.asked)) == (FailureKind.SLOW, 1)


@pytest.mark.parametrize(
    "error", [httpx.ConnectError("x"), httpx.RemoteProtocolError("x"), httpx.ConnectTimeout("x")]
)
def test_lost_connections_are_repeated(error: Exception) -> None:
    """A read may be asked again."""
    assert client_for(sequence(error, GOOD)).get("orders")


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example/rest",
        "http://shop.example.com/rest/V1/orders",
        "https://shop.example.com:8443/x",
        "",
        "//[",
    ],
)
def test_login_is_not_sent_elsewhere(location: str) -> None:
    """Another host, scheme or port ends the request, and the message names where it pointed to."""
    handler = sequence(httpx.Response(302, headers={"Location": location}))
    with pytest.raises(ShopFailure, match="redirects to") as caught:
        client_for(handler).get("orders")
    assert len(handler.asked) == 1
    assert "base_url" in caught.value.hint


CASES = Path(__file__).parents[1] / "cases"
LOCATIONS = (CASES / "redirects-with-odd-location" / "locations.txt").read_text().splitlines()


@pytest.mark.parametrize("location", [*LOCATIONS, "http://\x00", "https://[", "a:b:c", "x" * 70_000])
@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_an_odd_redirect_fails_only_that_call(location: str, status: int) -> None:
    """Wherever it leads, it is a failure of the shop, for reads and for writing a comment."""
    handler = sequence(httpx.Response(status, headers={"Location": location}))
    client = client_for(handler)
    with pytest.raises(ShopFailure):
        client.get("orders")
    with pytest.raises(ShopFailure):
        client.annotate(1, "invited")


@pytest.mark.parametrize("base", ["http://xn--/", "http://[::1", "//", "mailto:x", "\\\\evil", "http://"])
def test_an_odd_address_is_an_error(base: str) -> None:
    """An address that nothing can be read from is refused in plain words."""
    with pytest.raises(OrderSourceError, match="base_url"):
        MagentoClient(base, BearerLogin(Key(TOKEN)))


def nested(levels: int, width: int) -> dict[str, Any]:
    """A message whose every value is made of names of the next."""
    names = [f"k{at}" for at in range(levels)]
    values = {name: f"%{following}" * width for name, following in pairwise([*names, "end"])}
    return {"message": f"%{names[0]}", "parameters": values | {"end": "x"}}


@pytest.mark.parametrize(
    "body",
    [
        (CASES / "magento-error-bomb" / "body.json").read_text(),
        json.dumps(nested(60, 10)),
        json.dumps({"message": "%1" * 100_000, "parameters": ["%1" * 100_000]}),
        json.dumps({"message": "%a" * 10, "parameters": {"a": {"b": ["%a"] * 50_000}}}),
        json.dumps({"message": "x", "parameters": {str(at): "%1" for at in range(50_000)}}),
        json.dumps({"message": "%" + "1" * 100_000, "parameters": ["y"] * 1_000}),
        json.dumps({"message": "no", "parameters": {"max": "9" * 9_000}}),
    ],
    ids=["case", "deep", "wide", "object", "many", "long name", "long limit"],
)
def test_a_shops_message_takes_bounded_memory(body: str) -> None:
    """Placeholders are filled in once and not expanded again: a short message, little memory."""
    answer = ShopAnswer(status=400, body=body.encode())
    tracemalloc.start()
    try:
        found = ShopReporter("shop.example.com", secrets=(), refused="").failure("orders", answer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found is not None
    assert len(found.message) < 400
    assert peak < 16 << 20


def test_the_longest_name_of_a_placeholder_is_filled_in() -> None:
    """`%field` is not taken for `%f`, and text behind a name stays."""
    document = {"message": "%f %field %fieldx %none 5%", "parameters": {"f": 1, "field": "%f"}}
    answer = ShopAnswer(status=400, body=json.dumps(document).encode())
    found = ShopReporter("shop.example.com", secrets=(), refused="").failure("orders", answer)
    assert found is not None
    assert "1 %f %fx %none 5%" in found.message


def test_redirect_within_the_shop() -> None:
    """The same scheme and host may point to another path, but not for ever."""
    handler = sequence(httpx.Response(301, headers={"Location": "/index.php/rest/V1/orders"}), GOOD)
    assert client_for(handler).get("orders")
    assert handler.asked[1].url.path == "/index.php/rest/V1/orders"
    endless = sequence(httpx.Response(302, headers={"Location": "/again"}))
    with pytest.raises(ShopFailure):
        client_for(endless).get("orders")
    assert len(endless.asked) == 4


def test_no_cookies() -> None:
    """A session's cookie is never sent back: two requests with it would wait for each other."""
    handler = sequence(httpx.Response(200, headers={"Set-Cookie": "PHPSESSID=1; path=/"}, json={"items": []}))
    client = client_for(handler)
    for _ in range(3):
        client.get("orders")
    assert [request.headers.get("Cookie") for request in handler.asked] == [None] * 3


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://shop.example.com", "https://shop.example.com/rest/V1/orders"),
        ("https://Shop.Example.com:443/", "https://shop.example.com/rest/V1/orders"),
        ("https://shop.example.com/eu/index.php", "https://shop.example.com/eu/index.php/rest/V1/orders"),
        ("http://127.0.0.1:8080/rest/", "http://127.0.0.1:8080/rest/V1/orders"),
    ],
)
def test_addresses(base: str, url: str) -> None:
    """A path or index.php stays, /rest is not doubled, headers say who asks and for what."""
    handler = sequence(GOOD)
    client_for(handler, base=base).get("orders")
    (request,) = handler.asked
    assert str(request.url) == url
    assert request.headers["Authorization"] == f"Bearer {TOKEN}"
    assert request.headers["Accept"] == "application/json"


@pytest.mark.parametrize("base", ["shop.example.com", "ftp://shop.example.com", "https://"])
def test_addresses_that_are_none(base: str) -> None:
    """They are refused before anything is sent."""
    with pytest.raises(OrderSourceError, match="base_url"):
        MagentoClient(base, BearerLogin(Key(TOKEN)))


def test_token_that_cannot_be_sent() -> None:
    """A token of two words would count as no login at all."""
    with pytest.raises(OrderSourceError, match="token") as caught:
        BearerLogin(Key(f"{TOKEN} x"))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty answer"),
        (b"<!doctype html>", "web page"),
        (b'{"items": [{"enti', "half an answer"),
        (b"\xff", "web page"),
    ],
)
def test_answers_that_are_no_data(content: bytes, words: str) -> None:
    """With status 200 too: asked again, and then an error, never an empty list."""
    handler = sequence(httpx.Response(200, content=content))
    with pytest.raises(ShopFailure, match=words) as caught:
        client_for(handler).get("orders")
    assert (caught.value.kind, len(handler.asked)) == (FailureKind.BUSY, 5)


def test_message_with_status_200_is_a_failure() -> None:
    """Old releases answer so when an order is broken."""
    handler = sequence(httpx.Response(200, json={"message": "Notice: Undefined %1", "parameters": ["index"]}))
    with pytest.raises(ShopFailure, match="Undefined index") as caught:
        client_for(handler).get("orders")
    assert caught.value.kind is FailureKind.BROKEN


def test_oversized_answer() -> None:
    """An answer beyond the cap is given up, not kept in memory."""

    class Endless(httpx.SyncByteStream):
        sent = 0

        def __iter__(self) -> Any:
            while True:
                self.sent += 1 << 20
                yield b" " * (1 << 20)

    stream = Endless()
    with pytest.raises(ShopFailure, match="larger than 64 MiB"):
        client_for(lambda request: httpx.Response(200, stream=stream)).get("orders")
    assert stream.sent <= LARGEST_ANSWER + (2 << 20)


def test_refused_token_names_all_causes(case: Case) -> None:
    """Wrong token, missing permission and the switch of 2.4.4 look the same, so all three are named."""
    token = case.shop.integrate().token
    with pytest.raises(ShopFailure) as caught:
        read(case.opened(BearerLogin(Key(token))))
    error = caught.value
    assert error.resource == "Magento_Backend::store"
    assert "Magento_Backend::store" in error.message
    for words in ("wrong or expired", "permission", "2.4.4", "oauth:"):
        assert words in error.hint
    case.shop.settings.bearer = "accepted"
    assert ids(read(case.opened(BearerLogin(Key(token))))[0]) == [1, 2, 3, 4, 5]


def test_login_page_in_front_of_the_shop() -> None:
    """A 401 that is not the shop's says so."""
    with pytest.raises(ShopFailure) as caught:
        client_for(lambda request: httpx.Response(401, text="<html>Authorization required")).get("orders")
    assert "in front of the shop" in caught.value.hint


def test_annotation(case: Case) -> None:
    """A comment goes into the history, unseen by the customer; nothing else changes."""
    before = dict(case.shop.order(3))
    case.source().annotate(3, "invited")
    order = case.shop.order(3)
    entry = order["status_histories"][0]
    assert (entry["comment"], entry["is_customer_notified"]) == ("invited", 0)
    assert (order["status"], order["updated_at"]) == (before["status"], before["updated_at"])


def test_annotation_is_asked_once(case: Case) -> None:
    """What may have been written is looked for, not written again; a missing permission is named."""
    case.shop.faults.add(FaultKind.MAINTENANCE, path="/comments")
    with pytest.raises(ShopFailure):
        case.source().annotate(3, "invited")
    methods = [each.method for each in case.shop.log.entries]
    assert methods == ["POST", *["GET"] * ATTEMPTS[FailureKind.BUSY]]
    case.shop.faults.clear()
    with pytest.raises(ShopFailure, match="Magento_Sales::comment"):
        case.source(resources=["Magento_Sales::actions_view"]).annotate(3, "invited")
    assert not any(entry["comment"] == "invited" for entry in case.shop.order(3)["status_histories"])


def test_probe(case: Case) -> None:
    """Version, clock, number of orders, and each permission that a rule needs for itself."""
    found = case.source(resources=["Magento_Sales::actions_view", "Magento_Backend::store"]).probe()
    assert (found.version, found.orders, found.unreachable) == ("Magento/2.4 (Community)", 5, None)
    assert found.clock_skew is not None
    access = {name: answered.access for name, answered in found.permissions.items()}
    assert access == {
        "Magento_Sales::actions_view": "granted",
        "Magento_Backend::store": "granted",
        "Magento_Sales::shipment": "refused",
        "Magento_Sales::sales_invoice": "refused",
    }


def test_probe_of_nothing() -> None:
    """Without a connection it says so and asks no more."""
    handler = sequence(httpx.ConnectError("no"))
    client = client_for(handler)
    from ekomi_reconcile.orders.magento.source import MagentoSource

    found = MagentoSource("default", client).probe()
    assert re.search(r"no connection to shop\S*:443 \(no\)", found.unreachable or "")
    assert (found.permissions, len(handler.asked)) == ({}, 1)


def test_clock_goes_on() -> None:
    """The shop's time comes from its answers, and goes on between them."""
    ticks = iter(range(0, 10_000, 10))
    headers = {"Date": "Mon, 23 Nov 2026 13:20:00 GMT"}
    shop = httpx.MockTransport(lambda request: httpx.Response(200, headers=headers, json=[]))
    login = BearerLogin(Key(TOKEN))
    client = MagentoClient("https://shop.example.com", login, clock=lambda: next(ticks), transport=shop)
    client.get("store/storeViews")
    assert client.server_now() - 1_795_440_000 == 10


TEXT = "Asked for a review through eKomi (A & <b>B</b>)."
STORED = httpx.Response(
    200, json={"items": [{"comment": "other"}, {"comment": "Asked for a review  through eKomi (A &amp; B)."}]}
)
ABSENT = httpx.Response(200, json={"items": [{"comment": None}, {"comment": "other"}, 5]})
DONE = httpx.Response(200, json=True)
FAILED = httpx.Response(500, json={"message": "Internal Error."})


@pytest.mark.parametrize("lost", [FAILED, httpx.Response(502, text="<html>"), httpx.ReadTimeout("slow")])
@pytest.mark.parametrize(
    ("comments", "methods"), [(STORED, ["POST", "GET"]), (ABSENT, ["POST", "GET", "POST"])]
)
def test_a_comment_is_looked_for_before_it_is_repeated(lost: Any, comments: Any, methods: list[str]) -> None:
    """A shop that failed may have stored it: it is written again only where it is not there."""
    handler = sequence(lost, comments, DONE)
    client_for(handler).annotate(1, TEXT)
    assert [request.method for request in handler.asked] == methods


def test_a_comment_that_cannot_be_looked_for_is_not_repeated() -> None:
    """Then the first failure is reported."""
    handler = sequence(FAILED, httpx.Response(404, json={"message": "no"}))
    with pytest.raises(ShopFailure, match="500"):
        client_for(handler).annotate(1, TEXT)
    assert [request.method for request in handler.asked] == ["POST", "GET"]


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_comment_that_is_refused_is_not_repeated(status: int) -> None:
    """It was not stored, and is not looked for."""
    handler = sequence(httpx.Response(status, json={"message": "no"}))
    with pytest.raises(ShopFailure) as caught:
        client_for(handler).annotate(1, TEXT)
    assert len(handler.asked) == 1
    assert caught.value.refused == (status == 401)
