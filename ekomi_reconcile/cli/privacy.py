"""``privacy``: what is held about a customer, and erasing it."""

from __future__ import annotations

import shutil

import click

from ekomi_reconcile.cli.addresses import (
    customer_digest,
    entries_for,
    one,
    suppression_path,
)
from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common, option
from ekomi_reconcile.cli.lazy import LazyGroup
from ekomi_reconcile.cli.lists import format_option, lock_timeout_option, write_one, write_text
from ekomi_reconcile.cli.one_invitation import listed
from ekomi_reconcile.cli.session import load_configuration, reading, writing
from ekomi_reconcile.cli.suppress import put_on_list
from ekomi_reconcile.config.cache import FOLDER
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.model import instant
from ekomi_reconcile.reconcile import digester, read_privacy
from ekomi_reconcile.render.errors import ListedError
from ekomi_reconcile.render.json_text import json_text
from ekomi_reconcile.render.privacy import Erased, Held, erased_json, erased_text, held_json
from ekomi_reconcile.render.reviews import ListedReview
from ekomi_reconcile.state.copies import copies_beside
from ekomi_reconcile.state.identity import user
from ekomi_reconcile.state.key import Purpose
from ekomi_reconcile.state.store import State
from ekomi_reconcile.suppression import DIGEST_PREFIX

_SHOWN_DIGITS = 8
"""So much of a digest stands in the journal: enough to find an entry again, not to follow a customer."""

_address = click.argument("address", metavar="ADDRESS|-")


@click.group(cls=LazyGroup)
@common()
def privacy() -> None:
    """What is held about a customer: export, erase."""


@privacy.command("export")
@_address
@common()
def export(address: str) -> int:
    """Everything held about a customer, as JSON; with - the address is read from stdin."""
    wanted = one(address)
    configuration = load_configuration()
    with reading(configuration) as state:
        digest = customer_digest(configuration, state)(wanted)
        held = _held(configuration, state, digest, address=wanted)
        write_text(json_text(held_json(held)) + "\n")
    return Exit.OK


@privacy.command("erase")
@_address
@option("--suppress", "suppressing", is_flag=True, help="Also put the customer on the suppression list.")
@lock_timeout_option
@format_option
@common()
def erase(address: str, suppressing: bool, lock_timeout: int, form: str) -> int:
    """Forget a customer; with - the address is read from stdin.

    Keeps that the orders were dealt with: nobody is asked twice. What waits to be sent is skipped. The texts
    of the reviews of the orders go, and no import brings them back.
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
            counts = state.erase_customer(digest, now=now, actor=user())
            if counts.invitations:
                outcome = f"{counts.invitations} invitations, {counts.reviews} reviews"
                state.journal("privacy erase", subject=_prefix(digest), outcome=outcome, now=now)
                state.bump_serial()
        copies = copies_beside(state.location) if counts.invitations else []
    shutil.rmtree(configuration.root / FOLDER, ignore_errors=True)
    erased = Erased(
        invitations=counts.invitations,
        skipped=counts.skipped,
        reviews=counts.reviews,
        errors=counts.errors,
        suppressed=suppressing,
        copies=copies,
    )
    write_one(erased, form, as_text=erased_text, as_json=erased_json)
    return Exit.OK


def _held(configuration: Configuration, state: State, digest: str, *, address: str) -> Held:
    rows = state.invitations_of(digest)
    names = {each.interface_id: each.name for each in state.accounts(include_deleted=True)}
    suppressed = read_privacy(configuration, digester(state, Purpose.CUSTOMER))
    return Held(
        digest=DIGEST_PREFIX + digest,
        suppressed=digest in suppressed.opted_out_digests or suppressed.suppressed.has_domain_of(address),
        invitations=tuple(listed(state, rows)),
        histories={row.id: state.history_of(row.id) for row in rows},
        reviews=[ListedReview(names[each.interface_id], each) for each in state.reviews_of(rows)],
        errors=[ListedError(names.get(each.interface_id or ""), each) for each in state.errors_of(rows)],
        journal=state.journal_of(rows),
    )


def _prefix(digest: str) -> str:
    return f"customer {DIGEST_PREFIX}{digest[:_SHOWN_DIGITS]}…"
