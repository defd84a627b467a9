"""Reviews: rows of any form become reviews, and nothing else becomes "no reviews"."""

from __future__ import annotations

import json

import httpx
import pytest
from ekomi_support import always, client_for
from hypothesis import given
from hypothesis import strategies as st

from ekomi_reconcile.ekomi import ReviewRange, range_for
from ekomi_reconcile.ekomi.decode import reviews_from
from ekomi_reconcile.model.errors import EkomiUnavailable, RequestRefused
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.review import Review

ROW = {
    "submitted": "1749900000",
    "order_id": "100045",
    "rating": "5",
    "review": 'Fast, "very" fast.\\nDanke schön',
    "comment": "",
    "shop_review_title": "Top",
}
REVIEW = Review(
    order_id="100045",
    submitted_at=1_749_900_000,
    rating=5,
    text='Fast, "very" fast.\nDanke schön',
    title="Top",
)


def recording(*bodies: str | list[object]) -> tuple[list[httpx.QueryParams], httpx.MockTransport]:
    """A transport that answers with ``bodies`` in turn and notes the queries."""
    queries: list[httpx.QueryParams] = []
    answers = iter(bodies)

    def answer(request: httpx.Request) -> httpx.Response:
        queries.append(request.url.params)
        body = next(answers)
        return httpx.Response(200, text=body) if isinstance(body, str) else httpx.Response(200, json=body)

    return queries, httpx.MockTransport(answer)


def test_reviews():
    """getFeedback is asked uncached for the wanted range and all fields; texts become numbers and lines."""
    queries, transport = recording([ROW])
    with client_for(transport) as client:
        assert client.reviews(ReviewRange.QUARTER) == [REVIEW]
    wanted = {"range": "3m", "filter": "all", "caching": "none", "type": "json", "charset": "utf-8"}
    assert wanted.items() <= dict(queries[0]).items()
    assert queries[0]["fields"] == "date,order_id,rating,feedback,comment,shop_review_title"


def test_refused_fields_are_left_out():
    """Where the title is not a field, the plain five are asked for, once."""
    queries, transport = recording("ERROR: Invalid content in parameter fields.", [ROW])
    with client_for(transport) as client:
        assert len(client.reviews()) == 1
    assert [query["fields"] for query in queries][1:] == ["date,order_id,rating,feedback,comment"]


def test_other_refusals_stand():
    """Any other refusal is raised; asking with fewer fields would not help."""
    queries, transport = recording("ERROR: Filter is not valid.")
    with client_for(transport) as client, pytest.raises(RequestRefused):
        client.reviews()
    assert len(queries) == 1


@pytest.mark.parametrize("body", ["", " \n", "[]"])
def test_no_reviews(body):
    """An empty body or list means that there are no reviews."""
    with client_for(always(200, body)) as client:
        assert client.reviews() == []
        assert client.product_reviews() == []


@pytest.mark.parametrize(
    "body", ["{}", "null", '[{"submitted":"17', '["a"]', '[{"rating": 5}]', "<html>", '{"rows":[]}']
)
def test_unreadable_is_not_empty(body):
    """An answer of which no row can be read is an error, so that nothing is taken for gone."""
    with client_for(always(200, body)) as client, pytest.raises(EkomiUnavailable):
        client.reviews()


@pytest.mark.parametrize("status", [204, 500, 503, 404])
def test_empty_body_of_a_failure_is_no_empty_list(status):
    """Only a successful empty body means none."""
    with client_for(always(status)) as client:
        if status == 204:
            assert client.reviews() == []
        else:
            with pytest.raises(EkomiUnavailable):
                client.reviews()


def test_unreadable_rows_are_counted():
    """Rows without a date or rating are left out and counted; the others are kept."""
    reviews = reviews_from([ROW, {**ROW, "rating": ""}, {**ROW, "submitted": None}, 7, {**ROW, "rating": 9}])
    assert reviews == [REVIEW]
    assert reviews.unreadable == 4


@pytest.mark.parametrize(
    "more",
    [
        {"submitted": 1749900000},
        {"submitted": 1749900000.0},
        {"submitted": " 1749900000 "},
        {"submitted": "2025-06-14 11:20:00"},
        {"rating": 5},
        {"rating": "5.0"},
        {"order_id": 100045},
        {"order_id": 100045.0},
        {"comment": None},
        {"submitted": None, "date": 1749900000},
        {"review": None, "feedback": ROW["review"]},
        {"review": ROW["review"].replace("\\n", "\\r\\n")},
        {"review": ROW["review"].replace("\\n", "\r\n")},
        {"review": "\x00" + ROW["review"] + "\x1b\ud800"},
    ],
)
def test_forms_of_a_row(more):
    """Texts or numbers, real or literal line breaks, control characters: it is the same review."""
    assert reviews_from([{**ROW, **more}]) == [REVIEW]


def test_absent_order_id():
    """A review that came without an order is kept, with an empty order id."""
    assert reviews_from([{"submitted": 1, "rating": 1}]) == [Review(order_id="", submitted_at=1, rating=1)]


def test_product_reviews_are_filtered_again():
    """eKomi may ignore the product filter: of one product only its reviews are returned."""
    rows = [{**ROW, "product_id": "77"}, {**ROW, "product_id": 78}]
    queries, transport = recording(rows, rows)
    with client_for(transport) as client:
        assert [each.product_id for each in client.product_reviews(product_id="78")] == ["78"]
        assert [each.product_id for each in client.product_reviews()] == ["77", "78"]
    assert [query["product"] for query in queries] == ["78", "all"]
    assert queries[0]["fields"] == "date,order_id,product_id,rating,feedback,product_review_title"


def test_refused_tier():
    """A tier without product reviews is RequestRefused: the caller decides."""
    with client_for(always(200, "NonFunction")) as client, pytest.raises(RequestRefused):
        client.product_reviews()


@pytest.mark.parametrize(
    ("days", "window"),
    [
        (0, "1m"),
        (27, "1m"),
        (27.01, "3m"),
        (88, "3m"),
        (89, "6m"),
        (180, "6m"),
        (181, "1y"),
        (364, "1y"),
        (365, "all"),
        (-1, "all"),
    ],
)
def test_windows(days, window):
    """The window covers the gap and a day more, even across February; never the undocumented week."""
    assert range_for(int(days * DAY)).value == window


def test_first_import_is_full():
    """Without an earlier success everything is read."""
    assert range_for(None) is ReviewRange.ALL


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers(), max_size=2)
)


@given(st.lists(st.dictionaries(st.sampled_from([*ROW, "date", "product_id"]), VALUES) | VALUES, max_size=5))
def test_any_rows(rows):
    """Whatever JSON the rows are, every row is a sound review or counted, and never an exception."""
    reviews = reviews_from(json.loads(json.dumps(rows)))
    assert len(reviews) + reviews.unreadable == len(rows)
    for review in reviews:
        assert 1 <= review.rating <= 5
        assert review.submitted_at >= 0
        json.dumps([review.text, review.title, review.order_id]).encode()
        "".join([review.text, review.title, review.order_id, review.product_id]).encode("utf-8")
