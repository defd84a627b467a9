"""What would have to be different for a criterion to hold, in words. Nothing personal is in them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ekomi_reconcile.explain.judging import Look
from ekomi_reconcile.model.account import Deliver, InvitationRule, Selection
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.rules.explain import CriterionResult
from ekomi_reconcile.rules.judge import blocked_state, ended_by
from ekomi_reconcile.rules.verdict import MASKED, Verdict


@dataclass(frozen=True, slots=True)
class Failure:
    """A criterion that does not hold, for this rule and order."""

    result: CriterionResult
    rule: InvitationRule
    order: Order
    look: Look


def remedy(failure: Failure) -> str:
    """What would make the criterion hold; it reads on from "would be invited if"."""
    return _REMEDIES[failure.result.criterion](failure)


def _store_view(failure: Failure) -> str:
    order, number = failure.order, failure.order.store_id
    if number is not None:
        return f"orders.stores gave the order's store id {number} a name that store_views admits"
    return _admitting("store_views", failure.rule.store_views, "store view", order.store_view)


def _customer_group(failure: Failure) -> str:
    groups, number = failure.rule.customer_groups, failure.order.customer_group_id
    if number is not None:
        return f"orders.customer_groups gave the group id {number} a name that customer_groups admits"
    return _admitting("customer_groups", groups, "customer group", failure.order.customer_group)


def _admitting(key: str, selection: Selection, what: str, name: str | None) -> str:
    if name is None:
        return f"the source told the order's {what}"
    return f"{key} did not exclude {name}" if selection.exclude else f"{key} named {name}"


def _order_status(failure: Failure) -> str:
    order, parts = failure.order, []
    if failure.look.reached is None:
        parts.append(f"the order reached {' or '.join(failure.rule.order_statuses)}")
    ended = ended_by(order, failure.rule)
    if ended is not None or blocked_state(order):
        parts.append(f"the order were not {ended or order.state or order.status}")
    return " and ".join(parts)


def _order_age(failure: Failure) -> str:
    days = -((failure.order.created_at - failure.look.judged_at) // DAY)
    return f"skip_orders_older_than were at least {days} (days)"


def _conditions(failure: Failure) -> str:
    tree = failure.result.conditions
    return "the conditions held" + ("" if tree is None else f": {'; '.join(_culprits(tree))}")


def _culprits(verdict: Verdict) -> Iterator[str]:
    """The parts to blame for a part that does not hold, each with what the order has."""
    if verdict.wanted in ("all", "any") and verdict.parts:
        for part in verdict.parts:
            if not part.ok:
                yield from _culprits(part)
    elif verdict.text == "not":
        yield f"not: {', '.join(part.text for part in verdict.parts)}"
    else:
        value = "masked" if verdict.value == MASKED else verdict.value or "missing"
        yield f"{verdict.text} (it is {value})"


def _deliverable(failure: Failure) -> str:
    sms = failure.rule.deliver is Deliver.EKOMI_SMS
    return f"the order had a usable {'mobile number' if sms else 'e-mail address'}"


def _suppressed(failure: Failure) -> str:
    if failure.look.opted_out:
        return "the customer had not opted out"
    return "the customer were asked less often (privacy.max_per_customer)"


_REMEDIES: Mapping[Criterion, Callable[[Failure], str]] = {
    Criterion.ENABLED: lambda _: "the account were enabled (invitations.enabled: true)",
    Criterion.STORE_VIEW: _store_view,
    Criterion.CUSTOMER_GROUP: _customer_group,
    Criterion.ORDER_STATUS: _order_status,
    Criterion.REFUNDED: lambda _: "refunded orders were invited (skip_refunded: false)",
    Criterion.ORDER_AGE: _order_age,
    Criterion.CONDITIONS: _conditions,
    Criterion.DELIVERABLE: _deliverable,
    Criterion.SUPPRESSED: _suppressed,
    Criterion.DUPLICATE_NUMBER: lambda _: "no earlier order had this number at the interface",
    Criterion.ALREADY_INVITED: lambda _: "no account had the order already",
}
