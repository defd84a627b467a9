"""``backtest``: past orders replayed under the rules of one or two revisions, without a state."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from ekomi_reconcile.analysis.backtest import Backtest, PastRun, RecordedQueue, ReplayedRules
from ekomi_reconcile.cli import lists
from ekomi_reconcile.cli.files import check_revision, project_in
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import common, option, options
from ekomi_reconcile.cli.progress import progress
from ekomi_reconcile.cli.session import load_configuration, reading_if_any
from ekomi_reconcile.config.configuration import Configuration, redact
from ekomi_reconcile.config.revision import ask, merge_base, tree_at
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.errors import ConfigurationInvalid, RevisionUnreadable
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.model.review import Response
from ekomi_reconcile.model.run import JournalEntry, Progress, Stage
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.reconcile.planning import first_pseudonym, read_privacy
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.render.results import diagnostics_text
from ekomi_reconcile.render.rule_tests import backtest_json, backtest_text
from ekomi_reconcile.render.tables import Paint
from ekomi_reconcile.rules.rulebook import TELEPHONE, RuleBook
from ekomi_reconcile.state.repositories.journal import APPLY, STARTED

if TYPE_CHECKING:
    from ekomi_reconcile.state.store import State

FILES = "."
"""The files as they are: no git revision can have this name."""


@click.command()
@option(
    "--since",
    type=lists.Since(),
    metavar="TIME",
    help="Only orders created since TIME: 2026-11-30, or 90d for the last 90 days.  [default: 365d]",
)
@option(
    "--rules",
    "refs",
    multiple=True,
    metavar="REF",
    help="Use the accounts of this git revision; '.' is the working tree; twice to compare.  [default: .]",
)
@option(
    "--no-state",
    is_flag=True,
    help="Do not read the state: no expected reviews, no comparison with the queue.",
)
@lists.format_option
@common()
def backtest(since: Instant | None, refs: tuple[str, ...], no_state: bool, form: str) -> int:
    """Replay past orders: show whom the rules would have invited, and what a rule change does.

    Every order is evaluated at its own times, by its status history. Orders are read from the sources of the
    project; nothing is sent. With a state, the expected reviews are estimated from the response rate so far,
    and the result is compared with the actual queue. Today's suppression list, customer groups and
    categories apply. Not replayed: reviews, the limit per customer, order numbers that occur twice.

    Two --rules show the difference from the first to the second: --rules main --rules .
    """
    if len(refs) > 2:
        raise click.UsageError("--rules: at most two revisions can be compared.")
    for ref in refs:
        check_revision("--rules", ref)
    configuration, now = load_configuration(), instant.now()
    rules = [_rules_at(ref, configuration) for ref in refs or (FILES,)]
    pseudonym = first_pseudonym(configuration)
    run = Backtest(
        since=now - 365 * DAY if since is None else since,
        now=now,
        revisions=rules,
        opted_out=read_privacy(configuration, scratch=pseudonym).opted_out,
    )
    with nullcontext() if no_state else reading_if_any(configuration, key=False) as state:
        if state is not None:
            _compare_with(state, run, configuration)
        problems = _replay(run, configuration, pseudonym)
    lists.write_one(run, form, as_text=backtest_text, as_json=backtest_json)
    return Exit.ERROR if any(each.is_error for each in problems) else Exit.OK


def _rules_at(ref: str, configuration: Configuration) -> ReplayedRules:
    """The accounts of a revision.

    Raises:
        RevisionUnreadable: it cannot be read, or has no project at this path.
        ConfigurationInvalid: its files have errors.
    """
    if ref == FILES:
        return ReplayedRules(ref, configuration.accounts)
    base = merge_base(ref, configuration.root)
    tip = ask(configuration.root, "rev-parse", "--verify", f"{ref}^{{commit}}").stdout.decode().strip()
    revision = replace(base, commit=tip)
    with tree_at(revision) as tree:
        return ReplayedRules(ref, project_in(tree, configuration, revision).accounts)


_SETTLED = 14 * DAY
"""Seconds after sending, before which a missing review says nothing yet."""


def _compare_with(state: State, run: Backtest, configuration: Configuration) -> None:
    responses = defaultdict[str, Response](Response)
    for each in state.aggregates.responses(None, until=run.now - _SETTLED):
        responses[each.interface_id] += Response(each.invited, each.reviewed)
    run.responses = responses

    def first_accounts(source: str, ids: Sequence[OrderId]) -> dict[OrderId, str]:
        rows = state.queue.rows_for(source, ids)
        return {
            key: min(found, key=lambda each: each.id).interface_id for key, found in rows.items() if found
        }

    run.recorded = RecordedQueue(_runs(state.journal.entries(), configuration), first_accounts)


def _runs(entries: Sequence[JournalEntry], configuration: Configuration) -> list[PastRun]:
    """The runs of the journal, the earliest first, with the accounts of the commit that each carried out."""
    known: dict[str | None, Sequence[Account] | None] = {None: None}
    runs, started = list[PastRun](), False
    for each in reversed(entries):
        if each.action != APPLY:
            continue
        if not started:
            if each.commit not in known:
                known[each.commit] = _accounts_of(str(each.commit), configuration)
            runs.append(PastRun(each.at, known[each.commit]))
        started = each.outcome == STARTED
    return runs


def _accounts_of(commit: str, configuration: Configuration) -> Sequence[Account] | None:
    """The accounts of a commit; ``None`` where git does not have it any more, or its files have errors."""
    try:
        return _rules_at(commit, configuration).accounts
    except (RevisionUnreadable, ConfigurationInvalid):
        return None


def _replay(
    run: Backtest, configuration: Configuration, pseudonym: Callable[[str], str] | None
) -> list[Diagnostic]:
    """Replay the orders of every source in use; what could not be read is shown and returned."""
    accounts = [each for rules in run.revisions for each in rules.accounts if each.invitations.enabled]
    wanted = Wanted(
        full=True,
        created_from=run.since,
        pseudonym=pseudonym,
        attributes=RuleBook(accounts).attributes | {TELEPHONE, "store_view", "customer_group"},
    )
    problems: list[Diagnostic] = []
    with Sources(configuration) as sources, progress() as listen:
        for name in sorted({each.orders for each in accounts}):
            reading = sources.get(name).read(wanted)
            for done in run.read(name, iter(reading.batches())):
                listen(Progress(stage=Stage.ORDERS, done=done, subject=name))
            problems += reading.problems
    if problems:
        text = diagnostics_text(problems, Paint(options().colour_on(sys.stderr)))
        click.echo(redact(text), err=True, nl=False)
    return problems
