"""The rules written down a second time, as plainly as can be: what the compiled ones must agree with."""

import itertools

from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.rules.order_fields import consent_attribute, consent_key

DAY = 86_400


def holds(condition, subject):  # noqa: PLR0911
    """Does this condition hold for this order (or item)?"""
    key, body = next(iter(condition.items()))
    if key == "all":
        return all(holds(each, subject) for each in body)
    if key == "any":
        return any(holds(each, subject) for each in body)
    if key == "not":
        return not holds(body, subject)
    if key == "any_item":
        return any(holds(body, item) for item in subject.items)
    if key == "no_item":
        return not any(holds(body, item) for item in subject.items)
    if key == "every_item":
        return len(subject.items) > 0 and all(holds(body, item) for item in subject.items)
    if key == "sum_items":
        return sum_holds(body, subject)
    if key == "category_id":
        return categories_hold(body, subject.category_ids)
    value = getattr(subject, key)
    return all(operator_holds(operator, wanted, value) for operator, wanted in body.items())


def sum_holds(body, order):
    counted = [item for item in order.items if "where" not in body or holds(body["where"], item)]
    amounts = [getattr(item, body["of"]) for item in counted]
    total = None if any(amount is None for amount in amounts) else round(sum(amounts), 4)
    asked = {operator: wanted for operator, wanted in body.items() if operator not in ("of", "where")}
    return all(operator_holds(operator, wanted, total) for operator, wanted in asked.items())


def categories_hold(body, category_ids):
    def one(operator, wanted):
        inside = category_ids is not None and any(each in wanted for each in category_ids)
        return inside if operator == "in" else not inside

    return all(one(operator, wanted) for operator, wanted in body.items())


def operator_holds(operator, wanted, value):
    if value is None:
        return operator in ("ne", "not_in", "not_contains")
    if isinstance(value, str):
        value = value.casefold()
        wanted = [each.casefold() for each in wanted] if isinstance(wanted, list) else wanted.casefold()
    return {
        "eq": lambda: value == wanted,
        "ne": lambda: value != wanted,
        "gt": lambda: value > wanted,
        "gte": lambda: value >= wanted,
        "lt": lambda: value < wanted,
        "lte": lambda: value <= wanted,
        "between": lambda: wanted[0] <= value <= wanted[1],
        "in": lambda: value in wanted,
        "not_in": lambda: value not in wanted,
        "contains": lambda: wanted in value,
        "not_contains": lambda: wanted not in value,
        "starts_with": lambda: value[: len(wanted)] == wanted,
        "ends_with": lambda: wanted == "" or value[-len(wanted) :] == wanted,
        "glob": lambda: glob_holds(wanted, value),
    }[operator]()


def glob_holds(pattern, text):
    """By recursion over the pattern, trying everything."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob_holds(pattern[1:], text[at:]) for at in range(len(text) + 1))
    return bool(text) and pattern[0] in ("?", text[0]) and glob_holds(pattern[1:], text[1:])


def first_refusal(account, order, *, judged_at, reached):
    """The first criterion that fails, in the order of the documentation."""
    rule = account.invitations
    step = order.state if order.state is not None else order.status
    contact = order.contact
    usable = {
        Deliver.EKOMI_EMAIL: contact.email in ("a@b.example", "A@B.Example"),
        Deliver.EKOMI_SMS: contact.telephone in ("+49 151 12345678", "0049 151 12345678")
        or (contact.telephone == "0151 12345678" and contact.country == "DE"),
        Deliver.LINK: True,
    }
    limit = rule.skip_orders_older_than
    answers = [
        (Criterion.ENABLED, rule.enabled),
        (Criterion.STORE_VIEW, admitted(rule.store_views, order.store_view)),
        (Criterion.CUSTOMER_GROUP, admitted(rule.customer_groups, order.customer_group)),
        (
            Criterion.ORDER_STATUS,
            step not in ("canceled", "closed", "holded")
            and (order.status or "").casefold() not in [each.casefold() for each in rule.cancel_statuses]
            and reached is not None,
        ),
        (Criterion.REFUNDED, not (rule.skip_refunded and order.refunded)),
        (Criterion.ORDER_AGE, limit == 0 or not judged_at - order.created_at > limit * DAY),
        (Criterion.CONSENT, rule.consent is None or agreed(rule.consent, order)),
        (Criterion.CONDITIONS, rule.conditions is None or holds(rule.conditions, order)),
        (Criterion.DELIVERABLE, any(usable[each] for each in rule.channels)),
    ]
    return next((criterion for criterion, ok in answers if not ok), None)


def agreed(consent, order):
    return (order.consents or {}).get(consent_key(consent_attribute(consent))) == "accepted"


def admitted(selection, name):
    if selection.names is None:
        return True
    inside = name in selection.names
    return not inside if selection.exclude else inside


def first_reached(statuses, order, *, now, seen, recorded, frozen):
    """(instant, evidence) of the earliest trigger status, or ``None``."""
    triggers = [status.casefold() for status in statuses]
    elsewhere = [each for each in (*order.history, recorded) if each is not None and each.status is not None]
    elsewhere = [each.created_at for each in elsewhere if each.status.casefold() not in triggers]
    found = [
        one_reached(status, order, now=now, seen=seen, elsewhere=elsewhere, frozen=frozen)
        for status in statuses
    ]
    found = [each for each in found if each is not None]
    return min(found, key=lambda each: each[0], default=None)


def one_reached(status, order, *, now, seen, elsewhere, frozen):
    wanted = status.casefold()
    if frozen is not None and frozen.status.casefold() == wanted:
        return frozen.at, frozen.source.value
    told = [(each.status.casefold(), each.created_at) for each in order.history if each.status is not None]
    is_complete = "complete" in [(order.state or "").casefold(), (order.status or "").casefold()] + [
        each for each, _ in told
    ]
    choices = []
    for before, this in itertools.pairwise(told):
        if this[0] == wanted and before[0] != wanted:
            choices.append((this[1], "history"))
            break
    documents = []
    if wanted == "complete" and is_complete:
        dates = [(order.last_shipped_at, "shipment")]
        if order.is_virtual or order.shipments_known:
            dates.append((order.last_invoiced_at, "invoice"))
        dates = [each for each in dates if each[0] is not None]
        documents = [max(dates, key=lambda each: each[0])] if dates else []
    if wanted == "processing" and order.first_invoiced_at is not None:
        documents = [(order.first_invoiced_at, "invoice")]
    choices += [each for each in documents if not any(at > each[0] for at in elsewhere)]
    if status in seen and seen[status] >= order.created_at:
        choices.append((seen[status], "observed"))
    if told and told[0][0] == wanted:
        choices.append((told[0][1], "sole_history"))
    is_in = (order.status or "").casefold() == wanted
    if is_in or documents or (wanted == "processing" and order.state == "complete"):
        never = order.updated_at is None or order.updated_at == order.created_at
        choices.append((order.created_at, "created_at") if never else (order.updated_at, "updated_at"))
    return (min(choices[0][0], now), choices[0][1]) if choices else None
