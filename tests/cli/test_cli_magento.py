"""The loop over a Magento shop, over real sockets: from its REST interface to the outbox."""

import json
import shutil

import pytest
from project_support import PASSWORDS, Project

from ekomi_reconcile.orders.magento.segments import LAG
from ekomi_reconcile.sandbox.answers import READ_ONLY, shop_of
from ekomi_reconcile.sandbox.magento.render import FaultKind, OrderDamage
from ekomi_reconcile.sandbox.magento.routes import routes
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.sandbox.world import World


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A project on a sandbox that serves eKomi and a Magento shop with 120 orders; and the shop."""
    for key, password in PASSWORDS.items():
        monkeypatch.setenv(f"PASSWORD_{key}", password)
    monkeypatch.delenv("CI", raising=False)
    world = World(order_count=120)
    shop = shop_of(world)
    with SandboxServer(world, extra_routes=routes(shop)) as server:
        project = Project(tmp_path)
        (tmp_path / "accounts.d").mkdir()
        login(monkeypatch, shop, READ_ONLY)
        project.settings(settings(server))
        yield project, shop, server


def login(monkeypatch, shop, resources):
    """Use a token with these permissions."""
    monkeypatch.setenv("MAGENTO_TOKEN", shop.integrate(resources).token)


def settings(server, more="", privacy=""):
    """A project file for this server."""
    return (
        "version: 1\n"
        f"orders: {{magento: {{base_url: '{server.url}', token: '${{env:MAGENTO_TOKEN}}'{more}}}}}\n"
        f"ekomi: {{api_url: {server.api_url}, srr_url: {server.srr_url}, requests_per_second: 100000}}\n"
        f"{privacy}"
    )


def outbox(server):
    """Who was asked, and how often."""
    return {entry.transaction_id: entry.requests for entry in server.world.outbox.entries()}


def germany(project):
    """One account for two store views and known groups."""
    return project.account(
        "Germany",
        "28374",
        "pending_period: 0\nskip_orders_older_than: 60\nstore_views: [de, at]\n"
        "customer_groups: {exclude: [NOT LOGGED IN]}",
    )


def test_a_shop_is_read_and_asked_once(served, capsys):
    """With the three read permissions alone every eligible order is asked, once; then nothing is new."""
    project, _, server = served
    germany(project)
    assert project.cli("plan", "--format", "json") == 0
    planned = {each["order"] for each in json.loads(capsys.readouterr().out)["invitations"]["schedule"]}
    assert planned
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(server) == dict.fromkeys(planned, 1)
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(server) == dict.fromkeys(planned, 1)
    assert project.cli("plan", "--detailed-exitcode") == 0


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("before", "created_by", "privacy"),
    [
        (["plan"], ["apply", "--auto-approve", "--no-send"], ""),
        (["plan", "--out", "p.json"], ["apply", "p.json", "--no-send"], ""),
        (["apply"], ["apply", "--auto-approve", "--no-send"], ""),
        (["plan"], ["state", "init"], ""),
        (["plan"], ["apply", "--auto-approve", "--no-send"], "privacy: {key: '${env:DIGEST_KEY}'}\n"),
    ],
    ids=["plan", "saved plan", "declined apply", "state init", "configured key"],
)
def test_a_shop_is_read_once_before_the_first_apply(served, monkeypatch, before, created_by, privacy):
    """Orders read before there was a state are not read again; the state takes over the key."""
    project, shop, server = served
    monkeypatch.setenv("DIGEST_KEY", "an example of a key")
    project.settings(settings(server, privacy=privacy))
    germany(project)
    project.cli(*before)
    assert shop.log.orders_served() > 100
    key = project.folder / ".ekomi-reconcile" / "cache" / "plan.key"
    first = key.read_bytes() if key.exists() else None
    shop.log.clear()
    assert project.cli(*created_by) == 0
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    assert shop.log.orders_served() == 0
    beside = project.state.with_name("state.db.key")
    assert (first is None) == bool(privacy)
    assert first is None or bytes.fromhex(beside.read_text()) == first
    assert not key.exists()


def test_broken_orders_are_remembered_when_rules_change(served):
    """An order that the shop cannot give is looked for once: with other rules it is only asked for again."""
    project, shop, server = served
    germany(project)
    broken = [each["entity_id"] for each in server.world.orders()][30:90:20]
    for order_id in broken:
        shop.damage(order_id, OrderDamage.PAYMENT_INFO_UNREADABLE)
    assert project.cli("apply", "--auto-approve", "--no-send") == 1
    shop.log.clear()
    project.account("Germany", "28374", "pending_period: 3\nskip_orders_older_than: 60\nstore_views: [de]")
    assert project.cli("plan") == 1
    failed = [each for each in shop.log.entries if each.status >= 500]
    assert len(failed) == 1 + len(broken)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("flaw", ["readable by others", "a link", "too short"])
def test_a_key_that_others_may_know_is_not_taken_over(served, flaw):
    """What somebody else could read or write is no key of a state."""
    project, _, _ = served
    germany(project)
    key = project.folder / ".ekomi-reconcile" / "cache" / "plan.key"
    key.parent.mkdir(parents=True)
    key.write_bytes(b"k" * (31 if flaw == "too short" else 32))
    key.chmod(0o644 if flaw == "readable by others" else 0o600)
    if flaw == "a link":
        key.symlink_to(key.rename(project.folder / "elsewhere"))
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    assert b"k" * 31 not in bytes.fromhex(project.state.with_name("state.db.key").read_text())


def test_a_refund_between_scheduling_and_sending_is_noticed(served, capsys):
    """The second look reads the order again: refunded is cancelled with the reason, nobody is asked."""
    project, shop, server = served
    germany(project)
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    capsys.readouterr()
    assert project.cli("invitations", "list", "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    shop.save(rows[0]["order_id"], state="closed", status="closed")
    assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    assert project.cli("invitations", "list", "--status", "cancelled", "--format", "json") == 0
    (cancelled,) = json.loads(capsys.readouterr().out)
    assert cancelled["order"] == rows[0]["order"]
    assert "closed" in cancelled["reason"]
    assert rows[0]["order"] not in outbox(server)
    assert len(outbox(server)) == len(rows) - 1


def test_names_that_the_shop_does_not_have_are_errors_of_the_plan(served, capsys):
    """A store view and a group that do not exist: did you mean; `validate` is silent."""
    project, _, _ = served
    project.account("Germany", "28374", "store_views: [dee]\ncustomer_groups: [Wholesaler]")
    assert project.cli("validate") == 0
    capsys.readouterr()
    assert project.cli("plan") == 1
    shown = capsys.readouterr().out
    assert 'the shop has no store view "dee"' in shown
    assert 'did you mean "de"?' in shown
    assert 'did you mean "Wholesale"?' in shown


@pytest.mark.parametrize(
    ("status", "told"), [("compleat", True), ("picked_up", False), ("processing", False)]
)
def test_a_slip_in_a_status_is_a_warning(served, capsys, status, told):
    """A status that looks like a known one is told; one that nobody has met yet may well exist."""
    project, _, _ = served
    project.account("Germany", "28374", f"order_statuses: [{status}]")
    assert project.cli("plan") == 0
    shown = capsys.readouterr().out
    assert ("unknown-order-status" in shown) is told
    assert ('did you mean "complete"?' in shown) is told


@pytest.mark.parametrize("missing", READ_ONLY)
def test_each_missing_permission_is_named(served, monkeypatch, capsys, missing):
    """A login without one of the three permissions: the resource is named, and nobody is asked."""
    project, shop, server = served
    germany(project)
    login(monkeypatch, shop, set(READ_ONLY) - {missing})
    assert project.cli("apply", "--auto-approve") == 1
    assert missing in capsys.readouterr().out
    assert outbox(server) == {}


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("annotate", "failing"), [(True, False), (False, False), (True, True)])
def test_a_remark_on_the_order_only_if_it_is_wanted(served, monkeypatch, annotate, failing):
    """`annotate: true` writes one remark per order asked, also where the shop fails after it stored one."""
    project, shop, server = served
    germany(project)
    if failing:
        shop.faults.add(FaultKind.INTERNAL_AFTER, path="/comments", times=1)
    login(monkeypatch, shop, {*READ_ONLY, "Magento_Sales::comment"})
    project.settings(settings(server, ", annotate: true" if annotate else ""))
    assert project.cli("apply", "--auto-approve") == 0
    asked = outbox(server)
    remarks = [
        each["comment"]
        for order in server.world.orders()
        for each in shop.order(order["entity_id"])["status_histories"]
        if "eKomi" in (each.get("comment") or "")
    ]
    assert len(remarks) == (len(asked) if annotate else 0)


def test_a_remark_that_cannot_be_written_does_not_undo_the_request(served, capsys):
    """Without the permission for remarks the customers are asked all the same; it is told, exit 1."""
    project, _, server = served
    germany(project)
    project.settings(settings(server, ", annotate: true"))
    assert project.cli("apply", "--auto-approve") == 1
    told = capsys.readouterr().out
    assert told.count("failed: order source default: comments on ") == 1
    assert told.count("Magento_Sales::comment") == 1
    assert set(outbox(server).values()) == {1}


def test_recent_orders_are_read_again_on_request(served):
    """--reconcile-window notices what does not move updated_at: a history entry written behind its back."""
    project, shop, _ = served
    germany(project)
    assert project.cli("apply", "--auto-approve") == 0
    before = shop.log.orders_served()
    assert project.cli("apply", "--auto-approve") == 0
    quiet = shop.log.orders_served() - before
    assert project.cli("apply", "--auto-approve", "--reconcile-window", "60d") == 0
    assert shop.log.orders_served() - before - quiet > quiet + 50


def planned(capsys):
    """What the JSON plan just shown would schedule, and when."""
    steps = json.loads(capsys.readouterr().out)["invitations"]["schedule"]
    return {each["order"]: each["scheduled_at"] for each in steps}


def test_an_interrupted_first_load_goes_on_where_it_was(served, capsys):
    """A plan that a failing shop ends half-way is gone on with: the rest is read, and nobody is forgotten."""
    project, shop, _ = served
    germany(project)
    assert project.cli("plan", "--format", "json") == 0
    whole = planned(capsys)
    needed = shop.log.orders_served()
    for path in (project.folder / ".ekomi-reconcile").rglob("*"):
        if path.is_file():
            path.unlink()
    shop.faults.add(FaultKind.REDIRECT, path="/V1/orders", skip=3, location="https://example.com/")
    assert project.cli("plan") == 1
    assert "not complete" in capsys.readouterr().out
    shop.faults.clear()
    read = shop.log.orders_served()
    assert project.cli("plan", "--format", "json") == 0
    assert planned(capsys) == whole
    assert shop.log.orders_served() - read < needed
    kept = b"".join(path.read_bytes() for path in project.folder.rglob("*") if path.is_file())
    assert b"@example.com" not in kept.replace(b"withheld@example.com", b"")


ALL = (*READ_ONLY, "Magento_Sales::shipment", "Magento_Sales::sales_invoice", "Magento_Catalog::products")
NEEDED = {
    "Magento_Catalog::products": (
        "store_views: [fr]\nconditions: {any_item: {category_id: {in: [12, 14, 16, 18, 20, 22]}}}"
    ),
    "Magento_Customer::group": "store_views: [fr]\ncustomer_groups: {exclude: [NOT LOGGED IN]}",
}
"""Rules that cannot be judged without a permission."""

EXCLUDING = "store_views: [fr]\nproducts: {ask: true, exclude: {category_id: {in: [12]}}}"
"""A rule whose invitations cannot be made without reading the catalogue."""


def both(project, more):
    """An account that needs nothing but store views, and one that needs the permission."""
    rule = "pending_period: 0\nskip_orders_older_than: 60\n"
    project.account("Germany", "28374", f"{rule}store_views: [de, at]")
    project.account("France", "28375", rule + more)


@pytest.mark.sampled(3)
@pytest.mark.parametrize(("lacking", "rule"), [*NEEDED.items(), ("Magento_Catalog::products", EXCLUDING)])
def test_a_missing_permission_stops_only_the_accounts_that_need_it(
    served, capsys, monkeypatch, lacking, rule
):
    """The other account is planned and sent as if nothing were missing; exit 1; later everybody goes on."""
    project, shop, server = served
    both(project, rule)
    login(monkeypatch, shop, ALL)
    assert project.cli("plan", "--format", "json") == 0
    wanted = json.loads(capsys.readouterr().out)["invitations"]["send"]
    names = ("Germany", "France")
    of = {name: {each["order"] for each in wanted if each["account"] == name} for name in names}
    assert all(of.values())
    shutil.rmtree(project.folder / ".ekomi-reconcile")
    login(monkeypatch, shop, tuple(each for each in ALL if each != lacking))
    assert project.cli("plan", "--format", "json") == 1
    made = json.loads(capsys.readouterr().out)
    assert {each["order"] for each in made["invitations"]["send"]} == of["Germany"]
    (said,) = [each for each in made["diagnostics"] if each["rule"] == "permission-missing"]
    assert (said["severity"], said["account"]) == ("error", "France")
    assert lacking in said["summary"]
    assert {each["interface_id"] for each in made["positions"]} == {"28374"}
    for _ in range(2):
        assert project.cli("apply", "--auto-approve") == 1
        assert outbox(server) == dict.fromkeys(of["Germany"], 1)
    login(monkeypatch, shop, ALL)
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(server) == dict.fromkeys(of["Germany"] | of["France"], 1)


def test_an_order_that_a_stopped_account_may_win_is_left_to_it(served, capsys, monkeypatch):
    """Whether the stopped account would win is not known: one that it outranks does not take the order."""
    project, shop, _ = served
    lacking = "Magento_Catalog::products"
    rule = "pending_period: 0\nskip_orders_older_than: 60\n"
    project.account("France", "28375", rule + NEEDED[lacking], more="priority: 5")
    project.account("Germany", "28374", f"{rule}store_views: [de, at, fr]")
    login(monkeypatch, shop, tuple(each for each in ALL if each != lacking))
    assert project.cli("apply", "--auto-approve") == 1
    capsys.readouterr()
    assert project.cli("invitations", "list", "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {each["account"] for each in rows} == {"Germany"}
    assert "fr" not in {each["store_view"] for each in rows}
    assert project.cli("plan") == 1


@pytest.mark.sampled(3)
@pytest.mark.parametrize("ahead", [-2 * 3600, 365 * 86_400])
def test_a_wrong_clock_is_noticed_by_the_date_of_the_shop(served, capsys, ahead):
    """Before any order is judged or sent: exit 1, the queue and eKomi's outbox stay empty."""
    project, shop, server = served
    germany(project)
    shop.clock.advance(-ahead)
    for command in (["plan"], ["apply", "--auto-approve"]):
        assert project.cli(*command) == 1
        told = capsys.readouterr()
        assert "the clock is" in told.out + told.err
    assert outbox(server) == {}
    shop.clock.release()
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(server)


def test_a_hold_in_the_shop_waits_until_it_is_lifted(served, capsys):
    """A due order on hold counts as waiting in every plan; lifted, it is sent by the next run."""
    project, shop, server = served
    project.account(
        "Germany", "28374", "pending_period: 0\nskip_orders_older_than: 60\norder_statuses: [processing]"
    )
    assert project.cli("apply", "--auto-approve", "--no-send") == 0
    capsys.readouterr()
    assert project.cli("invitations", "list", "--format", "json") == 0
    rows = json.loads(capsys.readouterr().out)
    held = next(row for row in rows if shop.order(row["order_id"])["state"] == "processing")
    shop.hold(held["order_id"])
    shop.clock.advance(LAG + 1)
    for _ in range(2):
        assert project.cli("apply", "--auto-approve") == 0
    capsys.readouterr()
    assert project.cli("plan", "--format", "json") == 0
    assert json.loads(capsys.readouterr().out)["summary"]["waiting"] == 1
    assert held["order"] not in outbox(server)
    shop.unhold(held["order_id"])
    shop.clock.advance(LAG + 1)
    assert project.cli("apply", "--auto-approve") == 0
    assert outbox(server)[held["order"]] == 1
