"""A second, independent reading of the rules: who is invited, when, and why not.

It works on the documents of the files and on Magento-shaped orders as plain mappings, and shares no code
with the project. Times are UTC epoch seconds.
"""

from __future__ import annotations

import hashlib
import re
from calendar import timegm
from dataclasses import dataclass, field
from itertools import pairwise
from time import strptime
from typing import Any

DAY = 86_400
STORES = {1: "de", 2: "at", 3: "no"}
GROUPS = {0: "NOT LOGGED IN", 1: "General", 2: "Wholesale", 3: "Retailer", 4: "VIP"}
ENDED = ("canceled", "closed", "holded")
Order = dict[str, Any]
Rule = dict[str, Any]
Account = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """What the queue must hold for one order."""

    account: str
    scheduled_at: int
    reached_at: int
    reached_source: str


@dataclass
class Outcome:
    """The queue by order id, and per account the number of orders by the reason they are not invited."""

    queue: dict[int, Row] = field(default_factory=dict)
    not_invited: dict[str, dict[str, int]] = field(default_factory=dict)

    def refuse(self, account: str, reason: str) -> None:
        """One more order that this account does not invite."""
        reasons = self.not_invited.setdefault(account, {})
        reasons[reason] = reasons.get(reason, 0) + 1


# ---------------------------------------------------------------- the whole


def first_apply(accounts: list[Account], orders: list[Order], now: int) -> Outcome:
    """The queue after one apply on an empty state.

    Disabled accounts refuse nothing one by one, and an order older than every age limit is not looked at.
    """
    outcome = Outcome()
    enabled = [each for each in accounts if rule_of(each).get("enabled", False)]
    ranked = sorted(enabled, key=lambda each: (-each.get("priority", 0), int(each["interface_id"])))
    limits = [rule_of(each).get("skip_orders_older_than", 30) for each in enabled]
    for order in last_lines(orders):
        if 0 not in limits and all(too_old(order, limit, now) for limit in limits):
            continue
        taken = False
        for account in ranked:
            reason = verdict(account, order, now)
            if reason is None and taken:
                reason = "already_invited"
            if reason is not None:
                outcome.refuse(account["name"], reason)
                continue
            taken = True
            at, source = reached(order, statuses(rule_of(account)), now)
            when = at + pending_days(rule_of(account), order) * DAY
            if spread(account):
                when = max(when, now) + offset(account, order)
            outcome.queue[order["entity_id"]] = Row(account["name"], when, at, source)
    return outcome


def last_lines(orders: list[Order]) -> list[Order]:
    """The last version of every order."""
    return list({order["entity_id"]: order for order in orders}.values())


def rule_of(account: Account) -> Rule:
    """Its invitation rule."""
    return account.get("invitations", {})


def pending_days(rule: Rule, order: Order) -> int:
    """The days of the first override whose condition holds, else the pending period."""
    for each in rule.get("pending_period_overrides", []):
        if holds(each["when"], order):
            return int(each["days"])
    return int(rule.get("pending_period", 14))


def offset(account: Account, order: Order) -> int:
    """SHA-256 of "INTERFACE_ID:ORDER_ID", its first 8 bytes as a number, modulo the spread in seconds."""
    drawn = hashlib.sha256(f"{account['interface_id']}:{order['entity_id']}".encode()).hexdigest()
    return int(drawn[:16], 16) % spread(account)


def spread(account: Account) -> int:
    """Its spread in seconds, 0 if it has none."""
    text = rule_of(account).get("spread", "0d")
    return int(text[:-1]) * {"h": 3_600, "d": DAY, "w": 7 * DAY}[text[-1]]


def too_old(order: Order, limit: int, now: int) -> bool:
    """Is the order older than this many days? 0 is no limit."""
    return bool(limit) and now - seconds(order["created_at"]) > limit * DAY


def verdict(account: Account, order: Order, now: int) -> str | None:  # noqa: PLR0911 - one per criterion
    """The first criterion of this account's own that fails."""
    rule = rule_of(account)
    if not selected(rule.get("store_views"), store(order)):
        return "store_view"
    if not selected(rule.get("customer_groups"), group(order)):
        return "customer_group"
    if not status_holds(order, statuses(rule), rule.get("cancel_statuses", [])):
        return "order_status"
    if rule.get("skip_refunded", True) and refunded(order):
        return "refunded"
    if too_old(order, rule.get("skip_orders_older_than", 30), now):
        return "order_age"
    if "conditions" in rule and not holds(rule["conditions"], order):
        return "conditions"
    if not deliverable(rule.get("deliver", "ekomi-email"), order):
        return "deliverable"
    return None


def selected(wanted: Any, name: str | None) -> bool:
    """Absent means all; a list names them, ``exclude`` all but them."""
    if wanted is None:
        return True
    if isinstance(wanted, dict):
        return name not in wanted["exclude"]
    return name in wanted


def store(order: Order) -> str | None:
    """The code of the store view; ids mean what the project file of these tests says."""
    return order.get("store_code") or STORES.get(order.get("store_id"))


def group(order: Order) -> str | None:
    """The name of the customer group: told, known by its id, or that of a guest."""
    if order.get("customer_group"):
        return str(order["customer_group"])
    if order.get("customer_group_id") is None:
        return "NOT LOGGED IN" if order.get("customer_is_guest") else None
    return GROUPS.get(order["customer_group_id"])


# ---------------------------------------------------------------- status and time


def statuses(rule: Rule) -> list[str]:
    """The trigger statuses."""
    return rule.get("order_statuses", ["complete"])


def seconds(text: str) -> int:
    """Magento's way to write an instant."""
    return timegm(strptime(text, "%Y-%m-%d %H:%M:%S"))


def told(order: Order) -> list[tuple[int, int, str]]:
    """The entries that say a status, oldest first; entries of one second by their id."""
    entries = order.get("status_histories") or []
    named = [each for each in entries if each.get("status") and each.get("created_at")]
    named = [each for each in named if each["created_at"] >= order["created_at"]]
    return sorted((seconds(each["created_at"]), each.get("entity_id") or 0, each["status"]) for each in named)


def passed(order: Order, status: str) -> bool:
    """Is the order in this status, or was it? Documents prove it, too."""
    if order.get("status") == status or any(each[2] == status for each in told(order)):
        return True
    if status == "processing" and order.get("state") == "complete":
        return True
    return shipped_or_invoiced(order, status) is not None


def refunded(order: Order) -> bool:
    """All that was paid is paid back, or every top-level row is back, or was cancelled, and one is back."""
    back = order.get("total_refunded") or 0
    paid = order.get("total_paid", order.get("grand_total"))
    if back > 0 and paid is not None and paid - back <= 0.01:
        return True
    rows = [each for each in order.get("items") or [] if not each.get("parent_item_id")]
    left = [
        "qty_ordered" not in each
        or each["qty_ordered"] > each.get("qty_refunded", 0) + each.get("qty_canceled", 0)
        for each in rows
    ]
    return any(each.get("qty_refunded", 0) > 0 for each in rows) and not any(left)


def status_holds(order: Order, triggers: list[str], ending: list[str]) -> bool:
    """Not at its end or on hold, and a trigger status was reached."""
    if folded(order.get("status")) in folded(ending):
        return False
    if (order.get("state") or order.get("status")) in ENDED:
        return False
    return any(passed(order, status) for status in triggers)


def reached(order: Order, triggers: list[str], now: int) -> tuple[int, str]:
    """When the first of the trigger statuses was reached, and by which evidence."""
    found = [evidence(order, status, triggers) for status in triggers if passed(order, status)]
    return min(((min(at, now), source) for at, source in found), key=lambda each: each[0])


def evidence(order: Order, status: str, triggers: list[str]) -> tuple[int, str]:
    """The best evidence there is at the very first sight."""
    entries = told(order)
    for before, entry in pairwise(entries):
        if entry[2] == status and before[2] != status:
            return entry[0], "history"
    documents = shipped_or_invoiced(order, status)
    if documents is not None and not any(
        at > documents[0] and name not in triggers for at, _, name in entries
    ):
        return documents
    for entry in entries:
        if entry[2] == status:
            return entry[0], "sole_history"
    created = order["created_at"]
    updated = max(order.get("updated_at") or created, created)
    return (seconds(created), "created_at") if updated == created else (seconds(updated), "updated_at")


def shipped_or_invoiced(order: Order, status: str) -> tuple[int, str] | None:
    """Complete: the last shipment, or an invoice after it; processing: the first invoice.

    An invoice completes an order only if there is nothing to ship, or its shipments are told.
    A document completes nothing as long as the order as a whole is not complete.
    """
    ordered = seconds(order["created_at"])
    shipments = [seconds(each["created_at"]) for each in order.get("shipments") or []]
    invoices = [seconds(each["created_at"]) for each in order.get("invoices") or []]
    shipments = [at for at in shipments if at >= ordered]
    invoices = [at for at in invoices if at >= ordered]
    if status == "processing" and invoices:
        return min(invoices), "invoice"
    words = (order.get("state"), order.get("status"), *(each[2] for each in told(order)))
    if status == "complete" and "complete" in words:
        believed = order.get("is_virtual") or order.get("shipments") is not None
        dated = [(at, "shipment") for at in shipments]
        dated += [(at, "invoice") for at in invoices if believed]
        if dated:
            last = max(at for at, _ in dated)
            return last, "shipment" if (last, "shipment") in dated else "invoice"
    return None


# ---------------------------------------------------------------- addresses


def deliverable(kind: str, order: Order) -> bool:
    """Is there an address for this way of asking? Generated addresses are plainly good or plainly not."""
    if kind == "link":
        return True  # it is the shop that hands the link out
    if kind == "ekomi-sms":
        return telephone(order) in ("+43 664 1234567", "+49 170 1234567")
    return "@" in email(order)


def email(order: Order) -> str:
    """The address of the customer, else of the invoice."""
    return order.get("customer_email") or (order.get("billing_address") or {}).get("email") or ""


def telephone(order: Order) -> str:
    """The number at the billing address, else at the shipping address."""
    assignments = (order.get("extension_attributes") or {}).get("shipping_assignments") or [{}]
    there = (assignments[0].get("shipping") or {}).get("address") or {}
    return (order.get("billing_address") or {}).get("telephone") or there.get("telephone") or ""


# ---------------------------------------------------------------- conditions


def holds(condition: Any, order: Order) -> bool:
    """Does a condition over an order hold?"""
    ((key, body),) = condition.items()
    if key == "all":
        return all(holds(each, order) for each in body)
    if key == "any":
        return any(holds(each, order) for each in body)
    if key == "not":
        return not holds(body, order)
    if key in ("any_item", "every_item", "no_item", "sum_items"):
        return items_hold(
            key, body, [each for each in order.get("items") or [] if not each.get("parent_item_id")]
        )
    value = ATTRIBUTES[key](order)
    return all(compare(value, operator, wanted) for operator, wanted in body.items())


def items_hold(test: str, body: Any, items: list[Order]) -> bool:
    """A test over the top-level rows."""
    if test == "sum_items":
        return sum_holds(body, items)
    results = [item_holds(body, item) for item in items]
    if test == "any_item":
        return any(results)
    if test == "every_item":
        return bool(results) and all(results)
    return not any(results)


def sum_holds(body: Any, items: list[Order]) -> bool:
    """A sum over the rows that ``where`` lets through; not known where one of them does not tell."""
    name = {"qty": "qty_ordered", "row_total": "row_total"}[body["of"]]
    amounts = [each.get(name) for each in items if "where" not in body or item_holds(body["where"], each)]
    total = None if None in amounts else round(sum(amounts), 4)
    return all(compare(total, op, wanted) for op, wanted in body.items() if op not in ("of", "where"))


def item_holds(condition: Any, item: Order) -> bool:
    """Does a condition over one row hold?"""
    ((key, body),) = condition.items()
    if key == "all":
        return all(item_holds(each, item) for each in body)
    if key == "any":
        return any(item_holds(each, item) for each in body)
    if key == "not":
        return not item_holds(body, item)
    if key == "category_id":
        ids = set(item.get("category_ids") or [])
        tests = {"in": lambda wanted: bool(ids & set(wanted)), "not_in": lambda wanted: not ids & set(wanted)}
        return all(tests[operator](wanted) for operator, wanted in body.items())
    value = item.get({"qty": "qty_ordered"}.get(key, key))
    return all(compare(value, operator, wanted) for operator, wanted in body.items())


def compare(value: Any, operator: str, wanted: Any) -> bool:
    """One operator; text without regard to case; what is missing or empty passes only the negative ones."""
    if value in (None, ""):
        return operator in ("ne", "not_in", "not_contains")
    value, wanted = folded(value), folded(wanted)
    if operator == "between":
        return wanted[0] <= value <= wanted[1]
    if operator == "glob":
        parts = [".*" if each == "*" else "." if each == "?" else re.escape(each) for each in wanted]
        return re.fullmatch("".join(parts), value, re.DOTALL) is not None
    return {
        "eq": lambda: value == wanted,
        "ne": lambda: value != wanted,
        "gt": lambda: value > wanted,
        "gte": lambda: value >= wanted,
        "lt": lambda: value < wanted,
        "lte": lambda: value <= wanted,
        "in": lambda: value in wanted,
        "not_in": lambda: value not in wanted,
        "contains": lambda: wanted in value,
        "not_contains": lambda: wanted not in value,
        "starts_with": lambda: value.startswith(wanted),
        "ends_with": lambda: value.endswith(wanted),
    }[operator]()


def folded(value: Any) -> Any:
    """Text without case, alone or in a list."""
    if isinstance(value, list):
        return [folded(each) for each in value]
    return value.casefold() if isinstance(value, str) else value


def shipping(order: Order) -> Order:
    """Method and address of the first shipping assignment; a virtual order ships to its billing address."""
    if order.get("is_virtual"):
        return {"address": order.get("billing_address") or {}}
    assignments = (order.get("extension_attributes") or {}).get("shipping_assignments") or [{}]
    found = assignments[0].get("shipping") or {}
    return {"method": found.get("method"), "address": found.get("address") or {}}


def yes_no(name: str) -> Any:
    """Magento's 0 and 1 as a truth value; absent stays absent."""
    return lambda order: None if order.get(name) is None else bool(order[name])


def plain(name: str) -> Any:
    """A top-level value."""
    return lambda order: order.get(name)


def address_part(name: str) -> Any:
    """A part of where the order goes."""
    return lambda order: shipping(order)["address"].get(name)


ATTRIBUTES: dict[str, Any] = {
    **{
        name: plain(name)
        for name in (
            "status",
            "state",
            "total_paid",
            "total_refunded",
            "grand_total",
            "base_grand_total",
            "subtotal",
            "base_subtotal",
            "discount_amount",
            "shipping_amount",
            "weight",
            "coupon_code",
        )
    },
    "total_qty": plain("total_qty_ordered"),
    "item_count": plain("total_item_count"),
    "currency": plain("order_currency_code"),
    "payment_method": lambda order: (order.get("payment") or {}).get("method"),
    "shipping_method": lambda order: shipping(order).get("method"),
    "shipping_country": address_part("country_id"),
    "shipping_region": address_part("region"),
    "shipping_postcode": address_part("postcode"),
    "shipping_city": address_part("city"),
    "billing_country": lambda order: (order.get("billing_address") or {}).get("country_id"),
    "email_domain": lambda order: email(order).rpartition("@")[2] if "@" in email(order) else None,
    "is_guest": yes_no("customer_is_guest"),
    "is_virtual": yes_no("is_virtual"),
    "has_company": lambda order: bool((order.get("billing_address") or {}).get("company", "").strip()),
    "has_vat_id": lambda order: bool((order.get("billing_address") or {}).get("vat_id", "").strip()),
}
