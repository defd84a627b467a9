"""Safety limits, judged on the finished plan so that a stopped run still shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from ekomi_reconcile.model.errors import GuardRefused
from ekomi_reconcile.plan.plan import Action, Guard, Plan

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


def enforce(plan: Plan, allowed: Allowed) -> None:
    """Stop where a limit is exceeded and not overridden by exactly the planned number.

    Raises:
        GuardRefused: with the override to type, or because a given number is not the planned one.
    """
    for refusal in _refusals(plan, allowed):
        raise refusal


def _refusals(plan: Plan, allowed: Allowed) -> Iterator[GuardRefused]:
    planned = (
        ("--allow-deletes", allowed.deletes, deletes_of(plan)),
        ("--allow-schedules", allowed.schedules, len(plan.invitations.schedule)),
        ("--allow-sends", allowed.sends, due_of(plan)),
    )
    for flag, given, count in planned:
        if given is not None and given != count:
            yield GuardRefused(
                f"{flag} {given} does not fit: the plan has {count}",
                mend=f"look at the plan, then {flag} {count}",
            )
    overridden = {flag for flag, given, _ in planned if given is not None}
    for guard in plan.guards:
        if guard.override.split()[0] not in overridden:
            yield GuardRefused(guard.message, mend=f"if this is meant, run again with {guard.override}")
