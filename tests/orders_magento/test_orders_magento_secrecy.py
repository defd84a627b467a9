"""Tokens and customers' data stay inside, whatever the shop answers; and opening a source from settings."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiers import examples

from ekomi_reconcile.config.order_sources import MagentoSettings, OAuthSettings, OrdersSettings
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.orders.magento.auth import BearerLogin, IntegrationKeys, OAuthLogin
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.reconcile.sources import open_source
from tests.orders_magento.magento_support import (
    EMAIL,
    TOKEN,
    Key,
    chain,
    client_for,
    ids,
    opened,
    orders,
    read,
    said_by,
    source_for,
)

CANARIES = (TOKEN, TOKEN.upper(), EMAIL, quote(EMAIL, safe=""), "+4917012345678", "canarysecret")
CALLS: list[Any] = [
    read,
    lambda source: read(source, Wanted(full=True, attributes=frozenset({"category_id", "shipping_city"}))),
    lambda source: read(source, Wanted(cursors=frozenset({'{"v":1,"t":1,"bad":[3]}'}))),
    lambda source: source.by_ids([1, 2]),
    lambda source: source.find(EMAIL),
    lambda source: source.annotate(1, EMAIL),
    lambda source: source.probe(),
    lambda source: source.statuses(),
]


def echo(status: int, template: str) -> Any:
    """A shop that gives back what it was sent."""

    def answer(request: httpx.Request) -> httpx.Response:
        sent = f"{request.url} {request.headers} {request.content.decode()} {' '.join(CANARIES)}"
        text = sent.replace("\\", "\\\\").replace('"', '\\"')
        return httpx.Response(
            status, text=template % text, headers={"Location": f"https://x.example/{TOKEN}"}
        )

    return answer


def failing(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError(f"{request.url} {request.headers}", request=request)


TEMPLATES = [
    '{"message": "%s"}',
    '{"message": "a %%1", "parameters": ["%s"]}',
    "<html>%s",
    '{"items": [{"entity_id": "%s"}]}',
    '["%s"]',
]
HANDLERS = [
    failing,
    *(echo(status, each) for status in (200, 302, 400, 401, 404, 500, 503) for each in TEMPLATES),
]


@pytest.mark.sampled(8)
@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("login", ["bearer", "oauth"])
def test_nothing_leaks(handler: Any, login: str, caplog: pytest.LogCaptureFixture) -> None:
    """No canary in messages, reprs, exception chains or logs at any level; errors stand alone."""
    stream = io.StringIO()
    listener = logging.StreamHandler(stream)
    logging.getLogger().addHandler(listener)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="ekomi_reconcile")
    who: Any = BearerLogin(Key(TOKEN))
    if login == "oauth":
        who = OAuthLogin(IntegrationKeys(Key(TOKEN), Key("canarysecret"), Key(TOKEN), Key("canarysecret")))
    shown = repr(who)
    try:
        for call in CALLS:
            shown += _outcome(call, source_for(handler, login=who))
    finally:
        logging.getLogger().removeHandler(listener)
    shown += stream.getvalue() + caplog.text
    assert [canary for canary in CANARIES if canary in shown] == []


def _outcome(call: Any, source: Any) -> str:
    """All that is shown of a call: its result, or its error."""
    try:
        return repr(source) + repr(source._client) + repr(call(source))
    except OrderSourceError as error:
        assert chain(error) == [error]  # noqa: PT017
        return said_by(error)


def test_orders_do_not_show_customers() -> None:
    """What a pass gives shows nobody when it is printed."""
    with opened(orders(3)) as case:
        source = case.source()
        found, cursor, problems = read(source)
        shown = repr(found) + cursor + repr(problems) + repr(source) + repr(source.read(Wanted(full=True)))
        assert EMAIL not in shown
        assert found[0].contact.email == EMAIL


BODIES = [
    *(b"", b"[]", b"{}", b"null", b'"x"', b"[" * 3000, b"\xef\xbb\xbf[]"),
    b'{"items":[1]}',
    b'{"items":5}',
    b'{"items":[{"comment":5},7,null]}',
    b'{"items":[{"entity_id":1}],"total_count":1}',
    b'{"items":[{"entity_id":-1}],"total_count":"x"}',
    b'{"items":[],"total_count":1}',
    b'{"message":5}',
    b'{"message":"%1 %2","parameters":["a"]}',
    b'{"messages":{"error":[]}}',
    b'{"parameters":{"max":"9"}}',
]


@settings(max_examples=examples(150), deadline=None)
@given(
    status=st.sampled_from([200, 201, 204, 301, 400, 401, 403, 404, 418, 500, 502, 503, 599]),
    body=st.binary(max_size=200) | st.sampled_from(BODIES),
    call=st.sampled_from(CALLS),
)
def test_any_answer(status: int, body: bytes, call: Any) -> None:
    """Any status and bytes lead to a result or one of our errors, with nothing behind it."""
    source = source_for(lambda request: httpx.Response(status, content=body))
    try:
        call(source)
    except OrderSourceError as error:
        assert chain(error) == [error]  # noqa: PT017
        assert error.message.isprintable()  # noqa: PT017


def settings_for(base_url: str, **login: Any) -> OrdersSettings:
    shop = MagentoSettings(**{"base_url": base_url, "token": None, "oauth": None, "annotate": False} | login)
    return OrdersSettings(name="shop", magento=shop)


def test_opened_from_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Token or four values by reference; the progress of a first load is kept beside the project's state."""
    with opened(orders(3)) as case:
        monkeypatch.setenv("SHOP_TOKEN", case.shop.admin_token())
        owner = case.shop.integrate()
        for name in ("consumer_key", "consumer_secret", "token", "token_secret"):
            (tmp_path / name).write_text(getattr(owner, name))
        oauth = OAuthSettings(
            consumer_key="${file:consumer_key}",
            consumer_secret="${file:consumer_secret}",
            access_token="${file:token}",
            access_token_secret="${file:token_secret}",
        )
        for login in ({"token": "${env:SHOP_TOKEN}"}, {"oauth": oauth}):
            source = open_source(settings_for(case.base, **login), root=tmp_path)
            assert source.name == "shop"
            wanted = Wanted(full=True, pseudonym=lambda text: "digest")
            assert ids(read(source, wanted)[0]) == [1, 2, 3]
            source.close()
        (kept,) = (tmp_path / ".ekomi-reconcile" / "cache").iterdir()
        assert EMAIL not in kept.read_text()


def test_missing_secret(tmp_path: Path) -> None:
    """Without its login this source cannot be read; the message names the reference."""
    with pytest.raises(OrderSourceError, match="NO_SUCH_TOKEN") as caught:
        open_source(settings_for("https://shop.example.com", token="${env:NO_SUCH_TOKEN}"), root=tmp_path)
    assert chain(caught.value) == [caught.value]


def test_libraries_stay_quiet() -> None:
    """Their debug logs have whole addresses and tokens in them."""
    for name in ("httpx", "httpcore", "oauthlib"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    client_for(
        lambda request: httpx.Response(200, json=[]), login=OAuthLogin(IntegrationKeys(*(Key(TOKEN),) * 4))
    )
    for name in ("httpx", "httpcore.http11", "oauthlib.oauth1.rfc5849"):
        assert logging.getLogger(name).getEffectiveLevel() >= logging.WARNING
