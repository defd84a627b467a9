"""The difference between two revisions of the files: the older one stands in for the state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ekomi_reconcile.model.account import Account, Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan import guards
from ekomi_reconcile.plan.diff import Desired, diff, differing
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.plan.select import select


@dataclass(frozen=True, slots=True)
class _Before:
    """An account of the older files, as if it had been applied and never fetched. A ``RecordedAccount``."""

    interface_id: str
    name: str
    text: str
    desired: Mapping[str, Json]
    protect: bool
    password_digest: str | None = None
    deleted_at: Instant | None = None
    last_fetched_at: Instant | None = None
    last_import_at: Instant | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What the plan says of itself. ``scope`` names the older revision and which accounts are looked at."""

    now: Instant
    tool_version: str
    config_digest: str
    git_commit: str
    limits: guards.Limits
    scope: Scope
    diagnostics: tuple[Diagnostic, ...] = ()


def between(before: Sequence[Account], after: Sequence[Account], comparison: Comparison) -> Plan:
    """The changes of accounts from ``before`` to ``after``; nothing about fetches and invitations.

    Raises:
        PlanError: an interface id changed under a known name, or a selection matches no account.
    """
    scope = comparison.scope
    recorded = [
        _Before(each.interface_id, each.name, each.derived.text, each.canonical(), each.protect)
        for each in before
    ]
    changes = diff([Desired(each) for each in after], recorded, replaces=scope.replaces)
    selected = select(scope, after, changes, recorded)
    draft = Plan(
        created_at=comparison.now,
        tool_version=comparison.tool_version,
        complete=True,
        lineage=None,
        serial=0,
        config_digest=comparison.config_digest,
        git_commit=comparison.git_commit,
        scope=scope,
        names={each.interface_id: each.name for each in (*before, *after)},
        changes=tuple(each for each in changes if each.interface_id in selected),
        diagnostics=comparison.diagnostics,
    )
    return replace(draft, guards=guards.judge(draft, comparison.limits, accounts_in_state=len(before)))


def settings_changed(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[Diagnostic, ...]:
    """A warning that names the settings of the project that differ: limits and addresses are no accounts."""
    changed = [key for name in after for key in _paths(before.get(name), after[name], name)]
    if not changed:
        return ()
    return (
        Diagnostic(
            severity=Severity.WARNING,
            rule="settings-changed",
            message=f"settings of the project change, too: {', '.join(changed)}",
            mend="look at the difference of the project file: no account moves, but a run acts otherwise",
        ),
    )


def _paths(before: Json, after: Json, name: str) -> list[str]:
    if before == after:
        return []
    if isinstance(before, Mapping) and isinstance(after, Mapping) and name != "orders":
        return list(differing(before, after, f"{name}."))
    return [name]
