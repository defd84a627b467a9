"""Drawing the curves of growth: ``python benchmarks/plot.py RESULTS``, needs the extra ``bench``.

One file per curve, docs/images/performance-NAME.svg: seconds to the left, memory to the right, both scales
logarithmic: a line that rises as steeply as the dotted one grows as its size does. Grey text and mid
colours on no background stand out from a light page and from a dark one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl
from measure import Point
from results import Results, read

mpl.use("svg")

import matplotlib.pyplot as plt

IMAGES = Path(__file__).parent.parent / "docs" / "images"
TITLES = {
    "accounts": "accounts, a file each",
    "orders": "orders in the file",
    "rows": "invitations in the state",
}
_GREY = "#808890"
_COLOURS = ("#2a8fbd", "#d9772b", "#5a9e4b", "#a86fc4")
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "performance",
    "font.family": "sans-serif",
    "font.size": 8,
    "text.color": _GREY,
    "axes.edgecolor": _GREY,
    "axes.labelcolor": _GREY,
    "xtick.color": _GREY,
    "ytick.color": _GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def plot(results: Results, folder: Path) -> list[Path]:
    """Draw every curve that has points; the files made."""
    found = {name: results.curve(name) for name in TITLES}
    return [
        _draw(series, TITLES[name], folder / f"performance-{name}.svg")
        for name, series in found.items()
        if series
    ]


def _draw(series: dict[str, list[Point]], title: str, path: Path) -> Path:
    with mpl.rc_context(_STYLE):
        figure, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.8), layout="constrained")
        for (name, points), colour in zip(series.items(), _COLOURS, strict=False):
            sizes = [point.x for point in points]
            style: Any = {"marker": "o", "markersize": 3, "linewidth": 1.2, "color": colour}
            left.plot(sizes, [point.seconds for point in points], label=name, **style)
            right.plot(sizes, [point.megabytes for point in points], **style)
        _in_proportion(left, series)
        for axes, unit in ((left, "seconds"), (right, "MiB at the peak")):
            axes.set(xscale="log", yscale="log", xlabel=title, ylabel=unit)
            axes.minorticks_off()
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_major_formatter(lambda value, _: f"{value:,g}")
            axes.grid(visible=True, which="major", color=_GREY, alpha=0.25, linewidth=0.5)
        right.set_ylim(10, 1_000)
        figure.legend(loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return path


def _in_proportion(axes: Any, series: dict[str, list[Point]]) -> None:
    """The slope of what grows as its size does."""
    points = next(iter(series.values()))
    first, last = points[0], points[-1]
    ends = [first.seconds, first.seconds * last.x / first.x]
    axes.plot([first.x, last.x], ends, color=_GREY, linewidth=0.8, linestyle=":", label="in proportion")


if __name__ == "__main__":
    for drawn in plot(read(Path(sys.argv[1])), IMAGES):
        print(drawn.name)
