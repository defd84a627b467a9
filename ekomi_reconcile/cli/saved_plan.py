"""What ``apply PLAN`` checks before it does anything: signature, age, state, files, guards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ekomi_reconcile.cli.options import options
from ekomi_reconcile.cli.output import read_file
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.model import errors, instant
from ekomi_reconcile.plan.diff import judge_saved
from ekomi_reconcile.plan.plan import Plan
from ekomi_reconcile.reconcile.planning import digester, limits_of
from ekomi_reconcile.state.engine.mark import Purpose
from ekomi_reconcile.state.store import State

if TYPE_CHECKING:
    from ekomi_reconcile.state.store import State

if TYPE_CHECKING:
    from ekomi_reconcile.plan.saved_plan import SavedPlan
    from ekomi_reconcile.reconcile.cycle import Cycle, FirstCycle

_LARGEST = 1 << 30
_AGAIN = "make a new plan: plan --out FILE"


def read_saved(path: Path) -> SavedPlan:
    """The plan in this file.

    Raises:
        PlanError: it is not one, or was changed.
    """
    from ekomi_reconcile.plan.saved_plan import decode

    return decode(read_file(options().directory / path, limit=_LARGEST))


def needs_approval(saved: SavedPlan) -> bool:
    """Whether somebody has to approve it: nobody vouches for a plan that was made offline."""
    return saved.signature is None and saved.plan.scope.offline


def approved_plan(
    saved: SavedPlan, configuration: Configuration, state: State | None, cycle: Cycle | FirstCycle
) -> Plan:
    """What may be carried out of a saved plan, with its guards judged by its own steps.

    Raises:
        PlanInvalid: it was signed with another key, not signed though there was a state, or can only be read.
        PlanStale: something changed since it was made.
    """
    _check(saved, configuration, state)
    made = saved.plan if _signed(saved, state) else _believed(saved.plan, cycle)
    accounts = 0 if state is None else len(state.accounts.read())
    return replace(made, guards=judge_saved(made, limits_of(configuration), accounts_in_state=accounts))


def _check(saved: SavedPlan, configuration: Configuration, state: State | None) -> None:
    from ekomi_reconcile.plan.saved_plan import Present, check_fresh

    meta = None if state is None else state.meta.read()
    check_fresh(
        saved.plan,
        Present(
            lineage=None if meta is None else meta.lineage,
            serial=0 if meta is None else meta.serial,
            config_digest=configuration.digest,
            applied=state is not None and state.journal.applied(saved.digest),
            now=instant.now(),
            max_age=configuration.project.safety.max_plan_age,
        ),
    )


def _signed(saved: SavedPlan, state: State | None) -> bool:
    from ekomi_reconcile.plan.saved_plan import check_signature

    sign = digester(state, Purpose.PLAN)
    return sign is not None and check_signature(saved, sign)


def _believed(plan: Plan, cycle: Cycle | FirstCycle) -> Plan:
    """What an unsigned plan and the plan of this run agree on."""
    from ekomi_reconcile.plan.saved_plan import confirmed, empty_queue, same_accounts

    if not plan.scope.offline and plan.lineage is not None:
        raise errors.PlanInvalid("the plan is not signed, though it was made from a state", hint=_AGAIN)
    own = cycle.made_again(plan)
    if not same_accounts(plan, own):
        raise errors.PlanStale(
            "the saved plan is stale: what it does to accounts is not what the files and the state ask for",
            hint=_AGAIN,
        )
    if plan.scope.offline:
        if not empty_queue(plan):
            raise errors.PlanInvalid("the plan was made --offline, but has steps of the queue", hint=_AGAIN)
        return own
    made, left_out = confirmed(plan, own)
    cycle.leave_out(left_out)
    return made


_DIGEST_SHOWN = len("sha256:") + 12


_COMMIT_SHOWN = 12


def about_run(configuration: Configuration, digest: str | None = None) -> str | None:
    """What a run carries out, for others who look at the lock: a saved plan, or the commit of the files."""
    from ekomi_reconcile.reconcile.planning import git_commit

    if digest is not None:
        return f"plan {digest[:_DIGEST_SHOWN]}"
    commit = git_commit(configuration.root)
    return None if commit is None else f"commit {commit[:_COMMIT_SHOWN]}"
