"""The real loop on real files: YAML, orders.jsonl, an SQLite state, eKomi on loopback, and a set clock."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from time import gmtime, strftime
from typing import Any

import yaml
from hypothesis import HealthCheck, settings
from tiers import LONG

from ekomi_reconcile.apply.executor import execute, recover
from ekomi_reconcile.apply.run_control import StopSignal
from ekomi_reconcile.cli.main import run
from ekomi_reconcile.config.configuration import Configuration
from ekomi_reconcile.config.load import load
from ekomi_reconcile.model.invitation import Invitation, Status
from ekomi_reconcile.model.run import Result
from ekomi_reconcile.plan.plan import Plan, Scope
from ekomi_reconcile.reconcile.planning import make_context, make_plan, read_passwords
from ekomi_reconcile.reconcile.sources import Sources
from ekomi_reconcile.sandbox.seed import new_shop
from ekomi_reconcile.sandbox.server import SandboxServer
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.store import State

DAY = 86_400
NOW = 1_763_900_000  # an instant in November 2025, not a whole day
STATE = "state.db"
STORES = {"1": "de", "2": "at", "3": "no"}
EVERYTHING = Scope()
IDS = ("9", "10", "101", "2002", "30003")


def examples(count: int) -> settings:
    """A third of so many whole runs with every push, four times as many at night."""
    tried = count * 4 if LONG else max(2, count // 3)
    return settings(max_examples=tried, deadline=None, suppress_health_check=list(HealthCheck))


def shops(sandbox: SandboxServer, ids: Iterable[str] = IDS) -> None:
    """Let the sandbox know exactly these interfaces, without reviews, and nobody asked so far."""
    world = sandbox.world
    world.shops = {
        key: new_shop(key, f"password-{key}", name=f"Shop {key}", now=NOW, review_count=0) for key in ids
    }
    world.outbox.clear()
    world.faults.clear()


def text(instant: int) -> str:
    """As Magento writes it."""
    return strftime("%Y-%m-%d %H:%M:%S", gmtime(instant))


def account(key: str, *, priority: int = 0, orders: str | None = None, **rule: Any) -> dict[str, Any]:
    """An account document, enabled, without an age limit that matters unless one is given."""
    document: dict[str, Any] = {
        "name": f"Account {key}",
        "interface_id": key,
        "interface_password": f"${{env:LOOP_PASSWORD_{key}}}",
        "priority": priority,
        "invitations": {"enabled": True, "pending_period": 5, **rule},
    }
    if orders is not None:
        document["orders"] = orders
    return document


def order(key: int, *, age: float = 10, reached: float = 6, **values: Any) -> dict[str, Any]:
    """A complete order of ``age`` days that was completed ``reached`` days ago."""
    return {
        "entity_id": key,
        "increment_id": f"{key:09d}",
        "state": "complete",
        "status": "complete",
        "store_code": "de",
        "customer_group": "General",
        "created_at": text(NOW - int(age * DAY)),
        "updated_at": text(NOW - int(reached * DAY)),
        "customer_email": f"customer-{key}@example.com",
        "grand_total": 100.0,
        **values,
    }


class Loop:
    """One project in a folder of its own."""

    def __init__(self, root: Path, sandbox: SandboxServer | None = None, **project: Any) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        (root / "accounts.d").mkdir(exist_ok=True)
        self._touched = NOW * 1_000_000_000
        self.project: dict[str, Any] = {
            "version": 1,
            "accounts": "accounts.d",
            "state": STATE,
            "orders": {"file": "orders.jsonl", "stores": STORES, "customer_groups": {"4": "VIP"}},
            "safety": {"max_delete_percent": 100, "max_sends": 100_000, "max_schedules": 1_000_000},
            **project,
        }
        self.project["ekomi"] = {"requests_per_second": 100_000, "parallelism": 2, "timeout": "5s"}
        if sandbox is not None:
            self.project["ekomi"] |= {"api_url": sandbox.api_url, "srr_url": sandbox.srr_url}
        self.write_project()
        self.write_orders([])

    # ------------------------------------------------------------ files

    def write_project(self, **changes: Any) -> None:
        """Write the project file, with these keys replaced."""
        self.project |= changes
        (self.root / "ekomi-reconcile.yaml").write_text(json.dumps(self.project))

    def write_accounts(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """All accounts in one file, one document each."""
        whole = "".join(f"---\n{yaml.safe_dump(each, sort_keys=False)}" for each in documents)
        (self.root / "accounts.d" / "all.yaml").write_text(whole)

    def write_orders(self, orders: Iterable[Mapping[str, Any]], name: str = "orders.jsonl") -> None:
        """Another file in the place of the old one, as an export does it."""
        draft = self.root / f"{name}.part"
        draft.write_text("".join(json.dumps(each) + "\n" for each in orders))
        self._settle(draft)
        draft.replace(self.root / name)

    def append_orders(self, orders: Iterable[Mapping[str, Any]], name: str = "orders.jsonl") -> None:
        """More lines at the end of the same file."""
        with (self.root / name).open("a") as stream:
            stream.write("".join(json.dumps(each) + "\n" for each in orders))
        self._settle(self.root / name)

    def _settle(self, path: Path) -> None:
        """Give the file a modification time of its own, long past: as if the writing were long ago."""
        self._touched += 1_000_000_007
        os.utime(path, ns=(self._touched, self._touched))

    def configuration(self) -> Configuration:
        """The files, read."""
        return load(self.root / "ekomi-reconcile.yaml")

    # ------------------------------------------------------------ plan and apply

    def state(self, mode: Mode = Mode.CREATE) -> State:
        """The state."""
        return open_state(STATE, root=self.root, mode=mode)

    def plan(self, now: int = NOW, scope: Scope = EVERYTHING) -> Plan:
        """The plan, on the state there is."""
        configuration = self.configuration()
        with self.state() as state, Sources(configuration) as sources:
            passwords = read_passwords(configuration, state)
            return make_plan(configuration, state, sources=sources, scope=scope, now=now, passwords=passwords)

    def first_plan(self, now: int = NOW) -> Plan:
        """The plan where there is no state at all."""
        configuration = self.configuration()
        with Sources(configuration) as sources:
            passwords = read_passwords(configuration, None)
            return make_plan(
                configuration, None, sources=sources, scope=EVERYTHING, now=now, passwords=passwords
            )

    def apply(
        self,
        now: int = NOW,
        scope: Scope = EVERYTHING,
        *,
        sending: bool = True,
        made: Plan | None = None,
        clock: Callable[[], int] | None = None,
    ) -> tuple[Plan, Result]:
        """Plan (unless one is given) and carry it out, as the command does; ``clock`` moves meanwhile."""
        configuration = self.configuration()
        with self.state() as state, Sources(configuration) as sources:
            passwords = read_passwords(configuration, state)
            context = make_context(
                configuration,
                state,
                sources=sources,
                passwords=passwords,
                stop=StopSignal(),
                clock=clock or (lambda: now),
            )
            with context.clients:
                recover(context)
                if made is None:
                    made = make_plan(
                        configuration, state, sources=sources, scope=scope, now=now, passwords=passwords
                    )
                return made, execute(context, made, sending=sending)

    def rows(self) -> list[Invitation]:
        """All rows of the queue."""
        with self.state() as state:
            return list(state.invitations.search())

    def names(self) -> dict[str, str]:
        """Interface id to account name, of deleted accounts too."""
        with self.state() as state:
            return {each.interface_id: each.name for each in state.accounts.read(include_deleted=True)}

    def positions(self) -> dict[str, str]:
        """Interface id to the position it was evaluated up to."""
        with self.state() as state:
            return {key: each.cursor for key, each in state.positions.read().items()}

    # ------------------------------------------------------------ command line

    def command(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command line here: exit code, stdout, stderr."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(["-C", str(self.root), *arguments])
        return code, out.getvalue(), err.getvalue()


def live(rows: Iterable[Invitation]) -> list[Invitation]:
    """All but the cancelled ones."""
    return [row for row in rows if row.status is not Status.CANCELLED]


def queue_of(rows: Iterable[Invitation]) -> dict[tuple[str, int], tuple[str, str, int, str]]:
    """What the queue holds, without what depends on how it came to be."""
    return {
        (row.source, row.order_id): (
            row.interface_id,
            row.status.value,
            row.scheduled_at,
            row.reached.source.value,
        )
        for row in live(rows)
    }


def doubles(rows: Iterable[Invitation]) -> list[tuple[str, int]]:
    """Orders with two live rows, or with a live row beside a closing one: there must be none."""
    seen: set[tuple[str, int]] = set()
    found = []
    for row in live(rows):
        key = (row.source, row.order_id)
        if key in seen:
            found.append(key)
        seen.add(key)
    return found


def asked_twice(sandbox: SandboxServer) -> list[str]:
    """Transactions for which eKomi was called more than once, or by two accounts."""
    entries = sandbox.world.outbox.entries()
    numbers = [each.transaction_id for each in entries]
    repeated = {each.transaction_id for each in entries if each.requests != 1}
    return sorted(repeated | {each for each in numbers if numbers.count(each) > 1})
