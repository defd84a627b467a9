"""``explain``: why an order is invited or not, and when."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ekomi_reconcile.cli.app import Exit
from ekomi_reconcile.cli.completion import account_completions
from ekomi_reconcile.cli.lists import format_option, write_one
from ekomi_reconcile.cli.options import common, option
from ekomi_reconcile.cli.selection import choose_one, written_in
from ekomi_reconcile.cli.session import load_configuration, reading_if_any
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.explain import order_lookup
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.invitation import InvitationFilter
from ekomi_reconcile.model.sending_times import SendingSchedule
from ekomi_reconcile.plan.view import EmptyQueue
from ekomi_reconcile.privacy.limits import CustomerPrivacy
from ekomi_reconcile.reconcile.planning import digester, read_privacy
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.render.explain import Told, explanation_json, explanation_text
from ekomi_reconcile.render.tables import printable
from ekomi_reconcile.state.engine.key import Purpose
from ekomi_reconcile.state.store import State


@click.command()
@click.argument("order")
@option(
    "--account",
    metavar="NAME",
    shell_complete=account_completions,
    help="Only this account, by name or interface id.",
)
@format_option
@common()
def explain(order: str, account: str | None, form: str) -> int:
    """Why an order is invited or not, and when: every account's every criterion.

    ORDER is its number, '#123' its id; 'SOURCE:#123' where several order sources have it.
    """
    configuration = load_configuration()
    only = None if account is None else choose_one(account, written_in(configuration))
    settings = configuration.project.privacy
    known = settings.max_per_customer is not None or settings.suppress is not None
    with (
        reading_if_any(configuration, key=known) as state,
        Sources(configuration) as sources,
    ):
        found = _find(order, _searched(configuration, only), sources, state)
        privacy = read_privacy(configuration, digester(state, Purpose.CUSTOMER) if known else None)
        told = _told(_explained(configuration, state, found, privacy), state, only)
        write_one(told, form, as_text=explanation_text, as_json=explanation_json)
    return Exit.OK


def _searched(configuration: Configuration, only: str | None) -> Sequence[str]:
    """The order sources to look in: those of this account, or all."""
    if only is None:
        return tuple(configuration.project.orders)
    return tuple(each.orders for each in configuration.accounts if each.interface_id == only)


def _find(text: str, names: Sequence[str], sources: Sources, state: State | None) -> order_lookup.Found:
    try:
        search = order_lookup.find_order(text, names, sources.get)
    except ReconcileError as error:
        number = text.rpartition(":")[2].strip()
        if state is not None and any(state.invitations.search(InvitationFilter(order=number, limit=1))):
            error.mend = f"the queue has it: ekomi-reconcile invitations list --order '{number}'"
        raise
    _mention(search)
    return search.found


def _mention(search: order_lookup.SearchResult) -> None:
    for name, error in search.unread:
        click.echo(redact(f"not searched: order source {name}: {printable(error.message)}"), err=True)


def _explained(
    configuration: Configuration, state: State | None, found: order_lookup.Found, privacy: CustomerPrivacy
) -> order_lookup.Explanation:
    recorded = () if state is None else state.accounts.read(include_deleted=True)
    request = order_lookup.match_request(
        found.source,
        configuration.accounts,
        recorded,
        {} if state is None else state.positions.read(),
        now=instant.now(),
    )
    queue = EmptyQueue() if state is None else state.queue
    schedule = SendingSchedule(configuration.accounts, configuration.project.timezone)
    return order_lookup.explain_order(found.order, request, queue, privacy, schedule)


def _told(explanation: order_lookup.Explanation, state: State | None, only: str | None) -> Told:
    histories = (
        {} if state is None else {row.id: state.invitations.history(row.id) for row in explanation.rows}
    )
    shown = [each for each in explanation.verdicts if only in (None, each.account.interface_id)]
    return Told(explanation, shown, histories)
