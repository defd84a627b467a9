"""``reviews``: import, list, statistics, export."""

from __future__ import annotations

import heapq
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from ekomi_reconcile.cli import lists
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.files import needs_parquet, private_file
from ekomi_reconcile.cli.lists import choose_matching, known_to
from ekomi_reconcile.cli.main import Exit, LazyGroup
from ekomi_reconcile.cli.options import Command, FilePath, common, exact_output, option, options
from ekomi_reconcile.cli.session import load_configuration, reading
from ekomi_reconcile.config.configuration import redact
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.model.review import FunnelGroup, FunnelKey, Period, RecordedReview, SentOutcome, week_of
from ekomi_reconcile.render import invitations as render_invitations
from ekomi_reconcile.render import reviews as render_reviews
from ekomi_reconcile.render.tables import array_text
from ekomi_reconcile.state.store import State


def patterns_option(command: Command) -> Command:
    """``--account GLOB``, repeatable."""
    return option(
        "--account",
        "patterns",
        multiple=True,
        metavar="GLOB",
        shell_complete=account_completions,
        help="Only accounts whose name or interface id matches; may be repeated.",
    )(command)


def product_option(command: Command) -> Command:
    """``--product ID``."""
    return option(
        "--product", metavar="ID", help="Only reviews of one product, by the shop's identifier or eKomi's id."
    )(command)


def chosen_accounts(state: State, patterns: Sequence[str]) -> tuple[str, ...] | None:
    """The interface ids that these patterns choose; ``None``, which is all, without any.

    Raises:
        ReconcileError: no account fits one of them.
    """
    return choose_matching(patterns, known_to(state)) if patterns else None


def account_names(state: State) -> dict[str, str]:
    """Names by interface id, of deleted accounts too."""
    return {each.interface_id: each.name for each in state.accounts.read(include_deleted=True)}


@click.command("stats")
@patterns_option
@product_option
@lists.since_option
@option(
    "--by",
    type=click.Choice([each.value for each in Period]),
    default=Period.MONTH.value,
    help="The interval of the trend.  [default: month]",
)
@lists.format_option
@common()
def stats_command(
    patterns: tuple[str, ...], product: str | None, since: Instant | None, by: str, form: str
) -> int:
    """Show the number of reviews, their rating, how many have a reply, and the trend.

    Counts shop reviews per account; product reviews are summed up separately, or with --product
    counted for one product. Reviews that eKomi no longer shows do not count. Months and weeks are in UTC.
    """
    period = Period(by)
    with reading(load_configuration(), key=False) as state:
        keys, names = chosen_accounts(state, patterns), account_names(state)
        found = [
            render_reviews.ListedStatistics(
                account=names[each.interface_id], found=each, by=period, since=since, product_id=product
            )
            for each in state.aggregates.review_statistics(keys, by=period, since=since, product_id=product)
        ]
    _write(found, form)
    return Exit.OK


def _write(found: list[render_reviews.ListedStatistics], form: str) -> None:
    if form == "json":
        lists.write_pieces(array_text(map(render_reviews.statistics_json, found)))
    elif not found and not options().quiet:
        click.echo("No accounts.", err=True)
    else:
        signs = render_reviews.signs_for(sys.stdout.encoding)
        lists.write_pieces(render_reviews.statistics_text(found, signs=signs, paint=lists.stdout_paint()))


class _FunnelKeys(click.ParamType[tuple[FunnelKey, ...]]):
    """Keys of the funnel, separated by commas."""

    name = "keys"

    def convert(
        self, value: str | tuple[FunnelKey, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[FunnelKey, ...]:
        """The keys, each once, in a fixed order."""
        if isinstance(value, tuple):
            return value
        names = {each.strip() for each in value.split(",")}
        if unknown := sorted(names - set(FunnelKey)):
            known = ", ".join(each.value for each in FunnelKey)
            self.fail(f"unknown key {unknown[0]!r}; expected one or more of {known}, with commas", param, ctx)
        return tuple(each for each in FunnelKey if each in names)


@click.command("funnel")
@option(
    "--by",
    type=_FunnelKeys(),
    default="account",
    metavar="KEYS",
    help="Group by account, week, channel or pending_days; separate several by commas.  [default: account]",
)
@patterns_option
@lists.since_option
@lists.format_option
@common()
def funnel_command(
    by: tuple[FunnelKey, ...], patterns: tuple[str, ...], since: Instant | None, form: str
) -> int:
    """Show how many invitations led to a review, and how long it took.

    Counts invitations sent since --since, and the shop reviews of their orders that were submitted
    afterwards. The response rate comes with its 95 % Wilson interval. Customers need time: the rate of the
    last weeks is not final. A channel or period that was not recorded is left empty.
    """
    with reading(load_configuration(), key=False) as state:
        names = account_names(state)
        groups: dict[tuple[Any, ...], FunnelGroup] = {}
        for sent in state.aggregates.sent_invitations(chosen_accounts(state, patterns), since=since):
            group = groups.setdefault(tuple(_funnel_value(key, sent, names) for key in by), FunnelGroup())
            group.invited += 1
            if sent.reviewed_at is not None:
                group.delays.append(sent.reviewed_at - sent.sent_at)
    ordered = sorted(groups, key=lambda values: [(each is not None, each) for each in values])
    lists.write_list(
        [render_invitations.funnel_json(dict(zip(by, each, strict=True)), groups[each]) for each in ordered],
        form,
        layout=render_invitations.FUNNEL_LAYOUT,
        as_row=render_invitations.funnel_row,
        as_json=lambda each: each,
        nothing="No invitation was sent.",
    )
    return Exit.OK


def _funnel_value(key: FunnelKey, sent: SentOutcome, names: Mapping[str, str]) -> str | int | None:
    match key:
        case FunnelKey.ACCOUNT:
            return names[sent.interface_id]
        case FunnelKey.WEEK:
            return iso(week_of(sent.sent_at))[:10]
        case FunnelKey.CHANNEL:
            return sent.channel
        case FunnelKey.PENDING_DAYS:
            return sent.pending_days


CSV, JSONL, PARQUET = "csv", "jsonl", "parquet"


@click.command("export")
@option("--format", "form", type=click.Choice([CSV, JSONL, PARQUET]), required=True, help="Output format.")
@option(
    "--out",
    type=FilePath(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The output file, readable only by its owner.  [default: stdout]",
)
@option("--bom", is_flag=True, help="Begin CSV with a byte order mark, so that Excel reads it as UTF-8.")
@patterns_option
@product_option
@lists.since_option
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
    """Export the imported reviews for other programs, sorted by account, the oldest first.

    The columns are the fields of `reviews list --format json`. In CSV, an apostrophe precedes values that a
    spreadsheet would read as a formula; JSON lines and Parquet contain every string unchanged.
    """
    _check(form, out, bom)
    with reading(load_configuration(), key=False) as state:
        names, wanted = account_names(state), chosen_accounts(state, patterns)
        found = state.reviews.search(wanted, since=since, include_gone=gone, product_id=product)
        listed = (render_reviews.ListedReview(names[each.interface_id], each) for each in found)
        _write_export(listed, form, out, mark=render_reviews.BYTE_ORDER_MARK if bom else "")
    return Exit.OK


def _check(form: str, out: Path | None, bom: bool) -> None:
    if bom and form != CSV:
        raise click.UsageError("--bom is for CSV.")
    if form == PARQUET:
        if out is None:
            raise click.UsageError("a Parquet file needs a name: --out FILE.")
        needs_parquet()


def _write_export(
    listed: Iterator[render_reviews.ListedReview], form: str, out: Path | None, *, mark: str
) -> None:
    if out is None:
        exact_output()
        lists.write_pieces(_with_mark(mark, _TEXTS[form](listed)))
        return
    with private_file(options().directory / out) as file:
        if form == PARQUET:
            render_reviews.write_parquet(listed, file, clean=redact)
            return
        for piece in _with_mark(mark, _TEXTS[form](listed)):
            file.write(redact(piece).encode())


def _with_mark(mark: str, pieces: Generator[str, None, None]) -> Generator[str, None, None]:
    if mark:
        yield mark
    yield from pieces


_TEXTS: dict[str, Callable[[Iterable[render_reviews.ListedReview]], Generator[str, None, None]]] = {
    CSV: render_reviews.csv_text,
    JSONL: render_reviews.json_lines,
}


@click.group(cls=LazyGroup)
@common()
def reviews() -> None:
    """The reviews: import, list, stats, funnel, export."""


@reviews.command("import")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=account_completions)
@option(
    "--full", is_flag=True, help="Import all reviews, not only recent ones; also detects removed reviews."
)
@lists.lock_timeout_option
@common()
def import_command(names: tuple[str, ...], full: bool, lock_timeout: int) -> int:
    """Import the reviews of the named accounts, or of all, now, whether an import is due or not."""
    from ekomi_reconcile.apply.accounts import import_task
    from ekomi_reconcile.apply.fetching import FetchTask
    from ekomi_reconcile.cli.accounts import fetch_now
    from ekomi_reconcile.model.account import AccountRecord
    from ekomi_reconcile.model.run import Done

    def task(account: AccountRecord, now: Instant) -> FetchTask:
        plain = FetchTask(interface_id=account.interface_id)
        return import_task(plain, None if full else account, now=now)

    return fetch_now(
        "reviews import", names, task, title="Import", figures=(Done.IMPORTED,), lock_timeout=lock_timeout
    )


@reviews.command("list")
@patterns_option
@product_option
@lists.since_option
@option("--gone", is_flag=True, help="Also those that eKomi no longer shows.")
@lists.limit_option
@lists.format_option
@common()
def list_command(
    patterns: tuple[str, ...],
    product: str | None,
    since: Instant | None,
    gone: bool,
    limit: int | None,
    form: str,
) -> int:
    """List the imported reviews, the latest first."""
    with reading(load_configuration(), key=False) as state:
        wanted, names = chosen_accounts(state, patterns), account_names(state)
        listed = state.reviews.search(wanted, since=since, include_gone=gone, product_id=product)
        lists.write_list(
            (render_reviews.ListedReview(names[each.interface_id], each) for each in _latest(listed, limit)),
            form,
            layout=render_reviews.LAYOUT,
            as_row=render_reviews.review_row,
            as_json=render_reviews.review_json,
            nothing="There are no such reviews.",
        )
    return Exit.OK


reviews.add_command(stats_command)
reviews.add_command(funnel_command)
reviews.add_command(export_command)


def _latest(found: Iterable[RecordedReview], limit: int | None) -> list[RecordedReview]:
    """The latest first, of one instant in the order of the state; only ``limit`` are held at a time."""
    if limit is None:
        return sorted(found, key=lambda each: -each.review.submitted_at)
    return heapq.nlargest(limit, found, key=lambda each: each.review.submitted_at)
