"""Short ways to make what a state records."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.invitation import NewInvitation
from ekomi_reconcile.state.engine.location import Location, locate
from ekomi_reconcile.state.engine.lock import Lock
from ekomi_reconcile.state.engine.runner import writer_lock
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.store import State

NOW = 1_700_000_000
LATER = NOW + 31
"""An instant after the lease of what was claimed ``NOW``."""

KEY = b"k" * 32
PROJECT = Path(__file__).parents[1]

PRELUDE = """
import sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[2] + "/tests"]
from state_support import *
from ekomi_reconcile.model.invitation import SendOutcome
root = Path(sys.argv[1])
store = Store(sys.argv[3], root, KEY if "://" in sys.argv[3] else None) if sys.argv[3:] else None
def wait():
    print("ready", flush=True)
    sys.stdin.readline()
"""


def an_account(interface_id: str = "1", name: str | None = None, **more: object) -> Account:
    """An account that differs from others in its id and name."""
    name = name or f"Account {interface_id}"
    return Account(name=name, interface_id=interface_id, interface_password="${env:PASSWORD}", **more)


def an_order(order_id: int | str, interface_id: str = "1", **more: object) -> NewInvitation:
    """An order to schedule."""
    values = {
        "interface_id": interface_id,
        "source": "default",
        "order_id": order_id,
        "number": f"{100_000_000 + order_id}" if isinstance(order_id, int) else f"N{order_id}",
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
    """The file state of a test."""
    return open_state("state.db", root=root, mode=mode)


@dataclass(frozen=True)
class Store:
    """A place for a state, as the settings name it; on a file there need not be a ``key``."""

    text: str
    root: Path
    key: bytes | None = None

    @property
    def place(self) -> Location:
        """The place, read."""
        return locate(self.text, root=self.root)

    @property
    def is_file(self) -> bool:
        """Is it a file?"""
        return "://" not in self.text

    def opened(self, mode: Mode = Mode.CREATE, **more: object) -> State:
        """The state there."""
        return open_state(self.text, root=self.root, mode=mode, **{"key": self.key, **more})

    def lock(self, operation: str = "apply", **more: object) -> Lock:
        """The writer lock of the state there."""
        return writer_lock(self.place, operation=operation, **more)


def schedule(state: State, *order_ids: int, interface_id: str = "1", **more: object) -> dict[int, int]:
    """Schedule these orders; their rows' ids by order id."""
    state.schedule.add([an_order(each, interface_id, **more) for each in order_ids], now=NOW)
    rows = state.queue.rows_for("default", order_ids)
    return {key: row.id for key, found in rows.items() for row in found if row.interface_id == interface_id}


def process(code: str, store: Store) -> subprocess.Popen[str]:
    """Run code beside the test, in which ``store`` is this one; returns when it says that it is ready."""
    started = subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, str(store.root), str(PROJECT), store.text],
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
