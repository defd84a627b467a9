"""How much room invitations take in PostgreSQL, by table: sent ones, each with its three changes of status.

``python -m benchmarks.postgres_size [ROWS]`` starts a server of its own and prints bytes per invitation.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.invitation import NewInvitation, SendOutcome, Status
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.state.engine.session import CurrentRun
from ekomi_reconcile.state.opening import Mode, open_state

sys.path.append(str(Path(__file__).parent.parent / "tests"))

from state_server import Server, running_server

THEN = 1_760_000_000
_BATCH = 1_000
_SIZES = """
    SELECT relname, pg_total_relation_size(oid), pg_indexes_size(oid)
    FROM pg_class WHERE relkind = 'r' AND relname IN ('invitation', 'invitation_history', 'observation')
    ORDER BY relname
"""


def fill(server: Server, rows: int) -> None:
    """Schedule, claim and settle this many invitations, as runs do."""
    with open_state(server.url(), root=Path(), mode=Mode.CREATE, key=b"k" * 32) as state:
        state.accounts.save(
            Account(name="Germany", interface_id="28374", interface_password="${env:A}"),
            now=THEN,
        )
        state.session.run = CurrentRun(number=1, commit=None, plan_digest=None)
        for first in range(0, rows, _BATCH):
            state.schedule.add([_row(first + number) for number in range(_BATCH)], now=THEN)
            ids = [first + number + 1 for number in range(_BATCH)]
            claimed = state.sending.claim(ids, now=THEN, channels=dict.fromkeys(ids, Deliver.EKOMI_EMAIL))
            state.sending.settle([SendOutcome(id=each.id, status=Status.SENT, at=THEN) for each in claimed])


def _row(number: int) -> NewInvitation:
    return NewInvitation(
        interface_id="28374",
        source="default",
        order_id=number + 1,
        number=f"{100_000_001 + number}",
        store_view="de",
        order_date=THEN,
        reached_at=THEN,
        reached_status="complete",
        reached_source="shipment",
        judged_at=THEN,
        scheduled_at=THEN,
        customer=hashlib.sha256(str(number).encode()).hexdigest(),
        pending_days=14,
    )


def main() -> None:
    """Fill a state, let the server tidy up, and print what it takes."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 100 * _BATCH
    with running_server() as server:
        fill(server, rows)
        for state in ("as written", "after VACUUM FULL"):
            for name, whole, indexes in server.run(_SIZES):
                print(
                    f"{state}: {name}: {int(str(whole)) / rows:.0f} bytes per invitation, "
                    f"{int(str(indexes)) / rows:.0f} of them indexes"
                )
            server.run("VACUUM FULL")


if __name__ == "__main__":
    main()
