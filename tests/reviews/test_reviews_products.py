"""Asking about products: which ones, what they are called at eKomi, and what comes back."""

import hashlib
import json
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from project_support import order, settings

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.order import Item, Order
from ekomi_reconcile.model.rule import ProductIdentifier, ProductRule
from ekomi_reconcile.rules.order_fields import products_of
from ekomi_reconcile.sandbox.answers import READ_ONLY
from ekomi_reconcile.sandbox.magento.routes import routes
from ekomi_reconcile.sandbox.magento.settings import BearerTokens
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.shops import CUSTOMER_GROUPS, Fault, SandboxReview
from ekomi_reconcile.sandbox.world import RequestCounts

sys.path.append(str(Path(__file__).parent.parent / "docs"))

from docs_blocks import DOCS, blocks
from docs_commands import commands

GERMANY = "28374"
RULE = "pending_period: 0\nskip_orders_older_than: 0\nstore_views: [de]\n"


def item(number, price, **more):
    """A row of an order."""
    return {
        "item_id": number,
        "product_id": number,
        "sku": f"BK-{number}",
        "name": f"Bike {number}",
        "qty_ordered": 1,
        "price": price,
        **more,
    }


def asked(project, products, *orders, code=0, **more):
    """What arrived at eKomi after an apply with this ``products`` key."""
    project.account("Germany", GERMANY, f"{RULE}products: {products}", **more)
    project.orders(orders)
    assert project.cli("apply", "--auto-approve") == code


def entry(sandbox):
    """The only request at eKomi."""
    (found,) = sandbox.world.outbox.entries()
    return found


def digest(identifier):
    """What eKomi takes for an identifier with other characters, worked out here again."""
    return hashlib.sha256(identifier.encode()).hexdigest()[:32]


def one_at_a_time(project):
    """No two calls at the same time."""
    text = (project.folder / "ekomi-reconcile.yaml").read_text()
    project.settings(text.replace("timeout", "parallelism: 1, timeout"))


BASKET = [item(7, 20.0), item(8, 90.5), item(9, 90.5), item(10, 5, sku="GIFT-1")]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("products", "expected"),
    [
        ("{ask: true}", {"8": "Bike 8", "9": "Bike 9", "7": "Bike 7", "10": "Bike 10"}),
        ("{ask: true, max: 1}", {"8": "Bike 8"}),
        ("{ask: true, max: 3}", {"8": "Bike 8", "9": "Bike 9", "7": "Bike 7"}),
        (
            "{ask: true, exclude: {sku: {starts_with: gift-}}, max: 9}",
            {"8": "Bike 8", "9": "Bike 9", "7": "Bike 7"},
        ),
        (
            "{ask: true, identifier: sku, exclude: {price: {lt: 90}}}",
            {digest("BK-8"): "Bike 8", digest("BK-9"): "Bike 9"},
        ),
    ],
)
def test_products_of_an_invitation(project, sandbox, products, expected):
    """The most expensive come first, excluded ones are left out, and eKomi takes each id."""
    sandbox.world.switch(odd_product_ids="refused")
    asked(project, products, order(1, items=BASKET))
    fields = entry(sandbox).fields
    assert fields["has_products"] == "1"
    assert json.loads(fields["products_info"]) == expected
    assert list(json.loads(fields["products_info"])) == list(expected)
    assert json.loads(fields["products_other"]) == {key: {"product_other": {}} for key in expected}


@pytest.mark.parametrize("products", ["{ask: false}", "{max: 3}", "{ask: true, exclude: {price: {gte: 0}}}"])
def test_no_products(project, sandbox, products):
    """Without products the request is as it was before there were any."""
    asked(project, products, order(1, items=BASKET))
    assert {key for key in entry(sandbox).fields if "product" in key} == {"has_products"}
    assert entry(sandbox).fields["has_products"] == "0"


def test_configurable_products(project, sandbox):
    """A configurable product counts once: by id it is the parent, by SKU the variant."""
    rows = [
        {**item(18, 89.0, sku="JK-S-NAVY", name="Canvas Jacket"), "product_type": "configurable"},
        {**item(12, 0, sku="JK-S-NAVY", name="Canvas Jacket S"), "parent_item_id": 18},
    ]
    asked(project, "{ask: true}", order(1, items=rows))
    assert json.loads(entry(sandbox).fields["products_info"]) == {"18": "Canvas Jacket"}
    sandbox.world.outbox.clear()
    asked(project, "{ask: true, identifier: sku}", order(2, items=rows))
    assert json.loads(entry(sandbox).fields["products_info"]) == {digest("JK-S-NAVY"): "Canvas Jacket"}


def test_links(project, sandbox):
    """With ``deliver: link`` each product is registered once, and the order names its products."""
    one_at_a_time(project)
    more = "{ask: true, identifier: sku}\ndeliver: link"
    asked(project, more, order(1, items=BASKET[:2]), order(2, items=BASKET[:1]))
    shop = sandbox.world.shops[GERMANY]
    assert shop.orders["100000001"].product_ids == [digest("BK-8"), digest("BK-7")]
    assert shop.orders["100000002"].product_ids == [digest("BK-7")]
    assert shop.products[digest("BK-7")].name == "Bike 7"
    assert sandbox.world.requests.of("putProduct", GERMANY) == 2


@pytest.mark.parametrize("deliver", ["ekomi-email", "link"])
def test_a_tariff_without_product_reviews(project, sandbox, capsys, deliver):
    """Invitations are sent without products, nothing fails, and it is reported once per account."""
    sandbox.world.shops[GERMANY].has_product_feedback = False
    asked(project, f"{{ask: true}}\ndeliver: {deliver}", *(order(each, items=BASKET) for each in range(1, 8)))
    told = capsys.readouterr().out
    assert told.count("eKomi refused the products of order") == 1
    assert "not included in your package" in told
    entries = sandbox.world.outbox.entries()
    assert len(entries) == 7
    assert not any("product_ids" in each.fields or "products_info" in each.fields for each in entries)
    assert "7 sent" in told


def test_other_refusals_stay_refusals(project, sandbox, capsys):
    """A quota that is used up is no reason to ask again without products."""
    sandbox.world.fault(Fault(match="add-recipient", kind="quota"))
    asked(project, "{ask: true}", order(1, items=BASKET), code=1)
    assert sandbox.world.requests.of("add-recipient", GERMANY) == 1
    assert "eKomi refused the products" not in capsys.readouterr().out


def test_refused_data_of_one_order(project, sandbox, capsys):
    """A refusal of one order's products alone leaves the products of the others."""
    body = '{"status": "error", "message": "The products_info contains an invalid product id."}'
    sandbox.world.fault(Fault(match="add-recipient", kind="wrong_json", body=body, count=1))
    one_at_a_time(project)
    asked(project, "{ask: true}", order(1, items=BASKET), order(2, items=BASKET))
    found = sorted(each.fields["has_products"] for each in sandbox.world.outbox.entries())
    assert found == ["0", "1"]
    assert capsys.readouterr().out.count("eKomi refused the products of order") == 1


def test_a_collision_is_an_error(project, sandbox, capsys):
    """A product whose id at eKomi stands for another one is not asked about, and the invitation waits."""
    taken = digest("BK-7")
    rows = [item(7, 5), item(8, 3, sku=taken)]
    asked(project, "{ask: true, identifier: sku}", order(1, items=rows), order(2, items=BASKET[1:2]), code=1)
    told = capsys.readouterr().out
    assert f"have the same id at eKomi ({taken})" in told
    assert "invitations.products.exclude" in told
    assert [each.transaction_id for each in sandbox.world.outbox.entries()] == ["100000002"]
    asked(
        project,
        f"{{ask: true, identifier: sku, exclude: {{sku: {{eq: {taken}}}}}}}",
        order(1, items=rows),
        order(2, items=BASKET[1:2]),
    )
    assert len(sandbox.world.outbox.entries()) == 2


def test_products_are_no_rule_change(project, sandbox, capsys):
    """Pending invitations stay as they are, and nothing is judged again."""
    project.account("Germany", GERMANY, RULE.replace("pending_period: 0", "pending_period: 9"))
    project.orders([order(1, items=BASKET)])
    assert project.cli("apply", "--auto-approve") == 0
    project.account(
        "Germany", GERMANY, RULE.replace("pending_period: 0", "pending_period: 9") + "products: {ask: true}"
    )
    capsys.readouterr()
    assert project.cli("plan", "--format", "json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["summary"]["change"] == 1
    assert {plan["summary"][key] for key in ("schedule", "reschedule", "cancel")} == {0}


def test_reviews_carry_the_shops_identifier(project, sandbox, capsys):
    """What comes back is shown, found and exported by the shop's own identifier, with the product's name."""
    asked(project, "{ask: true, identifier: sku, max: 1}", order(1, items=BASKET))
    sandbox.world.shops[GERMANY].product_reviews = [
        SandboxReview(
            submitted=instant.now() - 60,
            order_id="100000001",
            rating=5,
            product_id=digest("BK-8"),
            review="Nice",
        ),
        SandboxReview(submitted=instant.now() - 90, order_id="5", rating=2, product_id="P1", review="Old"),
    ]
    sandbox.world.shops[GERMANY].reviews = []
    assert project.cli("reviews", "import", "--full") == 0
    capsys.readouterr()
    assert project.cli("reviews", "list", "--format", "json") == 0
    new, old = json.loads(capsys.readouterr().out)
    assert (old["product_id"], old["product"], old["product_name"]) == ("P1", None, None)
    assert (new["product_id"], new["product"], new["product_name"]) == (digest("BK-8"), "BK-8", "Bike 8")
    for named in ("BK-8", digest("BK-8")):
        assert project.cli("reviews", "list", "--product", named, "--format", "json") == 0
        assert [each["text"] for each in json.loads(capsys.readouterr().out)] == ["Nice"]
        assert project.cli("reviews", "stats", "--product", named, "--format", "json") == 0
        assert json.loads(capsys.readouterr().out)[0]["reviews"] == 1
    assert project.cli("reviews", "list") == 0
    assert "BK-8 Bike 8" in capsys.readouterr().out
    assert project.cli("reviews", "export", "--format", "csv") == 0
    assert '"BK-8","Bike 8"' in capsys.readouterr().out
    assert project.cli("report", "--out", str(project.folder / "out")) == 0
    page = (project.folder / "out" / "index.html").read_text(encoding="utf-8")
    assert "<bdi>BK-8</bdi></th><td><bdi>Bike 8</bdi></td>" in page
    assert "<bdi>P1</bdi></th><td><bdi></bdi></td>" in page


NO = '{"status": "error", "message": "%s"}'


@pytest.mark.parametrize(
    ("fault", "before", "recorded"),
    [
        ({"kind": "wrong_json", "body": NO % "The email address is blacklisted."}, [], ["9"]),
        ({"kind": "quota"}, [], ["9"]),
        ({"kind": "wrong_json", "body": NO % "The products_info contains an invalid product id."}, [], ["9"]),
        ({"kind": "html", "status": 502}, [], ["8", "9"]),
        ({"kind": "quota"}, [order(3, items=[item(8, 5)])], ["8", "9"]),
    ],
    ids=["recipient refused", "account refused", "products refused", "outcome unknown", "known before"],
)
def test_products_of_a_refused_request_are_not_recorded(project, sandbox, capsys, fault, before, recorded):
    """Nobody is invited to review them, unless it was done before, or the outcome is not known."""
    one_at_a_time(project)
    asked(project, "{ask: true}", *before)
    sandbox.world.fault(Fault(match="add-recipient", count=1, **fault))
    project.orders([*before, order(1, items=[item(8, 5)]), order(2, items=[item(9, 5)])])
    project.cli("apply", "--auto-approve")
    assert len(sandbox.world.outbox.entries()) >= 1
    capsys.readouterr()
    assert project.cli("state", "pull") == 0
    assert [each["identifier"] for each in json.loads(capsys.readouterr().out)["products"]] == recorded


def test_only_invited_products_are_recorded(project, sandbox, capsys):
    """The state names the products of invitations that were sent, and no other."""
    asked(project, "{ask: true, max: 1}", order(1, items=BASKET))
    capsys.readouterr()
    assert project.cli("state", "pull") == 0
    products = json.loads(capsys.readouterr().out)["products"]
    assert [(each["product_id"], each["identifier"], each["name"]) for each in products] == [
        ("8", "8", "Bike 8")
    ]


@pytest.mark.parametrize("granted", [True, False])
def test_pages_and_pictures_of_a_shop(project, monkeypatch, capsys, granted):
    """Name, page and picture come from the shop where products may be read; else from the order."""
    rows = [{**row, "product_type": "simple"} for row in BASKET[:2]]
    magento_order = order(1, items=rows, store_id=1, customer_group_id=1)
    shop = SimulatedShop.from_orders([magento_order], stores={1: "de"}, groups=CUSTOMER_GROUPS)
    shop.settings.bearer = BearerTokens.ACCEPTED
    for product in shop.catalog.products:
        product["name"] = f"Fahrrad {product['id']}"
    permissions = [*READ_ONLY, *(["Magento_Catalog::products"] if granted else [])]
    monkeypatch.setenv("TOKEN", shop.integrate(permissions).token)
    with SandboxServer(extra_routes=routes(shop)) as server:
        text = settings(server.url)
        magento = f'{{magento: {{base_url: "{server.url}", token: "${{env:TOKEN}}"}}}}'
        project.settings(text.replace("{file: orders.jsonl}", magento))
        project.account("Germany", GERMANY, f"{RULE}products: {{ask: true}}")
        assert project.cli("apply", "--auto-approve") == 0
        (found,) = server.world.outbox.entries()
    told = capsys.readouterr().out
    names, more = (json.loads(found.fields[key]) for key in ("products_info", "products_other"))
    assert ("could not be read" in told) is not granted
    if granted:
        assert names == {"8": "Fahrrad 8", "7": "Fahrrad 7"}
        assert more["8"]["product_other"] == {
            "image_url": "https://shop.example.com/catalog/product/p/r/product-8.jpg",
            "links": [
                {
                    "rel": "canonical",
                    "type": "text/html",
                    "href": "https://shop.example.com/catalog/product/view/id/8",
                }
            ],
        }
    else:
        assert names == {"8": "Bike 8", "7": "Bike 7"}
        assert more["8"] == {"product_other": {}}


def test_the_guide_from_the_file_to_the_outbox(project, sandbox, capsys):
    """The file and the commands of the guide do what it says: two products, by their article numbers."""
    page = DOCS / "how-to" / "product-reviews.md"
    (titled,) = [block for block in blocks(page) if block.title]
    (project.folder / titled.title).write_text(
        titled.text.replace("  enabled", "  pending_period: 0\n  enabled")
    )
    rows = [
        item(1, 40.0, sku="BK-100", name="City bike"),
        item(2, 90, sku="GIFT-9"),
        item(3, 10),
        item(4, 20),
    ]
    project.orders([order(123, items=rows)])
    review = SandboxReview(
        submitted=instant.now() - 60,
        order_id="100000123",
        rating=5,
        product_id=digest("BK-100"),
        review="Rides well",
    )
    for block in (each for each in blocks(page) if each.language == "sh"):
        for command in commands(block):
            if command.arguments[:2] == ("reviews", "import"):
                sandbox.world.shops[GERMANY].product_reviews = [review]
            assert project.cli(*command.arguments) == 0
    told = capsys.readouterr().out
    assert f"products: BK-100 City bike (at eKomi: {digest('BK-100')}), BK-4 Bike 4 (at eKomi: " in told
    names = json.loads(entry(sandbox).fields["products_info"])
    assert names == {digest("BK-100"): "City bike", digest("BK-4"): "Bike 4"}
    assert any("BK-100 City bike" in line and "Rides well" in line for line in told.splitlines())
    assert f"Germany ({GERMANY}): 1 review of product BK-100, average 5.00" in told


def test_doctor_warns_of_a_tariff_without_product_reviews(project, sandbox, capsys):
    """An account that asks for product reviews and was refused their import is worth a warning."""
    for status, has in (("pass", True), ("warn", False)):
        sandbox.world.shops[GERMANY].has_product_feedback = has
        asked(project, "{ask: true}")
        assert project.cli("reviews", "import", "--full") == 0
        capsys.readouterr()
        project.cli("doctor", "--offline", "--format", "json")
        found = {each["check"]: each for each in json.loads(capsys.readouterr().out)["checks"]}
        assert (found["product-reviews"]["status"], found["product-reviews"]["account"]) == (
            status,
            "Germany",
        )


def test_items_without_the_identifier_are_reported(project, sandbox, capsys):
    """Nothing is dropped in silence: an order whose items have no id is sent without products, and noted."""
    plain = [order(each, items=[{"item_id": 1, "sku": "A-1", "price": 3}]) for each in (1, 2)]
    asked(project, "{ask: true}", *plain)
    assert capsys.readouterr().out.count("no product_id; such invitations are sent without") == 1
    assert {each.fields["has_products"] for each in sandbox.world.outbox.entries()} == {"0"}


ITEMS = st.lists(
    st.builds(
        Item,
        sku=st.sampled_from([None, "", "A", "A-1", "GIFT-2", "Ä" * 40, "x" * 33]),
        product_id=st.sampled_from([None, 1, 2, 3]),
        name=st.sampled_from([None, "Bike", " "]),
        price=st.sampled_from([None, 0.0, 5.0, 5.0, 90.5]),
    ),
    max_size=6,
)
RULES = st.builds(
    ProductRule,
    ask=st.booleans(),
    max=st.sampled_from([None, 1, 2, 5]),
    identifier=st.sampled_from(ProductIdentifier),
    exclude=st.sampled_from([None, {"sku": {"starts_with": "gift-"}}, {"price": {"lt": 6}}]),
)


@given(items=ITEMS, wanted=RULES)
def test_products_follow_the_design(items, wanted):
    """An independent reading: not excluded, with an identifier, dearest first, each once, at most max."""
    left = list(items)
    if wanted.exclude is not None and "sku" in wanted.exclude:
        left = [each for each in left if not (each.sku or "").lower().startswith("gift-")]
    elif wanted.exclude is not None:
        left = [each for each in left if each.price is None or each.price >= 6]
    expected = []
    while left and wanted.ask:
        dearest = max(left, key=lambda each: each.price or 0)
        left.remove(dearest)
        name = dearest.sku if wanted.identifier is ProductIdentifier.SKU else dearest.product_id
        if name and str(name) not in expected:
            expected.append(str(name))
    found = products_of(Order(order_id=1, number="1", created_at=0, items=tuple(items)), wanted)
    assert [each.identifier for each in found] == expected[: wanted.max or len(expected)]
    for each in found:
        assert each.name.strip()
        assert 1 <= len(each.product_id) <= 32
        assert each.product_id.isascii()
        assert each.product_id.isalnum()
        plain = each.identifier.isascii() and each.identifier.isalnum() and len(each.identifier) <= 32
        assert each.product_id == (each.identifier if plain else digest(each.identifier))


class TimedCounts(RequestCounts):
    """Counts that know when eKomi was called."""

    def __init__(self):
        super().__init__()
        self.times = []

    def add(self, function, shop_id):
        """One more call, now."""
        self.times.append(time.monotonic())
        super().add(function, shop_id)


def test_further_calls_keep_the_pace(project, sandbox):
    """Registering products counts like every other call to eKomi: 10 a second, in every second."""
    sandbox.world.requests = TimedCounts()
    text = (project.folder / "ekomi-reconcile.yaml").read_text()
    project.settings(text.replace("requests_per_second: 100000", "requests_per_second: 10, parallelism: 8"))
    rows = [item(number, number) for number in range(1, 15)]
    asked(project, "{ask: true}\ndeliver: link", order(1, items=rows))
    assert sandbox.world.requests.of("putProduct", GERMANY) == 14
    times = sandbox.world.requests.times
    assert min(later - earlier for earlier, later in zip(times, times[11:], strict=False)) > 0.7
