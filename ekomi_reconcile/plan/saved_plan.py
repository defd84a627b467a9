"""Saved plans: schema, signature, age and staleness.

A saved plan is signed with the key of the state, so nobody without that key can change it. Where there was no
state, or the plan was made ``--offline``, it has no signature, and nothing in it is trusted: see
``cli.saved_plan``.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import msgspec

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.document import first_problem
from ekomi_reconcile.model.errors import PlanInvalid, PlanStale
from ekomi_reconcile.model.instant import DAY, HOUR, Instant, iso
from ekomi_reconcile.model.invitation import ScheduleStep, SendStep
from ekomi_reconcile.model.order import OrderId
from ekomi_reconcile.plan.codec import check_version, digest, from_json, to_json
from ekomi_reconcile.plan.document import PlanDocument, Signature, plan_schema, without_valid_steps
from ekomi_reconcile.plan.plan import InvitationSteps, Plan
from ekomi_reconcile.plan.steps import Steps

AGAIN = "make a new plan: plan --out FILE"
_NOT_A_PLAN = "make one: plan --out plan.json"
_KEY_ID_DIGITS = 16

Sign: TypeAlias = Callable[[str], str]
"""The keyed digest of a text, in hex, made with the key of a state for signing plans."""
_UNITS = (("d", DAY), ("h", HOUR), ("m", 60), ("s", 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """A plan as a file holds it. ``signature`` is ``None`` where it was made without the key of a state."""

    plan: Plan
    digest: str
    signature: Signature | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What a plan is compared with. ``applied`` says that this very plan was carried out before.

    ``lineage`` is ``None`` without a state. ``max_age`` is in seconds.
    """

    lineage: str | None
    serial: int
    config_digest: str
    applied: bool
    now: Instant
    max_age: int


def encode(plan: Plan, sign: Sign | None = None) -> bytes:
    """The plan as JSON text with its digest and signature, ending with a newline."""
    body = to_json(plan)
    own = digest(body)
    signature = None if sign is None else _signature(own, sign)
    whole = PlanDocument(**msgspec.structs.asdict(body), digest=own, signature=signature)
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def decode(text: bytes) -> SavedPlan:
    """Read a saved plan, and check it against the published schema and against itself.

    Raises:
        PlanInvalid: it is not a plan, of a higher major version, or a value is wrong, with its path.
        PlanStale: the body was changed after it was made.
    """
    document = _document(text)
    if problem := first_problem(without_valid_steps(document), plan_schema()):
        raise PlanInvalid(f"the plan is not valid: {problem}", hint=AGAIN)
    signature, claimed = document.pop("signature"), document.pop("digest")
    if claimed != digest(document):
        raise PlanStale("the plan was changed after it was made: its digest does not match", hint=AGAIN)
    plan = from_json(document)
    _check_figures(plan, document["summary"])
    return SavedPlan(
        plan=plan,
        digest=claimed,
        signature=None if signature is None else msgspec.convert(signature, Signature),
    )


def check_signature(saved: SavedPlan, sign: Sign) -> bool:
    """Check that the plan was signed with this key; false if it carries no signature.

    Raises:
        PlanInvalid: it was signed with another key, or changed after it was signed.
    """
    if saved.signature is None:
        return False
    own = _signature(saved.digest, sign)
    if saved.signature.key_id != own.key_id:
        raise PlanInvalid(
            f"the plan was signed with another key ({saved.signature.key_id}, the key of this state is "
            f"{own.key_id})",
            hint="use the state that the plan was created from (--state), or "
            "create a new plan: plan --out FILE",
        )
    if not hmac.compare_digest(saved.signature.hmac, own.hmac):
        raise PlanInvalid("the plan was changed after it was made: its signature does not match", hint=AGAIN)
    return True


def check_fresh(plan: Plan, present: Present) -> None:
    """Let the plan pass, or raise with what changed since it was made.

    Raises:
        PlanInvalid: it can only be read: it compares two revisions, or was made for another time.
        PlanStale: it was applied already, is too old, or state or files are not the ones it was made from.
    """
    _check_kind(plan)
    _check_age(plan, present)
    if present.applied:
        raise PlanStale("the saved plan is stale: it was applied already", hint=AGAIN)
    if plan.lineage is None and present.lineage is not None:
        raise made_before_the_state()
    if plan.lineage is not None and present.lineage is None:
        raise PlanStale(
            f"the saved plan is stale: it was made for the state with lineage {plan.lineage}, which "
            "does not exist at this location",
            hint="name the right state with --state",
        )
    if plan.lineage not in (None, present.lineage):
        raise PlanStale(
            f"the saved plan is stale: it was made for another state (lineage {plan.lineage}, "
            f"this one is {present.lineage})",
            hint="name the right state with --state",
        )
    if plan.lineage is not None and plan.serial != present.serial:
        raise PlanStale(
            f"the saved plan is stale: accounts changed since (serial {plan.serial}, now {present.serial})",
            hint=AGAIN,
        )
    if plan.config_digest != present.config_digest:
        raise PlanStale("the saved plan is stale: the files changed since it was made", hint=AGAIN)


def made_before_the_state() -> PlanStale:
    """A plan was made without a state, and now there is one."""
    return PlanStale(
        "the plan is stale: it was made before there was a state at this location",
        hint="run the command again; to replace a saved plan: plan --out FILE",
    )


def _check_kind(plan: Plan) -> None:
    if plan.scope.base is not None:
        raise PlanInvalid(
            "the plan compares two revisions of the files: it can be read, not applied", hint=AGAIN
        )
    if plan.hypothetical:
        raise PlanInvalid(
            f"the plan is hypothetical: it was made with --at for {iso(plan.created_at)}; it can be read, "
            "not applied",
            hint="create a plan without --at: plan --out FILE",
        )


def _check_age(plan: Plan, present: Present) -> None:
    age = present.now - plan.created_at
    if age > present.max_age:
        raise PlanStale(
            f"the saved plan is stale: it was made at {iso(plan.created_at)}, longer ago than "
            f"safety.max_plan_age ({_as_written(present.max_age)}) allows",
            hint=AGAIN,
        )
    if age < -HOUR:
        raise PlanStale(
            f"the saved plan was made in the future ({iso(plan.created_at)}): one of the clocks is wrong",
            hint="correct the clocks, then create a new plan: plan --out FILE",
        )


def _as_written(seconds: int) -> str:
    """A length of time as the project file has it: ``7d``, ``90m``."""
    unit, size = next(each for each in _UNITS if seconds % each[1] == 0)
    return f"{seconds // size}{unit}"


def _signature(text: str, sign: Sign) -> Signature:
    return Signature(key_id=sign("key_id")[:_KEY_ID_DIGITS], hmac=sign(text))


def _document(text: bytes) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise PlanInvalid(f"not a plan: {error}", hint=_NOT_A_PLAN) from None
    if not isinstance(document, dict) or not isinstance(document.get("format_version"), str):
        raise PlanInvalid("not a plan: it has no format_version", hint=_NOT_A_PLAN)
    check_version(document["format_version"])
    return document


def _check_figures(plan: Plan, summary: dict[str, Json]) -> None:
    for name, count in plan.summary.as_json().items():
        if summary.get(name, 0) != count:
            raise PlanInvalid(
                f"the plan is not valid: summary.{name}: expected {count} as in the steps, "
                f"found {summary.get(name, 0)}",
                hint=AGAIN,
            )


def same_accounts(saved: Plan, own: Plan) -> bool:
    """Do both plans do the same to accounts, and fetch the same from eKomi?"""
    return _accounts(saved) == _accounts(own)


def _accounts(plan: Plan) -> bytes:
    changes = tuple(replace(each, place=None) for each in plan.changes)
    body = to_json(replace(plan, changes=changes, invitations=InvitationSteps()))
    return msgspec.json.encode([body.resource_changes, body.operations], order="sorted")


def empty_queue(plan: Plan) -> bool:
    """Does the plan leave the queue as it is?"""
    steps = plan.invitations
    kinds = (steps.schedule, steps.reschedule, steps.cancel, steps.send, steps.observations, steps.passed)
    return not any(len(each) for each in (*kinds, plan.positions))


def confirmed(saved: Plan, own: Plan) -> tuple[Plan, int]:
    """What an unsigned plan and ``own``, the plan of this run, agree on, and how many steps are left out.

    Only steps of ``own`` are carried out. Where it has more than the saved plan no position is recorded, so
    that the next run judges those orders.
    """
    times = {_order(step): step.scheduled_at for step in saved.invitations.schedule}
    schedule, send = Steps(ScheduleStep, own.created_at), Steps(SendStep)
    for step in own.invitations.schedule:
        if times.get(_order(step)) == step.scheduled_at:
            schedule.append(step)
    sent = {_order(step) for step in saved.invitations.send}
    kept = {_order(step) for step in schedule}
    for due in own.invitations.send:
        if _order(due) in sent and _order(due) in kept:
            send.append(due)
    whole = len(schedule) == len(own.invitations.schedule)
    steps = replace(own.invitations, schedule=schedule, send=send)
    left_out = len(saved.invitations.schedule) - len(schedule)
    return replace(own, invitations=steps, positions=own.positions if whole else ()), left_out


def _order(step: ScheduleStep | SendStep) -> tuple[str, str, OrderId]:
    return step.interface_id, step.source, step.order_id
