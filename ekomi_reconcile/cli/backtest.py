"""``backtest``: past orders replayed under the rules of one or two revisions, without a state."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from ekomi_reconcile.analysis.backtest import Backtest, ReplayedRules
from ekomi_reconcile.cli import lists
from ekomi_reconcile.cli.files import check_revision, project_in
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import common, option, options
from ekomi_reconcile.cli.progress import progress
from ekomi_reconcile.cli.session import load_configuration
from ekomi_reconcile.config.configuration import Configuration, redact
from ekomi_reconcile.config.revision import ask, merge_base, tree_at
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.run import Progress, Stage
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.reconcile.planning import read_privacy
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.render.results import diagnostics_text
from ekomi_reconcile.render.rule_tests import backtest_json, backtest_text
from ekomi_reconcile.render.tables import Paint
from ekomi_reconcile.rules.rulebook import TELEPHONE, RuleBook

FILES = "."
"""The files as they are: no git revision can have this name."""


@click.command()
@option(
    "--since",
    type=lists.Since(),
    metavar="TIME",
    help="Only orders created since then: 2026-11-30, or 90d ago.  [default: 365d]",
)
@option(
    "--rules",
    "refs",
    multiple=True,
    metavar="REF",
    help="The accounts of this git revision, '.' for the files as they are; twice to compare.  [default: .]",
)
@lists.format_option
@common()
def backtest(since: Instant | None, refs: tuple[str, ...], form: str) -> int:
    """Replay past orders: whom the rules would have invited, and what a change of them does.

    Every order is judged at its own times, by its status history. Orders are read from the sources of the
    project; nothing is written or sent, and no state is read. Today's suppression list, customer groups and
    categories apply. Not replayed: reviews, the limit per customer, order numbers that occur twice.

    With two --rules the difference is shown, from the first to the second: --rules main --rules .
    """
    if len(refs) > 2:
        raise click.UsageError("--rules: at most two revisions can be compared.")
    for ref in refs:
        check_revision("--rules", ref)
    configuration, now = load_configuration(), instant.now()
    rules = [_rules_at(ref, configuration) for ref in refs or (FILES,)]
    run = Backtest(
        since=now - 365 * DAY if since is None else since,
        now=now,
        revisions=rules,
        opted_out=read_privacy(configuration).opted_out,
    )
    problems = _replay(run, configuration)
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


def _replay(run: Backtest, configuration: Configuration) -> list[Diagnostic]:
    """Replay the orders of every source in use; what could not be read is shown and returned."""
    accounts = [each for rules in run.revisions for each in rules.accounts if each.invitations.enabled]
    wanted = Wanted(
        full=True,
        created_from=run.since,
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
