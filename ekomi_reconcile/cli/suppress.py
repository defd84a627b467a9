"""``suppress``: customers who do not want to be asked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from ekomi_reconcile.cli.addresses import customer_digest, entries_for, given, suppression_path
from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common
from ekomi_reconcile.cli.lazy import LazyGroup
from ekomi_reconcile.cli.lists import format_option, limit_option, write_list, write_one
from ekomi_reconcile.cli.session import load_configuration, reading_if_any
from ekomi_reconcile.optouts import add_entries, is_address, list_entries, list_plain, remove_entries
from ekomi_reconcile.render.optouts import (
    LAYOUT,
    AddedEntry,
    RemovedEntries,
    added_json,
    added_text,
    entry_json,
    entry_row,
    removed_json,
    removed_text,
)

_addresses = click.argument("addresses", metavar="ADDRESS|@DOMAIN|tel:NUMBER|-...", nargs=-1, required=True)


@click.group(cls=LazyGroup)
@common()
def suppress() -> None:
    """Opt-outs: add, list, remove."""


@suppress.command("add")
@_addresses
@format_option
@common()
def add(addresses: tuple[str, ...], form: str) -> int:
    """Put customers on the suppression list; with - read them from stdin, one per line.

    An address or a telephone number (tel:+49...) is written as a keyed digest, which only this state's key
    can compare. @*.example.org means every subdomain of example.org.
    """
    wanted = given(addresses)
    configuration = load_configuration()
    path = suppression_path(configuration)
    with reading_if_any(configuration, or_lost=True) as state:
        of_customer = customer_digest(configuration, state)
        entries = {entries_for(each, of_customer): each for each in wanted}
        digests = {of_customer(each) for each in wanted if is_address(each)}
        waiting = state.count_pending_of(digests) if state is not None else {}
        added = put_on_list(path, entries)
        shown = [
            AddedEntry(
                entry,
                added=entry in added,
                pending=waiting.get(of_customer(each), 0) if is_address(each) else None,
            )
            for entry, each in entries.items()
        ]
    write_one(shown, form, as_text=added_text, as_json=added_json)
    return Exit.OK


def put_on_list(path: Path, entries: Mapping[str, str]) -> frozenset[str]:
    """Add the entries, with what each stands for, that are not on the list in either form; which were."""
    plain = list_plain(path)
    return frozenset(add_entries(path, [entry for entry, each in entries.items() if each not in plain]))


@suppress.command("list")
@limit_option
@format_option
@common()
def list_command(limit: int | None, form: str) -> int:
    """Show the suppression list: digests and domains as they are, plain addresses and numbers masked."""
    entries = list_entries(suppression_path(load_configuration()))
    write_list(
        entries[:limit],
        form,
        layout=LAYOUT,
        as_row=entry_row,
        as_json=entry_json,
        nothing="The list is empty.",
    )
    return Exit.OK


@suppress.command("remove")
@_addresses
@format_option
@common()
def remove(addresses: tuple[str, ...], form: str) -> int:
    """Take customers or domains off the suppression list, in clear or as a digest."""
    wanted = given(addresses)
    configuration = load_configuration()
    path = suppression_path(configuration)
    with reading_if_any(configuration, or_lost=True) as state:
        of_customer = customer_digest(configuration, state)
    removed = [remove_entries(path, {each, entries_for(each, of_customer)}) for each in wanted]
    done = RemovedEntries(removed=sum(removed), missing=removed.count(0))
    write_one(done, form, as_text=removed_text, as_json=removed_json)
    return Exit.OK
