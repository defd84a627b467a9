"""Disjunctive normal form: a rule as alternatives, each one set of values per attribute; items and sums.

Without sums one item per ``any_item`` suffices. With sums the items are sorted into kinds: all that satisfy
the same conditions, with amounts from one interval. How many of each kind, and which amounts, is a linear
program: without a solution there are no such items; a solution in fractions is rounded and tried. Amounts
are found on the grid of 4 decimals to which sums are rounded.

A node is a leaf (attribute and set), or all or any of other nodes; negations were pushed into the leaves
before. Within a cube the attributes are independent: it is satisfiable if each of its sets is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice, product
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from ekomi_reconcile.analysis import sums
from ekomi_reconcile.analysis.text import Texts
from ekomi_reconcile.analysis.values import ANY_NUMBER, Flags, Numbers, Part, Picked, Undecidable, number_in

MAX_CUBES: Final = 512
"""Alternatives of one rule; beyond that some are left out, and nothing is concluded from their absence."""

Cube: TypeAlias = Mapping[str, Any]
"""The set of admitted values by attribute; an attribute that is absent is free."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """The attribute's value is in the set."""

    attribute: str
    values: Any


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; without parts, always."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any_:  # noqa: N801 - the pair of All
    """At least one part holds; without parts, never."""

    parts: tuple[Node, ...]


Node: TypeAlias = Leaf | All | Any_

TRUE: Final = All(())


@dataclass(frozen=True, slots=True)
class Cubes:
    """Alternatives; without ``complete`` there are more than these."""

    cubes: tuple[Cube, ...]
    complete: bool = True


def any_of(parts: Iterable[Node]) -> Node:
    """A disjunction; numbers, flags and lists of texts of one attribute become one set."""
    joined: dict[str, Any] = {}
    others: list[Node] = []
    for each in parts:
        if isinstance(each, Leaf):
            before = joined.get(each.attribute)
            both = each.values if before is None else _join(before, each.values)
            if both is not None:
                joined[each.attribute] = both
                continue
        others.append(each)
    found = (*(Leaf(attribute, values) for attribute, values in joined.items()), *others)
    return found[0] if len(found) == 1 else Any_(found)


def cubes_of(node: Node, limit: int = MAX_CUBES) -> Cubes:
    """The satisfiable alternatives of a node, at most ``limit`` of them."""
    found, complete = _expanded(node, limit)
    return Cubes(tuple(each for each in found if satisfiable(each) is not False), complete)


def merged(one: Cube, two: Cube) -> Cube | None:
    """Both cubes at once; ``None`` if that is plainly impossible."""
    both = dict(one)
    for attribute, values in two.items():
        known = both.get(attribute)
        met = values if known is None else known.meet(values)
        if _plainly_empty(met):
            return None
        both[attribute] = met
    return both


def satisfiable(cube: Cube) -> bool | None:
    """Is there a value for each attribute? ``None`` if that cannot be decided."""
    found: bool | None = True
    for values in cube.values():
        try:
            if values.pick() is None:
                return False
        except Undecidable:
            found = None
    return found


def common(node: Node) -> Cube:
    """What every alternative has in common: the leaves that are not below a disjunction."""
    if isinstance(node, Leaf):
        return {node.attribute: node.values}
    found: dict[str, Any] = {}
    for part in node.parts if isinstance(node, All) else ():
        for attribute, values in common(part).items():
            found[attribute] = found[attribute].meet(values) if attribute in found else values
    return found


def sort_key(node: object) -> bytes:
    """The same in every process, unlike the order of sets."""
    return msgspec.json.encode(node, order="deterministic")


def _expanded(node: Node, limit: int) -> tuple[Sequence[Cube], bool]:
    if isinstance(node, Leaf):
        return [{node.attribute: node.values}], True
    parts = [_expanded(each, limit) for each in node.parts]
    complete = all(each for _, each in parts)
    if isinstance(node, Any_):
        return _limited([cube for cubes, _ in parts for cube in cubes], limit, complete=complete)
    found: Sequence[Cube] = [{}]
    for cubes, _ in sorted(parts, key=lambda part: len(part[0])):
        product = [both for one in found for two in cubes if (both := merged(one, two)) is not None]
        found, complete = _limited(product, limit, complete=complete)
    return found, complete


def _limited(cubes: Sequence[Cube], limit: int, *, complete: bool) -> tuple[Sequence[Cube], bool]:
    """Equal ones once, and not more than the limit."""
    if len(cubes) > 1:
        cubes = list({frozenset(each.items()): each for each in cubes}.values())
    return cubes[:limit], complete and len(cubes) <= limit


def _join(one: Any, two: Any) -> Any | None:
    return one.join(two) if isinstance(one, Numbers | Flags | Texts) else None


def _plainly_empty(values: Any) -> bool:
    """Does a look suffice to see that nothing is in the set?"""
    if isinstance(values, Numbers):
        return not values.parts and not values.missing
    if isinstance(values, Flags):
        return not values.values
    return isinstance(values, Texts) and values.only is not None and values.pick() is None


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
