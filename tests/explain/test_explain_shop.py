"""Explaining orders of a Magento shop, against the sandbox's."""

import json

import pytest
from project_support import Project, order, settings

from ekomi_reconcile.sandbox.answers import READ_ONLY
from ekomi_reconcile.sandbox.magento.routes import routes
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.server import SandboxServer


@pytest.mark.parametrize("which", ["100000002", "#2"])
def test_an_order_of_a_shop(tmp_path, monkeypatch, capsys, which):
    """An order is found by number and by id, with the names that the shop gives its store view and group."""
    given = order(2, store_id=1, customer_group_id=4)
    del given["store_code"], given["customer_group"]
    shop = SimulatedShop.from_orders([given], stores={1: "de"}, groups={4: "VIP"}, categories={})
    shop.settings.bearer = BearerTokens.ACCEPTED
    monkeypatch.setenv("MAGENTO_TOKEN", shop.integrate(READ_ONLY).token)
    with SandboxServer(extra_routes=routes(shop)) as server:
        project = Project(tmp_path)
        source = f"orders: {{magento: {{base_url: '{server.url}', token: '${{env:MAGENTO_TOKEN}}'}}}}"
        project.settings(settings(server.url).replace("orders: {file: orders.jsonl}", source))
        project.account("Germany", "28374", "pending_period: 7\nstore_views: [de]\ncustomer_groups: [VIP]")
        assert project.cli("explain", which, "--format", "json") == 0
        found = json.loads(capsys.readouterr().out)
        assert found["order_id"] == 2
        assert [(each["account"], each["eligible"]) for each in found["accounts"]] == [("Germany", True)]
        assert project.cli("explain", "4711") == 1
