"""One criterion: how it is checked, what is shown of it, and what would make it hold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from ekomi_reconcile.model.invitation import Criterion
from ekomi_reconcile.rules.case import Case
from ekomi_reconcile.rules.condition_trace import ConditionTrace
from ekomi_reconcile.rules.rulebook import Rule

Check: TypeAlias = Callable[[Case], bool]


class Shown(NamedTuple):
    """What the order has for a criterion (``None``: nothing), and what is wanted; conditions part by part."""

    value: str | None
    wanted: str
    conditions: ConditionTrace | None = None


@dataclass(frozen=True, slots=True)
class CriterionRule:
    """One criterion. ``compiled`` gives the check of a rule, ``None`` where every order passes.

    ``remedy`` says what would make it hold; it reads on from "would be invited if". ``by_store_view``: it
    holds for every rule that was found by the order's store view.
    """

    criterion: Criterion
    compiled: Callable[[Rule], Check | None]
    shown: Callable[[Case], Shown]
    remedy: Callable[[Case], str]
    by_store_view: bool = False
