"""The criteria that decide whether an order is invited: one list, in the order in which they are judged.

A criterion is one entry of ``CRITERIA``: how it is checked, what is shown of it, and what would make it hold.
The plan, ``explain`` and everything else that judges orders go through this list.

Values of attributes that are declared personal are masked; an e-mail address is only usable or not, consent
absent, accepted or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.instant import DAY, iso
from ekomi_reconcile.model.invitation import Criterion, Invitation, Status
from ekomi_reconcile.model.order import MASKED, status_key
from ekomi_reconcile.model.rule import Selection
from ekomi_reconcile.rules import case as rules_case
from ekomi_reconcile.rules import rulebook
from ekomi_reconcile.rules.conditions import ConditionTrace, Predicate, describe, judge_condition

# Rules of many accounts ask for the same: they share the checks, which then stay in the processor's cache.


def _enabled(rule: rulebook.Rule) -> rules_case.Check | None:
    return None if rule.account.invitations.enabled else lambda case: False  # noqa: ARG005


def _enabled_shown(case: rules_case.Case) -> rules_case.Shown:
    return rules_case.Shown("true" if case.rule.account.invitations.enabled else "false", "true")


def _store_view(rule: rulebook.Rule) -> rules_case.Check | None:
    views = rule.account.invitations.store_views
    return None if views.names is None else lambda case: views.admits(case.order.store_view)


def _store_view_shown(case: rules_case.Case) -> rules_case.Shown:
    order = case.order
    found = _named(order.store_view, order.store_id, "orders.stores")
    return rules_case.Shown(found, _selection(case.rule.account.invitations.store_views))


def _store_view_remedy(case: rules_case.Case) -> str:
    order, number = case.order, case.order.store_id
    if number is not None:
        return f"orders.stores gave the order's store id {number} a name that store_views admits"
    views = case.rule.account.invitations.store_views
    return _admitting("store_views", views, "store view", order.store_view)


def _customer_group(rule: rulebook.Rule) -> rules_case.Check | None:
    groups = rule.account.invitations.customer_groups
    return None if groups.names is None else _groups_check(groups)


@lru_cache
def _groups_check(groups: Selection) -> rules_case.Check:
    return lambda case: groups.admits(case.order.customer_group)


def _customer_group_shown(case: rules_case.Case) -> rules_case.Shown:
    order = case.order
    found = _named(order.customer_group, order.customer_group_id, "orders.customer_groups")
    return rules_case.Shown(found, _selection(case.rule.account.invitations.customer_groups))


def _customer_group_remedy(case: rules_case.Case) -> str:
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


def _order_status(rule: rulebook.Rule) -> rules_case.Check:
    """What a rule waits for is in the evidence."""
    ending = rule.account.invitations.cancel_statuses
    return _not_ended_check(frozenset(map(status_key, ending))) if ending else _reached_and_open


def _reached_and_open(case: rules_case.Case) -> bool:
    return case.reached is not None and not rulebook.blocked_state(case.order)


@lru_cache
def _not_ended_check(ending: frozenset[str]) -> rules_case.Check:
    return lambda case: _reached_and_open(case) and status_key(case.order.status or "") not in ending


def _order_status_shown(case: rules_case.Case) -> rules_case.Shown:
    order, reached = case.order, case.reached
    known = [order.status or "", f"state {order.state}" if order.state not in (None, order.status) else ""]
    if reached is not None:
        known.append(f"{reached.status} reached {iso(reached.at)} by {reached.source.value}")
    rule = case.rule.account.invitations
    wanted = " or ".join(rule.order_statuses)
    ending = ", ".join(["canceled", "closed", *rule.cancel_statuses])
    return rules_case.Shown(
        ", ".join(filter(None, known)) or None, f"{wanted}, then or now; not {ending} or on hold"
    )


def _order_status_remedy(case: rules_case.Case) -> str:
    order, rule, parts = case.order, case.rule.account.invitations, []
    if case.reached is None:
        parts.append(f"the order reached {' or '.join(rule.order_statuses)}")
    ended = rulebook.ended_by(order, rule)
    if ended is not None or rulebook.blocked_state(order):
        parts.append(f"the order were not {ended or order.state or order.status}")
    return " and ".join(parts)


def _refunded(rule: rulebook.Rule) -> rules_case.Check | None:
    return _not_refunded if rule.account.invitations.skip_refunded else None


def _not_refunded(case: rules_case.Case) -> bool:
    return not case.order.refunded


def _refunded_shown(case: rules_case.Case) -> rules_case.Shown:
    if not case.rule.account.invitations.skip_refunded:
        return rules_case.Shown(None, "refunded or not")
    return rules_case.Shown("fully refunded" if case.order.refunded else "no", "not fully refunded")


def _order_age(rule: rulebook.Rule) -> rules_case.Check | None:
    limit = rule.account.invitations.skip_orders_older_than
    return None if limit == 0 else _age_check(limit * DAY)


@lru_cache
def _age_check(limit: int) -> rules_case.Check:
    return lambda case: case.judged_at - case.order.created_at <= limit


def _order_age_shown(case: rules_case.Case) -> rules_case.Shown:
    age = max(0, case.judged_at - case.order.created_at)
    limit = case.rule.account.invitations.skip_orders_older_than
    return rules_case.Shown(f"{age / DAY:.1f} days", f"at most {limit} days" if limit else "any age")


def _order_age_remedy(case: rules_case.Case) -> str:
    days = -((case.order.created_at - case.judged_at) // DAY)
    return f"skip_orders_older_than were at least {days} (days)"


def _conditions(rule: rulebook.Rule) -> rules_case.Check | None:
    return None if rule.account.invitations.conditions is None else _conditions_check(rule.conditions)


@lru_cache
def _conditions_check(hold: Predicate) -> rules_case.Check:
    return lambda case: hold(case.order)


def _conditions_shown(case: rules_case.Case) -> rules_case.Shown:
    wanted = case.rule.account.invitations.conditions
    if wanted is None:
        return rules_case.Shown(None, "no conditions")
    trace = judge_condition(wanted, case.order)
    return rules_case.Shown("hold" if trace.ok else "do not hold", describe(wanted), trace)


def _conditions_remedy(case: rules_case.Case) -> str:
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


def _reviewed(rule: rulebook.Rule) -> rules_case.Check | None:
    return _not_reviewed if rule.account.invitations.skip_reviewed else None


def _not_reviewed(case: rules_case.Case) -> bool:
    return case.known.reviewed_at(case.rule.interface_id) is None


def _reviewed_shown(case: rules_case.Case) -> rules_case.Shown:
    at = case.known.reviewed_at(case.rule.interface_id)
    wanted = "no review" if case.rule.account.invitations.skip_reviewed else "reviewed or not"
    return rules_case.Shown("no" if at is None else f"reviewed {iso(at)}", wanted)


def _suppressed(rule: rulebook.Rule) -> rules_case.Check:  # noqa: ARG001 - the same for every rule
    return _may_be_invited


def _may_be_invited(case: rules_case.Case) -> bool:
    known = case.known
    return not known.opted_out and (known.cap is None or not _too_often(case))


def _too_often(case: rules_case.Case) -> bool:
    """Would the customer be invited more often than the limit allows? What is overdue is sent now.

    The limit applies to an order only while no account has it: else it would count itself.
    """
    known = case.known
    if known.cap is None or known.holder is not None or known.claim(case.rule) is not None:
        return False
    due = case.scheduled_at
    return due is not None and known.cap.reached(max(due, known.now), known.asked)


def _suppressed_shown(case: rules_case.Case) -> rules_case.Shown:
    known, wanted = case.known, "no opt-out"
    if known.cap is not None:
        wanted += f"; at most {known.cap.count} in {known.cap.days} days per customer"
    limited = "limit per customer reached" if _too_often(case) else "no"
    return rules_case.Shown("opted out" if known.opted_out else limited, wanted)


def _suppressed_remedy(case: rules_case.Case) -> str:
    if case.known.opted_out:
        return "the customer had not opted out"
    return "the customer were asked less often (privacy.max_per_customer)"


def _duplicate_number(rule: rulebook.Rule) -> rules_case.Check:  # noqa: ARG001 - the same for every rule
    return _has_its_number


def _has_its_number(case: rules_case.Case) -> bool:
    return case.known.rival(case.rule.interface_id) is None


def _duplicate_number_shown(case: rules_case.Case) -> rules_case.Shown:
    rival = case.known.rival(case.rule.interface_id)
    value = "no" if rival is None else f"{rules_case.key_of_row(rival)} is {rival.status.value}"
    return rules_case.Shown(value, "no earlier order with this number at the interface")


def _already_invited(rule: rulebook.Rule) -> rules_case.Check:  # noqa: ARG001 - the same for every rule
    return _is_free


def _is_free(case: rules_case.Case) -> bool:
    return case.known.claim(case.rule) is None


def _already_invited_shown(case: rules_case.Case) -> rules_case.Shown:
    known, wanted = case.known, "no request by any account"
    found = known.claim(case.rule) or known.holder
    if found is None:
        return rules_case.Shown("no", wanted)
    if isinstance(found, Account):
        return rules_case.Shown(f"goes to {found.name}", wanted)
    value = _standing(found, known.name(found.interface_id))
    own = rules_case.is_of(found, rules_case.key_of_order(case.order, known.source))
    return rules_case.Shown(value if own else f"{value}, as {rules_case.key_of_row(found)}", wanted)


def _standing(row: Invitation, name: str) -> str:
    """The status and, unless it is pending (the plan may move it), since when it has it."""
    if row.status is Status.PENDING:
        return f"{row.status.value} through {name}"
    at = row.changed_at if row.sent_at is None else row.sent_at
    return f"{row.status.value} through {name}, since {iso(at)}"


def _always(remedy: str) -> Callable[[rules_case.Case], str]:
    return lambda case: remedy  # noqa: ARG005


CRITERIA: tuple[rules_case.CriterionRule, ...] = (
    rules_case.CriterionRule(
        Criterion.ENABLED,
        _enabled,
        _enabled_shown,
        _always("the account were enabled (invitations.enabled: true)"),
        by_store_view=True,
    ),
    rules_case.CriterionRule(
        Criterion.STORE_VIEW, _store_view, _store_view_shown, _store_view_remedy, by_store_view=True
    ),
    rules_case.CriterionRule(
        Criterion.CUSTOMER_GROUP, _customer_group, _customer_group_shown, _customer_group_remedy
    ),
    rules_case.CriterionRule(
        Criterion.ORDER_STATUS, _order_status, _order_status_shown, _order_status_remedy
    ),
    rules_case.CriterionRule(
        Criterion.REFUNDED,
        _refunded,
        _refunded_shown,
        _always("refunded orders were invited (skip_refunded: false)"),
    ),
    rules_case.CriterionRule(Criterion.ORDER_AGE, _order_age, _order_age_shown, _order_age_remedy),
    rules_case.CONSENT,
    rules_case.CriterionRule(Criterion.CONDITIONS, _conditions, _conditions_shown, _conditions_remedy),
    rules_case.DELIVERABLE,
    rules_case.CriterionRule(
        Criterion.REVIEWED,
        _reviewed,
        _reviewed_shown,
        _always("reviewed orders were invited (skip_reviewed: false)"),
    ),
    rules_case.CriterionRule(Criterion.SUPPRESSED, _suppressed, _suppressed_shown, _suppressed_remedy),
    rules_case.CriterionRule(
        Criterion.DUPLICATE_NUMBER,
        _duplicate_number,
        _duplicate_number_shown,
        _always("no earlier order had this number at the interface"),
    ),
    rules_case.CriterionRule(
        Criterion.ALREADY_INVITED,
        _already_invited,
        _already_invited_shown,
        _always("no account had the order already"),
    ),
)
"""The criteria in the order in which they are judged; the first that fails is the reason."""
