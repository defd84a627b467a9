"""Stories: what happens to a shop and its rules over several runs, as data; and the telling of it."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st
from support_loop import DAY, NOW, Loop, account, order, text

SOURCES = ("eu", "us")
KEYS = ("9", "10", "101")
VIEWS = ("de", "at")
STEPS = {
    "pending": ("new", "pending"),
    "processing": ("processing", "processing"),
    "complete": ("complete", "complete"),
    "in_picking": ("complete", "in_picking"),
    "holded": ("holded", "holded"),
    "canceled": ("canceled", "canceled"),
    "closed": ("closed", "closed"),
}
CHANGES = st.one_of(
    st.sampled_from([0, 2, 5, 9]).map(lambda days: {"pending_period": days}),
    st.sampled_from(["0d", "36h", "5d"]).map(lambda spread: {"spread": spread}),
    st.sampled_from([["complete"], ["processing", "complete"], ["in_picking"]]).map(
        lambda named: {"order_statuses": named}
    ),
    st.sampled_from([["de"], ["at"], {"exclude": ["de"]}, None]).map(lambda views: {"store_views": views}),
    st.sampled_from([{"grand_total": {"gte": 50}}, None]).map(lambda wanted: {"conditions": wanted}),
    st.sampled_from([0, 20, 365]).map(lambda days: {"skip_orders_older_than": days}),
)
NUMBERS = st.integers(1, 8)
HAPPENINGS = st.one_of(
    st.tuples(
        st.just("order"),
        st.sampled_from(SOURCES),
        NUMBERS,
        st.sampled_from(list(STEPS)),
        st.sampled_from(VIEWS),
        st.sampled_from([10.0, 100.0]),
    ),
    st.tuples(
        st.just("order"),
        st.just("eu"),
        NUMBERS,
        st.just("complete"),
        st.sampled_from(VIEWS),
        st.sampled_from([10.0, 100.0]),
    ),
    st.tuples(st.just("step"), NUMBERS, st.sampled_from(list(STEPS))),
    st.tuples(st.just("rule"), st.sampled_from(KEYS), CHANGES),
    st.tuples(st.just("priority"), st.sampled_from(KEYS), st.integers(-1, 1)),
    st.tuples(st.just("enabled"), st.sampled_from(KEYS)),
    st.tuples(st.just("present"), st.sampled_from(KEYS)),
    st.tuples(st.just("rename"), st.sampled_from(KEYS), st.sampled_from(["One", "Two"])),
    st.tuples(st.just("source"), st.sampled_from(KEYS)),
    st.tuples(st.just("days"), st.sampled_from([1, 2, 4, 8])),
)
CHAPTERS = st.lists(st.lists(HAPPENINGS, min_size=1, max_size=3), min_size=2, max_size=6)


class Story:
    """The present: files as they should be now, and the clock. Orders are listed in the order they came."""

    def __init__(self) -> None:
        self.now = NOW
        self.documents = {key: account(key, orders="eu") for key in KEYS}
        self.absent: set[str] = {"101"}
        self.lines: dict[str, list[dict[str, Any]]] = {"eu": [], "us": []}
        self.fresh: dict[str, list[dict[str, Any]]] = {"eu": [], "us": []}

    def tell(self, happening: tuple[Any, ...]) -> None:
        """Let this happen."""
        kind, *values = happening
        getattr(self, f"_{kind}")(*values)

    def accounts(self) -> list[dict[str, Any]]:
        """The documents of the files, which leave out what is ``None``."""
        found = []
        for key, document in self.documents.items():
            if key not in self.absent:
                whole = copy.deepcopy(document)
                rule = whole["invitations"]
                whole["invitations"] = {name: value for name, value in rule.items() if value is not None}
                found.append(whole)
        return found

    def last(self, source: str) -> dict[int, dict[str, Any]]:
        """The last version of every order."""
        return {each["entity_id"]: each for each in self.lines[source]}

    def write(self, loop: Loop, way: str) -> None:
        """Bring the files up to date: by new lines, or as new files with each order's last version only."""
        loop.write_accounts(self.accounts())
        for source in SOURCES:
            if way == "append" and self.fresh[source]:
                loop.append_orders(self.fresh[source], f"{source}.jsonl")
            elif way == "rewrite":
                loop.write_orders(self.last(source).values(), f"{source}.jsonl")

    def told(self) -> None:
        """Everything new is written."""
        self.fresh = {source: [] for source in SOURCES}

    def _line(self, source: str, line: dict[str, Any]) -> None:
        self.lines[source].append(line)
        self.fresh[source].append(line)

    def _order(self, source: str, key: int, step: str, view: str, total: float) -> None:
        if key in self.last(source):
            return
        state, status = STEPS[step]
        number = f"{'EU' if source == 'eu' else 'US'}{key:07d}"
        age = (NOW - self.now) / DAY
        whole = order(key, age=age + 4, reached=age + 2, increment_id=number, state=state, status=status)
        self._line(source, whole | {"store_code": view, "grand_total": total})

    def _step(self, key: int, step: str) -> None:
        for source in SOURCES:
            known = self.last(source).get(key)
            if known is not None:
                state, status = STEPS[step]
                self._line(source, known | {"state": state, "status": status, "updated_at": text(self.now)})

    def _rule(self, key: str, change: dict[str, Any]) -> None:
        self.documents[key]["invitations"] |= change

    def _priority(self, key: str, priority: int) -> None:
        self.documents[key]["priority"] = priority

    def _enabled(self, key: str) -> None:
        rule = self.documents[key]["invitations"]
        rule["enabled"] = not rule["enabled"]

    def _present(self, key: str) -> None:
        self.absent ^= {key}

    def _rename(self, key: str, word: str) -> None:
        self.documents[key]["name"] = f"{word} {key}"

    def _source(self, key: str) -> None:
        self.documents[key]["orders"] = "us" if self.documents[key]["orders"] == "eu" else "eu"

    def _days(self, days: int) -> None:
        self.now += days * DAY


def shop_of(root: Any, sandbox: Any) -> Loop:
    """A project with two order sources, both empty."""
    loop = Loop(root, sandbox, orders={name: {"file": f"{name}.jsonl"} for name in SOURCES})
    for name in SOURCES:
        loop.write_orders([], f"{name}.jsonl")
    return loop
