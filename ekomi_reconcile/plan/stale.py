"""Is a saved plan still what it was when somebody reviewed it?"""

from __future__ import annotations

from dataclasses import dataclass

from ekomi_reconcile.errors import PlanInvalid, PlanStale
from ekomi_reconcile.plan.plan import Plan

_AGAIN = "look at a new plan: plan --out FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What a plan is compared with. ``applied`` says that this very plan was carried out before."""

    lineage: str
    serial: int
    config_digest: str
    applied: bool


def check_fresh(plan: Plan, present: Present) -> None:
    """Let the plan pass, or say what changed.

    Raises:
        PlanInvalid: it compares two revisions of the files, and knows no state.
        PlanStale: it was applied already, or state or files are not the ones it was made from.
    """
    if plan.scope.base is not None:
        raise PlanInvalid("this plan compares two revisions of the files: it is only to be read", mend=_AGAIN)
    if present.applied:
        raise PlanStale("the saved plan is stale: it was applied already", mend=_AGAIN)
    if plan.lineage is None and present.serial:
        raise PlanStale("the saved plan is stale: it was made before there was this state", mend=_AGAIN)
    if plan.lineage not in (None, present.lineage):
        raise PlanStale(
            f"the saved plan is stale: it was made for another state (lineage {plan.lineage}, "
            f"this one is {present.lineage})",
            mend="name the right state with --state",
        )
    if plan.lineage is not None and plan.serial != present.serial:
        raise PlanStale(
            f"the saved plan is stale: accounts changed since (serial {plan.serial}, now {present.serial})",
            mend=_AGAIN,
        )
    if plan.config_digest != present.config_digest:
        raise PlanStale("the saved plan is stale: the files changed since it was made", mend=_AGAIN)
