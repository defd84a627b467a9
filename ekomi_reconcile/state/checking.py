"""Is a state sound: the database itself, and what its rows say."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import select

from ekomi_reconcile.errors import StateDamaged
from ekomi_reconcile.model.invitation import Evidence, Status
from ekomi_reconcile.state.content import ContentStore
from ekomi_reconcile.state.pushing import unlike_account
from ekomi_reconcile.state.store import State
from ekomi_reconcile.state.tables import invitation, invitation_history

_WORDS = (
    (invitation.c.status, Status),
    (invitation.c.reached_source, Evidence),
    (invitation_history.c.from_status, Status),
    (invitation_history.c.to_status, Status),
)


def check_state(state: State) -> list[str]:
    """What is wrong with a state, in words; empty if it is sound. Reads everything."""
    if found := state.check():
        return found
    try:
        return [*_accounts(state), *_words(state)]
    except StateDamaged as error:
        return [error.message]


def _accounts(state: State) -> Iterator[str]:
    try:
        records = state.accounts(include_deleted=True)
    except ValueError:
        yield "the settings of an account are no JSON"
        return
    for each in records:
        if wrong := unlike_account(each.desired):
            yield f"the settings of the account with interface id {each.interface_id} are damaged: {wrong}"


def _words(state: ContentStore) -> Iterator[str]:
    for column, words in _WORDS:
        known = {each.value for each in words}
        for word in state.values_of(select(column).distinct()):
            if word not in known:
                yield f"{column.table.name} holds a {column.name} that does not exist"
