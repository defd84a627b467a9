"""States to report on: one of everything, and a shop with a past of some months, all made up."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from ekomi_reconcile.model.account import Account, PositionRecord
from ekomi_reconcile.model.invitation import NewInvitation, PassedOrder, SendOutcome, Status
from ekomi_reconcile.model.review import Review, ShopData
from ekomi_reconcile.model.rule import InvitationRule
from ekomi_reconcile.model.run import RunFigures
from ekomi_reconcile.render.report import page_html
from ekomi_reconcile.report import LIMITS, make_report
from ekomi_reconcile.report.data import ListLimits
from ekomi_reconcile.sandbox.seed import seeded_shops
from ekomi_reconcile.sandbox.shops import SandboxShop
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.store import State

NOW = 1_796_040_000
"""2026-11-30 12:00:00 UTC."""

HOUR, DAY = 3_600, 86_400
STORES = {"10001": "brand_a", "10002": "brand_b", "28374": "de", "28375": "fr", "28376": "no"}
COMMIT = "3f9c2ab41d7e0855c6a1e94fbb02d7716a3c5e88"
LINEAGE = "7d0a1f52-6c1e-4b57-9f0e-2a4f0f6f9a10"


@contextmanager
def opened(folder: Path, mode: Mode = Mode.READ) -> Iterator[State]:
    """The state of a project folder."""
    with open_state(".ekomi-reconcile/state.db", root=folder, mode=mode) as state:
        yield state


def page_of(folder: Path, limits: ListLimits = LIMITS) -> str:
    """The page about the state of this folder, as of ``NOW``."""
    with opened(folder) as state:
        report = make_report(state, now=NOW, limits=limits, project="books", timezone="Europe/Berlin")
        return page_html(report, clean=str)


def an_account(interface_id: str, name: str, *, enabled: bool = True) -> Account:
    """An account that differs from others in its id and name."""
    return Account(
        name=name,
        interface_id=interface_id,
        interface_password="${env:PASSWORD}",
        invitations=InvitationRule(enabled=enabled),
    )


def an_order(order_id: int, interface_id: str, *, scheduled_at: int, **more: object) -> NewInvitation:
    """An order to schedule, two weeks before its time."""
    values = {
        "interface_id": interface_id,
        "source": "default",
        "order_id": order_id,
        "number": f"{100_000_000 + order_id}",
        "store_view": STORES.get(interface_id, "de"),
        "order_date": scheduled_at - 18 * DAY,
        "reached_at": scheduled_at - 14 * DAY,
        "reached_status": "complete",
        "reached_source": "shipment",
        "judged_at": scheduled_at - 14 * DAY,
        "scheduled_at": scheduled_at,
        "customer": "c0ffee" * 10,
    }
    return NewInvitation(**(values | more))


def make_shop(folder: Path, *, trouble: float = 0.012) -> None:
    """The sandbox's five accounts with their reviews, and a queue of some months.

    ``trouble`` is the share of invitations that failed or are in doubt; without any all else is well too.
    """
    with opened(folder, Mode.CREATE) as state:
        for shop in seeded_shops(1, NOW):
            state.accounts.save(
                an_account(shop.interface_id, shop.name, enabled=shop.name != "Brand B"), now=NOW - 40 * DAY
            )
            state.accounts.record_shop_data(
                shop.interface_id,
                ShopData(
                    account_name=f"{shop.name} Shop",
                    locale=shop.language("code"),
                    review_page=shop.public_page,
                    total_reviews=len(shop.reviews) + 40,
                    average_score=round(sum(each.rating for each in shop.reviews) / len(shop.reviews), 2),
                ),
                now=NOW - 2 * HOUR,
            )
            state.reviews.save_import(shop.interface_id, _reviews(shop), full=False, now=NOW - 2 * HOUR)
        if trouble:
            state.accounts.record_error("28376", "sync: HTTP 503, eKomi is down", now=NOW - HOUR)
        _fill_queue(state, trouble)
        _answer(state)
        state.positions.pass_over(_passed())
        state.positions.save(
            {
                key: PositionRecord(source="default", rule_digest="", cursor="", evaluated_at=NOW - 2 * HOUR)
                for key in STORES
            }
        )
        _fill_journal(state, trouble)
    sign(folder)


def _reviews(shop: SandboxShop) -> Iterator[Review]:
    """More from month to month, and better."""
    rng = Random(shop.interface_id)
    for back in range(26 * 30):
        if rng.random() < len(shop.reviews) / 160 * (1 - back / 1_000):
            rating = rng.choices((1, 2, 3, 4, 5), (3 + back / 150, 2, 4 + back / 200, 20, 72))[0]
            at = NOW - back * DAY - rng.randrange(DAY)
            yield Review(order_id=f"{900_000_000 + back}", submitted_at=at, rating=rating, text="Gut")


def _fill_queue(state: State, trouble: float) -> None:
    rng = Random(7)
    orders: list[NewInvitation] = []
    for day in range(-100, 14):
        weight = (6, 9, 8, 8, 7, 4, 3)[day % 7] + (day + 100) // 30
        for _ in range(rng.randint(weight // 3, weight)):
            at = NOW + day * DAY + rng.randrange(-6 * HOUR, 6 * HOUR)
            keys = ("10001", "10001", "28374", "28374", "28375", "28376")
            key = rng.choice(keys) if len(orders) % 40 else "10002"
            orders.append(an_order(len(orders) + 1, key, scheduled_at=at))
    state.schedule.add(orders, now=NOW - 100 * DAY)
    past = {row.id: row.scheduled_at + 600 for row in state.queue.due(set(STORES) - {"10002"}, NOW - HOUR)}
    fates = {key: rng.random() for key in past}
    cancelled = [key for key, fate in fates.items() if fate < 0.04]
    state.schedule.cancel(
        {key: rng.choice(("order_status", "conditions")) for key in cancelled}, now=NOW - DAY
    )
    for key, fate in fates.items():
        if 0.04 <= fate < 0.05:
            state.invitations.skip(key, now=NOW - DAY, actor="kim", reason="asked already")
    state.sending.claim([key for key, fate in fates.items() if fate >= 0.05], now=NOW)
    state.sending.settle(
        [
            _outcome(key, past[key], (fate - 0.05) / trouble if trouble else 1)
            for key, fate in fates.items()
            if fate >= 0.05
        ]
    )


def _answer(state: State) -> None:
    """Every eighth customer who was invited writes a review within ten days."""
    rng = Random(11)
    found: dict[str, list[Review]] = {}
    for row in state.invitations.search():
        days = rng.randrange(1, 11)
        if row.sent_at is None or rng.random() > 0.13 or row.sent_at + days * DAY > NOW:
            continue
        at, rating = row.sent_at + days * DAY, rng.choices((3, 4, 5), (1, 3, 9))[0]
        review = Review(order_id=row.number, submitted_at=at, rating=rating, text="Gut")
        found.setdefault(row.interface_id, []).append(review)
    for key, reviews in found.items():
        state.reviews.save_import(key, reviews, full=False, now=NOW - 2 * HOUR)


def _passed() -> Iterator[PassedOrder]:
    """Orders that no account took."""
    rng = Random(13)
    reasons = (
        "store_view",
        "order_status",
        "conditions",
        "customer_group",
        "consent",
        "order_age",
        "refunded",
    )
    for number in range(180):
        reason = rng.choices(reasons, (30, 40, 12, 6, 5, 4, 2))[0]
        yield PassedOrder("default", 10_000 + number, NOW - number * DAY // 2, reason)


def _outcome(key: int, at: int, luck: float) -> SendOutcome:
    status = Status.FAILED if luck < 0.5 else Status.UNKNOWN if luck < 1 else Status.SENT
    reason = {Status.FAILED: "HTTP 400: recipient refused", Status.UNKNOWN: "no answer within 30 s"}
    return SendOutcome(
        id=key, status=status, at=at, reason=reason.get(status), failed_calls=int(status is not Status.SENT)
    )


def _fill_journal(state: State, trouble: float) -> None:
    for hours in range(30, 0, -4):
        at = NOW - hours * HOUR
        state.journal.add("apply", outcome="started", now=at, commit=COMMIT)
        figures = RunFigures(
            counts={"synced": 5, "scheduled": hours, "sent": hours // 2, "reviews_new": hours // 5},
            failures=int(hours == 2 and trouble > 0),
            not_invited={
                "10001": {"store_view": 30 + hours, "order_status": 7, "order_age": 3},
                "28374": {"store_view": 25 + hours, "order_status": 9, "customer_group": 4, "conditions": 5},
                "28375": {"store_view": 40 + hours, "order_status": 6},
                "28376": {"store_view": 41 + hours, "order_status": 2, "already_invited": 1},
            },
        )
        outcome = "incomplete" if figures.failures else "done"
        state.journal.add("apply", outcome=outcome, now=at + 9, commit=COMMIT, detail=figures.text())
        if hours == 14:
            subject = "invitation 5 of order 100000005"
            state.journal.add("invitations skip", subject=subject, outcome="skipped", now=at + HOUR)


def sign(folder: Path) -> None:
    """Let the state be the same whoever made it, and wherever."""
    with sqlite3.connect(folder / ".ekomi-reconcile" / "state.db") as raw:
        raw.execute("UPDATE journal SET who = 'kim', host = 'runner-1'")
        raw.execute("UPDATE meta SET value = ? WHERE key = 'lineage'", [LINEAGE])
    raw.close()
    (folder / ".ekomi-reconcile" / "state.db.mark").unlink()  # it holds the lineage from before


def rename_last(state: State, who: str) -> None:
    """Let the last entry of the journal be somebody else's."""
    with sqlite3.connect(state.location.path) as raw:
        raw.execute("UPDATE journal SET who = ? WHERE id = (SELECT max(id) FROM journal)", [who])
    raw.close()
