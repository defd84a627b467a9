"""Orders in Magento's shape: what is read from them, and how much deviation is forgiven."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from orders_support import RECORDED, STORES, record, recorded_orders

from ekomi_reconcile.model.errors import OrderUnreadable
from ekomi_reconcile.model.instant import parse
from ekomi_reconcile.model.order import Contact, Order
from ekomi_reconcile.orders.facts import FACTS, ITEM_FACTS
from ekomi_reconcile.orders.normalize import Codes, product_ids
from ekomi_reconcile.orders.reader import OrderReader, id_of, key_of, whole_order
from ekomi_reconcile.orders.wire import split_page
from ekomi_reconcile.rules.rulebook import TELEPHONE

READER = OrderReader(Codes(STORES))
ANSWERS = sorted(
    f"{path.parent.name}/{path.stem}"
    for folder in ("errors", "orders", "poison")
    for path in (RECORDED / folder).glob("*.json")
    if all(f'"{key}"' in path.read_text() for key in ("increment_id", "created_at", "items"))
)


def read(**fields):
    """The order in a record with these fields."""
    return READER.order(json.dumps(record(7, **fields)).encode())


def readable(raw):
    """The order in this text, ``None`` if it cannot be read."""
    try:
        return READER.order(raw)
    except OrderUnreadable:
        return None


def unreadable(**fields):
    with pytest.raises(OrderUnreadable) as caught:
        read(**fields)
    return caught.value


def test_an_order_of_a_real_shop_is_read_whole():
    """Every attribute that rules know comes from where Magento has it."""
    order = READER.order(json.dumps(recorded_orders()[0]).encode())
    assert order == Order(
        order_id=1,
        number="2000000001",
        state="new",
        status="pending",
        store_view="de",
        customer_group="NOT LOGGED IN",
        created_at=parse("2026-11-23 14:09:07"),
        updated_at=parse("2026-11-23 14:09:09"),
        contact=order.contact,
        refunded=False,
        grand_total=184.1,
        base_grand_total=184.1,
        subtotal=153.8,
        base_subtotal=153.8,
        discount_amount=-15.38,
        shipping_amount=15.0,
        total_qty=3.0,
        item_count=2.0,
        weight=1.5,
        currency="EUR",
        coupon_code="SPRING10",
        payment_method="banktransfer",
        shipping_method="flatrate_flatrate",
        shipping_country="AT",
        shipping_region="Steiermark",
        shipping_postcode="8020",
        shipping_city="Graz",
        billing_country="AT",
        is_guest=True,
        is_virtual=False,
        has_company=False,
        has_vat_id=False,
        items=order.items,
    )
    contact = order.contact
    assert (contact.email, contact.first_name, contact.last_name) == ("mira.kolb@example.com", "Mira", "Kolb")
    assert (contact.telephone, contact.country, contact.customer_id) == ("+43 1 000000", "AT", None)


def test_items_are_top_level_rows():
    """A configurable product counts once, with the quantities of its parent row."""
    order = READER.order(json.dumps(recorded_orders()[0]).encode())
    rows = [(each.sku, each.product_type, each.qty, each.row_total, each.price) for each in order.items]
    assert rows == [
        ("JK-CANVAS-L-NAVY", "configurable", 1.0, 84.6, 94.0),
        ("BTL-0.7", "simple", 2.0, 53.82, 29.9),
    ]


@pytest.mark.parametrize("name", ANSWERS)
def test_every_recorded_answer_is_read(name):
    """Pages, single orders and damaged ones of a real shop: each order that has a date is an order."""
    body = json.loads((RECORDED / f"{name}.json").read_text())["response"]["json"]
    page = split_page(json.dumps(body).encode())
    given_orders = body["items"] or [] if "entity_id" not in body else [body]
    dated = [each for each in given_orders if "created_at" in each]
    orders = [order for each in page.orders if (order := readable(each)) is not None]
    assert [each.order_id for each in orders] == [each["entity_id"] for each in dated]
    assert len(page.orders) == len(given_orders)
    assert page.total_count == body.get("total_count")
    for order, wire in zip(orders, dated, strict=True):
        assert order.number == wire["increment_id"]
        assert order.status == wire.get("status")


def test_there_are_recorded_answers():
    """The test above has something to read."""
    assert len(ANSWERS) > 8


def test_a_virtual_order_has_the_place_of_its_bill_and_no_shipping():
    """Magento gives it an empty shipping, as an object or (with fields) as a list."""
    billing = {"city": "Graz", "country_id": "AT", "postcode": "8020", "region": "Steiermark"}
    for shipping in ({"total": {}}, []):
        order = read(
            is_virtual=1,
            billing_address=billing,
            shipping_method="left_over",
            extension_attributes={"shipping_assignments": [{"shipping": shipping, "items": []}]},
        )
        assert order.shipping_method is None
        assert (order.shipping_city, order.shipping_region) == ("Graz", "Steiermark")
        assert (order.shipping_country, order.shipping_postcode) == ("AT", "8020")


def test_flat_exports_are_understood():
    """Shipping and payment may stand at the top level, store view and group by name."""
    order = read(
        store_code="at",
        store_id=1,
        customer_group="VIP",
        customer_group_id=1,
        payment_method="checkmo",
        shipping_method="tablerate_bestway",
        shipping_address={"city": "Oslo", "country_id": "NO", "telephone": "+47 2 000000"},
        currency="ignored",
    )
    assert (order.store_view, order.customer_group) == ("at", "VIP")
    assert (order.payment_method, order.shipping_method) == ("checkmo", "tablerate_bestway")
    assert (order.shipping_city, order.contact.telephone, order.contact.country) == (
        "Oslo",
        "+47 2 000000",
        "NO",
    )


def test_ids_are_looked_up():
    """Store views only where told; groups also by the ones every shop has."""
    reader = OrderReader(Codes({2: "de"}, {1: "Members", 4: "VIP"}))

    def found(**fields):
        order = reader.order(json.dumps(record(1, **fields)).encode())
        return order.store_view, order.customer_group

    assert found(store_id=2, customer_group_id=1) == ("de", "Members")
    assert found(store_id=3, customer_group_id=2) == (None, "Wholesale")
    assert found(customer_group_id=9) == (None, None)
    assert found(customer_is_guest=1) == (None, "NOT LOGGED IN")
    assert found(customer_is_guest=0) == (None, None)


def test_the_history_is_oldest_first():
    """Magento tells it newest first, and several entries within one second."""
    order = read(
        status_histories=[
            {"entity_id": 9, "created_at": "2026-02-02 10:00:00", "status": "complete", "comment": "x"},
            {"entity_id": 8, "created_at": "2026-02-01 10:00:00", "status": None},
            {"entity_id": 7, "created_at": "2026-02-01 10:00:00", "status": "processing"},
            {"entity_id": 6, "status": "pending"},
        ]
    )
    assert [(each.entry_id, each.status) for each in order.history] == [
        (7, "processing"),
        (8, None),
        (9, "complete"),
    ]


def test_invoices_and_shipments_are_evidence():
    """The first and last of each; ones without a date say nothing."""
    dates = [{"created_at": f"2026-02-0{day} 00:00:00"} for day in (3, 1, 2)]
    order = read(invoices=[*dates, {}], shipments=dates[1:])
    assert order.first_invoiced_at == parse("2026-02-01")
    assert order.last_invoiced_at == parse("2026-02-03")
    assert order.last_shipped_at == parse("2026-02-02")
    assert read(invoices=[{}]).first_invoiced_at is None


def test_contacts_fall_back_to_the_bill():
    """Guests often have their name and address only there."""
    bill = {"firstname": "Mira", "lastname": "Kolb", "email": "mira@example.com", "country_id": "AT"}
    contact = read(billing_address=bill, customer_id="512").contact
    assert (contact.first_name, contact.last_name, contact.email) == ("Mira", "Kolb", "mira@example.com")
    assert (contact.telephone, contact.country, contact.customer_id) == (None, "AT", 512)


def test_personal_data_does_not_show_in_representations():
    """An order in a log line or traceback tells only its id."""
    order = read(customer_email="secret@example.com")
    assert "secret" not in repr(order) + str(order.contact)


def test_categories_of_items():
    """Told by ids or by links, known to be none, or not told."""
    order = read(
        items=[
            {"category_ids": ["12", 14]},
            {"extension_attributes": {"category_links": [{"position": 0, "category_id": "3"}]}},
            {"category_ids": []},
            {"extension_attributes": []},
            {},
        ]
    )
    assert [each.category_ids for each in order.items] == [(12, 14), (3,), (), None, None]


def test_categories_of_products_are_those_of_all_parts():
    """A configurable product is in the categories of its parent and of the chosen variant."""
    wire = whole_order(
        json.dumps(
            record(
                1,
                items=[
                    {"item_id": 1, "product_id": 18},
                    {"item_id": 2, "product_id": 17, "parent_item_id": 1},
                    {"item_id": 3, "product_id": 5},
                ],
            )
        ).encode()
    )
    assert product_ids([wire]) == {5, 17, 18}
    order = READER.complete(wire, {18: (4,), 17: (9, 4)})
    assert [each.category_ids for each in order.items] == [(4, 9), None]


@pytest.mark.parametrize(
    ("fields", "attribute", "value"),
    [
        ({"increment_id": 100000123}, "number", "100000123"),
        ({"entity_id": "123"}, "order_id", 123),
        ({"grand_total": "12.50"}, "grand_total", 12.5),
        ({"grand_total": ""}, "grand_total", None),
        ({"total_item_count": "2.0000"}, "item_count", 2.0),
        ({"store_id": "2"}, "store_view", "de"),
        ({"customer_is_guest": "1"}, "is_guest", True),
        ({"customer_is_guest": False}, "is_guest", False),
        ({"is_virtual": "no"}, "is_virtual", False),
        ({"coupon_code": 5}, "coupon_code", "5"),
        ({"coupon_code": ""}, "coupon_code", None),
        ({"state": ""}, "state", None),
        ({"items": []}, "items", ()),
        ({"items": None}, "items", ()),
        ({"status_histories": {}}, "history", ()),
        ({"status_histories": None}, "history", ()),
        ({"extension_attributes": []}, "shipping_method", None),
        ({"extension_attributes": {"shipping_assignments": []}}, "shipping_method", None),
        ({"extension_attributes": {"shipping_assignments": [[]]}}, "shipping_method", None),
        ({"payment": []}, "payment_method", None),
        ({"billing_address": []}, "billing_country", None),
        ({"updated_at": "0000-00-00 00:00:00"}, "updated_at", None),
        ({"created_at": "2026-01-31"}, "created_at", parse("2026-01-31")),
        ({"created_at": "2026-01-31T12:00:00Z"}, "created_at", parse("2026-01-31 12:00:00")),
        ({"created_at": "2026-01-31T12:00:00+02:00"}, "created_at", parse("2026-01-31 10:00:00")),
        ({"created_at": " 2026-01-31 12:00"}, "created_at", parse("2026-01-31 12:00:00")),
        ({"unknown": {"deep": [1, {"x": None}]}}, "status", "complete"),
    ],
)
def test_deviations_are_forgiven(fields, attribute, value):
    """Text for numbers, numbers for text, empty lists for objects, odd times, unknown keys."""
    assert getattr(read(**fields), attribute) == value


def test_lists_may_be_objects_with_numbers_as_keys():
    """PHP writes a list with gaps as an object."""
    assert [each.sku for each in read(items={"0": {"sku": "A"}, "2": {"sku": "B"}}).items] == ["A", "B"]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"grand_total": "much Secret"}, "grand_total"),
        ({"grand_total": "nan"}, "grand_total"),
        ({"grand_total": "1_000"}, "grand_total"),
        ({"grand_total": True}, "grand_total"),
        ({"store_id": 1.5}, "store_id"),
        ({"customer_is_guest": "Secret"}, "customer_is_guest"),
        ({"customer_email": ["Secret"]}, "customer_email"),
        ({"customer_email": True}, "customer_email"),
        ({"created_at": "Secret"}, "created_at"),
        ({"created_at": None}, "created_at"),
        ({"created_at": "1969-12-31 23:59:59"}, "created_at"),
        ({"created_at": "9999-12-31 23:59:59"}, "created_at"),
        ({"items": "Secret"}, "items"),
        ({"items": [{"qty_ordered": "Secret"}]}, "items[0].qty_ordered"),
        ({"items": 5}, "items"),
        ({"billing_address": "Secret"}, "billing_address"),
        ({"billing_address": [1]}, "billing_address"),
        ({"status_histories": [{"created_at": "Secret"}]}, "status_histories[0].created_at"),
    ],
)
def test_what_cannot_be_read_is_named_without_its_value(fields, place):
    """The message holds the order and the field, never what stands there."""
    problem = unreadable(**fields)
    assert place in problem.message
    assert problem.order_id == 7
    assert problem.message.startswith("order 7: ")
    assert "Secret" not in problem.message


@pytest.mark.parametrize("entity_id", [None, 0, -1, 2**63, "x", 1.5, True, {}])
def test_an_order_needs_an_id(entity_id):
    """Without it nothing can be recorded about the order."""
    problem = unreadable(entity_id=entity_id)
    assert problem.order_id is None
    assert "entity_id" in problem.message


@pytest.mark.parametrize(
    "raw",
    [
        *(
            b"",
            b"{",
            b"[]",
            b"5",
            b"null",
            b'{"entity_id":1}',
            b'{"entity_id":1}{}',
            b'{"a":"\xff"}',
            b"\xff",
        ),
        b'{"entity_id":1,"created_at":"2026-01-31","customer_email":"\xff"}',
        b'{"entity_id":1,"grand_total":1e999}',
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
def test_what_is_no_order_is_one_error(raw):
    """Damaged JSON, other values, foreign bytes, endless nesting: never anything but the one error."""
    with pytest.raises(OrderUnreadable):
        READER.order(raw)
    page = split_page(b'[{"entity_id":1,"increment_id":"1","created_at":"2026-01-31"}, {}]')
    assert [readable(each) is not None for each in page.orders] == [True, False]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ATTRIBUTES = sorted({*FACTS, *ITEM_FACTS, TELEPHONE, "email_domain"})
FIELDS = ["entity_id", "increment_id", "created_at", "customer_is_guest", "items", "status_histories"]
NESTED = ["billing_address", "payment", "extension_attributes", "grand_total"]


@given(
    st.dictionaries(st.sampled_from(FIELDS + NESTED), json_values),
    st.none() | st.frozensets(st.sampled_from(ATTRIBUTES)),
)
def test_any_json_is_an_order_or_the_one_error(fields, attributes):
    """Whatever stands in the fields and is asked for, reading gives an order or says that it cannot."""
    raw = json.dumps({**record(7), **fields}).encode()
    try:
        order = OrderReader(Codes(STORES), attributes).order(raw)
    except OrderUnreadable:
        return
    assert order.order_id > 0
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order


@given(st.integers(0, len(recorded_orders()) - 1), st.data())
def test_numbers_as_text_and_text_as_numbers_mean_the_same(at, data):
    """An export that writes every scalar as text is read like Magento's own answer."""
    wire = recorded_orders()[at]
    as_text = {
        key: str(value) if type(value) in (int, float) and data.draw(st.booleans()) else value
        for key, value in wire.items()
    }
    assert READER.order(json.dumps(as_text).encode()) == READER.order(json.dumps(wire).encode())


def row(**values):
    """A row of an order."""
    return {"item_id": 1, "sku": "A", "qty_ordered": 2, **values}


@pytest.mark.parametrize(
    ("fields", "refunded"),
    [
        ({"total_paid": 50, "total_refunded": 50}, True),
        ({"total_paid": 50, "total_refunded": 49.99}, True),
        ({"total_paid": 50, "total_refunded": 49.98}, False),
        ({"total_paid": 50, "total_refunded": 60}, True),
        ({"total_paid": "50", "total_refunded": "50"}, True),
        ({"total_paid": 0, "total_refunded": 0}, False),
        ({"total_paid": 0}, False),
        ({"grand_total": 50, "total_refunded": 10}, False),  # what was paid is not told
        ({"grand_total": 50, "total_refunded": 50}, True),
        ({"total_refunded": 50}, False),
        ({"items": [row(qty_refunded=2)]}, True),
        ({"items": [row(qty_refunded=1)]}, False),
        ({"items": [row(qty_refunded=2), row()]}, False),
        ({"items": [row(qty_refunded=2), row(qty_canceled=2)]}, True),
        ({"items": [row(qty_canceled=2)]}, False),  # nothing was refunded
        ({"items": [row(qty_refunded=2), row(parent_item_id=1)]}, True),
        ({"items": [row(qty_ordered=None, qty_refunded=2)]}, False),
        ({"items": []}, False),
        ({}, False),
    ],
)
def test_an_order_is_refunded_by_its_amounts_or_by_its_rows(fields, refunded):
    """All that was paid to the cent, or every row that was not cancelled, and at least one of them."""
    raw = json.dumps({**record(7), "items": None, "grand_total": None, **fields}).encode()
    assert READER.order(raw).refunded is refunded
    part = OrderReader(Codes(STORES), frozenset({"refunded"})).order(raw)
    assert (part.refunded, part.items) == (refunded, ())


@pytest.mark.parametrize("name", ["company", "vat_id"])
def test_a_company_is_known_by_the_billing_address(name):
    """Whether it has a company or a VAT id; spaces are none, and what they are is not kept."""
    for address, has in (({name: "X 1"}, True), ({name: " "}, False), ({}, False), (None, False)):
        order = READER.order(json.dumps({**record(7), "billing_address": address}).encode())
        assert getattr(order, f"has_{name}") is has
        assert "X 1" not in repr(msgspec.structs.asdict(order))


HEAD = ("order_id", "number", "state", "status", "history", "store_view", "customer_group", "created_at")


def asked(order: Order, name: str) -> object:
    """What an attribute is in this order."""
    if name == TELEPHONE:
        return order.contact.telephone, order.contact.country
    if name in ITEM_FACTS:
        return [getattr(item, "category_ids" if name == "category_id" else name) for item in order.items]
    return getattr(order, name)


@given(st.integers(0, len(recorded_orders()) - 1), st.frozensets(st.sampled_from(ATTRIBUTES)))
def test_what_rules_look_at_is_read_as_if_all_were(at, attributes):
    """Head, evidence and address always, and whatever is asked for, equal what reading everything gives."""
    raw = json.dumps(recorded_orders()[at]).encode()
    whole, part = READER.order(raw), OrderReader(Codes(STORES), attributes).order(raw)
    assert [getattr(part, name) for name in HEAD] == [getattr(whole, name) for name in HEAD]
    assert part.contact.email == whole.contact.email
    for name in attributes:
        assert asked(part, name) == asked(whole, name)


@pytest.mark.parametrize("name", ["billing_address", "extension_attributes", "shipping_address"])
@pytest.mark.parametrize("attribute", [TELEPHONE, "shipping_country", "shipping_method", "billing_country"])
def test_parts_of_an_address_are_found_where_all_of_it_is(name, attribute):
    """Wherever an order tells its address: what is asked for is found, and what is absent too."""
    place = {"country_id": "AT", "telephone": "1", "postcode": "1010"}
    shipping = {"shipping_assignments": [{"shipping": {"method": "post", "address": place}}]}
    raw = json.dumps({**record(7), name: shipping if name == "extension_attributes" else place}).encode()
    part = OrderReader(Codes(STORES), frozenset({attribute})).order(raw)
    assert asked(part, attribute) == asked(READER.order(raw), attribute)


def test_only_what_rules_look_at_is_read():
    """What nobody asks for stays out of the process: amounts, rows, names, telephone numbers."""
    raw = json.dumps(recorded_orders()[0]).encode()
    order = OrderReader(Codes(STORES), frozenset({"grand_total"})).order(raw)
    assert order.grand_total is not None
    assert (order.items, order.currency, order.shipping_city) == ((), None, None)
    assert order.contact == Contact(email=order.contact.email)


def test_a_field_that_nobody_asks_for_may_be_wrong():
    """An order is not refused for an amount that no rule looks at."""
    raw = json.dumps({**record(7), "grand_total": "a lot"}).encode()
    assert OrderReader(Codes(STORES), frozenset({"subtotal"})).order(raw).order_id == 7
    with pytest.raises(OrderUnreadable, match="grand_total: a number is expected"):
        OrderReader(Codes(STORES), frozenset({"grand_total"})).order(raw)


def test_the_key_of_an_order_is_read_with_the_same_goodwill():
    """What an order is called does not depend on how much of it is read."""
    assert key_of(b'{"entity_id":" 5 ","increment_id":100}').entity_id == 5
    assert key_of(b'{"entity_id":" 5 ","increment_id":100}').increment_id == "100"
    assert key_of(b'{"entity_id":"x"}') is None


@pytest.mark.parametrize(
    "raw",
    [
        b'{"entity_id":12,"x":1}',
        b'{"a":"b","entity_id": "12", "x":1}',
        b'{"items":[{"entity_id":5}],"entity_id":12}',
        b'{"payment":{"entity_id":5,"x":1},"entity_id":12}',
        b'{"note":"\\"entity_id\\":5,","entity_id":12}',
        b'{"note":"entity_id","entity_id":12}',
        b'{"note":"{[","entity_id":12,"x":1}',
        b'{"entity_id" : 12}',
    ],
)
def test_the_quick_look_finds_the_order_s_own_id(raw):
    """Ids of addresses, payments and items, and texts that look like one, do not count."""
    assert id_of(raw) == 12
    assert key_of(raw).entity_id == 12


@pytest.mark.parametrize(
    "value",
    ["0", "-1", '"x"', "null", "1.5", "12.0", "1e3", '"12.0"', '"1.2E+11"', "9223372036854775808", "007"],
)
def test_the_quick_look_takes_no_id_for_one(value):
    """What is no id is none, also in a hurry."""
    assert id_of(b'{"entity_id":' + value.encode() + b',"x":1}') is None
