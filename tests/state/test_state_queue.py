"""The queue: one live row per order, streams, loads."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, inspect
from state_support import NOW, an_order, opened, schedule

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.invitation import (
    Evidence,
    Reached,
    RescheduleStep,
    ScheduleCounts,
    ScheduleStep,
    SendOutcome,
    Status,
)
from ekomi_reconcile.state.engine.tables import invitation
from ekomi_reconcile.state.store import State


def test_scheduled_row_comes_back_whole(state: State) -> None:
    """Every field of a scheduled order is recorded."""
    state.schedule.add([an_order(7, customer="digest")], now=NOW + 3)
    (row,) = state.queue.rows_for("default", [7])[7]
    assert (row.interface_id, row.source, row.order_id, row.number) == ("1", "default", 7, "100000007")
    assert (row.store_view, row.order_date, row.status) == ("de", NOW - 1_000, Status.PENDING)
    assert row.reached == Reached(NOW - 500, "complete", Evidence.HISTORY)
    assert (row.judged_at, row.scheduled_at, row.customer, row.changed_at) == (
        NOW,
        NOW + 100,
        "digest",
        NOW + 3,
    )
    assert (row.attempts, row.pushed, row.sent_at, row.link) == (0, False, None, None)


def test_steps_of_a_plan_are_taken_as_they_are(state: State) -> None:
    """What a plan says can be handed to the state without a translation."""
    fields = {name: getattr(an_order(7), name) for name in an_order(7).__slots__}
    assert state.schedule.add([ScheduleStep(**fields)], now=NOW).inserted == 1
    (row,) = state.queue.rows_for("default", [7])[7]
    moved = RescheduleStep(
        interface_id="1",
        row_id=row.id,
        source="default",
        order_id=7,
        number="100000007",
        scheduled_at=5,
        previously=NOW + 100,
        reached_at=2,
        reached_status="closed",
        reached_source="shipment",
    )
    assert state.schedule.move([moved], now=NOW) == 1
    row = state.invitations.get(row.id)
    assert (row.scheduled_at, row.reached) == (5, Reached(2, "closed", Evidence.SHIPMENT))


def test_order_with_a_live_row_is_left_out(state: State) -> None:
    """Of several accounts, batches or repeats, one gets an order; the others are counted."""
    both = [an_order(1, "1"), an_order(1, "2"), an_order(2, "2"), an_order(2, "2")]
    assert state.schedule.add(both, now=NOW) == ScheduleCounts(inserted=2, blocked=2)
    assert state.schedule.add([an_order(1, "2"), an_order(3)], now=NOW) == ScheduleCounts(
        inserted=1, blocked=1
    )
    found = state.queue.rows_for("default", [1, 2, 3])
    assert {key: [row.interface_id for row in rows] for key, rows in found.items()} == {
        1: ["1"],
        2: ["2"],
        3: ["1"],
    }


def test_same_order_id_in_another_source_is_another_order(state: State) -> None:
    """Order ids are compared within their source only."""
    assert state.schedule.add([an_order(1), an_order(1, source="us")], now=NOW).inserted == 2
    assert len(state.queue.rows_for("us", [1])[1]) == 1


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.CANCELLED])
def test_database_itself_keeps_one_live_row(state: State, status: Status) -> None:
    """Even SQL that goes around the store cannot make a second live row for an order."""
    schedule(state, 1)
    statement = insert(invitation).from_select(
        [each for each in invitation.c if each.name != "id"],
        invitation.select()
        .with_only_columns(
            *(
                {"account_id": invitation.c.account_id + 1, "status": invitation.c.status}.get(
                    each.name, each
                )
                for each in invitation.c
                if each.name != "id"
            )
        )
        .where(invitation.c.order_id == 1),
    )
    with state.transaction():
        state.session.connection.exec_driver_sql(f"UPDATE invitation SET status = '{status.value}'")
    with pytest.raises(StateError, match="rule of the database"), state.transaction():
        state.session.connection.execute(statement)
    with state.transaction():
        state.session.connection.exec_driver_sql("UPDATE invitation SET status = 'cancelled'")
        state.session.connection.execute(statement)


def test_cancelled_row_revives(state: State) -> None:
    """The same row becomes pending again, with new times and the old instant of judgement."""
    (key,) = schedule(state, 1).values()
    assert state.schedule.cancel({key: "store_view"}, now=NOW + 1) == 1
    assert state.invitations.get(key).reason == "store_view"
    again = an_order(1, judged_at=NOW + 50, scheduled_at=NOW + 900, reached_status="shipped", customer="c")
    assert state.schedule.add([again], now=NOW + 60) == ScheduleCounts(revived=1)
    row = state.invitations.get(key)
    assert (row.status, row.reason, row.judged_at, row.scheduled_at) == (
        Status.PENDING,
        None,
        NOW,
        NOW + 900,
    )
    assert (row.reached.status, row.customer, row.changed_at) == ("shipped", "c", NOW + 60)
    changes = [(each.from_status, each.to_status, each.detail) for each in state.invitations.history(key)]
    assert changes == [
        (None, Status.PENDING, None),
        (Status.PENDING, Status.CANCELLED, "store_view"),
        (Status.CANCELLED, Status.PENDING, None),
    ]


@pytest.mark.parametrize("reason", ["unreachable", "order_gone"])
def test_what_could_not_be_reached_revives_only_by_hand(state: State, reason: str) -> None:
    """Scheduling leaves the row cancelled; retrying makes it pending."""
    (key,) = schedule(state, 1).values()
    state.schedule.cancel({key: reason}, now=NOW)
    assert state.schedule.add([an_order(1)], now=NOW) == ScheduleCounts(blocked=1)
    state.invitations.retry(key, now=NOW, actor="support")
    assert state.invitations.get(key).status is Status.PENDING


def test_cancelled_order_goes_to_the_next_account(state: State) -> None:
    """A cancelled row lets another account have the order, and then stays cancelled."""
    (key,) = schedule(state, 1).values()
    state.schedule.cancel({key: "conditions"}, now=NOW)
    assert state.schedule.add([an_order(1, "2")], now=NOW).inserted == 1
    assert state.schedule.add([an_order(1, "1")], now=NOW) == ScheduleCounts(blocked=1)
    assert state.invitations.get(key).status is Status.CANCELLED


def test_only_pending_rows_are_cancelled_or_moved(state: State) -> None:
    """A row that was claimed, or moved by a person, meanwhile is left out and not counted."""
    ids = schedule(state, 1, 2, 3)
    state.sending.claim([ids[1]], now=NOW)
    state.invitations.push(ids[2], now=NOW, actor="support")
    times = [
        RescheduleStep(
            interface_id="1",
            row_id=key,
            source="default",
            order_id=order_id,
            number=str(order_id),
            scheduled_at=7,
            previously=NOW + 100,
            reached_at=1,
            reached_status="x",
            reached_source="updated_at",
        )
        for order_id, key in ids.items()
    ]
    assert state.schedule.move(times, now=NOW) == 1
    assert [state.invitations.get(key).scheduled_at for key in ids.values()] == [NOW + 100, NOW, 7]
    assert state.schedule.cancel(dict.fromkeys([*ids.values(), 999], "x"), now=NOW) == 2
    assert state.invitations.get(ids[1]).status is Status.SENDING


def test_rows_are_found_in_large_batches(state: State) -> None:
    """Any number of order ids may be asked for; those without rows are left out."""
    schedule(state, *range(1_000, 4_000, 3))
    found = state.queue.rows_for("default", range(5_000))
    assert sorted(found) == list(range(1_000, 4_000, 3))
    assert state.queue.rows_for("default", []) == state.queue.rows_for("nowhere", [1_000]) == {}


def test_due_rows_come_oldest_first(state: State) -> None:
    """Due rows are those whose time and next attempt have come, by time, then by id, of these accounts."""
    schedule(state, 1, scheduled_at=NOW + 30)
    schedule(state, 2, scheduled_at=NOW + 10)
    schedule(state, 3, scheduled_at=NOW + 10)
    schedule(state, 4, scheduled_at=NOW + 31)
    (other,) = schedule(state, 5, interface_id="2", scheduled_at=NOW).values()
    state.sending.claim([other], now=NOW)
    state.sending.settle(
        [SendOutcome(id=other, status=Status.PENDING, at=NOW, failed_calls=1, next_attempt_at=NOW + 60)]
    )
    assert [row.order_id for row in state.queue.due(["1", "2"], NOW + 30)] == [2, 3, 1]
    assert [row.order_id for row in state.queue.due(["2"], NOW + 60)] == [5]
    assert [row.order_id for row in state.queue.due(["1", "2"], NOW + 60)] == [5, 2, 3, 1, 4]
    assert list(state.queue.due([], NOW + 60)) == []


def test_streams_may_be_changed_meanwhile(state: State) -> None:
    """Rows may be claimed or cancelled while they are listed: each comes once, none is missed."""
    schedule(state, *range(2_500), scheduled_at=NOW)
    seen = []
    for row in state.queue.due(["1"], NOW):
        state.sending.claim([row.id], now=NOW) if row.order_id % 100 == 0 else None
        seen.append(row.order_id)
    assert seen == list(range(2_500))
    left = []
    for row in state.queue.pending(["1", "2"]):
        state.schedule.cancel({row.id: "x"}, now=NOW) if row.order_id % 100 == 1 else None
        left.append(row.order_id)
    assert left == [key for key in range(2_500) if key % 100]


def test_due_rows_use_their_index(tmp_path) -> None:
    """Finding what is due in a file reads neither the sent rows nor sorts the rest."""
    asked = []
    with opened(tmp_path) as state:
        connection = state.session.connection
        connection.connection.driver_connection.set_trace_callback(asked.append)
        list(state.queue.due(["1"], NOW))
        state.queue.abandoned(now=NOW)
        statements = [each for each in asked if each.startswith("SELECT invitation")]
        assert len(statements) == 2
        for statement in statements:
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}").all()
            assert any("USING INDEX invitation_" in str(row) for row in rows)
            assert not any("TEMP B-TREE" in str(row) for row in rows)


def test_rows_of_accounts(state: State) -> None:
    """Rows are listed by account and state, of deleted accounts too."""
    ids = schedule(state, 1, 2, 3)
    schedule(state, 4, interface_id="2")
    state.schedule.cancel({ids[2]: "x"}, now=NOW)
    both = {Status.PENDING, Status.CANCELLED}
    assert [row.order_id for row in state.queue.rows_of(["1", "2"], both)] == [2, 1, 3, 4]
    assert [row.order_id for row in state.queue.rows_of(["2", "77"], {Status.PENDING})] == [4]
    state.accounts.delete("2", now=NOW)
    assert [row.order_id for row in state.queue.rows_of(["2"], {Status.CANCELLED})] == [4]
    assert state.queue.counts() == {
        "1": {Status.PENDING: 2, Status.CANCELLED: 1},
        "2": {Status.CANCELLED: 1},
    }


def test_customer_load_counts_requests(state: State) -> None:
    """A customer was asked when a row was sent, or will be at its time; what never went out counts not."""
    ids = schedule(state, 1, 2, 3, 4, 5, customer="anna", scheduled_at=NOW + 9)
    schedule(state, 6, customer="ben", scheduled_at=NOW + 9)
    state.schedule.cancel({ids[1]: "x"}, now=NOW)
    state.invitations.skip(ids[2], now=NOW, actor="support")
    state.sending.claim([ids[3], ids[4]], now=NOW)
    state.sending.settle(
        [
            SendOutcome(id=ids[3], status=Status.SENT, at=NOW + 77),
            SendOutcome(id=ids[4], status=Status.FAILED, at=NOW),
        ]
    )
    assert state.queue.customer_load(["anna", "ben", "eve"], NOW) == {
        "anna": (NOW + 77, NOW + 9),
        "ben": (NOW + 9,),
    }
    assert state.queue.customer_load(["anna", "ben"], NOW + 10) == {"anna": (NOW + 77,)}


def test_customer_requests_leave_out_what_is_pending(state: State) -> None:
    """Sent counts from then, a call without a known end from its last change; what waits does not count."""
    ids = schedule(state, 1, 2, 3, 4, 5, customer="anna", scheduled_at=NOW)
    schedule(state, 6, customer="ben", scheduled_at=NOW)
    state.sending.claim([ids[key] for key in (1, 2, 3, 4)], now=NOW + 5)
    state.sending.settle(
        [
            SendOutcome(id=ids[1], status=Status.SENT, at=NOW + 7),
            SendOutcome(id=ids[2], status=Status.UNKNOWN, at=NOW + 9),
            SendOutcome(id=ids[3], status=Status.FAILED, at=NOW + 9),
        ]
    )
    assert state.sending.customer_requests(["anna", "ben", "eve"], NOW) == {
        "anna": [NOW + 7, NOW + 9, NOW + 5]
    }
    assert state.sending.customer_requests(["anna"], NOW + 8) == {"anna": [NOW + 9]}


def test_bulk_keeps_the_answers(state: State) -> None:
    """Within and after filling the queue in bulk, customers are found all the same."""
    with state.schedule.bulk(10_000):
        schedule(state, *range(50), customer="anna")
        assert len(state.queue.customer_load(["anna"], 0)["anna"]) == 50
    assert "invitation_customer" in indexes(state)
    assert len(state.queue.customer_load(["anna"], 0)["anna"]) == 50


def test_next_writer_repairs_what_a_crash_in_bulk_left(tmp_path) -> None:
    """An index that a killed run could not make anew is made when the state is opened for writing."""
    with opened(tmp_path) as state:
        state.session.connection.exec_driver_sql("DROP INDEX invitation_customer")
        state.session.connection.commit()
        assert "invitation_customer" not in indexes(state)
    with opened(tmp_path) as state:
        assert "invitation_customer" in indexes(state)


def indexes(state: State) -> set[str]:
    return {str(each["name"]) for each in inspect(state.session.connection).get_indexes(invitation.name)}
