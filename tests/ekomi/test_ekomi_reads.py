"""Reads: what each answer of eKomi means, and what is made of it."""

from __future__ import annotations

import json
import threading

import httpx
import pytest
from ekomi_support import INTERFACE_ID, PASSWORD, Patience, always, by_function, client_for

from ekomi_reconcile.ekomi import Call, CallOutcome
from ekomi_reconcile.model.errors import CredentialsRefused, EkomiUnavailable, RequestRefused

DETAILS = {
    "details": {
        "name": "Example Shop",
        "url": "https://shop.example",
        "logo_url": "https://img.example/logo.png",
        "addressCountry": "DE",
        "templateLanguage": "de",
        "ekomi_certificate_id": "0123456789ABCDE",
    },
    "done": 1,
    "done_at": 1750000000,
}
SNAPSHOT = {
    "info": {
        "account_name": "Snapshot Shop",
        "ekomi_certificate": "https://www.ekomi.de/cert/0123456789ABCDE",
        "ekomi_certificate_id": "0123456789ABCDE",
        "ekomi_certificate_seo": "https://www.ekomi.de/bewertungen-example-shop.html",
        "fb_count": "128",
        "fb_avg": "4.8",
        "fb_avg_detail": "4.79",
        "active": True,
    },
    "done": 1,
}
AVERAGE = {"number_of_ratings": "1543", "exact_average": "4.712345678901", "rounded_average": "4.71"}

CREDENTIAL_TEXTS = [
    "Access denied",
    "  access denied\n",
    "NonAuth",
    "ERROR: Interface ID or password not transmitted",
    "ERROR: Interface ID or password is not valid.",
    '"Access denied"',
]
REFUSAL_TEXTS = [
    "NonFunction",
    "InvalidFunction",
    "NonVersion",
    "Not Found",
    "ERROR: Filter is not valid. Possible options: ([all]), [positive] and [critical].",
    "ERROR: Invalid content in parameter fields.",
    "ERROR: Type is not valid. Possible options: ([csv], [json]).",
    "ERROR: Type is not valid. Possible options: [csv], [json], [serialized].",
    "ERROR: Charset is not valid. Possible options: [iso] and ([utf-8]).",
    "ERROR: Caching is not valid. Possible options: [none], [short], [middle], [long] and ([verylong]).",
    "ERROR: state is not valid. Possible options: [published].",
    "type is not valid. Possible options: ([json]) and [serialized].",
    "Invalid date",
    "Invalid date. Expected: YYYY-MM-DD",
    "Something in your request was wrong.",
    "Order-ID not found.",
    "Client id not known",
    "Order 100045 already assigned to 77",
    "Empty comment parameter.",
    "Comment already exists. Please use the update parameter to overwrite or delete.",
    "Invalid content for update parameter.",
    "OrderID empty.",
    "Message parameter is empty",
    "Customer left no mail address.",
    "Dialog closed by customer.",
    "Dialog closed by eKomi.",
    "Product parameter is empty.",
    "Product ID not found.",
]
UNREADABLE = [
    "",
    "[]",
    "[1]",
    "  ",
    "<html>Access denied</html>",
    "null",
    "true",
    '{"info": {',
    "[1,",
    "a:1:{i:0;i:1;}",
    "Hello",
]


@pytest.mark.parametrize("status", [200, 400, 401, 403, 404, 500, 503])
@pytest.mark.parametrize("text", CREDENTIAL_TEXTS)
def test_credentials_texts_count_with_any_status(text, status):
    """A text that means wrong credentials is CredentialsRefused whatever the HTTP status."""
    with client_for(always(status, text)) as client, pytest.raises(CredentialsRefused) as caught:
        client.shop_details()
    assert (caught.value.function, caught.value.status) == ("getShopDetails", status)
    assert caught.value.hint


@pytest.mark.parametrize("text", REFUSAL_TEXTS)
def test_refusal_texts(text):
    """Every documented error text is a refusal, which is not repeated, and is quoted in the message."""
    calls: list[Call] = []
    with (
        client_for(always(200, text), on_call=calls.append) as client,
        pytest.raises(RequestRefused) as caught,
    ):
        client.put_order("100045", 1_750_000_000)
    assert text in caught.value.message
    assert "HTTP 200" in caught.value.message
    assert [call.outcome for call in calls] == [CallOutcome.REFUSED]


@pytest.mark.parametrize("text", UNREADABLE)
def test_unreadable_answers_decide_nothing(text):
    """What is neither JSON nor a known text leaves it open: nothing is called refused or empty."""
    with client_for(always(200, text)) as client, pytest.raises(EkomiUnavailable):
        client.shop_details()


@pytest.mark.parametrize(
    "status", [101, 204, 300, 302, 304, 401, 403, 407, 408, 425, 429, 500, 502, 503, 504, 599]
)
def test_statuses_that_decide_nothing(status):
    """Redirects, firewalls, busy and failing servers are EkomiUnavailable with the status."""
    with (
        client_for(always(status, "<h1>Forbidden</h1>")) as client,
        pytest.raises(EkomiUnavailable) as caught,
    ):
        client.shop_details()
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, "<html>no such page</html>", EkomiUnavailable),
        (404, "", EkomiUnavailable),
        (404, "Not Found", RequestRefused),
        (422, "the range is odd", RequestRefused),
        (400, '{"message": "no"}', RequestRefused),
        (403, "blocked by policy", EkomiUnavailable),
        (500, "ERROR: Invalid content in parameter fields.", EkomiUnavailable),
        (302, "Not Found", EkomiUnavailable),
        (200, '{"status": "error", "message": "Interface id is wrong"}', CredentialsRefused),
        (200, '{"status": "error", "message": "Access denied for user db@localhost"}', RequestRefused),
        (200, '{"error": "no such shop"}', RequestRefused),
        (401, '{"error": "bad token"}', CredentialsRefused),
    ],
)
def test_status_and_body_together(status, body, error):
    """Who answered is told by status and body together: pages come from proxies, texts from eKomi."""
    with client_for(always(status, body)) as client, pytest.raises(error) as caught:
        client.shop_details()
    assert type(caught.value) is error


def test_redirect_is_named_without_its_query():
    """A redirect says where it leads, never followed, and without a query that may hold the password."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(
            301, headers={"Location": f"https://login.example/in?{request.url.query.decode()}"}
        )

    with client_for(answer) as client, pytest.raises(EkomiUnavailable) as caught:
        client.shop_details()
    assert "https://login.example/in" in caught.value.message
    assert "auth" not in caught.value.message
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("header", "low", "high"),
    [
        ("7", 7, 7),
        ("99999999", 86_400, 86_400),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("Fri, 01 Jan 2100 00:00:00 GMT", 86_400, 86_400),
        ("soon", None, None),
        ("-1", None, None),
        ("²", None, None),
    ],
)
def test_retry_after(header, low, high):
    """Retry-After is read as seconds or as a date, and never believed beyond a day."""
    handler = always(503, "", Retry_After=header)
    with client_for(handler) as client, pytest.raises(EkomiUnavailable) as caught:
        client.shop_details()
    assert caught.value.retry_after == low == high


def test_what_is_sent():
    """Every read carries auth, version, type and charset, and is sent to the function under api_url."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=DETAILS)

    with client_for(answer) as client:
        client.check()
    url = asked[0].url
    assert url.copy_with(query=None) == httpx.URL("https://api.example/v3/getShopDetails")
    assert dict(url.params) == {
        "auth": f"{INTERFACE_ID}|{PASSWORD}",
        "version": url.params["version"],
        "type": "json",
        "charset": "utf-8",
    }
    assert url.params["version"].startswith("cust-")
    assert b"|" not in url.query


@pytest.mark.parametrize("unknown", ["NonFunction", "InvalidFunction", "Not Found"])
def test_check_falls_back_to_settings(unknown):
    """Where getShopDetails is not offered, getSettings tells whether the credentials are good."""
    with client_for(by_function({"getShopDetails": unknown, "getSettings": {"mail_subject": "x"}})) as client:
        client.check()
    with (
        client_for(by_function({"getShopDetails": unknown, "getSettings": "Access denied"})) as client,
        pytest.raises(CredentialsRefused),
    ):
        client.check()


def test_shop_data_merges_three_answers():
    """Names and links come from the details, the page from the snapshot, figures from getAverage."""
    handler = by_function({"getShopDetails": DETAILS, "getSnapshot": SNAPSHOT, "getAverage": AVERAGE})
    with client_for(handler) as client:
        data = client.shop_data(imported_reviews=3)
    assert (data.account_name, data.locale, data.webshop_url) == (
        "Example Shop",
        "de",
        "https://shop.example",
    )
    assert data.review_page == SNAPSHOT["info"]["ekomi_certificate_seo"]
    assert (data.total_reviews, data.average_score, data.active) == (1543, 4.71, True)
    assert (data.logo_url, data.certificate_id) == ("https://img.example/logo.png", "0123456789ABCDE")


@pytest.mark.parametrize(
    "key", ["number_of_ratings", "ratings_count", "count", "fb_count", "Number of ratings"]
)
@pytest.mark.parametrize("value", [12, "12", 12.0])
@pytest.mark.parametrize("wrap", [lambda figures: figures, lambda figures: {"average": figures, "done": 1}])
def test_count_keys(key, value, wrap):
    """The count of getAverage is found under every candidate key, as number or text, nested or not."""
    handler = by_function({"getSnapshot": SNAPSHOT, "getAverage": wrap({key: value, "rounded_average": 4})})
    with client_for(handler) as client:
        assert client.shop_data().total_reviews == 12


@pytest.mark.parametrize(("imported", "total"), [(None, None), (77, 77), (0, 128)])
def test_total_without_a_count(imported, total):
    """Without a count: the imported reviews; the 12-month count only if an import brought none."""
    handler = by_function({"getSnapshot": SNAPSHOT, "getAverage": {"rounded_average": "4.7"}})
    with client_for(handler) as client:
        data = client.shop_data(imported_reviews=imported)
    assert (data.total_reviews, data.average_score) == (total, 4.7)


def test_fallbacks_of_the_snapshot():
    """With getSnapshot alone there are still a name, a page, a score and a guess of the language."""
    with client_for(by_function({"getSnapshot": SNAPSHOT})) as client:
        data = client.shop_data()
    assert (data.account_name, data.locale, data.average_score) == ("Snapshot Shop", "de", 4.79)
    assert (data.total_reviews, data.webshop_url, data.logo_url) == (None, None, None)


def test_nothing_offered_is_an_error():
    """An account to which every function is refused has no shop data; that is not an empty answer."""
    with client_for(by_function({})) as client, pytest.raises(RequestRefused):
        client.shop_data()


@pytest.mark.parametrize("function", ["getShopDetails", "getSnapshot", "getAverage"])
def test_one_unavailable_part_fails_the_whole(function):
    """A part that could not be asked is not taken as absent: the sync fails as a whole."""
    answers: dict[str, object] = {"getShopDetails": DETAILS, "getSnapshot": SNAPSHOT, "getAverage": AVERAGE}
    with client_for(by_function(answers | {function: "<html>"})) as client, pytest.raises(EkomiUnavailable):
        client.shop_data()


@pytest.mark.parametrize(
    ("details", "locale"),
    [
        ({"templateLanguage": "de_DE"}, "de_DE"),
        ({"templateLanguage": "EN-gb"}, "en_GB"),
        ({"templateLanguage": "fr"}, "fr"),
        ({"templateLanguage": "Deutsch"}, "de"),
        ({"templateLanguage": "german"}, "de"),
        ({"templateLanguage": "de_DE.UTF-8"}, "de_DE"),
        ({"templateLanguage": "Klingon", "addressCountry": "AT"}, "de"),
        ({"templateLanguage": None}, None),
        ({"templateLanguage": 7, "addressCountry": ["DE"]}, None),
        ({"addressCountry": "gb"}, "en"),
    ],
)
def test_locales(details, locale):
    """Whatever form the language has, the locale is ``de`` or ``de_DE``, or guessed from the country."""
    with client_for(by_function({"getShopDetails": {"details": details}})) as client:
        assert client.shop_details().locale == locale


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://shop.example/a?b=c", "https://shop.example/a?b=c"),
        ("//img.example/x", "https://img.example/x"),
        ("www.shop.example", "https://www.shop.example"),
        ("javascript:alert(1)", None),
        ("", None),
        (None, None),
        (5, None),
        ("https://", None),
        ('https://x.example/"><script>', None),
        ("ftp://x.example", None),
        ("https://x.example/" + "a" * 3000, None),
    ],
)
def test_addresses(url, kept):
    """Only whole addresses of the web are handed on, since they end up in reports."""
    with client_for(
        by_function({"getShopDetails": {"details": {"url": url, "name": "a\x1b[31m\nb"}}})
    ) as client:
        data = client.shop_details()
    assert data.webshop_url == kept
    assert data.account_name == "a [31m b"


@pytest.mark.parametrize("score", ["0", 0, "", None, "9.7", "n/a", True, "NaN", "1e999"])
def test_odd_scores_are_absent(score):
    """A score that is not from 1 to 5 is no score."""
    with client_for(by_function({"getAverage": {"rounded_average": score, "count": 0}})) as client:
        data = client.shop_data()
    assert (data.average_score, data.total_reviews) == (None, 0)


@pytest.mark.parametrize(
    ("known_since", "known"),
    [
        ("absent", False),
        (0, False),
        ("0", False),
        (None, False),
        (False, False),
        ("", False),
        ("0000-00-00 00:00:00", False),
        (1, True),
        ("2025-01-10 00:00:00", True),
        (1750000000, True),
        (True, True),
        ("20", True),
    ],
)
def test_put_order(known_since, known):
    """putOrder gives the link, and tells whether the order was registered before, in whatever form."""
    asked: list[httpx.Request] = []
    order: dict[str, object] = {"done": 1, "link": "https://reviews.example/r/abc", "hash": "abc"}
    if known_since != "absent":
        order["known_since"] = known_since

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json=order)

    with client_for(answer) as client:
        receipt = client.put_order("100000123", 1_750_000_000)
    assert (receipt.link, receipt.known_before) == ("https://reviews.example/r/abc", known)
    assert asked[0].method == "GET"
    assert asked[0].url.params["order_id"] == "100000123"
    assert asked[0].url.params["ordertimestamp"] == "2025-06-15"


@pytest.mark.parametrize("body", [{"done": 1}, {"done": 1, "link": ""}, {"link": "javascript:x"}, ["link"]])
def test_put_order_without_link(body):
    """An answer without a link is no success: nothing could be sent to the customer."""
    with client_for(always(200, json.dumps(body))) as client, pytest.raises(EkomiUnavailable):
        client.put_order("1", 0)


@pytest.mark.parametrize("headers", [{"Content_Type": "application/json; charset=ISO-8859-1"}, {}])
def test_text_in_another_charset(headers):
    """UTF-8 was asked for; a declared single-byte text is read as such, an undeclared one is not guessed."""
    handler = always(
        200, json.dumps(DETAILS, ensure_ascii=False).replace("Example", "Köln").encode("latin-1"), **headers
    )
    with client_for(handler) as client:
        if headers:
            assert client.shop_details().account_name == "Köln Shop"
        else:
            with pytest.raises(EkomiUnavailable):
                client.shop_details()


def test_calls_are_observed():
    """Every request, repeated ones too, is told with its function, end and status."""
    calls: list[Call] = []
    answers = iter([httpx.Response(503), httpx.Response(200, json=DETAILS)])
    with client_for(lambda request: next(answers), on_call=calls.append) as client:
        client.shop_details()
    assert [(call.function, call.outcome, call.status) for call in calls] == [
        ("getShopDetails", CallOutcome.UNAVAILABLE, 503),
        ("getShopDetails", CallOutcome.OK, 200),
    ]
    assert all(call.seconds >= 0 for call in calls)


def test_nothing_is_asked_after_the_end():
    """Once the stop is set no request goes out, and the error says why."""
    stop = threading.Event()
    stop.set()
    asked: list[httpx.Request] = []
    with (
        client_for(lambda request: asked.append(request) or httpx.Response(200), stop=stop) as client,
        pytest.raises(EkomiUnavailable, match="the run is ending"),
    ):
        client.check()
    assert asked == []


def test_a_stop_ends_repeating():
    """A stop during the pause between two attempts ends the call with EkomiUnavailable."""
    asked: list[httpx.Request] = []
    handler = lambda request: asked.append(request) or httpx.Response(503)  # noqa: E731
    with client_for(handler, stop=Patience(ends_after=1)) as client, pytest.raises(EkomiUnavailable):
        client.check()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("told", "days"), [("7", 7), (7, 7), ("0", 0), ("", None), ("soon", None), (None, None)]
)
def test_the_delay_of_ekomis_own_mail(told, days):
    """Whole days as text or number; anything else is not told."""
    with client_for(always(200, json.dumps({"mail_delay": told, "done": 1}))) as client:
        assert client.mail_delay() == days
