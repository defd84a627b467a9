"""``sync``: fetch shop details and statistics from eKomi now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from ekomi_reconcile.apply.fetching import Errand
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common
from ekomi_reconcile.cli.lists import lock_timeout_option, stdout_paint, write_text
from ekomi_reconcile.cli.progress import progress
from ekomi_reconcile.cli.selection import choose, live_in, written_in
from ekomi_reconcile.cli.session import load_configuration, stopping, writing
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.errors import ReconcileError, SecretError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.result import Done
from ekomi_reconcile.reconcile import Passwords, make_context, read_passwords
from ekomi_reconcile.render.fetched import fetched_text
from ekomi_reconcile.sources import Sources
from ekomi_reconcile.state.records import AccountRecord
from ekomi_reconcile.state.store import State


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=account_completions)
@lock_timeout_option
@common()
def sync(names: tuple[str, ...], lock_timeout: int) -> int:
    """Fetch shop details and statistics from eKomi now.

    Of all accounts of the state, or of the named ones, whether they are due or not.
    """
    return fetch_now(
        "sync", names, _sync_errand, title="Sync", figures=(Done.SYNCED,), lock_timeout=lock_timeout
    )


def _sync_errand(account: AccountRecord, now: Instant) -> Errand:
    del now
    return Errand(interface_id=account.interface_id, sync=True)


def fetch_now(
    operation: str,
    names: Sequence[str],
    errand_of: Callable[[AccountRecord, Instant], Errand],
    *,
    title: str,
    figures: Sequence[Done],
    lock_timeout: float,
) -> int:
    """Run an errand for all or the named accounts of the state, write the summary, and say how it ended."""
    from ekomi_reconcile.apply.accounts import run_errands

    configuration = load_configuration()
    with (
        stopping() as stop,
        writing(configuration, operation, lock_timeout=lock_timeout) as state,
        progress() as listen,
        Sources(configuration) as sources,
    ):
        records = _records(configuration, state, names)
        passwords = _passwords(configuration, records)
        context = make_context(
            configuration, state, sources=sources, passwords=passwords, stop=stop, listen=listen
        )
        with context.clients:
            run_errands(context, [errand_of(each, context.now()) for each in records])
    write_text(fetched_text(context.result, title, figures, paint=stdout_paint()))
    if stop.interrupted:
        return Exit.INTERRUPTED
    return Exit.OK if context.result.succeeded else Exit.ERROR


def _records(configuration: Configuration, state: State, names: Sequence[str]) -> list[AccountRecord]:
    """The named accounts of the state; without names all that the files still have."""
    records = {each.interface_id: each for each in state.accounts()}
    written = {each.interface_id for each in configuration.accounts}
    if not names:
        return [each for key, each in records.items() if key in written]
    keys = choose(names, (*live_in(state), *written_in(configuration)))
    for key in keys:
        if key not in records:
            raise ReconcileError(
                f"the account with interface id {key} is not in the state yet",
                mend="create it: ekomi-reconcile apply",
            )
    return [records[key] for key in keys]


def _passwords(configuration: Configuration, records: Sequence[AccountRecord]) -> Passwords:
    """The passwords of these accounts; an account that left the files has none."""
    found = read_passwords(configuration, None)
    written = {each.interface_id for each in configuration.accounts}
    gone = {
        each.interface_id: SecretError(
            f'"{each.name}" is no longer in the files, so its password is not known',
            mend="apply deletes it; or put its file back",
        )
        for each in records
        if each.interface_id not in written
    }
    return Passwords(found.secrets, found.digests, {**found.unresolved, **gone})
