"""A state with very many invitations: what new orders, plans and lists cost over it."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import islice
from pathlib import Path

from measure import Figure, Point, Run, beside, command, in_turn, median, run
from projects import (
    ACCOUNTS,
    ENV,
    PASSWORD,
    STATE,
    days_ago,
    make_project,
    record_accounts,
)
from shop_orders import write_orders

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.instant import DAY
from ekomi_reconcile.model.invitation import NewInvitation
from ekomi_reconcile.state.opening import Mode, open_state
from ekomi_reconcile.state.repositories.schedule import Adopted

NEW = 1_000
"""Orders that come new."""

_PER_TRANSACTION = 10_000
_FIRST = 10_000_000
"""The order ids of the queue begin here: none of them is in the file."""
_WAITING = 10
"""One invitation in so many waits; the others are sent."""

COMMANDS = {
    "state list": ("state", "list"),
    "plan, nothing new": ("plan",),
    "invitations list --limit 50": ("invitations", "list", "--limit", "50"),
    "invitations list --status pending --limit 50": (
        *("invitations", "list", "--status", "pending", "--limit", "50"),
    ),
    "report": ("report", "--out", "report"),
}


def new_orders(
    folder: Path, *, sizes: tuple[int, int] = (10_000, 1_000_000), new: int = NEW, rounds: int = 5
) -> Iterator[Figure]:
    """An apply that finds ``new`` orders, over a large queue and over a small one."""
    works = {str(rows): partial(apply_new, prepared(folder, rows), new) for rows in sizes}
    small, large = (median(runs) for runs in in_turn(works, rounds=rounds).values())
    yield beside(
        f"{new:,} new orders over a queue of {sizes[1]:,}",
        large,
        small,
        target="<= 1.5",
        against=f"the same over {sizes[0]:,}",
    )


def large_state(
    folder: Path, *, sizes: tuple[int, int] = (10_000, 1_000_000), rounds: int = 3
) -> Iterator[Figure]:
    """What people look at, over a large queue and over a small one."""
    works = {
        (name, rows): partial(show, prepared(folder, rows), *arguments)
        for name, arguments in COMMANDS.items()
        for rows in sizes
    }
    found = {key: median(runs) for key, runs in _turns(works, rounds).items()}
    small, large = sizes
    for name in COMMANDS:
        many, few = found[name, large], found[name, small]
        target = "<= 1.3" if name == "report" else ""
        yield beside(f"{name}, {large:,} rows", many, few, target=target, against=f"the same over {small:,}")
    many, few = found["plan, nothing new", large], found["plan, nothing new", small]
    yield Figure(
        f"peak memory of a plan, {large:,} rows",
        many.megabytes,
        few.megabytes,
        "<= 1.5",
        unit="MiB",
        against=f"the same over {small:,}",
    )


def growth_rows(
    folder: Path, *, sizes: tuple[int, ...] = (10_000, 100_000, 1_000_000), rounds: int = 3
) -> Iterator[Point]:
    """The same over queues of growing size."""
    for rows in sizes:
        place = prepared(folder, rows)
        works: dict[str, Callable[[], Run]] = {
            f"apply, {NEW:,} new orders": partial(apply_new, place, NEW),
            "plan, nothing new": partial(show, place, "plan"),
            "invitations list --limit 50": partial(show, place, "invitations", "list", "--limit", "50"),
        }
        for series, runs in in_turn(works, rounds=rounds).items():
            each = median(runs)
            yield Point("rows", series, rows, each.seconds, each.megabytes)


def _turns(
    works: Mapping[tuple[str, int], Callable[[], Run]], rounds: int
) -> dict[tuple[str, int], list[Run]]:
    names = {f"{name} {rows}": (name, rows) for name, rows in works}
    runs = in_turn({key: works[pair] for key, pair in names.items()}, rounds=rounds)
    return {names[key]: found for key, found in runs.items()}


def show(place: Path, *arguments: str) -> Run:
    """A command that changes nothing."""
    return run(command(*arguments), cwd=place, env=ENV)


def apply_new(place: Path, new: int) -> Run:
    """An apply after ``new`` orders came; afterwards everything is as it was."""
    state, orders = place / ".ekomi-reconcile", place / "orders.jsonl"
    kept, size = place / "kept", orders.stat().st_size
    shutil.copytree(state, kept)
    write_orders(orders, count=new, stores=ACCOUNTS, created_at=days_ago(2), first=NEW + 1)
    os.sync()  # or the command would wait until the disk has written the copy
    try:
        return run(command("apply", "--auto-approve", "--no-send", "-q"), cwd=place, env=ENV)
    finally:
        with orders.open("r+b") as file:
            file.truncate(size)
        shutil.rmtree(state)
        kept.rename(state)


def prepared(folder: Path, rows: int) -> Path:
    """A project whose state has so many invitations and which has read its orders; made once per run."""
    place = folder.parent / f"queue-{rows}"
    if not place.exists():
        make_project(place, accounts=ACCOUNTS)
        write_orders(place / "orders.jsonl", count=NEW, stores=ACCOUNTS, created_at=days_ago(2))
        record_accounts(place, password=PASSWORD)
        run(command("apply", "--auto-approve", "--no-send", "-q"), cwd=place, env=ENV)
        fill_queue(place, rows)
    return place


def fill_queue(place: Path, rows: int) -> None:
    """Put so many invitations into the state: most are sent, some wait for days to come."""
    now = instant.now()
    waiting, sent = rows // _WAITING, rows - rows // _WAITING
    with open_state(STATE, root=place, mode=Mode.WRITE) as state, state.schedule.bulk(rows):
        asked = (_sent(_FIRST + number, now) for number in range(sent))
        while batch := list(islice(asked, _PER_TRANSACTION)):
            with state.transaction():
                state.sent_import.adopt(batch, now=now)
        pending = (_pending(_FIRST + sent + number, now) for number in range(waiting))
        while more := list(islice(pending, _PER_TRANSACTION)):
            with state.transaction():
                state.schedule.add(more, now=now)


def _sent(order_id: int, now: int) -> Adopted:
    at = now - 30 * DAY - order_id % 300 * DAY
    return Adopted(
        interface_id=_account(order_id),
        named=True,
        source="default",
        order_id=order_id,
        number=str(order_id),
        store_view=f"view{order_id % ACCOUNTS}",
        order_date=at - 14 * DAY,
        sent_at=at,
        customer=_customer(order_id),
    )


def _pending(order_id: int, now: int) -> NewInvitation:
    at = now - order_id % DAY
    return NewInvitation(
        interface_id=_account(order_id),
        source="default",
        order_id=order_id,
        number=str(order_id),
        store_view=f"view{order_id % ACCOUNTS}",
        order_date=at,
        reached_at=at,
        reached_status="complete",
        reached_source="history",
        judged_at=now,
        scheduled_at=at + 14 * DAY,
        customer=_customer(order_id),
    )


def _account(order_id: int) -> str:
    return str(100_000 + order_id % ACCOUNTS)


def _customer(order_id: int) -> str:
    """As scattered as a digest: what keeping the index of customers costs depends on it."""
    return hashlib.blake2b(str(order_id).encode(), digest_size=16).hexdigest()
