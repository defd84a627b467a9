"""``accounts`` and ``sync``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

import click

from ekomi_reconcile.apply.fetching import FetchTask
from ekomi_reconcile.cli import lists
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.lists import choose, choose_one, known_to, live_in, written_in
from ekomi_reconcile.cli.main import Exit, LazyGroup
from ekomi_reconcile.cli.options import common, option, stopping
from ekomi_reconcile.cli.progress import progress
from ekomi_reconcile.cli.session import load_configuration, reading, writing
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.model.account import AccountRecord, GridRow
from ekomi_reconcile.model.errors import ReconcileError, SecretError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.model.run import Done
from ekomi_reconcile.reconcile.planning import Passwords, make_context, read_passwords
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.render import accounts as render_accounts
from ekomi_reconcile.render.results import fetched_text
from ekomi_reconcile.render.tables import array_text, printable
from ekomi_reconcile.state.store import State


@click.command()
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=account_completions)
@lists.lock_timeout_option
@common()
def sync(names: tuple[str, ...], lock_timeout: int) -> int:
    """Fetch shop details and statistics from eKomi now.

    Fetches them for the named accounts, or for all in the state, whether a sync is due or not.
    """
    return fetch_now(
        "sync", names, _sync_task, title="Sync", figures=(Done.SYNCED,), lock_timeout=lock_timeout
    )


def _sync_task(account: AccountRecord, now: Instant) -> FetchTask:
    del now
    return FetchTask(interface_id=account.interface_id, sync=True)


def fetch_now(
    operation: str,
    names: Sequence[str],
    task_of: Callable[[AccountRecord, Instant], FetchTask],
    *,
    title: str,
    figures: Sequence[Done],
    lock_timeout: float,
) -> int:
    """Run an task for all or the named accounts of the state, write the summary, and say how it ended."""
    from ekomi_reconcile.apply.accounts import run_fetch_tasks

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
            run_fetch_tasks(context, [task_of(each, context.now()) for each in records])
    lists.write_text(fetched_text(context.result, title, figures, paint=lists.stdout_paint()))
    if stop.interrupted:
        return Exit.INTERRUPTED
    return Exit.OK if context.result.succeeded else Exit.ERROR


def _records(configuration: Configuration, state: State, names: Sequence[str]) -> list[AccountRecord]:
    """The named accounts of the state; without names all that the files still have."""
    records = {each.interface_id: each for each in state.accounts.read()}
    written = {each.interface_id for each in configuration.accounts}
    if not names:
        return [each for key, each in records.items() if key in written]
    keys = choose(names, (*live_in(state), *written_in(configuration)))
    for key in keys:
        if key not in records:
            raise ReconcileError(
                f"the account with interface id {key} is not in the state yet",
                hint="create it: ekomi-reconcile apply",
            )
    return [records[key] for key in keys]


def _passwords(configuration: Configuration, records: Sequence[AccountRecord]) -> Passwords:
    """The passwords of these accounts; an account that left the files has none."""
    found = read_passwords(configuration, None)
    written = {each.interface_id for each in configuration.accounts}
    gone = {
        each.interface_id: SecretError(
            f'"{each.name}" is no longer in the files, so its password is not known',
            hint="the next apply deletes it; to keep it, restore its file",
        )
        for each in records
        if each.interface_id not in written
    }
    return Passwords(found.secrets, found.digests, {**found.unresolved, **gone})


@click.group(cls=LazyGroup)
@common()
def accounts() -> None:
    """The accounts: list, show, open, check."""


@accounts.command("list")
@lists.limit_option
@lists.format_option
@common()
def list_command(form: str, limit: int | None) -> int:
    """List the accounts in the state, by name."""
    with reading(load_configuration(), key=False) as state:
        counts = state.queue.counts()
        records = sorted(state.accounts.read(), key=lambda each: (each.name.casefold(), each.interface_id))
    rows = [GridRow(each, counts.get(each.interface_id, {})) for each in records[:limit]]
    lists.write_list(
        rows,
        form,
        layout=render_accounts.LAYOUT,
        as_row=render_accounts.grid_row,
        as_json=render_accounts.grid_json,
        nothing="The state has no accounts.",
    )
    if form == "text":
        lists.write_text("".join(render_accounts.troubles(rows, lists.stdout_paint())))
    return Exit.OK


@accounts.command("show")
@click.argument("name", metavar="NAME|INTERFACE_ID", shell_complete=account_completions)
@lists.format_option
@common()
def show(name: str, form: str) -> int:
    """Show one account in full, with the origin of each value."""
    configuration = load_configuration()
    with reading(configuration, key=False) as state:
        detail = _detail(configuration, state, name)
    lists.write_one(detail, form, as_text=render_accounts.detail_text, as_json=render_accounts.detail_json)
    return Exit.OK


def _detail(configuration: Configuration, state: State, name: str) -> render_accounts.AccountDetail:
    key = choose_one(name, (*live_in(state), *written_in(configuration), *known_to(state)))
    record = next(
        (each for each in state.accounts.read(include_deleted=True) if each.interface_id == key), None
    )
    written = next((each for each in configuration.accounts if each.interface_id == key), None)
    origins: Mapping[str, str] = {} if written is None else configuration.origins[key]
    queue: Mapping[Status, int] = state.queue.counts().get(key, {})
    return render_accounts.AccountDetail(record=record, written=written, origins=origins, queue=queue)


@accounts.command("open")
@click.argument("name", shell_complete=account_completions)
@option("--print", "only_print", is_flag=True, help="Print the URL only; do not open a browser.")
@common()
def open_command(name: str, only_print: bool) -> int:
    """Open the public review page at eKomi. Prints its URL; on a terminal, opens it in a browser."""
    configuration = load_configuration()
    with reading(configuration, key=False) as state:
        detail = _detail(configuration, state, name)
    page = detail.shop.review_page
    if page is None:
        wanted = "apply" if detail.record is None else f"sync {detail.record.interface_id}"
        raise ReconcileError(
            f'the public page of "{detail.name}" is not known yet',
            hint=f"fetch it: ekomi-reconcile {wanted}",
        )
    lists.write_text(printable(page) + "\n")
    if sys.stdout.isatty() and not only_print:
        sys.stdout.flush()
        click.launch(page)
    return Exit.OK


@accounts.command("check")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=account_completions)
@lists.format_option
@common()
def check(names: tuple[str, ...], form: str) -> int:
    """Test the credentials of the named accounts, or of all, at eKomi. Does not change the state."""
    from ekomi_reconcile.apply.accounts import check_credentials
    from ekomi_reconcile.model.account import Credential
    from ekomi_reconcile.reconcile.planning import make_clients, read_passwords

    configuration = load_configuration()
    known = written_in(configuration)
    wanted = set(choose(names, known) if names else (each.interface_id for each in known))
    passwords = read_passwords(configuration, None)
    with stopping() as stop, make_clients(configuration, passwords, stop) as clients:
        found = check_credentials(
            clients,
            [each for each in configuration.accounts if each.interface_id in wanted],
            unresolved=passwords.unresolved,
            parallelism=configuration.project.ekomi.parallelism,
        )
    if form == "json":
        lists.write_pieces(array_text(map(render_accounts.checked_json, found)))
    else:
        lists.write_text("".join(render_accounts.checked_text(each, lists.stdout_paint()) for each in found))
    if stop.interrupted:
        return Exit.INTERRUPTED
    return Exit.OK if all(each.verdict is Credential.OK for each in found) else Exit.ERROR
