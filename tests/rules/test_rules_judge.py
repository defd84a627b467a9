"""Who is invited: the criteria in their order, the age limit, deliverability, explanations."""

import pytest
import rules_naive as naive
import rules_strategies as given_some
from hypothesis import given, settings
from rules_strategies import DAY, NOW, account

from ekomi_reconcile.model.account import Deliver, InvitationRule, Selection
from ekomi_reconcile.model.invitation import Criterion, Evidence, Reached
from ekomi_reconcile.model.order import Contact, Order
from ekomi_reconcile.rules.explain import explain
from ekomi_reconcile.rules.judge import blocked_state, on_hold, refusal, scheduled_at
from ekomi_reconcile.rules.reached import reached
from ekomi_reconcile.rules.rulebook import Rule

REACHED = Reached(NOW - DAY, "complete", Evidence.HISTORY)


def rule(**changes):
    return Rule(account(invitations=InvitationRule(**{"enabled": True, **changes})))


def order(**facts):
    known = {"status": "complete", "state": "complete", "created_at": NOW - DAY}
    contact = Contact(email="mira@example.com", first_name="Mira", last_name="Kolb", telephone="+43 1 000000")
    return Order(order_id=1, number="1", **{**known, "contact": contact, **facts})


@settings(max_examples=400)
@given(given_some.rules, given_some.orders)
def test_refusals_agree_with_a_plain_reading(asked, subject):
    """The first criterion that fails is the one of the documentation, for any rule and order."""
    compiled = Rule(account(invitations=asked))
    known = reached(compiled, subject, now=NOW)
    wanted = naive.first_refusal(compiled.account, subject, judged_at=NOW, reached=known)
    assert refusal(compiled, subject, judged_at=NOW, reached=known) is wanted


@settings(max_examples=200)
@given(given_some.rules, given_some.orders)
def test_explanations_cannot_disagree_with_decisions(asked, subject):
    """The first criterion explained as failing is the reason for the refusal."""
    compiled = Rule(account(invitations=asked))
    known = reached(compiled, subject, now=NOW)
    results = explain(compiled, subject, judged_at=NOW, reached=known)
    first = next((each.criterion for each in results if not each.ok), None)
    assert first is refusal(compiled, subject, judged_at=NOW, reached=known)
    assert [each.criterion for each in results] == list(Criterion)[:7]


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


@pytest.mark.parametrize("state", ["canceled", "closed", "holded"])
def test_ended_and_held_orders_invite_nobody(state):
    """Whatever the status says and however often it was reached."""
    assert blocked_state(order(state=state))
    assert on_hold(order(state=state)) is (state == "holded")
    assert refusal(rule(), order(state=state), judged_at=NOW, reached=REACHED) is Criterion.ORDER_STATUS


def test_the_state_decides_over_the_status():
    """Only without a state does the status tell whether the order has ended."""
    assert not blocked_state(order(state="complete", status="closed"))
    assert blocked_state(order(state=None, status="closed"))
    assert not blocked_state(order(state=None, status=None))


def test_scheduling_is_in_exact_days():
    """The pending period is a multiple of 24 hours, whatever the clocks of a country do."""
    assert scheduled_at(rule(pending_period=14), REACHED) == REACHED.at + 14 * 86_400


@pytest.mark.parametrize(
    ("deliver", "contact", "ok"),
    [
        (Deliver.EKOMI_EMAIL, Contact(email="mira@example.com"), True),
        (Deliver.EKOMI_EMAIL, Contact(telephone="+43 1 000000"), False),
        (Deliver.EKOMI_SMS, Contact(telephone="+43 1 000000"), True),
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
