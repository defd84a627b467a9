"""The self-test of a Magento shop, against the sandbox's."""

import pytest
from doctor_support import Clinic
from project_support import PASSWORDS, Project, order, settings

from ekomi_reconcile.sandbox.answers import READ_ONLY
from ekomi_reconcile.sandbox.magento.render import FaultKind
from ekomi_reconcile.sandbox.magento.routes import routes
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.server import SandboxServer

STORES = {1: "de", 2: "fr"}
EVERYTHING = (
    *READ_ONLY,
    "Magento_Sales::shipment",
    "Magento_Sales::sales_invoice",
    "Magento_Catalog::products",
    "Magento_Sales::comment",
)
"""All permissions that any rule needs, and `annotate`."""
GROUPS = {0: "NOT LOGGED IN", 1: "General", 4: "VIP"}


@pytest.fixture
def shop(request):
    """A shop with a few orders in the German store view, or as many as asked for."""
    given = [
        {
            key: value
            for key, value in order(number, store_id=1, customer_group_id=4).items()
            if key not in ("store_code", "customer_group")
        }
        for number in range(1, getattr(request, "param", 5) + 1)
    ]
    made = SimulatedShop.from_orders(given, stores=STORES, groups=GROUPS, categories={})
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


def test_a_shop_that_refuses_the_login(clinic, shop, monkeypatch):
    """A wrong token fails, and is not shown."""
    monkeypatch.setenv("MAGENTO_TOKEN", "canary-token")
    found = clinic.examine()
    assert [each["status"] for each in found["order-source"]] == ["fail"]
    assert "canary" not in str(found)
    checks = {"shop-permissions", "shop-clock", "unreadable-orders", "store-views", "age-limit"}
    assert not checks & set(found)
    assert len(shop.log.entries) <= 3


RULES = "pending_period: 7\nstore_views: [de]\ncustomer_groups: [VIP]\n"
CATEGORY = "conditions: {any_item: {category_id: {in: [12]}}}"


@pytest.mark.parametrize("shop", [5, 700], indirect=True)
def test_a_healthy_shop_is_asked_a_dozen_times_at_most(clinic, shop, monkeypatch):
    """However many orders there are: the newest 200, every list once, every permission once."""
    clinic.project.account("Germany", "28374", RULES + CATEGORY)
    annotating(clinic)
    monkeypatch.setenv("MAGENTO_TOKEN", shop.integrate(EVERYTHING).token)
    found = clinic.examine()
    assert [each["status"] for each in found["order-source"]] == ["pass"]
    assert f"{len(shop.orders)} order(s)" in found["order-source"][0]["message"]
    assert len(shop.log.entries) <= 12, shop.log.by_route()
    assert shop.log.orders_served() <= 200


@pytest.mark.parametrize("path", ["", "rest"], ids=["all of it", "the API"])
def test_a_shop_in_maintenance_is_asked_three_times_at_most(clinic, shop, path):
    """One attempt, one finding: it is not waited for."""
    shop.faults.add(FaultKind.MAINTENANCE, path=path)
    found = clinic.examine()
    assert [each["status"] for each in found["order-source"]] == ["fail"]
    assert not {"shop-permissions", "unreadable-orders", "store-views"} & set(found)
    assert len(shop.log.entries) <= 3, shop.log.by_route()


def annotating(clinic):
    """Let the project write comments into orders."""
    path = clinic.project.folder / "ekomi-reconcile.yaml"
    path.write_text(path.read_text().replace("token:", "annotate: true, token:"))


@pytest.mark.parametrize(
    ("rule", "lacking", "status", "account"),
    [
        (CATEGORY, "Magento_Catalog::products", "fail", "Germany"),
        ("", "Magento_Catalog::products", None, None),
        ("", "Magento_Sales::comment", "fail", None),
        ("", "Magento_Sales::shipment", "warn", None),
        ("", "Magento_Backend::store", "fail", "Germany"),
        ("", "Magento_Customer::group", "fail", "Germany"),
    ],
)
def test_a_permission_that_is_missing_is_named(clinic, shop, monkeypatch, rule, lacking, status, account):
    """What a rule or `annotate` needs fails, with the account and the permission; the rest is a warning."""
    clinic.project.account("Germany", "28374", RULES + rule)
    annotating(clinic)
    allowed = tuple(each for each in EVERYTHING if each != lacking)
    monkeypatch.setenv("MAGENTO_TOKEN", shop.integrate(allowed).token)
    found = [each for each in clinic.examine()["shop-permissions"] if each["status"] != "pass"]
    assert [(each["status"], each["account"]) for each in found] == ([(status, account)] if status else [])
    assert all(lacking in each["message"] for each in found)


def test_asking_for_the_permission_to_comment_writes_nothing(clinic, shop, monkeypatch):
    """The self-test writes nothing, not even where it asks whether it may."""
    monkeypatch.setenv("MAGENTO_TOKEN", shop.integrate(EVERYTHING).token)
    annotating(clinic)
    before = repr(shop.orders)
    assert {each["status"] for each in clinic.examine()["shop-permissions"]} == {"pass"}
    assert repr(shop.orders) == before


def test_a_login_that_may_not_read_orders(clinic, shop, monkeypatch):
    """Without the permission to read orders nothing works, and the permission is named."""
    monkeypatch.setenv("MAGENTO_TOKEN", shop.integrate(("Magento_Backend::store",)).token)
    found = clinic.examine()
    assert found["order-source"][0]["status"] == "fail"
    assert "warn" in {each["status"] for each in found["shop-permissions"]}


def test_a_shop_that_is_not_there(clinic):
    """An address where nobody listens is one finding."""
    text = (clinic.project.folder / "ekomi-reconcile.yaml").read_text()
    begin = text.index("base_url: '") + len("base_url: '")
    clinic.project.settings(text[:begin] + "http://127.0.0.1:9" + text[text.index("'", begin) :])
    found = clinic.examine()
    assert found["order-source"][0]["status"] == "fail"
    assert not {"age-limit", "store-views", "order-statuses", "shop-permissions"} & set(found)


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
    assert ("did you mean" in (told["hint"] or "")) is (status == "fail")


def test_store_views_of_the_shop_that_nobody_serves(clinic):
    """A store view that the shop has and no rule admits is noticed before its first order."""
    (told,) = clinic.examine()["unserved-store-views"]
    assert told["status"] == "warn"
    assert "fr" in told["message"]


def test_nothing_is_left_behind(clinic):
    """Looking at a shop's orders leaves no progress of a first load behind."""
    clinic.examine()
    assert not (clinic.project.folder / ".ekomi-reconcile").exists()


@pytest.mark.parametrize(
    ("shop", "rule"),
    [
        (5, "conditions: {field: {path: extension_attributes.market, ne: ebay}}"),
        (
            200,
            "pending_period_overrides: [{when: {field: {path: extension_attributes.tier, eq: a}}, days: 9}]",
        ),
    ],
    indirect=["shop"],
)
def test_a_field_that_no_order_has_is_named(clinic, shop, rule):
    """It is a warning where enough orders were read; a few are not enough, and the message shows that."""
    clinic.project.account("Germany", "28374", f"pending_period: 7\nstore_views: [de]\n{rule}")
    (check,) = clinic.examine()["rule-fields"]
    few = len(shop.orders) < 200
    assert check["status"] == ("pass" if few else "warn")
    assert "has extension_attributes." in check["message"]
    assert ("too few" in check["message"]) is few
