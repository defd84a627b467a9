"""Passwords and customers' data stay inside, and every answer ends in a result or a typed error."""

from __future__ import annotations

import io
import logging
import traceback
from urllib.parse import quote, quote_plus

import httpx
import pytest
from ekomi_support import EMAIL, INTERFACE_ID, PASSWORD, PHONE, Secret, client_for, recipient
from hypothesis import given, settings
from hypothesis import strategies as st
from tiers import examples

from ekomi_reconcile.ekomi import Channel, Credentials
from ekomi_reconcile.http.client import LONGEST_QUOTE, Redactor
from ekomi_reconcile.model.errors import EkomiError

FORMS = [
    PASSWORD,
    quote(PASSWORD, safe=""),
    quote_plus(PASSWORD),
    str(httpx.QueryParams({"p": PASSWORD}))[2:],
]
CANARIES = [*FORMS, EMAIL, quote(EMAIL), PHONE, PHONE[1:]]
NAME = "Mustermann"
METHODS = [
    lambda client: client.check(),
    lambda client: client.shop_data(),
    lambda client: client.reviews(),
    lambda client: client.product_reviews(product_id="7"),
    lambda client: client.put_order("100000123", 1_750_000_000),
    lambda client: client.add_recipient(recipient()),
    lambda client: client.add_recipient(recipient(channel=Channel.SMS)),
]


def chain(error: BaseException) -> list[BaseException]:
    """The error and everything it was raised from or during."""
    found: list[BaseException] = []
    todo: list[BaseException | None] = [error]
    while todo:
        each = todo.pop()
        if each is not None and each not in found:
            found.append(each)
            todo += [each.__cause__, each.__context__]
    return found


def said_by(error: BaseException) -> str:
    """All that a log or a report could show of it."""
    parts = ["".join(traceback.format_exception(error))]
    for each in chain(error):
        parts += [str(each), repr(each), repr(each.args), repr(vars(each))]
    return "\n".join(parts)


def failing(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError(f"failed {request.url} {request.content!r}", request=request)


def refusing(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"failed {request.url} {request.content!r}", request=request)


def redirecting(request: httpx.Request) -> httpx.Response:
    return httpx.Response(
        302,
        headers={
            "Location": f"https://u:{quote(PASSWORD, safe='')}@x.example{request.url.raw_path.decode()}"
        },
    )


def echoing(status: int, template: str):
    """A server that gives back what it was sent, in all forms."""

    def answer(request: httpx.Request) -> httpx.Response:
        known = f"{' '.join(CANARIES)} {NAME} {PASSWORD.upper()} +49 (170) 123-45 67"
        sent = f"{request.url} {request.content.decode()} {known}"
        return httpx.Response(status, text=template % sent.replace("\\", "\\\\").replace('"', '\\"'))

    return answer


HANDLERS = [failing, refusing, redirecting] + [
    echoing(status, template)
    for status in (200, 400, 403, 500, 503)
    for template in (
        "%s",
        "ERROR: %s",
        "ERROR: Interface ID or password %s",
        "<html>%s",
        '{"status":"error","message":"%s"}',
        '["%s"]',
    )
]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("handler", HANDLERS)
@pytest.mark.parametrize("call", METHODS)
def test_nothing_leaks(handler, call, caplog):
    """Whatever eKomi echoes: no canary in messages, reprs, exception chains or logs at any level."""
    stream = io.StringIO()
    logging.getLogger().addHandler(listener := logging.StreamHandler(stream))
    caplog.set_level(logging.DEBUG)
    for name in ("httpx", "httpcore", "ekomi_reconcile"):
        caplog.set_level(logging.DEBUG, logger=name)
    try:
        with client_for(handler) as client, pytest.raises(EkomiError) as caught:
            call(client)
    finally:
        logging.getLogger().removeHandler(listener)
    shown = said_by(caught.value) + stream.getvalue() + caplog.text
    assert [canary for canary in CANARIES if canary.lower() in shown.lower()] == []
    assert NAME not in shown or caught.value.function != "add-recipient"
    assert chain(caught.value) == [caught.value]
    assert len(caught.value.message) < LONGEST_QUOTE * 2 + 60


def test_log_line():
    """A call is logged with function, interface id, status and duration, and nothing else."""
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("ekomi_reconcile.ekomi")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        with client_for(lambda request: httpx.Response(200, json={"status": "ok"})) as client:
            client.add_recipient(recipient())
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    (line,) = [record.getMessage() for record in records]
    assert line.startswith(f"add-recipient interface={INTERFACE_ID} status=200 ")
    assert line.endswith(" ms")


def test_reprs_are_safe():
    """Neither credentials nor a recipient show what they hold."""
    shown = repr(Credentials(INTERFACE_ID, Secret())) + repr(recipient()) + str(recipient())
    assert [canary for canary in [*CANARIES, NAME] if canary in shown] == []


def test_order_number_and_interface_id_stay():
    """The numbers that a person needs to find the order are not taken for phone numbers."""
    redactor = Redactor(keep=frozenset({"100000123", INTERFACE_ID}))
    assert (
        redactor.quote("Order 100000123 of 28374 called 0170 1234567")
        == "Order 100000123 of 28374 called [number]"
    )


@pytest.mark.parametrize(
    "text", [f"{PASSWORD} " * 9000, "x" * 195 + EMAIL, "a@" * 3000, "\x1b[31m red \r\n line", "1-2" * 3000]
)
def test_quotes_are_short_lines(text):
    """A quote is one printable line of at most 200 characters, redacted before it is cut."""
    quoted = Redactor(secrets=(PASSWORD,)).quote(text)
    assert len(quoted) <= LONGEST_QUOTE
    assert quoted.isprintable()
    assert PASSWORD[:6] not in quoted
    assert "canary" not in quoted


def test_library_loggers_are_quiet():
    """Making a client silences the loggers of the HTTP library, which log whole addresses."""
    logging.getLogger("httpx").setLevel(logging.DEBUG)
    with client_for(failing):
        assert logging.getLogger("httpx").getEffectiveLevel() >= logging.WARNING
        assert logging.getLogger("httpcore.http11").getEffectiveLevel() >= logging.WARNING


DEEP = (
    [b'{"error":' * depth + b"1" + b"}" * depth for depth in (3, 400, 900, 950, 3000)]
    + [
        b'{"link":"https://x.example","known_since":' + b"[" * depth + b"]" * depth + b"}"
        for depth in (400, 900, 950)
    ]
    + [b'{"status":' + b'{"type":' * depth + b"1" + b"}" * depth + b"}" for depth in (400, 900, 950)]
    + [
        b'[{"submitted":1,"rating":5,"review":' + b"[" * depth + b"]" * depth + b"}]"
        for depth in (3, 400, 900, 950)
    ]
)
BODIES = (
    st.sampled_from(DEEP)
    | st.binary(max_size=300)
    | st.sampled_from(
        [
            b"",
            b"Access denied",
            b"ERROR: x",
            b"{}",
            b"[]",
            b"[{}]",
            b'{"status":"error"}',
            b"[" * 5000,
            b"{" * 5000,
            b'{"a":' * 3000,
            b"\xef\xbb\xbf[]",
            b"[1e999]",
            b'["\\ud800"]',
            b"[" + b"9" * 5000 + b"]",
            b'{"details": [], "info": 3, "link": {}}',
            b'{"error": {"a": [1]}}',
            b'{"status": NaN}',
            b'{"message": "password wrong"}',
        ]
    )
)
HEADERS = st.dictionaries(
    st.sampled_from(
        [b"Content-Type", b"Retry-After", b"Location", b"Content-Encoding", b"Set-Cookie", b"X-Other"]
    ),
    st.binary(max_size=30)
    | st.sampled_from(
        [b"text/html; charset=x", b"gzip", b"deflate", b"http://[", b"//", b"application/json"]
    ),
    max_size=3,
)


@settings(max_examples=examples(300), deadline=None)
@given(status=st.integers(100, 999), body=BODIES, headers=HEADERS, call=st.sampled_from(METHODS))
def test_any_answer(status, body, headers, call):
    """Any status, headers and bytes lead to a result or one of our errors, with nothing behind it."""
    handler = lambda request: httpx.Response(  # noqa: E731
        status, headers=list(headers.items()), stream=httpx.ByteStream(body)
    )
    with client_for(handler) as client:
        try:
            call(client)
        except EkomiError as error:
            assert chain(error) == [error]  # noqa: PT017
            assert error.status in {status, None}  # noqa: PT017
