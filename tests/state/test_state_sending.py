"""Sending and what people do: nothing is sent twice, nothing sent is forgotten."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from state_support import LATER, NOW, Store, an_order, kill, process, schedule

from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.invitation import Invitation, Resolution, SendOutcome, Status
from ekomi_reconcile.state.maintenance.check import check_database
from ekomi_reconcile.state.opening import Mode
from ekomi_reconcile.state.store import State


def sending(state: State, order_id: int = 1) -> int:
    (key,) = schedule(state, order_id).values()
    state.sending.claim([key], now=NOW)
    return key


def in_status(state: State, status: Status, order_id: int = 1) -> int:
    """A row in this state, reached by ordinary steps."""
    (key,) = schedule(state, order_id).values()
    if status is Status.SKIPPED:
        state.invitations.skip(key, now=NOW, actor="support")
    elif status is not Status.PENDING:
        state.sending.claim([key], now=NOW)
        if status is not Status.SENDING:
            state.sending.settle([SendOutcome(id=key, status=status, at=NOW)])
    return key


def test_claim_takes_each_row_once(state: State) -> None:
    """Only pending rows are claimed, in the order asked for; a second claim gets nothing."""
    ids = schedule(state, 1, 2, 3)
    state.invitations.skip(ids[2], now=NOW, actor="support")
    wanted = [ids[3], ids[2], ids[1], ids[3], 999]
    claimed = state.sending.claim(wanted, now=NOW + 1)
    assert [(row.id, row.status) for row in claimed] == [
        (ids[3], Status.SENDING),
        (ids[1], Status.SENDING),
    ]
    assert state.sending.claim(wanted, now=NOW) == ()
    assert state.queue.abandoned(now=LATER + 1) == tuple(sorted(claimed, key=lambda row: row.id))


def test_claim_and_settle_commit_on_their_own(state: State) -> None:
    """An intent inside a larger transaction would not be safe, so it is refused."""
    key = sending(state)
    with state.transaction():
        with pytest.raises(RuntimeError):
            state.sending.claim([key], now=NOW)
        with pytest.raises(RuntimeError):
            state.sending.settle([SendOutcome(id=key, status=Status.SENT, at=NOW)])


@pytest.mark.parametrize(
    ("outcome", "wanted"),
    [
        ({"status": Status.SENT, "link": "https://x"}, (Status.SENT, NOW + 5, "https://x", None, 0, None)),
        (
            {"status": Status.PENDING, "failed_calls": 1, "next_attempt_at": NOW + 9, "reason": "busy"},
            (Status.PENDING, None, None, "busy", 1, NOW + 9),
        ),
        ({"status": Status.PENDING, "reason": "holded"}, (Status.PENDING, None, None, "holded", 0, None)),
        (
            {"status": Status.FAILED, "failed_calls": 1, "reason": "refused"},
            (Status.FAILED, None, None, "refused", 1, None),
        ),
        ({"status": Status.UNKNOWN, "reason": "timeout"}, (Status.UNKNOWN, None, None, "timeout", 0, None)),
        (
            {"status": Status.CANCELLED, "reason": "closed"},
            (Status.CANCELLED, None, None, "closed", 0, None),
        ),
    ],
)
def test_outcomes(state: State, outcome: dict[str, object], wanted: tuple[object, ...]) -> None:
    """Every outcome of a call is recorded with what belongs to it, and in the history."""
    key = sending(state)
    assert state.sending.settle([SendOutcome(id=key, at=NOW + 5, **outcome)]) == 1
    row = state.invitations.get(key)
    assert (row.status, row.sent_at, row.link, row.reason, row.attempts, row.next_attempt_at) == wanted
    last = state.invitations.history(key)[-1]
    assert (last.from_status, last.to_status, last.at) == (Status.SENDING, row.status, NOW + 5)


@pytest.mark.parametrize("status", [each for each in Status if each is not Status.SENDING])
def test_settling_what_is_not_sending(state: State, status: Status) -> None:
    """Only a claimed row takes an outcome; one given up as unknown still becomes sent, nothing else."""
    key = in_status(state, status)
    assert state.sending.settle([SendOutcome(id=key, status=Status.PENDING, at=NOW)]) == 0
    taken = state.sending.settle([SendOutcome(id=key, status=Status.SENT, at=NOW)])
    assert taken == (status is Status.UNKNOWN)
    assert state.invitations.get(key).status is (Status.SENT if taken else status)


def test_impossible_outcomes_are_refused(state: State) -> None:
    """A row cannot end as skipped or sending by a call, nor in two ways at once; nothing is recorded."""
    key = sending(state)
    sent = SendOutcome(id=key, status=Status.SENT, at=NOW)
    for outcomes in (
        [SendOutcome(id=key, status=Status.SKIPPED, at=NOW)],
        [SendOutcome(id=key, status=Status.SENDING, at=NOW)],
        [sent, SendOutcome(id=key, status=Status.FAILED, at=NOW)],
    ):
        with pytest.raises(ValueError, match=r"outcome|end of a call"):
            state.sending.settle(outcomes)
    assert state.invitations.get(key).status is Status.SENDING


def test_killed_between_intent_and_outcome(store: Store) -> None:
    """A process killed after a claim leaves the intent; it is found and never claimed again."""
    code = (
        "s = store.opened(); s.accounts.save(an_account(), now=NOW)\n"
        "ids = schedule(s, 1, 2); s.sending.claim([ids[1]], now=NOW); wait()"
    )
    kill(process(code, store))
    with store.opened(Mode.WRITE) as state:
        (row,) = state.queue.abandoned(now=LATER)
        assert row.order_id == 1
        assert state.sending.claim([row.id], now=NOW) == ()
        assert state.sending.settle([SendOutcome(id=row.id, status=Status.UNKNOWN, at=LATER)]) == 1
        assert state.queue.abandoned(now=LATER) == ()
        assert [each.order_id for each in state.queue.due(["1"], NOW + 1_000)] == [2]


def test_killed_after_the_outcome(store: Store) -> None:
    """An outcome that was committed survives the death of its process."""
    code = (
        "from ekomi_reconcile.model.invitation import Status\n"
        "s = store.opened(); s.accounts.save(an_account(), now=NOW)\n"
        "ids = schedule(s, 1); s.sending.claim([ids[1]], now=NOW)\n"
        "s.sending.settle([SendOutcome(id=ids[1], status=Status.SENT, at=NOW)]); wait()"
    )
    kill(process(code, store))
    with store.opened(Mode.READ) as state:
        assert state.queue.abandoned(now=LATER) == ()
        assert state.queue.rows_for("default", [1])[1][0].status is Status.SENT


@pytest.mark.sampled(2)
def test_killed_within_a_transaction(store: Store) -> None:
    """Of a transaction that was not committed nothing is left."""
    code = (
        "s = store.opened(); s.accounts.save(an_account(), now=NOW)\n"
        "with s.transaction():\n    schedule(s, *range(5000)); wait()"
    )
    kill(process(code, store))
    with store.opened(Mode.WRITE) as state:
        assert state.queue.counts() == {}
        assert check_database(state) == []


ACTIONS: dict[str, Callable[[State, int], Invitation]] = {
    "skip": lambda state, key: state.invitations.skip(key, now=NOW, actor="support"),
    "unskip": lambda state, key: state.invitations.unskip(key, now=NOW, actor="support"),
    "push": lambda state, key: state.invitations.push(key, now=NOW, actor="support"),
    "retry": lambda state, key: state.invitations.retry(key, now=NOW, actor="support"),
    "sent": lambda state, key: state.invitations.resolve(key, Resolution.SENT, now=NOW, actor="support"),
    "resend": lambda state, key: state.invitations.resolve(key, Resolution.RESEND, now=NOW, actor="support"),
}
ALLOWED = {
    ("skip", Status.PENDING): Status.SKIPPED,
    ("skip", Status.SKIPPED): Status.SKIPPED,
    ("skip", Status.CANCELLED): Status.SKIPPED,
    ("skip", Status.FAILED): Status.SKIPPED,
    ("unskip", Status.SKIPPED): Status.PENDING,
    ("push", Status.PENDING): Status.PENDING,
    ("retry", Status.FAILED): Status.PENDING,
    ("sent", Status.UNKNOWN): Status.SENT,
    ("resend", Status.UNKNOWN): Status.PENDING,
}


@pytest.mark.sampled(6)
@pytest.mark.parametrize("status", list(Status))
@pytest.mark.parametrize("action", list(ACTIONS))
def test_what_people_may_do(state: State, action: str, status: Status) -> None:
    """Each action fits some states; anywhere else it says why not, and changes nothing."""
    key = in_status(state, status)
    before = state.invitations.get(key)
    if (action, status) in ALLOWED:
        assert ACTIONS[action](state, key).status is ALLOWED[action, status]
    else:
        with pytest.raises(
            StateError, match=f"invitation {key} of order 100000001 is {status.value}"
        ) as caught:
            ACTIONS[action](state, key)
        assert caught.value.hint
        assert "{}" not in caught.value.hint
        assert state.invitations.get(key) == before


@pytest.mark.parametrize("action", list(ACTIONS))
def test_unknown_invitation(state: State, action: str) -> None:
    """An id that does not exist is told."""
    with pytest.raises(StateError, match="no invitation 999"):
        ACTIONS[action](state, 999)
    with pytest.raises(StateError, match="no invitation 999"):
        state.invitations.history(999)


def test_push_makes_a_row_due(state: State) -> None:
    """A pushed row is due at once, and says so in its history."""
    (key,) = schedule(state, 1, scheduled_at=NOW + 9_999).values()
    assert list(state.queue.due(["1"], NOW)) == []
    row = ACTIONS["push"](state, key)
    assert (row.pushed, row.scheduled_at) == (True, NOW)
    assert [each.id for each in state.queue.due(["1"], NOW)] == [key]
    last = state.invitations.history(key)[-1]
    assert (last.actor, last.detail) == ("support", "pushed")


def test_retry_starts_anew(state: State) -> None:
    """A retried row forgets its attempts; one that waits for another attempt need not wait."""
    key = sending(state)
    later = SendOutcome(id=key, status=Status.PENDING, at=NOW, failed_calls=3, next_attempt_at=NOW + 9_999)
    state.sending.settle([later])
    assert list(state.queue.due(["1"], NOW + 500)) == []
    assert ACTIONS["retry"](state, key).attempts == 0
    assert [row.id for row in state.queue.due(["1"], NOW + 500)] == [key]


def test_resolved_as_sent_keeps_the_instant_of_the_call(state: State) -> None:
    """A row resolved as sent was sent when its outcome got lost, not when a person said so."""
    key = in_status(state, Status.UNKNOWN)
    assert state.invitations.resolve(key, Resolution.SENT, now=NOW + 5_000, actor="support").sent_at == NOW


def test_skipping_a_cancelled_row_respects_the_other_account(state: State) -> None:
    """A cancelled row cannot become a second live row of its order."""
    (key,) = schedule(state, 1).values()
    state.schedule.cancel({key: "x"}, now=NOW)
    state.schedule.add([an_order(1, "2")], now=NOW)
    with pytest.raises(StateError, match="has another invitation"):
        ACTIONS["skip"](state, key)


@pytest.mark.parametrize(
    ("action", "status"),
    [("unskip", Status.SKIPPED), ("retry", Status.FAILED), ("resend", Status.UNKNOWN)],
)
def test_rows_of_a_deleted_account_stay(state: State, action: str, status: Status) -> None:
    """Without its account, no row becomes pending."""
    key = in_status(state, status)
    state.accounts.delete("1", now=NOW)
    with pytest.raises(StateError, match="was deleted"):
        ACTIONS[action](state, key)
    assert state.invitations.get(key).status is status
