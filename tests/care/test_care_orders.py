"""Finding many orders by their numbers at once, in a file and in a shop."""

import json

from project_support import order

from ekomi_reconcile.orders.file import FileSource
from tests.orders_magento.magento_support import opened, orders


def test_a_file_is_read_once_for_all_numbers(tmp_path):
    """Each number with all its orders in their last version; one without any is left out."""
    path = tmp_path / "orders.jsonl"
    lines = [
        order(1),
        order(2),
        order(3, increment_id="100000001"),
        order(2, increment_id="2000,2"),
        order(4),
    ]
    path.write_text("".join(json.dumps(each) + "\n" for each in lines) + "{broken\n")
    found = FileSource("default", path).find_many(["100000001", "100000002", "2000,2", "nothing", ""])
    assert {number: [each.order_id for each in orders] for number, orders in found.items()} == {
        "100000001": [1, 3],
        "2000,2": [2],
    }


def test_a_shop_is_asked_for_many_numbers_at_a_time():
    """Two hundred and more take a few requests; commas in a number separate nothing."""
    documents = orders(230)
    documents[6]["increment_id"] = "2000,7"
    with opened(documents) as case:
        source = case.source()
        numbers = [each.number for each in source.by_ids(range(1, 231)).values()]
        assert len(numbers) == 230
        case.shop.log.entries.clear()
        found = source.find_many([*numbers, "1,2", "no such number", ""])
        assert sorted(each.order_id for several in found.values() for each in several) == list(range(1, 231))
        assert [each.order_id for each in found["2000,7"]] == [7]
        assert len(case.asked()) < 8
        assert source.find_many([]) == {}
