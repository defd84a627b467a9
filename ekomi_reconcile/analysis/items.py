"""Tests of items and sums over them: is there a list of items that satisfies all of them?

Without sums one item per ``any_item`` suffices. With sums the items are sorted into kinds: all that satisfy
the same conditions, with amounts from one interval. How many of each kind, and which amounts, is a linear
program: without a solution there are no such items; a solution in fractions is rounded and tried. Amounts
are found on the grid of 4 decimals to which sums are rounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import Any, Final, NamedTuple, TypeAlias

from ekomi_reconcile.analysis import sums
from ekomi_reconcile.analysis.cubes import TRUE, All, Cube, Node, cubes_of, satisfiable, sort_key
from ekomi_reconcile.analysis.values import ANY_NUMBER, Numbers, Part, Picked, Undecidable, number_in

AMOUNTS: Final = ("qty", "row_total")
"""What ``sum_items`` can add up."""

_MAX_KINDS: Final = 300
_MAX_BRANCHES: Final = 128
_SUMS: Final = "sum_items"

ItemValues: TypeAlias = Mapping[str, Any]
"""The attributes of one item that are not missing."""


class Sum(NamedTuple):
    """What is added up, over which items, and where the total must be."""

    of: str
    where: Node
    total: Numbers


@dataclass(frozen=True, slots=True)
class Items:
    """Lists of items: one for each of ``some``, all like ``every``, with these sums.

    ``negate`` is kept beside each condition where its opposite is needed.
    """

    some: frozenset[tuple[Node, Node]] = frozenset()
    every: frozenset[Node] = frozenset()
    sums: frozenset[tuple[Sum, Node]] = frozenset()
    filled: bool = False
    empty: bool = False

    def meet(self, other: Items) -> Items:
        """The lists that both admit."""
        if self == other:
            return self
        return Items(
            self.some | other.some,
            self.every | other.every,
            self.sums | other.sums,
            self.filled or other.filled,
            self.empty or other.empty,
        )

    def pick(self) -> Picked:
        """Such a list, short: a tuple of items, each by attribute.

        Raises:
            Undecidable: the sums are too entangled.
        """
        return _picked(self)


@lru_cache(maxsize=65_536)
def _picked(items: Items) -> Picked:
    if items.empty:
        zero = all(0 in each.total for each, _ in items.sums)
        return ((),) if zero and not items.some and not items.filled else None
    if items.sums:
        return _with_sums(items)
    if not items.some and not items.filled:
        return ((),)
    together = _item((*items.every, *(each for each, _ in items.some)))
    if together is not None:
        return ((together,),)
    found = [_item((*items.every, each)) for each, _ in sorted(items.some, key=sort_key)]
    return (tuple(found),) if found and all(each is not None for each in found) else None


def _item(nodes: Iterable[Node]) -> ItemValues | None:
    """An item that satisfies all of these.

    Raises:
        Undecidable: its conditions have too many alternatives.
    """
    found = cubes_of(All(tuple(nodes)))
    unsure = not found.complete
    for cube in found.cubes:
        if satisfiable(cube):
            return _values(cube)
        unsure = True
    if unsure:
        raise Undecidable("the conditions of items")
    return None


def _values(cube: Cube) -> dict[str, Any]:
    picked = {attribute: values.pick()[0] for attribute, values in cube.items()}
    return {attribute: value for attribute, value in picked.items() if value is not None}


class _Kind(NamedTuple):
    """Items alike: which conditions they satisfy, their amounts (``None``: missing), and one such item."""

    holds: frozenset[int]
    amounts: Mapping[str, Part | None]
    cube: Cube


def _with_sums(items: Items) -> Picked:
    """Like ``_picked``, with sums."""
    wanted = _joined(items.sums)
    some = sorted(items.some, key=sort_key)
    conditions = [*((each.where, opposite) for each, opposite in wanted), *some]
    kinds = _kinds(items.every, conditions, {each.of for each, _ in wanted})
    unsure = len(kinds) > _MAX_KINDS
    kinds = kinds[:_MAX_KINDS]
    needed = [frozenset([len(wanted) + at]) for at in range(len(some))]
    branches = product(*(_branches(sums.rounded(each.total)) for each, _ in wanted))
    for number, branch in enumerate(islice(branches, _MAX_BRANCHES + 1)):
        if number == _MAX_BRANCHES:
            unsure = True
            break
        try:
            found = _branch([each for each, _ in wanted], branch, kinds, needed, filled=items.filled)
        except Undecidable:
            unsure = True
            continue
        if found is not None:
            return (found,)
    if unsure:
        raise Undecidable(_SUMS)
    return None


def _joined(found: Iterable[tuple[Sum, Node]]) -> list[tuple[Sum, Node]]:
    """One sum for all that add up the same; what each must be is met."""
    joined: dict[tuple[str, Node], tuple[Sum, Node]] = {}
    for each, opposite in sorted(found, key=sort_key):
        key = (each.of, each.where)
        total = each.total.meet(joined[key][0].total) if key in joined else each.total
        joined[key] = (Sum(each.of, each.where, total), opposite)
    return list(joined.values())


def _branches(total: Numbers) -> list[Part | None]:
    """The intervals a total may be in; ``None`` for a missing one."""
    return [*total.parts, *([None] if total.missing else [])]


def _kinds(
    every: Iterable[Node], conditions: Sequence[tuple[Node, Node]], summed: Iterable[str]
) -> list[_Kind]:
    """All kinds of items, one more than the limit at most.

    Raises:
        Undecidable: the conditions have too many alternatives.
    """
    begun: list[tuple[frozenset[int], Node]] = [(frozenset(), All(tuple(every)))]
    for at, (holds, fails) in enumerate(conditions):
        begun = [
            part
            for signature, node in begun
            for part in (
                (signature | {at}, All((node, holds))),
                *([] if holds == TRUE else [(signature, All((node, fails)))]),
            )
            if cubes_of(part[1]).cubes
        ]
    found: dict[Any, _Kind] = {}
    for signature, node in begun:
        cubes = cubes_of(node)
        if not cubes.complete:
            raise Undecidable(_SUMS)
        for cube in cubes.cubes:
            for each in _split(signature, cube, sorted(summed)):
                found.setdefault((each.holds, tuple(sorted(each.amounts.items()))), each)
    return list(islice(found.values(), _MAX_KINDS + 1))


def _split(holds: frozenset[int], cube: Cube, summed: Sequence[str]) -> Iterator[_Kind]:
    """One kind for each interval of the amounts."""
    choices = [_branches(cube.get(name, ANY_NUMBER)) for name in summed]
    for chosen in product(*choices):
        if all(part is None or number_in(part) is not None for part in chosen):
            yield _Kind(holds, dict(zip(summed, chosen, strict=True)), cube)


def _branch(
    wanted: Sequence[Sum],
    branch: Sequence[Part | None],
    kinds: Sequence[_Kind],
    needed: Sequence[frozenset[int]],
    *,
    filled: bool,
) -> tuple[ItemValues, ...] | None:
    """Items for one choice of the intervals of all sums.

    Raises:
        Undecidable: a solution in fractions cannot be rounded.
    """
    numeric = [at for at, part in enumerate(branch) if part is not None]
    usable = [
        each
        for each in kinds
        if not any(at in each.holds and each.amounts[wanted[at].of] is None for at in numeric)
    ]
    groups = [[at for at, each in enumerate(usable) if each.holds >= need] for need in needed]
    groups += [
        [
            place
            for place, each in enumerate(usable)
            if at in each.holds and each.amounts[wanted[at].of] is None
        ]
        for at, part in enumerate(branch)
        if part is None
    ]
    if filled and not groups:
        groups.append(list(range(len(usable))))
    if not all(groups):
        return None
    problem = sums.Problem(
        kinds=tuple(
            tuple(each.amounts[wanted[at].of] if at in each.holds else None for at in numeric)
            for each in usable
        ),
        amounts=tuple(wanted[at].of for at in numeric),
        totals=tuple(part for part in branch if part is not None),
        groups=tuple(map(tuple, groups)),
    )
    solved = sums.solve(problem)
    if solved is None:
        return None
    return tuple(_with_amounts(usable[each.kind], each.amounts) for each in solved)


def _with_amounts(kind: _Kind, amounts: Mapping[str, float]) -> ItemValues:
    found = _values(kind.cube)
    for name, part in kind.amounts.items():
        if name in amounts:
            found[name] = amounts[name]
        elif part is None:
            found.pop(name, None)
        else:
            found[name] = number_in(part)
    return found
