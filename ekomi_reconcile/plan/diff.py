"""The difference between the accounts in the files and in the state, and the safety limits of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from ekomi_reconcile.model.account import Account, AccountRecord, Json
from ekomi_reconcile.model.diagnostic import Diagnostic, Severity
from ekomi_reconcile.model.errors import GuardRefused, PlanError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.plan.plan import AccountChange, Action, Guard, Plan, Scope
from ekomi_reconcile.plan.view import select

_FILES_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of the project file. While there are ``empty_files`` every delete needs its override."""

    max_delete_percent: float
    max_sends: int
    max_schedules: int
    empty_files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The overrides of this run: exact numbers, or nothing."""

    deletes: int | None = None
    schedules: int | None = None
    sends: int | None = None


def judge(plan: Plan, limits: Limits, *, accounts_in_state: int) -> tuple[Guard, ...]:
    """The limits that ``plan`` exceeds."""
    return tuple(
        guard
        for guard in (
            _deletes(plan, limits, accounts_in_state),
            _schedules(plan, limits),
            _sends(plan, limits),
        )
        if guard
    )


def judge_saved(plan: Plan, limits: Limits, *, accounts_in_state: int) -> tuple[Guard, ...]:
    """The limits that a saved plan exceeds, by its own steps and not by what it says of itself."""
    steps = plan.invitations
    caused = max(steps.due_by_rule_change, steps.send.by_rule_change)
    if caused <= limits.max_sends < len(steps.send):
        caused = len(steps.send)
    counted = replace(plan, invitations=replace(steps, due_by_rule_change=caused))
    return judge(counted, limits, accounts_in_state=accounts_in_state)


def deletes_of(plan: Plan) -> int:
    """How many accounts are deleted; a replacement is named one by one and does not count."""
    return sum(1 for each in plan.changes if each.action is Action.DELETE and not each.blocked)


def due_of(plan: Plan) -> int:
    """How many invitations are due, sent now or deferred."""
    return len(plan.invitations.send) + plan.invitations.deferred


def _deletes(plan: Plan, limits: Limits, accounts: int) -> Guard | None:
    count = deletes_of(plan)
    if count and limits.empty_files:
        files = ", ".join(limits.empty_files[:_FILES_SHOWN])
        return Guard(
            rule="empty_account_file",
            message=f"{count} of {accounts} accounts would be deleted with their queues, "
            f"and an account file is empty: {files}{', …' * (len(limits.empty_files) > _FILES_SHOWN)}",
            override=f"--allow-deletes {count}",
        )
    if not count or (count < accounts and 100 * count <= limits.max_delete_percent * accounts):
        return None
    share = "all of them" if count == accounts else f"more than {limits.max_delete_percent:g} %"
    return Guard(
        rule="max_delete_percent",
        message=f"{count} of {accounts} accounts would be deleted with their queues: {share}",
        override=f"--allow-deletes {count}",
    )


def _schedules(plan: Plan, limits: Limits) -> Guard | None:
    caused = plan.invitations.schedule.by_rule_change
    if caused <= limits.max_schedules:
        return None
    return Guard(
        rule="max_schedules",
        message=f"a configuration change would schedule {caused} invitations at once, "
        f"more than max_schedules ({limits.max_schedules})",
        override=f"--allow-schedules {len(plan.invitations.schedule)}",
    )


def _sends(plan: Plan, limits: Limits) -> Guard | None:
    caused = plan.invitations.due_by_rule_change
    if caused <= limits.max_sends:
        return None
    return Guard(
        rule="max_sends",
        message=f"a configuration change would send {caused} invitations at once, "
        f"more than max_sends ({limits.max_sends})",
        override=f"--allow-sends {due_of(plan)}",
    )


def accepting(plan: Plan, allowed: Allowed) -> Plan:
    """The plan with the guards marked that these overrides let pass."""
    given = _given(plan, allowed)
    guards = tuple(
        replace(each, accepted=(number := given[each.override.split()[0]])[0] == number[1])
        for each in plan.guards
    )
    return replace(plan, guards=guards)


def _given(plan: Plan, allowed: Allowed) -> Mapping[str, tuple[int | None, int]]:
    """By override: the number that was given, and the planned one."""
    return {
        "--allow-deletes": (allowed.deletes, deletes_of(plan)),
        "--allow-schedules": (allowed.schedules, len(plan.invitations.schedule)),
        "--allow-sends": (allowed.sends, due_of(plan)),
    }


def enforce(plan: Plan, allowed: Allowed) -> None:
    """Stop where a limit is exceeded and not overridden by exactly the planned number.

    Raises:
        GuardRefused: with the override to type, or because a given number is not the planned one.
    """
    for refusal in _refusals(plan, allowed):
        raise refusal


def _refusals(plan: Plan, allowed: Allowed) -> Iterator[GuardRefused]:
    for flag, (given, count) in _given(plan, allowed).items():
        if given is not None and given != count:
            yield GuardRefused(
                f"{flag} {given} does not fit: the plan has {count}",
                hint=f"review the plan, then use {flag} {count}",
            )
    for guard in accepting(plan, allowed).guards:
        if not guard.accepted:
            hint = f"if this is intended, run again with {guard.override}"
            yield GuardRefused(guard.message, hint=hint, incident=guard.incident)


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
                hint="use the name as it is in the files",
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
            hint=f"add a new account under another name, or replace it: --replace {_quoted(account.name)}",
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
    limits: Limits
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
    return replace(draft, guards=judge(draft, comparison.limits, accounts_in_state=len(before)))


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
    """A warning that names the settings of the project that differ: limits and addresses, not accounts."""
    changed = [key for name in after for key in _paths(before.get(name), after[name], name)]
    if not changed:
        return ()
    return (
        Diagnostic(
            severity=Severity.WARNING,
            rule="settings-changed",
            message=f"project settings also change: {', '.join(changed)}",
            hint="see the project file: accounts are unchanged, but runs will behave differently",
        ),
    )


def _paths(before: Json, after: Json, name: str) -> list[str]:
    if before == after:
        return []
    if isinstance(before, Mapping) and isinstance(after, Mapping) and name != "orders":
        return list(differing(before, after, f"{name}."))
    return [name]
