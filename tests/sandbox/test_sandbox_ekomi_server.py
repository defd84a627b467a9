"""Starting and stopping: ports, several at once, loopback only, signals."""

import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.world import World

ROOT = Path(__file__).parents[2]


def test_addresses():
    """A free port is taken, and the addresses for the configuration are told."""
    with SandboxServer() as server:
        port = server.url.rpartition(":")[2]
        assert int(port) > 0
        assert (server.api_url, server.srr_url) == (f"{server.url}/v3", f"{server.url}/srr")


def test_several_at_once_share_nothing(client):
    """Two servers in one process have worlds of their own."""
    with SandboxServer() as one, SandboxServer() as two:
        one.world.switch(success_word="one")
        words = [client.get(f"{s.url}/_sandbox/switches").json()["success_word"] for s in (one, two)]
    assert words == ["one", "success"]


def test_start_and_stop_are_quick():
    """A test can afford a server of its own."""
    began = time.perf_counter()
    for _ in range(5):
        SandboxServer(World(order_count=1)).start().stop()
    assert (time.perf_counter() - began) / 5 < 0.3


def test_stop_frees_the_port_and_the_thread(client):
    """After stop nothing answers, no thread is left, and stopping again is harmless."""
    server = SandboxServer().start()
    client.get(f"{server.url}/_sandbox/clock")
    server.stop()
    server.stop()
    with pytest.raises(httpx.ConnectError):
        client.get(f"{server.url}/_sandbox/clock")
    assert "sandbox" not in {thread.name for thread in threading.enumerate()}


def test_stop_does_not_wait_for_slow_answers(client):
    """A request in flight is cut, not waited for."""
    errors = []

    def ask(url):
        try:
            client.get(url)
        except httpx.RequestError as error:
            errors.append(error)

    with SandboxServer() as server:
        client.post(f"{server.url}/_sandbox/faults", json={"match": "*", "kind": "latency", "seconds": 60})
        thread = threading.Thread(target=ask, args=(f"{server.api_url}/getAverage",))
        thread.start()
        while not server.world.requests.of("getAverage"):
            client.get(f"{server.url}/_sandbox/clock")
        began = time.perf_counter()
    thread.join(5)
    assert time.perf_counter() - began < 2
    assert len(errors) == 1


def test_a_taken_port_is_an_error():
    """A port in use is told where the server was started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = SandboxServer(port=taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            server.start()
        server.stop()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com", ""])
def test_only_loopback(host):
    """Known passwords do not go on a network by accident."""
    with pytest.raises(ValueError, match="loopback only"):
        SandboxServer(host=host)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.2"])
def test_other_names_of_loopback(host, client):
    """Loopback has more than one name."""
    with SandboxServer(host=host) as server:
        assert client.get(f"{server.url}/_sandbox/clock").status_code == 200


def test_exposure_on_demand(client):
    """Who says so may listen on every interface."""
    with SandboxServer(host="0.0.0.0", exposure="network") as server:
        port = server.url.rpartition(":")[2]
        assert client.get(f"http://127.0.0.1:{port}/_sandbox/clock").status_code == 200


def test_extra_routes(client):
    """Another system's routes live beside eKomi's, and a defect in them looks like one."""

    async def orders(_request):
        return PlainTextResponse("orders")

    async def broken(_request):
        raise RuntimeError("a bug")

    routes = [Route("/rest/V1/orders", orders), Route("/broken", broken)]
    with SandboxServer(extra_routes=routes) as server:
        assert client.get(f"{server.url}/rest/V1/orders").text == "orders"
        defect = client.get(f"{server.url}/broken")
    assert defect.status_code == 500
    assert "a bug" in defect.text


def test_no_noise(capfd, caplog, client):
    """Neither requests nor cuts nor the end write a line."""
    with SandboxServer() as server:
        client.post(f"{server.url}/_sandbox/faults", json={"match": "*", "kind": "cut_before"})
        with pytest.raises(httpx.RequestError):
            client.get(f"{server.api_url}/getAverage")
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


def test_the_project_wide_fixture(sandbox, client):
    """The fixture gives a started server with the seeded shops and the real time."""
    assert len(client.get(f"{sandbox.url}/_sandbox/accounts").json()) == 5
    assert abs(sandbox.world.clock.now() - time.time()) < 60


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_serve_until_a_signal(name, client):
    """serve() answers until the signal, ends at once and says which it was."""
    code = (
        "from ekomi_reconcile.sandbox.server import serve\n"
        "print(serve(orders=3, seed=9, on_ready=lambda s: print(s.url, flush=True)).name)"
    )
    command = [sys.executable, "-c", code]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        url = run.stdout.readline().strip()
        assert client.get(f"{url}/_sandbox/orders").text.count("\n") == 3
        run.send_signal(signal.Signals[name])
        out, errors = run.communicate(timeout=10)
    assert (run.returncode, out.strip(), errors) == (0, name, "")
