"""Pending periods by rule: which one an order has, and when it is judged again."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_examples import GERMANY, NOW, account
from test_plan_matcher import ORDER, ROW, Queue
from tiers import examples

from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.rule import InvitationRule, PeriodOverride
from ekomi_reconcile.plan.decision_trace import MatchRequest
from ekomi_reconcile.plan.matcher import Matcher
from ekomi_reconcile.privacy.limits import CustomerPrivacy
from ekomi_reconcile.rules.rulebook import RuleBook

COUNTRIES = ["DE", "AT", "FR", None]
ABROAD = PeriodOverride(when={"shipping_country": {"not_in": ["DE"]}}, days=21)
RULE = InvitationRule(enabled=True, pending_period=14, pending_period_overrides=(ABROAD,))


def steps(rule, order, *rows, fresh=False):
    """What a pass over the order plans; ``fresh``: the rule is new or changed."""
    mine = frozenset({GERMANY})
    request = MatchRequest(
        source="default",
        book=RuleBook([account(invitations=rule)]),
        selected=mine,
        fresh=mine if fresh else frozenset(),
        leaving=frozenset(),
        now=NOW,
    )
    matcher = Matcher(request, Queue(*rows), CustomerPrivacy())
    matcher.batch([order])
    return matcher.steps


def order_to(country):
    return msgspec.structs.replace(ORDER, shipping_country=country)


def pending(days, **changes):
    """A pending invitation that was scheduled with this period."""
    at = ROW.reached.at + (14 if days is None else days) * DAY
    return replace(ROW, pending_days=days, scheduled_at=at, **changes)


overrides = st.lists(
    st.tuples(st.lists(st.sampled_from(COUNTRIES[:3]), min_size=1, unique=True), st.integers(0, 365)),
    max_size=4,
)


@given(overrides, st.sampled_from(COUNTRIES), st.integers(0, 365))
@settings(max_examples=examples(60), deadline=None)
def test_the_first_override_whose_condition_holds_counts(written, country, usual):
    """The period is stored with the invitation, and its time follows from it."""
    rule = InvitationRule(
        enabled=True,
        pending_period=usual,
        pending_period_overrides=tuple(
            PeriodOverride(when={"shipping_country": {"in": names}}, days=days) for names, days in written
        ),
    )
    (step,) = steps(rule, order_to(country)).schedule
    days = next((days for names, days in written if country in names), usual)
    assert (step.pending_days, step.scheduled_at) == (days, step.reached_at + days * DAY)


@pytest.mark.parametrize("rule", [RULE, InvitationRule(enabled=True)])
@pytest.mark.parametrize("days", [14, 21])
def test_an_order_that_changes_keeps_its_period(rule, days):
    """It is judged when the order is first scheduled, and not with every change of the order."""
    if days not in rule.pending_periods:
        return
    for country in COUNTRIES:
        assert not list(steps(rule, order_to(country), pending(days)).reschedule)


@pytest.mark.parametrize(("country", "before", "after"), [("FR", 14, 21), ("DE", 21, 14), ("FR", None, 21)])
def test_a_changed_rule_judges_it_again(country, before, after):
    """Also an invitation of a version that recorded no period."""
    row = pending(before)
    (step,) = steps(RULE, order_to(country), row, fresh=True).reschedule
    assert (step.pending_days, step.scheduled_at) == (after, row.reached.at + after * DAY)


def test_a_changed_rule_moves_nothing_that_stays():
    """The same period means no step; one that no version recorded is noted where it matters."""
    assert not list(steps(RULE, order_to("DE"), pending(14), fresh=True).reschedule)
    assert not list(steps(InvitationRule(enabled=True), order_to("DE"), pending(None), fresh=True).reschedule)
    (step,) = steps(RULE, order_to("DE"), pending(None), fresh=True).reschedule
    assert (step.pending_days, step.scheduled_at) == (14, step.previously)


def test_what_a_person_pushed_keeps_its_time():
    """Whatever the rule says now."""
    assert not list(steps(RULE, order_to("FR"), pending(14, pushed=True), fresh=True).reschedule)


def test_an_invitation_that_comes_back_keeps_its_period():
    """Unless the rule changed meanwhile."""
    row = pending(14, status=Status.CANCELLED, reason="order_status")
    (kept,) = steps(RULE, order_to("FR"), row).schedule
    (judged,) = steps(RULE, order_to("FR"), row, fresh=True).schedule
    assert (kept.pending_days, judged.pending_days) == (14, 21)
