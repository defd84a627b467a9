"""Changing many invitations at once: those for which every ``--where`` holds, all of them or none."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import click

from ekomi_reconcile.cli.globals import Command, interactive, option, options
from ekomi_reconcile.cli.lists import write_list
from ekomi_reconcile.cli.one_invitation import listed
from ekomi_reconcile.cli.session import interruptible, load_configuration, writing
from ekomi_reconcile.config.diagnostics import did_you_mean
from ekomi_reconcile.errors import ReconcileError, StateError
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.shape import COUNT, TIME, maybe
from ekomi_reconcile.render.invitations import LAYOUT, Listed, listed_json, listed_row
from ekomi_reconcile.render.schemas.rows import invitation_fields
from ekomi_reconcile.render.style import plural
from ekomi_reconcile.state.customers import subject_of
from ekomi_reconcile.state.identity import user
from ekomi_reconcile.state.records import InvitationFilter
from ekomi_reconcile.state.store import State

_FORM: Final = re.compile(r"\s*([A-Za-z_]+)\s*(!=|[=~<>])\s*(.*?)\s*", re.S)
_NUMBERS: Final = (COUNT, maybe(COUNT))
_TIMES: Final = (TIME, maybe(TIME))
_OPERATORS: Final = "= != ~ < >"


@dataclass(frozen=True, slots=True)
class ColumnTest:
    """One ``--where``: a column of the list, an operator and what the column is compared with.

    An absent value equals the empty text, and is neither below nor above anything.
    """

    key: str
    operator: str
    wanted: str | int

    def holds(self, columns: dict[str, Any]) -> bool:
        """Does it hold for an invitation with these columns, as ``invitations list`` has them?"""
        found, wanted = columns[self.key], cast("Any", self.wanted)
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
        fields = invitation_fields()
        if key not in fields:
            guess = did_you_mean(key, fields)
            hint = f"did you mean {guess!r}?" if guess else f"the columns are: {', '.join(fields)}"
            self.fail(f"unknown column {key!r}; {hint}", param, ctx)
        try:
            return ColumnTest(key, operator, _wanted(fields[key], operator, wanted))
        except ValueError as problem:
            self.fail(f"{value!r}: {problem}", param, ctx)


def _wanted(field: Any, operator: str, text: str) -> str | int:
    """What a column is compared with, as the column has it.

    Raises:
        ValueError: such a column never has that value.
    """
    if operator == "~" or (not text and operator in ("=", "!=")):
        return text
    if field in _NUMBERS:
        if not re.fullmatch("[0-9]{1,18}", text):
            raise ValueError("expected a whole number")
        return int(text)
    if field in _TIMES:
        try:
            return instant.parse(text)
        except (ValueError, OverflowError):
            raise ValueError("expected a time such as 2026-11-30 or 2026-11-30T12:00:00Z") from None
    if operator in ("<", ">"):
        raise ValueError("< and > compare numbers and times only")
    words = field.get("enum") if isinstance(field, dict) else None
    if words and text not in words:
        raise ValueError(f"expected one of {', '.join(map(str, words))}")
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
        help="Change all invitations that match, such as status=unknown; may be repeated, all must hold.",
    )(command)


@dataclass(frozen=True, slots=True, kw_only=True)
class Selected:
    """Which invitations to change: where every test holds, ``expect`` of them if that is given."""

    tests: Sequence[ColumnTest]
    expect: int | None


def check_selection(which: str | None, tests: Sequence[ColumnTest], expect: int | None) -> None:
    """Refuse a command line that names no invitation, or names some in two ways."""
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
    """Do ``act``, a method of the state, to every selected invitation in one transaction, and list them.

    Every change is journaled with the command and its ``detail``; what changes nothing is not.

    Raises:
        ReconcileError: another number is selected than expected, or one of them does not allow it; then
            nothing is changed.
    """
    operation = f"invitations {verb}"
    with writing(load_configuration(), operation, lock_timeout=lock_timeout) as state:
        expect = selected.expect
        if expect is None:
            expect = _confirmed(len(_matching(state, selected.tests)), verb)
        with state.transaction():
            rows, now = _matching(state, selected.tests), instant.now()
            if len(rows) != expect:
                raise _wrong_number(len(rows), expect)
            after = [_acted(act, state, row, now) for row in rows]
            changed = [each for before, each in zip(rows, after, strict=True) if each != before]
            for each in changed:
                subject = subject_of(each.id, each.number)
                state.journal(operation, subject=subject, outcome=each.status.value, now=now, detail=detail)
            if changed:
                state.bump_serial()
        shown = list(listed(state, after))
    _write(shown, form, changed=len(changed))


def _acted(act: Callable[..., Invitation], state: State, row: Invitation, now: Instant) -> Invitation:
    try:
        return act(state, row.id, now=now, actor=user())
    except StateError as refusal:
        raise ReconcileError(
            f"{refusal.message}; none was changed",
            mend="leave it out with one more --where, such as --where status=pending",
        ) from None


def _matching(state: State, tests: Sequence[ColumnTest]) -> list[Invitation]:
    statuses = [Status(str(each.wanted)) for each in tests if (each.key, each.operator) == ("status", "=")]
    wanted = InvitationFilter(statuses=frozenset(statuses) if len(statuses) == 1 else None)
    return [each.row for each in _that_hold(listed(state, state.list_invitations(wanted)), tests)]


def _that_hold(found: Iterable[Listed], tests: Sequence[ColumnTest]) -> Iterator[Listed]:
    for each in found:
        columns = listed_json(each)
        if all(test.holds(columns) for test in tests):
            yield each


def _confirmed(count: int, verb: str) -> int:
    """The number, after somebody has agreed to it.

    Raises:
        ReconcileError: there is no terminal to confirm on, or the answer was not yes.
    """
    what = plural(count, "invitation")
    if not interactive():
        raise ReconcileError(
            f"{what} match, and there is no terminal to confirm on",
            mend=f"if that is right, run again with --expect {count}",
        )
    with interruptible():
        click.echo(f"{verb} {what}? Only 'yes' will be accepted: ", err=True, nl=False)
        if sys.stdin.readline().strip() == "yes":
            return count
    raise ReconcileError("cancelled; no invitation was changed", mend="answer `yes` to go on")


def _wrong_number(count: int, expect: int) -> ReconcileError:
    return ReconcileError(
        f"{plural(count, 'invitation')} match, {expect} expected; none was changed",
        mend=f"see them with `ekomi-reconcile invitations list`; if they are right: --expect {count}",
    )


def _write(shown: list[Listed], form: str, *, changed: int) -> None:
    write_list(
        shown, form, layout=LAYOUT, as_row=listed_row, as_json=listed_json, nothing="No invitation matches."
    )
    if not options().quiet:
        click.echo(f"{plural(changed, 'invitation')} changed.", err=True)
