"""``invitations`` and ``mark-sent``: lists, history, and what another tool sent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from ekomi_reconcile.cli import invitation_changes, lists, session
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.files import read_file
from ekomi_reconcile.cli.main import Exit, LazyGroup
from ekomi_reconcile.cli.options import FilePath, common, option, options
from ekomi_reconcile.cli.session import load_configuration, reading
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.invitation import Invitation, InvitationFilter, Resolution, Status
from ekomi_reconcile.model.run import NewState
from ekomi_reconcile.reconcile.planning import digester, read_privacy
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.render import invitations as render_invitations
from ekomi_reconcile.render import state as render_state
from ekomi_reconcile.render.invitations import SentImport, sent_import_json, sent_import_text
from ekomi_reconcile.sent_import import Adoption, BadLine, SentRequest, read_past
from ekomi_reconcile.state.engine.lock import user
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.repositories.invitations import InvitationRepository
from ekomi_reconcile.state.repositories.schedule import Adopted, Standing
from ekomi_reconcile.state.store import State

_OPERATION = "invitations mark-sent"
_LARGEST = 1 << 29


@click.command("mark-sent")
@click.argument("file", type=FilePath(dir_okay=False, allow_dash=True, path_type=Path))
@option("--source", metavar="NAME", help="The order source, for orders whose account does not determine it.")
@option(
    "--account",
    metavar="NAME",
    shell_complete=account_completions,
    help="The account, for orders without one in FILE.",
)
@option("--keep-going", is_flag=True, help="Skip unusable lines; without this flag one of them stops it.")
@option("--new-state", env=False, is_flag=True, help="Create a new state where there is none.")
@option("--dry-run", is_flag=True, help="Only show what it would do.")
@lists.lock_timeout_option
@lists.format_option
@common()
def mark_sent(
    file: Path,
    source: str | None,
    account: str | None,
    keep_going: bool,
    new_state: bool,
    dry_run: bool,
    lock_timeout: int,
    form: str,
) -> int:
    """Mark orders as sent that another tool has invited, so that they are never invited again.

    FILE is CSV with a header, or JSON lines; - is stdin. A column `order` holds the order number, or
    `order_id` the id; `account` and `date` are optional. Orders are looked up in their order source.
    """
    entries, bad = read_past(_read(file), now=instant.now())
    configuration = session.load_configuration()
    _check_source(configuration, source)
    if account is not None:
        account = lists.choose_one(account, lists.written_in(configuration))
    find = partial(_found, configuration, entries, bad, source=source, account=account)
    if dry_run:
        with session.reading_if_any(configuration) as state:
            past = _compared(find(state), state)
        past = replace(past, dry_run=True)
    elif new_state and not session.existing_state(configuration):
        past = _into_new_state(configuration, find, keep_going=keep_going, lock_timeout=lock_timeout)
    else:
        with session.writing(
            configuration, _OPERATION, new_state=new_state, lock_timeout=lock_timeout
        ) as state:
            past = _into(configuration, find(state), state, keep_going=keep_going)
    lists.write_one(past, form, as_text=sent_import_text, as_json=sent_import_json)
    return Exit.ERROR if past.bad else Exit.OK


def _read(file: Path) -> bytes:
    if str(file) == "-":
        return sys.stdin.buffer.read(_LARGEST)
    return read_file(options().directory / file, limit=_LARGEST)


def _check_source(configuration: Configuration, source: str | None) -> None:
    known = configuration.project.orders
    if source is not None and source not in known:
        raise ReconcileError(
            f"unknown order source {source}", hint=f"order sources: {', '.join(sorted(known)) or 'none'}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """The orders that the lines of FILE are about, and the lines that cannot be used."""

    orders: Sequence[Adopted]
    bad: Sequence[BadLine]


def _into_new_state(
    configuration: Configuration,
    find: Callable[[NewState], _Found],
    *,
    keep_going: bool,
    lock_timeout: float,
) -> SentImport:
    """Create the state once there is something to write: a refused file leaves nothing behind."""
    new = session.new_state_of(configuration)
    found = find(new)
    if found.bad and not keep_going:
        return _compared(found, None)
    with session.creating(configuration, _OPERATION, new, accept_lost=True, lock_timeout=lock_timeout) as (
        state,
        _,
    ):
        return _into(configuration, found, state, keep_going=keep_going)


def _into(configuration: Configuration, found: _Found, state: State, *, keep_going: bool) -> SentImport:
    if found.bad and not keep_going:
        return _compared(found, state)
    return _past(_adopt(configuration, state, found.orders), found.bad, written=True)


def _compared(found: _Found, state: State | None) -> SentImport:
    """What would be written, where nothing is."""
    standing = (
        [Standing.NEW for _ in found.orders] if state is None else state.sent_import.standing(found.orders)
    )
    return _past(standing, found.bad, written=False)


def _found(
    configuration: Configuration,
    entries: Sequence[SentRequest],
    bad: Sequence[BadLine],
    state: State | NewState | None,
    *,
    source: str | None,
    account: str | None,
) -> _Found:
    with Sources(configuration) as sources:
        adoption = Adoption(
            accounts=configuration.accounts,
            names=sorted(configuration.project.orders),
            open_source=sources.get,
            customer=read_privacy(configuration, digester(state, Purpose.CUSTOMER)).customer,
            source=source,
            account=account,
        )
        orders, unknown = adoption.find(entries)
    return _Found(orders=orders, bad=[*bad, *unknown])


def _adopt(configuration: Configuration, state: State, orders: Sequence[Adopted]) -> list[Standing]:
    now = instant.now()
    with state.transaction():
        _introduce(configuration, state, {each.interface_id for each in orders}, now=now)
        standing = state.sent_import.adopt(orders, now=now, actor=user())
        if marked := sum(each is not Standing.PRESENT for each in standing):
            state.journal.add(_OPERATION, outcome=f"{marked} marked as sent", now=now)
            state.meta.bump_serial()
    return standing


def _introduce(configuration: Configuration, state: State, wanted: set[str], *, now: int) -> None:
    """An account that was not applied yet gets a record as if deleted: apply then creates it as usual."""
    unknown = wanted - {each.interface_id for each in state.accounts.read(include_deleted=True)}
    for each in configuration.accounts:
        if each.interface_id in unknown:
            state.accounts.save(each, now=now)
            state.accounts.delete(each.interface_id, now=now, actor=user())


def _past(standing: Sequence[Standing], bad: Sequence[BadLine], *, written: bool) -> SentImport:
    return SentImport(
        new=standing.count(Standing.NEW),
        waiting=standing.count(Standing.WAITING),
        present=standing.count(Standing.PRESENT),
        bad=sorted(bad, key=lambda each: each.line),
        written=written,
        dry_run=False,
    )


_which = click.argument("which", metavar="ID|ORDER")


@click.group(cls=LazyGroup)
@common()
def invitations() -> None:
    """The queue: list, show, skip, unskip, push, retry, resolve, history, mark-sent."""


invitations.add_command(mark_sent)


@invitations.command("list")
@lists.accounts_option
@option(
    "--status",
    "statuses",
    multiple=True,
    type=click.Choice([each.value for each in Status]),
    help="Only those in this state; may be repeated.",
)
@option("--order", metavar="ORDER", help="Only those of this order, by its number or id.")
@lists.limit_option
@lists.format_option
@common()
def list_command(
    names: tuple[str, ...], statuses: tuple[str, ...], order: str | None, limit: int | None, form: str
) -> int:
    """List the invitations, sorted by id."""
    configuration = load_configuration()
    with reading(configuration, key=False) as state:
        wanted = InvitationFilter(
            interface_ids=frozenset(lists.choose(names, lists.known_to(state))) if names else None,
            statuses=frozenset(map(Status, statuses)) if statuses else None,
            order=order,
            limit=limit,
        )
        lists.write_list(
            invitation_changes.listed(state, state.invitations.search(wanted), configuration),
            form,
            layout=render_invitations.LAYOUT,
            as_row=render_invitations.listed_row,
            as_json=render_invitations.listed_json,
            nothing="There are no such invitations.",
        )
    return Exit.OK


@invitations.command("show")
@_which
@lists.format_option
@common()
def show(which: str, form: str) -> int:
    """Show one invitation in full."""
    configuration = load_configuration()
    with reading(configuration, key=False) as state:
        row = invitation_changes.chosen(state, which)
        (found,) = invitation_changes.listed(state, [row], configuration)
    lists.write_one(
        found, form, as_text=render_invitations.invitation_text, as_json=render_invitations.invitation_json
    )
    return Exit.OK


@invitations.command("history")
@_which
@lists.limit_option
@lists.format_option
@common()
def history(which: str, limit: int | None, form: str) -> int:
    """Show every change of an invitation: when, by whom, and the commit, plan and rule behind it."""
    with reading(load_configuration(), key=False) as state:
        row = invitation_changes.chosen(state, which)
        found = state.journal.origins(row.interface_id, state.invitations.history(row.id)[:limit])
    lists.write_list(
        found,
        form,
        layout=render_state.HISTORY_LAYOUT,
        as_row=render_state.origin_row,
        as_json=render_state.origin_json,
        nothing="Nothing has happened.",
    )
    return Exit.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """What all commands have that change invitations: one by name, or many by ``--where``."""

    which: str | None
    selected: invitation_changes.Selected
    form: str
    lock_timeout: int

    def run(self, act: Callable[..., Invitation], verb: str, detail: str | None = None) -> int:
        """Do it, and show what the invitations are now."""
        if self.which is None:
            invitation_changes.change_many(
                self.selected,
                act,
                verb=verb,
                form=self.form,
                lock_timeout=self.lock_timeout,
                detail=detail,
            )
        else:
            invitation_changes.change(
                self.which, act, verb=verb, form=self.form, lock_timeout=self.lock_timeout, detail=detail
            )
        return Exit.OK


def _writer(command: Callable[..., int]) -> Any:
    """The arguments and options of a command that changes invitations, as one ``call``."""

    @wraps(command)
    def called(
        which: str | None,
        tests: tuple[invitation_changes.ColumnTest, ...],
        expect: int | None,
        form: str,
        lock_timeout: int,
        **more: Any,
    ) -> int:
        invitation_changes.check_selection(which, tests, expect)
        selected = invitation_changes.Selected(tests=tests, expect=expect)
        call = _Call(which=which, selected=selected, form=form, lock_timeout=lock_timeout)
        return command(call=call, **more)

    wrapped: Any = called
    which_or_none = click.argument("which", metavar="[ID|ORDER]", required=False)
    for add in (
        common(),
        lists.format_option,
        lists.lock_timeout_option,
        invitation_changes.bulk_options,
        which_or_none,
    ):
        wrapped = add(wrapped)
    return wrapped


@invitations.command("skip")
@option("--reason", metavar="TEXT", help="The reason, shown with the invitation. No personal data.")
@_writer
def skip(call: _Call, reason: str | None) -> int:
    """Never send an invitation, and never schedule its order again. `unskip` reverses this."""
    return call.run(partial(InvitationRepository.skip, reason=reason), "skip", reason)


@invitations.command("unskip")
@_writer
def unskip(call: _Call) -> int:
    """Make a skipped invitation pending again, at its scheduled time."""
    return call.run(InvitationRepository.unskip, "unskip")


@invitations.command("push")
@option(
    "--now",
    "at_once",
    is_flag=True,
    env=False,
    help="Ignore the account's sending window and pauses.",
)
@_writer
def push(call: _Call, at_once: bool) -> int:
    """Send an invitation with the next run, ignoring its scheduled time. Its order is still re-checked.

    A sending window (`send_between`) or a pause still delays it, unless --now is given.
    """
    return call.run(partial(InvitationRepository.push, at_once=at_once), "push", "--now" if at_once else None)


@invitations.command("retry")
@_writer
def retry(call: _Call) -> int:
    """Try a failed invitation again with the next run."""
    return call.run(InvitationRepository.retry, "retry")


@invitations.command("resolve")
@option("--sent", is_flag=True, help="The customer was invited: mark the invitation as sent.")
@option("--resend", is_flag=True, help="The customer was not invited: send the invitation with the next run.")
@_writer
def resolve(call: _Call, sent: bool, resend: bool) -> int:
    """Record the outcome of an invitation whose outcome is unknown."""
    if sent == resend:
        raise click.UsageError("say what you found out: either --sent or --resend.")
    resolution = Resolution.SENT if sent else Resolution.RESEND
    return call.run(partial(InvitationRepository.resolve, resolution=resolution), "resolve", resolution.value)
