"""``reviews export``: the imported reviews as a file for other programs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path

import click

from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.extras import needs_parquet
from ekomi_reconcile.cli.files import private_file
from ekomi_reconcile.cli.globals import FilePath, common, option, options
from ekomi_reconcile.cli.lists import since_option, write_pieces
from ekomi_reconcile.cli.reviews_chosen import account_names, chosen_accounts, patterns_option, product_option
from ekomi_reconcile.cli.session import exact_output, load_configuration, reading
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.render.reviews import ListedReview
from ekomi_reconcile.render.reviews_export import BYTE_ORDER_MARK, csv_text, json_lines

CSV, JSONL, PARQUET = "csv", "jsonl", "parquet"


@click.command("export")
@option("--format", "form", type=click.Choice([CSV, JSONL, PARQUET]), required=True, help="What to write.")
@option(
    "--out",
    type=FilePath(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to; only its owner may read it.  [default: stdout]",
)
@option("--bom", is_flag=True, help="Begin CSV with a byte order mark: Excel takes it for UTF-8 then.")
@patterns_option
@product_option
@since_option
@option("--gone", is_flag=True, help="Also those that eKomi no longer shows.")
@common()
def export_command(
    form: str,
    out: Path | None,
    bom: bool,
    patterns: tuple[str, ...],
    product: str | None,
    since: Instant | None,
    gone: bool,
) -> int:
    """Write the imported reviews for other programs, by account, the oldest first.

    The columns are the fields of `reviews list --format json`. In CSV an apostrophe stands before what a
    spreadsheet would take for a formula; JSON lines and Parquet hold every text as it is.
    """
    _check(form, out, bom)
    with reading(load_configuration(), key=False) as state:
        names, wanted = account_names(state), chosen_accounts(state, patterns)
        found = state.list_reviews(wanted, since=since, include_gone=gone, product_id=product)
        listed = (ListedReview(names[each.interface_id], each) for each in found)
        _write(listed, form, out, mark=BYTE_ORDER_MARK if bom else "")
    return Exit.OK


def _check(form: str, out: Path | None, bom: bool) -> None:
    if bom and form != CSV:
        raise click.UsageError("--bom is for CSV.")
    if form == PARQUET:
        if out is None:
            raise click.UsageError("a Parquet file needs a name: --out FILE.")
        needs_parquet()


def _write(listed: Iterator[ListedReview], form: str, out: Path | None, *, mark: str) -> None:
    if out is None:
        exact_output()
        write_pieces(_with_mark(mark, _TEXTS[form](listed)))
        return
    with private_file(options().directory / out) as file:
        if form == PARQUET:
            from ekomi_reconcile.render.reviews_parquet import write_parquet

            write_parquet(listed, file, clean=redact)
            return
        for piece in _with_mark(mark, _TEXTS[form](listed)):
            file.write(redact(piece).encode())


def _with_mark(mark: str, pieces: Generator[str, None, None]) -> Generator[str, None, None]:
    if mark:
        yield mark
    yield from pieces


_TEXTS: dict[str, Callable[[Iterable[ListedReview]], Generator[str, None, None]]] = {
    CSV: csv_text,
    JSONL: json_lines,
}
