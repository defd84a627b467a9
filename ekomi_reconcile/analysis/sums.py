"""How many items of which kind, with which amounts, give these totals: exact linear programming.

The relaxation counts items in fractions and takes all intervals as closed; without a solution there is none.
Otherwise whole counts near the solution are tried, with amounts in steps of 0.0001.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, combinations_with_replacement, islice, product
from typing import Any, Final, NamedTuple, TypeAlias

from ekomi_reconcile.analysis.values import Numbers, Part, Undecidable

_STEP: Final = Fraction(1, 10_000)
"""Totals are rounded to 4 decimals."""
_TOLERANCE: Final = _STEP * Fraction(49_999, 100_000)
"""By how much a sum may miss a total that it is rounded to; ties to the fifth decimal are left out."""
_TRIED: Final = 64
_FEW: Final = 3
_COMBINED: Final = 2_000
_MOST_ITEMS: Final = 200
_MOST_COLUMNS: Final = 400


@dataclass(frozen=True, slots=True)
class Problem:
    """Totals to reach. ``kinds`` gives for each kind and total the interval of the amount, if it counts.

    ``amounts`` says what each total adds up; of each of ``groups`` (indices of kinds) one item is needed.
    """

    kinds: Sequence[Sequence[Part | None]]
    amounts: Sequence[str]
    totals: Sequence[Part]
    groups: Sequence[Sequence[int]]


class Chosen(NamedTuple):
    """One item: its kind and its amounts."""

    kind: int
    amounts: Mapping[str, float]


class _Row(NamedTuple):
    """``sum(coefficient * variable) >= bound``."""

    coefficients: Sequence[Fraction]
    bound: Fraction


class _Column(NamedTuple):
    """A direction in which a kind adds to the totals, and whether that takes an item."""

    kind: int
    counts: int
    adds: Sequence[Fraction]


def solve(problem: Problem) -> list[Chosen] | None:
    """Items with these totals; ``None`` if there are none.

    Raises:
        Undecidable: there may be some, but none was found.
    """
    columns = _columns(problem)
    if len(columns) > _MOST_COLUMNS:
        raise Undecidable("sum_items")
    values = minimum([Fraction(1)] * len(columns), list(_relaxed(problem, columns)))
    if values is None:
        return None
    counted = chain(islice(_whole_counts(problem, columns, values), _TRIED), _small_counts(problem))
    for counts in counted:
        found = _with_counts(problem, counts)
        if found is not None:
            return found
    raise Undecidable("sum_items")


def rounded(total: Numbers) -> Numbers:
    """The totals in steps of 4 decimals that are in the set, as closed intervals of exact fractions."""
    found = []
    for low, low_open, high, high_open in total.parts:
        start: Any = low if math.isinf(low) else math.ceil(Fraction(str(low)) / _STEP) * _STEP
        end: Any = high if math.isinf(high) else math.floor(Fraction(str(high)) / _STEP) * _STEP
        if low_open and math.isfinite(low) and start == Fraction(str(low)):
            start += _STEP
        if high_open and math.isfinite(high) and end == Fraction(str(high)):
            end -= _STEP
        if start <= end:
            found.append((start, math.isinf(start), end, math.isinf(end)))
    return Numbers(tuple(found), total.missing)


def _columns(problem: Problem) -> list[_Column]:
    found: dict[object, _Column] = {}
    for at, parts in enumerate(problem.kinds):
        member = tuple(at in group for group in problem.groups)
        for each in _directions(at, parts, problem.amounts):
            found.setdefault((member, each.counts, tuple(each.adds)), each)
    return list(found.values())


def _directions(kind: int, parts: Sequence[Part | None], amounts: Sequence[str]) -> Iterator[_Column]:
    """The corners of the amounts of one item, and the directions in which they are unbounded."""
    own = {amounts[at]: part for at, part in enumerate(parts) if part is not None}
    names = sorted(own)

    def adds(values: Mapping[str, Fraction]) -> list[Fraction]:
        zero = Fraction(0)
        return [zero if part is None else values.get(amounts[at], zero) for at, part in enumerate(parts)]

    for corner in product(*(_ends(own[name]) for name in names)):
        yield _Column(kind, 1, adds(dict(zip(names, corner, strict=True))))
    for name in names:
        low, _, high, _ = own[name]
        if math.isinf(high):
            yield _Column(kind, 0, adds({name: Fraction(1)}))
        if math.isinf(low):
            yield _Column(kind, 0, adds({name: Fraction(-1)}))


def _ends(part: Part) -> list[Fraction]:
    finite = [Fraction(end) for end in (part[0], part[2]) if math.isfinite(end)]
    return sorted(set(finite)) or [Fraction(0)]


def _relaxed(problem: Problem, columns: Sequence[_Column]) -> Iterator[_Row]:
    for at, (low, _, high, _) in enumerate(problem.totals):
        adds = [each.adds[at] for each in columns]
        if math.isfinite(low):
            yield _Row(adds, Fraction(low) - _TOLERANCE)
        if math.isfinite(high):
            yield _Row([-each for each in adds], -Fraction(high) - _TOLERANCE)
    for group in problem.groups:
        yield _Row([Fraction(each.counts if each.kind in group else 0) for each in columns], Fraction(1))


def _whole_counts(
    problem: Problem, columns: Sequence[_Column], values: Sequence[Fraction]
) -> Iterator[dict[int, int]]:
    """Whole numbers of items near the solution; small ones first."""
    counts: dict[int, Fraction] = {}
    for column, value in zip(columns, values, strict=True):
        if value > 0:
            counts[column.kind] = counts.get(column.kind, Fraction(0)) + column.counts * value
    kinds = sorted(counts)
    choices = [
        sorted({math.floor(counts[kind]), math.ceil(counts[kind]), math.floor(counts[kind]) + 1})
        for kind in kinds
    ]
    near = sorted(islice(product(*choices), 10 * _TRIED), key=lambda each: (sum(each), each))
    for chosen in near:
        found = {kind: count for kind, count in zip(kinds, chosen, strict=True) if count}
        covered = all(any(kind in found for kind in group) for group in problem.groups)
        if covered and sum(found.values()) <= _MOST_ITEMS:
            yield found


def _small_counts(problem: Problem) -> Iterator[dict[int, int]]:
    """A few items of all kinds, where the totals lie between what they can add up to."""
    kinds = range(len(problem.kinds))
    few = chain.from_iterable(combinations_with_replacement(kinds, size) for size in range(1, _FEW + 1))
    for chosen in islice(few, _COMBINED):
        found = {kind: chosen.count(kind) for kind in chosen}
        if _within(problem, chosen) and all(any(kind in found for kind in group) for group in problem.groups):
            yield found


def _within(problem: Problem, chosen: Sequence[int]) -> bool:
    """Is each total between the least and the most that these items add to it?"""
    for at, total in enumerate(problem.totals):
        parts = [part for kind in chosen if (part := problem.kinds[kind][at]) is not None]
        if sum(part[0] for part in parts) > total[2] or sum(part[2] for part in parts) < total[0]:
            return False
    return True


def _with_counts(problem: Problem, counts: Mapping[int, int]) -> list[Chosen] | None:
    """Items of these kinds with amounts that give the totals, if such were found."""
    variables = [
        (kind, name, part)
        for kind in sorted(counts)
        for name, part in sorted(
            {
                problem.amounts[at]: part for at, part in enumerate(problem.kinds[kind]) if part is not None
            }.items()
        )
    ]
    bounds = [_inner(part) for _, _, part in variables]
    if any(low is not None and high is not None and low > high for low, high in bounds):
        return None
    rows = list(_exact(problem, counts, variables, bounds))
    width = 2 * len(variables)
    solved = minimum([Fraction(1)] * width, rows)
    if solved is None:
        return None
    totals = {
        (kind, name): solved[2 * at] - solved[2 * at + 1] + _base(bounds[at]) * counts[kind]
        for at, (kind, name, _) in enumerate(variables)
    }
    spread = {
        key: _spread(totals[key], counts[key[0]], bound) for key, bound in zip(totals, bounds, strict=True)
    }
    return [
        Chosen(kind, {name: spread[kind, name][number] for each, name in totals if each == kind})
        for kind in sorted(counts)
        for number in range(counts[kind])
    ]


_Bounds: TypeAlias = tuple[Fraction | None, Fraction | None]


def _inner(part: Part) -> _Bounds:
    """The ends of an interval, an open one moved inwards."""
    low, low_open, high, high_open = part
    step = _STEP
    if math.isfinite(low) and math.isfinite(high):
        step = min(step, (Fraction(high) - Fraction(low)) / 4)
    return (
        Fraction(str(low)) + (step if low_open else 0) if math.isfinite(low) else None,
        Fraction(str(high)) - (step if high_open else 0) if math.isfinite(high) else None,
    )


def _base(bounds: _Bounds) -> Fraction:
    """The amount from which variables count: the low end, else the high end, else nothing."""
    low, high = bounds
    return low if low is not None else high if high is not None else Fraction(0)


def _exact(
    problem: Problem,
    counts: Mapping[int, int],
    variables: Sequence[tuple[int, str, Part]],
    bounds: Sequence[_Bounds],
) -> Iterator[_Row]:
    """The totals, and the bounds of each variable: what it adds to its base, and what it takes away."""
    for at, total in enumerate(problem.totals):
        counted = [
            problem.kinds[kind][at] is not None and problem.amounts[at] == name for kind, name, _ in variables
        ]
        row = [Fraction(sign if each else 0) for each in counted for sign in (1, -1)]
        base = sum(
            (
                _base(bounds[index]) * counts[kind]
                for index, (kind, _, _) in enumerate(variables)
                if counted[index]
            ),
            Fraction(0),
        )
        low, high = _inner(total)
        if low is not None:
            yield _Row(row, low - base)
        if high is not None:
            yield _Row([-each for each in row], base - high)
    for index, (kind, _, _) in enumerate(variables):
        low, high = bounds[index]
        room = (high - low) * counts[kind] if low is not None and high is not None else None
        for offset, limit in (
            (0, room if low is not None else 0 if high is not None else None),
            (1, None if low is None else 0),
        ):
            if limit is not None:
                row = [Fraction(0)] * (2 * len(variables))
                row[2 * index + offset] = Fraction(-1)
                yield _Row(row, -Fraction(limit))


def _spread(total: Fraction, count: int, bounds: _Bounds) -> list[float]:
    """A total as amounts within these bounds."""
    low, high = bounds
    base = _base(bounds)
    rest, found = total - base * count, []
    for _ in range(count):
        room = high - low if low is not None and high is not None else None
        more = rest if room is None else min(rest, room)
        rest -= more
        found.append(float(base + more))
    return found


def minimum(costs: Sequence[Fraction], rows: Sequence[_Row]) -> list[Fraction] | None:
    """The cheapest values >= 0 that satisfy all rows; ``None`` if there are none.

    The simplex method in fractions, in two phases, by the rule of Bland, which always ends. Costs are >= 0.
    """
    width, height = len(costs), len(rows)
    total = width + 2 * height
    table: list[list[Fraction]] = []
    for at, row in enumerate(rows):
        sign = 1 if row.bound > 0 else -1
        slack = [Fraction(-sign if each == at else 0) for each in range(height)]
        helper = [Fraction(1 if each == at else 0) for each in range(height)]
        table.append([*(sign * each for each in row.coefficients), *slack, *helper, sign * row.bound])
    basis = [width + height + at if row.bound > 0 else width + at for at, row in enumerate(rows)]
    wrong = [Fraction(1 if each >= width + height else 0) for each in range(total)]
    if not _descend(table, basis, wrong, range(total)):
        return None
    if any(table[at][-1] > 0 for at, each in enumerate(basis) if each >= width + height):
        return None
    _drive_out(table, basis, width + height)
    _descend(table, basis, [*costs, *([Fraction(0)] * (2 * height))], range(width + height))
    values = [Fraction(0)] * width
    for at, each in enumerate(basis):
        if each < width:
            values[each] = table[at][-1]
    return values


def _drive_out(table: list[list[Fraction]], basis: list[int], first: int) -> None:
    """Take helpers (columns from ``first`` on) out of the basis: in the second phase they must stay 0."""
    for at in range(len(table)):
        entering = next((column for column in range(first) if basis[at] >= first and table[at][column]), None)
        if entering is not None:
            _pivot(table, basis, at, entering)


def _descend(
    table: list[list[Fraction]], basis: list[int], costs: Sequence[Fraction], usable: Iterable[int]
) -> bool:
    """Pivot until no step makes it cheaper; false if it would go on for ever."""
    usable = list(usable)
    while True:
        paid = [costs[each] for each in basis]
        entering = next(
            (
                column
                for column in usable
                if column not in basis
                and costs[column]
                < sum(cost * row[column] for cost, row in zip(paid, table, strict=True) if cost)
            ),
            None,
        )
        if entering is None:
            return True
        ratios = [
            (row[-1] / row[entering], basis[at], at) for at, row in enumerate(table) if row[entering] > 0
        ]
        if not ratios:
            return False
        _pivot(table, basis, min(ratios)[2], entering)


def _pivot(table: list[list[Fraction]], basis: list[int], leaving: int, entering: int) -> None:
    divisor = table[leaving][entering]
    table[leaving] = [each / divisor for each in table[leaving]]
    for at, row in enumerate(table):
        factor = row[entering]
        if at != leaving and factor:
            table[at] = [one - factor * two for one, two in zip(row, table[leaving], strict=True)]
    basis[leaving] = entering
