"""Naming one invitation on the command line, by its id or its order, and changing it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ekomi_reconcile.cli.lists import write_one
from ekomi_reconcile.cli.session import load_configuration, writing
from ekomi_reconcile.errors import ReconcileError
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.render.invitations import Listed, invitation_json, invitation_text
from ekomi_reconcile.state.customers import subject_of
from ekomi_reconcile.state.identity import user
from ekomi_reconcile.state.records import InvitationFilter
from ekomi_reconcile.state.store import State

_BY_ID, _BY_ORDER = "id:", "order:"
_LONGEST_ID = 18
"""Digits that any database can hold."""


def listed(state: State, rows: Iterable[Invitation]) -> Iterator[Listed]:
    """The rows with the names of their accounts, of deleted ones too."""
    names = {each.interface_id: each.name for each in state.accounts(include_deleted=True)}
    return (Listed(names[row.interface_id], row) for row in rows)


def chosen(state: State, which: str) -> Invitation:
    """The invitation meant by ``5``, ``id:5``, ``100000123`` or ``order:100000123``.

    Raises:
        ReconcileError: there is none, or more than one is meant.
    """
    if which.startswith(_BY_ID):
        return state.invitation(_number(which.removeprefix(_BY_ID)))
    if which.startswith(_BY_ORDER):
        return _only(_of_order(state, which.removeprefix(_BY_ORDER)), which)
    of_order, by_id = _of_order(state, which), _with_id(state, which)
    if by_id is None:
        return _only(of_order, which)
    if any(row.id != by_id.id for row in of_order):
        raise ReconcileError(
            f"{which} is the id of an invitation and the number of another one's order",
            mend=f"write {_BY_ID}{which} or {_BY_ORDER}{which}",
        )
    return by_id


def change(
    which: str,
    act: Callable[..., Invitation],
    *,
    verb: str,
    form: str,
    lock_timeout: float,
    detail: str | None = None,
) -> None:
    """Let a person do ``act``, a method of the state, to one invitation, and write what it is now.

    The command and its ``detail`` are journaled; what changes nothing is not.
    """
    operation = f"invitations {verb}"
    with writing(load_configuration(), operation, lock_timeout=lock_timeout) as state:
        with state.transaction():
            before, now = chosen(state, which), instant.now()
            after = act(state, before.id, now=now, actor=user())
            if after != before:
                subject = subject_of(before.id, before.number)
                state.journal(operation, subject=subject, outcome=after.status.value, now=now, detail=detail)
                state.bump_serial()
        (shown,) = listed(state, [after])
    write_one(shown, form, as_text=invitation_text, as_json=invitation_json)


def _number(text: str) -> int:
    if not _is_id(text):
        raise ReconcileError(
            f'"{text}" is no id of an invitation', mend="see: ekomi-reconcile invitations list"
        )
    return int(text)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID


def _with_id(state: State, text: str) -> Invitation | None:
    return state.find_invitation(int(text)) if _is_id(text) else None


def _of_order(state: State, number: str) -> list[Invitation]:
    """The rows of the order with this number, of all accounts and shops; ``#`` before it does not count."""
    plain = number.removeprefix("#")
    rows = state.list_invitations(InvitationFilter(order=plain))
    return [row for row in rows if row.number.removeprefix("#") == plain]


def _only(rows: list[Invitation], which: str) -> Invitation:
    """Of several rows the one that is not cancelled."""
    live = [row for row in rows if row.status is not Status.CANCELLED] or rows
    if not live:
        raise ReconcileError(
            f"the state has no invitation {which}", mend="see: ekomi-reconcile invitations list --order ORDER"
        )
    if len(live) > 1:
        ids = ", ".join(f"{_BY_ID}{row.id}" for row in live)
        raise ReconcileError(f"{which} has {len(live)} invitations", mend=f"name one: {ids}")
    return live[0]
