"""Random orders and rules for property tests: small value sets, so that things meet."""

from hypothesis import strategies as st

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.order import Agreement, Contact, HistoryEntry, Item, Order
from ekomi_reconcile.model.rule import Consent, Deliver, InvitationRule, PeriodOverride, Selection
from ekomi_reconcile.rules.order_fields import consent_attribute, consent_key

NUMBER_ATTRIBUTES = [
    *("grand_total", "base_grand_total", "subtotal", "base_subtotal", "discount_amount"),
    *("shipping_amount", "total_qty", "item_count", "weight", "total_paid", "total_refunded"),
]
TEXT_ATTRIBUTES = [
    *("currency", "coupon_code", "payment_method", "shipping_method", "shipping_country"),
    *("shipping_region", "shipping_postcode", "shipping_city", "billing_country", "email_domain"),
    *("status", "state"),
]
FLAG_ATTRIBUTES = ["is_guest", "is_virtual", "has_company", "has_vat_id"]
ITEM_TEXTS = ["sku", "name", "product_type"]
ITEM_NUMBERS = ["price", "qty", "row_total"]
VIEWS = ["de", "at", "fr", "no"]
GROUPS = ["General", "VIP", "NOT LOGGED IN"]
STATUSES = ["pending", "processing", "complete", "Complete", "in_picking", "closed", "holded", "canceled"]
STATES = ["new", "processing", "complete", "closed", "holded", "canceled"]
DAY = 86_400
HOUR = 3_600
NOW = 1_800_000_000

numbers = st.sampled_from([-5.0, 0.0, 0.1, 0.2, 0.3, 1.0, 1.5, 50.0, 49.99999])
texts = st.sampled_from(["", "a", "A", "ab", "aB", "abc", "b*", "a?c", "Straße", "STRASSE", "x\ny"])
times = st.integers(NOW - 40 * DAY, NOW + 2 * DAY)


def maybe(strategy):
    return st.none() | strategy


items = st.builds(
    Item,
    sku=maybe(texts),
    name=maybe(texts),
    product_type=maybe(texts),
    price=maybe(numbers),
    qty=maybe(numbers),
    row_total=maybe(numbers),
    category_ids=maybe(st.lists(st.integers(1, 4), max_size=3).map(tuple)),
)
contacts = st.builds(
    Contact,
    email=maybe(
        st.sampled_from(["a@b.example", "A@B.Example", "no-at", "x y@b.example", "a@b", "@b.example"])
    ),
    telephone=maybe(
        st.sampled_from(["+49 151 12345678", "0049 151 12345678", "0151 12345678", "+43 1 000000", "none"])
    ),
    country=maybe(st.sampled_from(["AT", "DE"])),
)
histories = st.lists(
    st.builds(HistoryEntry, maybe(st.sampled_from(STATUSES)), times, st.integers(0, 9)), max_size=4
).map(lambda entries: tuple(sorted(entries, key=lambda each: (each.created_at, each.entry_id))))

CHANNELS = (Deliver.EKOMI_SMS, Deliver.EKOMI_EMAIL)
CONSENTS = [
    Consent(field="extension_attributes.optin", accept=("1", "yes")),
    Consent(field="optin", accept=("1",)),
]
agreements = st.dictionaries(
    st.sampled_from([consent_key(consent_attribute(each)) for each in CONSENTS]), st.sampled_from(Agreement)
)

orders = st.builds(
    Order,
    consents=maybe(agreements),
    order_id=st.integers(1, 9),
    number=st.just("000000001"),
    state=maybe(st.sampled_from(STATES)),
    status=maybe(st.sampled_from(STATUSES)),
    store_view=maybe(st.sampled_from(VIEWS)),
    customer_group=maybe(st.sampled_from(GROUPS)),
    created_at=times,
    updated_at=maybe(times),
    history=histories,
    first_invoiced_at=maybe(times),
    last_invoiced_at=maybe(times),
    last_shipped_at=maybe(times),
    shipments_known=st.booleans(),
    contact=contacts,
    items=st.lists(items, max_size=3).map(tuple),
    refunded=maybe(st.booleans()),
    **{name: maybe(numbers) for name in NUMBER_ATTRIBUTES},
    **{name: maybe(texts) for name in TEXT_ATTRIBUTES if name not in ("email_domain", "status", "state")},
    **{name: maybe(st.booleans()) for name in FLAG_ATTRIBUTES},
)


def operators(operands, *, plain, lists):
    """One or two operators with what they ask for."""
    pairs = st.tuples(st.sampled_from(plain), operands) | st.tuples(
        st.sampled_from(lists), st.lists(operands, min_size=1, max_size=3)
    )
    return st.lists(pairs, min_size=1, max_size=2).map(dict)


number_operators = operators(
    numbers, plain=["eq", "ne", "gt", "gte", "lt", "lte"], lists=["in", "not_in"]
) | st.lists(numbers, min_size=2, max_size=2).map(lambda pair: {"between": sorted(pair)})
text_operators = operators(
    texts,
    plain=["eq", "ne", "contains", "not_contains", "starts_with", "ends_with", "glob"],
    lists=["in", "not_in"],
)
category_operators = st.lists(
    st.tuples(st.sampled_from(["in", "not_in"]), st.lists(st.integers(1, 4), min_size=1)),
    min_size=1,
    max_size=2,
).map(dict)


def leaf(names, body):
    return st.builds(lambda name, asked: {name: asked}, st.sampled_from(names), body)


def groups(children):
    members = st.lists(children, min_size=1, max_size=3)
    return st.builds(lambda key, of: {key: of}, st.sampled_from(["all", "any"]), members) | children.map(
        lambda inner: {"not": inner}
    )


item_conditions = st.recursive(
    leaf(ITEM_TEXTS, text_operators)
    | leaf(ITEM_NUMBERS, number_operators)
    | leaf(["category_id"], category_operators),
    groups,
    max_leaves=4,
)
item_tests = leaf(["any_item", "every_item", "no_item"], item_conditions)
sums = st.builds(
    lambda of, where, asked: {"sum_items": {"of": of, **({"where": where} if where else {}), **asked}},
    st.sampled_from(["qty", "row_total"]),
    maybe(item_conditions),
    number_operators,
)
conditions = st.recursive(
    leaf(NUMBER_ATTRIBUTES, number_operators)
    | leaf(TEXT_ATTRIBUTES, text_operators)
    | leaf(FLAG_ATTRIBUTES, st.booleans().map(lambda asked: {"eq": asked}))
    | item_tests
    | sums,
    groups,
    max_leaves=6,
)


def selections(names):
    chosen = st.lists(st.sampled_from(names), min_size=1, max_size=3).map(frozenset)
    return st.just(Selection()) | st.builds(Selection, chosen, st.booleans())


rules = st.builds(
    InvitationRule,
    enabled=st.sampled_from([True, True, True, False]),
    pending_period=st.integers(0, 30),
    pending_period_overrides=st.lists(
        st.builds(PeriodOverride, when=conditions, days=st.integers(0, 30)), max_size=2
    ).map(tuple),
    spread=st.sampled_from([0, 0, HOUR, 3 * DAY, 99 * DAY]),
    skip_orders_older_than=st.sampled_from([0, 1, 10, 30]),
    store_views=selections(VIEWS),
    customer_groups=selections(GROUPS),
    order_statuses=st.lists(st.sampled_from(STATUSES[:5]), min_size=1, max_size=2).map(tuple),
    deliver=st.sampled_from([*Deliver, CHANNELS, CHANNELS[::-1]]),
    conditions=maybe(conditions),
    consent=st.sampled_from([None, None, *CONSENTS]),
    skip_refunded=st.booleans(),
    cancel_statuses=st.lists(st.sampled_from(["PROCESSING", "in_picking", "closed"]), max_size=2).map(tuple),
)
account_lists = st.lists(
    st.builds(
        lambda key, priority, rule: account(str(key), priority=priority, invitations=rule),
        st.integers(1, 99),
        st.integers(-2, 2),
        rules,
    ),
    max_size=8,
    unique_by=lambda each: each.interface_id,
)


def account(interface_id="1", **changes):
    """An account with the fields that matter here."""
    return Account(
        name=f"Account {interface_id}",
        interface_id=interface_id,
        interface_password="${env:PASSWORD}",
        **changes,
    )
