"""Explaining and deciding never disagree, whatever the rules, the order and the queue are."""

import sys
from dataclasses import dataclass
from pathlib import Path

from explain_support import SOURCE, Customers, Rows, row
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "rules"))
import rules_strategies as given_some
from tiers import examples

from ekomi_reconcile.model.account import PositionRecord
from ekomi_reconcile.model.invitation import CustomerLimit, Evidence, Observation, Reached, Status
from ekomi_reconcile.plan.matcher import Matcher
from ekomi_reconcile.reconcile.order_lookup import OrderOutcome, explain_order, match_request
from ekomi_reconcile.rules.rulebook import Rule, scheduled_at

NOW, DAY = given_some.NOW, given_some.DAY


@dataclass(frozen=True)
class Recorded:
    """An account that the state knows."""

    interface_id: str
    name: str = "Gone"
    protect: bool = False
    deleted_at: int | None = None


@st.composite
def rows_of(draw, accounts, order):
    """Rows as a state may have them: at most one that is not cancelled, at most one per account."""
    keys = [each.interface_id for each in accounts] + ["500"]
    chosen = draw(st.lists(st.sampled_from(keys), max_size=3, unique=True))
    live = draw(st.sampled_from([Status.PENDING, Status.PENDING, *Status]))
    return [
        row(
            key,
            order,
            live if at == 0 else Status.CANCELLED,
            reached=Reached(
                draw(given_some.times), draw(st.sampled_from(["complete", "pending"])), Evidence.HISTORY
            ),
            judged_at=draw(given_some.times),
            scheduled_at=draw(given_some.times),
            pushed=draw(st.booleans()),
        )
        for at, key in enumerate(chosen)
    ]


@st.composite
def others_of(draw, accounts, order):
    """Invitations of other orders with the same number, and of this order under another id."""
    keys = [each.interface_id for each in accounts] + ["500"]
    return [
        row(
            key,
            order,
            draw(st.sampled_from(Status)),
            id=1_000 + at,
            order_id=order.order_id + 100 + at,
            order_date=draw(st.sampled_from([order.created_at]) | given_some.times),
        )
        for at, key in enumerate(draw(st.lists(st.sampled_from(keys), max_size=2)))
    ]


@st.composite
def positions_of(draw, accounts):
    """Some accounts were evaluated by these rules, some by others, some never."""
    found = {}
    for each in accounts:
        kind = draw(st.sampled_from(["same", "other", "never"]))
        if kind != "never":
            digest = Rule(each).digest if kind == "same" else "sha256:other"
            found[each.interface_id] = PositionRecord(
                source=SOURCE, rule_digest=digest, cursor="here", evaluated_at=NOW
            )
    return found


@settings(max_examples=examples(200), deadline=None)
@given(st.data(), given_some.account_lists.filter(bool), given_some.orders)
def test_explanations_agree_with_the_matcher(data, accounts, order):
    """Each reason is the one that the plan counts; who is eligible and gets it is who is scheduled."""
    rows = data.draw(rows_of(accounts, order))
    seen = data.draw(
        st.none()
        | st.builds(
            Observation,
            source=st.just(SOURCE),
            order_id=st.just(order.order_id),
            status=st.sampled_from(given_some.STATUSES),
            since=given_some.times,
            moved=st.booleans(),
        )
    )
    queue = Rows(rows, seen, data.draw(st.lists(given_some.times, max_size=2)))
    queue.others = data.draw(others_of(accounts, order))
    privacy = Customers(
        out=data.draw(st.sampled_from([False, False, True])),
        cap=data.draw(st.none() | st.builds(CustomerLimit, st.integers(1, 2), st.integers(1, 60))),
    )
    gone = [Recorded("500", protect=data.draw(st.booleans()))]
    request = match_request(SOURCE, accounts, gone, data.draw(positions_of(accounts)), now=NOW)
    matcher = Matcher(request, queue, privacy)
    matcher.batch([order])

    found = explain_order(order, request, queue, privacy)

    counted = matcher.tally.result(accounts)
    scheduled = [step.interface_id for step in matcher.steps.schedule]
    cancelled = [each.interface_id for each in matcher.steps.cancel if each.order_id == order.order_id]
    live = next((each for each in rows if each.status is not Status.CANCELLED), None)
    owner = live.interface_id if live is not None and live.interface_id not in cancelled else None
    assert [each.account.interface_id for each in found.verdicts] == [
        rule.account.interface_id for rule in request.book.rules
    ]
    for verdict in found.verdicts:
        key, reason = verdict.account.interface_id, verdict.reason
        if key == owner:
            continue
        assert counted.get(verdict.account.name, {}) == ({} if reason is None else {reason.value: 1})
        assert verdict.eligible is (key in scheduled)
        if key in scheduled:
            assert [verdict.scheduled_at] == [step.scheduled_at for step in matcher.steps.schedule]
        assert len(verdict.changes) == sum(not each.ok for each in verdict.criteria)
        assert all(verdict.changes)
    assert (found.outcome is OrderOutcome.GETS) is bool(scheduled)
    assert (found.cancelled is not None) is bool(cancelled)
    assert (found.outcome in (OrderOutcome.KEEPS, OrderOutcome.CLOSED)) is (owner is not None)


@settings(max_examples=examples(100), deadline=None)
@given(given_some.rules, given_some.orders, given_some.times, given_some.times)
def test_a_pending_row_is_eligible_exactly_as_long_as_it_stays(asked, order, judged_at, reached_at):
    """A row of unchanged rules is judged with its own evidence; it stays while its account is eligible.

    Rows that are only held (the account is disabled, the order on hold) stay without being eligible.
    """
    account = given_some.account("7", invitations=asked)
    evidence = Reached(reached_at, asked.order_statuses[0], Evidence.SHIPMENT)
    rule, days = Rule(account), asked.pending_period
    due = scheduled_at(rule, evidence, order.order_id, judged_at=judged_at, days=days)
    own = row("7", order, reached=evidence, judged_at=judged_at, scheduled_at=due, pending_days=days)
    digest = Rule(account).digest
    position = PositionRecord(source=SOURCE, rule_digest=digest, cursor="here", evaluated_at=NOW)
    request = match_request(SOURCE, [account], [], {"7": position}, now=NOW)
    (verdict,) = (found := explain_order(order, request, Rows([own]), Customers())).verdicts
    if verdict.eligible:
        assert found.outcome is OrderOutcome.KEEPS
        assert verdict.reached == evidence
        assert verdict.scheduled_at == own.scheduled_at
    elif found.outcome is OrderOutcome.KEEPS:
        assert not asked.enabled or verdict.reason.value in ("store_view", "customer_group", "order_status")
    else:
        assert found.cancelled is not None
