"""The table of docs/performance.md: ``python benchmarks/page.py RESULTS``."""

from __future__ import annotations

import sys
from pathlib import Path

from measure import Figure, Point
from results import Results, read

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
BEGIN = "<!-- figures -->"
END = "<!-- end of figures -->"
_CURVES = {"accounts": "accounts", "orders": "orders in the file", "rows": "invitations in the state"}


def table(results: Results) -> str:
    """All figures with their targets, and the points of the curves."""
    facts = results.machine
    system = f"{facts['system']} {facts['architecture']}, Python {facts['python']}"
    lines = [
        f"Taken {facts['taken']}: {facts['cores']} cores, {facts['memory_gib']} GiB, {system}.",
        "",
        "| what | figure | baseline | ratio | target | reached | baseline is |",
        "|---|--:|--:|--:|---|---|---|",
        *map(_row, results.figures),
    ]
    for curve, title in _CURVES.items():
        series = results.curve(curve)
        if series:
            lines += ["", *_curve(title, series)]
    return "\n".join(lines)


def missed(results: Results) -> list[Figure]:
    """The figures whose targets are not reached."""
    return [each for each in results.figures if each.reached is False]


def page_with(text: str, results: Results) -> str:
    """The page with this table between its markers."""
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{table(results)}\n\n{END}{after}"


def _row(figure: Figure) -> str:
    reached = {True: "yes", False: "**no**", None: ""}[figure.reached]
    values = [_amount(each, figure.unit) for each in (figure.value, figure.baseline)]
    target = figure.target.replace("<=", "≤").replace(">=", "≥")
    cells = [figure.name, *values, f"{figure.ratio:.2f}", target, reached, figure.against]
    return f"| {' | '.join(cells)} |"


def _amount(value: float, unit: str) -> str:
    return f"{value:.3g} {unit}" if value < 1000 else f"{value:,.0f} {unit}"


def _curve(title: str, series: dict[str, list[Point]]) -> list[str]:
    sizes = sorted({point.x for points in series.values() for point in points})
    head = [f"| {title} | {' | '.join(f'{size:,}' for size in sizes)} |", f"|---|{'--:|' * len(sizes)}"]
    return head + [f"| {name} | {' | '.join(_cells(points, sizes))} |" for name, points in series.items()]


def _cells(points: list[Point], sizes: list[int]) -> list[str]:
    found = {point.x: f"{point.seconds:.2f} s, {point.megabytes:.0f} MiB" for point in points}
    return [found.get(size, "") for size in sizes]


if __name__ == "__main__":
    PAGE.write_text(page_with(PAGE.read_text("utf-8"), read(Path(sys.argv[1]))), encoding="utf-8")
