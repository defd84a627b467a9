"""Accounts: names, tombstones, shop data, positions and observations."""

from __future__ import annotations

import pytest
from state_support import NOW, an_account, an_order, schedule

from ekomi_reconcile.model.account import AppliedAccount, PositionRecord
from ekomi_reconcile.model.errors import StateError
from ekomi_reconcile.model.invitation import Observation, Status
from ekomi_reconcile.model.review import ShopData
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.state.store import State

HERE = PositionRecord(source="default", rule_digest="sha256:a", cursor="c1", evaluated_at=NOW)


def names(state: State) -> dict[str, str]:
    return {each.interface_id: each.name for each in state.accounts.read()}


def test_saved_account_comes_back_as_applied(state: State) -> None:
    """What was applied is recorded in its canonical form, with the digest and the protection."""
    account = an_account(
        "3", "München", protect=True, tags=("b", "a"), invitations=InvitationRule(enabled=True)
    )
    key = state.accounts.save(account, now=NOW, password_digest="d1")
    record = state.accounts.read()[-1]
    assert (record.id, record.interface_id, record.name) == (key, "3", "München")
    assert record.desired == account.canonical()
    assert (record.password_digest, record.protect, record.created_at) == ("d1", True, NOW)
    assert record.shop == ShopData()


def test_update_keeps_id_and_what_is_not_said(state: State) -> None:
    """An update changes the account in place; without a password digest the recorded one stays."""
    key = state.accounts.save(an_account("3"), now=NOW, password_digest="d1")
    assert state.accounts.save(an_account("3", "Renamed"), now=NOW + 9) == key
    record = state.accounts.read()[-1]
    assert (record.name, record.password_digest) == ("Renamed", "d1")
    assert (record.created_at, record.updated_at) == (NOW, NOW + 9)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", ["Account 1", "ACCOUNT 1", "account 1"])
def test_names_of_live_accounts_are_unique(state: State, name: str) -> None:
    """A name that differs only in letter case is taken; the refusal changes nothing."""
    with pytest.raises(StateError, match="interface id 1"):
        state.accounts.save(an_account("3", name), now=NOW)
    assert names(state) == {"1": "Account 1", "2": "Account 2"}


def test_letter_case_beyond_ascii(state: State) -> None:
    """Letter case is folded in every script."""
    state.accounts.save(an_account("3", "MÜNCHEN"), now=NOW)
    with pytest.raises(StateError, match="MÜNCHEN"):
        state.accounts.save(an_account("4", "münchen"), now=NOW)


def test_accounts_swap_names_when_saved_together(state: State) -> None:
    """A swap of names is an ordinary change."""
    swapped = [an_account("1", "Account 2"), an_account("2", "Account 1")]
    state.accounts.save_all([AppliedAccount(account=each) for each in swapped], now=NOW)
    assert names(state) == {"1": "Account 2", "2": "Account 1"}


def test_deleted_account_is_a_tombstone_that_revives(state: State) -> None:
    """A deleted account frees its name and keeps its rows; adding it again revives the same id."""
    before = state.accounts.read()[0]
    state.accounts.delete("1", now=NOW)
    state.accounts.save(an_account("3", before.name), now=NOW)
    (tombstone,) = [each for each in state.accounts.read(include_deleted=True) if each.deleted_at]
    assert (tombstone.id, tombstone.deleted_at) == (before.id, NOW)
    assert "1" not in names(state)
    assert state.accounts.save(an_account("1", "Back"), now=NOW + 5) == before.id
    assert names(state)["1"] == "Back"


def test_deleting_cancels_what_is_pending(state: State) -> None:
    """Deleting cancels the pending rows, with the reason and their history, and keeps all others."""
    ids = schedule(state, 1, 2, 3)
    state.invitations.skip(ids[3], now=NOW, actor="support")
    state.positions.save({"1": HERE})
    assert state.accounts.delete("1", now=NOW + 5, actor="someone") == 2
    rows = [state.invitations.get(key) for key in ids.values()]
    assert [row.status for row in rows] == [Status.CANCELLED, Status.CANCELLED, Status.SKIPPED]
    assert rows[0].reason == "account_deleted"
    assert state.invitations.history(ids[1])[-1].actor == "someone"
    state.accounts.save(an_account("1"), now=NOW)
    assert state.positions.read() == {}
    assert state.schedule.add([an_order(1)], now=NOW).revived == 1


def test_unknown_or_deleted_accounts_are_refused(state: State) -> None:
    """Writing for an account that is not there is an error, not a silent nothing."""
    state.accounts.delete("2", now=NOW)
    for key in ("2", "77"):
        for write in (
            lambda key=key: state.accounts.delete(key, now=NOW),
            lambda key=key: state.accounts.record_shop_data(key, ShopData(), now=NOW),
            lambda key=key: state.accounts.record_error(key, "x", now=NOW),
            lambda key=key: state.positions.save({key: HERE}),
            lambda key=key: state.schedule.add([an_order(1, key)], now=NOW),
        ):
            with pytest.raises(StateError, match=f"interface id {key}"):
                write()


def test_sync_is_recorded_and_ends_the_error(state: State) -> None:
    """A failure stays with its account until the next sync that succeeds."""
    state.accounts.record_error("1", "credentials refused", now=NOW)
    failed = state.accounts.read()[0]
    assert (failed.last_error, failed.last_error_at) == ("credentials refused", NOW)
    shop = ShopData(account_name="Shop", total_reviews=12, average_score=4.5, active=True)
    state.accounts.record_shop_data("1", shop, now=NOW + 1)
    synced = state.accounts.read()[0]
    assert (synced.shop, synced.last_fetched_at, synced.last_error) == (shop, NOW + 1, None)
    assert synced.shop.active is True


def test_rolled_back_account_is_not_remembered(state: State) -> None:
    """After a transaction that failed, an account made in it is unknown everywhere."""

    def attempt() -> None:
        with state.transaction():
            state.accounts.save(an_account("3"), now=NOW)
            state.schedule.add([an_order(1, "3")], now=NOW)
            raise LookupError

    with pytest.raises(LookupError):
        attempt()
    with pytest.raises(StateError, match="interface id 3"):
        state.schedule.add([an_order(1, "3")], now=NOW)


def test_serial_counts(state: State) -> None:
    """The serial moves by one, and only when asked."""
    assert state.meta.read().serial == 0
    assert [state.meta.bump_serial(), state.meta.bump_serial()] == [1, 2]
    schedule(state, 1)
    assert state.meta.read().serial == 2


def test_positions_are_kept_per_account(state: State) -> None:
    """The last position of each account stays; accounts without one are left out."""
    later = PositionRecord(source="eu", rule_digest="sha256:b", cursor="c2", evaluated_at=NOW + 1)
    state.positions.save({"1": HERE})
    assert state.positions.read() == {"1": HERE}
    state.positions.save({"1": later, "2": HERE})
    assert state.positions.read() == {"1": later, "2": HERE}


def seen(order_id: int, status: str, since: int, *, moved: bool = False) -> Observation:
    return Observation(source="default", order_id=order_id, status=status, since=since, moved=moved)


def test_an_observation_never_moves_back(state: State) -> None:
    """A status noted again takes the later instant; another status replaces it."""
    state.positions.observe(
        [seen(key, "pending", 10) for key in (1, 2, 3)] + [seen(4, "pending", 10, moved=True)]
    )
    state.positions.observe([seen(1, "pending", 20), seen(2, "processing", 20, moved=True)])
    state.positions.observe([seen(3, "pending", 9), seen(4, "pending", 20)])
    assert state.queue.observations("default", [1, 2, 3, 4, 5]) == {
        1: seen(1, "pending", 20),
        2: seen(2, "processing", 20, moved=True),
        3: seen(3, "pending", 10),
        4: seen(4, "pending", 10, moved=True),
    }
    assert state.queue.observations("other", [1, 2]) == {}


def test_observations_are_forgotten(state: State) -> None:
    """What is no longer needed is forgotten by its age, in bounded steps."""
    state.positions.observe([seen(key, "pending", key) for key in range(1, 1_200)])
    assert [state.positions.forget_observations(before=1_000, most=600) for _ in range(3)] == [600, 399, 0]
    assert min(state.queue.observations("default", range(2_000))) == 1_000
    assert len(state.queue.observations("default", range(2_000))) == 200
