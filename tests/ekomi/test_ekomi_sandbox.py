"""The client against the stand-in for eKomi, whichever way the open questions about eKomi are answered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ekomi_support import EMAIL, Patience, recipient

from ekomi_reconcile.ekomi import Credentials, Endpoints, ReviewRange
from ekomi_reconcile.ekomi.client import EkomiClient
from ekomi_reconcile.http.rate_limit import RateLimiter
from ekomi_reconcile.model.errors import CredentialsRefused
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.world import SandboxClock, World

NOW = 1_750_000_000


class Word:
    """A password of the sandbox."""

    def __init__(self, word: str = "sandbox-de") -> None:
        self._word = word

    def reveal(self) -> str:
        return self._word


@pytest.fixture(scope="module")
def server():
    sandbox = SandboxServer(World(clock=SandboxClock(NOW)))
    sandbox.start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def world(server):
    yield server.world
    server.world.reset_switches()


def client_of(server: SandboxServer, *, word: str = "sandbox-de") -> EkomiClient:
    return EkomiClient(
        credentials=Credentials("28374", Word(word)),
        endpoints=Endpoints(server.api_url, server.srr_url, 10.0),
        limiter=RateLimiter(float("inf")),
        stop=Patience(),
    )


SWITCHES = [
    {},
    {"numbers": "numbers", "average_count_key": "ratings_count", "template_language": "word"},
    {"content_type": "html", "template_language": "locale", "empty_list": "nothing"},
    {"feedback_fields": "plain", "known_since_first": "absent", "success_word": "ok"},
    {"error_status": 400, "feedback_auth_texts": "general", "recipient_error_status": 422},
    {"missing_functions": ["getShopDetails"], "known_since_first": "null"},
    {
        "missing_functions": ["getShopDetails"],
        "unknown_function_text": "InvalidFunction",
        "error_status": 404,
    },
    {"missing_functions": ["getAverage", "getProductfeedback"], "product_filter": "ignored"},
]


@pytest.mark.parametrize("switches", SWITCHES, ids=range(len(SWITCHES)))
def test_every_answer_to_the_open_questions(server, world, switches):
    """Credentials, shop data, reviews, links and requests work under each set of answers."""
    world.switch(**switches)
    missing = switches.get("missing_functions", [])
    with client_of(server) as client:
        client.check()
        reviews = client.reviews()
        data = client.shop_data(imported_reviews=len(reviews))
        order = f"sandbox-{SWITCHES.index(switches)}"
        first, again = client.put_order(order, NOW), client.put_order(order, NOW)
        asked = client.add_recipient(recipient(transaction_id=order))
    assert reviews.unreadable == 0
    assert len(reviews) == data.total_reviews == len(world.shops["28374"].reviews)
    assert "getShopDetails" in missing or data.locale[:2] == "de"
    assert data.review_page.startswith("https://")
    assert 1 <= data.average_score <= 5
    assert (first.known_before, again.known_before, first.link) == (False, True, again.link)
    assert not asked.known_before


@pytest.mark.parametrize("switches", [{}, {"feedback_auth_texts": "general", "recipient_error_status": 401}])
@pytest.mark.parametrize("status", [200, 401, 403, 500])
def test_wrong_password(server, world, switches, status):
    """A wrong password is CredentialsRefused by every function, with any status and text."""
    world.switch(error_status=status, **switches)
    with client_of(server, word="wrong") as client:
        for call in (client.check, client.shop_data, client.reviews, client.product_reviews):
            with pytest.raises(CredentialsRefused):
                call()
        with pytest.raises(CredentialsRefused):
            client.put_order("1", NOW)
        with pytest.raises(CredentialsRefused):
            client.add_recipient(recipient())


def test_known_recipient(server, world):
    """An order that eKomi has already is a success that says so."""
    world.switch(duplicate_answer="error")
    with client_of(server) as client:
        person = recipient(transaction_id="known-1", first_name="Zoë")
        assert not client.add_recipient(person).known_before
        assert client.add_recipient(replace(person)).known_before
    (kept,) = [each for each in world.outbox.entries() if each.transaction_id == "known-1"]
    assert (kept.email, kept.fields["first_name"]) == (EMAIL, "Zoë")


def test_windows_are_nested(server, world):
    """A smaller window brings the recent part of a larger one, never other reviews."""
    with client_of(server) as client:
        sizes = [len(client.reviews(window)) for window in ReviewRange]
        month, everything = client.reviews(ReviewRange.MONTH), client.reviews(ReviewRange.ALL)
    assert sizes == sorted(sizes)
    assert all(each in everything for each in month)
    assert sizes[0] < sizes[-1]
