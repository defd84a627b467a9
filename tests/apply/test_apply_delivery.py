"""What becomes of a row after a call, and of a due row before one."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_examples import NOW, account

from ekomi_reconcile.apply.delivery import DueVerdict, delivered, pause_after, recheck, undelivered
from ekomi_reconcile.ekomi import Receipt
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.errors import (
    AccountRefused,
    CredentialsRefused,
    EkomiUnavailable,
    OutcomeUnknown,
    RecipientRefused,
    RequestRefused,
)
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import Evidence, Invitation, Reached, Status
from ekomi_reconcile.model.order import Contact, Order
from ekomi_reconcile.model.rule import InvitationRule, Selection
from ekomi_reconcile.privacy.limits import CustomerPrivacy
from ekomi_reconcile.privacy.suppression import SuppressionList, sorted_lines
from ekomi_reconcile.rules.rulebook import Rule

ROW = Invitation(
    id=1,
    interface_id="28374",
    source="default",
    order_id=5,
    number="100000005",
    store_view="de",
    order_date=NOW - 20 * DAY,
    status=Status.SENDING,
    reached=Reached(NOW - 15 * DAY, "complete", Evidence.HISTORY),
    judged_at=NOW - 15 * DAY,
    scheduled_at=NOW - DAY,
)
ORDER = Order(
    order_id=5,
    number="100000005",
    state="complete",
    status="complete",
    store_view="de",
    customer_group="General",
    created_at=NOW - 20 * DAY,
    contact=Contact(email="kim@example.com"),
    grand_total=80,
)


DIGEST = "be" * 16


def unavailable(*, asked=True, retry_after=None):
    """A call that certainly had no effect."""
    error = EkomiUnavailable("no connection")
    error.asked, error.retry_after = asked, retry_after
    return error


@pytest.mark.parametrize(
    ("error", "status", "failed_calls"),
    [
        (OutcomeUnknown("cut"), Status.UNKNOWN, 1),
        (RecipientRefused("no such address"), Status.FAILED, 1),
        (AccountRefused("quota"), Status.PENDING, 0),
        (RequestRefused("not today"), Status.PENDING, 0),
        (CredentialsRefused("Access denied"), Status.PENDING, 0),
        (unavailable(asked=False), Status.PENDING, 0),
        (unavailable(), Status.PENDING, 0),
    ],
)
def test_each_kind_of_failure_has_its_end(error, status, failed_calls):
    """Perhaps sent is unknown, refused is failed, what had no effect waits."""
    outcome = undelivered(ROW, error, now=NOW)
    assert (outcome.status, outcome.failed_calls) == (status, failed_calls)


@pytest.mark.parametrize(
    ("overdue", "unreached", "status"),
    [
        (14 * DAY - 1, 40, Status.PENDING),
        (14 * DAY, 40, Status.CANCELLED),
        (14 * DAY, 1, Status.CANCELLED),
        (400 * DAY, 0, Status.PENDING),
    ],
)
def test_what_cannot_be_reached_is_given_up_after_two_weeks(overdue, unreached, status):
    """Not before, not as failed, and never at the first call."""
    row = replace(ROW, scheduled_at=NOW - overdue, unreached=unreached)
    outcome = undelivered(row, unavailable(), now=NOW)
    assert (outcome.status, outcome.failed_calls) == (status, 0)
    assert (outcome.reason == "unreachable") == (status is Status.CANCELLED)


def test_a_receipt_is_sent():
    """A call that eKomi took is sent, with its link; an order it had already says so."""
    assert delivered(ROW, Receipt(link="https://r.example/1"), now=NOW).link == "https://r.example/1"
    assert delivered(ROW, Receipt(known_before=True), now=NOW).reason


@given(st.integers(1, 1000), st.none() | st.floats(0, 10**6))
def test_pauses_grow_and_keep_to_what_was_asked(attempts, asked):
    """Between 5 minutes and 12 hours, never shorter than eKomi asked for, never shrinking."""
    pause = pause_after(attempts, asked)
    assert pause >= int(asked or 0)
    assert 300 <= pause_after(attempts) <= 12 * 3600
    assert pause_after(attempts + 1) >= pause_after(attempts)


def rule(**changes):
    """A rule that the order fits, changed."""
    return Rule(account(invitations=InvitationRule(enabled=True, **changes)))


def look(order=ORDER, of=None, *, privacy=None):
    """The second look at the row."""
    return recheck(ROW, order, of or rule(), privacy=privacy or CustomerPrivacy())


def changed(**values):
    """The order, changed."""
    import msgspec

    return msgspec.structs.replace(ORDER, **values)


@pytest.mark.parametrize(
    ("order", "verdict"),
    [
        (ORDER, DueVerdict.SEND),
        (None, DueVerdict.WAIT),
        (changed(state="holded", status="holded"), DueVerdict.WAIT),
        (changed(state="closed", status="closed"), DueVerdict.CANCEL),
        (changed(state="canceled", status="canceled"), DueVerdict.CANCEL),
        (changed(state="processing", status="packing"), DueVerdict.SEND),
        (changed(store_view="fr"), DueVerdict.CANCEL),
        (changed(customer_group="Staff"), DueVerdict.CANCEL),
        (changed(grand_total=10), DueVerdict.CANCEL),
        (changed(contact=Contact()), DueVerdict.CANCEL),
        (changed(refunded=True), DueVerdict.CANCEL),
        (changed(status="returned"), DueVerdict.CANCEL),
        (changed(state="holded", status="returned"), DueVerdict.CANCEL),
    ],
)
def test_the_second_look_judges_the_order_as_it_is_now(order, verdict):
    """Refunded, canceled, moved, no longer matching: cancelled; on hold, unreadable: waits."""
    of = rule(
        store_views=Selection(frozenset({"de"})),
        customer_groups=Selection(frozenset({"General"})),
        conditions={"grand_total": {"gte": 50}},
        cancel_statuses=("returned",),
    )
    assert look(order, of).verdict is verdict


def test_the_age_is_not_judged_again():
    """An order that grew too old while it waited is still asked."""
    assert look(of=rule(skip_orders_older_than=6)).verdict is DueVerdict.SEND
    assert look(of=rule(skip_orders_older_than=4)).verdict is DueVerdict.CANCEL


def test_a_disabled_or_vanished_account_sends_nothing():
    """Its rows are held."""
    disabled = Rule(Account(name="A", interface_id="28374", interface_password="${env:X}"))
    assert look(of=disabled).verdict is DueVerdict.WAIT
    assert recheck(ROW, ORDER, None, privacy=CustomerPrivacy()).verdict is DueVerdict.WAIT


@pytest.mark.parametrize("line", ["KIM@example.com", "@example.com", "example.com  # all of them"])
def test_an_opt_out_reaches_rows_that_are_due(line):
    """An address or a domain on the list cancels, in whatever letter case."""
    privacy = CustomerPrivacy(suppressed=SuppressionList(sorted_lines(line).entries))
    assert look(privacy=privacy).reason == "suppressed"


def test_a_digest_on_the_list_is_recognised():
    """The list may hold keyed digests instead of addresses."""
    privacy = CustomerPrivacy(
        suppressed=SuppressionList(sorted_lines(f"hmac:{DIGEST}").entries),
        digest=lambda text: DIGEST if text == "kim@example.com" else "0",
    )
    assert look(privacy=privacy).reason == "suppressed"
