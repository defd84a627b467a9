"""A shop that changes while the loop runs: many small runs come to the same queue as one at the end."""

import random
import sqlite3

import pytest
from project_support import PASSWORDS, Project
from tiers import LONG

from ekomi_reconcile.sandbox.answers import READ_ONLY, shop_of
from ekomi_reconcile.sandbox.magento.render import RequestRejected
from ekomi_reconcile.sandbox.magento.routes import routes
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.world import World

RUNS = 10
SIZES = [(1, 1_000), (2, 1_000), (3, 20_000)]
if LONG:
    SIZES += [(seed, 20_000) for seed in range(4, 10)]

PROJECT = """\
version: 1
orders: {{magento: {{base_url: '{url}', token: '${{env:MAGENTO_TOKEN}}'}}}}
ekomi: {{api_url: {api}, srr_url: {srr}, requests_per_second: 100000}}
safety: {{max_schedules: 1000000}}
schedule: {{sync_every: 365d, import_reviews_every: 365d}}
"""


def make(folder, server):
    """A project with two accounts over the shop."""
    project = Project(folder)
    (folder / "accounts.d").mkdir(parents=True)
    project.settings(PROJECT.format(url=server.url, api=server.api_url, srr=server.srr_url))
    project.account("Germany", "28374", "store_views: [de, at]\nskip_orders_older_than: 60")
    project.account(
        "France", "28375", "store_views: {exclude: [de]}\nskip_orders_older_than: 60\npending_period: 9"
    )
    return project


def queue(project):
    """Which account has which order waiting."""
    with sqlite3.connect(project.state) as database:
        rows = database.execute(
            "SELECT order_id, interface_id FROM invitation JOIN account ON account.id = account_id"
            " WHERE status = 'pending'"
        ).fetchall()
    database.close()
    return dict(rows)


def change(shop, ids, chance, count):
    """Let so many orders take a step of their life, whichever is possible."""
    for order_id in chance.choices(ids, k=count):
        step = chance.choice([shop.invoice, shop.ship, shop.refund, shop.cancel, shop.touch])
        try:
            step(order_id)
        except RequestRejected:
            continue


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "size"), SIZES)
def test_ten_runs_come_to_the_queue_of_one(tmp_path, monkeypatch, seed, size):
    """Over ten runs with changes between and during them the queue is that of the final orders in one go.

    What a run asks the shop follows what changed, not what there is.
    """
    for key, password in PASSWORDS.items():
        monkeypatch.setenv(f"PASSWORD_{key}", password)
    monkeypatch.delenv("CI", raising=False)
    chance, world = random.Random(seed), World(order_count=size, seed=seed)
    shop = shop_of(world)
    monkeypatch.setenv("MAGENTO_TOKEN", shop.integrate(READ_ONLY).token)
    ids = [order["entity_id"] for order in world.orders()]
    with SandboxServer(world, extra_routes=routes(shop)) as server:
        project = make(tmp_path / "many", server)
        served = []
        for number in range(RUNS):
            before = shop.log.orders_served()
            shop.mutations.seed(seed + number, each=2)
            assert project.cli("apply", "--auto-approve", "--accept-clock", "--no-send", "-q") == 0
            served.append(shop.log.orders_served() - before)
            change(shop, ids, chance, size // 50)
            shop.clock.advance(15 * 60)
        shop.mutations.clear()
        assert project.cli("apply", "--auto-approve", "--accept-clock", "--no-send", "-q") == 0
        at_once = make(tmp_path / "one", server)
        assert at_once.cli("apply", "--auto-approve", "--accept-clock", "--no-send", "-q") == 0
    assert queue(project) == queue(at_once)
    assert max(served[2:]) < size / 4
