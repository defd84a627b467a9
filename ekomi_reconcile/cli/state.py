"""``state``: what the tool has recorded."""

from __future__ import annotations

import click

from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common
from ekomi_reconcile.cli.lazy import LazyGroup
from ekomi_reconcile.cli.lists import (
    format_option,
    limit_option,
    write_list,
    write_one,
    write_pieces,
    write_text,
)
from ekomi_reconcile.cli.selection import Named, choose_one, known_to
from ekomi_reconcile.cli.session import load_configuration, reading
from ekomi_reconcile.cli.state_accounts import check, mv, mv_source, rm
from ekomi_reconcile.cli.state_copies import backup, migrate, push, restore
from ekomi_reconcile.cli.state_init import init
from ekomi_reconcile.cli.state_loss import accept_loss
from ekomi_reconcile.model.account import account_address
from ekomi_reconcile.render.json_text import array_text, export_text
from ekomi_reconcile.render.state import (
    JOURNAL_LAYOUT,
    address_json,
    address_text,
    entry_json,
    entry_row,
    record_json,
    record_text,
)


@click.group(cls=LazyGroup)
@common()
def state() -> None:
    """What is recorded: init, list, show, pull, push, backup, restore, mv, mv-source, accept-loss, rm, check,
    migrate, history.
    """


for _each in (init, push, backup, restore, mv, mv_source, accept_loss, rm, check, migrate):
    state.add_command(_each)


@state.command("list")
@limit_option
@format_option
@common()
def list_command(limit: int | None, form: str) -> int:
    """The addresses of the accounts."""
    with reading(load_configuration(), key=False) as opened:
        records = opened.accounts()[:limit]
    if form == "json":
        write_pieces(array_text(map(address_json, records)))
    else:
        write_text("".join(map(address_text, records)))
    return Exit.OK


@state.command("show")
@click.argument("name", metavar="ADDRESS|NAME", shell_complete=account_completions)
@format_option
@common()
def show(name: str, form: str) -> int:
    """The record of one account, also of a deleted one."""
    with reading(load_configuration(), key=False) as opened:
        known = known_to(opened)
        addresses = tuple(Named(account_address(each.name), each.interface_id) for each in known)
        key = choose_one(name, (*known, *addresses))
        record = next(each for each in opened.accounts(include_deleted=True) if each.interface_id == key)
    write_one(record, form, as_text=record_text, as_json=record_json)
    return Exit.OK


@state.command("pull")
@common()
def pull() -> int:
    """Everything as JSON, in the state's own form: times are seconds since 1970 in UTC."""
    with reading(load_configuration(), key=False) as opened:
        write_pieces(export_text(opened.export_header(), opened.export_tables()))
    return Exit.OK


@state.command("history")
@limit_option
@format_option
@common()
def history(limit: int | None, form: str) -> int:
    """The journal: who did what and when, the latest first."""
    with reading(load_configuration(), key=False) as opened:
        entries = opened.journal_entries(limit)
    write_list(
        entries,
        form,
        layout=JOURNAL_LAYOUT,
        as_row=entry_row,
        as_json=entry_json,
        nothing="Nothing was done yet.",
    )
    return Exit.OK
