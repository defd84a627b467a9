"""Reading all orders that can match: windows of ids, poison, page limits, slow shops, resuming."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiers import examples

from ekomi_reconcile.http import Lanes
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.orders.facts import EVERYTHING
from ekomi_reconcile.orders.magento.auth import BearerLogin
from ekomi_reconcile.orders.magento.client import MagentoClient
from ekomi_reconcile.orders.magento.segments import ShopCursor
from ekomi_reconcile.orders.magento.shop import Naming
from ekomi_reconcile.orders.magento.source import MagentoSource
from ekomi_reconcile.orders.magento.wire import ShopFailure
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.sandbox.magento.render import FaultKind, OrderDamage
from ekomi_reconcile.sandbox.magento.settings import PageLimit, PastTheEnd, sql_time
from tests.orders_magento.magento_support import (
    EMAIL,
    FULL,
    NOW,
    Case,
    Key,
    ids,
    opened,
    orders,
    read,
    source_for,
)

RESUMABLE = Wanted(full=True, pseudonym=lambda text: hashlib.sha256(text.encode()).hexdigest())


def test_every_order_once_in_order() -> None:
    """Three windows, two at a time: ascending, each order once, three requests and two for the ends."""
    with opened(orders(250)) as case:
        found, _, problems = read(case.source())
        assert ids(found) == list(range(1, 251))
        assert problems == []
        assert len(case.asked()) == 5
        assert {"%5BcurrentPage%5D=1&" in entry.query for entry in case.asked()} == {True}


def test_only_orders_that_can_match() -> None:
    """Orders created before ``created_from`` are neither read nor passed by in windows."""
    with opened(orders(1_000)) as case:
        created_from = NOW - 86_400 - 60 * 100
        found, _, _ = read(case.source(), Wanted(full=True, created_from=created_from))
        assert ids(found) == list(range(901, 1_001))
        assert len(case.asked()) == 3
        assert case.shop.log.orders_served() == 102


def test_reread_from() -> None:
    """Orders created since are read again beside what changed."""
    with opened(orders(50)) as case:
        source = case.source()
        _, cursor, _ = read(source)
        wanted = Wanted(cursors=frozenset({cursor}), reread_from=NOW - 86_400 - 60 * 10)
        assert ids(read(source, wanted)[0]) == list(range(41, 51))


def test_empty_shop() -> None:
    """A shop without orders gives none, and a position."""
    with opened([]) as case:
        found, cursor, problems = read(case.source())
        assert (found, problems) == ([], [])
        assert read(case.source(), Wanted(cursors=frozenset({cursor})))[0] == []


def test_sparse_ids() -> None:
    """Where most ids are no wanted orders, windows are wider, so requests follow the orders."""
    documents = [each | {"entity_id": each["entity_id"] * 50} for each in orders(200)]
    with opened(documents) as case:
        assert ids(read(case.source())[0]) == [number * 50 for number in range(1, 201)]
        assert len(case.asked()) <= 6


@pytest.mark.parametrize("kept", [0.98, 0.9, 0.3])
def test_gaps_between_ids_cost_nothing(kept: float) -> None:
    """Where some ids are missing, windows still fit into pages: hardly any needs a second one."""
    draw = Random(7)
    documents = [each for each in orders(int(600 / kept)) if draw.random() < kept]
    with opened(documents) as case:
        assert len(read(case.source())[0]) == len(documents)
        assert len(case.asked()) <= 2 + 1.4 * len(documents) / 100


@pytest.mark.sampled(6)
@pytest.mark.parametrize("past", PastTheEnd)
@pytest.mark.parametrize("limit", [1, 7, 50])
def test_page_limits(past: PastTheEnd, limit: int) -> None:
    """A smaller limit is taken from the refusal and kept, on shops that repeat the last page too."""
    with opened(orders(60)) as case:
        case.shop.settings.page_limit = PageLimit.ON
        case.shop.settings.maximum_page_size = limit
        case.shop.settings.past_the_end = past
        found, cursor, _ = read(case.source())
        assert ids(found) == list(range(1, 61))
        refused = [entry for entry in case.asked() if entry.status == 400]
        assert len(refused) <= 3
        source = case.source()
        assert sorted(source.by_ids(range(1, 61))) == list(range(1, 61))
        case.shop.clock.advance(600)
        for number in range(1, 31):
            case.shop.touch(number)
        case.shop.clock.advance(120)
        assert ids(read(source, Wanted(cursors=frozenset({cursor})))[0]) == list(range(1, 31))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("poison", [{150}, {1}, {250}, {1, 2, 3, 248, 249, 250}, {99, 100, 101}])
def test_poison(poison: set[int]) -> None:
    """Orders that the shop cannot give are named with its report; all others are read."""
    with opened(orders(250)) as case:
        for number in poison:
            case.shop.damage(number, OrderDamage.PAYMENT_INFO_UNREADABLE)
        found, cursor, problems = read(case.source())
        assert set(ids(found)) == set(range(1, 251)) - poison
        assert len(found) == 250 - len(poison)
        assert {each.rule for each in problems} == {"order-unreadable"}
        assert {each.message.split(":")[0] for each in problems} == {f"order {number}" for number in poison}
        assert all("webapi-" in each.message and "webapi-" in each.hint for each in problems)
        case.shop.damages.clear()
        case.shop.log.clear()
        again, _, problems = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert (set(ids(again)), problems) == (poison, [])


def test_poison_costs_little() -> None:
    """One such order costs about a request per halving of its window, and later runs one."""
    with opened(orders(250)) as case:
        case.shop.damage(150, OrderDamage.ITEM_OPTIONS_UNREADABLE)
        _, cursor, _ = read(case.source())
        assert len(case.asked()) <= 5 + 9
        case.shop.log.clear()
        _, cursor, problems = read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert len(case.asked()) == 2
        assert len(problems) == 1
        del case.shop.damages[150]
        assert ids(read(case.source(), Wanted(cursors=frozenset({cursor})))[0]) == [150]


@pytest.mark.parametrize(
    ("poison", "most"),
    [([70, 190, 310, 555], 4 * 9), ([401], 9), ([1, 600], 9 + 20), (range(210, 222), 9 + 12 * 2)],
    ids=["spread", "first of a page", "the ends", "neighbours"],
)
def test_known_poison_is_read_around(poison: Sequence[int], most: int) -> None:
    """Finding such an order takes a request per halving; a later load asks for each of them once."""
    with opened(orders(600)) as case:
        without = 6 + 2
        for number in poison:
            case.shop.damage(number, OrderDamage.PAYMENT_INFO_UNREADABLE)
        found, cursor, _ = read(case.source())
        assert set(ids(found)) == set(range(1, 601)) - set(poison)
        assert len(case.asked()) <= without + most
        case.shop.log.clear()
        again, _, problems = read(
            case.source(), Wanted(full=True, left=frozenset({cursor, "of another source"}))
        )
        assert (ids(again), len(problems)) == (ids(found), len(poison))
        assert len(case.asked()) <= without + len(poison) + 1
        assert case.shop.log.orders_served() <= 602
        case.shop.damages.clear()
        assert len(read(case.source(), Wanted(full=True, left=frozenset({cursor})))[0]) == 600


@pytest.fixture(scope="module")
def small_shop() -> Iterator[Case]:
    """A shop for many examples: starting one takes longer than most of them."""
    with opened(orders(24)) as case:
        yield case


@settings(max_examples=examples(24), deadline=None)
@given(
    poison=st.sets(st.integers(1, 24), max_size=5),
    size=st.integers(2, 11),
    wanted=st.sampled_from([FULL, Wanted(cursors=frozenset({ShopCursor(1, 0).text()}))]),
)
def test_every_order_that_can_be_read_is_read(
    small_shop: Case, poison: set[int], size: int, wanted: Wanted
) -> None:
    """Wherever they are, orders that break their page are named, and all others come once."""
    small_shop.shop.damages.clear()
    for number in poison:
        small_shop.shop.damage(number, OrderDamage.PAYMENT_INFO_UNREADABLE)
    found, _, problems = read(small_shop.source(page_size=size), wanted)
    assert sorted(ids(found)) == sorted(set(range(1, 25)) - poison)
    assert [each.message.split(":")[0] for each in problems] == [f"order {n}" for n in sorted(poison)]


def test_all_orders_poisoned() -> None:
    """When nothing can be read the shop is broken, not its orders: an error, after few requests."""
    with opened(orders(120)) as case:
        for number in range(1, 121):
            case.shop.damage(number, OrderDamage.PAYMENT_INFO_UNREADABLE)
        with pytest.raises(ShopFailure, match="report webapi-"):
            read(case.source())
        assert len(case.asked()) < 120


def test_order_that_makes_no_sense() -> None:
    """An order that only we cannot read is a problem with its id; the rest go on."""
    with opened(orders(3)) as case:
        case.shop.order(2)["created_at"] = "soon"
        found, cursor, (problem,) = read(case.source())
        assert ids(found) == [1, 3]
        assert problem.message.startswith("order 2: created_at")
        case.shop.order(2)["created_at"] = sql_time(NOW - 86_400)
        assert ids(read(case.source(), Wanted(cursors=frozenset({cursor})))[0]) == [2]


@pytest.mark.parametrize(
    "kind", [FaultKind.MAINTENANCE, FaultKind.TOO_MANY_REQUESTS, FaultKind.HTML, FaultKind.EMPTY]
)
def test_passing_faults(kind: FaultKind) -> None:
    """A shop that is busy for a moment is waited for; one that stays so is an error, never an empty list."""
    with opened(orders(120)) as case:
        case.shop.faults.add(kind, path="/orders", skip=2, times=2)
        assert ids(read(case.source())[0]) == list(range(1, 121))
        assert len(case.stop.waits) == 2
        case.shop.faults.add(kind, path="/orders", skip=3)
        with pytest.raises(OrderSourceError):
            read(case.source())


def test_smaller_pages_for_a_slow_shop() -> None:
    """Pages that come too late are asked for in halves until they come; nothing is missing."""

    class Slow(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            size = int(request.url.params.get("searchCriteria[pageSize]", "0"))
            if size > 30:
                raise httpx.ReadTimeout("slow")
            return super().handle_request(request)

    with opened(orders(250)) as case:
        login = BearerLogin(Key(case.shop.admin_token()))
        source = source_for(Slow(), base=case.base, login=login)
        assert ids(read(source)[0]) == list(range(1, 251))
        assert case.shop.log.orders_served() <= 260
        source.close()


def test_shop_that_never_answers_in_time() -> None:
    """With the smallest page too late it is an error."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "storeViews" in request.url.path:
            return httpx.Response(200, json=[])
        if (
            request.url.params["searchCriteria[sortOrders][0][direction]"]
            and "status" not in request.url.params["fields"]
        ):
            row = {"entity_id": 5, "updated_at": "2025-01-01 00:00:00"}
            return httpx.Response(200, json={"items": [row], "total_count": 1})
        raise httpx.ReadTimeout("slow")

    with pytest.raises(ShopFailure, match="no answer in time"):
        read(source_for(answer))


def test_shop_that_repeats_itself() -> None:
    """An answer that never gets past the same orders ends in an error, not in an endless loop."""
    row = {"entity_id": 5, "created_at": "2025-01-01 00:00:00", "updated_at": "2025-01-01 00:00:00"}

    def answer(request: httpx.Request) -> httpx.Response:
        if "storeViews" in request.url.path:
            return httpx.Response(200, json=[])
        return httpx.Response(200, json={"items": [row], "total_count": 9})

    with pytest.raises(OrderSourceError, match="again and again"):
        read(source_for(answer))


@pytest.mark.parametrize(
    "body", ["[]", '{"total_count": 7}', '{"items": null, "total_count": 7}', '{"items": {}}', '"text"', "{}"]
)
def test_answers_that_hide_orders(body: str) -> None:
    """Forms in which Magento hides rows are errors: no order is taken not to exist."""

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, text="[]" if "storeViews" in request.url.path else body)

    with pytest.raises(OrderSourceError):
        read(source_for(answer))


class Together(httpx.HTTPTransport):
    """Holds the first pages of orders back until ``count`` are in flight; ``most`` is how many ever were."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.most = self._flying = 0
        self._meeting = threading.Barrier(count)
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if "status" not in request.url.params.get("fields", ""):
            return super().handle_request(request)
        with self._lock:
            self._flying += 1
            self.most = max(self.most, self._flying)
        try:
            with suppress(threading.BrokenBarrierError):
                self._meeting.wait(20)
                self._meeting.abort()
            return super().handle_request(request)
        finally:
            with self._lock:
                self._flying -= 1


def parallel(case: Case, parallelism: int, transport: httpx.BaseTransport | None = None) -> MagentoClient:
    """A client with so many requests in flight."""
    login = BearerLogin(Key(case.shop.admin_token()))
    return MagentoClient(case.base, login, stop=case.stop, transport=transport, parallelism=parallelism)


@pytest.mark.parametrize("parallelism", [1, 2, 5])
def test_requests_in_flight(parallelism: int) -> None:
    """As many windows as allowed are asked for at the same time, and no more; orders still come in order."""
    with opened(orders(800)) as case:
        transport = Together(parallelism)
        client = parallel(case, parallelism, transport)
        found, _, problems = read(MagentoSource("default", client, Naming(uses=frozenset())))
        assert (ids(found), problems) == (list(range(1, 801)), [])
        assert transport.most == parallelism
        client.close()


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": FaultKind.TOO_MANY_REQUESTS},
        {"kind": FaultKind.MAINTENANCE},
        {"kind": FaultKind.HTML, "status": 504},
    ],
    ids=lambda fault: fault["kind"].value,
)
def test_fewer_requests_for_a_shop_in_trouble(fault: dict[str, Any]) -> None:
    """A refusal halves the requests in flight, and is asked for again; nothing is missing."""
    with opened(orders(500)) as case:
        case.shop.faults.add(fault.pop("kind"), path="/orders", skip=3, times=1, **fault)
        client = parallel(case, 8)
        assert ids(read(MagentoSource("default", client, Naming(uses=frozenset())))[0]) == list(range(1, 501))
        assert client.lanes.limit == 4
        client.close()


PACES: dict[str, tuple[list[float | None], int]] = {
    "steady": ([1.0] * 50, 8),
    "slower": ([1.0] * 5 + [2.5] * 5, 7),
    "slow for long": ([1.0] * 5 + [2.5] * 100, 1),
    "faster again": ([1.0] * 5 + [2.5] * 10 + [1.0] * 20, 7),
    "as before": ([1.0] * 5 + [2.5] * 10 + [1.0] * 200, 8),
    "a few slow ones": ([1.0] * 5 + [9.0, 1.0, 9.0, 1.0, 1.0] * 9, 8),
    "refused": ([1.0, None], 4),
    "refused often": ([None] * 9, 1),
    "refused once": ([None, *[1.0] * 20], 5),
}


@pytest.mark.parametrize(("answers", "limit"), PACES.values(), ids=PACES)
def test_the_limit_follows_the_shop(answers: list[float | None], limit: int) -> None:
    """A shop that is slow or refuses (``None``) gets fewer requests at a time, and more when it recovers."""
    lanes = Lanes(8)
    for seconds in answers:
        lanes.trouble() if seconds is None else lanes.answered(100_000, seconds)
        lanes.answered(100, 60.0)  # a small answer says nothing about the pace
    assert lanes.limit == limit


class Interrupted(Exception):
    """Stands for whatever ends a process."""


def read_until(case: Case, count: int, wanted: Wanted = RESUMABLE) -> list[Any]:
    """The orders of a first load that is broken off after so many."""
    found: list[Any] = []
    batches = case.source(page_size=20).read(wanted).batches()
    for batch in batches:
        found += batch
        if len(found) >= count:
            break
    batches.close()
    return found


def test_interrupted_load_goes_on(tmp_path: Path) -> None:
    """What was read before the break is not asked for again, and what changed since comes as it is now."""
    with opened(orders(300), cache=tmp_path) as case:
        read_until(case, 200)
        case.shop.log.clear()
        case.shop.clock.advance(600)
        case.shop.hold(17)
        case.shop.place(created_at=sql_time(case.shop.clock.now()))
        case.shop.clock.advance(100)
        found, cursor, problems = read(case.source(), RESUMABLE)
        assert sorted(ids(found)) == list(range(1, 302))
        assert problems == []
        by_id = {order.order_id: order for order in found}
        assert (by_id[17].state, by_id[17].contact.email) == ("holded", EMAIL)
        assert case.shop.log.orders_served() <= 300 - 200 + 2 + 40  # two windows were under way
        case.shop.log.clear()
        assert read(case.source(), Wanted(cursors=frozenset({cursor})))[0] == []


def test_kept_facts_hold_no_personal_data(tmp_path: Path) -> None:
    """The file has no name, address or number of a customer; a digest tells customers apart."""
    canaries = {
        "customer_lastname": "Canaryname",
        "billing_address": {"telephone": "+4917012345678", "city": "Canaryville", "street": ["Canary 1"]},
    }
    with opened(orders(60, **canaries), cache=tmp_path) as case:
        live = {order.order_id: order for order in read(case.source(), RESUMABLE)[0]}
        (file,) = tmp_path.iterdir()
        text = file.read_text()
        for canary in (EMAIL, EMAIL.split("@")[0], "Mira", "Canary", "17012345678"):
            assert canary not in text
        assert file.stat().st_mode & 0o777 == 0o600
        kept = {order.order_id: order for order in read(case.source(), RESUMABLE)[0]}
        assert kept.keys() == live.keys()
        for number, order in kept.items():
            assert order.contact.pseudonym == RESUMABLE.pseudonym(EMAIL)
            assert order.email_domain == live[number].email_domain
            assert (order.number, order.history, order.created_at) == (
                live[number].number, live[number].history, live[number].created_at,
            )  # fmt: skip


def test_first_load_without_digest_keeps_nothing(tmp_path: Path) -> None:
    """Without a digest of customers an order could not be judged later, so nothing is kept."""
    with opened(orders(50), cache=tmp_path) as case:
        read_until(case, 20, FULL)
        assert list(tmp_path.iterdir()) == []
        places = Wanted(full=True, attributes=frozenset({"shipping_city"}), pseudonym=RESUMABLE.pseudonym)
        read_until(case, 20, places)
        assert list(tmp_path.iterdir()) == []


PLACE = {
    "postcode": "48231",
    "city": "Warendorf",
    "country_id": "DE",
    "company": "Canary Ltd",
    "vat_id": "DE811",
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", sorted(EVERYTHING))
def test_postcodes_and_cities_stay_out_of_the_cache(tmp_path: Path, name: str) -> None:
    """Whatever rules look at, alone or beside a postcode: no place is written to a file."""
    shipped = {"shipping_assignments": [{"shipping": {"method": "post", "address": PLACE}, "items": []}]}
    with opened(orders(30, billing_address=PLACE, extension_attributes=shipped), cache=tmp_path) as case:
        for attributes in ({name}, {name, "shipping_postcode"}, {name, "shipping_city"}):
            wanted = Wanted(full=True, attributes=frozenset(attributes), pseudonym=RESUMABLE.pseudonym)
            read_until(case, 30, wanted)
            written = "".join(each.read_text() for each in tmp_path.iterdir())
            assert not [each for each in PLACE.values() if each in written and each != "DE"]


@pytest.mark.parametrize("damage", ["cut", "garbage", "empty", "folder", "head"])
def test_damaged_progress(tmp_path: Path, damage: str) -> None:
    """Whatever became of the file, the result is whole and right."""
    with opened(orders(120), cache=tmp_path) as case:
        read_until(case, 80)
        (file,) = tmp_path.iterdir()
        content = file.read_bytes()
        lines = content.splitlines(keepends=True)
        if damage == "folder":
            file.unlink()
            file.mkdir()
        else:
            file.write_bytes(
                {
                    "cut": content[:-20],
                    "garbage": b"".join([*lines[:2], b"{garbage}\n", *lines[2:]]),
                    "empty": b"",
                    "head": b"".join(lines[1:]),
                }[damage]
            )
        for _ in range(2):
            found, _, problems = read(case.source(), RESUMABLE)
            assert sorted(ids(found)) == list(range(1, 121))
            assert problems == []


def test_progress_of_other_rules_is_not_used(tmp_path: Path) -> None:
    """Facts read for other attributes, an earlier date, or another key are read anew."""
    with opened(orders(60), cache=tmp_path) as case:
        read(case.source(), RESUMABLE)
        for wanted in (
            Wanted(full=True, attributes=frozenset({"sku"}), pseudonym=RESUMABLE.pseudonym),
            Wanted(full=True, pseudonym=lambda text: f"other {text}"[:9]),
        ):
            case.shop.log.clear()
            read(case.source(), wanted)
            assert case.shop.log.orders_served() >= 60
        narrow = Wanted(full=True, created_from=NOW - 86_400 - 60 * 10, pseudonym=RESUMABLE.pseudonym)
        read(case.source(), narrow)
        case.shop.log.clear()
        assert len(read(case.source(), RESUMABLE)[0]) == 60


def test_old_progress_is_not_used(tmp_path: Path) -> None:
    """After days too much has changed; and an ordinary pass needs it no more."""
    with opened(orders(60), cache=tmp_path) as case:
        _, cursor, _ = read(case.source(), RESUMABLE)
        case.shop.clock.advance(3 * 86_400)
        case.shop.log.clear()
        assert len(read(case.source(), RESUMABLE)[0]) == 60
        assert case.shop.log.orders_served() >= 60
        read(case.source(), Wanted(cursors=frozenset({cursor})))
        assert list(tmp_path.iterdir()) == []


def test_plan_then_apply(tmp_path: Path) -> None:
    """A second full pass right after the first asks for nothing but what changed."""
    with opened(orders(120), cache=tmp_path) as case:
        read(case.source(), RESUMABLE)
        case.shop.log.clear()
        assert len(read(case.source(), RESUMABLE)[0]) == 120
        assert case.shop.log.orders_served() == 0


def test_stop_while_reading() -> None:
    """Once the run is stopped no more is asked, and the pass ends in an error, not in a position."""
    with opened(orders(2_000)) as case:
        reading = case.source().read(FULL)
        batches = reading.batches()
        next(batches)
        case.stop.ended = True
        with pytest.raises(OrderSourceError, match="stopped"):
            list(batches)
        asked = len(case.asked())
        assert asked < 10
        with pytest.raises(RuntimeError):
            _ = reading.cursor


def test_orders_that_change_while_all_are_read() -> None:
    """Changes between pages lose nothing: every order comes, and its last version at the latest next time."""
    with opened(orders(400)) as case:
        case.shop.clock.set(NOW)
        case.shop.mutations.seed(3, each=5)
        found, cursor, _ = read(case.source())
        case.shop.mutations.clear()
        latest = {order.order_id: order for order in found}
        assert sorted(latest) == list(range(1, 401))
        case.shop.clock.advance(120)
        changed, _, _ = read(case.source(), Wanted(cursors=frozenset({cursor})))
        latest |= {order.order_id: order for order in changed}
        for document in case.shop.orders:
            order = latest[document["entity_id"]]
            assert (order.state, order.status) == (document["state"], document["status"])
