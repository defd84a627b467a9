"""Change one invitation, or many at once with ``--where``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, cast, get_args

import click
import msgspec

from ekomi_reconcile.cli.lists import write_list, write_one
from ekomi_reconcile.cli.options import Command, interactive, interruptible, option, options
from ekomi_reconcile.cli.session import load_configuration, writing
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.diagnostics import did_you_mean
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.document import Count, Time
from ekomi_reconcile.model.errors import ReconcileError, StateError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation, InvitationFilter, Status
from ekomi_reconcile.model.order import OrderId, id_rank
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.render import invitations
from ekomi_reconcile.render.tables import plural
from ekomi_reconcile.state.engine.lock import user
from ekomi_reconcile.state.repositories.customers import subject_of
from ekomi_reconcile.state.store import State

_BY_ID, _BY_ORDER = "id:", "order:"
_LONGEST_ID = 18
"""Digits that any database can hold."""


def listed(
    state: State, rows: Iterable[Invitation], configuration: Configuration
) -> Iterator[invitations.Listed]:
    """The rows with the names of their accounts, of deleted ones too, and when pending ones can leave."""
    schedule = SendingSchedule(configuration.accounts, configuration.project.timezone)
    now = instant.now()
    names = {each.interface_id: each.name for each in state.accounts.read(include_deleted=True)}
    return (
        invitations.Listed(names[row.interface_id], row, schedule.of_pending(row, now=now)) for row in rows
    )


def chosen(state: State, which: str) -> Invitation:
    """The invitation meant by ``5``, ``id:5``, ``100000123`` or ``order:100000123``.

    Raises:
        ReconcileError: there is none, or more than one is meant.
    """
    if which.startswith(_BY_ID):
        return state.invitations.get(_number(which.removeprefix(_BY_ID)))
    if which.startswith(_BY_ORDER):
        return _only(_of_order(state, which.removeprefix(_BY_ORDER)), which)
    of_order, by_id = _of_order(state, which), _with_id(state, which)
    if by_id is None:
        return _only(of_order, which)
    if any(row.id != by_id.id for row in of_order):
        raise ReconcileError(
            f"{which} is the id of an invitation and the number of another one's order",
            hint=f"write {_BY_ID}{which} or {_BY_ORDER}{which}",
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
    """Let a person do ``act`` of ``InvitationRepository`` to one invitation, and write what it is now.

    The command and its ``detail`` are journaled; what changes nothing is not.
    """
    operation = f"invitations {verb}"
    configuration = load_configuration()
    with writing(configuration, operation, lock_timeout=lock_timeout) as state:
        with state.transaction():
            before, now = chosen(state, which), instant.now()
            after = act(state.invitations, before.id, now=now, actor=user())
            if after != before:
                subject = subject_of(before.id, before.number)
                state.journal.add(
                    operation, subject=subject, outcome=after.status.value, now=now, detail=detail
                )
                state.meta.bump_serial()
        (shown,) = listed(state, [after], configuration)
    write_one(shown, form, as_text=invitations.invitation_text, as_json=invitations.invitation_json)


def _number(text: str) -> int:
    if not _is_id(text):
        raise ReconcileError(
            f'"{text}" is not the id of an invitation', hint="see: ekomi-reconcile invitations list"
        )
    return int(text)


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID


def _with_id(state: State, text: str) -> Invitation | None:
    return state.invitations.find(int(text)) if _is_id(text) else None


def _of_order(state: State, number: str) -> list[Invitation]:
    """The rows of the order with this number, of all accounts and shops; ``#`` before it does not count."""
    plain = number.removeprefix("#")
    rows = state.invitations.search(InvitationFilter(order=plain))
    return [row for row in rows if row.number.removeprefix("#") == plain]


def _only(rows: list[Invitation], which: str) -> Invitation:
    """Of several rows the one that is not cancelled."""
    live = [row for row in rows if row.status is not Status.CANCELLED] or rows
    if not live:
        raise ReconcileError(
            f"the state has no invitation {which}", hint="see: ekomi-reconcile invitations list --order ORDER"
        )
    if len(live) > 1:
        ids = ", ".join(f"{_BY_ID}{row.id}" for row in live)
        raise ReconcileError(f"{which} has {len(live)} invitations", hint=f"name one: {ids}")
    return live[0]


_FORM: Final = re.compile(r"\s*([A-Za-z_]+)\s*(!=|[=~<>])\s*(.*?)\s*", re.S)
_NUMBERS: Final = (Count, Count | None)
_TIMES: Final = (Time, Time | None)
_OPERATORS: Final = "= != ~ < >"


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """One ``--where``: a column of the list, an operator and what the column is compared with.

    An absent value equals the empty text, and is neither below nor above anything.
    """

    key: str
    operator: str
    wanted: str | int

    def holds(self, columns: invitations.InvitationEntry) -> bool:
        """Does it hold for an invitation with these columns, as ``invitations list`` has them?"""
        found, wanted = getattr(columns, self.key), cast("Any", self.wanted)
        if self.key == "order_id" and self.operator != "~":
            found, wanted = id_rank(found), id_rank(wanted)
        if self.operator == "~":
            return found is not None and wanted.casefold() in str(found).casefold()
        if isinstance(found, str) and isinstance(wanted, int):
            found = instant.parse(found)
        if self.operator in ("<", ">"):
            below, above = (found, wanted) if self.operator == "<" else (wanted, found)
            return found is not None and bool(below < above)
        is_equal: bool = ("" if found is None else found) == wanted
        return is_equal == (self.operator == "=")


class WhereType(click.ParamType[ColumnTest]):
    """``status=unknown``, ``account~shop``, ``scheduled_at<2026-11-30``, ``attempts>2``."""

    name = "test"

    def convert(
        self, value: str | ColumnTest, param: click.Parameter | None, ctx: click.Context | None
    ) -> ColumnTest:
        """The test; whatever could never hold is a wrong command line."""
        if isinstance(value, ColumnTest):
            return value
        parts = _FORM.fullmatch(value)
        if parts is None or parts[3].startswith(("=", "~")):
            self.fail(f"expected KEY OP VALUE with one of {_OPERATORS}, got {value!r}", param, ctx)
        key, operator, wanted = parts.groups()
        fields = {each.encode_name: each.type for each in msgspec.structs.fields(invitations.InvitationEntry)}
        if key not in fields:
            guess = did_you_mean(key, fields)
            hint = f"did you mean {guess!r}?" if guess else f"the columns are: {', '.join(fields)}"
            self.fail(f"unknown column {key!r}; {hint}", param, ctx)
        try:
            return ColumnTest(key, operator, _wanted(fields[key], operator, wanted))
        except ValueError as problem:
            self.fail(f"{value!r}: {problem}", param, ctx)


def _wanted(kind: Any, operator: str, text: str) -> str | int:
    """What a column is compared with, as the column has it.

    Raises:
        ValueError: such a column never has that value.
    """
    may_be_absent = type(None) in get_args(kind)
    if operator == "~" or (not text and may_be_absent and operator in ("=", "!=")):
        return text
    if kind == OrderId:
        return text
    if kind in _NUMBERS:
        if not re.fullmatch("[0-9]{1,18}", text):
            raise ValueError("expected a whole number")
        return int(text)
    if kind in _TIMES:
        try:
            return instant.parse(text)
        except (ValueError, OverflowError):
            raise ValueError("expected a time such as 2026-11-30 or 2026-11-30T12:00:00Z") from None
    if operator in ("<", ">"):
        raise ValueError("< and > compare numbers and times only")
    if isinstance(kind, type) and issubclass(kind, StrEnum) and text not in list(kind):
        raise ValueError(f"expected one of {', '.join(kind)}")
    return text


def bulk_options(command: Command) -> Command:
    """``--where`` and ``--expect``."""
    command = option(
        "--expect",
        type=click.IntRange(0),
        metavar="N",
        env=False,
        help="With --where: how many invitations must match. Required without a terminal.",
    )(command)
    return option(
        "--where",
        "tests",
        type=WhereType(),
        multiple=True,
        metavar="TEST",
        env=False,
        help="Change all invitations that match, e.g. status=unknown; if repeated, all must match.",
    )(command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Which invitations to change: where every test holds, ``expect`` of them if that is given."""

    tests: Sequence[ColumnTest]
    expect: int | None


def check_selection(which: str | None, tests: Sequence[ColumnTest], expect: int | None) -> None:
    """Refuse a command line that names no invitation, or names some in two ways.

    Raises:
        UsageError: it does.
    """
    if which is not None and tests:
        raise click.UsageError("name one invitation, or select with --where; not both.")
    if which is None and not tests:
        raise click.UsageError("name an invitation (ID or ORDER), or select some with --where.")
    if expect is not None and not tests:
        raise click.UsageError("--expect goes with --where.")


def change_many(
    selected: Selected,
    act: Callable[..., Invitation],
    *,
    verb: str,
    form: str,
    lock_timeout: float,
    detail: str | None = None,
) -> None:
    """Do ``act`` of ``InvitationRepository`` to all selected invitations in one transaction; list them.

    Every change is journaled with the command and its ``detail``; what changes nothing is not.

    Raises:
        ReconcileError: another number is selected than expected, or one of them does not allow it; then
            nothing is changed.
    """
    operation = f"invitations {verb}"
    configuration = load_configuration()
    with writing(configuration, operation, lock_timeout=lock_timeout) as state:
        expect = selected.expect
        if expect is None:
            expect = _confirmed(len(_matching(state, selected.tests, configuration)), verb)
        with state.transaction():
            rows, now = _matching(state, selected.tests, configuration), instant.now()
            if len(rows) != expect:
                raise _wrong_number(len(rows), expect)
            after = [_acted(act, state, row, now) for row in rows]
            changed = [each for before, each in zip(rows, after, strict=True) if each != before]
            for each in changed:
                subject = subject_of(each.id, each.number)
                state.journal.add(
                    operation, subject=subject, outcome=each.status.value, now=now, detail=detail
                )
            if changed:
                state.meta.bump_serial()
        shown = list(listed(state, after, configuration))
    _write(shown, form, changed=len(changed))


def _acted(act: Callable[..., Invitation], state: State, row: Invitation, now: Instant) -> Invitation:
    try:
        return act(state.invitations, row.id, now=now, actor=user())
    except StateError as refusal:
        raise ReconcileError(
            f"{refusal.message}; none was changed",
            hint="exclude it with another --where, such as --where status=pending",
        ) from None


def _matching(state: State, tests: Sequence[ColumnTest], configuration: Configuration) -> list[Invitation]:
    statuses = [Status(str(each.wanted)) for each in tests if (each.key, each.operator) == ("status", "=")]
    wanted = InvitationFilter(statuses=frozenset(statuses) if len(statuses) == 1 else None)
    found = listed(state, state.invitations.search(wanted), configuration)
    return [each.row for each in _that_hold(found, tests)]


def _that_hold(
    found: Iterable[invitations.Listed], tests: Sequence[ColumnTest]
) -> Iterator[invitations.Listed]:
    for each in found:
        columns = invitations.listed_json(each)
        if all(test.holds(columns) for test in tests):
            yield each


def _confirmed(count: int, verb: str) -> int:
    """The number, after somebody has agreed to it.

    Raises:
        ReconcileError: no terminal to confirm on, or the answer was not yes.
    """
    what = plural(count, "invitation")
    if not interactive():
        raise ReconcileError(
            f"{what} {_match(count)}, and no terminal to confirm on",
            hint=f"if this number is right, run again with --expect {count}",
        )
    with interruptible():
        click.echo(f"{verb} {what}? Only 'yes' will be accepted: ", err=True, nl=False)
        if sys.stdin.readline().strip() == "yes":
            return count
    raise ReconcileError("cancelled; no invitation was changed", hint="answer `yes` to continue")


def _match(count: int) -> str:
    return "matches" if count == 1 else "match"


def _wrong_number(count: int, expect: int) -> ReconcileError:
    return ReconcileError(
        f"{plural(count, 'invitation')} {_match(count)}, {expect} expected; none was changed",
        hint=f"see them with `ekomi-reconcile invitations list`; if they are right: --expect {count}",
    )


def _write(shown: list[invitations.Listed], form: str, *, changed: int) -> None:
    write_list(
        shown,
        form,
        layout=invitations.LAYOUT,
        as_row=invitations.listed_row,
        as_json=invitations.listed_json,
        nothing="No invitation matches.",
    )
    if not options().quiet:
        click.echo(f"{plural(changed, 'invitation')} changed.", err=True)
