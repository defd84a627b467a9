"""``dump``: the accounts of the state as the YAML that asks for them."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import click

from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.lists import write_pieces
from ekomi_reconcile.cli.options import common
from ekomi_reconcile.cli.output import exact_output
from ekomi_reconcile.cli.selection import choose_matching, live_in
from ekomi_reconcile.cli.session import configuration_path, reading
from ekomi_reconcile.config.load import load_from
from ekomi_reconcile.config.settings import Project
from ekomi_reconcile.config.source import DiskTree, Listing
from ekomi_reconcile.model.account_record import AccountRecord
from ekomi_reconcile.render.tables import plural, printable


class _WithoutAccounts(DiskTree):
    """The files of a project without those of its accounts: they may be lost, or not be sound."""

    def walk(self, folder: str) -> Listing:
        """Implements ``Tree``."""
        del folder
        return Listing(())


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=account_completions)
@common()
def dump(names: tuple[str, ...]) -> int:
    """Print the accounts of the state as YAML, as they were applied last.

    For files that were lost: the result in a file of the accounts folder, the next plan has no changes. Each
    password is the reference that was applied. NAME is a name, an interface id or a pattern; without one it
    is all of them. The files of the accounts are not read.
    """
    configuration = load_from(_WithoutAccounts(), configuration_path().as_posix())
    with reading(configuration, key=False) as state:
        chosen = choose_matching(names, live_in(state)) if names else None
        found = [each for each in state.accounts.read() if chosen is None or each.interface_id in chosen]
    records = sorted(found, key=lambda each: each.name.casefold())
    unsaid: list[str] = []
    exact_output()
    write_pieces(_documents(records, configuration.project, unsaid))
    for each in unsaid:
        click.echo(f"Warning: {printable(each)}", err=True)
    return Exit.ERROR if unsaid else Exit.OK


def _documents(
    records: Sequence[AccountRecord], project: Project, unsaid: list[str]
) -> Generator[str, None, None]:
    """One text per account; what cannot be said goes into ``unsaid``."""
    from ekomi_reconcile.formatting.canonical import written

    for number, record in enumerate(records):
        document = written(record.desired, project)
        yield ("---\n" if number else "") + document.text
        if document.unsaid:
            keys = ", ".join(document.unsaid)
            unsaid.append(
                f"{record.name} was applied without {plural(len(document.unsaid), 'value')} ({keys}) for "
                "which the project has a default: take it out of `defaults:`"
            )
