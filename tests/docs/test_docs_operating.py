"""The guides to stop, restore, upgrade and stage are followed as they are written."""

import shutil
from pathlib import Path

import pytest
import time_machine
from docs_blocks import DOCS, blocks
from docs_rehearsal import Rehearsal
from project_support import Project, order, settings

ROUND_1 = Path(__file__).parent.parent / "data" / "state-round1"
ORDERS = "orders: {file: orders.jsonl}"
JOB = ("apply", "--auto-approve", "--concise")
RULES = "pending_period: 7\nstore_views: [de]"


@pytest.fixture
def shop(project):
    """A project with one account, and four orders that are due."""
    project.account("Germany", "28374", RULES).rename(project.folder / "accounts.d" / "germany.yaml")
    project.orders(order(number, age_days=8) for number in range(1, 5))
    return project


@pytest.fixture
def follow(shop, sandbox, capsys):
    """Begin to follow a guide."""

    def begin(page):
        ekomi = settings(sandbox.url).splitlines()[-1]
        words = {ORDERS: f"{ORDERS}\n{ekomi}"}
        return Rehearsal(shop, list(blocks(DOCS / "how-to" / f"{page}.md")), capsys, words)

    return begin


def sent(sandbox):
    """How many requests were made for each order."""
    return {each.transaction_id: each.requests for each in sandbox.world.outbox.entries()}


EVERYBODY = {f"10000000{number}": 1 for number in range(1, 5)}


def test_stop_sending_now(follow, sandbox):
    """Nothing leaves while it is stopped in either way, and everything once it goes on."""
    with time_machine.travel("2026-12-01T06:00:00Z"):
        follow("stop-sending-now").until()
    assert sent(sandbox) == EVERYBODY


def test_restoring(follow, shop, sandbox):
    """What was sent after the copy was made stays sent."""
    guide = follow("restoring")
    shop.orders([order(1, age_days=8)])
    shop.cli(*JOB)
    guide.until("something went wrong")
    shop.orders(order(number, age_days=8) for number in range(1, 5))
    shop.cli(*JOB)
    guide.until()
    assert sent(sandbox) == EVERYBODY


def test_staging_beside_production(follow, sandbox):
    """Staging plans and schedules; only production sends."""
    follow("staging-beside-production").until()
    assert sent(sandbox) == EVERYBODY


def test_upgrading(tmp_path, sandbox, capsys, monkeypatch):
    """A state of the first format is brought up to date; no account changes, and nobody is invited twice."""
    folder = tmp_path / "project"
    shutil.copytree(ROUND_1, folder)
    (folder / "state").rename(folder / ".ekomi-reconcile")
    project = Project(folder)
    text = (folder / "ekomi-reconcile.yaml").read_text()
    project.settings(text.replace("@PORT@", sandbox.url.rpartition(":")[2]))
    monkeypatch.setenv("BAR_PASSWORD", "bar-secret")
    guide = Rehearsal(project, list(blocks(DOCS / "how-to" / "upgrading.md")), capsys)
    guide.until("the new version is installed")
    with time_machine.travel("2026-11-30T15:30:00Z"):
        guide.until()
    assert sent(sandbox) == {}
    assert list(project.state.parent.glob("state.db.format-*.backup"))
