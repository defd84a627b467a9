"""The self-test of a Magento shop, against the sandbox's."""

import pytest
from doctor_support import Clinic
from project_support import PASSWORDS, Project, order, settings

from ekomi_reconcile.sandbox.magento import Shop, routes
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.shopfront import READ_ONLY

STORES = {1: "de", 2: "fr"}
GROUPS = {0: "NOT LOGGED IN", 1: "General", 4: "VIP"}


@pytest.fixture
def shop():
    """A shop with a few orders in the German store view."""
    given = [
        {
            key: value
            for key, value in order(number, store_id=1, customer_group_id=4).items()
            if key not in ("store_code", "customer_group")
        }
        for number in range(1, 6)
    ]
    made = Shop.from_orders(given, stores=STORES, groups=GROUPS, categories={})
    made.settings.bearer = BearerTokens.ACCEPTED
    return made


@pytest.fixture
def clinic(shop, tmp_path, monkeypatch, capsys):
    """A project that reads its orders from that shop; ``allow`` gives its login other permissions."""
    for key, password in PASSWORDS.items():
        monkeypatch.setenv(f"PASSWORD_{key}", password)
    monkeypatch.setenv("MAGENTO_TOKEN", shop.integrate(READ_ONLY).token)
    with SandboxServer(extra_routes=routes(shop)) as server:
        project = Project(tmp_path)
        source = f"orders: {{magento: {{base_url: '{server.url}', token: '${{env:MAGENTO_TOKEN}}'}}}}"
        project.settings(settings(server.url).replace("orders: {file: orders.jsonl}", source))
        project.account("Germany", "28374", "pending_period: 7\nstore_views: [de]")
        yield Clinic(project, capsys)


def test_a_shop_that_answers(clinic):
    """Reachable, countable, on time, with the permissions that the rules need."""
    found = clinic.examine()
    for check in ("order-source", "shop-clock", "unreadable-orders", "store-views", "project-secrets"):
        assert [each["status"] for each in found[check]] == ["pass"], found[check]
    assert "5 order(s)" in found["order-source"][0]["message"]


def test_offline_leaves_the_shop_alone(clinic, monkeypatch):
    """Offline nothing is said about a shop, not even that it cannot be reached."""
    found = clinic.examine("--offline")
    assert not {"order-source", "store-views", "shop-clock", "age-limit"} & set(found)


def test_a_shop_that_refuses_the_login(clinic, monkeypatch):
    """A wrong token fails, and is not shown."""
    monkeypatch.setenv("MAGENTO_TOKEN", "canary-token")
    found = clinic.examine()
    assert [each["status"] for each in found["order-source"]] == ["fail"]
    assert "canary" not in str(found)


def test_a_login_that_may_not_read_orders(clinic, shop, monkeypatch):
    """Without the permission to read orders nothing works, and the permission is named."""
    monkeypatch.setenv("MAGENTO_TOKEN", shop.integrate(("Magento_Backend::store",)).token)
    found = clinic.examine()
    assert found["order-source"][0]["status"] == "fail"
    assert "warn" in {each["status"] for each in found["shop-permissions"]}


def test_a_shop_that_is_not_there(clinic):
    """An address where nobody listens fails, and the checks that need the shop say so."""
    text = (clinic.project.folder / "ekomi-reconcile.yaml").read_text()
    begin = text.index("base_url: '") + len("base_url: '")
    clinic.project.settings(text[:begin] + "http://127.0.0.1:9" + text[text.index("'", begin) :])
    found = clinic.examine()
    assert found["order-source"][0]["status"] == "fail"
    for check in ("age-limit", "store-views", "order-statuses"):
        assert found[check][0]["status"] == "warn"
        assert "cannot be reached" in found[check][0]["message"]


@pytest.mark.parametrize(
    ("check", "rule", "status"),
    [
        ("store-views", "store_views: [ded]", "fail"),
        ("customer-groups", "customer_groups: [Vip]", "fail"),
        ("order-statuses", "order_statuses: [compleat]", "fail"),
        ("store-views", "store_views: [fr]", "pass"),
        ("customer-groups", "customer_groups: [General]", "pass"),
        ("order-statuses", "order_statuses: [processing]", "pass"),
    ],
)
def test_names_that_the_shop_does_not_have(clinic, check, rule, status):
    """What the shop does not list is a failure with the name that was meant; what it lists is fine."""
    clinic.project.account("Germany", "28374", f"pending_period: 7\n{rule}")
    (told,) = clinic.examine()[check]
    assert told["status"] == status
    assert ("did you mean" in (told["mend"] or "")) is (status == "fail")


def test_store_views_of_the_shop_that_nobody_serves(clinic):
    """A store view that the shop has and no rule admits is noticed before its first order."""
    (told,) = clinic.examine()["unserved-store-views"]
    assert told["status"] == "warn"
    assert "fr" in told["message"]


def test_nothing_is_left_behind(clinic):
    """Looking at a shop's orders leaves no progress of a first load behind."""
    clinic.examine()
    assert not (clinic.project.folder / ".ekomi-reconcile").exists()
