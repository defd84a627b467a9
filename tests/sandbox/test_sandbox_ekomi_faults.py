"""Every kind of fault as a client meets it on a real connection."""

import email.utils
import time

import httpx
import msgspec
import pytest

from ekomi_reconcile.sandbox.shops import Fault, FaultBook

ADD = "add-recipient"


def fault(api, kind, match=ADD, **more):
    """Put a rule in force over HTTP."""
    return api.control("POST", "/faults", {"match": match, "kind": kind, **more})


@pytest.mark.parametrize(("kind", "stored"), [("cut_before", 0), ("cut_after", 1)])
def test_cuts(api, kind, stored):
    """The connection closes without a byte of answer, before or after the recipient is stored."""
    fault(api, kind)
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        api.ask()
    assert len(api.outbox()) == stored


def test_a_cut_in_the_body(api):
    """Half of the answer arrives, less than announced, and the recipient is stored."""
    fault(api, "cut_body")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        api.ask()
    assert api.outbox()[0]["requests"] == 1


@pytest.mark.parametrize("kind", ["status", "retry_after", "html", "wrong_json", "bare_text"])
@pytest.mark.parametrize(("when", "stored"), [("before", 0), ("after", 1)])
def test_answers_in_place_of_the_true_one(api, kind, when, stored):
    """Each of these kinds may come before or after the recipient is stored."""
    fault(api, kind, when=when, count=1)
    assert api.ask().text != '{"status":"success","message":"Recipient has been added."}'
    assert len(api.outbox()) == stored
    assert api.ask().json()["status"] == "success"


def test_status(api):
    """The status and the body are as told, 500 by default."""
    fault(api, "status", count=1)
    assert api.ask().status_code == 500
    fault(api, "status", status=403, body="go away")
    answer = api.ask()
    assert (answer.status_code, answer.text) == (403, "go away")


def test_retry_after_seconds(api):
    """429 with seconds to wait, or another status."""
    fault(api, "retry_after", seconds=7, count=1)
    answer = api.ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    fault(api, "retry_after", status=503, seconds=3)
    answer = api.ask()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "3")


def test_retry_after_date(api):
    """The wait may be an HTTP date of the real clock."""
    fault(api, "retry_after", seconds=100, retry_form="date")
    moment = email.utils.parsedate_to_datetime(api.ask().headers["retry-after"]).timestamp()
    assert 90 < moment - time.time() <= 100


def test_html(api):
    """A gateway's page comes as HTML with status 200 or another."""
    fault(api, "html", match="getAverage", status=502)
    answer = api.call("getAverage")
    assert answer.status_code == 502
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


def test_half_and_wrong_json(api):
    """Half of the true JSON, or JSON of another shape, inside a sound HTTP answer."""
    whole = api.call("getFeedback", type="json", caching="none").content
    fault(api, "half_json", match="getFeedback", count=1)
    half = api.call("getFeedback", type="json", caching="none").content
    assert half == whole[: len(whole) // 2]
    fault(api, "wrong_json", match="getFeedback", body='["a"]')
    assert api.json("getFeedback") == ["a"]


def test_bare_text(api):
    """A line of text with HTTP 200, of one's own wording."""
    fault(api, "bare_text", match="getSnapshot", body="Wartungsarbeiten")
    answer = api.call("getSnapshot", type="json")
    assert (answer.status_code, answer.text) == (200, "Wartungsarbeiten")


def test_latency(api):
    """The true answer comes late."""
    fault(api, "latency", seconds=0.15)
    began = time.perf_counter()
    assert api.ask().json()["status"] == "success"
    assert time.perf_counter() - began >= 0.15


def test_a_client_that_gives_up_is_served_all_the_same(api):
    """After a read timeout the recipient is stored: the outcome a client cannot know."""
    fault(api, "latency", seconds=0.1)
    fields = {
        "shop_id": "28374",
        "password": "sandbox-de",
        "recipient_type": "email",
        "first_name": "A",
        "last_name": "B",
        "email": "a@example.com",
        "transaction_id": "9",
        "transaction_time": "14-06-2025 10:00:00",
    }
    with pytest.raises(httpx.ReadTimeout):
        api.client.post(f"{api.server.srr_url}/add-recipient", data=fields, timeout=0.03)
    api.ask()  # comes after the same latency, so the first has been served by then
    assert [entry["transaction_id"] for entry in api.outbox()] == ["9", "100000123"]


def test_slow_body(api):
    """The true answer, in pieces over the time given; a client that reads on gets all of it."""
    whole = api.call("getFeedback", type="json").content
    fault(api, "slow_body", match="getFeedback", seconds=0.2)
    began = time.perf_counter()
    assert api.call("getFeedback", type="json").content == whole
    assert time.perf_counter() - began >= 0.15


def test_big_body(api):
    """As many bytes as told, without their number in a header; a client may stop in the middle."""
    fault(api, "big_body", match="getFeedback", size=200_001)
    answer = api.call("getFeedback", type="json")
    assert len(answer.content) == 200_001
    assert "content-length" not in answer.headers
    api.control("DELETE", "/faults")
    fault(api, "big_body", match="getFeedback", size=10**12, count=1)
    params = {"auth": "28374|sandbox-de", "type": "json"}
    with api.client.stream("GET", f"{api.server.api_url}/getFeedback", params=params) as endless:
        assert next(endless.iter_bytes()).startswith(b"[")
    assert api.rows()


def test_match_count_and_skip(api):
    """A rule strikes only its function and shop, after the calls it skips, and as often as told."""
    fault(api, "status", match="GETSNAPSHOT", shop="28374", skip=1, count=2)
    codes = [api.call("getSnapshot").status_code for _ in range(5)]
    assert codes == [200, 500, 500, 200, 200]
    assert api.call("getAverage").status_code == 200
    fault(api, "status", match="*", shop="28375")
    assert api.call("getSnapshot").status_code == 200
    assert api.call("getSnapshot", auth="28375|sandbox-fr").status_code == 500
    first = api.control("GET", "/faults")[0]
    assert (first["matched"], first["struck"], first["match"]) == (3, 2, "GETSNAPSHOT")


def test_shop_of_a_recipient(api):
    """Rules for one shop see the shop in the body of a request and in the headers of segments."""
    fault(api, "status", match="*", shop="28374")
    assert api.ask().status_code == 500
    assert api.ask(shop_id="28375", password="sandbox-fr").json()["status"] == "success"
    url = f"{api.server.srr_url}/api/v1/customer-segments"
    assert api.client.get(url, headers={"shop-id": "28374"}).status_code == 500


def test_removing_rules(api):
    """A rule is removed by its id; one that is not there is 404."""
    rule = fault(api, "status")
    api.control("DELETE", f"/faults/{rule['id']}")
    assert api.ask().json()["status"] == "success"
    assert api.client.delete(f"{api.server.url}/_sandbox/faults/{rule['id']}").status_code == 404


@pytest.mark.parametrize(
    "rule",
    [
        {"match": "*"},
        {"match": "*", "kind": "explode"},
        {"match": "*", "kind": "status", "probability": 2},
        {"match": "*", "kind": "status", "colour": "red"},
        [],
    ],
)
def test_refused_rules(api, rule):
    """A rule that makes no sense is refused with the reason."""
    answer = api.client.post(f"{api.server.url}/_sandbox/faults", json=rule)
    assert answer.status_code == 400
    assert answer.json()["error"]


def test_control_is_never_hit(api):
    """Rules for everything leave the control endpoints alone."""
    fault(api, "status", match="*")
    assert len(api.control("GET", "/accounts")) == 5


def test_latency_adds_to_another_fault():
    """Every latency strikes; of the others only the first, and a later one is not used up by it."""
    book = FaultBook(1)
    book.add(Fault(match="*", kind="latency"))
    book.add(Fault(match="*", kind="status"))
    later = book.add(Fault(match="*", kind="html", count=1))
    book.add(Fault(match="*", kind="latency"))
    assert [drawn.kind for drawn in book.draw("putOrder", "1")] == ["latency", "status", "latency"]
    assert later.struck == 0


def test_probability_is_seeded():
    """The same seed strikes the same calls, about as many as the probability says."""

    def strikes(seed):
        book = FaultBook(seed)
        book.add(Fault(match="*", kind="status", probability=0.3))
        return [len(book.draw("putOrder", "1")) for _ in range(400)]

    assert strikes(1) == strikes(1)
    assert strikes(1) != strikes(2)
    assert 80 < sum(strikes(1)) < 160


def test_fault_limits_hold_in_data_too():
    """What a rule may say is checked where it is read."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"match": "*", "kind": "status", "status": 99}, Fault)
