"""A state with one of everything, and what is in it."""

from __future__ import annotations

from state_support import NOW, an_account, an_order, schedule

from ekomi_reconcile.model.account import PositionRecord
from ekomi_reconcile.model.invitation import Observation, PassedOrder, SendOutcome, Status
from ekomi_reconcile.model.review import Review
from ekomi_reconcile.state.maintenance.push import export
from ekomi_reconcile.state.store import State

CUSTOMER = "ab" * 16


def fill(state: State) -> dict[int, int]:
    """Two accounts, six orders of which the second was sent and the third skipped; rows by order."""
    state.accounts.save(an_account("1"), now=NOW)
    state.accounts.save(an_account("2", "Zwei"), now=NOW)
    ids = schedule(state, 1, 2, 3, 4, 5, 6, customer=CUSTOMER)
    send(state, ids[2])
    state.invitations.skip(ids[3], now=NOW, actor="kim", reason="asked by telephone")
    position = PositionRecord(source="default", rule_digest="sha256:0", cursor="c", evaluated_at=NOW)
    state.positions.save({"1": position})
    state.positions.observe([Observation(source="default", order_id=9, status="processing", since=NOW)])
    state.positions.pass_over([PassedOrder("default", 9, NOW, "order_status")])
    review = Review(order_id="100000002", submitted_at=NOW, rating=4.5, text="Gut\0 & günstig", title="T")
    state.reviews.save_import("1", [review], full=True, now=NOW)
    state.journal.record_error("1", operation="send 100000004", kind="X", message="HTTP 503", now=NOW)
    state.journal.add("apply", outcome="done", now=NOW)
    state.meta.bump_serial()
    return ids


def send(state: State, *keys: int) -> None:
    """These rows are sent."""
    state.sending.claim(list(keys), now=NOW)
    state.sending.settle(
        [SendOutcome(id=key, status=Status.SENT, at=NOW, link="https://r.example.com") for key in keys]
    )


def records(state: State) -> dict[str, object]:
    """Everything that restoring replaces, as JSON."""
    whole = export(state)
    return {key: whole[key] for key in whole if key not in ("serial", "journal", "tool_version")}


def more_orders(state: State, *order_ids: int, interface_id: str = "1") -> dict[int, int]:
    """Further orders of an account; rows by order."""
    state.schedule.add([an_order(each, interface_id) for each in order_ids], now=NOW)
    found = state.queue.rows_for("default", order_ids)
    return {key: rows[0].id for key, rows in found.items()}
