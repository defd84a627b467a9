"""What the commands that show things share: their options, and writing lists and single things."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from typing import TypeVar

import click

from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.options import DURATION, Command, option, options
from ekomi_reconcile.cli.output import write_result
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.document import JsonObject
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.render.tables import Layout, Paint, Row, array_text, document_text, table_text

T = TypeVar("T")
Document = TypeVar("Document", bound=JsonObject)


class Since(click.ParamType[Instant]):
    """A point in time, or how long ago it was: ``2026-11-30``, ``24h``."""

    name = "time"

    def convert(
        self, value: str | Instant, param: click.Parameter | None, ctx: click.Context | None
    ) -> Instant:
        """Seconds since 1970."""
        if isinstance(value, int):
            return value
        try:
            return instant.now() - DURATION.convert(value, param, ctx)
        except click.BadParameter:
            pass
        try:
            return instant.parse(value)
        except ValueError:
            self.fail(f"{value!r} is no time; write it like 2026-11-30T12:00:00Z, or 24h, or 7d", param, ctx)


def format_option(command: Command) -> Command:
    """``--format text|json``."""
    kinds = click.Choice(["text", "json"])
    return option("--format", "form", type=kinds, default="text", help="How to show it.")(command)


def limit_option(command: Command) -> Command:
    """``--limit N``."""
    return option("--limit", type=click.IntRange(1), metavar="N", help="At most N rows.  [default: all]")(
        command
    )


def accounts_option(command: Command) -> Command:
    """``--account NAME``, repeatable."""
    return option(
        "--account",
        "names",
        multiple=True,
        metavar="NAME",
        shell_complete=account_completions,
        help="Only this account, by name or interface id; may be repeated.",
    )(command)


def since_option(command: Command) -> Command:
    """``--since TIME``."""
    return option("--since", type=Since(), metavar="TIME", help="Only from then on: 2026-11-30, or 24h ago.")(
        command
    )


def lock_timeout_option(command: Command) -> Command:
    """``--lock-timeout TIME``."""
    return option(
        "--lock-timeout",
        type=DURATION,
        default="0s",
        metavar="TIME",
        help="How long to wait for the writer lock.",
    )(command)


def write_list(
    items: Iterable[T],
    form: str,
    *,
    layout: Layout,
    as_row: Callable[[T], Row],
    as_json: Callable[[T], JsonObject],
    nothing: str,
) -> None:
    """Write a list to stdout as it comes; an empty table is a word on stderr."""
    if form == "json":
        write_pieces(array_text(map(as_json, items)))
        return
    rows, width = map(as_row, items), terminal_width()
    table = table_text(layout, rows, width=width, paint=stdout_paint(), now=instant.now())
    written = write_pieces(table)
    if not written and not options().quiet:
        click.echo(nothing, err=True)


def write_pieces(pieces: Generator[str, None, None]) -> int:
    """Write text to stdout a piece at a time; how many there were.

    Where the reader of a pipe has gone, what still makes pieces ends before the state is closed.
    """
    count = 0
    with closing(pieces):
        for piece in pieces:
            write_text(piece)
            count += 1
    return count


def write_text(text: str) -> None:
    """Write text to stdout, without any secret."""
    write_result(redact(text))


def write_one(
    item: T, form: str, *, as_text: Callable[[T, Paint], str], as_json: Callable[[T], JsonObject]
) -> None:
    """Write one thing to stdout."""
    write_text(document_text(as_json(item)) if form == "json" else as_text(item, stdout_paint()))


def write_document(document: Document, form: str, *, as_text: Callable[[Document, Paint], str]) -> None:
    """Write to stdout what is the same as text and as JSON."""
    write_one(document, form, as_text=as_text, as_json=lambda same: same)


def stdout_paint() -> Paint:
    """Colour for stdout, as the common options say."""
    return Paint(options().colour_on(sys.stdout))


def terminal_width() -> int | None:
    """Columns of the terminal; ``None`` where stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
