"""Every recorded answer of a real shop is read, or refused for the right reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.orders.magento.search import Direction, Search, Searcher
from ekomi_reconcile.orders.magento.wire import FailureKind, ShopFailure
from tests.orders_magento.magento_support import RECORDED, client_for, source_for


def exchanges() -> list[Any]:
    """All files that hold one request and its answer."""
    found = []
    for path in sorted(RECORDED.glob("*/*.json")):
        content = json.loads(path.read_text("utf-8"))
        if isinstance(content, dict) and "response" in content and "request" in content:
            found.append(pytest.param(content, id=f"{path.parent.name}/{path.stem}"))
    return found


def answer_of(exchange: dict[str, Any]) -> httpx.Response:
    recorded = exchange["response"]
    headers = [(name, value) for name, value in recorded["headers"] if name != "Transfer-Encoding"]
    if "json" in recorded:
        return httpx.Response(recorded["status"], headers=headers, content=json.dumps(recorded["json"]))
    return httpx.Response(recorded["status"], headers=headers, content=recorded.get("text", ""))


KINDS = {
    400: {FailureKind.REJECTED, FailureKind.PAGE_SIZE},
    401: {FailureKind.REFUSED},
    404: {FailureKind.NOT_FOUND},
    405: {FailureKind.REJECTED},
    500: {FailureKind.BROKEN, FailureKind.GATEWAY},
    503: {FailureKind.BUSY},
}


@pytest.mark.parametrize("exchange", exchanges())
def test_recorded_answer(exchange: dict[str, Any]) -> None:
    """Data comes back as it was sent; every refusal is of its kind, on one line, placeholders filled."""
    recorded = exchange["response"]
    client = client_for(lambda request: answer_of(exchange))
    data = recorded["status"] == 200 and "json" in recorded
    if data:
        assert json.loads(client.get("orders")) == recorded["json"]
        return
    with pytest.raises(ShopFailure) as caught:
        client.get("orders")
    failure = caught.value
    if recorded["status"] == 200:
        assert failure.kind is FailureKind.BUSY
    else:
        assert failure.kind in KINDS[recorded["status"]]
        assert failure.status == recorded["status"]
    assert "%" not in failure.message
    assert failure.message.isprintable()
    body = recorded.get("json")
    if isinstance(body, dict) and "Report ID" in body.get("message", ""):
        assert (failure.kind, failure.report) == (FailureKind.BROKEN, body["message"].rpartition(" ")[2])


def order_searches() -> list[Any]:
    """Recorded searches for orders with any answer."""
    return [each for each in exchanges() if "/V1/orders?" in each.values[0]["request"]["target"]]


@pytest.mark.parametrize("exchange", order_searches())
def test_recorded_search(exchange: dict[str, Any]) -> None:
    """A search answer gives exactly its rows; ``[]`` and lists that are missing are errors."""
    recorded = exchange["response"]
    searcher = Searcher(client_for(lambda request: answer_of(exchange)))
    search = Search(sort=(("entity_id", Direction.ASC),), size=1, fields="items[entity_id],total_count")
    body = recorded.get("json")
    whole = isinstance(body, dict) and "items" in body
    if recorded["status"] == 200 and whole and (body["items"] is not None or body.get("total_count") == 0):
        page = searcher.page("orders", search)
        assert [json.loads(bytes(row)) for row in page.rows] == (body["items"] or [])
        assert page.total == body.get("total_count")
        return
    with pytest.raises(OrderSourceError):
        searcher.page("orders", search)


@pytest.mark.parametrize(
    "name",
    ["page_20_full", "page_20_full_fields_list", "all_orders_fields_page_1", "all_orders_fields_page_2"],
)
def test_recorded_orders(name: str) -> None:
    """Every recorded order with its dates becomes an order with its number, state, status and store."""
    recorded = json.loads((RECORDED / "orders" / f"{name}.json").read_text("utf-8"))["response"]["json"][
        "items"
    ]
    by_id = {row["entity_id"]: row for row in recorded}

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/orders"):
            return httpx.Response(200, json={"items": recorded, "total_count": len(recorded)})
        items = [] if "store/" in request.url.path else {"items": [], "total_count": 0}
        return httpx.Response(200, json=items)

    found = source_for(answer).by_ids(by_id)
    assert found.keys() == by_id.keys()
    for order_id, order in found.items():
        row = by_id[order_id]
        assert (order.number, order.state, order.status) == (row["increment_id"], row["state"], row["status"])
        assert order.store_view == (str(row["store_id"]) if "store_id" in row else None)
        assert order.contact.email == row["customer_email"]
        assert len(order.history) == len(row.get("status_histories") or [])


def test_recordings_are_there() -> None:
    """The parametrised tests above are not empty."""
    assert len(exchanges()) > 200
    assert Path(RECORDED, "oauth", "signature_vectors.json").exists()
