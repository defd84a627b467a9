"""Charts as shapes: where bars and lines go. What they look like is the template's affair.

A plot is ``STEP`` wide per value and ``HEIGHT`` high, and is stretched to the place it gets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

STEP = 10
HEIGHT = 100
_GAP = 2
_BEST = 5.0
_LOW, _LOWEST = 3.0, 1.0
_TOPS = (1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8)


@dataclass(frozen=True, slots=True)
class Point:
    """A value with its name and the words for it."""

    name: str
    value: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar within the plot, with the words that it stands for."""

    x: float
    y: float
    width: float
    height: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A plot and its labels, ``ticks`` from the top down; ``rows`` are the same as a table."""

    id: str
    title: str
    summary: str
    width: int
    ticks: tuple[str, ...]
    names: tuple[str, ...]
    rows: tuple[Point, ...]
    bars: tuple[Bar, ...] = ()
    lines: tuple[str, ...] = ()
    dots: tuple[tuple[float, float], ...] = ()


def bar_chart(key: str, *, title: str, summary: str, points: Sequence[Point]) -> Chart:
    """Counts as bars that begin at nothing."""
    top = ceiling(max((each.value or 0 for each in points), default=0))
    ticks = (f"{top:,}", f"{top // 2:,}", "0")
    bars = tuple(
        Bar(
            x=index * STEP + _GAP / 2,
            y=HEIGHT - each.value / top * HEIGHT,
            width=STEP - _GAP,
            height=each.value / top * HEIGHT,
            text=f"{each.name}: {each.text}",
        )
        for index, each in enumerate(points)
        if each.value
    )
    return Chart(
        id=key,
        title=title,
        summary=summary,
        width=len(points) * STEP,
        ticks=ticks,
        names=_ends_and_middle(points),
        rows=tuple(points),
        bars=bars,
    )


def score_chart(key: str, *, title: str, summary: str, points: Sequence[Point]) -> Chart:
    """Scores as a line, with a gap where there is none."""
    low = score_floor(points)
    lines, dots = score_line(points, low=low)
    middle = (_BEST + low) / 2
    return Chart(
        id=key,
        title=title,
        summary=summary,
        width=len(points) * STEP,
        ticks=(f"{_BEST:g}", f"{middle:g}", f"{low:g}"),
        names=_ends_and_middle(points),
        rows=tuple(points),
        lines=lines,
        dots=dots,
    )


def score_floor(points: Sequence[Point]) -> float:
    """Where the axis begins: good scores lie closely together, and would be one flat line."""
    return _LOW if min((each.value for each in points if each.value), default=_BEST) >= _LOW else _LOWEST


def score_line(
    points: Sequence[Point], *, low: float
) -> tuple[tuple[str, ...], tuple[tuple[float, float], ...]]:
    """The pieces of the line as lists of points, and the points themselves."""
    pieces: list[list[tuple[float, float]]] = [[]]
    for index, each in enumerate(points):
        if each.value is None:
            pieces.append([])
        else:
            y = HEIGHT - (each.value - low) / (_BEST - low) * HEIGHT
            pieces[-1].append((index * STEP + STEP / 2, y))
    lines = tuple(" ".join(f"{x:g},{y:.2f}" for x, y in piece) for piece in pieces if len(piece) > 1)
    return lines, tuple(point for piece in pieces for point in piece)


def ceiling(value: float) -> int:
    """The least round number that is not below, and has a whole half."""
    power = 1
    while True:
        for top in _TOPS:
            found = round(top * power)
            if found >= value and found % 2 == 0:
                return found
        power *= 10


def _ends_and_middle(points: Sequence[Point]) -> tuple[str, ...]:
    if len(points) < 3:
        return tuple(each.name for each in points)
    return (points[0].name, points[len(points) // 2].name, points[-1].name)
