"""``report``: the state as a page for people who do not use a terminal."""

from __future__ import annotations

import secrets
from pathlib import Path

import click

from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.lists import write_text
from ekomi_reconcile.cli.options import FilePath, common, option, options
from ekomi_reconcile.cli.session import load_configuration, reading
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError

PAGE = "index.html"
_HEAD = 4_096
"""Characters in which a page says who made it."""


@click.command()
@option(
    "--out",
    type=FilePath(file_okay=False, path_type=Path),
    default=Path("report"),
    show_default=True,
    metavar="DIR",
    help="The folder to write index.html into; other files in it stay.",
)
@common()
def report(out: Path) -> int:
    """Write the state as a web page: accounts, queue, reviews, runs.

    One file that loads nothing and holds no personal data: open it, mail it, or serve it. The state is only
    read, and no lock is taken.
    """
    from ekomi_reconcile.model.sending_times import SendingSchedule
    from ekomi_reconcile.render.report.page import page_html
    from ekomi_reconcile.report.assemble import make_report

    page = options().directory / out / PAGE
    _check_free(page)
    configuration = load_configuration()
    schedule = SendingSchedule(configuration.accounts, configuration.project.timezone)
    with reading(configuration, key=False) as state:
        made = make_report(state, now=instant.now(), schedule=schedule)
    _write(page, page_html(made, clean=redact))
    write_text(f"{page}\n")
    return Exit.OK


def _check_free(page: Path) -> None:
    """A page of somebody else is not overwritten."""
    from ekomi_reconcile.render.report.page import is_ours

    try:
        with page.open(encoding="utf-8", errors="replace") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unwritable(page, error) from None
    if not is_ours(head):
        raise ReconcileError(
            f"{page} is not a report of ekomi-reconcile",
            mend="choose another folder with --out, or move it away",
        )


def _write(page: Path, text: str) -> None:
    """Write the page whole or not at all."""
    draft = page.with_name(f".{PAGE}.{secrets.token_hex(4)}")
    try:
        page.parent.mkdir(parents=True, exist_ok=True)
        try:
            with draft.open("x", encoding="utf-8", newline="\n") as file:
                file.write(text)
            draft.replace(page)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(page, error) from None


def _unwritable(page: Path, error: OSError) -> ReconcileError:
    return ReconcileError(
        f"{page} cannot be written: {error.strerror}", mend="choose another folder with --out"
    )
