"""Sets of numbers and words, and the values that try them.

All alternatives are laid out in columns, one per attribute, with the number of the set that each has there.
One row of answers per set then filters all others at once: 1,000 rules of one store view are half a million
pairs.

Every set knows whether a missing value (``None``) is in it. ``pick`` returns a one-tuple with a value,
missing if possible (the smallest order leaves an attribute out), or ``None`` if the set is empty.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self, TypeAlias

Numbered: TypeAlias = Mapping[str, int]
"""A cube with the number of its set for each attribute."""

_ABSENT: Final = -1
"""Marks an attribute that a cube leaves free; as an index it is the last place of a row."""
_WORTH: Final = 4
"""A row is filled where at least one in this number of its sets is looked up."""


class Grid:
    """The numbered cubes of rules. ``may_meet`` compares two numbered sets of an attribute."""

    def __init__(
        self, rules: Sequence[Sequence[Numbered]], may_meet: Callable[[str, int, int], bool]
    ) -> None:
        self._may_meet = may_meet
        self._cubes = [cube for cubes in rules for cube in cubes]
        self._owner = [number for number, cubes in enumerate(rules) for _ in cubes]
        self._of_rule: dict[int, list[int]] = defaultdict(list)
        for at, number in enumerate(self._owner):
            self._of_rule[number].append(at)
        names = sorted({name for cube in self._cubes for name in cube})
        self._columns = {name: [cube.get(name, _ABSENT) for cube in self._cubes] for name in names}
        self._sizes = {name: max(column) + 1 for name, column in self._columns.items()}
        self._rows: dict[tuple[str, int], bytearray] = {}

    def near(self, rule: int, others: Iterable[int]) -> Mapping[int, list[tuple[Numbered, Numbered]]]:
        """The pairs of cubes that may meet, by the other rule; theirs first."""
        theirs = [at for other in others for at in self._of_rule[other]]
        found: dict[int, list[tuple[Numbered, Numbered]]] = {}
        for own in self._of_rule[rule]:
            for at in self._left(self._cubes[own], theirs):
                found.setdefault(self._owner[at], []).append((self._cubes[at], self._cubes[own]))
        return found

    def _left(self, cube: Numbered, left: list[int]) -> list[int]:
        for name, number in cube.items():
            if not left:
                break
            column = self._columns[name]
            if len(left) * _WORTH >= self._sizes[name]:
                row = self._row(name, number)
                left = [at for at in left if row[column[at]]]
            else:
                left = [
                    at
                    for at in left
                    if (other := column[at]) in (_ABSENT, number) or self._may_meet(name, number, other)
                ]
        return left

    def _row(self, name: str, number: int) -> bytearray:
        """For each set of the attribute whether it may meet this one, and a yes for cubes without it."""
        found = self._rows.get((name, number))
        if found is None:
            size = self._sizes[name]
            answers = (each == number or self._may_meet(name, number, each) for each in range(size))
            found = self._rows[name, number] = bytearray([*answers, True])
        return found


Picked: TypeAlias = tuple[Any] | None
"""A value in a one-tuple; ``None`` if there is none."""


class Undecidable(Exception):
    """The search is larger than its limit; the text says what was searched."""


class ValueSet(Protocol):
    """The values of one attribute that some rule admits; equal sets hash equally."""

    def meet(self, other: Self) -> Self:
        """The values in both."""

    def pick(self) -> Picked:
        """One value, the simplest. Raises: Undecidable."""


@dataclass(frozen=True, slots=True)
class Names:
    """Store views or customer groups, compared exactly: those listed, or with ``exclude`` all others.

    A missing name is in no list, so an exclusion admits it.
    """

    names: frozenset[str]
    exclude: bool

    def meet(self, other: Names) -> Names:
        """The names in both."""
        if self.exclude and other.exclude:
            return Names(self.names | other.names, exclude=True)
        if self.exclude or other.exclude:
            listed, excluded = (other, self) if self.exclude else (self, other)
            return Names(listed.names - excluded.names, exclude=False)
        return Names(self.names & other.names, exclude=False)

    def pick(self) -> Picked:
        """The first name of a list; missing for an exclusion."""
        if self.exclude:
            return (None,)
        return (min(self.names),) if self.names else None


@dataclass(frozen=True, slots=True)
class Flags:
    """Some of true, false and missing."""

    values: frozenset[bool | None]

    def meet(self, other: Flags) -> Flags:
        """The values in both."""
        return Flags(self.values & other.values)

    def join(self, other: Flags) -> Flags:
        """The values in either."""
        return Flags(self.values | other.values)

    def pick(self) -> Picked:
        """Missing, else false, else true."""
        return next(((value,) for value in (None, False, True) if value in self.values), None)


@dataclass(frozen=True, slots=True)
class Categories:
    """The categories of an item: at least one of each list in ``wanted``, none of ``avoided``.

    An item whose categories are missing passes only where nothing is wanted.
    """

    wanted: frozenset[frozenset[int]]
    avoided: frozenset[int]

    def meet(self, other: Categories) -> Categories:
        """The lists of both."""
        return Categories(self.wanted | other.wanted, self.avoided | other.avoided)

    def pick(self) -> Picked:
        """One category of each wanted list; missing where none is wanted."""
        if not self.wanted:
            return (None,)
        left = [each - self.avoided for each in sorted(self.wanted, key=sorted)]
        if not all(left):
            return None
        shared = frozenset.intersection(*left)
        return (tuple(sorted({min(shared)} if shared else {min(each) for each in left})),)


Part: TypeAlias = tuple[float, bool, float, bool]
"""An interval: low end, is it open, high end, is it open. Infinite ends are open."""

_ALL: Final[Part] = (-math.inf, True, math.inf, True)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Disjoint intervals in rising order, and perhaps missing."""

    parts: tuple[Part, ...]
    missing: bool

    def meet(self, other: Numbers) -> Numbers:
        """The numbers in both."""
        if self == other:
            return self
        found = (_meet(one, two) for one in self.parts for two in other.parts)
        return Numbers(tuple(each for each in found if each is not None), self.missing and other.missing)

    def complement(self) -> Numbers:
        """All other numbers, and missing if it is not in this set."""
        return Numbers(tuple(_gaps(self.parts)), not self.missing)

    def join(self, other: Numbers) -> Numbers:
        """The numbers in either."""
        return self.complement().meet(other.complement()).complement()

    def pick(self) -> Picked:
        """Missing, else the simplest number that a float can hold."""
        if self.missing:
            return (None,)
        return next(((value,) for part in self.parts if (value := number_in(part)) is not None), None)

    def __contains__(self, value: float) -> bool:
        return any(_holds(part, value) for part in self.parts)


ANY_NUMBER: Final = Numbers((_ALL,), missing=True)


def number_set(operator: str, wanted: Any) -> Numbers:
    """The numbers for which an operator of conditions holds."""
    return _NUMBER[operator](wanted)


def number_in(part: Part) -> float | None:
    """The simplest finite float in an interval: an end, a whole number near one, few decimals, a midpoint."""
    return next((each for each in _candidates(part) if _holds(part, _float(each))), None)


def _candidates(part: Part) -> Iterator[float]:
    low, low_open, high, high_open = part
    if low == high:
        yield from () if low_open or high_open else (low,)
        return
    if not low_open:
        yield low
    if not high_open:
        yield high
    if math.isfinite(low):
        yield math.floor(low) + 1
    if math.isfinite(high):
        yield math.ceil(high) - 1
    if not math.isfinite(low) and not math.isfinite(high):
        yield 1
    yield from _between(low, high)


def _between(low: float, high: float) -> Iterator[float]:
    start, end = _float(low), _float(high)
    if not (math.isfinite(start) and math.isfinite(end)):
        edge = start if math.isfinite(start) else end
        yield from (edge + step for step in (1.0, -1.0, abs(edge), -abs(edge)) if math.isfinite(edge))
        return
    for digits in range(1, 5):
        yield round(start + 10**-digits, digits)
    yield start + (end - start) / 2
    yield math.nextafter(start, math.inf)


def _float(number: float) -> float:
    """The nearest float; out of range it is infinite."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _holds(part: Part, value: float) -> bool:
    low, low_open, high, high_open = part
    above = low < value or (low == value and not low_open)
    return math.isfinite(value) and above and (value < high or (value == high and not high_open))


def _meet(one: Part, two: Part) -> Part | None:
    low, low_open = max(one[:2], two[:2])
    high, high_closed = min((one[2], not one[3]), (two[2], not two[3]))
    if low > high or (low == high and (low_open or not high_closed)):
        return None
    return (low, low_open, high, not high_closed)


def _gaps(parts: Iterable[Part]) -> Iterator[Part]:
    """The intervals between disjoint rising intervals."""
    low, low_open = -math.inf, True
    for start, start_open, end, end_open in parts:
        if low < start or (low == start and not low_open and start_open):
            yield (low, low_open, start, not start_open)
        low, low_open = end, not end_open
    if low < math.inf:
        yield (low, low_open, math.inf, True)


def _points(values: Iterable[float]) -> Numbers:
    return Numbers(
        tuple((value, False, value, False) for value in sorted(set(values)) if math.isfinite(_float(value))),
        missing=False,
    )


def _one(part: Part) -> Numbers:
    low, _, high, _ = part
    return Numbers((part,), missing=False) if low <= high else Numbers((), missing=False)


_NUMBER: Final[Mapping[str, Callable[[Any], Numbers]]] = {
    "eq": lambda wanted: _points([wanted]),
    "ne": lambda wanted: _points([wanted]).complement(),
    "in": _points,
    "not_in": lambda wanted: _points(wanted).complement(),
    "gt": lambda wanted: _one((wanted, True, math.inf, True)),
    "gte": lambda wanted: _one((wanted, False, math.inf, True)),
    "lt": lambda wanted: _one((-math.inf, True, wanted, True)),
    "lte": lambda wanted: _one((-math.inf, True, wanted, False)),
    "between": lambda wanted: _one((wanted[0], False, wanted[1], False)),
}
