"""Which alternatives of many rules may meet, attribute by attribute.

All alternatives are laid out in columns, one per attribute, with the number of the set that each has there.
One row of answers per set then filters all others at once: 1,000 rules of one store view are half a million
pairs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

Numbered: TypeAlias = Mapping[str, int]
"""A cube with the number of its set for each attribute."""

_ABSENT: Final = -1
"""Marks an attribute that a cube leaves free; as an index it is the last place of a row."""
_WORTH: Final = 4
"""A row is filled where at least one in so many of its sets is asked about."""


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
