"""Reading only what changed: nothing twice, nothing missed, at the cost of the changes."""

from __future__ import annotations

import json
import random
from collections import Counter

import pytest

from ekomi_reconcile.orders.magento.segments import (
    LAG,
    MOST_SEEN,
    OVERLAP,
    Positions,
    RowKey,
    ShopCursor,
    parse_cursor,
    reached,
)
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.sandbox.magento.render import OrderDamage, RequestRejected
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.magento.workflow import perform
from tests.orders_magento.magento_support import NOW, ids, opened, orders, read

ACTIONS = ("touch", "hold", "unhold", "invoice", "ship", "refund", "cancel", "set_status")


def change(shop: SimulatedShop, generator: random.Random, count: int) -> None:
    """Random changes, many of them within one second, and now and then a new order."""
    for _ in range(count):
        if generator.random() < 0.6:
            shop.clock.advance(generator.choice((1, 1, 2, 40)))
        if generator.random() < 0.1:
            shop.place(items=[{"sku": "A", "price": 5}])
            continue
        order = generator.choice(list(shop.orders))
        step = {"action": generator.choice(ACTIONS), "order": order["entity_id"], "status": order["status"]}
        try:
            perform(shop, step)
        except RequestRejected:
            shop.touch(order["entity_id"])


@pytest.mark.sampled(6)
@pytest.mark.parametrize("seed", range(6))
def test_ten_runs(seed: int) -> None:
    """Over ten runs with changes between and during them every version that lasted comes exactly once.

    Versions that were replaced before the next run may be missed; a version comes never twice; in the end
    every order was seen as it is now.
    """
    generator = random.Random(seed)
    with opened(orders(40)) as case:
        found, cursor, _ = read(case.source(page_size=7))
        latest = {order.order_id: order for order in found}
        versions = Counter((order.order_id, order.updated_at) for order in found)
        case.shop.clock.advance(OVERLAP + LAG)
        for _ in range(10):
            change(case.shop, generator, generator.randint(0, 40))
            if generator.random() < 0.5:
                case.shop.mutations.seed(generator.randint(0, 99), each=generator.randint(0, 3))
            case.shop.clock.advance(generator.choice((1, 30, LAG, 900)))
            found, cursor, problems = read(case.source(page_size=7), Wanted(cursors=frozenset({cursor})))
            case.shop.mutations.clear()
            assert problems == []
            assert len(ids(found)) == len(set(ids(found)))
            versions.update((order.order_id, order.updated_at) for order in found)
            latest |= {order.order_id: order for order in found}
        case.shop.clock.advance(LAG + 1)
        found, cursor, _ = read(case.source(page_size=7), Wanted(cursors=frozenset({cursor})))
        versions.update((order.order_id, order.updated_at) for order in found)
        latest |= {order.order_id: order for order in found}
        assert [each for each in versions.items() if each[1] > 1] == []
        now = {row["entity_id"]: (row["state"], row["status"]) for row in case.shop.orders}
        assert {key: (order.state, order.status) for key, order in latest.items()} == now
        assert read(case.source(), Wanted(cursors=frozenset({cursor})))[0] == []


def test_requests_follow_the_changes() -> None:
    """Many orders, one change: names and one page are asked for; with none, the same."""
    with opened(orders(600)) as case:
        _, cursor, _ = read(case.source())
        case.shop.clock.advance(3_600)
        case.shop.touch(234)
        case.shop.clock.advance(LAG + 1)
        case.shop.log.clear()
        found, cursor, _ = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert ids(found) == [234]
        assert [entry.route for entry in case.shop.log.entries] == ["store/storeViews", "orders"]
        assert case.shop.log.orders_served() == 1
        for served in (1, 0):  # the overlap is looked at once more
            case.shop.clock.advance(3_600)
            case.shop.log.clear()
            found, cursor, _ = read(case.source(), Wanted(cursors=frozenset({cursor})))
            assert (found, len(case.shop.log.entries), case.shop.log.orders_served()) == ([], 2, served)


def test_bulk_update_within_one_second() -> None:
    """Hundreds of orders with the same time are paged by id, none twice, none missed."""
    with opened(orders(330)) as case:
        _, cursor, _ = read(case.source())
        case.shop.clock.advance(3_600)
        for number in range(1, 331):
            case.shop.touch(number)
        case.shop.clock.advance(LAG + 1)
        case.shop.log.clear()
        source = case.source()
        found, cursor, _ = read(source, Wanted(cursors=frozenset({cursor})))
        assert ids(found) == list(range(1, 331))
        assert len(case.asked()) == 4
        assert read(source, Wanted(cursors=frozenset({cursor})))[0] == []


def test_young_changes_wait() -> None:
    """What changed in the last minute may change again within its second, so it comes with a later run."""
    with opened(orders(5)) as case:
        _, cursor, _ = read(case.source())
        case.shop.clock.advance(3_600)
        case.shop.touch(3)
        case.shop.clock.advance(LAG - 1)
        found, cursor, _ = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert found == []
        case.shop.clock.advance(2)
        assert ids(read(case.source(), Wanted(cursors=frozenset({cursor})))[0]) == [3]


def test_late_visible_change() -> None:
    """A change that becomes visible minutes after the time it carries is still read."""
    with opened(orders(5)) as case:
        case.shop.clock.advance(3_600)
        _, cursor, _ = read(case.source())
        at = case.shop.clock.now()
        case.shop.clock.set(at - LAG - 200)
        case.shop.hold(4)
        case.shop.clock.set(at + 10)
        assert ids(read(case.source(), Wanted(cursors=frozenset({cursor})))[0]) == [4]


def test_changes_and_the_full_window() -> None:
    """With both, what changed comes once, and so does everything else."""
    with opened(orders(300)) as case:
        _, cursor, _ = read(case.source())
        case.shop.clock.advance(3_600)
        for number in (7, 250):
            case.shop.hold(number)
        case.shop.clock.advance(LAG + 1)
        created_from = NOW - 86_400 - 60 * 100
        wanted = Wanted(cursors=frozenset({cursor}), full=True, created_from=created_from)
        found, _, _ = read(case.source(), wanted)
        assert sorted(ids(found)) == [7, *range(201, 301)]
        assert len(found) == 101


def test_several_positions() -> None:
    """The earliest counts; a version is passed over only if all of them had it."""
    with opened(orders(10)) as case:
        _, early, _ = read(case.source())
        case.shop.clock.advance(1_000)
        case.shop.touch(3)
        case.shop.clock.advance(LAG + 1)
        _, late, _ = read(case.source(), Wanted(cursors=frozenset({early})))
        case.shop.touch(4)
        case.shop.clock.advance(LAG + 1)
        source = case.source()
        assert ids(read(source, Wanted(cursors=frozenset({late})))[0]) == [4]
        assert ids(read(source, Wanted(cursors=frozenset({early, late})))[0]) == [3, 4]


@pytest.mark.parametrize(
    "text", ["", "nonsense", "{}", '{"layout": "jsonl", "offset": 7}', '{"v": 99, "t": 5}']
)
def test_lost_position(text: str) -> None:
    """A position that says nothing about this shop means that anything may have changed: all is read."""
    with opened(orders(120)) as case:
        found, cursor, _ = read(case.source(), Wanted(cursors=frozenset({text})))
        assert ids(found) == list(range(1, 121))
        assert parse_cursor(cursor) is not None


def test_poison_among_changes() -> None:
    """A broken order that changed is found among its neighbours, reported, and tried again by later runs."""
    with opened(orders(200)) as case:
        _, cursor, _ = read(case.source())
        case.shop.clock.advance(3_600)
        for number in range(20, 80):
            case.shop.touch(number)
        case.shop.damage(33, OrderDamage.PAYMENT_INFO_UNREADABLE)
        case.shop.clock.advance(LAG + 1)
        found, cursor, (problem,) = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert sorted(ids(found)) == [number for number in range(20, 80) if number != 33]
        assert problem.message.startswith("order 33:")
        case.shop.log.clear()
        found, cursor, problems = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert (found, len(problems)) == ([], 1)
        assert len(case.asked()) == 2
        case.shop.damage(33, None)
        found, cursor, problems = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert (ids(found), problems) == ([33], [])


def test_many_unreadable_orders_take_turns() -> None:
    """Retrying stays cheap: twenty a run; the others still count as unreadable."""
    with opened(orders(200)) as case:
        for number in range(1, 61):
            case.shop.damage(number, OrderDamage.PAYMENT_INFO_UNREADABLE)
        cursor = ShopCursor(1, NOW - LAG - OVERLAP, bad=list(range(1, 61))).text()
        _, cursor, problems = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert len(case.asked()) <= 2 * 20 + 4
        assert len(problems) == 21
        assert "40 more orders" in problems[-1].message
        assert parse_cursor(cursor).bad == list(range(1, 61))


def test_unreadable_order_that_is_gone() -> None:
    """An order that the shop no longer has is forgotten."""
    with opened(orders(5)) as case:
        cursor = ShopCursor(1, NOW - LAG - OVERLAP, bad=[99]).text()
        _, cursor, problems = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert (parse_cursor(cursor).bad, problems) == ([], [])


def test_position_is_small() -> None:
    """However many orders changed at once, the position stays some kilobytes; beyond, versions come again."""
    keys = [RowKey(number, NOW - 100 + number % 50) for number in range(5_000)]
    cursor = reached(NOW, keys, range(5_000))
    assert len(cursor.text()) < 20_000
    assert sum(map(len, cursor.seen.values())) == MOST_SEEN
    assert all(cursor.covers(key) for key in keys if str(key.updated_at - cursor.t) == max(cursor.seen))


def test_position_text() -> None:
    """It is compact JSON that reads back as the same position."""
    cursor = reached(NOW, [RowKey(7, NOW - 5), RowKey(8, NOW - 5), RowKey(9, NOW - OVERLAP - 1)], [3])
    assert json.loads(cursor.text()) == {"v": 1, "t": NOW - OVERLAP, "seen": {"295": [7, 8]}, "bad": [3]}
    assert parse_cursor(cursor.text()) == cursor
    positions = Positions.of([cursor.text(), "x"])
    assert (positions.start, positions.lost, positions.unreadable) == (NOW - OVERLAP, True, {3})


def test_shop_clock_set_back() -> None:
    """A clock that jumps back loses nothing that changes afterwards."""
    with opened(orders(5)) as case:
        case.shop.clock.advance(7_200)
        _, cursor, _ = read(case.source())
        case.shop.clock.advance(-600)
        case.shop.touch(2)
        found, cursor, _ = read(case.source(), Wanted(cursors=frozenset({cursor})))
        case.shop.clock.advance(LAG + 1)
        found, cursor, _ = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert ids(found) == [2]
