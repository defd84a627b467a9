"""The client against real sockets: cut, slow, endless and lying servers."""

from __future__ import annotations

import gzip
import json
import socket
import struct
import threading

import pytest
from ekomi_support import EMAIL, PASSWORD, client_for, raw_server, recipient

from ekomi_reconcile.ekomi import Call, Endpoints, Receipt
from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.ekomi.wire import Request, Wire
from ekomi_reconcile.model.errors import EkomiUnavailable, OutcomeUnknown

JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
Connection = socket.socket


def client_at(url: str, *, timeout: float = 5.0, **more) -> EkomiClient:
    """A client with its real transport."""
    return client_for(None, transport=None, endpoints=Endpoints(url, url, timeout), **more)


def cut_at_once(connection: Connection, done: threading.Event) -> None:
    """Read the request and hang up."""


def reset(connection: Connection, done: threading.Event) -> None:
    """Read the request and reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def cut_in_headers(connection: Connection, done: threading.Event) -> None:
    connection.sendall(JSON)


def cut_in_body(connection: Connection, done: threading.Event) -> None:
    connection.sendall(JSON + b'Content-Length: 100\r\n\r\n{"status": "success"}')


def cut_in_chunks(connection: Connection, done: threading.Event) -> None:
    connection.sendall(JSON + b'Transfer-Encoding: chunked\r\n\r\n15\r\n{"status": "success"}\r\n')


def length_too_short(connection: Connection, done: threading.Event) -> None:
    connection.sendall(JSON + b'Content-Length: 10\r\n\r\n{"status": "success"}')


def no_http(connection: Connection, done: threading.Event) -> None:
    connection.sendall(b"220 mail.example ESMTP\r\n\r\n")


def broken_gzip(connection: Connection, done: threading.Event) -> None:
    connection.sendall(JSON + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd")


def two_lengths(connection: Connection, done: threading.Event) -> None:
    connection.sendall(JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}")


BROKEN = [
    cut_at_once,
    reset,
    cut_in_headers,
    cut_in_body,
    cut_in_chunks,
    length_too_short,
    no_http,
    broken_gzip,
    two_lengths,
]


@pytest.mark.parametrize("serve", BROKEN)
def test_broken_answers(serve):
    """A broken answer decides nothing of a read, and leaves a sent request unknown: it went out once."""
    calls: list[Call] = []
    with raw_server(serve) as url, client_at(url, on_call=calls.append) as client:
        with pytest.raises(EkomiUnavailable):
            client.shop_details()
        assert {call.function for call in calls} == {"getShopDetails"}
        calls.clear()
        with pytest.raises(OutcomeUnknown):
            client.add_recipient(recipient())
        assert len(calls) == 1


def silent(connection: Connection, done: threading.Event) -> None:
    """Read the request and say nothing until the client goes away."""
    connection.recv(1)


def dripping(connection: Connection, done: threading.Event) -> None:
    """A body that never ends but is never silent either."""
    connection.sendall(JSON + b"Transfer-Encoding: chunked\r\n\r\n")
    while not done.wait(0.01):
        connection.sendall(b"1\r\n \r\n")


@pytest.mark.parametrize("serve", [silent, dripping])
def test_slow_answers_end(serve):
    """Neither silence nor an endless drip holds a worker: the call ends with the timeout."""
    with raw_server(serve) as url, client_at(url, timeout=0.1) as client:
        with pytest.raises(OutcomeUnknown, match="in time"):
            client.add_recipient(recipient())
        with pytest.raises(EkomiUnavailable, match="in time"):
            client.shop_details()


def flooding(connection: Connection, done: threading.Event) -> None:
    connection.sendall(JSON + b"\r\n[")
    while not done.is_set():
        connection.sendall(b"1," * 32768)


def bombing(connection: Connection, done: threading.Event) -> None:
    connection.sendall(JSON + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * (8 << 20)))


@pytest.mark.parametrize("serve", [flooding, bombing])
def test_size_is_bounded(serve):
    """An answer beyond a megabyte is not read to its end, nor one that unpacks to more."""
    with (
        raw_server(serve) as url,
        client_at(url) as client,
        pytest.raises(EkomiUnavailable, match="larger than"),
    ):
        client.shop_details()


def test_nobody_listens():
    """A refused connection is EkomiUnavailable for a send too: nothing went out."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with client_at(f"http://127.0.0.1:{port}") as client:
        said = f"no connection to 127.0.0.1:{port} .Connection refused"
        with pytest.raises(EkomiUnavailable, match=said) as caught:
            client.add_recipient(recipient())
        with pytest.raises(EkomiUnavailable):
            client.check()
    assert EMAIL not in str(caught.value)


def test_tls_that_fails():
    """A failed TLS handshake is EkomiUnavailable: the request was not sent."""
    with raw_server(no_http) as url:
        secure = url.replace("http:", "https:")
        with client_at(secure, timeout=0.2) as client, pytest.raises(EkomiUnavailable):
            client.add_recipient(recipient())


@pytest.mark.parametrize(
    "url", ["ftp://x.example", "nonsense", "http://", "http://[", "http://exa mple/\x00", "http://a:b:c"]
)
def test_addresses_that_cannot_be_asked(url):
    """An address that is none is EkomiUnavailable, not a crash of the library."""
    with client_at(url) as client, pytest.raises(EkomiUnavailable):
        client.add_recipient(recipient())


def test_proxies_of_the_environment_are_not_used(monkeypatch):
    """A proxy in the environment never sees the password."""

    def serve(connection: Connection, done: threading.Event) -> None:
        connection.sendall(JSON + b'Content-Length: 21\r\n\r\n{"status": "success"}')

    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with raw_server(serve) as url, client_at(url) as client:
        assert client.add_recipient(recipient()) == Receipt()


def test_connections_are_reused():
    """One client keeps its connection: two calls arrive on the same one."""
    ports: list[int] = []

    def serve(connection: Connection, done: threading.Event) -> None:
        for _ in range(2):
            ports.append(connection.getpeername()[1])
            connection.sendall(JSON + b'Content-Length: 15\r\n\r\n{"details": {}}')
            connection.recv(65536)

    with raw_server(serve) as url, client_at(url) as client:
        client.shop_details()
        client.shop_details()
    assert len(ports) == 2
    assert len(set(ports)) == 1


def test_dumps_may_be_large_and_slow():
    """Reviews may take longer altogether than other calls: only silence counts against them."""
    row = json.dumps({"submitted": 1, "order_id": "1", "rating": 5, "review": "x" * 1000}).encode()
    body = b"[" + b",".join([row] * 2000) + b"]"

    def serve(connection: Connection, done: threading.Event) -> None:
        connection.sendall(JSON + b"Content-Length: %d\r\n\r\n" % len(body))
        for start in range(0, len(body), len(body) // 10):
            done.wait(0.05)
            connection.sendall(body[start : start + len(body) // 10])

    with raw_server(serve) as url, client_at(url, timeout=0.3) as client:
        assert len(client.reviews()) == 2000


def test_deadline_counts_from_the_start():
    """The deadline is the whole call's: a body that arrives after it is not taken."""
    ticks = iter([0.0, 10.0, 10.0, 10.0])

    def serve(connection: Connection, done: threading.Event) -> None:
        connection.sendall(JSON + b"Content-Length: 2\r\n\r\n{}")

    with raw_server(serve) as url, Wire(timeout=5, clock=lambda: next(ticks)) as wire:
        request = Request(
            function="f", method="GET", url=url, fields={"p": PASSWORD}, max_bytes=9, deadline=9.0
        )
        answer = wire.send(request)
    assert answer.broken == "the answer did not end in time"
    assert PASSWORD not in repr(request)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 302 Found\r\nLocation: \xff\xfe\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: http://xn--/\r\nLocation: //\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSet-Cookie: \xff=\x01; expires=x; max-age=-x\r\nContent-Length: 1\r\n\r\n0",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset*=\xff''x\r\nContent-Length: 1\r\n\r\n0",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n00",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n00",
        b"HTTP/1.1 999 ?\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX\x00: y\r\n\r\n",
        b"HTTP/1.1 503 x\r\nRetry-After: Mon, 99 Foo 99999 99:99:99 +9999\r\nContent-Length: 0\r\n\r\n",
        b"\x16\x03\x01\x00",
        b"",
    ],
)
def test_garbage_fails_only_that_call(answer):
    """What is no HTTP, or hardly any, is an outcome like any other and never a crash."""

    def serve(connection, done):
        connection.sendall(answer)

    expected = EkomiUnavailable if b" 503 " in answer else OutcomeUnknown
    with raw_server(serve) as url, client_at(url) as client, pytest.raises(expected):
        client.add_recipient(recipient())
