"""What orders need besides themselves: names, evidence, categories; and shops that withhold some of it."""

from __future__ import annotations

from typing import Any

import pytest

from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.order import Contact
from ekomi_reconcile.model.rule import DELETED_STORE_VIEW
from ekomi_reconcile.orders.facts import EVERYTHING, FACTS, ITEM_FACTS
from ekomi_reconcile.orders.magento.directory import SHIPPED_STATUSES
from ekomi_reconcile.orders.magento.search import order_fields
from ekomi_reconcile.orders.magento.shop import CUSTOMER_GROUP, STORE_VIEW
from ekomi_reconcile.orders.magento.wire import ShopFailure
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.rules.rulebook import TELEPHONE
from ekomi_reconcile.sandbox.magento.render import FaultKind
from ekomi_reconcile.sandbox.magento.settings import from_sql
from tests.orders_magento.magento_support import EMAIL, NOW, Case, ids, opened, orders, read

NEEDED = ["Magento_Sales::actions_view", "Magento_Backend::store"]


def delivered(case: Case, order_id: int) -> None:
    """Invoiced an hour after NOW, shipped an hour later."""
    case.shop.clock.set(NOW + 3_600)
    case.shop.invoice(order_id)
    case.shop.clock.set(NOW + 7_200)
    case.shop.ship(order_id)


def test_shipment_and_invoice_dates(case: Case) -> None:
    """A complete order has the dates of its documents; one that is new is not asked about."""
    delivered(case, 2)
    case.shop.clock.set(NOW + 9_000)
    case.shop.invoice(3)
    by_id = {order.order_id: order for order in read(case.source())[0]}
    assert (by_id[2].first_invoiced_at, by_id[2].last_shipped_at) == (NOW + 3_600, NOW + 7_200)
    assert (by_id[3].first_invoiced_at, by_id[3].last_shipped_at) == (NOW + 9_000, None)
    assert (by_id[1].first_invoiced_at, by_id[1].last_shipped_at) == (None, None)
    (shipments,), (invoices,) = case.asked("shipments"), case.asked("invoices")
    assert "value%5D=2&" in shipments.query
    assert "value%5D=2%2C3&" in invoices.query


def test_several_documents(case: Case) -> None:
    """The last shipment and invoice count for complete, the first invoice for processing."""
    case.shop.order(4)["items"][0]["qty_ordered"] = 3
    (item,) = (row["item_id"] for row in case.shop.order(4)["items"])
    for hour in (1, 2, 3):
        case.shop.clock.set(NOW + 3_600 * hour)
        case.shop.invoice(4, {item: 1})
        case.shop.ship(4, {item: 1})
    order = case.source().by_ids([4])[4]
    assert order.state == "complete"
    found = (order.first_invoiced_at, order.last_invoiced_at, order.last_shipped_at)
    assert found == (NOW + 3_600, NOW + 10_800, NOW + 10_800)


def test_history_that_tells_saves_requests(case: Case) -> None:
    """Where the history has both changes, no documents are asked for."""
    history = [
        {"entity_id": 3, "created_at": "2025-01-03 00:00:00", "status": "complete"},
        {"entity_id": 2, "created_at": "2025-01-02 00:00:00", "status": "processing"},
        {"entity_id": 1, "created_at": "2025-01-01 00:00:00", "status": "pending"},
    ]
    dated = {"created_at": "2025-01-01 00:00:00", "status_histories": history}
    case.shop.order(1).update(state="complete", status="complete", **dated)
    order = case.source().by_ids([1])[1]
    assert [entry.status for entry in order.history] == ["pending", "processing", "complete"]
    assert case.asked("shipments") == case.asked("invoices") == []


@pytest.mark.parametrize(
    ("resource", "name"),
    [("Magento_Sales::shipment", "shipments"), ("Magento_Sales::sales_invoice", "invoices")],
)
def test_evidence_withheld(resource: str, name: str) -> None:
    """Without the permission: asked once, one warning that names it, the other evidence stays."""
    with opened(orders(250)) as case:
        for number in (2, 150, 240):
            delivered(case, number)
        both = {"Magento_Sales::shipment", "Magento_Sales::sales_invoice"}
        found, _, problems = read(case.source(resources=[*NEEDED, *(both - {resource})]))
        assert len(found) == 250
        (problem,) = problems
        assert (problem.rule, problem.is_error) == (f"{name}-withheld", False)
        assert resource in problem.hint
        assert len(case.asked(name)) <= 3
        order = next(order for order in found if order.order_id == 2)
        assert (order.last_shipped_at is None) is (name == "shipments")
        assert (order.first_invoiced_at is None) is (name == "invoices")
        assert order.shipments_known is (name != "shipments")
        assert ("never by an invoice" in problem.message) is (name == "shipments")


def test_evidence_that_cannot_be_read_is_an_error(case: Case) -> None:
    """A shop that is down while documents are asked for is not taken to have none."""
    delivered(case, 2)
    case.shop.faults.add(FaultKind.MAINTENANCE, path="/shipments")
    with pytest.raises(OrderSourceError):
        read(case.source())


def test_shipments_that_cannot_be_read_are_not_known(case: Case) -> None:
    """Of one order whose shipments the shop cannot give it is not known whether it was shipped."""
    delivered(case, 2)
    delivered(case, 3)
    case.shop.clock.set(NOW + 9_000)
    case.shop.faults.add(FaultKind.INTERNAL, path="/shipments")
    found = {order.order_id: order for order in read(case.source())[0]}
    assert not found[2].shipments_known
    assert found[2].last_shipped_at is None
    assert found[2].last_invoiced_at is not None


def test_one_broken_document(case: Case) -> None:
    """Documents that the shop cannot give cost their order the evidence, and a warning says so."""
    delivered(case, 2)
    case.shop.faults.add(FaultKind.INTERNAL, path="/invoices")
    found, _, (problem,) = read(case.source())
    assert len(found) == 5
    assert (problem.rule, problem.is_error) == ("invoices-unreadable", False)
    assert problem.message.startswith("order 2:")


def test_names() -> None:
    """Ids become codes; deleted store views and groups show their id; names in the files win."""
    documents = orders(5)
    for number, (store, group) in enumerate([(1, 0), (2, 4), (9, 2), (1, 77), (3, 1)]):
        documents[number] |= {"store_id": store, "customer_group_id": group}
    groups = {0: "NOT LOGGED IN", 1: "General", 4: "VIP"}
    with opened(documents, stores={1: "de", 2: "at", 3: "fr"}, groups=groups) as case:
        found, _, _ = read(case.source(uses=None, naming={"stores": {3: "ours"}}))
        names = [(order.store_view, order.customer_group) for order in found]
        assert names == [
            ("de", "NOT LOGGED IN"),
            ("at", "VIP"),
            ("9", "2"),
            ("de", "77"),
            ("ours", "General"),
        ]


def test_order_of_a_deleted_store_view(case: Case) -> None:
    """Magento empties its store id: which view it was of is not known, so it passes no exclusion."""
    case.shop.delete_store_view(1)
    assert {order.store_view for order in read(case.source())[0]} == {DELETED_STORE_VIEW}
    assert case.source().by_ids([2])[2].store_view == DELETED_STORE_VIEW


def test_many_customer_groups() -> None:
    """Groups are paged within the shop's limit."""
    groups = {number: f"G{number}" for number in range(40)}
    with opened(orders(1, customer_group_id=39), groups=groups) as case:
        case.shop.settings.page_limit = "on"
        case.shop.settings.maximum_page_size = 15
        (order,), _, _ = read(case.source(uses=frozenset({CUSTOMER_GROUP})))
        assert order.customer_group == "G39"


@pytest.mark.parametrize(
    ("used", "missing"), [(STORE_VIEW, "Magento_Backend::store"), (CUSTOMER_GROUP, "Magento_Customer::group")]
)
def test_names_that_rules_need(used: str, missing: str) -> None:
    """Without its names a rule would match the wrong orders: an error names the permission.

    Where no rule looks at them, or the files name them, the pass goes on.
    """
    allowed = {*NEEDED, "Magento_Customer::group"} - {missing}
    with opened(orders(3)) as case:
        for uses in (frozenset({used}), None):
            with pytest.raises(ShopFailure, match=missing):
                read(case.source(resources=allowed, uses=uses))
            with pytest.raises(ShopFailure, match=missing):
                case.source(resources=allowed, uses=uses).by_ids([1])
        found, _, problems = read(case.source(resources=allowed, uses=frozenset()))
        assert len(found) == 3
        assert [each.is_error for each in problems] == [False] * len(problems)
        names: dict[str, Any] = {"stores": {1: "named"}, "customer_groups": {0: "named"}}
        found, _, problems = read(case.source(resources=allowed, naming=names, uses=frozenset({used})))
        name = found[0].store_view if used == STORE_VIEW else found[0].customer_group
        assert (name, len(problems)) == ("named", 1)


def test_orders_withheld(case: Case) -> None:
    """Without the permission for orders there is an error that names it."""
    with pytest.raises(ShopFailure, match="Magento_Sales::actions_view"):
        read(case.source(resources=["Magento_Backend::store"]))


def test_categories() -> None:
    """Only when a rule asks: each product once, parents and children together, deleted ones unknown."""
    parent = {"item_id": 1, "product_id": 20, "sku": "P", "product_type": "configurable"}
    child = {"item_id": 2, "product_id": 21, "sku": "C", "parent_item_id": 1}
    rows = [parent, child, {"item_id": 3, "product_id": 22, "sku": "S"}]
    documents = [{"entity_id": number, "items": [dict(row) for row in rows]} for number in range(1, 121)]
    with opened(documents, categories={"C": [5, 7], "S": [9]}) as case:
        case.shop.catalog.products.get(20)["extension_attributes"]["category_links"] = [{"category_id": "4"}]
        read(case.source())
        assert case.asked("products") == []
        found, _, _ = read(case.source(), Wanted(full=True, attributes=frozenset({"category_id"})))
        assert {tuple(item.category_ids for item in order.items) for order in found} == {((4, 5, 7), (9,))}
        assert 1 <= len(case.asked("products")) <= 2


def test_categories_of_deleted_products(case: Case) -> None:
    """A product that the shop no longer has is in no known category."""
    case.shop.order(2)["items"][0]["product_id"] = 999
    found, _, _ = read(case.source(), Wanted(full=True, attributes=frozenset({"category_id"})))
    assert {order.order_id: order.items[0].category_ids for order in found}[2] is None


def test_categories_withheld(case: Case) -> None:
    """A rule that looks at categories cannot be judged without: an error. Otherwise they stay unknown."""
    with pytest.raises(ShopFailure, match="Magento_Catalog::products"):
        read(case.source(resources=NEEDED), Wanted(full=True, attributes=frozenset({"category_id"})))
    everything = case.source(resources=[*NEEDED, "Magento_Customer::group"], uses=None)
    order = everything.by_ids([1])[1]
    assert (order.items[0].sku, order.items[0].category_ids) == ("A", None)


def test_look_up_with_what_rules_use(case: Case) -> None:
    """Single orders come with everything while nobody said what is needed, later with just that."""
    source = case.source(uses=None)
    assert source.find("#1")[0].grand_total is not None
    case.shop.log.clear()
    read(source, Wanted(full=True, attributes=frozenset({"currency"})))
    order = source.by_ids([1])[1]
    assert (order.currency, order.grand_total, order.items) == ("EUR", None, ())


def test_by_ids_in_batches() -> None:
    """At most a hundred ids in one request; unknown, broken and impossible ids are left out."""
    with opened(orders(350)) as case:
        case.shop.damage(77, "payment_info_unreadable")
        found = case.source().by_ids([*range(-1, 352), 2**70])
        assert found.keys() == set(range(1, 351)) - {77}
        assert len(case.asked()) <= 4 + 16
        assert case.source().by_ids([]) == {}
        case.shop.faults.add(FaultKind.MAINTENANCE)
        with pytest.raises(OrderSourceError):
            case.source().by_ids([1])


def test_find() -> None:
    """By number, by number that several stores have, by id with # or bare; blanks around do not count."""
    documents = orders(3)
    documents[0]["increment_id"] = documents[1]["increment_id"] = "2000,1"
    documents[2]["increment_id"] = "2"
    with opened(documents) as case:
        source = case.source()
        assert ids(source.find(" 2000,1 ")) == [1, 2]
        assert sorted(ids(source.find("2"))) == [2, 3]
        assert ids(source.find("#3")) == [3]
        assert source.find("nothing") == []
        assert source.find("#99999999999999999999") == []


def test_statuses(case: Case) -> None:
    """A shop that cannot list them: the shipped ones and those seen, with the state seen beside it."""
    case.shop.set_status(2, "awaiting_docs")
    source = case.source()
    read(source)
    assert source.statuses() == {**SHIPPED_STATUSES, "awaiting_docs": "new"}


def test_only_needed_fields() -> None:
    """Personal data beyond the address is asked for where needed; attributes bring just their fields."""
    least = order_fields(frozenset())
    for name in (
        "telephone",
        "name",
        "customer_id",
        "street",
        "remote_ip",
        "protect_code",
        "payment",
        "items",
        "grand_total",
        "postcode",
        "city",
        "comment",
    ):
        assert name not in least
    assert "items[item_id,parent_item_id,product_id,qty_ordered,sku]" in order_fields(
        frozenset({"sku", "qty"})
    )
    placed = order_fields(frozenset({"shipping_postcode"}))
    assert "is_virtual" in placed
    assert placed.count("postcode") == 2
    every = order_fields(EVERYTHING)
    assert every.count("[") == every.count("]")
    assert not set(every) & set(" .+")


def test_every_attribute_arrives(case: Case) -> None:
    """With all attributes asked for, all of them are told; each alone is told too."""
    case.shop.order(1).update(coupon_code="C", weight=2.5, total_paid=5, total_refunded=1)
    assignment = case.shop.order(1)["extension_attributes"]["shipping_assignments"][0]["shipping"]
    assignment["address"] |= {"region": "Tyrol", "city": "Imst", "postcode": "6460", "country_id": "AT"}
    case.shop.order(1)["billing_address"]["country_id"] = "AT"
    for name in FACTS:
        (found, *_), _, _ = read(case.source(), Wanted(full=True, attributes=frozenset({name})))
        assert getattr(found, name) is not None, name
    for name in ITEM_FACTS.keys() - {"category_id"}:
        (found, *_), _, _ = read(case.source(), Wanted(full=True, attributes=frozenset({name})))
        assert getattr(found.items[0], name) is not None, name


def test_who_is_asked_is_read_when_it_is_needed(case: Case) -> None:
    """A pass brings the address alone, with a telephone number where rules need it; a look-up all of it."""
    address = {"country_id": "AT", "telephone": "+43 1 000000", "lastname": "Kolb"}
    case.shop.order(1)["billing_address"] |= address
    source = case.source()
    (plain, *_), _, _ = read(source, Wanted(full=True))
    assert plain.contact == Contact(email=EMAIL)
    (called, *_), _, _ = read(case.source(), Wanted(full=True, attributes=frozenset({TELEPHONE})))
    assert called.contact == Contact(email=EMAIL, telephone="+43 1 000000", country="AT")
    known = source.by_ids([1])[1].contact
    assert (known.email, known.first_name, known.last_name) == (EMAIL, "Mira", "Kolb")
    assert (known.telephone, known.country) == ("+43 1 000000", "AT")


def test_dates_are_utc(case: Case) -> None:
    """Times are the shop's, read as UTC."""
    (order, *_), _, _ = read(case.source())
    document = case.shop.order(1)
    assert order.created_at == from_sql(document["created_at"])
    assert order.updated_at == from_sql(document["updated_at"])


def test_ids_that_the_shop_has_no_name_for_are_told(case: Case) -> None:
    """A deleted group keeps its number, which then stands for its name."""
    case.shop.order(1).update(customer_group_id=77)
    found = {order.order_id: order for order in read(case.source())[0]}
    assert (found[1].customer_group, found[1].customer_group_id) == ("77", 77)
    assert (found[2].customer_group_id, found[2].store_id) == (None, None)
