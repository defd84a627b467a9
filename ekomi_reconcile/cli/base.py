"""``plan --base`` and ``backtest``: what the files change since a git revision.

``plan --base`` needs no state, no secret, no shop and no network; ``backtest`` reads orders, and no state.
"""

from __future__ import annotations

import posixpath
import sys
from dataclasses import replace
from pathlib import Path

import click

from ekomi_reconcile import __version__
from ekomi_reconcile.analysis.backtest import Backtest, ReplayedRules
from ekomi_reconcile.cli import lists
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import common, option, options
from ekomi_reconcile.cli.progress import progress
from ekomi_reconcile.cli.session import load_configuration
from ekomi_reconcile.config.configuration import Configuration, redact
from ekomi_reconcile.config.load import load_from
from ekomi_reconcile.config.revision import GitTree, Revision, ask, merge_base, tree_at
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.errors import ConfigurationInvalid, ConfigurationNotFound, RevisionUnreadable
from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.run import Progress, Stage
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.plan.diff import Comparison, between, settings_changed
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.reconcile.planning import limits_of, read_privacy
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.render.results import diagnostics_text
from ekomi_reconcile.render.rule_tests import backtest_json, backtest_text
from ekomi_reconcile.render.tables import Paint
from ekomi_reconcile.rules.rulebook import TELEPHONE, RuleBook


def check_revision(flag: str, ref: str) -> None:
    """Refuse what git would take for a flag of its own."""
    if not ref or ref.startswith("-"):
        raise click.UsageError(f"{flag}: {ref!r} is not a git revision.")


def check_base(base: str, *, out: Path | None, refresh_only: bool, at: Instant | None) -> None:
    """Refuse what makes no sense together with ``--base``."""
    check_revision("--base", base)
    if refresh_only or at is not None:
        raise click.UsageError("--base compares files only: no --refresh-only, no --at.")
    if out is not None:
        raise click.UsageError("a plan made with --base cannot be applied: no --out; use --format json.")


def base_plan(configuration: Configuration, scope: Scope, *, now: Instant) -> Plan:
    """The changes of accounts since the files branched off from the revision that ``scope`` names.

    Raises:
        RevisionUnreadable: that revision cannot be read, or has no project at this path.
        PlanError: an interface id changed under a known name, or a selection matches no account.
    """
    revision = merge_base(scope.base or "HEAD", configuration.root)
    before, found = _before(configuration, revision)
    if before is not None:
        found += settings_changed(before.project.canonical(), configuration.project.canonical())
    comparison = Comparison(
        now=now,
        tool_version=__version__,
        config_digest=configuration.digest,
        git_commit=revision.head,
        limits=limits_of(configuration),
        scope=replace(scope, offline=True, base_commit=revision.commit),
        diagnostics=found,
    )
    return between(() if before is None else before.accounts, configuration.accounts, comparison)


def changed_accounts(configuration: Configuration, ref: str) -> tuple[str, ...]:
    """The interface ids of the accounts that are new, gone or not the same since the files left ``ref``.

    Defaults of the project count as a part of each account.

    Raises:
        RevisionUnreadable: that revision cannot be read, or has no project at this path.
        ConfigurationInvalid: its files have errors.
    """
    revision = merge_base(ref, configuration.root)
    with tree_at(revision) as tree:
        before = _project_in(tree, configuration, revision).accounts
    then, now = (
        {each.interface_id: each.derived.text for each in accounts}
        for accounts in (before, configuration.accounts)
    )
    return tuple(sorted(key for key in then.keys() | now.keys() if then.get(key) != now.get(key)))


def _before(
    configuration: Configuration, revision: Revision
) -> tuple[Configuration | None, tuple[Diagnostic, ...]]:
    """The configuration of the revision; where that has errors, every account is new."""
    try:
        with tree_at(revision) as tree:
            return _project_in(tree, configuration, revision), ()
    except ConfigurationInvalid as error:
        first = next(each for each in error.diagnostics if each.is_error)
        return None, (
            Diagnostic(
                severity=Severity.WARNING,
                rule="base-invalid",
                message=f"at {revision.ref} ({revision.commit[:12]}) {error.message}; "
                "every account is shown as new",
                found=f"{first.place}: {first.message}" if first.place else first.message,
                hint="nothing to do here if this change repairs it",
            ),
        )


def _project_in(tree: GitTree, configuration: Configuration, revision: Revision) -> Configuration:
    """The configuration that the revision has at the path of this one.

    Nothing there is an error: a project that was moved, or a wrong path, would show every account as new.
    """
    try:
        return load_from(tree, configuration.path.as_posix())
    except ConfigurationNotFound:
        path = posixpath.join(revision.prefix, configuration.path.name)
        raise RevisionUnreadable(
            f"no project file {path} at {revision.ref} ({revision.commit[:12]})",
            hint="if this branch adds or moves the project there is nothing to compare with: "
            "run `ekomi-reconcile validate`, and merge the move without other changes",
        ) from None


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
        return ReplayedRules(ref, _project_in(tree, configuration, revision).accounts)


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
