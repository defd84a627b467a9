"""When an order first reached a trigger status: the ranking of the evidence."""

import pytest
import rules_naive as naive
import rules_strategies as given_some
from hypothesis import given, settings
from hypothesis import strategies as st
from rules_strategies import DAY, NOW, account
from tiers import examples

from ekomi_reconcile.model.invitation import Evidence, Reached
from ekomi_reconcile.model.order import HistoryEntry, Order
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.rules.judge import reached
from ekomi_reconcile.rules.rulebook import Rule

ORDERED = NOW - 20 * DAY


def find(order, *statuses, **known):
    rule = Rule(account(invitations=InvitationRule(order_statuses=statuses or ("complete",))))
    found = reached(rule, order, now=NOW, **known)
    return None if found is None else (found.at, found.source.value)


def order(status="complete", state="complete", *, history=(), **facts):
    entries = tuple(HistoryEntry(each, at) for each, at in history)
    return Order(
        order_id=1, number="1", status=status, state=state, created_at=ORDERED, history=entries, **facts
    )


sights = st.dictionaries(st.sampled_from(given_some.STATUSES), given_some.times, max_size=2)
findings = st.none() | st.builds(
    Reached, given_some.times, st.sampled_from(["complete", "in_picking"]), st.just(Evidence.OBSERVED)
)


@settings(max_examples=examples(400))
@given(
    st.lists(
        st.sampled_from(["pending", "processing", "complete", "in_picking"]),
        min_size=1,
        max_size=3,
        unique=True,
    ),
    given_some.orders,
    sights,
    st.none() | st.builds(HistoryEntry, st.sampled_from(given_some.STATUSES), given_some.times),
    findings,
)
def test_the_ranking_agrees_with_a_plain_reading(statuses, subject, seen, recorded, frozen):
    """Whatever is known of an order, the evidence chosen is that of the documentation."""
    seen = {status.casefold(): at for status, at in seen.items()}
    known = {"seen": seen, "recorded": recorded, "frozen": frozen}
    wanted = naive.first_reached(statuses, subject, now=NOW, **known)
    assert find(subject, *statuses, **known) == wanted


def test_a_change_in_the_history_is_the_best_evidence():
    """It beats shipments, our own sight and dates."""
    subject = order(
        history=[("processing", ORDERED + 5), ("complete", ORDERED + 10)], last_shipped_at=ORDERED + 7
    )
    assert find(subject, seen={"complete": ORDERED + 6}) == (ORDERED + 10, "history")


def test_entries_without_a_status_are_no_change():
    """A remark between two entries of one status does not make the second a transition."""
    subject = order(history=[("complete", ORDERED + 5), (None, ORDERED + 6), ("complete", ORDERED + 9)])
    assert find(subject) == (ORDERED + 5, "sole_history")


def test_a_sole_entry_is_weaker_than_shipments_and_our_own_sight():
    """A remark with the status need not be its beginning."""
    remark = [("complete", ORDERED + 9)]
    assert find(order(history=remark, last_shipped_at=ORDERED + 3)) == (ORDERED + 3, "shipment")
    assert find(order(history=remark), seen={"complete": ORDERED + 4}) == (ORDERED + 4, "observed")
    assert find(order(history=remark)) == (ORDERED + 9, "sole_history")


@pytest.mark.parametrize("seen", [ORDERED + 2, ORDERED + 9], ids=["before", "after"])
def test_a_document_beats_our_own_sight(seen):
    """Whether we saw the status before or after the date of the shipment or invoice."""
    shipped = order(last_shipped_at=ORDERED + 3)
    assert find(shipped, seen={"complete": seen}) == (ORDERED + 3, "shipment")
    invoiced = order("processing", "processing", first_invoiced_at=ORDERED + 4)
    assert find(invoiced, "processing", seen={"processing": seen}) == (ORDERED + 4, "invoice")


def test_the_later_of_shipment_and_invoice_completes():
    """An order shipped before it was paid is complete when it is paid."""
    both = {"last_shipped_at": ORDERED + 3, "last_invoiced_at": ORDERED + 8, "first_invoiced_at": ORDERED + 1}
    both["shipments_known"] = True
    assert find(order(**both)) == (ORDERED + 8, "invoice")
    assert find(order(**both), "processing") == (ORDERED + 1, "invoice")


INVOICED = {"first_invoiced_at": ORDERED + 1, "last_invoiced_at": ORDERED + 1, "updated_at": ORDERED + 9}


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"shipments_known": True}, (ORDERED + 1, "invoice")),
        ({"is_virtual": True}, (ORDERED + 1, "invoice")),
        ({"is_virtual": False}, (ORDERED + 9, "updated_at")),
        ({}, (ORDERED + 9, "updated_at")),
        ({"last_shipped_at": ORDERED + 5}, (ORDERED + 5, "shipment")),
    ],
)
def test_an_invoice_completes_only_where_nothing_else_could(facts, found):
    """Orders with nothing to ship, and those whose shipments could be read."""
    assert find(order(**INVOICED, **facts)) == found


DOCUMENTS = [
    {**INVOICED, "shipments_known": True},
    {"last_shipped_at": ORDERED + 1, "updated_at": ORDERED + 9},
]


@pytest.mark.parametrize("documents", DOCUMENTS)
@pytest.mark.parametrize(("later", "believed"), [(0, True), (1, True), (2, False)])
def test_a_later_status_speaks_against_a_document(documents, later, believed):
    """An order that is still being processed after its invoice was not completed by it: an ERP does that."""
    seen = HistoryEntry("processing", ORDERED + later)
    source = "invoice" if "last_invoiced_at" in documents else "shipment"
    wanted = (ORDERED + 1, source) if believed else (ORDERED + 9, "updated_at")
    assert find(order(**documents), recorded=seen) == wanted
    subject = order(history=[("processing", ORDERED + later)], **documents)
    assert find(subject) == wanted
    assert find(order(**documents), "complete", "processing", recorded=seen)[0] == ORDERED + 1


@pytest.mark.parametrize("documents", DOCUMENTS)
def test_what_contradicts_a_document_leaves_the_next_best_evidence(documents):
    """Our own observation of the change, then a sole entry of the history, then the order's own times."""
    recorded = HistoryEntry("processing", ORDERED + 4)
    observed = find(order(**documents), seen={"complete": ORDERED + 8}, recorded=recorded)
    assert observed == (ORDERED + 8, "observed")
    subject = order(history=[("complete", ORDERED + 7)], **documents)
    assert find(subject, recorded=recorded) == (ORDERED + 7, "sole_history")


def test_an_observation_before_the_order_is_no_evidence():
    """Whatever a restored state says of this id."""
    subject = order(updated_at=ORDERED + 9)
    assert find(subject, seen={"complete": ORDERED - 1}) == (ORDERED + 9, "updated_at")
    assert find(subject, seen={"complete": ORDERED}) == (ORDERED, "observed")


def test_a_partial_shipment_completes_nothing():
    """An order still in processing has not passed complete because something was shipped."""
    assert find(order("processing", "processing", last_shipped_at=ORDERED + 3)) is None


def test_a_custom_status_of_a_complete_order_has_passed_complete_when_it_was_shipped():
    """What a shop calls the last step does not hide that everything was shipped."""
    subject = order("ready_for_pickup", "complete", last_shipped_at=ORDERED + 3)
    assert find(subject) == (ORDERED + 3, "shipment")
    assert find(order("ready_for_pickup", "complete")) is None


def test_a_complete_order_has_passed_processing():
    """Also when nothing dates it but the order's own times."""
    assert find(order(updated_at=ORDERED + 9), "processing") == (ORDERED + 9, "updated_at")
    assert find(order("in_picking", "complete"), "processing") == (ORDERED, "created_at")


@pytest.mark.parametrize("updated_at", [None, ORDERED])
def test_an_order_never_updated_was_made_in_its_status(updated_at):
    """Then the order date is when it got there."""
    assert find(order(updated_at=updated_at)) == (ORDERED, "created_at")


def test_the_future_counts_as_now():
    """A clock that is ahead does not move invitations back."""
    assert find(order(updated_at=NOW + DAY)) == (NOW, "updated_at")


def test_of_several_trigger_statuses_the_earliest_counts():
    """The clock starts with the first of them, whichever evidence dates it."""
    subject = order(
        history=[("pending", ORDERED + 1), ("processing", ORDERED + 2), ("complete", ORDERED + 9)]
    )
    assert find(subject, "complete", "processing") == (ORDERED + 2, "history")


def test_frozen_evidence_stands_for_its_status_only():
    """What was recorded is not judged again; a trigger status that changed is."""
    known = Reached(ORDERED + 6, "complete", Evidence.OBSERVED)
    subject = order(history=[("processing", ORDERED + 5), ("complete", ORDERED + 10)])
    assert find(subject, frozen=known) == (ORDERED + 6, "observed")
    assert find(subject, "processing", frozen=known) == (ORDERED + 5, "sole_history")


def test_an_order_on_its_way_has_not_reached_complete():
    """No evidence, no instant."""
    assert find(order("processing", "processing", history=[("pending", ORDERED)])) is None


def test_statuses_compare_without_case_and_blanks():
    """The answer is spelled as in the files."""
    rule = Rule(account(invitations=InvitationRule(order_statuses=(" Complete",))))
    found = reached(rule, order("COMPLETE"), now=NOW)
    assert found == Reached(ORDERED, " Complete", Evidence.CREATED)
