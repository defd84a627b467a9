"""``report`` on the command line, and what a run leaves for it."""

import json
import shutil
import sqlite3

import pytest
from project_support import order
from report_support import opened

from ekomi_reconcile.model.run import read_figures
from ekomi_reconcile.state.engine.location import locate
from ekomi_reconcile.state.engine.lock import Lock
from ekomi_reconcile.state.engine.runner import writer_lock


@pytest.fixture
def recorded(project, shop):
    """A project with the state of the shop."""
    shutil.copytree(shop, project.folder, dirs_exist_ok=True)
    return project


def test_the_page_is_written_and_its_place_is_told(recorded, capsys):
    """By default into report/ of the project; nothing else is in the folder."""
    assert recorded.cli("report") == 0
    out, err = capsys.readouterr()
    page = recorded.folder / "report" / "index.html"
    assert (out, err) == (f"{page}\n", "")
    text = page.read_text("utf-8")
    assert f"<h1><bdi>{recorded.folder.name}: review invitations</bdi></h1>" in text
    assert str(recorded.folder) not in text
    assert [each.name for each in page.parent.iterdir()] == ["index.html"]


def test_the_state_is_only_read_whoever_writes(recorded):
    """Another process may hold the writer lock; no byte of the state changes."""
    before = recorded.state.read_bytes()
    lock: Lock = writer_lock(locate(str(recorded.state), root=recorded.folder), operation="apply")
    lock.acquire(0)
    with lock:
        assert recorded.cli("report") == 0
    assert recorded.state.read_bytes() == before


def test_a_report_is_replaced_and_other_files_stay(recorded):
    """In a folder that holds other things only our own page is written."""
    folder = recorded.folder / "public" / "deep"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    for _ in range(2):
        assert recorded.cli("report", "--out", "public/deep") == 0
    assert sorted(each.name for each in folder.iterdir()) == ["index.html", "notes.txt"]
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("content", ["<title>Our shop</title>", "", "\x00\xff"])
def test_a_page_of_somebody_else_is_left_alone(recorded, capsys, content):
    """The refusal names the file and a way out."""
    page = recorded.folder / "report" / "index.html"
    page.parent.mkdir()
    page.write_text(content, encoding="latin-1")
    assert recorded.cli("report") == 1
    assert "is not a report of ekomi-reconcile" in capsys.readouterr().err
    assert page.read_text("latin-1") == content


def test_a_place_that_cannot_be_written_is_told(recorded, capsys):
    """A file where the folder should be is an error in plain words, without leftovers."""
    (recorded.folder / "taken").write_text("")
    assert recorded.cli("report", "--out", "taken/report") == 1
    assert "cannot be written" in capsys.readouterr().err
    (recorded.folder / "report" / "index.html").mkdir(parents=True)
    assert recorded.cli("report") == 1
    assert "cannot be written" in capsys.readouterr().err
    assert [each.name for each in (recorded.folder / "report").iterdir()] == ["index.html"]


def test_without_a_state_there_is_no_report(project, capsys):
    """It says that there is none, and writes nothing."""
    assert project.cli("report") == 1
    assert "no state at" in capsys.readouterr().err
    assert not (project.folder / "report").exists()


def test_no_secret_and_no_password_is_needed(recorded, monkeypatch):
    """The report works where no secret is set."""
    monkeypatch.delenv("PASSWORD_28374")
    recorded.account("Germany", "28374")
    assert recorded.cli("report") == 0


def test_a_run_writes_down_its_figures(project, capsys):
    """Counts and reasons stand in the journal by interface id, and on the page by name."""
    project.account("Germany", "28374", "store_views: [de]\npending_period: 0")
    project.orders([order(1), order(2, store_code="fr"), order(3, state="new", status="pending")])
    assert project.cli("apply", "--auto-approve") == 0
    with opened(project.folder) as state:
        done = next(
            each for each in state.journal.entries() if each.action == "apply" and each.outcome == "done"
        )
    figures = read_figures(done.detail)
    assert figures.not_invited == {"28374": {"store_view": 1, "order_status": 1}}
    assert figures.counts["sent"] == figures.counts["scheduled"] == 1
    assert project.cli("report") == 0
    page = (project.folder / "report" / "index.html").read_text("utf-8")
    assert "1 scheduled, 1 sent" in page
    assert "customer1@" not in page
    capsys.readouterr()
    assert project.cli("state", "history") == 0
    assert "1 scheduled, 1 sent" in capsys.readouterr().out


def test_orders_that_no_account_takes_are_remembered_once(project):
    """Each under the reason of the account that came nearest, as of the last look; by saved plans too."""
    project.account("Germany", "28374", "store_views: [de]\nconditions: {grand_total: {gte: 50}}")
    project.account("Norway", "28376", "store_views: [no]")
    orders = [
        order(1, store_code="fr"),
        order(2, store_code="de", grand_total=10),
        order(3, store_code="de", state="new", status="pending", grand_total=80),
        order(4, store_code="no"),
    ]
    project.orders(orders)
    assert project.cli("plan", "--out", "plan.json") == 0
    assert project.cli("apply", "plan.json", "--auto-approve") == 0

    def passed():
        with opened(project.folder) as state:
            return state.positions.passed_orders(0)

    assert passed() == {"store_view": 1, "conditions": 1, "order_status": 1}
    project.orders([orders[0], orders[1] | {"grand_total": 60}, orders[2] | {"grand_total": 90}, orders[3]])
    assert project.cli("apply", "--auto-approve") == 0
    assert passed() == {"store_view": 1, "order_status": 1}


def test_a_run_that_only_looked_is_remembered_too(project):
    """Orders that nobody invites leave their reasons; where nothing was looked at nothing is written."""
    project.account("Germany", "28374", "store_views: [de]")
    project.orders([order(1, store_code="fr")])
    assert project.cli("apply", "--auto-approve") == 0
    with (project.folder / "orders.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(order(2, store_code="fr")) + "\n")
    for _ in range(3):
        assert project.cli("apply", "--auto-approve") == 0
    with sqlite3.connect(project.state) as raw:
        rows = raw.execute(
            "SELECT outcome, detail FROM journal WHERE action = 'apply' ORDER BY id"
        ).fetchall()
    raw.close()
    assert [outcome for outcome, _ in rows] == ["started", "done", "done"]
    assert read_figures(rows[2][1]).not_invited == {"28374": {"store_view": 1}}
