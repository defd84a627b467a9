"""Who is invited: the criteria in their order, the age limit, deliverability, explanations."""

from collections import Counter
from dataclasses import replace

import pytest
import rules_naive as naive
import rules_strategies as given_some
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_strategies import DAY, NOW, account
from tiers import examples

from ekomi_reconcile.model.invitation import Criterion, CustomerLimit, Evidence, Reached
from ekomi_reconcile.model.order import Contact, Order
from ekomi_reconcile.model.rule import Deliver, InvitationRule, Selection
from ekomi_reconcile.rules.case import Case, KnownFacts
from ekomi_reconcile.rules.judge import Decision, first_failed, judge, reached
from ekomi_reconcile.rules.rulebook import (
    Rule,
    RuleBook,
    blocked_state,
    on_hold,
    scheduled_at,
    spread_offset,
    waits_on_hold,
)

REACHED = Reached(NOW - DAY, "complete", Evidence.HISTORY)


def case(compiled, subject, *, judged_at, reached):
    return Case(compiled, subject, judged_at, reached, KnownFacts(now=NOW))


def refusal(compiled, subject, *, judged_at, reached, candidate=False):
    return first_failed(case(compiled, subject, judged_at=judged_at, reached=reached), candidate=candidate)


def explain(compiled, subject, *, judged_at, reached):
    return Decision(case(compiled, subject, judged_at=judged_at, reached=reached)).criteria


def rule(**changes):
    return Rule(account(invitations=InvitationRule(**{"enabled": True, **changes})))


def order(**facts):
    known = {"status": "complete", "state": "complete", "created_at": NOW - DAY}
    contact = Contact(
        email="mira@example.com", first_name="Mira", last_name="Kolb", telephone="+49 151 12345678"
    )
    return Order(order_id=1, number="1", **{**known, "contact": contact, **facts})


@settings(max_examples=examples(400))
@given(given_some.rules, given_some.orders)
def test_refusals_agree_with_a_plain_reading(asked, subject):
    """The first criterion that fails is the one of the documentation, for any rule and order."""
    compiled = Rule(account(invitations=asked))
    known = reached(compiled, subject, now=NOW)
    wanted = naive.first_refusal(compiled.account, subject, judged_at=NOW, reached=known)
    assert refusal(compiled, subject, judged_at=NOW, reached=known) is wanted


@settings(max_examples=examples(200))
@given(given_some.rules, given_some.orders)
def test_a_candidate_is_judged_like_any_rule(asked, subject):
    """What finding it by the store view has settled need not be asked again: the answer is the same."""
    compiled = Rule(account(invitations=asked))
    known = reached(compiled, subject, now=NOW)
    wanted = refusal(compiled, subject, judged_at=NOW, reached=known)
    found = RuleBook([compiled.account]).candidates(subject.store_view)
    assert bool(found) is (wanted not in (Criterion.ENABLED, Criterion.STORE_VIEW))
    for each in found:
        assert refusal(each, subject, judged_at=NOW, reached=known, candidate=True) is wanted


@settings(max_examples=examples(200))
@given(given_some.rules, given_some.orders)
def test_explanations_cannot_disagree_with_decisions(asked, subject):
    """The first criterion explained as failing is the reason for the refusal."""
    compiled = Rule(account(invitations=asked))
    known = reached(compiled, subject, now=NOW)
    results = explain(compiled, subject, judged_at=NOW, reached=known)
    first = next((each.criterion for each in results if not each.ok), None)
    assert first is refusal(compiled, subject, judged_at=NOW, reached=known)
    assert [each.criterion for each in results] == list(Criterion)


@settings(max_examples=100)
@given(given_some.rules, given_some.orders, st.booleans(), st.none() | st.integers(1, 2))
def test_judging_needs_no_state(asked, subject, opted_out, count):
    """An order, a rule and plain values give a decision; its reason is the first criterion that fails."""
    compiled = Rule(account(invitations=asked))
    cap = None if count is None else CustomerLimit(count, 90)
    known = KnownFacts(now=NOW, opted_out=opted_out, cap=cap, asked=[NOW - DAY])
    found = judge(subject, compiled, known=known)
    failed = [each.criterion for each in found.criteria if not each.ok]
    assert found.reason is next(iter(failed), None)
    assert (Criterion.SUPPRESSED in failed) >= opted_out
    assert [bool(each.remedy) for each in found.criteria] == [not each.ok for each in found.criteria]
    assert (found.scheduled_at is None) is (found.reached is None)


@pytest.mark.parametrize(("age", "limit", "kept"), [(30, 30, True), (31, 30, False), (9_999, 0, True)])
def test_the_age_limit(age, limit, kept):
    """Exactly at the limit is kept; 0 is no limit."""
    subject = order(created_at=NOW - age * DAY)
    found = refusal(rule(skip_orders_older_than=limit), subject, judged_at=NOW, reached=REACHED)
    assert (found is None) is kept


def test_one_second_over_the_age_limit_is_over():
    """The limit is exact to the second."""
    subject = order(created_at=NOW - 30 * DAY - 1)
    assert refusal(rule(), subject, judged_at=NOW, reached=REACHED) is Criterion.ORDER_AGE


@pytest.mark.parametrize("state", ["canceled", "cancelled", "Closed", "holded", "on_hold", "On Hold"])
def test_ended_and_held_orders_invite_nobody(state):
    """Whatever the status says and however often it was reached."""
    assert blocked_state(order(state=state))
    assert on_hold(order(state=state)) is ("hold" in state.lower())
    assert refusal(rule(), order(state=state), judged_at=NOW, reached=REACHED) is Criterion.ORDER_STATUS


def test_the_state_decides_over_the_status():
    """Only without a state does the status tell whether the order has ended."""
    assert not blocked_state(order(state="complete", status="closed"))
    assert blocked_state(order(state=None, status="closed"))
    assert not blocked_state(order(state=None, status=None))


@pytest.mark.parametrize("status", ["returned", "Returned", " RETURNED "])
@pytest.mark.parametrize("state", ["complete", "processing", "holded", None])
def test_a_cancel_status_ends_an_order_whatever_its_state(status, state):
    """Only for the rule that names it; also an order on hold, which otherwise waits."""
    subject, ending = order(state=state, status=status), rule(cancel_statuses=("returned", "lost"))
    assert refusal(ending, subject, judged_at=NOW, reached=REACHED) is Criterion.ORDER_STATUS
    assert not waits_on_hold(subject, ending)
    other = refusal(rule(), subject, judged_at=NOW, reached=REACHED)
    assert other is (Criterion.ORDER_STATUS if state == "holded" else None)
    assert waits_on_hold(subject, rule()) is (state == "holded")


def test_refunds_are_judged_after_the_status_and_before_the_age():
    """The first criterion that fails is the reason."""
    old = {"created_at": NOW - 90 * DAY, "refunded": True}
    assert refusal(rule(), order(**old), judged_at=NOW, reached=REACHED) is Criterion.REFUNDED
    assert refusal(rule(), order(**old), judged_at=NOW, reached=None) is Criterion.ORDER_STATUS
    kept = rule(skip_refunded=False)
    assert refusal(kept, order(**old), judged_at=NOW, reached=REACHED) is Criterion.ORDER_AGE


def test_scheduling_is_in_exact_days():
    """The pending period is a multiple of 24 hours, whatever the clocks of a country do."""
    assert scheduled_at(rule(), REACHED, 1, judged_at=REACHED.at + 30 * DAY, days=14) == REACHED.at + 14 * DAY


@given(st.integers(1, 99 * 24).map(lambda hours: hours * 3_600), st.integers(0, 2**63 - 1), given_some.rules)
def test_the_offset_of_an_order_is_its_own(spread, order_id, other):
    """Within the spread, the same whatever else the rule says, and what is added to the pending period."""
    offset = spread_offset(rule(spread=spread), order_id)
    assert 0 <= offset < spread
    assert spread_offset(Rule(account(invitations=replace(other, spread=spread))), order_id) == offset
    for judged, start in ((REACHED.at, 7 * DAY), (REACHED.at + 9 * DAY, 9 * DAY)):
        due = scheduled_at(rule(spread=spread), REACHED, order_id, judged_at=judged, days=7)
        assert due == REACHED.at + start + offset


def test_without_a_spread_nothing_is_added():
    """0d is how an account says that it wants none."""
    assert {spread_offset(rule(), each) for each in range(100)} == {0}


@pytest.mark.parametrize("stride", [1, 7, 1_000])
def test_offsets_are_spread_evenly(stride):
    """Orders with consecutive ids, as shops have them, fill every tenth of the spread about equally."""
    asked = rule(spread=3 * DAY)
    tenths = Counter(spread_offset(asked, each * stride) * 10 // (3 * DAY) for each in range(5_000))
    assert all(400 < tenths[each] < 600 for each in range(10))


def test_two_accounts_do_not_delay_an_order_equally():
    """The interface id is part of what is drawn from."""
    one, two = (Rule(account(key, invitations=InvitationRule(spread=3 * DAY))) for key in ("28374", "28375"))
    assert sum(spread_offset(one, each) == spread_offset(two, each) for each in range(1_000)) < 10


def test_the_drawing_never_changes():
    """A known pair of ids has a known offset: another one would move every waiting invitation."""
    asked = Rule(account("28374", invitations=InvitationRule(spread=3 * DAY)))
    assert [spread_offset(asked, each) for each in (1, 2, 100_000_123)] == [22_961, 37_784, 222_724]


@pytest.mark.parametrize(
    ("deliver", "contact", "ok"),
    [
        (Deliver.EKOMI_EMAIL, Contact(email="mira@example.com"), True),
        (Deliver.EKOMI_EMAIL, Contact(telephone="+49 151 12345678"), False),
        (Deliver.EKOMI_SMS, Contact(telephone="+49 151 12345678"), True),
        (Deliver.EKOMI_SMS, Contact(telephone="+49 30 1234567"), False),
        (Deliver.EKOMI_SMS, Contact(email="mira@example.com"), False),
        (Deliver.LINK, Contact(), True),
    ],
)
def test_what_can_be_delivered(deliver, contact, ok):
    """Each way of delivery needs its own kind of address; a link needs none."""
    found = refusal(rule(deliver=deliver), order(contact=contact), judged_at=NOW, reached=REACHED)
    assert found is (None if ok else Criterion.DELIVERABLE)


def test_explanations_hold_no_personal_data():
    """Neither name nor address nor place appears, whatever is explained."""
    contact = Contact(
        email="secret@secret.example", first_name="Secret", last_name="Secret", telephone="+43 1 999999"
    )
    subject = order(contact=contact, shipping_city="Secret", shipping_postcode="Secret")
    for deliver in Deliver:
        asked = rule(deliver=deliver, conditions={"shipping_city": {"eq": "Graz"}})
        shown = repr(explain(asked, subject, judged_at=NOW, reached=REACHED))
        assert "secret" not in shown.casefold()
        assert "999999" not in shown


def test_explanations_tell_value_and_wanted():
    """Support staff can read off what the order has and what the rule asks for."""
    asked = rule(
        store_views=Selection(frozenset({"de", "at"})),
        customer_groups=Selection(frozenset({"VIP"}), exclude=True),
    )
    results = {
        each.criterion: each
        for each in explain(asked, order(store_view="fr"), judged_at=NOW, reached=REACHED)
    }
    view, group = results[Criterion.STORE_VIEW], results[Criterion.CUSTOMER_GROUP]
    assert (view.ok, view.value, view.wanted) == (False, "fr", "one of at, de")
    assert (group.ok, group.value, group.wanted) == (True, None, "not one of VIP")
    assert results[Criterion.ORDER_AGE].value == "1.0 days"
    assert results[Criterion.ORDER_AGE].wanted == "at most 30 days"
    assert results[Criterion.DELIVERABLE].value == "e-mail address usable"
    assert results[Criterion.CONDITIONS].wanted == "no conditions"
    assert (
        results[Criterion.ORDER_STATUS].value == "complete, complete reached 2027-01-14T08:00:00Z by history"
    )
