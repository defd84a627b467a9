"""Random accounts and Magento-shaped orders as plain documents: small value sets, so that things meet."""

from __future__ import annotations

from hypothesis import strategies as st
from support_loop import DAY, IDS, NOW, account, text

VIEWS = ["de", "at", "no"]
GROUPS = ["General", "VIP", "NOT LOGGED IN"]
STATES = {
    "new": ["pending", "approved"],
    "processing": ["processing", "in_picking"],
    "complete": ["complete", "complete", "in_picking", "shipped"],
    "closed": ["closed"],
    "canceled": ["canceled"],
    "holded": ["holded"],
    "pending_payment": ["pending_payment"],
    "payment_review": ["payment_review", "fraud"],
}
TRIGGERS = ["complete", "processing", "pending", "in_picking", "shipped"]
NUMBERS = [
    *("grand_total", "base_grand_total", "subtotal", "base_subtotal", "discount_amount"),
    *("shipping_amount", "total_qty", "item_count", "weight", "total_paid", "total_refunded"),
]
TEXTS = [
    *("currency", "coupon_code", "payment_method", "shipping_method", "shipping_country"),
    *("shipping_region", "shipping_postcode", "shipping_city", "billing_country", "email_domain"),
    *("status", "state"),
]

numbers = st.sampled_from([-5, 0, 1, 2, 3, 19.99, 20, 49.5, 50, 50.01, 100])
words = st.sampled_from(
    [
        "EUR",
        "Eur",
        "SALE-10",
        "sale-20",
        "DE",
        "AT",
        "8020",
        "802",
        "flatrate_flatrate",
        "table_rate",
        "checkmo",
        "Graz",
        "GRÄZ",
        "grä",
        "Straße",
        "STRASSE",
        "example.com",
        "Example.org",
    ]
)
patterns = st.sampled_from(["*", "S*", "?UR", "*-?0", "*rate*rate", "802?", "[ab]*", "gr?z", "x"])
ages = st.one_of(
    st.sampled_from([0, 1, DAY, 10 * DAY, 10 * DAY + 1, 30 * DAY, 30 * DAY + 1, -DAY]),
    st.integers(0, 40 * DAY),
)
instants = ages.map(lambda age: text(NOW - age))


def maybe(strategy, *, nothing=None):
    """This, or (seldom) nothing; Magento leaves the key out or, in some places, writes null."""
    return st.one_of(strategy, strategy, strategy, st.just(nothing))


def mapping(**parts):
    """A mapping from which any key may be missing."""
    return st.fixed_dictionaries({}, optional=parts)


# ---------------------------------------------------------------- orders

entries = st.sampled_from(["pending", "processing", "complete", "in_picking", "shipped", "holded"])
histories = st.lists(
    st.fixed_dictionaries(
        {"created_at": instants, "parent_id": st.just(1)},
        optional={
            "status": maybe(entries),
            "entity_id": st.integers(1, 9),
            "entity_name": st.sampled_from(["order", "invoice", "creditmemo"]),
            "comment": st.none() | st.just("a remark"),
        },
    ),
    min_size=1,
    max_size=5,
)


def chain(statuses, times):
    """An order's way through these statuses, newest first as Magento tells it."""
    rows = zip(statuses, sorted(times, reverse=True), strict=False)
    entries = [
        {"entity_id": at, "status": status, "created_at": text(NOW - age), "comment": None}
        for at, (status, age) in enumerate(rows)
    ]
    return entries[::-1]


chains = st.builds(
    chain,
    st.sampled_from(
        [
            ["pending", "processing", "complete"],
            ["processing", "complete"],
            ["pending", "complete", "processing", "complete"],
            ["complete", "in_picking", "complete"],
            ["pending", "in_picking", "shipped"],
        ]
    ),
    st.lists(st.integers(-1, 20 * DAY), min_size=4, max_size=4),
)
documents = st.lists(st.fixed_dictionaries({"created_at": instants}), max_size=2)


@st.composite
def items(draw):
    """Top-level rows, some of them with a child."""
    rows = []
    for at in range(draw(st.integers(0, 3))):
        row = draw(
            mapping(
                sku=st.sampled_from(["BK-1", "bk-2", "TX-1", ""]),
                name=words,
                product_type=st.sampled_from(["simple", "configurable", "virtual"]),
                price=numbers,
                qty_ordered=numbers,
                qty_refunded=st.sampled_from([0, 1, 2, 3]),
                qty_canceled=st.sampled_from([0, 1]),
                row_total=numbers,
                category_ids=st.lists(st.integers(1, 4), max_size=3),
            )
        )
        rows.append({"item_id": 10 * at + 1, "product_id": at, **row})
        if row.get("product_type") == "configurable":
            child = {"sku": "CHILD", "price": 0, "qty_ordered": 99, "category_ids": [9]}
            rows.append({"item_id": 10 * at + 2, "parent_item_id": 10 * at + 1, **child})
    return rows


addresses = mapping(
    country_id=st.sampled_from(["DE", "AT", "NO"]),
    region=words,
    postcode=words,
    city=words,
    telephone=st.sampled_from(["+43 664 1234567", "+49 170 1234567", "+49 30 1234567", "unknown", ""]),
    company=st.sampled_from(["Example Ltd", "", " "]),
    vat_id=st.sampled_from(["DE123", ""]),
)
facts = mapping(
    total_paid=numbers,
    total_refunded=st.sampled_from([0, 0, 10, 50]),
    grand_total=numbers,
    base_grand_total=numbers,
    subtotal=numbers,
    base_subtotal=numbers,
    discount_amount=numbers,
    shipping_amount=numbers,
    weight=numbers,
    total_qty_ordered=numbers,
    total_item_count=numbers,
    order_currency_code=words,
    coupon_code=words,
    payment=mapping(method=words),
    billing_address=st.builds(lambda at, more: at | more, addresses, mapping(email=st.just("b@example.org"))),
    extension_attributes=st.builds(
        lambda method, address: {"shipping_assignments": [{"shipping": method | address, "items": []}]},
        mapping(method=words),
        mapping(address=addresses),
    ),
    is_virtual=st.sampled_from([0, 0, 1]),
    customer_is_guest=st.sampled_from([0, 1]),
    items=items(),
)
places = st.one_of(
    st.sampled_from(VIEWS).map(lambda code: {"store_code": code}),
    st.integers(1, 4).map(lambda key: {"store_id": key}),
    st.just({}),
)
buyers = st.one_of(
    st.sampled_from(GROUPS).map(lambda name: {"customer_group": name}),
    st.integers(0, 5).map(lambda key: {"customer_group_id": key}),
    st.just({}),
)
emails = st.sampled_from(
    [
        *({"customer_email": f"c{n % 4}@example.com"} for n in range(12)),
        {},
        {"customer_email": ""},
        {"customer_email": "no-at"},
        {"customer_email": "C@Example.ORG"},
    ]
)


@st.composite
def steps(draw):
    """State and status: mostly a pair that Magento has, sometimes one of them missing or another."""
    state = draw(st.sampled_from([*["complete"] * 12, *["processing"] * 5, *STATES]))
    status = draw(st.sampled_from(STATES[state]))
    kind = draw(st.sampled_from(["both"] * 8 + ["state", "status", "other"]))
    if kind == "other":
        status = draw(st.sampled_from(TRIGGERS))
    pair = {"state": state, "status": status}
    return {key: pair[key] for key in ("state", "status") if kind in ("both", "other", key)}


@st.composite
def orders(draw, key=None):
    """One order; with ``key`` a version of that one."""
    entity = draw(st.integers(1, 30)) if key is None else key
    created = NOW - draw(ages)
    whole = {"entity_id": entity, "increment_id": f"{entity:09d}", "created_at": text(created)}
    updated = draw(st.sampled_from(["same", "later", "missing", "before"]))
    if updated != "missing":
        whole["updated_at"] = text(
            {"same": created, "before": created - 1}.get(updated) or created + draw(st.integers(1, 20 * DAY))
        )
    for part in (steps(), places, buyers, emails, facts):
        whole |= draw(part)
    if draw(st.booleans()):
        whole["status_histories"] = draw(st.one_of(st.sampled_from([[], None]), histories, chains, chains))
    if draw(st.sampled_from([False, False, True])):
        whole |= draw(mapping(shipments=documents, invoices=documents))
    return whole


# ---------------------------------------------------------------- conditions

number_tests = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["eq", "ne", "gt", "gte", "lt", "lte"]), numbers),
        st.tuples(st.sampled_from(["in", "not_in"]), st.lists(numbers, min_size=1, max_size=3)),
        st.tuples(st.just("between"), st.lists(numbers, min_size=2, max_size=2).map(sorted)),
    ),
    min_size=1,
    max_size=2,
).map(dict)
text_tests = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["eq", "ne", "contains", "not_contains", "starts_with", "ends_with"]), words
        ),
        st.tuples(st.sampled_from(["in", "not_in"]), st.lists(words, min_size=1, max_size=3)),
        st.tuples(st.just("glob"), patterns),
    ),
    min_size=1,
    max_size=2,
).map(dict)
category_tests = st.builds(
    lambda operator, ids: {operator: ids},
    st.sampled_from(["in", "not_in"]),
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
)


def leaves(names, tests):
    """A condition on one of these attributes."""
    return st.builds(lambda name, test: {name: test}, st.sampled_from(names), tests)


def grown(children):
    """Groups of conditions and their negations."""
    several = st.lists(children, min_size=1, max_size=3)
    return st.one_of(
        st.builds(lambda key, parts: {key: parts}, st.sampled_from(["all", "any", "any"]), several),
        children.map(lambda inner: {"not": inner}),
    )


item_conditions = st.recursive(
    leaves(["sku", "name", "product_type"], text_tests)
    | leaves(["price", "qty", "row_total"], number_tests)
    | leaves(["category_id"], category_tests),
    grown,
    max_leaves=3,
)
sums = st.builds(
    lambda of, where, test: {"sum_items": {"of": of, **where, **test}},
    st.sampled_from(["qty", "row_total"]),
    mapping(where=item_conditions),
    number_tests,
)
conditions = st.recursive(
    leaves(NUMBERS, number_tests)
    | leaves(TEXTS, text_tests)
    | leaves(
        ["is_guest", "is_virtual", "has_company", "has_vat_id"],
        st.booleans().map(lambda wanted: {"eq": wanted}),
    )
    | st.builds(
        lambda key, inner: {key: inner},
        st.sampled_from(["any_item", "every_item", "no_item"]),
        item_conditions,
    )
    | sums,
    grown,
    max_leaves=5,
)


# ---------------------------------------------------------------- accounts


def selections(names):
    """A list, or all but a list."""
    some = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True)
    return some | some.map(lambda named: {"exclude": named})


PARTS = {
    "pending_period": st.sampled_from([0, 1, 5, 14, 365]),
    "pending_period_overrides": st.lists(
        st.fixed_dictionaries({"when": conditions, "days": st.sampled_from([0, 2, 21])}),
        min_size=1,
        max_size=2,
    ),
    "spread": st.sampled_from(["0d", "0h", "1h", "3d", "36h", "2w", "99d", "999h"]),
    "skip_orders_older_than": st.sampled_from([0, 1, 10, 30, 365]),
    "store_views": selections(VIEWS),
    "customer_groups": selections(GROUPS),
    "order_statuses": st.lists(st.sampled_from(TRIGGERS), min_size=1, max_size=3, unique=True),
    "deliver": st.sampled_from(["ekomi-email", "ekomi-email", "ekomi-sms", "link"]),
    "conditions": conditions,
    "skip_refunded": st.booleans(),
    "cancel_statuses": st.lists(
        st.sampled_from(["Shipped", "in_picking", "FRAUD", "returned"]), min_size=1, max_size=2, unique=True
    ),
}


@st.composite
def rules(draw):
    """A rule that says some of what a rule can say; the rest are defaults."""
    named = draw(st.lists(st.sampled_from(list(PARTS)), max_size=4, unique=True))
    rule = {
        "enabled": draw(st.sampled_from([True] * 6 + [False])),
        **{key: draw(PARTS[key]) for key in named},
    }
    triggers = rule.get("order_statuses", ["complete"])
    if any(each.casefold() in triggers for each in rule.get("cancel_statuses", [])):
        del rule["cancel_statuses"]
    return rule


@st.composite
def accounts(draw, *, fewest=1):
    """One to five accounts with different interface ids."""
    keys = draw(st.lists(st.sampled_from(IDS), min_size=fewest, max_size=5, unique=True))
    found = []
    for key in keys:
        document = account(key, priority=draw(st.sampled_from([0, 0, 0, 1, -1])))
        document["invitations"] = draw(rules())
        found.append(document)
    return found
