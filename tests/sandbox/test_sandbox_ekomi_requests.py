"""add-recipient and what belongs to it, and the outbox behind."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

NOW = 1_750_000_000
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
HEADERS = {"shop-id": "28374", "interface-password": "sandbox-de"}


def test_a_recipient_is_stored(api):
    """A good request succeeds, and the outbox has it without the password."""
    assert api.ask().json() == {"status": "success", "message": "Recipient has been added."}
    entry = api.outbox()[0]
    fields = entry.pop("fields")
    assert entry == {
        "shop_id": "28374",
        "channel": "email",
        "transaction_id": "100000123",
        "email": "mira@example.com",
        "telephone": None,
        "requests": 1,
        "first_at": NOW,
        "last_at": NOW,
        "delivered": True,
    }
    assert fields == {name: value for name, value in RECIPIENT.items() if name != "password"}


@pytest.mark.parametrize("path", ["/add-recipient", "/srr/add-recipient"])
@pytest.mark.parametrize("form", ["urlencoded", "multipart", "json"])
def test_bodies(api, path, form):
    """Three kinds of body and two paths are the same request, letters beyond ASCII included."""
    fields = RECIPIENT | {"first_name": "Zoë Ødegård"}
    body = {
        "urlencoded": {"data": fields},
        "multipart": {"files": {name: (None, value) for name, value in fields.items()}},
        "json": {"json": fields | {"shop_id": 28374, "salutation": None}},
    }[form]
    assert api.client.post(api.server.url + path, **body).json()["status"] == "success"
    stored = api.outbox()[0]
    assert (stored["shop_id"], stored["fields"]["first_name"]) == ("28374", "Zoë Ødegård")


@pytest.mark.parametrize("body", [{"content": b"{nonsense"}, {"content": b"[1]"}])
def test_unreadable_json(api, body):
    """A body that is no JSON object is an error in words."""
    headers = {"content-type": "application/json"}
    answer = api.client.post(f"{api.server.srr_url}/add-recipient", headers=headers, **body)
    assert (answer.status_code, answer.json()["status"]) == (200, "error")


def test_another_content_type(api):
    """What is neither a form nor JSON is not read."""
    answer = api.client.post(f"{api.server.srr_url}/add-recipient", content=b"shop_id=28374")
    assert answer.json()["status"] == "error"


@pytest.mark.parametrize("name", sorted(RECIPIENT))
def test_missing_fields(api, name):
    """Every field the official code sends is needed; the message names it and nothing is stored."""
    answer = api.ask(**{name: None})
    assert answer.json() == {"status": "error", "message": f"The {name} field is required."}
    assert api.outbox() == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"recipient_type": "fax"}, "recipient_type"),
        ({"email": "mira"}, "email"),
        ({"transaction_time": "2025-06-14T10:00:00Z"}, "transaction_time"),
        ({"transaction_time": "1750000000"}, "transaction_time"),
        ({"recipient_type": "sms"}, "telephone"),
        ({"recipient_type": "sms", "telephone": "0171 3920001"}, "telephone"),
        (
            {"recipient_type": "sms", "telephone": "+491713920001", "sender_name": "twelve chars"},
            "sender_name",
        ),
        ({"has_products": "yes"}, "has_products"),
        ({"has_products": "1"}, "products_info"),
        ({"has_products": "1", "products_info": "BK1"}, "products_info"),
        ({"has_products": "1", "products_info": "{}", "products_other": "[]"}, "products_other"),
    ],
)
def test_malformed_fields(api, changes, word):
    """A field of the wrong form is refused by name and nothing is stored."""
    answer = api.ask(**changes).json()
    assert answer["status"] == "error"
    assert word in answer["message"]
    assert api.outbox() == []


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"shop_id": "99999"}])
def test_wrong_credentials(api, changes):
    """Wrong credentials are an error in words, with HTTP 200, and store nothing."""
    answer = api.ask(**changes)
    assert answer.status_code == 200
    assert answer.json() == {"status": "error", "message": "Invalid shop_id or password."}
    assert api.outbox() == []


def test_the_other_name_of_the_password(api):
    """interface_password is accepted in place of password."""
    assert api.ask(password=None, interface_password="sandbox-de").json()["status"] == "success"


@pytest.mark.parametrize("number", ["+491713920001", " 491713920001"])
def test_sms_and_products(api, number):
    """An SMS goes to a number, even if its + came as a space; year-first times and products are fine."""
    answer = api.ask(
        recipient_type="sms",
        email=None,
        telephone=number,
        first_name="",
        transaction_time="2025-06-14 10:00:00",
        has_products="1",
        products_info='{"BK1": "Bike"}',
    )
    assert answer.json()["status"] == "success"
    assert (api.outbox()[0]["channel"], api.outbox()[0]["telephone"]) == ("sms", "+491713920001")
    assert api.json("getProduct", product="BK1")["product_name"] == "Bike"


def test_a_repeat_is_counted_not_stored(api, world):
    """The same shop and transaction is one recipient with two requests, whatever the channel."""
    api.ask()
    world.clock.advance(60)
    answer = api.ask(recipient_type="sms", telephone="+491713920001")
    assert answer.json()["status"] == "success"
    (entry,) = api.outbox()
    assert (entry["requests"], entry["channel"]) == (2, "email")
    assert (entry["first_at"], entry["last_at"]) == (NOW, NOW + 60)


def test_other_shops_and_transactions_are_other_recipients(api):
    """The key is shop and transaction together, and a link of the same order is something else."""
    api.ask()
    api.ask(transaction_id="2")
    api.ask(shop_id="28375", password="sandbox-fr")
    api.json("putOrder", order_id="100000123")
    assert [entry["requests"] for entry in api.outbox()] == [1, 1, 1, 1]
    assert len(api.control("GET", "/outbox", shop="28374")) == 3
    assert len(api.control("GET", "/outbox", channel="link")) == 1


def test_a_repeat_may_be_an_error(api, world):
    """By switch a repeat says "already", and is counted nevertheless."""
    world.switch(duplicate_answer="error")
    assert api.ask().json()["status"] == "success"
    again = api.ask().json()
    assert again["status"] == "error"
    assert "already" in again["message"]
    assert api.outbox()[0]["requests"] == 2


def test_success_word_and_error_status(api, world):
    """The word of success and the HTTP status of errors are switches."""
    world.switch(success_word="ok", recipient_error_status=422)
    assert api.ask().json()["status"] == "ok"
    refused = api.ask(email=None)
    assert (refused.status_code, refused.json()["status"]) == (422, "error")


def test_clearing_the_outbox(api):
    """After clearing, the next request is a first one."""
    api.ask()
    api.control("DELETE", "/outbox")
    assert api.outbox() == []
    api.ask()
    assert api.outbox()[0]["requests"] == 1


def test_sixteen_threads_record_each_transaction_once(api):
    """Concurrent requests, each transaction twice, give one recipient with two requests each."""
    limits = httpx.Limits(max_connections=16)
    with httpx.Client(trust_env=False, verify=False, limits=limits) as client, ThreadPoolExecutor(16) as pool:
        url = f"{api.server.srr_url}/add-recipient"
        numbers = [str(number % 60) for number in range(120)]
        answers = pool.map(lambda n: client.post(url, data=RECIPIENT | {"transaction_id": n}), numbers)
        assert {answer.json()["status"] for answer in answers} == {"success"}
    assert sorted(entry["transaction_id"] for entry in api.outbox()) == sorted(set(numbers))
    assert {entry["requests"] for entry in api.outbox()} == {2}


def test_segments(api):
    """Segments are listed by status and switched; without an active default one nothing is delivered."""
    url = f"{api.server.srr_url}/api/v1/customer-segments"
    active = api.client.get(url, params={"status": "active"}, headers=HEADERS).json()
    assert active == {"status_code": 200, "data": [{"id": 7, "is_default": "true"}]}
    answer = api.client.put(f"{url}/7", params={"status": "inactive"}, headers=HEADERS)
    assert answer.json()["status_code"] == 200
    assert len(api.client.get(url, params={"status": "inactive"}, headers=HEADERS).json()["data"]) == 2
    api.ask()
    assert api.outbox()[0]["delivered"] is False


def test_setting(api):
    """smartcheck_on is switched by JSON."""
    url = f"{api.server.srr_url}/api/v1/shops/setting"
    assert api.client.put(url, json={"smartcheck_on": True}, headers=HEADERS).json()["status_code"] == 200
    assert api.control("GET", "/accounts/28374")["smartcheck_on"] is True
    assert api.client.put(url, content=b"{", headers=HEADERS).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "customer-segments"), ("PUT", "customer-segments/7?status=active"), ("PUT", "shops/setting")],
)
def test_segments_need_credentials(api, method, path):
    """Without the right headers segments and settings answer 401."""
    url = f"{api.server.url}/api/v1/{path}"
    assert api.client.request(method, url).status_code == 401
    wrong = HEADERS | {"interface-password": "x"}
    assert api.client.request(method, url, headers=wrong).status_code == 401


def test_unknown_segment(api):
    """A segment that is not there, or a status that is none, is 404."""
    url = f"{api.server.srr_url}/api/v1/customer-segments"
    assert api.client.put(f"{url}/9", params={"status": "active"}, headers=HEADERS).status_code == 404
    assert api.client.put(f"{url}/7", params={"status": "on"}, headers=HEADERS).status_code == 404
