"""Order sources of other packages: registered, validated, planned, explained and sent with."""

import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from project_support import PASSWORDS

from ekomi_reconcile.config.order_sources import BUILT_IN, ENTRY_POINTS, load_kind
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import OrderSourceError
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.order import Order, OrderState, id_rank, order_id_of
from ekomi_reconcile.orders.kinds import CheckedSource, checked
from ekomi_reconcile.orders.source import SourceType, Wanted

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "how-to" / "write-an-order-source.md"
EMAIL = "canary.kolb@example.com"
TOKEN = "canary-acme-token"
IDS = [f"7f3e0000-0000-4000-8000-00000000000{each}" for each in range(7)]
STATUSES = ["delivered", "delivered", "on-hold", "refunded", "teleported", "teleported", "placed"]


def blocks(language):
    """The code of this language on the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), flags=re.S)


def order(at, status):
    """An order as the shop answers it."""
    placed = instant.iso(instant.now() - 3 * DAY)
    return {
        "uuid": IDS[at],
        "number": f"A-{at}",
        "status": status,
        "placed": placed,
        "changed": placed,
        "total": 80,
        "email": EMAIL,
        "first": "Kim",
        "last": "Example",
        "lines": [{"sku": "BK-1", "pieces": 1}],
    }


class Shop(BaseHTTPRequestHandler):
    """Answers what the page asks for."""

    orders = ()

    def do_GET(self):
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.send_error(401)
            return
        found = self.orders[int(query.get("after", 0)) :] if address.path == "/changes" else self.orders
        if "ids" in query:
            found = [each for each in found if each["uuid"] in query["ids"].split(",")]
        if "find" in query:
            found = [each for each in found if query["find"] in (each["uuid"], each["number"])]
        body = json.dumps({"orders": found, "last": len(self.orders)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture
def acme(project, sandbox, tmp_path):
    """The package of the page, installed in a folder of its own, and a project that uses it."""
    site = tmp_path.parent / f"{tmp_path.name}-site"
    info = site / "acme_orders-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "acme_orders.py").write_text(blocks("python")[0])
    package = tomllib.loads(blocks("toml")[0])["project"]
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package['name']}\nVersion: 1.0\n")
    points = package["entry-points"][ENTRY_POINTS]
    lines = "".join(f"{name} = {value}\n" for name, value in points.items())
    (info / "entry_points.txt").write_text(f"[{ENTRY_POINTS}]\n{lines}")
    handler = type("Acme", (Shop,), {"orders": [order(at, each) for at, each in enumerate(STATUSES)]})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    settings = (project.folder / "ekomi-reconcile.yaml").read_text()
    source = f'orders: {{acme: {{url: "{url}", token: "${{env:ACME_TOKEN}}"}}}}'
    project.settings(settings.replace("orders: {file: orders.jsonl}", source))
    project.account("Germany", "28374", "order_statuses: [delivered]\npending_period: 0", "tags: [digital]")
    passwords = {f"PASSWORD_{key}": value for key, value in PASSWORDS.items()}
    path = os.pathsep.join(map(str, (site, ROOT)))

    def run(*arguments, code=0):
        command = [sys.executable, "-m", "ekomi_reconcile", "-C", str(project.folder), *arguments]
        environment = {**os.environ, **passwords, "PYTHONPATH": path, "ACME_TOKEN": TOKEN}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, timeout=120, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert EMAIL not in done.stdout + done.stderr
        assert TOKEN not in done.stdout + done.stderr
        return done

    yield run, handler, project
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_the_source_of_the_page_plans_explains_sends_and_plans_again(acme, sandbox):
    """UUIDs and foreign statuses go through plan, explain, state, lists, --where and the next plan."""
    run, shop, _ = acme
    plan = json.loads(run("plan", "--format", "json").stdout)
    assert [each["order_id"] for each in plan["invitations"]["schedule"]] == IDS[:2]
    assert [each["order"] for each in plan["invitations"]["schedule"]] == ["A-0", "A-1"]
    (warning,) = [each for each in plan["diagnostics"] if each["rule"] == "unknown-order-state"]
    assert "2 orders have an unknown order state (teleported: 2)" in warning["summary"]
    explained = json.loads(run("explain", f"#{IDS[0]}", "--format", "json").stdout)
    assert (explained["order_id"], explained["accounts"][0]["eligible"]) == (IDS[0], True)
    assert not json.loads(run("explain", "A-3", "--format", "json").stdout)["accounts"][0]["eligible"]
    run("apply", "--auto-approve")
    listed = json.loads(run("invitations", "list", "--format", "json").stdout)
    assert [(each["order_id"], each["status"]) for each in listed] == [(IDS[0], "sent"), (IDS[1], "sent")]
    again = json.loads(run("plan", "--format", "json").stdout)
    assert again["invitations"]["schedule"] == again["invitations"]["send"] == []
    shop.orders.append({**order(6, "delivered"), "uuid": "0123", "number": "A-9"})
    saved = json.loads(run("plan", "--format", "json").stdout)["invitations"]["schedule"]
    assert [each["order_id"] for each in saved] == ["0123"]
    run("apply", "--auto-approve", "--no-send")
    where = ("--where", "order_id=0123", "--expect", "1", "--reason", "test")
    run("invitations", "skip", *where)
    run("state", "check")


@pytest.mark.slow
def test_its_keys_are_validated_and_described(acme):
    """A wrong key has its place and a guess, a literal secret is refused, and the schema has the kind."""
    run, _, project = acme
    schema = json.loads(run("schema", "project").stdout)
    assert "acme" in schema["$defs"]["OrderSource"]["properties"]
    settings = project.folder / "ekomi-reconcile.yaml"
    settings.write_text(re.sub(r"acme: \{.*?\}\}", "acme: {ulr: x, token: secret}}", settings.read_text()))
    found = run("validate", code=1)
    told = found.stdout + found.stderr
    assert "orders.acme.ulr" in told
    assert "did you mean `url`" in told
    assert "orders.acme.token" in told


def test_without_the_package_the_kind_is_unknown(acme):
    """Uninstalled, nothing is read and nothing is taken for empty."""
    run, _, project = acme
    assert project.cli("plan") == 1
    assert run("validate").returncode == 0


def test_the_built_in_kinds_are_registered_like_any_other():
    """The entry points of the package are those that are known without its metadata."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][ENTRY_POINTS] == BUILT_IN
    assert all(isinstance(load_kind(kind), SourceType) for kind in BUILT_IN)


def test_the_page_is_short():
    """A whole source takes less than 100 lines."""
    assert len(blocks("python")[0].splitlines()) < 100


SOUND = Order(order_id="a", number="1", state=OrderState.COMPLETE, created_at=1)


@pytest.mark.parametrize(
    ("state", "status", "found"),
    [
        (None, "complete", "unknown"),
        (None, "refunded", "unknown"),
        ("", "delivered", "unknown"),
        (OrderState.ON_HOLD, "paused", "holded"),
        ("shipped-to-mars", None, "shipped-to-mars"),
    ],
)
def test_a_status_without_a_state_is_no_normal_order(state, status, found):
    """Only a state that the source gives makes an order a normal one."""
    order = Order(order_id=1, number="1", state=state, status=status, created_at=1)
    assert checked(order).state == found


@pytest.mark.parametrize(
    "order",
    [
        {"order_id": 1},
        Order(order_id="", number="1", created_at=1),
        Order(order_id="a\nb", number="1", created_at=1),
        Order(order_id="a" * 256, number="1", created_at=1),
        Order(order_id="a", number="1", created_at="2026-11-30"),
        Order(order_id="a", number=1, created_at=1),
        Order(order_id="a", number="1", created_at=1, grand_total="12"),
    ],
)
def test_an_unsound_order_is_reported(order):
    """Wrong types and ids are the package's fault, and never a traceback."""
    assert isinstance(checked(order), str)


@pytest.mark.parametrize(
    "raised", [RuntimeError(EMAIL), KeyError("x"), OSError("x"), OrderSourceError("away")]
)
@pytest.mark.parametrize(
    "call", [lambda s: s.by_ids(["a"]), lambda s: s.find("a"), lambda s: list(s.read(Wanted()).batches())]
)
def test_whatever_the_package_raises_the_source_is_unreadable(raised, call):
    """Never empty, never a traceback, and no text of a foreign error, which may hold an address."""

    class Broken:
        name = "broken"

        def read(self, wanted):
            raise raised

        by_ids = find = read

    with pytest.raises(OrderSourceError) as caught:
        call(CheckedSource("acme", Broken()))
    assert EMAIL not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        *[
            ("123", 123),
            ("0", 0),
            ("007", "007"),
            ("1e5", "1e5"),
            ("12.0", "12.0"),
            ("-5", -5),
            ("a-1", "a-1"),
        ],
        *[(str(2**63 - 1), 2**63 - 1), (str(2**63), str(2**63)), ("²", "²"), ("١٢", "١٢")],
    ],
)
def test_ids_keep_their_text(text, key):
    """Whole numbers are numbers, everything else is as it was written."""
    assert order_id_of(text) == key
    assert str(order_id_of(text)) == text


def test_ids_are_sorted_as_numbers_are():
    """Shorter first: numbers are in their order, and other texts in one order everywhere."""
    assert sorted([10, 9, "b", "a", 100, "aa"], key=id_rank) == [9, "a", "b", 10, "aa", 100]
