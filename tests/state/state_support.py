"""Short ways to make what a state records."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.records import NewInvitation
from ekomi_reconcile.state.store import State

NOW = 1_700_000_000
PROJECT = Path(__file__).parents[2]

PRELUDE = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[2] + "/tests/state"]
from state_support import *
from ekomi_reconcile.state.records import Outcome
root = Path(sys.argv[1])
def wait():
    print("ready", flush=True)
    sys.stdin.readline()
"""


def an_account(interface_id: str = "1", name: str | None = None, **more: object) -> Account:
    """An account that differs from others in its id and name."""
    name = name or f"Account {interface_id}"
    return Account(name=name, interface_id=interface_id, interface_password="${env:PASSWORD}", **more)


def an_order(order_id: int, interface_id: str = "1", **more: object) -> NewInvitation:
    """An order to schedule."""
    values = {
        "interface_id": interface_id,
        "source": "default",
        "order_id": order_id,
        "number": f"{100_000_000 + order_id}",
        "store_view": "de",
        "order_date": NOW - 1_000,
        "reached_at": NOW - 500,
        "reached_status": "complete",
        "reached_source": "history",
        "judged_at": NOW,
        "scheduled_at": NOW + 100,
    }
    return NewInvitation(**(values | more))


def opened(root: Path, mode: Mode = Mode.CREATE) -> State:
    """The state of a test."""
    return open_state("state.db", root=root, mode=mode)


def schedule(state: State, *order_ids: int, interface_id: str = "1", **more: object) -> dict[int, int]:
    """Schedule these orders; their rows' ids by order id."""
    state.schedule([an_order(each, interface_id, **more) for each in order_ids], now=NOW)
    rows = state.rows_for("default", order_ids)
    return {key: row.id for key, found in rows.items() for row in found if row.interface_id == interface_id}


def process(code: str, root: Path) -> subprocess.Popen[str]:
    """Run code beside the test; returns when it says that it is ready."""
    started = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, str(root), str(PROJECT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


def kill(started: subprocess.Popen[str]) -> None:
    """End it as a power cut would."""
    started.kill()
    started.communicate()
