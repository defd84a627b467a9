"""The criteria that decide whether an order is invited: one list, in the order in which they are judged.

A criterion is one entry of ``CRITERIA``: how it is checked, what is shown of it, and what would make it hold.
The plan, ``explain`` and everything else that judges orders go through this list.

Values of attributes that are declared personal are masked; an e-mail address is only usable or not, consent
absent, accepted or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY, iso
from ekomi_reconcile.model.invitation import Criterion, Invitation, Status
from ekomi_reconcile.model.order import MASKED, Agreement
from ekomi_reconcile.model.rule import Deliver, Selection
from ekomi_reconcile.rules.case import Case
from ekomi_reconcile.rules.condition_trace import ConditionTrace, describe, judge_condition
from ekomi_reconcile.rules.conditions import Predicate
from ekomi_reconcile.rules.order_fields import consent_attribute, consent_key
from ekomi_reconcile.rules.order_key import is_of, key_of_order, key_of_row
from ekomi_reconcile.rules.rulebook import (
    Rule,
    blocked_state,
    channel_of,
    deliverable,
    ended_by,
    key_of,
)

Check: TypeAlias = Callable[[Case], bool]


class Shown(NamedTuple):
    """What the order has for a criterion (``None``: nothing), and what is wanted; conditions part by part."""

    value: str | None
    wanted: str
    conditions: ConditionTrace | None = None


@dataclass(frozen=True, slots=True)
class CriterionRule:
    """One criterion. ``compiled`` gives the check of a rule, ``None`` where every order passes.

    ``remedy`` says what would make it hold; it reads on from "would be invited if". ``by_store_view``: it
    holds for every rule that was found by the order's store view.
    """

    criterion: Criterion
    compiled: Callable[[Rule], Check | None]
    shown: Callable[[Case], Shown]
    remedy: Callable[[Case], str]
    by_store_view: bool = False


# Rules of many accounts ask for the same: they share the checks, which then stay in the processor's cache.


def _enabled(rule: Rule) -> Check | None:
    return None if rule.account.invitations.enabled else lambda case: False  # noqa: ARG005


def _enabled_shown(case: Case) -> Shown:
    return Shown("true" if case.rule.account.invitations.enabled else "false", "true")


def _store_view(rule: Rule) -> Check | None:
    views = rule.account.invitations.store_views
    return None if views.names is None else lambda case: views.admits(case.order.store_view)


def _store_view_shown(case: Case) -> Shown:
    order = case.order
    found = _named(order.store_view, order.store_id, "orders.stores")
    return Shown(found, _selection(case.rule.account.invitations.store_views))


def _store_view_remedy(case: Case) -> str:
    order, number = case.order, case.order.store_id
    if number is not None:
        return f"orders.stores gave the order's store id {number} a name that store_views admits"
    views = case.rule.account.invitations.store_views
    return _admitting("store_views", views, "store view", order.store_view)


def _customer_group(rule: Rule) -> Check | None:
    groups = rule.account.invitations.customer_groups
    return None if groups.names is None else _groups_check(groups)


@lru_cache
def _groups_check(groups: Selection) -> Check:
    return lambda case: groups.admits(case.order.customer_group)


def _customer_group_shown(case: Case) -> Shown:
    order = case.order
    found = _named(order.customer_group, order.customer_group_id, "orders.customer_groups")
    return Shown(found, _selection(case.rule.account.invitations.customer_groups))


def _customer_group_remedy(case: Case) -> str:
    number = case.order.customer_group_id
    if number is not None:
        return f"orders.customer_groups gave the group id {number} a name that customer_groups admits"
    groups = case.rule.account.invitations.customer_groups
    return _admitting("customer_groups", groups, "customer group", case.order.customer_group)


def _named(name: str | None, number: int | None, where: str) -> str | None:
    """The name, or where only an id is known, what maps it to one."""
    return name if number is None else f"id {number}, which has no name in {where}"


def _selection(selection: Selection) -> str:
    if selection.names is None:
        return "all"
    return f"{'not one of' if selection.exclude else 'one of'} {', '.join(sorted(selection.names))}"


def _admitting(key: str, selection: Selection, what: str, name: str | None) -> str:
    if name is None:
        return f"the source told the order's {what}"
    return f"{key} did not exclude {name}" if selection.exclude else f"{key} named {name}"


def _order_status(rule: Rule) -> Check:
    """What a rule waits for is in the evidence."""
    ending = rule.account.invitations.cancel_statuses
    return _not_ended_check(frozenset(map(key_of, ending))) if ending else _reached_and_open


def _reached_and_open(case: Case) -> bool:
    return case.reached is not None and not blocked_state(case.order)


@lru_cache
def _not_ended_check(ending: frozenset[str]) -> Check:
    return lambda case: _reached_and_open(case) and key_of(case.order.status or "") not in ending


def _order_status_shown(case: Case) -> Shown:
    order, reached = case.order, case.reached
    known = [order.status or "", f"state {order.state}" if order.state not in (None, order.status) else ""]
    if reached is not None:
        known.append(f"{reached.status} reached {iso(reached.at)} by {reached.source.value}")
    rule = case.rule.account.invitations
    wanted = " or ".join(rule.order_statuses)
    ending = ", ".join(["canceled", "closed", *rule.cancel_statuses])
    return Shown(", ".join(filter(None, known)) or None, f"{wanted}, then or now; not {ending} or on hold")


def _order_status_remedy(case: Case) -> str:
    order, rule, parts = case.order, case.rule.account.invitations, []
    if case.reached is None:
        parts.append(f"the order reached {' or '.join(rule.order_statuses)}")
    ended = ended_by(order, rule)
    if ended is not None or blocked_state(order):
        parts.append(f"the order were not {ended or order.state or order.status}")
    return " and ".join(parts)


def _refunded(rule: Rule) -> Check | None:
    return _not_refunded if rule.account.invitations.skip_refunded else None


def _not_refunded(case: Case) -> bool:
    return not case.order.refunded


def _refunded_shown(case: Case) -> Shown:
    if not case.rule.account.invitations.skip_refunded:
        return Shown(None, "refunded or not")
    return Shown("fully refunded" if case.order.refunded else "no", "not fully refunded")


def _order_age(rule: Rule) -> Check | None:
    limit = rule.account.invitations.skip_orders_older_than
    return None if limit == 0 else _age_check(limit * DAY)


@lru_cache
def _age_check(limit: int) -> Check:
    return lambda case: case.judged_at - case.order.created_at <= limit


def _order_age_shown(case: Case) -> Shown:
    age = max(0, case.judged_at - case.order.created_at)
    limit = case.rule.account.invitations.skip_orders_older_than
    return Shown(f"{age / DAY:.1f} days", f"at most {limit} days" if limit else "any age")


def _order_age_remedy(case: Case) -> str:
    days = -((case.order.created_at - case.judged_at) // DAY)
    return f"skip_orders_older_than were at least {days} (days)"


def _consent(rule: Rule) -> Check | None:
    consent = rule.account.invitations.consent
    return None if consent is None else _consent_check(consent_key(consent_attribute(consent)))


@lru_cache
def _consent_check(key: str) -> Check:
    return lambda case: _agreement(case, key) is Agreement.ACCEPTED


def _agreement(case: Case, key: str) -> Agreement:
    return (case.order.consents or {}).get(key, Agreement.ABSENT)


def _consent_shown(case: Case) -> Shown:
    consent = case.rule.account.invitations.consent
    if consent is None:
        return Shown(None, "not required")
    wanted = f"{consent.field} accepted: {' or '.join(consent.accept)}"
    return Shown(_agreement(case, consent_key(consent_attribute(consent))).value, wanted)


def _consent_remedy(case: Case) -> str:
    consent = case.rule.account.invitations.consent
    return "" if consent is None else f"{consent.field} of the order were {' or '.join(consent.accept)}"


def _conditions(rule: Rule) -> Check | None:
    return None if rule.account.invitations.conditions is None else _conditions_check(rule.conditions)


@lru_cache
def _conditions_check(hold: Predicate) -> Check:
    return lambda case: hold(case.order)


def _conditions_shown(case: Case) -> Shown:
    wanted = case.rule.account.invitations.conditions
    if wanted is None:
        return Shown(None, "no conditions")
    trace = judge_condition(wanted, case.order)
    return Shown("hold" if trace.ok else "do not hold", describe(wanted), trace)


def _conditions_remedy(case: Case) -> str:
    trace = _conditions_shown(case).conditions
    return "the conditions held" + ("" if trace is None else f": {'; '.join(_culprits(trace))}")


def _culprits(trace: ConditionTrace) -> Iterator[str]:
    """The parts to blame for a part that does not hold, each with what the order has."""
    if trace.wanted in ("all", "any") and trace.parts:
        for part in trace.parts:
            if not part.ok:
                yield from _culprits(part)
    elif trace.text == "not":
        yield f"not: {', '.join(part.text for part in trace.parts)}"
    else:
        value = "masked" if trace.value == MASKED else trace.value or "missing"
        yield f"{trace.text} (it is {value})"


def _deliverable(rule: Rule) -> Check | None:
    channels = rule.account.invitations.channels
    return None if Deliver.LINK in channels else _delivery_check(channels)


@lru_cache
def _delivery_check(channels: tuple[Deliver, ...]) -> Check:
    return lambda case: any(deliverable(case.order, each) for each in channels)


_ADDRESSES: Mapping[Deliver, str] = {
    Deliver.EKOMI_EMAIL: "e-mail address",
    Deliver.EKOMI_SMS: "mobile number",
}


def _deliverable_shown(case: Case) -> Shown:
    rule, contact = case.rule.account.invitations, case.order.contact
    if Deliver.LINK in rule.channels:
        return Shown(None, "nothing: the shop shows the link itself")
    wanted = " or ".join(f"a usable {_ADDRESSES[each]}" for each in rule.channels)
    chosen = channel_of(case.order, rule)
    if chosen is not None:
        more = f" ({chosen.value})" if len(rule.channels) > 1 else ""
        return Shown(f"{_ADDRESSES[chosen]} usable{more}", wanted)
    given = {Deliver.EKOMI_EMAIL: contact.email, Deliver.EKOMI_SMS: contact.telephone}
    unusable = [f"{_ADDRESSES[each]} not usable" for each in rule.channels if given[each] is not None]
    return Shown(", ".join(unusable) or None, wanted)


def _deliverable_remedy(case: Case) -> str:
    channels = case.rule.account.invitations.channels
    return f"the order had {' or '.join(f'a usable {_ADDRESSES[each]}' for each in channels)}"


def _reviewed(rule: Rule) -> Check | None:
    return _not_reviewed if rule.account.invitations.skip_reviewed else None


def _not_reviewed(case: Case) -> bool:
    return case.known.reviewed_at(case.rule.interface_id) is None


def _reviewed_shown(case: Case) -> Shown:
    at = case.known.reviewed_at(case.rule.interface_id)
    wanted = "no review" if case.rule.account.invitations.skip_reviewed else "reviewed or not"
    return Shown("no" if at is None else f"reviewed {iso(at)}", wanted)


def _suppressed(rule: Rule) -> Check:  # noqa: ARG001 - the same for every rule
    return _may_be_invited


def _may_be_invited(case: Case) -> bool:
    known = case.known
    return not known.opted_out and (known.cap is None or not _too_often(case))


def _too_often(case: Case) -> bool:
    """Would the customer be invited more often than the limit allows? What is overdue is sent now.

    The limit stands against an order only while no account has it: else it would count itself.
    """
    known = case.known
    if known.cap is None or known.holder is not None or known.claim(case.rule) is not None:
        return False
    due = case.scheduled_at
    return due is not None and known.cap.reached(max(due, known.now), known.asked)


def _suppressed_shown(case: Case) -> Shown:
    known, wanted = case.known, "no opt-out"
    if known.cap is not None:
        wanted += f"; at most {known.cap.count} in {known.cap.days} days per customer"
    limited = "limit per customer reached" if _too_often(case) else "no"
    return Shown("opted out" if known.opted_out else limited, wanted)


def _suppressed_remedy(case: Case) -> str:
    if case.known.opted_out:
        return "the customer had not opted out"
    return "the customer were asked less often (privacy.max_per_customer)"


def _duplicate_number(rule: Rule) -> Check:  # noqa: ARG001 - the same for every rule
    return _has_its_number


def _has_its_number(case: Case) -> bool:
    return case.known.rival(case.rule.interface_id) is None


def _duplicate_number_shown(case: Case) -> Shown:
    rival = case.known.rival(case.rule.interface_id)
    value = "no" if rival is None else f"{key_of_row(rival)} is {rival.status.value}"
    return Shown(value, "no earlier order with this number at the interface")


def _already_invited(rule: Rule) -> Check:  # noqa: ARG001 - the same for every rule
    return _is_free


def _is_free(case: Case) -> bool:
    return case.known.claim(case.rule) is None


def _already_invited_shown(case: Case) -> Shown:
    known, wanted = case.known, "no request by any account"
    found = known.claim(case.rule) or known.holder
    if found is None:
        return Shown("no", wanted)
    if isinstance(found, Account):
        return Shown(f"goes to {found.name}", wanted)
    value = _standing(found, known.name(found.interface_id))
    own = is_of(found, key_of_order(case.order, known.source))
    return Shown(value if own else f"{value}, as {key_of_row(found)}", wanted)


def _standing(row: Invitation, name: str) -> str:
    at = row.changed_at if row.sent_at is None else row.sent_at
    when = f"due {iso(row.scheduled_at)}" if row.status is Status.PENDING else f"since {iso(at)}"
    return f"{row.status.value} through {name}, {when}"


def _always(remedy: str) -> Callable[[Case], str]:
    return lambda case: remedy  # noqa: ARG005


CRITERIA: tuple[CriterionRule, ...] = (
    CriterionRule(
        Criterion.ENABLED,
        _enabled,
        _enabled_shown,
        _always("the account were enabled (invitations.enabled: true)"),
        by_store_view=True,
    ),
    CriterionRule(
        Criterion.STORE_VIEW, _store_view, _store_view_shown, _store_view_remedy, by_store_view=True
    ),
    CriterionRule(Criterion.CUSTOMER_GROUP, _customer_group, _customer_group_shown, _customer_group_remedy),
    CriterionRule(Criterion.ORDER_STATUS, _order_status, _order_status_shown, _order_status_remedy),
    CriterionRule(
        Criterion.REFUNDED,
        _refunded,
        _refunded_shown,
        _always("refunded orders were invited (skip_refunded: false)"),
    ),
    CriterionRule(Criterion.ORDER_AGE, _order_age, _order_age_shown, _order_age_remedy),
    CriterionRule(Criterion.CONSENT, _consent, _consent_shown, _consent_remedy),
    CriterionRule(Criterion.CONDITIONS, _conditions, _conditions_shown, _conditions_remedy),
    CriterionRule(Criterion.DELIVERABLE, _deliverable, _deliverable_shown, _deliverable_remedy),
    CriterionRule(
        Criterion.REVIEWED,
        _reviewed,
        _reviewed_shown,
        _always("reviewed orders were invited (skip_reviewed: false)"),
    ),
    CriterionRule(Criterion.SUPPRESSED, _suppressed, _suppressed_shown, _suppressed_remedy),
    CriterionRule(
        Criterion.DUPLICATE_NUMBER,
        _duplicate_number,
        _duplicate_number_shown,
        _always("no earlier order had this number at the interface"),
    ),
    CriterionRule(
        Criterion.ALREADY_INVITED,
        _already_invited,
        _already_invited_shown,
        _always("no account had the order already"),
    ),
)
"""The criteria in the order in which they are judged; the first that fails is the reason."""
