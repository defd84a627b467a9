"""Differences between files and state."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_examples import account

from ekomi_reconcile.model.account import AccountRecord
from ekomi_reconcile.model.errors import PlanError
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.plan.diff import Desired, diff
from ekomi_reconcile.plan.plan import Action


def recorded(each, *, digest="d1", deleted_at=None):
    """The record that applying this account leaves."""
    return AccountRecord(
        id=1,
        interface_id=each.interface_id,
        name=each.name,
        desired=each.canonical(),
        password_digest=digest,
        protect=each.protect,
        created_at=1,
        updated_at=1,
        deleted_at=deleted_at,
    )


def test_an_account_like_its_record_is_no_change():
    """Equal is no change, also where the secret was not looked at."""
    assert diff([Desired(account(), "d1")], [recorded(account())]) == ()
    assert diff([Desired(account(), None)], [recorded(account())]) == ()


def test_only_differing_keys_are_named():
    """A change names the key paths that differ, nested ones too."""
    other = account(invitations=InvitationRule(enabled=True, pending_period=7))
    (change,) = diff([Desired(other)], [recorded(account())])
    assert change.action is Action.UPDATE
    assert change.changed == ("invitations.pending_period", "invitations.conditions")


def test_another_password_behind_the_same_reference_is_a_change():
    """The digest tells that the secret changed; what is shown stays masked."""
    (change,) = diff([Desired(account(), "d2")], [recorded(account())])
    assert change.changed == ("interface_password",)
    assert change.before["interface_password"] == change.after["interface_password"] == "(sensitive)"


def test_order_of_lists_is_no_change():
    """Sets are compared as sets: tags in another order change nothing."""
    one, other = account(tags=("a", "b")), account(tags=("b", "a", "b"))
    assert diff([Desired(one)], [recorded(other)]) == ()


def test_a_missing_file_deletes_and_comes_back_revived():
    """A record without a file is a delete; a tombstone with a file is a create that says so."""
    (gone,) = diff([], [recorded(account())])
    assert gone.action is Action.DELETE
    (back,) = diff([Desired(account())], [recorded(account(), deleted_at=5)])
    assert (back.action, back.reason) == (Action.CREATE, "revived")
    assert diff([], [recorded(account(), deleted_at=5)]) == ()


def test_swapped_names_are_two_renames():
    """Identity is the interface id: two accounts that swap names are both updated in place."""
    a, b = account("A", "1"), account("B", "2")
    swapped = [Desired(replace(a, name="B")), Desired(replace(b, name="A"))]
    changes = diff(swapped, [recorded(a), recorded(b)])
    assert [(each.action, each.previous_name) for each in changes] == [
        (Action.UPDATE, "A"),
        (Action.UPDATE, "B"),
    ]


def test_a_new_id_under_a_known_name_is_refused():
    """The name is known and the old id is gone: immutable, unless a replacement is asked for."""
    with pytest.raises(PlanError, match="immutable") as refusal:
        diff([Desired(account("Germany", "2"))], [recorded(account("germany", "1"))])
    assert "--replace Germany" in refusal.value.hint
    (change,) = diff(
        [Desired(account("Germany", "2"))], [recorded(account("germany", "1"))], replaces=["Germany"]
    )
    assert (change.action, change.previous_id, change.removes) == (Action.REPLACE, "1", "1")


def test_protection_of_the_record_counts():
    """What blocks is the protection that was applied, not the one in a file that is gone."""
    (change,) = diff([], [recorded(account(protect=True))])
    assert change.blocked


def test_replacing_an_unknown_name_is_refused():
    """--replace of a name that is not in the files says so."""
    with pytest.raises(PlanError, match="no account of this name"):
        diff([], [], replaces=["Nobody"])


@given(
    st.lists(st.integers(1, 6), unique=True),
    st.lists(st.integers(1, 6), unique=True),
    st.sampled_from([0, 5]),
)
def test_a_diff_is_complete_and_empty_once_applied(wanted, known, period):
    """Creates, updates and deletes are exactly the set differences; applied, nothing remains."""
    rule = InvitationRule(enabled=True, pending_period=period)
    desired = [Desired(account(f"N{key}", str(key), invitations=rule)) for key in wanted]
    state = [
        recorded(account(f"N{key}", str(key), invitations=InvitationRule(enabled=True))) for key in known
    ]
    found = {(each.action, int(each.interface_id)) for each in diff(desired, state)}
    assert found == (
        {(Action.CREATE, key) for key in set(wanted) - set(known)}
        | {(Action.UPDATE, key) for key in set(wanted) & set(known)}
        | {(Action.DELETE, key) for key in set(known) - set(wanted)}
    )
    assert diff(desired, [recorded(each.account) for each in desired]) == ()
