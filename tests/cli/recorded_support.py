"""Filling a state with one of everything, and reading it back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ekomi_reconcile.config.load import load
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.invitation import NewInvitation, SendOutcome, Status
from ekomi_reconcile.model.review import Review, ShopData
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.store import State

THEN = 1_760_000_000
"""2025-10-09 08:53:20 UTC: when everything happened."""

DAY = 86_400
PAGE = "https://reviews.example.com/germany.html"
ROWS = {
    Status.PENDING: 1,
    Status.SENT: 2,
    Status.SKIPPED: 3,
    Status.CANCELLED: 4,
    Status.FAILED: 5,
    Status.UNKNOWN: 6,
    Status.SENDING: 7,
}
"""The ids of Germany's invitations; order numbers are 100000000 more. Row 8 is of the deleted account."""

READS = (
    ("accounts", "list"),
    ("accounts", "show", "Germany"),
    ("accounts", "open", "Germany"),
    ("invitations", "list"),
    ("invitations", "show", "1"),
    ("invitations", "history", "1"),
    ("reviews", "list"),
    ("errors",),
    ("state", "list"),
    ("state", "show", "Germany"),
    ("state", "pull"),
    ("state", "history"),
)
"""The commands that only read the state."""


@contextmanager
def opened(folder: Path, mode: Mode = Mode.READ) -> Iterator[State]:
    """The state of a project folder."""
    with open_state(".ekomi-reconcile/state.db", root=folder, mode=mode) as state:
        yield state


def an_order(order_id: int, interface_id: str = "28374", **more: object) -> NewInvitation:
    """An order to schedule."""
    values = {
        "source": "default",
        "order_id": order_id,
        "number": f"{100_000_000 + order_id}",
        "store_view": "de",
        "order_date": THEN - 2 * DAY,
        "reached_at": THEN - DAY,
        "reached_status": "complete",
        "reached_source": "shipment",
        "judged_at": THEN,
        "scheduled_at": THEN + 6 * DAY,
        "customer": "c0ffee" * 10,
    }
    return NewInvitation(interface_id=interface_id, **(values | more))


def make_past(folder: Path) -> None:
    """What a project of two accounts, and one that was deleted, has recorded."""
    accounts = load(folder / "ekomi-reconcile.yaml").accounts
    with opened(folder, Mode.CREATE) as state:
        for each in accounts:
            state.accounts.save(each, now=THEN - 30 * DAY, password_digest="d1" * 32)
        old = Account(name="Old", interface_id="999", interface_password="${env:OLD}")
        state.accounts.save(old, now=THEN - 60 * DAY)
        state.accounts.record_shop_data(
            "28374",
            ShopData(
                account_name="Shop DE", locale="de", review_page=PAGE, total_reviews=3, average_score=4.5
            ),
            now=THEN,
        )
        state.accounts.record_error("28376", "sync: HTTP 503", now=THEN)
        _queue(state)
        _reviews(state)
        state.journal.record_error(
            "28374",
            operation="send 100000005",
            kind="RequestRefused",
            message="HTTP 400",
            now=THEN,
            http_status=400,
        )
        state.journal.record_error(
            "28376", operation="sync", kind="EkomiUnavailable", message="HTTP 503", now=THEN + DAY
        )
        state.journal.add("apply", outcome="done", now=THEN, commit="0123456789abcdef0123")
        state.accounts.delete("999", now=THEN)


def _queue(state: State) -> None:
    state.schedule.add([an_order(number) for number in ROWS.values()], now=THEN)
    state.schedule.add([an_order(8, "999")], now=THEN)
    state.invitations.skip(ROWS[Status.SKIPPED], now=THEN, actor="kim", reason="asked already")
    state.schedule.cancel({ROWS[Status.CANCELLED]: "order_status"}, now=THEN)
    ends = (Status.SENT, Status.FAILED, Status.UNKNOWN)
    state.sending.claim([ROWS[each] for each in (*ends, Status.SENDING)], now=THEN)
    link = "https://reviews.example.com/r/2"
    state.sending.settle(
        [
            SendOutcome(
                id=ROWS[each],
                status=each,
                at=THEN,
                link=link if each is Status.SENT else None,
                reason=None if each is Status.SENT else "HTTP 400",
                failed_calls=0 if each is Status.SENT else 1,
            )
            for each in ends
        ]
    )


def _reviews(state: State) -> None:
    found = [
        Review(
            order_id=f"{100_000_100 + day}", submitted_at=THEN - day * DAY, rating=4.0, text=f"Review {day}"
        )
        for day in range(1, 4)
    ]
    state.reviews.save_import("28374", found, full=True, now=THEN)
    state.reviews.save_import("28374", found[:2], full=True, now=THEN)
    norway = Review(order_id="7", submitted_at=THEN - DAY // 2, rating=5.0, text="Bra")
    state.reviews.save_import("28376", [norway], full=True, now=THEN)
