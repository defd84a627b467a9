"""Orders to write into files, in Magento's shape, and what the recorded answers of a real shop hold."""

import csv
import json
from pathlib import Path

from ekomi_reconcile.orders.file import FileSource
from ekomi_reconcile.orders.source import Wanted

RECORDED = Path(__file__).parent.parent / "data" / "magento"
STORES = {1: "default", 2: "de", 3: "fr", 4: "no"}


def recorded_orders(name="orders/page_20_full"):
    """The orders in one recorded answer."""
    return json.loads((RECORDED / f"{name}.json").read_text())["response"]["json"]["items"]


def record(order_id, **fields):
    """One order with the fields that every order has."""
    return {
        "entity_id": order_id,
        "increment_id": f"{order_id:09d}",
        "created_at": "2026-01-31 12:00:00",
        "state": "complete",
        "status": "complete",
        **fields,
    }


def line(order_id, **fields):
    """The same as a line of a file."""
    return json.dumps(record(order_id, **fields)) + "\n"


def source(path, **codes):
    return FileSource("default", Path(path), **codes)


class Pass:
    """One pass over a file, finished."""

    def __init__(self, path, *cursors, **wanted):
        reading = source(path).read(Wanted(cursors=frozenset(cursors), **wanted))
        self.sizes = []
        self.orders = []
        for batch in reading.batches():
            self.sizes.append(len(batch))
            self.orders += batch
        self.cursor = reading.cursor
        self.problems = reading.problems
        self.statuses = {each.order_id: each.status for each in self.orders}
        self.ids = [each.order_id for each in self.orders]


def aged(path):
    """Make the file look as if it had been written a while ago, so that it counts as settled."""
    import os

    before = path.stat()
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 10_000_000_000))


def write_csv(path, header, rows):
    """A CSV file with these cells."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path
