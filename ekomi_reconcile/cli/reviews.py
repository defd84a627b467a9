"""``reviews``: import reviews from eKomi now, and list what was imported."""

from __future__ import annotations

import heapq
from collections.abc import Iterable

import click

from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import common, option
from ekomi_reconcile.cli.lazy import LazyGroup
from ekomi_reconcile.cli.lists import (
    format_option,
    limit_option,
    lock_timeout_option,
    since_option,
    write_list,
)
from ekomi_reconcile.cli.reviews_chosen import account_names, chosen_accounts, patterns_option, product_option
from ekomi_reconcile.cli.reviews_export import export_command
from ekomi_reconcile.cli.reviews_stats import stats_command
from ekomi_reconcile.cli.session import load_configuration, reading
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.render.reviews import LAYOUT, ListedReview, review_json, review_row
from ekomi_reconcile.state.records import RecordedReview


@click.group(cls=LazyGroup)
@common()
def reviews() -> None:
    """The reviews: import, list, stats, export."""


@reviews.command("import")
@click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=account_completions)
@option("--full", is_flag=True, help="All reviews, not only recent ones; notices those that are gone.")
@lock_timeout_option
@common()
def import_command(names: tuple[str, ...], full: bool, lock_timeout: int) -> int:
    """Import the reviews of all or the named accounts now, whether it is due or not."""
    from ekomi_reconcile.apply.accounts import import_errand
    from ekomi_reconcile.apply.fetching import Errand
    from ekomi_reconcile.cli.sync import fetch_now
    from ekomi_reconcile.model.result import Done
    from ekomi_reconcile.state.records import AccountRecord

    def errand(account: AccountRecord, now: Instant) -> Errand:
        plain = Errand(interface_id=account.interface_id)
        return import_errand(plain, None if full else account, now=now)

    return fetch_now(
        "reviews import", names, errand, title="Import", figures=(Done.IMPORTED,), lock_timeout=lock_timeout
    )


@reviews.command("list")
@patterns_option
@product_option
@since_option
@option("--gone", is_flag=True, help="Also those that eKomi no longer shows.")
@limit_option
@format_option
@common()
def list_command(
    patterns: tuple[str, ...],
    product: str | None,
    since: Instant | None,
    gone: bool,
    limit: int | None,
    form: str,
) -> int:
    """The imported reviews, the latest first."""
    with reading(load_configuration(), key=False) as state:
        wanted, names = chosen_accounts(state, patterns), account_names(state)
        listed = state.list_reviews(wanted, since=since, include_gone=gone, product_id=product)
        write_list(
            (ListedReview(names[each.interface_id], each) for each in _latest(listed, limit)),
            form,
            layout=LAYOUT,
            as_row=review_row,
            as_json=review_json,
            nothing="There are no such reviews.",
        )
    return Exit.OK


reviews.add_command(stats_command)
reviews.add_command(export_command)


def _latest(found: Iterable[RecordedReview], limit: int | None) -> list[RecordedReview]:
    """The latest first, of one instant in the order of the state; only ``limit`` are held at a time."""
    if limit is None:
        return sorted(found, key=lambda each: -each.review.submitted_at)
    return heapq.nlargest(limit, found, key=lambda each: each.review.submitted_at)
