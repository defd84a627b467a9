"""A whole exchange has a deadline, whatever a server does with the time between two bytes."""

import socket
import threading
import time
from contextlib import closing, contextmanager

import pytest

from ekomi_reconcile.ekomi.wire import Answer, FailedRequest, Request
from ekomi_reconcile.ekomi.wire import Wire as EkomiWire
from ekomi_reconcile.http.client import within
from ekomi_reconcile.orders.magento.wire import NoAnswer, ShopWire

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def server(*pieces, pause=0.05):
    """A server that answers every request with these pieces, one after each pause; its address."""
    over = threading.Event()

    def serve(listener):
        while not over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while not over.is_set() and _answer(connection):
                    pass

    def _answer(connection):
        try:
            if not connection.recv(65_536):
                return False
            for piece in pieces:
                connection.sendall(piece)
                over.wait(pause)
        except OSError:
            return False
        return True

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            over.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def ask(url, deadline):
    """What eKomi's client makes of it; no wait for a byte ends by itself."""
    with EkomiWire(timeout=30) as wire:
        request = Request(
            function="f", method="GET", url=url, fields={}, max_bytes=1 << 20, deadline=deadline
        )
        return wire.send(request)


HEAD = [b"HTTP/1.1 200 OK\r\nX-Drip: ", *[b"a"] * 200]
CHUNKS = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", *[b"1\r\na\r\n"] * 200]
CONTINUE = [b"HTTP/1.1 100 Continue\r\n\r\n"] * 200


@pytest.mark.parametrize("pieces", [HEAD, CHUNKS, CONTINUE], ids=["head", "body", "interim answers"])
def test_bytes_that_keep_coming_do_not_hold_up_a_call(pieces):
    """Head, body or interim answers in drops: over at the deadline, though no single wait was long."""
    with server(*pieces) as url:
        began = time.monotonic()
        reply = ask(url, 0.4)
        assert time.monotonic() - began < 5
    if isinstance(reply, FailedRequest):
        assert reply.sent
        assert "in time" in reply.reason
    else:
        assert "in time" in reply.broken


def test_a_shop_that_drips_is_given_up():
    """The client of shops has the same deadline, and says that the shop is slow."""
    with server(*HEAD) as url, closing(ShopWire(longest=0.4)) as wire:
        began = time.monotonic()
        reply = wire.send("GET", f"{url}/rest/V1/orders", {})
        assert time.monotonic() - began < 5
    assert isinstance(reply, NoAnswer)
    assert reply.slow


def test_the_next_call_has_time_of_its_own():
    """A deadline ends with its call: the same connections serve the next one, and one after a late one."""
    with server(GOOD) as good, server(*HEAD) as bad, EkomiWire(timeout=30) as wire:
        for url, seconds in ((good, 5), (good, 5), (bad, 0.2), (good, 5)):
            request = Request(function="f", method="GET", url=url, fields={}, max_bytes=9, deadline=seconds)
            reply = wire.send(request)
            assert isinstance(reply, Answer) == (url == good)


def test_what_is_late_before_it_began_was_certainly_not_sent():
    """With no time left there is no connection, so nobody was asked."""
    with server(GOOD) as url, within(-1), EkomiWire(timeout=30) as wire:
        request = Request(function="f", method="POST", url=url, fields={}, max_bytes=9, deadline=0)
        reply = wire.send(request)
    assert isinstance(reply, FailedRequest)
    assert not reply.sent
