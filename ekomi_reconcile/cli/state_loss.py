"""``state accept-loss``: go on with a state that lost its last records, without inviting anybody twice."""

from __future__ import annotations

import sys

import click

from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.lists import Since, format_option, lock_timeout_option, write_document
from ekomi_reconcile.cli.options import common, interactive, option
from ekomi_reconcile.cli.session import load_configuration, locking, reading
from ekomi_reconcile.cli.signals import interruptible
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.render.state_admin import LossAccepted, LossOfAccount, loss_text
from ekomi_reconcile.render.tables import plural
from ekomi_reconcile.state.engine.lock import user
from ekomi_reconcile.state.repositories.lost_records import ACCEPT_LOSS
from ekomi_reconcile.state.store import State


@click.command("accept-loss")
@option(
    "--since",
    type=Since(),
    required=True,
    metavar="TIME",
    env=False,
    help="When the first lost record was made, or earlier: 2026-11-30T12:00:00Z, or 2h ago.",
)
@option("--auto-approve", env=False, is_flag=True, help="Do not ask.")
@option("--dry-run", is_flag=True, help="Only show what it would do.")
@lock_timeout_option
@format_option
@common()
def accept_loss(since: Instant, auto_approve: bool, dry_run: bool, lock_timeout: int, form: str) -> int:
    """Go on with a state that lost its last records, after a failover or from an old copy.

    Every pending invitation that may have been sent from TIME until now becomes `unknown` and is not sent:
    those due in that time, and those due before that were still pending. Settle them with
    `invitations resolve`. Run `apply --no-send` first, so that orders that were lost are there again.
    """
    configuration, now = load_configuration(), instant.now()
    if since > now:
        raise click.UsageError(f"--since {instant.iso(since)} is in the future.")
    if dry_run:
        with reading(configuration, key=False, accept_lost=True) as state:
            _warn(state, since)
            found = _found(state, since=since, until=now, dry_run=True)
    else:
        with locking(configuration, ACCEPT_LOSS, accept_lost=True, lock_timeout=lock_timeout) as (state, _):
            _warn(state, since)
            found = _found(state, since=since, until=now, dry_run=False)
            if found.unknown and not auto_approve:
                _confirm(found)
            with state.transaction():
                found = _found(state, since=since, until=now, dry_run=False)
                _accept(state, since=since, now=now)
    write_document(found, form, as_text=loss_text)
    return Exit.OK


def _accept(state: State, *, since: Instant, now: Instant) -> None:
    count = state.lost_records.accept(since=since, now=now, actor=user())
    outcome = f"{plural(count, 'invitation')} unknown"
    state.journal.add(ACCEPT_LOSS, subject=f"since {instant.iso(since)}", outcome=outcome, now=now)
    state.meta.bump_serial()


def _warn(state: State, since: Instant) -> None:
    """Warn on stderr where no run has scheduled again what was lost altogether."""
    last = state.journal.last_run_at()
    if last is None or last <= since:
        click.echo(
            f"Warning: no run is recorded since {instant.iso(since)}. Invitations that were lost as a whole "
            "are not found here and would be sent again: run `ekomi-reconcile apply --no-send` first, which "
            "schedules them (for a file that is refused as lost: with --new-state).",
            err=True,
        )


def _found(state: State, *, since: Instant, until: Instant, dry_run: bool) -> LossAccepted:
    names = {each.interface_id: each.name for each in state.accounts.read(include_deleted=True)}
    counts = state.lost_records.due_by(until, before=since)
    return LossAccepted(
        since=instant.iso(since),
        until=instant.iso(until),
        unknown=sum(each.due for each in counts),
        accounts=[
            LossOfAccount(account=names[each.interface_id], unknown=each.due, due_before=each.due_before)
            for each in counts
        ],
        dry_run=dry_run,
    )


def _confirm(found: LossAccepted) -> None:
    """Raises:
    ReconcileError: there is no terminal to confirm on, or the answer was not yes.
    """
    what = plural(found.unknown, "pending invitation")
    if not interactive():
        raise ReconcileError(
            f"approval required to turn {what} into unknown ones, but there is no terminal",
            mend="see them with --dry-run, then use --auto-approve",
        )
    with interruptible():
        click.echo(f"Turn {what} into unknown ones? Only 'yes' will be accepted: ", err=True, nl=False)
        if sys.stdin.readline().strip() == "yes":
            return
    raise ReconcileError("cancelled; no invitation was changed", mend="answer `yes` to go on")
