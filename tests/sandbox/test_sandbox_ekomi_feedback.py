"""getFeedback and getProductfeedback: rows, fields, filters, windows, cache, CSV."""

import csv
import io
from datetime import UTC, datetime

import pytest

from ekomi_reconcile.sandbox.shops import SandboxReview

NOW = 1_750_000_000
DAY = 86400
CACHING_ERROR = (
    "ERROR: Caching is not valid. Possible options: [none], [short], [middle], [long] and ([verylong])."
)


@pytest.fixture
def one(world):
    """The German shop with a single awkward review."""
    text = 'Gut, "sehr" gut\nDanke für 5 €'
    review = SandboxReview(
        submitted=NOW - DAY, order_id="100045", rating=5, review=text, comment="Å\nja", title="Top"
    )
    world.shops["28374"].reviews = [review]
    return review


def test_keys_of_a_row(api, one):
    """date comes back as submitted and feedback as review, figures as strings, line breaks as backslash n."""
    assert api.rows() == [
        {
            "submitted": str(NOW - DAY),
            "order_id": "100045",
            "rating": "5",
            "review": 'Gut, "sehr" gut\\nDanke für 5 €',
            "comment": "Å\\nja",
        }
    ]


def test_numbers_by_switch(api, world, one):
    """By switch instants and ratings are numbers."""
    world.switch(numbers="numbers")
    row = api.rows()[0]
    assert (row["submitted"], row["rating"]) == (NOW - DAY, 5)


def test_csv(api, one):
    """CSV has no header, double quotes, and the default columns in order."""
    answer = api.call("getFeedback", type="csv", charset="utf-8")
    assert answer.text.count("\n") == 1
    assert next(csv.reader(io.StringIO(answer.text))) == [
        str(NOW - DAY),
        "100045",
        "5",
        'Gut, "sehr" gut\\nDanke für 5 €',
        "Å\\nja",
    ]


def test_default_charset_of_shop_reviews_is_iso(api, one):
    """getFeedback answers ISO-8859-1 unless asked otherwise, getProductfeedback UTF-8."""
    assert "für 5 ?".encode("iso-8859-1") in api.call("getFeedback", type="json").content
    shop_reviews = api.call("getFeedback", type="json", charset="iso").content
    assert "Å\\\\nja".encode("iso-8859-1") in shop_reviews


def test_fields_choose_columns_and_their_order(api, one):
    """fields names the columns; optional ones come under their own names."""
    row = api.rows(fields="rating,date,shop_review_title,has_email")[0]
    assert list(row.items()) == [
        ("rating", "5"),
        ("submitted", str(NOW - DAY)),
        ("shop_review_title", "Top"),
        ("has_email", "1"),
    ]


@pytest.mark.parametrize(
    "fields", ["date, rating", "submitted", "date,,rating", "review", "firstname", "product_id"]
)
def test_refused_fields(api, fields):
    """A name that is not allowed refuses the whole call."""
    answer = api.call("getFeedback", type="json", fields=fields)
    assert answer.text == "ERROR: Invalid content in parameter fields."


def test_more_fields_for_afnor_accounts_only(api):
    """The French account has names and days; a plain account refuses them."""
    fields = "date,order_day,firstname,lastname,screenname,client_id"
    row = api.rows(auth="28375|sandbox-fr", fields=fields)[0]
    day = datetime.fromtimestamp(int(row["submitted"]), UTC).date().isoformat()
    assert (row["order_day"], bool(row["firstname"])) == (day, True)


def test_plain_fields_by_switch(api, world):
    """By switch only the five plain fields are known, so a client has to fall back."""
    world.switch(feedback_fields="plain")
    wanted = "date,order_id,rating,feedback,comment"
    assert api.call("getFeedback", type="json", fields=f"{wanted},shop_review_title").text.startswith("ERROR")
    assert api.rows(fields=wanted)


def test_filters(api, world):
    """positive is above three stars, critical below four, together they are all."""
    positive = api.rows(filter="positive")
    critical = api.rows(filter="critical")
    assert {row["rating"] for row in positive} <= {"4", "5"}
    assert {row["rating"] for row in critical} <= {"1", "2", "3"}
    assert len(positive) + len(critical) == len(api.rows()) == len(world.shops["28374"].reviews)


@pytest.mark.parametrize(
    ("parameter", "text"),
    [
        ("caching", CACHING_ERROR),
        ("filter", "ERROR: Filter is not valid. Possible options: ([all]), [positive] and [critical]."),
        ("state", "ERROR: state is not valid. Possible options: [published]."),
        ("range", "ERROR: Range is not valid. Possible options: ([all]), [1m], [3m], [6m] and [1y]."),
        ("charset", "ERROR: Charset is not valid. Possible options: [iso] and ([utf-8])."),
    ],
)
@pytest.mark.parametrize("function", ["getFeedback", "getProductfeedback"])
def test_refused_parameters(api, function, parameter, text):
    """Each parameter is refused with its text, also when the answer is in the cache."""
    assert api.json(function)
    answer = api.call(function, **{"type": "json", parameter: "nonsense"})
    assert (answer.status_code, answer.text) == (200, text)


@pytest.mark.parametrize(
    ("window", "begins"),
    [
        ("1w", "2025-06-08T15:06:40"),
        ("1m", "2025-05-15T15:06:40"),
        ("3m", "2025-03-15T15:06:40"),
        ("6m", "2024-12-15T15:06:40"),
        ("1y", "2024-06-15T15:06:40"),
    ],
)
def test_range_is_counted_back_from_the_clock(api, world, window, begins):
    """range keeps what was submitted since then, to the second, in calendar months."""
    start = int(datetime.fromisoformat(begins).replace(tzinfo=UTC).timestamp())
    world.shops["28374"].reviews = [
        SandboxReview(submitted=at, order_id=str(at), rating=5) for at in (start - 1, start, NOW)
    ]
    assert [row["submitted"] for row in api.rows(range=window)] == [str(NOW), str(start)]
    assert len(api.rows(range="all")) == 3


def test_a_month_can_be_28_days(api, world):
    """On 1 March the range 1m begins on 1 February: a client must not count on 30 days."""
    march = int(datetime(2025, 3, 1, tzinfo=UTC).timestamp())
    world.clock.set(march)
    world.shops["28374"].reviews = [
        SandboxReview(submitted=march - days * DAY, order_id=str(days), rating=5) for days in (28, 29)
    ]
    assert [row["order_id"] for row in api.rows(range="1m")] == ["28"]


def test_the_week_can_be_refused(api, world):
    """1w is undocumented, so a switch refuses it."""
    world.switch(range_1w="refused")
    assert api.call("getFeedback", range="1w").text.startswith("ERROR: Range")


@pytest.mark.parametrize(("order", "reverse"), [("newest", True), ("oldest", False)])
def test_row_order(api, world, order, reverse):
    """The order of rows is a switch."""
    world.switch(row_order=order)
    times = [int(row["submitted"]) for row in api.rows()]
    assert times == sorted(times, reverse=reverse)


def test_no_reviews(api, world):
    """No reviews are an empty list, or by switch an empty body; in CSV always nothing."""
    world.shops["28374"].reviews = []
    assert api.call("getFeedback", type="json").text == "[]"
    assert api.call("getFeedback", type="csv").text == ""
    world.switch(empty_list="nothing")
    answer = api.call("getFeedback", type="json")
    assert (answer.status_code, answer.content) == (200, b"")


def test_cached_answers_are_stale(api, world, one):
    """Without caching=none an hour-old answer comes again; caching=short accepts two minutes."""
    assert len(api.json("getFeedback")) == 1
    world.shops["28374"].reviews.append(SandboxReview(submitted=NOW, order_id="2", rating=1))
    world.clock.advance(121)
    assert len(api.json("getFeedback")) == 1
    assert len(api.json("getFeedback", caching="short")) == 2
    assert len(api.json("getFeedback", caching="verylong")) == 2


def test_caching_none_and_the_switch(api, world, one):
    """caching=none is never stale, and a switch forgets the cache for all."""
    assert len(api.rows()) == 1
    world.shops["28374"].reviews.append(SandboxReview(submitted=NOW, order_id="2", rating=1))
    assert len(api.rows()) == 2
    world.switch(caching="ignored")
    world.shops["28374"].reviews.append(SandboxReview(submitted=NOW, order_id="3", rating=1))
    assert len(api.json("getFeedback", caching="verylong")) == 3


def test_the_cache_is_per_shop_and_question(api):
    """Another shop or another filter is another answer."""
    assert api.json("getFeedback") != api.json("getFeedback", auth="28375|sandbox-fr")
    assert len(api.json("getFeedback")) > len(api.json("getFeedback", filter="critical"))


def test_product_reviews(api, world):
    """Product reviews have a product id; product= chooses one, unless the switch ignores it."""
    rows = api.json("getProductfeedback")
    assert set(rows[0]) == {"submitted", "order_id", "product_id", "rating", "review"}
    of_one = api.json("getProductfeedback", product="P1")
    assert {row["product_id"] for row in of_one} == {"P1"}
    assert api.json("getProductfeedback", product="all") == rows
    world.switch(product_filter="ignored")
    assert api.json("getProductfeedback", product="P1") == rows


def test_product_fields(api):
    """Product reviews have a title of their own; the shop's title is not theirs."""
    row = api.json("getProductfeedback", fields="date,product_id,product_review_title,order_day")[0]
    assert list(row) == ["submitted", "product_id", "product_review_title", "order_day"]
    assert "Invalid content" in api.call("getProductfeedback", fields="shop_review_title").text


def test_seeded_reviews_are_awkward(api):
    """The seed has old reviews, commas, quotes, backslash n, umlauts, a € and answers of the shop."""
    rows = api.rows()
    texts = " ".join(row["review"] + row["comment"] for row in rows)
    assert all(sign in texts for sign in (",", '"', "\\n", "ü", "€"))
    assert "\n" not in texts
    assert any(int(row["submitted"]) < NOW - 366 * DAY for row in rows)
    assert any(row["comment"] for row in rows)
    norwegian = " ".join(row["review"] for row in api.rows(auth="28376|sandbox-no"))
    assert "ø" in norwegian
    assert "å" in norwegian
