"""Orders of two kinds, any number of them: cut down to what is used, and whole as a shop answers them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

RECORDED = Path(__file__).parent.parent / "tests" / "data" / "magento" / "orders" / "page_20_full.json"
"""A page of whole orders, as a Magento 2.4.7 answered it."""

Writer: TypeAlias = Callable[[int], str]
"""The order with this id, as one line of JSON."""

_ID, _VIEW = 123_456_789, "view123456789"


def cut_down(*, stores: int, created_at: str) -> Writer:
    """Orders of 1.8 kB: little more than the fields that are used."""
    return lambda number: json.dumps(order(number, stores=stores, created_at=created_at))


def whole(*, stores: int, created_at: str) -> Writer:
    """Orders of 15 kB on average: the recorded ones again and again, made to match, each with its own id."""
    templates = [_template(each, created_at) for each in _recorded()]

    def line(number: int) -> str:
        text = templates[number % len(templates)]
        return text.replace(_VIEW, f"view{number % stores}").replace(str(_ID), str(number))

    return line


@cache
def _recorded() -> list[dict[str, Any]]:
    page = json.loads(RECORDED.read_text())["response"]["json"]
    return list(page["items"])


def _template(recorded: dict[str, Any], created_at: str) -> str:
    """The recorded order, complete since its date, with placeholders for its id and store view."""
    first, *others = recorded["items"]
    changes = {
        "entity_id": _ID,
        "increment_id": str(_ID),
        "state": "complete",
        "status": "complete",
        "store_code": _VIEW,
        "customer_group_id": 1,
        "customer_email": f"customer{_ID}@example.com",
        "created_at": created_at,
        "updated_at": created_at,
        "items": [{**first, "sku": f"SKU-{first['sku']}"}, *others],
        "status_histories": [
            {"comment": None, "created_at": created_at, "entity_id": _ID, "status": "complete"}
        ],
    }
    return json.dumps({**recorded, **changes}, separators=(",", ":"))


def order(number: int, *, stores: int, created_at: str) -> dict[str, Any]:
    """A Magento-shaped order of about 1.8 kB that matches the account of its store view."""
    address = {
        "firstname": "Kim",
        "lastname": f"Example {number}",
        "street": ["Example Street 1"],
        "city": "Example City",
        "postcode": "10000",
        "region": "Example Region",
        "country_id": "DE",
        "telephone": "+49 30 000000",
        "email": f"customer{number}@example.com",
    }
    items = [
        {
            "item_id": number * 3 + i,
            "product_id": i,
            "product_type": "simple",
            "sku": f"SKU-{i:04}",
            "name": f"Example product {i}",
            "qty_ordered": 1,
            "price": 29.9,
            "row_total": 29.9,
            "base_row_total": 29.9,
        }
        for i in range(2)
    ]
    return {
        "entity_id": number,
        "increment_id": f"{100_000_000 + number}",
        "state": "complete",
        "status": "complete",
        "store_id": number % stores + 1,
        "store_code": f"view{number % stores}",
        "customer_group_id": 1,
        "customer_group": "General",
        "created_at": created_at,
        "updated_at": created_at,
        "customer_email": address["email"],
        "customer_firstname": "Kim",
        "customer_lastname": f"Example {number}",
        "customer_is_guest": 0,
        "customer_id": number,
        "is_virtual": 0,
        "grand_total": 64.8,
        "base_grand_total": 64.8,
        "subtotal": 59.8,
        "base_subtotal": 59.8,
        "discount_amount": 0,
        "shipping_amount": 5,
        "weight": 1.2,
        "total_qty_ordered": 2,
        "total_item_count": 2,
        "order_currency_code": "EUR",
        "base_currency_code": "EUR",
        "billing_address": address,
        "items": items,
        "payment": {"method": "banktransfer"},
        "status_histories": [{"entity_id": number, "created_at": created_at, "status": "complete"}],
        "extension_attributes": {
            "shipping_assignments": [{"shipping": {"method": "flatrate_flatrate", "address": address}}]
        },
    }


def write_orders(
    path: Path,
    *,
    count: int,
    stores: int,
    created_at: str,
    first: int = 1,
    kind: Callable[..., Writer] = cut_down,
) -> None:
    """Append this many orders to a JSONL file."""
    line = kind(stores=stores, created_at=created_at)
    with path.open("a") as file:
        file.writelines(f"{line(number)}\n" for number in range(first, first + count))
