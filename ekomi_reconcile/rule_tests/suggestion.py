"""A test out of a real order, without its personal data.

Only attributes that are declared public are written, and of these what the rules look at. Name, addresses and
fields that rules name by a path are those of the default order, or left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Place
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.order import Agreement, Item, Order, is_personal
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.rule_tests.document import ExpectedOutcome, RuleTestDocument
from ekomi_reconcile.rule_tests.files import rule_test
from ekomi_reconcile.rule_tests.judging import RuleTestJudge
from ekomi_reconcile.rule_tests.order import GROUP, PLAIN_VALUES, state_of_status, with_field
from ekomi_reconcile.rules.conditions import FIELD_PREFIX, attributes
from ekomi_reconcile.rules.contact import mobile_number, usable_email
from ekomi_reconcile.rules.order_fields import CUSTOM_ATTRIBUTES, consent_attribute, consent_key

_NOWHERE: Final = Place(path="(suggested)")
_ITEM_FIELDS: Final[Mapping[str, str]] = {"category_id": "category_ids"}
_ITEM_ATTRIBUTES: Final = ("sku", "name", "product_type", "price", "qty", "row_total", "category_id")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A test, and the personal attributes that the rules look at and the test does not have."""

    test: RuleTestDocument
    left_out: tuple[str, ...]


def suggest(order: Order, accounts: Sequence[Account], judge: RuleTestJudge, *, now: Instant) -> Suggestion:
    """A test of an order like this one; it expects what the rules decide about it now.

    ``accounts`` are those of the order's source.
    """
    rules = [each.invitations for each in accounts if each.invitations.enabled]
    looked_at = attributes(condition for each in rules for condition in each.all_conditions)
    written: dict[str, Any] = {
        **dict(_head(order)),
        **dict(_values(order, looked_at)),
        **dict(_contact(order, accounts)),
    }
    for rule in rules:
        if rule.consent is not None:
            verdict = (order.consents or {}).get(consent_key(consent_attribute(rule.consent)))
            if verdict is Agreement.ACCEPTED:
                value = rule.consent.accept[0]
                written = with_field(written, rule.consent.field, value, custom=CUSTOM_ATTRIBUTES)
    document = RuleTestDocument(
        name=f"An order like {order.number}",
        now=iso(now),
        order=written,
        expect=ExpectedOutcome(invited=False),
    )
    test = replace(document, expect=_outcome(document, accounts, judge))
    return Suggestion(test, tuple(sorted(filter(_is_left_out, looked_at))))


def _is_left_out(attribute: str) -> bool:
    return attribute.startswith(FIELD_PREFIX) or is_personal(
        "category_ids" if attribute == "category_id" else attribute
    )


def _head(order: Order) -> Iterator[tuple[str, Any]]:
    """Store view, group, status and dates: what every rule looks at."""
    yield "store_code", order.store_view
    if order.customer_group != GROUP:
        yield "customer_group", order.customer_group
    yield "created_at", iso(order.created_at)
    if order.updated_at is not None:
        yield "updated_at", iso(order.updated_at)
    yield "status", order.status
    if order.state != state_of_status(order.status):
        yield "state", order.state
    if order.history:
        yield "status_histories", [_entry(each.created_at, each.status) for each in order.history]
    invoiced = [each for each in (order.first_invoiced_at, order.last_invoiced_at) if each is not None]
    if invoiced:
        yield "invoices", [{"created_at": iso(each)} for each in dict.fromkeys(invoiced)]
    if order.last_shipped_at is not None:
        yield "shipments", [{"created_at": iso(order.last_shipped_at)}]
    elif order.shipments_known:
        yield "shipments", []
    if order.is_virtual:
        yield "is_virtual", True


def _entry(at: Instant, status: str | None) -> dict[str, Any]:
    return {"created_at": iso(at), "status": status}


def _values(order: Order, looked_at: Collection[str]) -> Iterator[tuple[str, Any]]:
    """The public attributes that rules look at."""
    for name in sorted(looked_at):
        if name in ("status", "state", "is_virtual") or _is_left_out(name) or not hasattr(order, name):
            continue
        value = getattr(order, name)
        if PLAIN_VALUES.get(name, ...) != value:
            yield name, value
    if order.refunded:
        yield "total_refunded", order.total_refunded or order.total_paid or order.grand_total or 100
    wanted = [name for name in _ITEM_ATTRIBUTES if name in looked_at and not _is_left_out(name)]
    if wanted:
        yield "items", [_item(each, wanted) for each in order.items]


def _item(item: Item, wanted: Sequence[str]) -> dict[str, Any]:
    found = {}
    for name in wanted:
        key = _ITEM_FIELDS.get(name, name)
        value = getattr(item, key)
        found[key] = list(value) if isinstance(value, tuple) else value
    return found


def _contact(order: Order, accounts: Sequence[Account]) -> Iterator[tuple[str, Any]]:
    """Whether there is a usable address and number, never which."""
    if not usable_email(order.contact.email):
        yield "customer_email", None
    by_message = any(Deliver.EKOMI_SMS in each.invitations.channels for each in accounts)
    if by_message and mobile_number(order.contact.telephone, order.contact.country) is None:
        yield "billing_address", {"telephone": None}
        if not order.is_virtual:
            yield "shipping_address", {"telephone": None}


def _outcome(
    document: RuleTestDocument, accounts: Sequence[Account], judge: RuleTestJudge
) -> ExpectedOutcome:
    """What the rules decide about the order of the test."""
    source = accounts[0].orders if accounts else None
    for each in judge.decided(rule_test(document, _NOWHERE)):
        if each.request.source == source and each.winner is not None and each.scheduled_at is not None:
            return ExpectedOutcome(
                invited=True, account=each.winner.name, scheduled_at=iso(each.scheduled_at)
            )
        if each.request.source == source:
            for rule in each.request.book.candidates(each.trace.order.store_view):
                reason = each.reason(rule)
                if reason is not None:
                    return ExpectedOutcome(invited=False, account=rule.account.name, reason=reason)
    return ExpectedOutcome(invited=False)
