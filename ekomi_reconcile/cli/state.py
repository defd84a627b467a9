"""``state`` and ``lock``."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import click

from ekomi_reconcile.cli import lists
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.lists import Named, choose_one, format_option, known_to, live_in, write_one
from ekomi_reconcile.cli.main import Exit, LazyGroup
from ekomi_reconcile.cli.options import common, option
from ekomi_reconcile.cli.session import load_configuration, reading, state_location, writing
from ekomi_reconcile.cli.state_copies import accept_loss, backup, init, migrate, push, restore
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.order_sources import DEFAULT_SOURCE
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import AccountRecord, account_address
from ekomi_reconcile.model.errors import ReconcileError, SecretError, StateError
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.run import LockInfo
from ekomi_reconcile.render import results, state_admin
from ekomi_reconcile.render import state as render_state
from ekomi_reconcile.render.tables import array_text, export_text
from ekomi_reconcile.state.engine.location import locate
from ekomi_reconcile.state.engine.lock import user
from ekomi_reconcile.state.engine.runner import lock_holder, release_lock
from ekomi_reconcile.state.maintenance.push import export_header, export_tables
from ekomi_reconcile.state.store import State

_which = click.argument("name", metavar="ADDRESS|NAME", shell_complete=account_completions)
_dry_run = option("--dry-run", is_flag=True, help="Only show what it would do.")


@click.command()
@_which
@click.argument("new_name")
@_dry_run
@lists.lock_timeout_option
@lists.format_option
@common()
def mv(name: str, new_name: str, dry_run: bool, lock_timeout: int, form: str) -> int:
    """Rename an account in the state, after you renamed it in the files."""
    with _opened("state mv", dry_run=dry_run, lock_timeout=lock_timeout) as state:
        record = _named(state, name)
        state.accounts.check_rename(record.interface_id, new_name)
        if not dry_run:
            now = instant.now()
            with state.transaction():
                state.accounts.rename(record.interface_id, new_name, now=now)
                outcome = f"renamed to {account_address(new_name)}"
                state.journal.add("state mv", subject=account_address(record.name), outcome=outcome, now=now)
                state.meta.bump_serial()
    address, new_address = account_address(record.name), account_address(new_name)
    done = state_admin.Renamed(address, new_address, interface_id=record.interface_id, dry_run=dry_run)
    lists.write_document(done, form, as_text=state_admin.renamed_text)
    return Exit.OK


@click.command("mv-source")
@click.argument("old")
@click.argument("new")
@_dry_run
@lists.lock_timeout_option
@lists.format_option
@common()
def mv_source(old: str, new: str, dry_run: bool, lock_timeout: int, form: str) -> int:
    """Rename an order source in the state, after you renamed it in the project file.

    Without this, apply stops, because the same orders under another name would look new.
    """
    defined = load_configuration().project.orders
    _check_source_names(old, new, defined)
    with _opened("state mv-source", dry_run=dry_run, lock_timeout=lock_timeout) as state:
        found = state.order_sources.recorded(old, new)
        if not found:
            raise ReconcileError(
                f"nothing is recorded for the order source {old}",
                hint=f"recorded order sources: {', '.join(state.queue.sources()) or 'none'}",
            )
        if not dry_run:
            now = instant.now()
            with state.transaction():
                state.order_sources.rename(old, new, now=now)
                outcome = f"renamed to {new}: {found.invitations} invitations, {found.merged} merged"
                state.journal.add("state mv-source", subject=old, outcome=outcome, now=now)
                state.meta.bump_serial()
    done = state_admin.SourceRenamed(
        source=old,
        new_source=new,
        invitations=found.invitations,
        positions=found.positions,
        observations=found.observations,
        merged=found.merged,
        dry_run=dry_run,
    )
    lists.write_document(done, form, as_text=state_admin.source_renamed_text)
    return Exit.OK


def _check_source_names(old: str, new: str, defined: Collection[str]) -> None:
    """Raises:
    ReconcileError: the project file does not say that one became the other.
    """
    if new not in defined:
        raise ReconcileError(
            f"the project file defines no order source {new}",
            hint=f"orders: defines {', '.join(sorted(defined)) or 'none'}; add the new name there first",
        )
    if old in defined:
        raise ReconcileError(
            f"the project file still defines the order source {old}: two sources cannot become one",
            hint=f"rename it under orders: first; the short form of orders: is called {DEFAULT_SOURCE}"
            if old == DEFAULT_SOURCE
            else "rename it under orders: first",
        )


@click.command()
@_which
@_dry_run
@lists.lock_timeout_option
@lists.format_option
@common()
def rm(name: str, dry_run: bool, lock_timeout: int, form: str) -> int:
    """Remove an account from the state, not from eKomi. Its invitations stay recorded: nobody is invited
    twice.

    Pending invitations are cancelled. If the account is still in the files, the next apply re-creates it.
    """
    with _opened("state rm", dry_run=dry_run, lock_timeout=lock_timeout) as state:
        record = _named(state, name)
        if record.protect:
            raise ReconcileError(f'"{record.name}" is protected', hint="set `protect: false` and apply first")
        counts = state.queue.counts().get(record.interface_id, {})
        if not dry_run:
            now = instant.now()
            with state.transaction():
                state.accounts.delete(record.interface_id, now=now, actor=user())
                state.journal.add(
                    "state rm", subject=account_address(record.name), outcome="forgotten", now=now
                )
                state.meta.bump_serial()
    done = state_admin.Removed(
        address=account_address(record.name),
        interface_id=record.interface_id,
        cancelled=counts.get(Status.PENDING, 0),
        kept=sum(counts.values()),
        dry_run=dry_run,
    )
    lists.write_document(done, form, as_text=state_admin.removed_text)
    return Exit.OK


@click.command()
@lists.format_option
@common()
def check(form: str) -> int:
    """Check the state for damage: every page, index, reference and account. Reads the whole state."""
    from ekomi_reconcile.state.maintenance.check import check_state

    with reading(load_configuration(), key=False) as state:
        problems = check_state(state)
    lists.write_one(problems, form, as_text=state_admin.check_text, as_json=state_admin.check_json)
    return Exit.ERROR if problems else Exit.OK


@contextmanager
def _opened(operation: str, *, dry_run: bool, lock_timeout: float) -> Iterator[State]:
    """The state: to look at, or to change."""
    configuration = load_configuration()
    if dry_run:
        with reading(configuration, key=False) as state:
            yield state
    else:
        with writing(configuration, operation, lock_timeout=lock_timeout) as state:
            yield state


def _named(state: State, name: str) -> AccountRecord:
    """The live account with this address, name or interface id."""
    known = live_in(state)
    addresses = (Named(account_address(each.name), each.interface_id) for each in known)
    key = choose_one(name, (*known, *addresses))
    return next(each for each in state.accounts.read() if each.interface_id == key)


@click.group(cls=LazyGroup)
@common()
def state() -> None:
    """The state: init, list, show, pull, push, backup, restore, mv, mv-source, accept-loss, rm, check,
    migrate, history.
    """


for _each in (init, push, backup, restore, mv, mv_source, accept_loss, rm, check, migrate):
    state.add_command(_each)


@state.command("list")
@lists.limit_option
@lists.format_option
@common()
def list_command(limit: int | None, form: str) -> int:
    """List the addresses of the accounts."""
    with reading(load_configuration(), key=False) as opened:
        records = opened.accounts.read()[:limit]
    if form == "json":
        lists.write_pieces(array_text(map(render_state.address_json, records)))
    else:
        lists.write_text("".join(map(render_state.address_text, records)))
    return Exit.OK


@state.command("show")
@click.argument("name", metavar="ADDRESS|NAME", shell_complete=account_completions)
@lists.format_option
@common()
def show(name: str, form: str) -> int:
    """Show the record of one account, even if it is deleted."""
    with reading(load_configuration(), key=False) as opened:
        known = known_to(opened)
        addresses = tuple(Named(account_address(each.name), each.interface_id) for each in known)
        key = choose_one(name, (*known, *addresses))
        record = next(each for each in opened.accounts.read(include_deleted=True) if each.interface_id == key)
    lists.write_one(record, form, as_text=render_state.record_text, as_json=render_state.record_json)
    return Exit.OK


@state.command("pull")
@common()
def pull() -> int:
    """Print the whole state as JSON, in its internal format: times are seconds since 1970 in UTC."""
    with reading(load_configuration(), key=False) as opened:
        lists.write_pieces(export_text(export_header(opened), export_tables(opened)))
    return Exit.OK


@state.command("history")
@lists.limit_option
@lists.format_option
@common()
def history(limit: int | None, form: str) -> int:
    """Show the journal: who did what and when, the latest first."""
    with reading(load_configuration(), key=False) as opened:
        entries = opened.journal.entries(limit)
    lists.write_list(
        entries,
        form,
        layout=render_state.JOURNAL_LAYOUT,
        as_row=render_state.entry_row,
        as_json=results.entry_json,
        nothing="The journal is empty.",
    )
    return Exit.OK


@click.group(cls=LazyGroup)
@common()
def lock() -> None:
    """The writer lock: show."""


@lock.command("show")
@format_option
@common()
def show_lock(form: str) -> int:
    """Show who holds the writer lock: where, since when, for what, in which CI job."""
    location, root = state_location(load_configuration())
    write_one(
        lock_holder(locate(location, root=root)),
        form,
        as_text=render_state.lock_text,
        as_json=render_state.lock_json,
    )
    return Exit.OK


_OPERATION = "force-unlock"


@click.command(_OPERATION)
@click.argument("lock_id", metavar="ID")
@format_option
@common()
def force_unlock(lock_id: str, form: str) -> int:
    """Release a stale lock.

    `lock show` prints the ID. A holder that is still running detects this and stops before it writes.
    """
    configuration = load_configuration()
    location, root = state_location(configuration)
    broken = release_lock(locate(location, root=root), lock_id)
    _journal(configuration, broken)
    write_one(broken, form, as_text=render_state.broken_text, as_json=render_state.lock_json)
    return Exit.OK


def _journal(configuration: Configuration, broken: LockInfo) -> None:
    """Write it down, if that is possible: the lock is broken in any case."""
    with suppress(StateError, SecretError), writing(configuration, _OPERATION) as state:
        state.journal.add(_OPERATION, subject=f"lock {broken.ID}", outcome=str(broken), now=instant.now())
