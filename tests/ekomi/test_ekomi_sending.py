"""add-recipient: nobody is asked twice, and a clear answer is taken as such."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

import httpx
import pytest
from ekomi_support import EMAIL, INTERFACE_ID, PASSWORD, PHONE, Patience, always, client_for, recipient
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.ekomi import Call, CallOutcome, Channel, Receipt
from ekomi_reconcile.ekomi.refusal_texts import Tendency, tendency_of_answer
from ekomi_reconcile.model.errors import (
    AccountRefused,
    CredentialsRefused,
    EkomiError,
    EkomiUnavailable,
    OutcomeUnknown,
    RecipientRefused,
    RequestRefused,
)


def form_of(**more) -> tuple[httpx.Request, dict[str, str]]:
    """The request that eKomi gets for such a recipient, and its fields."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"status": "success"})

    with client_for(answer) as client:
        client.add_recipient(recipient(**more))
    fields = parse_qs(asked[0].content.decode("ascii"), keep_blank_values=True, strict_parsing=True)
    return asked[0], {name: value for name, (value,) in fields.items()}


def test_form_by_email():
    """By e-mail: an urlencoded POST with eKomi's field names, the order's time in UTC, no phone number."""
    request, fields = form_of()
    assert (request.method, str(request.url)) == ("POST", "https://srr.example/add-recipient")
    assert fields == {
        "shop_id": INTERFACE_ID,
        "password": PASSWORD,
        "recipient_type": "email",
        "first_name": "Erika",
        "last_name": "Mustermann",
        "email": EMAIL,
        "transaction_id": "100000123",
        "transaction_time": "15-06-2025 15:06:40",
        "client_id": "guest_oId_100000123",
        "has_products": "0",
    }


def test_form_by_sms():
    """By text message: the phone number instead of the address, and the sender as it is given."""
    _, fields = form_of(channel=Channel.SMS, sender_name="Example", client_id="42", last_name=None)
    assert "email" not in fields
    assert (fields["telephone"], fields["sender_name"]) == (PHONE, "Example")
    assert (fields["client_id"], fields["last_name"]) == ("42", "")


@pytest.mark.parametrize("more", [{"email": None}, {"channel": Channel.SMS, "telephone": ""}])
def test_recipient_needs_an_address(more):
    """A recipient without the address of its channel cannot be made."""
    with pytest.raises(ValueError, match="needs an address"):
        recipient(**more)


SUCCESSES = [
    {"status": "success"},
    {"status": "ok", "message": "done"},
    {"status": "SUCCESS", "errors": []},
    {"status_code": 200, "data": {}},
    {"done": 1},
    {"status": 200, "error": None},
    {"status": {"type": "success"}},
    {"status": True},
    {"status": "queued", "error": False},
    {"status": 201},
    {"success": True, "status_code": "200"},
]


@pytest.mark.parametrize("body", SUCCESSES)
@pytest.mark.parametrize("status", [200, 201, 202])
def test_successes(status, body):
    """A JSON object with a status that is no error is success, whatever its word for it."""
    with client_for(always(status, json.dumps(body), Content_Type="text/html")) as client:
        assert client.add_recipient(recipient()) == Receipt()


@pytest.mark.parametrize("body", [{}, {"id": 5}, {"unexpected": [1]}])
def test_an_object_of_another_shape_is_no_success(body):
    """JSON that says neither yes nor no is not recorded as sent: the outcome is unknown."""
    with client_for(always(200, json.dumps(body))) as client, pytest.raises(OutcomeUnknown):
        client.add_recipient(recipient())


RECORDED = json.loads(
    Path(__file__).parent.parent.joinpath("cases/answers-that-say-no/answers.json").read_text()
)
REJECTIONS = [
    '{"status":0}',
    '{"status":false}',
    '{"status":"failed"}',
    '{"status":"FAILED "}',
    '{"status":"invalid"}',
    '{"status":{"type":"denied"}}',
    '{"status":"quota_exceeded"}',
    '{"status_code":"503"}',
    '{"status_code":402.0}',
    '{"done":"0"}',
    '{"success":false}',
    '{"error":"x"}',
    '{"status":"inactive account"}',
]
UNCLEAR = [
    '{"status":"success","done":0}',
    '{"status":"success","status_code":403}',
    '{"status":"success","done":null}',
    '{"status":""}',
    '{"status":[]}',
    '{"status":{}}',
    '{"status":NaN}',
    '{"status":2}',
    '{"status_code":202}',
    '{"done":-1}',
    '{"done":"yes"}',
    '{"status":"duplicate"}',
    "0",
    "1",
    "true",
    "false",
    "[1]",
    '["success"]',
    "Infinity",
]


@pytest.mark.parametrize(
    ("status", "body", "verdict"),
    [
        *((each["status"], each["body"], each["verdict"]) for each in RECORDED),
        *((200, body, "not sent") for body in REJECTIONS),
        *((200, body, "unknown") for body in UNCLEAR),
    ],
)
def test_only_a_clear_yes_is_sent(status, body, verdict):
    """A clear no is a refusal, neither is unknown; each takes one request."""
    calls: list[Call] = []
    with client_for(always(status, body), on_call=calls.append) as client:
        try:
            client.add_recipient(recipient())
            found = "sent"
        except OutcomeUnknown:
            found = "unknown"
        except (AccountRefused, RequestRefused):
            found = "not sent"
    assert (found, len(calls)) == (verdict, 1)


LISTED = {"success", "ok", "true", "1", "200", "201", "created", "accepted", "added", "queued"}
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(sorted(LISTED)),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "x"]), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = st.sampled_from(["status", "status_code", "done", "success", "message", "error", "id"])


def listed(value):
    """Is it a value of the list, as JSON may carry it?"""
    if isinstance(value, dict):
        return listed(value.get("type"))
    if isinstance(value, str):
        return " ".join(value.lower().replace("_", " ").split()) in LISTED
    return value is True or (isinstance(value, int | float) and value in {1, 200, 201})


@given(VALUES | st.dictionaries(KEYS, VALUES, max_size=4))
def test_no_value_outside_the_list_is_sent(answer):
    """Whatever JSON comes back: it is a yes only where every verdict in it is on the list."""
    if tendency_of_answer(answer) is not Tendency.YES:
        return
    verdicts = [value for key, value in answer.items() if key in {"status", "status_code", "done", "success"}]
    assert verdicts
    assert all(map(listed, verdicts))
    assert not answer.get("error")


@given(st.binary(max_size=60) | VALUES.map(json.dumps).map(str.encode), st.integers(100, 599))
def test_any_answer_has_one_of_the_outcomes(body, status):
    """Whatever comes back, with whatever status: a receipt or the one kind of error, never a crash."""
    with client_for(always(status, body)) as client, suppress(EkomiError):
        client.add_recipient(recipient())


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"status":"vielleicht"}', '{"status":"vielleicht"}'),
        ("<html><style>p{}</style><body><h1>Sorry</h1> Erika\nMustermann", "Sorry [personal] [personal]"),
        (
            json.dumps({"status": None, "for": EMAIL, "key": PASSWORD}),
            '"for": "[personal]", "key": "[password]"',
        ),
        ("null", "null"),
    ],
)
def test_an_unclear_answer_is_quoted_without_personal_data(body, shown):
    """A person has to judge it, so its text is in the message: redacted, a page without its markup."""
    with client_for(always(200, body)) as client, pytest.raises(OutcomeUnknown) as caught:
        client.add_recipient(recipient())
    assert shown in caught.value.message


LOCATIONS = (
    Path(__file__)
    .parent.parent.joinpath("cases/redirects-with-odd-location/locations.txt")
    .read_text()
    .splitlines()
)


@pytest.mark.parametrize("location", [*LOCATIONS, "", "http://\x00", "/ok", "https://[", "a:b:c", "x" * 9000])
@pytest.mark.parametrize("status", [301, 302, 303, 304, 307, 308])
def test_a_redirect_is_an_answer_like_any_other(status, location):
    """Wherever it leads, that one call fails: a request is unknown, a read cannot be done now."""
    answer = always(status, "", Location=location)
    with client_for(answer) as client:
        with pytest.raises(OutcomeUnknown):
            client.add_recipient(recipient())
        with pytest.raises(EkomiUnavailable):
            client.mail_delay()


ERRORS = [
    ("Order already exists", Receipt),
    ("Duplicate transaction_id", Receipt),
    ("recipient already added", Receipt),
    ("The shop no longer exists", AccountRefused),
    ("Monthly quota exceeded", AccountRefused),
    ("You have already reached your limit of invitations", AccountRefused),
    ("Your account is inactive", AccountRefused),
    ("Product reviews are not included in your package", AccountRefused),
    ("Recipient has already unsubscribed", RecipientRefused),
    ("address is already blacklisted", RecipientRefused),
    ("order does not exist", RequestRefused),
    ("", RequestRefused),
    ("Invalid telephone", RecipientRefused),
    ("Access denied", CredentialsRefused),
    ("Invalid shop_id or password", CredentialsRefused),
    ("Password is wrong", CredentialsRefused),
    ("Unauthorized", CredentialsRefused),
    ("authentication failed", CredentialsRefused),
    ("Interface ID or password is not valid", CredentialsRefused),
    ("missing credentials", CredentialsRefused),
]
FORMS = [
    lambda message: {"status": "error", "message": message},
    lambda message: {"status": "ERROR", "message": message},
    lambda message: {"error": message or True},
    lambda message: {"errors": {"field": message}, "status": "success"},
    lambda message: {"success": False, "message": message},
    lambda message: {"status": 422, "message": message},
    lambda message: {"status": {"type": "error"}, "message": message},
]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("status", [200, 400, 422])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("message", "outcome"), ERRORS)
def test_errors_in_words(message, outcome, form, status):
    """An error's message decides: credentials, account, recipient, known already, or a refusal.

    An unlisted error beside a success is neither a yes nor a no.
    """
    if outcome is RequestRefused and form({}).get("status") == "success" and status == 200:
        outcome = OutcomeUnknown
    with client_for(always(status, json.dumps(form(message)))) as client:
        if outcome is Receipt:
            assert client.add_recipient(recipient()) == Receipt(known_before=True)
            return
        with pytest.raises(outcome) as caught:
            client.add_recipient(recipient())
    assert type(caught.value) is outcome
    assert (caught.value.function, caught.value.status) == ("add-recipient", status)


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "Access denied", CredentialsRefused),
        (200, "ERROR: Interface ID or password is not valid.", CredentialsRefused),
        (500, "Access denied", CredentialsRefused),
        (500, '{"status":"error","message":"Access denied"}', CredentialsRefused),
        (200, '{"message": "Wrong password"}', CredentialsRefused),
        (200, "ERROR: no such field", RequestRefused),
        (200, "NonFunction", RequestRefused),
        (409, "odd", RequestRefused),
        (400, "{}", RequestRefused),
        (200, "", OutcomeUnknown),
        (204, "", OutcomeUnknown),
        (200, "OK", OutcomeUnknown),
        (200, "<html>Access denied</html>", OutcomeUnknown),
        (200, '{"status": "succ', OutcomeUnknown),
        (200, "[]", OutcomeUnknown),
        (200, '"success"', OutcomeUnknown),
        (200, b"\xff\xfe", OutcomeUnknown),
        (200, '{"a": "' + "x" * (1 << 20) + '"}', OutcomeUnknown),
        (500, "", OutcomeUnknown),
        (500, '{"status":"error","message":"Duplicate entry"}', OutcomeUnknown),
        (502, "<html>", OutcomeUnknown),
        (504, "<html>", OutcomeUnknown),
        (599, "", OutcomeUnknown),
        (408, "", OutcomeUnknown),
        (101, "", OutcomeUnknown),
        (429, "<html>", EkomiUnavailable),
        (429, '{"status":"error","message":"slow down"}', EkomiUnavailable),
        (503, "", EkomiUnavailable),
        (503, '{"status": "success"}', EkomiUnavailable),
        (301, "", OutcomeUnknown),
        (307, '{"status": "success"}', OutcomeUnknown),
        (308, '{"status":"error","message":"moved"}', OutcomeUnknown),
        (403, "<html>Access denied</html>", OutcomeUnknown),
        (404, "<html>", OutcomeUnknown),
        (425, "too early", OutcomeUnknown),
        (409, '{"status": "success"}', OutcomeUnknown),
        (403, "Forbidden", AccountRefused),
        (403, '{"message": "no"}', AccountRefused),
        (407, "proxy", OutcomeUnknown),
    ],
)
def test_other_answers(status, body, error):
    """A clear no is a refusal, what was not processed may be repeated, all else is an unknown outcome."""
    calls: list[Call] = []
    with client_for(always(status, body), on_call=calls.append) as client, pytest.raises(error) as caught:
        client.add_recipient(recipient())
    assert type(caught.value) is error
    repeated = error is EkomiUnavailable and status in {429, 503}
    assert len(calls) == (3 if repeated else 1)


def test_unencoded_content_is_not_read():
    """An answer in an encoding that was not asked for is not decoded; its outcome is unknown."""
    body = httpx.ByteStream(b'{"status":"success"}')
    response = httpx.Response(200, headers={"Content-Encoding": "gzip, gzip"}, stream=body)
    with client_for(lambda request: response) as client, pytest.raises(OutcomeUnknown):
        client.add_recipient(recipient())


@pytest.mark.parametrize(
    "error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol]
)
def test_failures_before_sending_are_safe(error):
    """Where no connection was made eKomi knows nothing: EkomiUnavailable, tried at most three times."""
    tries: list[int] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        tries.append(1)
        raise error("x", request=request)

    with client_for(refuse) as client, pytest.raises(EkomiUnavailable):
        client.add_recipient(recipient())
    assert len(tries) == 3


@pytest.mark.parametrize(
    "error",
    [
        httpx.ReadTimeout,
        httpx.WriteTimeout,
        httpx.ReadError,
        httpx.WriteError,
        httpx.CloseError,
        httpx.RemoteProtocolError,
        httpx.LocalProtocolError,
        httpx.DecodingError,
        httpx.TooManyRedirects,
    ],
)
def test_failures_after_sending_are_unknown(error):
    """Where the request may have gone out it is never repeated: OutcomeUnknown after one try."""
    tries: list[int] = []

    def fail(request: httpx.Request) -> httpx.Response:
        tries.append(1)
        raise error("x", request=request)

    with client_for(fail) as client, pytest.raises(OutcomeUnknown):
        client.add_recipient(recipient())
    assert len(tries) == 1


def test_a_busy_server_is_asked_again():
    """A 503 is repeated after the pause that eKomi asked for, and the later success counts."""
    answers = iter(
        [httpx.Response(503, headers={"Retry-After": "9"}), httpx.Response(200, json={"status": "ok"})]
    )
    stop, calls = Patience(), []
    with client_for(lambda request: next(answers), stop=stop, on_call=calls.append) as client:
        assert client.add_recipient(recipient()) == Receipt()
    assert stop.waits == [9.0]
    assert [call.outcome for call in calls] == [CallOutcome.UNAVAILABLE, CallOutcome.OK]


def test_values_that_are_no_text():
    """Half a surrogate pair in a name is replaced, not a crash: the customer is asked."""
    _, fields = form_of(first_name="Eri\ud800ka")
    assert fields["first_name"] == "Eri?ka"
