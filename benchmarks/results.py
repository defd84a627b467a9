"""What a run of the benchmarks found, as a JSON file: figures, points, and facts of the machine."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from measure import Figure, Point

_LIBRARIES = ("PyYAML", "msgspec", "pydantic", "httpx", "SQLAlchemy")


@dataclass(slots=True)
class Taken:
    """What one benchmark found, and how many seconds it ran."""

    figures: list[Figure] = field(default_factory=list)
    points: list[Point] = field(default_factory=list)
    seconds: float = 0.0


@dataclass(slots=True)
class Results:
    """Everything by name of the benchmark; ``machine`` are facts that tell no machine by name."""

    machine: dict[str, str | int] = field(default_factory=dict)
    taken: dict[str, Taken] = field(default_factory=dict)

    @property
    def figures(self) -> list[Figure]:
        """All figures, in the order of the benchmarks."""
        return [figure for each in self.taken.values() for figure in each.figures]

    def curve(self, name: str) -> dict[str, list[Point]]:
        """The points of one drawing by series, each from the smallest size on."""
        series: dict[str, list[Point]] = {}
        for each in self.taken.values():
            for point in each.points:
                if point.curve == name:
                    series.setdefault(point.series, []).append(point)
        return {key: sorted(points, key=lambda point: point.x) for key, points in series.items()}


def machine() -> dict[str, str | int]:
    """What the figures depend on: cores, memory, versions. No name of a host, no path."""
    facts: dict[str, str | int] = {
        "taken": time.strftime("%Y-%m-%d", time.gmtime()),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)),
        "system": platform.system(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "ekomi-reconcile": version("ekomi-reconcile"),
    }
    for name in _LIBRARIES:
        try:
            facts[name] = version(name)
        except PackageNotFoundError:
            continue
    return facts


def write(path: Path, results: Results) -> None:
    """Write the file. Besides what was measured, each figure's ratio and whether its target is reached."""
    benchmarks = {
        name: {
            "seconds": round(taken.seconds, 1),
            "figures": [_figure(each) for each in taken.figures],
            "points": [_rounded(asdict(each)) for each in taken.points],
        }
        for name, taken in results.taken.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": results.machine, "benchmarks": benchmarks}, indent=1, ensure_ascii=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def read(path: Path) -> Results:
    """Read the file."""
    found = json.loads(path.read_text("utf-8"))
    taken = {
        name: Taken(
            [_read_figure(figure) for figure in each["figures"]],
            [Point(**point) for point in each["points"]],
            each["seconds"],
        )
        for name, each in found["benchmarks"].items()
    }
    return Results(found["machine"], taken)


def _figure(figure: Figure) -> dict[str, Any]:
    return _rounded({**asdict(figure), "ratio": figure.ratio, "reached": figure.reached})


def _read_figure(found: dict[str, Any]) -> Figure:
    return Figure(**{key: value for key, value in found.items() if key not in ("ratio", "reached")})


def _rounded(found: dict[str, Any]) -> dict[str, Any]:
    """Four digits: more of them say nothing."""
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in found.items()}
