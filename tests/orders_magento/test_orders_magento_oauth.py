"""Signed requests: the vectors that a real shop accepted, and a shop that checks every signature."""

from __future__ import annotations

import json
import re
from typing import Any

import httpx
import pytest

from ekomi_reconcile.orders.magento.auth import IntegrationKeys, OAuthLogin
from ekomi_reconcile.orders.magento.search import Direction, Filter, Is, Search, among, one
from ekomi_reconcile.orders.magento.wire import ShopFailure
from ekomi_reconcile.sandbox.magento.settings import HostHeader
from tests.orders_magento.magento_support import RECORDED, Case, Key, client_for, ids, read, signed

VECTORS = json.loads((RECORDED / "oauth" / "signature_vectors.json").read_text("utf-8"))
CREDENTIALS = VECTORS["credentials"]


def keys() -> IntegrationKeys:
    names = ("consumer_key", "consumer_secret", "access_token", "access_token_secret")
    return IntegrationKeys(*(Key(CREDENTIALS[name]) for name in names))


def parameters(header: str) -> dict[str, str]:
    return dict(re.findall(r'(oauth_\w+)="([^"]*)"', header))


@pytest.mark.parametrize("vector", VECTORS["vectors"], ids=lambda vector: vector["case"])
def test_signature_vector(vector: dict[str, Any]) -> None:
    """For the same request, nonce and time the header is the one that the shop accepted."""
    login = OAuthLogin(keys(), nonce=lambda: vector["nonce"])
    host, query = (re.match(r"https?://[^/?]+", vector[name]) for name in ("signed_url", "url"))
    assert host is not None
    assert query is not None
    target = vector["url"].removeprefix(query[0]).replace("[", "%5B").replace("]", "%5D")
    header = login.authorization(vector["method"], host[0] + target, now=vector["timestamp"])
    assert parameters(header) == parameters(vector["authorization"])


def test_nonce_and_time() -> None:
    """Nonces have at most 32 characters and never repeat; the method is HMAC-SHA256."""
    login = OAuthLogin(keys())
    found = [
        parameters(login.authorization("GET", "https://shop.example.com/rest/V1/orders", now=1))
        for _ in range(50)
    ]
    nonces = {each["oauth_nonce"] for each in found}
    assert len(nonces) == 50
    assert {len(nonce) for nonce in nonces} == {32}
    assert {each["oauth_signature_method"] for each in found} == {"HMAC-SHA256"}


def test_a_strict_shop_accepts_every_query_we_write(case: Case) -> None:
    """Blanks, commas, percent signs, umlauts, many groups: the shop's own check of the signature passes."""
    source = case.opened(signed(case.shop.integrate()))
    assert source.find("no such näme & 100% = 'x' + y, z") == []
    search = Search(
        groups=(
            *(one("entity_id", Is.GT, number) for number in range(8)),
            (Filter("status", Is.EQ, "a b"), Filter("status", Is.EQ, "p%&=")),
            among("entity_id", range(90)),
        ),
        sort=(("updated_at", Direction.ASC), ("entity_id", Direction.DESC)),
        size=3,
        fields="items[entity_id],total_count",
    )
    client = client_for(httpx.HTTPTransport(), base=case.base, login=signed(case.shop.integrate()))
    assert json.loads(client.get("orders", search.text()))["total_count"] == 0
    client.close()


def test_all_orders_signed(case: Case) -> None:
    """A whole pass and a second one work with signatures alone."""
    source = case.source(resources=["Magento_Sales::actions_view", "Magento_Backend::store"])
    found, _, problems = read(source)
    assert (ids(found), problems) == ([1, 2, 3, 4, 5], [])


def test_port_hidden_from_the_shop(case: Case) -> None:
    """Where the web server hides the port, one refused request later all are signed without it."""
    case.shop.settings.host = HostHeader.WITHOUT_PORT
    source = case.source(resources=["Magento_Sales::actions_view", "Magento_Backend::store"])
    assert len(read(source)[0]) == 5
    refused = [entry for entry in case.shop.log.entries if entry.status == 401]
    assert len(refused) == 1


def test_our_clock_is_ahead(case: Case) -> None:
    """The shop refuses a time from the future once; then requests carry the shop's own time."""
    case.shop.clock.set(1_000_000_000)
    source = case.source(resources=["Magento_Sales::actions_view", "Magento_Backend::store"])
    assert len(read(source)[0]) == 5
    assert [entry.status for entry in case.shop.log.entries].count(401) == 1


def test_wrong_signature_is_asked_twice_at_most(case: Case) -> None:
    """With a wrong secret both forms fail, and the error says what to check."""
    owner = case.shop.integrate()
    wrong = IntegrationKeys(*map(Key, (owner.consumer_key, "x" * 32, owner.token, owner.token_secret)))
    with pytest.raises(ShopFailure, match="signature is invalid") as caught:
        read(case.opened(OAuthLogin(wrong)))
    assert "four values" in caught.value.hint
    assert len(case.shop.log.entries) == 2


def test_query_that_cannot_be_signed() -> None:
    """More groups than one-digit indexes are refused before anything is sent."""
    search = Search(
        groups=tuple(one("entity_id", Is.GT, number) for number in range(11)),
        sort=(("entity_id", Direction.ASC),),
        size=1,
        fields="items",
    )
    with pytest.raises(ValueError, match="too many groups"):
        search.text()
