"""Disjunctive normal form: a rule as alternatives, each one set of values per attribute.

A node is a leaf (attribute and set), or all or any of other nodes; negations were pushed into the leaves
before. Within a cube the attributes are independent: it is satisfiable if each of its sets is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from ekomi_reconcile.analysis.text import Texts
from ekomi_reconcile.analysis.values import Flags, Numbers, Undecidable

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
