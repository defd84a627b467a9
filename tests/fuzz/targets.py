"""What reads documents from outside, each with documents that are fine.

A target is given any bytes; it returns, or raises ``ReconcileError``. Anything else is a fault.
"""

# ruff: noqa: E402 - the folders of helpers are put on the path first

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from random import Random
from zlib import crc32

import httpx

from ekomi_reconcile.state.maintenance.check import check_database

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests" / each) for each in ("", "ekomi", "orders_magento", "orders")]

import ekomi_support
import magento_support
from project_support import Project, order, settings

from ekomi_reconcile.config.load import check_from
from ekomi_reconcile.config.source import DiskTree
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.orders.file import FileSource
from ekomi_reconcile.orders.magento.shop import Naming
from ekomi_reconcile.orders.magento.source import MagentoSource
from ekomi_reconcile.orders.source import Wanted
from ekomi_reconcile.plan import codec, saved_plan
from ekomi_reconcile.privacy.suppression import check_suppression_list, read_suppression_list
from ekomi_reconcile.sent_import import read_past
from ekomi_reconcile.state.maintenance import push
from ekomi_reconcile.state.opening import Mode, open_state

RECORDED = ROOT / "tests" / "data" / "magento"
STATUSES = (200, 200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 429, 500, 503)


@dataclass(frozen=True)
class Target:
    """One kind of document: how it is read, and ``seeds`` that are fine."""

    name: str
    run: Callable[[bytes], object]
    seeds: Sequence[bytes]


@contextmanager
def targets(folder: Path) -> Iterator[list[Target]]:
    """All targets, with a project and a state of their own in this folder."""
    from ekomi_reconcile.sandbox.server import SandboxServer

    with SandboxServer() as server:
        project = _project(folder, server.url)
        plan, export = _saved(project)
    with open_state(str(project.state), root=folder, mode=Mode.WRITE) as state:
        yield [
            Target("orders", _Orders(folder), _order_seeds()),
            Target(
                "accounts",
                _Files(project, "accounts.d/28374.yaml"),
                [_read(project, "accounts.d/28374.yaml")],
            ),
            Target("project", _Files(project, "ekomi-reconcile.yaml"), _project_seeds(project)),
            Target("plan", _plan, [plan]),
            Target("push", _Push(state, folder), [export]),
            Target("mark-sent", _mark_sent, [_CSV, b'{"order": "100000001", "account": "Germany"}\n' * 3]),
            Target("suppress", _Suppress(folder), [_OPT_OUTS]),
            Target("ekomi", _ekomi, _ekomi_seeds()),
            Target("magento", _magento, _magento_seeds()),
        ]


_CSV = b"order;order_id;account;date\n100000001;1;Germany;2026-01-31\n100000002;;28374;2026-02-01T10:00:00Z\n"
_OPT_OUTS = (
    b"email\nc1@example.com\n@example.org\n@*.example.net # x\ntel:+4915112345678\nhmac:" + b"0a" * 16 + b"\n"
)


def _read(project: Project, name: str) -> bytes:
    return (project.folder / name).read_bytes()


def _project(folder: Path, url: str) -> Project:
    project = Project(folder)
    project.settings(
        settings(url, "privacy: {suppress: opt.csv, retention: 730d}\nschedule: {sync_every: 6h}\n")
    )
    (folder / "opt.csv").write_bytes(b"")
    rules = (
        "store_views: [de]\npending_period: 7\nspread: 2d\nconditions:\n  all:\n    - grand_total: {gte: 5}\n"
        "    - any_item: {sku: {glob: 'BK-*'}}\n    - not: {shipping_country: {in: [CH]}}"
    )
    project.account(
        "Germany", "28374", rules, more="tags: [a, b]\nlinks: {webshop_url: https://shop.example}"
    )
    project.orders([order(1, age_days=8), order(2, age_days=2), order(3, age_days=9)])
    return project


def _saved(project: Project) -> tuple[bytes, bytes]:
    """A saved plan and an export of the state."""
    from contextlib import redirect_stderr, redirect_stdout

    out = StringIO()
    with redirect_stdout(out), redirect_stderr(StringIO()):
        assert project.cli("plan", "--out", "plan.json") == 0
        assert project.cli("apply", "--auto-approve", "--no-send") == 0
        out.truncate(out.seek(0))
        assert project.cli("state", "pull") == 0
    return (project.folder / "plan.json").read_bytes(), out.getvalue().encode()


@dataclass(frozen=True)
class _Orders:
    folder: Path

    def __call__(self, data: bytes) -> None:
        path = self.folder / f"orders.{('jsonl', 'csv', 'json', 'txt')[crc32(data) % 4]}"
        path.write_bytes(data)
        source = FileSource("default", path, stores={1: "de"})
        reading = source.read(Wanted(full=True, attributes=frozenset({"sku", "grand_total", "telephone"})))
        found = [each.order_id for batch in reading.batches() for each in batch]
        assert len(found) == len(set(found))
        assert list(source.read(Wanted(cursors=frozenset({reading.cursor}))).batches()) is not None
        assert len(list(reading.problems)) >= 0
        source.by_ids(found[:3])
        source.find("100000001")


def _order_seeds() -> list[bytes]:
    orders = [order(each) for each in (1, 2, 3)]
    recorded = json.loads((RECORDED / "orders" / "page_20_full.json").read_text())["response"]["json"]
    recorded["items"] = recorded["items"][:2]
    table = "entity_id,increment_id,created_at,status,customer_email,billing_address.country_id,items\n"
    rows = "".join(
        f'{at},{at},2026-01-31 10:00:00,complete,c@example.com,DE,"[{{""sku"": ""A""}}]"\n' for at in (1, 2)
    )
    return [
        "".join(json.dumps(each) + "\n" for each in orders).encode(),
        json.dumps(orders, indent=1).encode(),
        json.dumps(recorded).encode(),
        (table + rows).encode(),
    ]


@dataclass(frozen=True)
class _Files:
    project: Project
    name: str

    def __call__(self, data: bytes) -> None:
        path = self.project.folder / self.name
        before = path.read_bytes()
        path.write_bytes(data)
        try:
            configuration, found = check_from(
                DiskTree(), (self.project.folder / "ekomi-reconcile.yaml").as_posix()
            )
            assert configuration is not None or any(each.is_error for each in found)
        finally:
            path.write_bytes(before)


def _project_seeds(project: Project) -> list[bytes]:
    magento = (
        b"version: 1\norders:\n  eu: {magento: {base_url: https://shop.example, token: '${env:T}'}}\n"
        b"  us: {file: orders.csv, stores: {1: de}}\nsafety: {max_sends: 5, max_delete_percent: 30}\n"
        b"privacy: {key: '${env:K}', max_per_customer: {count: 1, days: 90}}\ntimezone: Europe/Berlin\n"
    )
    return [_read(project, "ekomi-reconcile.yaml"), magento]


def _plan(data: bytes) -> None:
    with suppress(ValueError, AttributeError, TypeError, KeyError, RecursionError, UnicodeError):
        document = json.loads(data)  # edited by somebody who knows how the digest is made
        body = {key: value for key, value in document.items() if key not in ("digest", "signature")}
        data = json.dumps({**document, "digest": codec.digest(body)}).encode()
    found = saved_plan.decode(data)
    codec.to_json(found.plan)


@dataclass(frozen=True)
class _Push:
    state: object
    folder: Path

    def __call__(self, data: bytes) -> None:
        content = push.parse(data)
        state = self.state
        done = push.push(content, state, root=self.folder, now=instant.now(), any_serial=True)  # type: ignore[arg-type]
        done.replaced.unlink()
        check_database(state)  # type: ignore[attr-defined]
        list(state.invitations.search())  # type: ignore[attr-defined]
        state.accounts.read(include_deleted=True)  # type: ignore[attr-defined]
        state.positions.read()  # type: ignore[attr-defined]
        state.journal.entries()  # type: ignore[attr-defined]


def _mark_sent(data: bytes) -> None:
    entries, bad = read_past(data, now=instant.now())
    assert not {each.line for each in entries} & {each.line for each in bad}


@dataclass(frozen=True)
class _Suppress:
    folder: Path

    def __call__(self, data: bytes) -> None:
        path = self.folder / "fuzzed.csv"
        path.write_bytes(data)
        found = check_suppression_list(path)
        with suppress(ReconcileError):
            read_suppression_list(path)
            assert not found


_REVIEWS = [
    {"submitted": 1_750_000_000, "order_id": "100000001", "rating": 5, "review": "Good", "product_id": "7"},
    {"submitted": "2026-01-31 10:00:00", "order_id": "2", "rating": "4", "review": "ok", "comment": "thanks"},
]


def _ekomi_seeds() -> list[bytes]:
    answers: list[object] = [
        _REVIEWS,
        {"done": 1, "link": "https://www.ekomi.de/bewertung?x=1", "hash": "abc", "known_since": "x"},
        {"status": "success", "status_code": 200},
        {"shop": {"name": "Shop", "url": "https://shop.example", "logo": "x"}},
        {"info": {"fb_avg": 4.5, "fb_count": 10, "ekomi_certificate": "x"}, "avg": 4.5, "count": 3},
        {"mail_delay": 3, "mail_subject": "x"},
        "Access denied",
    ]
    return [
        *(json.dumps(each).encode() for each in answers),
        b"submitted,order_id,rating\n1,2,3\n",
        b"<html>no</html>",
    ]


def _ekomi(data: bytes) -> None:
    random = Random(crc32(data))
    status = random.choice(STATUSES)
    headers = {
        "location": random.choice(("", "http://[", "//x:99999/", "https://x.example/\x7f", "/v3/getSettings"))
    }
    client = ekomi_support.client_for(
        lambda _: httpx.Response(status, content=data, headers=headers if status == 301 else {})
    )
    with client:
        for call in (
            client.check,
            client.shop_data,
            client.mail_delay,
            client.reviews,
            client.product_reviews,
            lambda: client.put_order("100000001", 1_750_000_000),
            lambda: client.add_recipient(ekomi_support.recipient()),
        ):
            with suppress(ReconcileError):
                call()


def _magento_seeds() -> list[bytes]:
    names = (
        "orders/page_20_full",
        "errors/bad_token",
        "errors/current_page_zero",
        "errors/filter_value_array",
    )
    found = [json.loads((RECORDED / f"{each}.json").read_text())["response"].get("json") for each in names]
    page = found[0]
    page["items"] = page["items"][:2]
    page["total_count"] = 2
    lists = [
        [{"id": 1, "code": "de", "name": "Germany", "website_id": 1, "store_group_id": 1, "is_active": 1}],
        [],
    ]
    return [json.dumps(each).encode() for each in (*found, *lists)]


def _magento(data: bytes) -> None:
    random = Random(crc32(data))
    status, broken = random.choice(STATUSES), random.choice(("orders", "orders", "orders", ""))
    asked = 0

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        assert asked < 2_000, "the shop is asked without end"
        if broken in request.url.path:
            return httpx.Response(status, content=data)
        return httpx.Response(200, json={"items": [], "total_count": 0})

    client = magento_support.client_for(answer)
    source = MagentoSource("default", client, Naming())
    try:
        reading = source.read(Wanted(full=True, attributes=frozenset({"sku", "category_id"})))
        with suppress(ReconcileError):
            for _ in reading.batches():
                pass
            assert reading.cursor is not None
            assert reading.problems is not None
        for call in (lambda: source.by_ids([1, 2]), lambda: source.find("100000001")):
            with suppress(ReconcileError):
                call()
    finally:
        source.close()


TARGETS: Mapping[str, None] = dict.fromkeys(
    ("orders", "accounts", "project", "plan", "push", "mark-sent", "suppress", "ekomi", "magento")
)
