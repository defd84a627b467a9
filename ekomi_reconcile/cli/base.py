"""``plan --base``: what the files change since a git revision. No state, no secret, no shop, no network."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from pathlib import Path

import click

from ekomi_reconcile import __version__
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.load import load_from
from ekomi_reconcile.config.revision import GitTree, Revision, merge_base, tree_at
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.errors import ConfigurationInvalid, ConfigurationNotFound, RevisionUnreadable
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan.diff import Comparison, between, settings_changed
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.reconcile.planning import limits_of


def check_revision(flag: str, ref: str) -> None:
    """Refuse what git would take for a flag of its own."""
    if not ref or ref.startswith("-"):
        raise click.UsageError(f"{flag}: {ref!r} is no revision of git.")


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
