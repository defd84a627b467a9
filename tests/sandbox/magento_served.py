"""A shop on a real socket of the loopback interface, and signed or plain requests to it."""

import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import secrets
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, unquote_plus

import uvicorn
from starlette.applications import Starlette

from ekomi_reconcile.sandbox.magento.login import Integration
from ekomi_reconcile.sandbox.magento.routes import routes, storefront
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop

RECORDED = Path(__file__).parents[1] / "data" / "magento"


@contextlib.contextmanager
def served(shop: SimulatedShop) -> Iterator[str]:
    """The base address of the shop, served by uvicorn in a thread."""
    ready = threading.Event()
    app = Starlette(routes=[*routes(shop), *storefront()])
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_config=None, date_header=False, server_header=False, ws="none"
    )
    server = _Announcing(config, ready)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


class _Announcing(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self._ready.set()


class Answer(NamedTuple):
    """What came back; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def send(
    base: str, method: str, target: str, *, headers: dict[str, str] | None = None, body: str = ""
) -> Answer:
    """One request with target and headers exactly as written: a client library would tidy both."""
    connection = http.client.HTTPConnection(base.removeprefix("http://"), timeout=10)
    try:
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            connection.putheader(name, value)
        if body:
            connection.putheader("Content-Length", str(len(body.encode())))
        connection.endheaders(body.encode() or None)
        response = connection.getresponse()
        names = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, names, response.read())
    finally:
        connection.close()


def authorization(owner: Integration, base: str, method: str, target: str, **changed: Any) -> str:
    """An OAuth header as an RFC 5849 client writes it, made without the shop's own code.

    `address` signs for another address, `secret` with another token secret, `decode` reads `+` otherwise;
    any other name replaces a protocol parameter before signing, None leaves it out.
    """
    path, _, query = target.partition("?")
    address, secret = changed.pop("address", base), changed.pop("secret", owner.token_secret)
    decode = changed.pop("decode", unquote_plus)
    protocol = {
        "oauth_consumer_key": owner.consumer_key,
        "oauth_token": owner.token,
        "oauth_nonce": secrets.token_hex(16),
        "oauth_timestamp": str(int(time.time())),
        "oauth_signature_method": "HMAC-SHA256",
        "oauth_version": "1.0",
    } | changed
    protocol = {name: value for name, value in protocol.items() if value is not None}
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    signed = [(_quoted(decode(k)), _quoted(decode(v))) for k, _, v in pairs]
    signed += [(k, _quoted(v)) for k, v in protocol.items()]
    normalized = "&".join(f"{k}={v}" for k, v in sorted(signed))
    text = "&".join((method, _quoted(address + path), _quoted(normalized)))
    key = f"{_quoted(owner.consumer_secret)}&{_quoted(secret)}"
    digest = base64.b64encode(hmac.new(key.encode(), text.encode(), hashlib.sha256).digest()).decode()
    return "OAuth " + ", ".join(
        f'{k}="{_quoted(v)}"' for k, v in {**protocol, "oauth_signature": digest}.items()
    )


def _quoted(text: str) -> str:
    return quote(text, safe="~")


def load(name: str) -> Any:
    """A recorded file by `folder/name`."""
    return json.loads((RECORDED / f"{name}.json").read_text("utf-8"))
