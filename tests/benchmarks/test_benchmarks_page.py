"""The results as a file, as tables, as drawings: what the documentation shows is what was measured."""

import json
import platform
import xml.etree.ElementTree as ET
from pathlib import Path

import measure
import page
import pytest
import results
import run as benchmarks
from measure import Figure, Point, Run
from results import Results, Taken

DOCS = Path(__file__).parent.parent.parent / "docs"
COMMITTED = DOCS / "performance.json"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def found():
    """Results of two benchmarks."""
    figures = [
        Figure("fast", 1.0, 2.0, "<= 0.67", against="something slow", megabytes=30.0),
        Figure("slow", 300.0, 1000.0, ">= 0.70", unit="/s"),
        Figure("whatever", 3.0, 1.0),
    ]
    points = [Point("rows", "plan", 100, 0.2, 30.0), Point("rows", "plan", 10, 0.1, 20.0)]
    taken = {"one": Taken(figures, seconds=1.5), "two": Taken(points=points, seconds=2.0)}
    return Results(results.machine(), taken)


def test_results_survive_their_file(found, tmp_path):
    """What was measured is read as it was written."""
    path = tmp_path / "some" / "results.json"
    results.write(path, found)
    assert results.read(path) == found


def test_the_file_tells_ratios_and_what_is_reached(found, tmp_path):
    """Whoever reads the file needs no program of ours to judge it."""
    results.write(tmp_path / "results.json", found)
    figures = json.loads((tmp_path / "results.json").read_text())["benchmarks"]["one"]["figures"]
    told = [(each["ratio"], each["reached"]) for each in figures]
    assert told == [(0.5, True), (0.3, False), (3.0, None)]


def test_the_facts_name_no_machine(found):
    """Cores and versions are told, neither host nor path."""
    text = json.dumps(found.machine)
    assert platform.node() not in text
    assert str(Path.home()) not in text
    assert "/" not in text
    assert found.machine["cores"] >= 1


def test_tables_show_what_is_not_reached(found):
    """A missed target stands out, a figure without one has none."""
    lines = page.table(found).splitlines()
    assert "| fast | 1 s | 2 s | 0.50 | ≤ 0.67 | yes | something slow |" in lines
    assert "| slow | 300 /s | 1,000 /s | 0.30 | ≥ 0.70 | **no** |  |" in lines
    assert "| whatever | 3 s | 1 s | 3.00 |  |  |  |" in lines
    assert "| plan | 0.10 s, 20 MiB | 0.20 s, 30 MiB |" in lines
    assert [each.name for each in page.missed(found)] == ["slow"]


def test_the_page_shows_the_committed_results():
    """docs/performance.md holds the tables of docs/performance.json."""
    text = page.PAGE.read_text("utf-8")
    assert page.page_with(text, results.read(COMMITTED)) == text, (
        "run: benchmarks/page.py docs/performance.json"
    )


def test_the_committed_results_are_complete():
    """Every benchmark is in the file, and each curve of it is drawn."""
    found = results.read(COMMITTED)
    assert set(found.taken) == set(benchmarks.BENCHMARKS)
    for curve in ("accounts", "orders", "rows"):
        drawing = (DOCS / "images" / f"performance-{curve}.svg").read_text("utf-8")
        assert found.curve(curve)
        assert all(f">{series}<" in drawing for series in found.curve(curve))


def test_drawings_stand_on_any_background(found, tmp_path):
    """One file per curve with points: text stays text, and nothing white or black is painted."""
    plot = pytest.importorskip("plot")
    (drawn,) = plot.plot(found, tmp_path)
    text = drawn.read_text("utf-8")
    tree = ET.fromstring(text)
    assert drawn.name == "performance-rows.svg"
    assert {"plan", "seconds"} <= {each.text for each in tree.iter(f"{SVG}text")}
    assert not any(colour in text for colour in ("#ffffff", "#000000"))


def test_a_run_keeps_what_it_leaves_out(found, tmp_path, capsys):
    """Running one benchmark again replaces its results in the file, and no others."""
    path = tmp_path / "results.json"
    found.taken = {"backfill": found.taken["one"], "start": found.taken["two"]}
    results.write(path, found)
    token = measure.how.set(lambda arguments, cwd, env: Run(0.2 if "version" in arguments else 0.1, 30.0))
    benchmarks.main(["start", "--json", str(path)])
    measure.how.reset(token)
    after = results.read(path)
    assert list(after.taken) == ["start", "backfill"]
    assert after.taken["backfill"] == found.taken["backfill"]
    assert [each.ratio for each in after.taken["start"].figures] == [2.0, 1.0]
    assert "2 targets not reached" in capsys.readouterr().out


def test_an_unknown_name_is_refused(capsys):
    """A slip does not end in an empty table."""
    with pytest.raises(SystemExit):
        benchmarks.main(["backfil"])
    assert "backfil" in capsys.readouterr().err
