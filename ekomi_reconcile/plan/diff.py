"""The difference between the accounts in the files and those in the state, or between two revisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ekomi_reconcile.model.account import Account, Json
from ekomi_reconcile.model.account_record import AccountRecord
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.errors import PlanError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan import guards
from ekomi_reconcile.plan.plan import AccountChange, Action, Plan, Scope
from ekomi_reconcile.plan.select import select

SENSITIVE = "(sensitive)"
PASSWORD = "interface_password"  # noqa: S105 - the name of a key


@dataclass(frozen=True, slots=True)
class Desired:
    """An account of the files; ``password_digest`` is ``None`` where the secret was not looked at."""

    account: Account
    password_digest: str | None = None


def diff(
    desired: Sequence[Desired], recorded: Sequence[AccountRecord], *, replaces: Sequence[str] = ()
) -> tuple[AccountChange, ...]:
    """The changes that make the state like the files, creates and updates first, deletes last.

    Raises:
        PlanError: an interface id changed under a known name, or ``replaces`` names no account.
    """
    live = {each.interface_id: each for each in recorded if each.deleted_at is None}
    wanted = {each.account.interface_id for each in desired}
    gone = {each.name.casefold(): each for key, each in live.items() if key not in wanted}
    forced = _forced(desired, replaces)
    tombstones = {each.interface_id for each in recorded if each.deleted_at is not None}
    changes = [
        change
        for each in desired
        if (
            change := _change(
                each, live=live, gone=gone, forced=forced, revived=each.account.interface_id in tombstones
            )
        )
    ]
    replaced = {change.removes for change in changes}
    changes += [_delete(each) for key, each in live.items() if key not in wanted and key not in replaced]
    return tuple(changes)


def _forced(desired: Sequence[Desired], replaces: Sequence[str]) -> frozenset[str]:
    names = {each.account.name.casefold(): each.account.name for each in desired}
    for name in replaces:
        if name.casefold() not in names:
            raise PlanError(
                f"--replace {name}: no account of this name is in the files",
                mend="give the name as it stands in the files",
            )
    return frozenset(name.casefold() for name in replaces)


def _change(
    each: Desired,
    *,
    live: Mapping[str, AccountRecord],
    gone: Mapping[str, AccountRecord],
    forced: frozenset[str],
    revived: bool,
) -> AccountChange | None:
    account = each.account
    key = account.name.casefold()
    known = live.get(account.interface_id)
    if known is not None and key not in forced:
        return _update(each, known)
    predecessor = known or gone.get(key)
    if predecessor is None:
        return _create(each, reason="revived" if revived else None)
    if key not in forced:
        raise PlanError(
            f'{account.address}: interface_id is immutable: the state has "{predecessor.interface_id}", '
            f'the files have "{account.interface_id}"',
            mend=f"add a new account under another name, or replace it: --replace {_quoted(account.name)}",
        )
    return _replace(each, predecessor)


def _create(each: Desired, *, reason: str | None) -> AccountChange:
    return AccountChange(
        action=Action.CREATE,
        name=each.account.name,
        interface_id=each.account.interface_id,
        after=masked(each.account.canonical()),
        reason=reason,
    )


def _update(each: Desired, known: AccountRecord) -> AccountChange | None:
    same_password = each.password_digest in (None, known.password_digest)
    if same_password and each.account.derived.text == known.text:
        return None
    before, after = known.desired, each.account.canonical()
    changed = list(differing(before, after))
    if not same_password and PASSWORD not in changed:
        changed.append(PASSWORD)
    if not changed:
        return None
    return AccountChange(
        action=Action.UPDATE,
        name=each.account.name,
        interface_id=known.interface_id,
        previous_name=known.name if known.name != each.account.name else None,
        before=masked(before),
        after=masked(after),
        changed=tuple(changed),
    )


def _replace(each: Desired, predecessor: AccountRecord) -> AccountChange:
    before, after = predecessor.desired, each.account.canonical()
    return AccountChange(
        action=Action.REPLACE,
        name=each.account.name,
        interface_id=each.account.interface_id,
        previous_name=predecessor.name if predecessor.name != each.account.name else None,
        previous_id=predecessor.interface_id,
        before=masked(before),
        after=masked(after),
        changed=tuple(differing(before, after)),
        reason="replace requested",
        blocked=_protection(predecessor),
    )


def _delete(known: AccountRecord) -> AccountChange:
    return AccountChange(
        action=Action.DELETE,
        name=known.name,
        interface_id=known.interface_id,
        before=masked(known.desired),
        reason="not in the files",
        blocked=_protection(known),
    )


def _protection(known: AccountRecord) -> str | None:
    if not known.protect:
        return None
    return "protected: apply `protect: false` first, then remove it"


def masked(fields: Mapping[str, Json]) -> dict[str, Json]:
    """The fields with the password reference replaced: a plan may be shown to anybody."""
    return {**fields, PASSWORD: SENSITIVE}


def differing(before: Mapping[str, Json], after: Mapping[str, Json], prefix: str = "") -> Iterator[str]:
    """The key paths at which two canonical forms differ, in the order of ``after``."""
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        if isinstance(old, Mapping) and isinstance(new, Mapping) and key in ("links", "invitations"):
            yield from differing(old, new, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def _quoted(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() else f"'{name}'"


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
    recorded = [_as_applied(number, each, comparison.now) for number, each in enumerate(before, 1)]
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


def _as_applied(number: int, account: Account, now: Instant) -> AccountRecord:
    """The record of an account of the older files, as if it had been applied and never fetched."""
    return AccountRecord(
        id=number,
        interface_id=account.interface_id,
        name=account.name,
        desired=account.canonical(),
        text=account.derived.text,
        password_digest=None,
        protect=account.protect,
        created_at=now,
        updated_at=now,
    )


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
