"""Personal data is declared once, at the attribute: personal values never appear in clear, others do."""

import json
from typing import get_type_hints

import msgspec
import pytest
from project_support import order

from ekomi_reconcile.config.conditions import Condition, ItemCondition
from ekomi_reconcile.config.models import schema
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.order import (
    MASKED,
    Agreement,
    Contact,
    HistoryEntry,
    Item,
    Order,
    Public,
    declared,
    is_personal,
    without_personal,
)
from ekomi_reconcile.model.rule import Consent
from ekomi_reconcile.orders.magento.progress import LoadProgress, may_be_kept
from ekomi_reconcile.orders.magento.table import Extent
from ekomi_reconcile.orders.normalize import Codes
from ekomi_reconcile.orders.reader import OrderReader
from ekomi_reconcile.rules.conditions import field_of, judge_condition, value_of
from ekomi_reconcile.rules.order_fields import consent_attribute, consent_key

RECORDS = (Order, Item, Contact, HistoryEntry)
DERIVED_OR_NESTED = {"contact", "items", "history", "email_domain"}
FLAGS = {name for name, hint in get_type_hints(Order).items() if "bool" in str(hint)}
CONDITIONS = sorted(
    {name for kind in (Condition, ItemCondition) for name in kind.model_fields}
    - {*("all", "any", "not_", "any_item", "every_item", "no_item", "sum_items", "field"), *FLAGS}
)

NUMBERS = {"float": 70_000.25, "int": 80_000}


def canary(kind, at, name):
    """A value for this attribute that turns up nowhere else, and how it is written."""
    hint = str(get_type_hints(kind)[name])
    if "bool" in hint or name in {"misdated", "aliases", "pseudonym", "consents"}:
        return None
    if name == "fields":
        return {"extension_attributes.note": ("canary-order-fields",)}
    if "tuple" in hint:
        return (90_000 + at,)
    for number, first in NUMBERS.items():
        if number in hint:
            return first + at
    return {"email": "kolb@canary-domain.example.com"}.get(name, f"canary-{kind.__name__.lower()}-{name}")


def values(kind):
    """A canary for every attribute of this record that can hold one."""
    names = [each for each in kind.__struct_fields__ if each not in DERIVED_OR_NESTED]
    found = {name: canary(kind, 100 * RECORDS.index(kind) + at, name) for at, name in enumerate(names)}
    return {name: value for name, value in found.items() if value is not None}


def whole():
    """An order in which every attribute has its canary."""
    contact, item = Contact(**values(Contact)), Item(**values(Item))
    return Order(
        **values(Order), contact=contact, items=(item,), history=(HistoryEntry(**values(HistoryEntry)),)
    )


def written(value):
    """The text by which a canary is found."""
    if isinstance(value, dict):
        (value,) = value.values()
    return str(value[0]) if isinstance(value, tuple) else str(value)


def by_flag(*, personal):
    """The canaries of all attributes that are, or are not, personal, by record and name."""
    return {
        f"{kind.__name__}.{name}": written(value)
        for kind in RECORDS
        for name, value in values(kind).items()
        if declared(kind)[name] is personal
    }


@pytest.mark.parametrize("kind", RECORDS)
def test_every_attribute_is_declared(kind):
    """Adding an attribute without a declaration fails here, and wherever the record is shown or kept."""
    assert set(kind.__struct_fields__) <= set(declared(kind))


@pytest.mark.parametrize("hint", [str, str | None, int])
def test_an_undeclared_attribute_is_an_error(hint):
    """Forgetting the declaration is never taken as "public"."""
    made = msgspec.defstruct("Made", [("sku", Public[str], ""), ("vat_number", hint, None)])
    with pytest.raises(TypeError, match=r"Made\.vat_number is declared neither"):
        declared(made)
    assert is_personal("vat_number")
    assert not may_be_kept({"vat_number"})


def test_the_cache_holds_public_attributes_only(tmp_path):
    """What is kept of an interrupted first load: everything public, and of the customer digests."""
    progress = LoadProgress(tmp_path / "kept.jsonl", "key", lambda text: f"digest{len(text)}")
    extent = Extent(low=0, high=9, count=1, below=False, above=False)
    progress.begin(extent, None, since=instant.now())
    progress.add(9, [whole()], [])
    progress.end()
    kept = (tmp_path / "kept.jsonl").read_text()
    assert [name for name, text in by_flag(personal=True).items() if text in kept] == []
    assert [name for name, text in by_flag(personal=False).items() if text not in kept] == []
    assert "canary-domain" not in kept


def test_of_consent_the_cache_holds_the_verdict_only(tmp_path):
    """Neither the value nor what is accepted; a condition on a field keeps no orders at all."""
    attribute = consent_attribute(Consent(field="extension_attributes.optin", accept=("canary-yes",)))
    reader = OrderReader(Codes(), frozenset({attribute}))
    written = order(1) | {"extension_attributes": {"optin": ["canary-yes", "canary-other"]}}
    progress = LoadProgress(tmp_path / "kept.jsonl", "key", lambda text: f"digest{len(text)}")
    progress.begin(Extent(low=0, high=9, count=1, below=False, above=False), None, since=instant.now())
    progress.add(9, [reader.order(json.dumps(written).encode())], [])
    progress.end()
    assert "canary" not in (tmp_path / "kept.jsonl").read_text()
    (window,) = progress.windows()
    assert window.orders[0].consents == {consent_key(attribute): Agreement.ACCEPTED}
    assert may_be_kept({attribute})
    assert not may_be_kept({attribute, "field:extension_attributes.optin"})


@pytest.mark.parametrize("name", CONDITIONS)
def test_rules_about_personal_attributes_keep_no_orders(name):
    """A condition on a value that is not kept cannot be judged from the cache: then there is none."""
    assert may_be_kept({name}) is not is_personal(field_of(name))


@pytest.mark.sampled(6)
@pytest.mark.parametrize("name", CONDITIONS)
def test_explain_masks_exactly_the_personal_attributes(name):
    """Every attribute that conditions may name is shown with its value, or masked."""
    found = whole()
    subject = found if hasattr(found, field_of(name)) else found.items[0]
    value = written(value_of(name)(subject))
    wanted = {"in": [1]} if name == "category_id" else {"eq": 1 if value[0].isdigit() else "other"}
    shown = judge_condition({name: wanted}, subject).value
    assert (MASKED if is_personal(field_of(name)) else value) in shown
    assert is_personal(field_of(name)) is not (value in shown)


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_schema_names_personal_attributes(name):
    """Editors show which attributes are personal."""
    parts = schema("account")["$defs"]
    key = next(
        parts[each]["properties"][name]
        for each in ("Condition", "ItemCondition")
        if name in parts[each]["properties"]
    )
    assert ("Personal data" in key["description"]) is is_personal(field_of(name))


def test_records_show_nothing_personal_in_a_log():
    """``repr`` and ``str`` of every record, alone and in a list."""
    found = whole()
    shown = repr([found, found.contact, *found.items, *found.history]) + str(found.contact)
    assert [name for name, text in by_flag(personal=True).items() if text in shown] == []
    assert "canary-item-sku" in shown


def test_without_personal_attributes_the_rest_is_left():
    """Public values stay as they are, personal ones get their default."""
    found, left = whole(), without_personal(whole(), contact=Contact())
    for name, personal in declared(Order).items():
        if name != "email_domain":
            default = Contact() if name == "contact" else None
            assert getattr(left, name) == (default if personal else getattr(found, name))


PLACE = {
    "firstname": "canary-first-name",
    "lastname": "canary-last-name",
    "telephone": "+49 151 70005432",
    "company": "canary-company",
    "vat_id": "canary-vat-id",
    "street": ["canary-street"],
    "city": "canary-city",
    "postcode": "canary-postcode",
    "region": "canary-region",
    "country_id": "XK",
}
SHOWN = {
    "number": "canary-number",
    "status": "canary-status",
    "store_view": "canary-view",
    "customer_group": "canary-group",
    "currency": "canary-currency",
    "coupon_code": "canary-coupon",
    "payment_method": "canary-payment",
    "shipping_method": "canary-shipping",
    "grand_total": "70000.25",
}
"""Public values of the order below; other public attributes are covered above, one by one."""

HIDDEN = (
    "kolb",
    "canary-domain",
    "70005432",
    "424242",
    *(each for each in map(str, PLACE.values()) if "canary" in each),
)


@pytest.fixture
def canaries(project):
    """One order full of canaries, and rules that look at everything that conditions may name."""
    project.orders(
        [
            order(
                1,
                age_days=2,
                increment_id=SHOWN["number"],
                status=SHOWN["status"],
                store_code=SHOWN["store_view"],
                customer_group=SHOWN["customer_group"],
                order_currency_code=SHOWN["currency"],
                coupon_code=SHOWN["coupon_code"],
                payment_method=SHOWN["payment_method"],
                shipping_method=SHOWN["shipping_method"],
                grand_total=70000.25,
                customer_id=424242,
                customer_email="kolb@canary-domain.example.com",
                customer_firstname=PLACE["firstname"],
                customer_lastname=PLACE["lastname"],
                billing_address=PLACE,
                shipping_address=PLACE,
            )
        ]
    )
    on_order = [each for each in CONDITIONS if each in Condition.model_fields]
    text = {each for each in on_order if "TextTest" in str(Condition.model_fields[each].annotation)}
    lines = [f"    - {each}: {{ne: {'other' if each in text else 1}}}" for each in on_order]
    rules = f"order_statuses: [{SHOWN['status']}]\npending_period: 0\nconditions:\n  all:\n"
    project.account("Germany", "28374", rules + "\n".join(lines), more="tags: [digital]")
    return project


def test_personal_values_leave_no_trace_from_plan_to_export(canaries, capsys):
    """Planned, saved, explained, sent, listed, exported, logged with -vv: public values only."""
    commands = [
        ["plan", "-vv", "--out", str(canaries.folder / "plan.json")],
        ["plan", "-vv", "--format", "json"],
        ["plan", "--format", "markdown"],
        ["explain", "-vv", SHOWN["number"]],
        ["explain", SHOWN["number"], "--format", "json"],
        ["apply", "-vv", "--auto-approve", "--log-format", "json"],
        ["explain", SHOWN["number"]],
        ["invitations", "list", "--format", "json"],
        ["invitations", "show", f"order:{SHOWN['number']}"],
        ["privacy", "export", "kolb@canary-domain.example.com"],
        ["state", "pull"],
        ["report", "--out", str(canaries.folder / "report")],
    ]
    shown = {}
    for command in commands:
        assert canaries.cli(*command) == 0, command
        found = capsys.readouterr()
        shown[" ".join(command)] = found.out + found.err
    kept = {
        str(path): path.read_text(errors="replace")
        for path in canaries.folder.rglob("*")
        if path.is_file() and path.name != "orders.jsonl"
    }
    leaks = {
        (where, each)
        for where, text in (shown | kept).items()
        for each in HIDDEN
        if each.lower() in text.lower()
    }
    assert leaks == set()
    explained = shown[f"explain -vv {SHOWN['number']}"]
    assert [name for name, value in SHOWN.items() if value not in explained] == []
    assert explained.count(MASKED) == sum(map(is_personal, map(field_of, CONDITIONS)))
    assert (
        json.loads(kept[str(canaries.folder / "plan.json")])["invitations"]["schedule"][0]["order"]
        == SHOWN["number"]
    )
