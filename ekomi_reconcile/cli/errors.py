"""``errors``: calls to eKomi that failed."""

from __future__ import annotations

import click

from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.lists import accounts_option, format_option, limit_option, since_option, write_list
from ekomi_reconcile.cli.options import common
from ekomi_reconcile.cli.selection import choose, known_to
from ekomi_reconcile.cli.session import load_configuration, reading
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.render.results import LAYOUT, ListedError, error_json, error_row


@click.command()
@accounts_option
@since_option
@limit_option
@format_option
@common()
def errors(names: tuple[str, ...], since: Instant | None, limit: int | None, form: str) -> int:
    """Calls to eKomi that failed.

    The latest first. The messages hold neither secrets nor personal data.
    """
    with reading(load_configuration(), key=False) as state:
        wanted = frozenset(choose(names, known_to(state))) if names else None
        account_names = {each.interface_id: each.name for each in state.accounts.read(include_deleted=True)}
        found = state.journal.errors(since=since)
    listed = [
        ListedError(account_names.get(each.interface_id or ""), each)
        for each in found
        if wanted is None or each.interface_id in wanted
    ]
    write_list(
        listed[:limit],
        form,
        layout=LAYOUT,
        as_row=error_row,
        as_json=error_json,
        nothing="No call has failed.",
    )
    return Exit.OK
