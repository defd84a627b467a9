"""A sandbox whose clock stands still, and a caller that speaks to it over a real socket."""

import httpx
import pytest

from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.world import SandboxClock, World

NOW = 1_750_000_000
AUTH = {"auth": "28374|sandbox-de", "version": "cust-1.0.0"}
RECIPIENT = {
    "shop_id": "28374",
    "password": "sandbox-de",
    "recipient_type": "email",
    "first_name": "Mira",
    "last_name": "Kolb",
    "email": "mira@example.com",
    "transaction_id": "100000123",
    "transaction_time": "14-06-2025 10:00:00",
}


class Caller:
    """Requests to one server; control answers come back decoded and must succeed."""

    def __init__(self, server, client):
        self.server = server
        self.client = client

    def raw(self, function, **params):
        """A core API call with exactly these parameters."""
        return self.client.get(f"{self.server.api_url}/{function}", params=params)

    def call(self, function, **params):
        """A core API call with credentials and version."""
        return self.raw(function, **{**AUTH, **params})

    def json(self, function, **params):
        """The same as JSON in UTF-8, decoded."""
        return self.call(function, **{"type": "json", "charset": "utf-8", **params}).json()

    def rows(self, **params):
        """Shop reviews, never from the cache."""
        return self.json("getFeedback", **{"caching": "none", **params})

    def ask(self, **changes):
        """add-recipient; a field given as ``None`` is left out."""
        fields = {name: value for name, value in {**RECIPIENT, **changes}.items() if value is not None}
        return self.client.post(f"{self.server.srr_url}/add-recipient", data=fields)

    def control(self, method, path, content=None, **params):
        """A request to ``/_sandbox``."""
        url = f"{self.server.url}/_sandbox{path}"
        answer = self.client.request(method, url, json=content, params=params)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def outbox(self):
        """Who was asked."""
        return self.control("GET", "/outbox")


@pytest.fixture(scope="session")
def client():
    """One HTTP client for all tests: building one costs more than most of them."""
    with httpx.Client(trust_env=False, verify=False, timeout=5) as made:
        yield made


@pytest.fixture
def world():
    """A fresh world at a known instant."""
    return World(clock=SandboxClock(NOW))


@pytest.fixture
def api(world, client):
    """A caller of a started server of that world."""
    with SandboxServer(world) as server:
        yield Caller(server, client)
