"""Whatever is done in whatever order: one live row per order, and a sent row stays sent."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from state_support import NOW, Store, an_account, an_order
from tiers import examples

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.invitation import Invitation, InvitationFilter, Resolution, SendOutcome, Status
from ekomi_reconcile.state.opening import Mode

ACCOUNTS = ("1", "2", "3")
ORDERS = st.integers(1, 4)
ROWS = st.integers(1, 14)
STEPS = settings(
    max_examples=examples(25),
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ENDS = st.sampled_from([Status.SENT, Status.PENDING, Status.FAILED, Status.UNKNOWN, Status.CANCELLED])


class QueueMachine(RuleBasedStateMachine):
    """Three accounts and four orders, so that everything meets everything."""

    new_store: Callable[[], Store]

    @initialize()
    def begin(self) -> None:
        self.store = self.new_store()
        self.state = self.store.opened()
        for key in ACCOUNTS:
            self.state.accounts.save(an_account(key), now=NOW)
        self.sent: dict[int, Invitation] = {}

    @rule(picked=st.lists(st.tuples(ORDERS, st.sampled_from(ACCOUNTS)), max_size=6))
    def schedule(self, picked: list[tuple[int, str]]) -> None:
        live = {each.interface_id for each in self.state.accounts.read()}
        rows = [an_order(order, key) for order, key in picked if key in live]
        counts = self.state.schedule.add(rows, now=NOW)
        assert counts.scheduled + counts.blocked == len(rows)

    @rule(ids=st.lists(ROWS, max_size=4))
    def cancel(self, ids: list[int]) -> None:
        self.state.schedule.cancel(dict.fromkeys(ids, "conditions"), now=NOW)

    @rule(ids=st.lists(ROWS, max_size=4))
    def claim(self, ids: list[int]) -> None:
        claimed = {row.id for row in self.state.sending.claim(ids, now=NOW)}
        assert not claimed & self.sent.keys()

    @rule(key=ROWS, end=ENDS)
    def settle(self, key: int, end: Status) -> None:
        if self.state.sending.settle([SendOutcome(id=key, status=end, at=NOW)]) and end is Status.SENT:
            self.sent[key] = self.state.invitations.get(key)

    @rule(key=ROWS, action=st.sampled_from(["skip", "unskip", "push", "retry", "sent", "resend"]))
    def by_hand(self, key: int, action: str) -> None:
        try:
            if action in ("sent", "resend"):
                row = self.state.invitations.resolve(key, Resolution(action), now=NOW, actor="support")
            else:
                row = getattr(self.state.invitations, action)(key, now=NOW, actor="support")
        except StateError:
            return
        if row.status is Status.SENT:
            self.sent[key] = row

    @rule(key=st.sampled_from(ACCOUNTS))
    def delete_or_add(self, key: str) -> None:
        if any(each.interface_id == key for each in self.state.accounts.read()):
            self.state.accounts.delete(key, now=NOW)
        else:
            self.state.accounts.save(an_account(key), now=NOW)

    @rule()
    def reopen(self) -> None:
        self.state.close()
        self.state = self.store.opened(Mode.WRITE)

    @invariant()
    def one_live_row_per_order(self) -> None:
        if hasattr(self, "state"):
            live = [each.order_id for each in self.rows() if each.status is not Status.CANCELLED]
            assert len(live) == len(set(live))

    @invariant()
    def sent_rows_stay(self) -> None:
        if hasattr(self, "state"):
            assert {key: self.state.invitations.get(key) for key in self.sent} == self.sent

    @invariant()
    def histories_are_chains(self) -> None:
        if hasattr(self, "state"):
            for row in self.rows():
                history = self.state.invitations.history(row.id)
                steps = [None, *(each.to_status for each in history)]
                assert [each.from_status for each in history] == steps[:-1]
                assert steps[-1] is row.status

    def rows(self) -> list[Invitation]:
        return list(self.state.invitations.search(InvitationFilter()))

    def teardown(self) -> None:
        if hasattr(self, "state"):
            self.state.close()


@pytest.mark.sampled(2)
def test_any_sequence_of_steps(new_store: Callable[[], Store]) -> None:
    """No sequence of steps makes two live rows for an order, or loses or repeats a sent one."""
    machine = type("Machine", (QueueMachine,), {"new_store": staticmethod(new_store)})
    run_state_machine_as_test(machine, settings=STEPS)
