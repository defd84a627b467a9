"""``reviews stats``: how many, how good, since when."""

from __future__ import annotations

import sys

import click

from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common, option, options
from ekomi_reconcile.cli.lists import format_option, since_option, stdout_paint, write_pieces
from ekomi_reconcile.cli.reviews_chosen import account_names, chosen_accounts, patterns_option, product_option
from ekomi_reconcile.cli.session import load_configuration, reading
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.statistics import Period
from ekomi_reconcile.render.json_text import array_text
from ekomi_reconcile.render.reviews_stats import (
    ListedStatistics,
    signs_for,
    statistics_json,
    statistics_text,
)


@click.command("stats")
@patterns_option
@product_option
@since_option
@option(
    "--by",
    type=click.Choice([each.value for each in Period]),
    default=Period.MONTH.value,
    help="The steps of the trend.  [default: month]",
)
@format_option
@common()
def stats_command(
    patterns: tuple[str, ...], product: str | None, since: Instant | None, by: str, form: str
) -> int:
    """How many reviews, how good, how many answered, and the trend.

    Of the shop's own reviews, per account; reviews of products are summed up beside, or with --product
    counted for one of them. What eKomi no longer shows does not count. Months and weeks are those of UTC.
    """
    period = Period(by)
    with reading(load_configuration(), key=False) as state:
        keys, names = chosen_accounts(state, patterns), account_names(state)
        found = [
            ListedStatistics(
                account=names[each.interface_id], found=each, by=period, since=since, product_id=product
            )
            for each in state.review_statistics(keys, by=period, since=since, product_id=product)
        ]
    _write(found, form)
    return Exit.OK


def _write(found: list[ListedStatistics], form: str) -> None:
    if form == "json":
        write_pieces(array_text(map(statistics_json, found)))
    elif not found and not options().quiet:
        click.echo("There are no accounts.", err=True)
    else:
        signs = signs_for(sys.stdout.encoding)
        write_pieces(statistics_text(found, signs=signs, paint=stdout_paint()))
