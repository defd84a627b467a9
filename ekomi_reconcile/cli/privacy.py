"""``privacy`` and ``suppress``: customers' rights."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import click

from ekomi_reconcile.cli import lists
from ekomi_reconcile.cli.invitation_changes import listed
from ekomi_reconcile.cli.lists import customer_digest, entries_for, given, one, suppression_path
from ekomi_reconcile.cli.main import Exit, LazyGroup
from ekomi_reconcile.cli.options import common, option
from ekomi_reconcile.cli.session import load_configuration, reading, reading_if_any, writing
from ekomi_reconcile.config.cache import FOLDER
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.model import instant
from ekomi_reconcile.privacy.limits import add_entries, is_address, list_entries, list_plain, remove_entries
from ekomi_reconcile.privacy.suppression import DIGEST_PREFIX
from ekomi_reconcile.reconcile.planning import digester, read_privacy
from ekomi_reconcile.render import state as render_state
from ekomi_reconcile.render.results import ListedError
from ekomi_reconcile.render.reviews import ListedReview
from ekomi_reconcile.render.tables import document_text
from ekomi_reconcile.state.engine.lock import user
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.maintenance.backup import copies_beside
from ekomi_reconcile.state.store import State

_addresses = click.argument("addresses", metavar="ADDRESS|@DOMAIN|tel:NUMBER|-...", nargs=-1, required=True)


@click.group(cls=LazyGroup)
@common()
def suppress() -> None:
    """Opt-outs: add, list, remove."""


@suppress.command("add")
@_addresses
@lists.format_option
@common()
def add(addresses: tuple[str, ...], form: str) -> int:
    """Add customers to the suppression list; with - read them from stdin, one per line.

    An address or a telephone number (tel:+49...) is stored as a keyed digest, which only this state's key
    can match. @*.example.org means every subdomain of example.org.
    """
    wanted = given(addresses)
    configuration = load_configuration()
    path = suppression_path(configuration)
    with reading_if_any(configuration, or_lost=True) as state:
        of_customer = customer_digest(configuration, state)
        entries = {entries_for(each, of_customer): each for each in wanted}
        digests = {of_customer(each) for each in wanted if is_address(each)}
        waiting = state.queue.count_pending_of(digests) if state is not None else {}
        added = put_on_list(path, entries)
        shown = [
            render_state.AddedEntry(
                entry,
                added=entry in added,
                pending=waiting.get(of_customer(each), 0) if is_address(each) else None,
            )
            for entry, each in entries.items()
        ]
    lists.write_one(shown, form, as_text=render_state.added_text, as_json=render_state.added_json)
    return Exit.OK


def put_on_list(path: Path, entries: Mapping[str, str]) -> frozenset[str]:
    """Add the entries that are not on the list in either form, with their digests; return those that were."""
    plain = list_plain(path)
    return frozenset(add_entries(path, [entry for entry, each in entries.items() if each not in plain]))


@suppress.command("list")
@lists.limit_option
@lists.format_option
@common()
def list_command(limit: int | None, form: str) -> int:
    """Show the suppression list: digests and domains as they are, plain addresses and numbers masked."""
    entries = list_entries(suppression_path(load_configuration()))
    lists.write_list(
        entries[:limit],
        form,
        layout=render_state.LAYOUT,
        as_row=render_state.opt_out_row,
        as_json=render_state.opt_out_json,
        nothing="The list is empty.",
    )
    return Exit.OK


@suppress.command("remove")
@_addresses
@lists.format_option
@common()
def remove(addresses: tuple[str, ...], form: str) -> int:
    """Remove customers or domains from the suppression list, given in plain text or as a digest."""
    wanted = given(addresses)
    configuration = load_configuration()
    path = suppression_path(configuration)
    with reading_if_any(configuration, or_lost=True) as state:
        of_customer = customer_digest(configuration, state)
    removed = [remove_entries(path, {each, entries_for(each, of_customer)}) for each in wanted]
    done = render_state.RemovedEntries(removed=sum(removed), missing=removed.count(0))
    lists.write_document(done, form, as_text=render_state.removed_text)
    return Exit.OK


_SHOWN_DIGITS = 8
"""The digits of a digest in the journal: enough to find an entry again, not to follow a customer."""

_address = click.argument("address", metavar="ADDRESS|-")


@click.group(cls=LazyGroup)
@common()
def privacy() -> None:
    """Data about a customer: export, erase."""


@privacy.command("export")
@_address
@common()
def export(address: str) -> int:
    """Print all data about a customer as JSON; with - the address is read from stdin."""
    wanted = one(address)
    configuration = load_configuration()
    with reading(configuration) as state:
        digest = customer_digest(configuration, state)(wanted)
        held = _held(configuration, state, digest, address=wanted)
        lists.write_text(document_text(render_state.held_json(held)))
    return Exit.OK


@privacy.command("erase")
@_address
@option("--suppress", "suppressing", is_flag=True, help="Also put the customer on the suppression list.")
@lists.lock_timeout_option
@lists.format_option
@common()
def erase(address: str, suppressing: bool, lock_timeout: int, form: str) -> int:
    """Erase the data about a customer; with - the address is read from stdin.

    The orders stay marked as processed, so nobody is invited twice. Pending invitations are skipped. The
    texts of the reviews of these orders are deleted, and later imports do not restore them.
    """
    wanted = one(address)
    configuration = load_configuration()
    path = suppression_path(configuration) if suppressing else None
    with writing(configuration, "privacy erase", lock_timeout=lock_timeout) as state:
        of_customer = customer_digest(configuration, state)
        digest, now = of_customer(wanted), instant.now()
        if path is not None:
            put_on_list(path, {entries_for(wanted, of_customer): wanted})
        with state.transaction():
            counts = state.customers.erase(digest, now=now, actor=user())
            if counts.invitations:
                outcome = f"{counts.invitations} invitations, {counts.reviews} reviews"
                state.journal.add("privacy erase", subject=_prefix(digest), outcome=outcome, now=now)
                state.meta.bump_serial()
        copies = copies_beside(state.location) if counts.invitations else []
    shutil.rmtree(configuration.root / FOLDER, ignore_errors=True)
    erased = render_state.Erased(
        invitations=counts.invitations,
        skipped=counts.skipped,
        reviews=counts.reviews,
        errors=counts.errors,
        suppressed=suppressing,
        copies=list(map(str, copies)),
    )
    lists.write_document(erased, form, as_text=render_state.erased_text)
    return Exit.OK


def _held(configuration: Configuration, state: State, digest: str, *, address: str) -> render_state.Held:
    rows = state.customers.invitations(digest)
    names = {each.interface_id: each.name for each in state.accounts.read(include_deleted=True)}
    suppressed = read_privacy(configuration, digester(state, Purpose.CUSTOMER))
    return render_state.Held(
        digest=DIGEST_PREFIX + digest,
        suppressed=digest in suppressed.opted_out_digests or suppressed.suppressed.has_domain_of(address),
        invitations=tuple(listed(state, rows, configuration)),
        histories={row.id: state.invitations.history(row.id) for row in rows},
        reviews=[ListedReview(names[each.interface_id], each) for each in state.customers.reviews(rows)],
        errors=[
            ListedError(names.get(each.interface_id or ""), each) for each in state.customers.errors(rows)
        ],
        journal=state.customers.journal(rows),
    )


def _prefix(digest: str) -> str:
    return f"customer {DIGEST_PREFIX}{digest[:_SHOWN_DIGITS]}…"
