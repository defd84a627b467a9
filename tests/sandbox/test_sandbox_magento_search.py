"""searchCriteria against SQLite running the same conditions, and the parsing of the criteria themselves."""

import sqlite3
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiers import examples

from ekomi_reconcile.sandbox.magento.criteria import (
    ColumnFilter,
    ColumnKind,
    Criteria,
    Sort,
    condition,
    parse_criteria,
    parse_query,
)
from ekomi_reconcile.sandbox.magento.render import Broken, RequestRejected
from ekomi_reconcile.sandbox.magento.settings import PastTheEnd
from ekomi_reconcile.sandbox.magento.shop import SimulatedShop
from ekomi_reconcile.sandbox.magento.table import ORDERS, Table

TIMES = [f"2026-11-23 14:00:0{second}" for second in range(5)]
COLUMNS = ("entity_id", "store_id", "status", "updated_at")
OPERATORS = {
    "eq": "=", "neq": "<>", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "from": ">=", "to": "<=",
    "like": "LIKE", "nlike": "NOT LIKE", "moreq": "=", "bogus": "=",
}  # fmt: skip

rows = st.lists(
    st.fixed_dictionaries(
        {
            "store_id": st.none() | st.integers(0, 4),
            "status": st.none() | st.sampled_from(["new", "NEW", "complete", "closed", "a b"]),
            "updated_at": st.sampled_from(TIMES),
        }
    ),
    max_size=30,
)
values = {
    "entity_id": st.integers(-1, 32).map(str),
    "store_id": st.integers(-1, 5).map(str),
    "status": st.sampled_from(["new", "Complete", "c%", "%e%", "_ew", "", "a b"]),
    "updated_at": st.sampled_from(TIMES),
}
conditions = st.sampled_from([*OPERATORS, "in", "nin", "null", "notnull"])


@st.composite
def filters(draw: st.DrawFn) -> ColumnFilter:
    field = draw(st.sampled_from(COLUMNS))
    name = draw(conditions)
    value = draw(values[field])
    if name in {"in", "nin"}:
        value = ",".join(draw(st.lists(values[field].filter(bool), min_size=1, max_size=4)))
    return ColumnFilter(field, value, name)


criterias = st.builds(
    Criteria,
    st.lists(st.lists(filters(), min_size=1, max_size=3).map(tuple), max_size=3).map(tuple),
    st.lists(
        st.builds(Sort, st.sampled_from(COLUMNS), st.sampled_from(["ASC", "DESC", None])), max_size=2
    ).map(tuple),
    st.none() | st.integers(0, 7),
    st.none() | st.integers(0, 5),
)


def _sql(entry: ColumnFilter) -> tuple[str, list[Any]]:
    typed: Any = int if entry.field in {"entity_id", "store_id"} else str
    column = f"{entry.field} COLLATE NOCASE" if entry.field == "status" else entry.field
    value = entry.value or ""
    if entry.condition in {"null", "notnull"}:
        return f"{column} IS {'NOT ' if entry.condition == 'notnull' else ''}NULL", []
    if entry.condition in {"in", "nin"}:
        members = [typed(member) for member in value.split(",")]
        marks = ",".join("?" * len(members))
        return f"{column} {'NOT ' if entry.condition == 'nin' else ''}IN ({marks})", members
    operator = OPERATORS[entry.condition]
    return f"{column} {operator} ?", [value if "LIKE" in operator else typed(value)]


def _oracle(table: list[dict[str, Any]], criteria: Criteria) -> tuple[list[int], int]:
    """Ids of the page and the count, by SQLite."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE o (entity_id INTEGER, store_id INTEGER, status TEXT, updated_at TEXT)")
    connection.executemany("INSERT INTO o VALUES (:entity_id, :store_id, :status, :updated_at)", table)
    parts = [[_sql(entry) for entry in group] for group in criteria.groups]
    where = " AND ".join(f"({' OR '.join(text for text, _ in group)})" for group in parts) or "1"
    given_values = [value for group in parts for _, given in group for value in given]
    order = [
        f"{s.field} {'COLLATE NOCASE ' if s.field == 'status' else ''}{s.direction or 'DESC'}"
        for s in criteria.sorts
    ]
    query = f"SELECT entity_id FROM o WHERE {where} ORDER BY {', '.join([*order, 'entity_id ASC'])}"
    ids = [row[0] for row in connection.execute(query, given_values)]
    connection.close()
    if criteria.page_size:
        start = (max(criteria.current_page or 1, 1) - 1) * criteria.page_size
        return ids[start : start + criteria.page_size], len(ids)
    return ids, len(ids)


@settings(max_examples=examples(150), deadline=None)
@given(rows, criterias)
def test_a_search_finds_what_a_database_finds(given_rows: list[dict[str, Any]], criteria: Criteria) -> None:
    """Any combination of groups, sort orders and pages gives the rows and the count SQLite gives."""
    table = [row | {"entity_id": i} for i, row in enumerate(given_rows, 1)]
    page = Table(ORDERS, rows=[{k: v for k, v in row.items() if v is not None} for row in table]).search(
        criteria
    )
    assert ([row["entity_id"] for row in page.rows], page.total) == _oracle(table, criteria)


bounds = st.builds(
    ColumnFilter,
    st.just("updated_at"),
    st.sampled_from([*TIMES, "2026-11-23T14:00:02Z", "2026-11-23", "nonsense"]),
    st.sampled_from(["gt", "gteq", "from", "lt", "lteq", "to", "eq"]),
) | st.builds(
    ColumnFilter,
    st.just("entity_id"),
    st.integers(-1, 12).map(str),
    st.sampled_from(["gt", "gteq", "from", "lt", "lteq", "to", "eq"]),
)


@settings(max_examples=examples(150), deadline=None)
@given(rows, st.lists(bounds, min_size=1, max_size=3))
def test_windows_are_cut_exactly(given_rows: list[dict[str, Any]], window: list[ColumnFilter]) -> None:
    """Bounds on id and time, which use the indexes, keep and drop the same rows as a plain scan."""
    table = [row | {"entity_id": i} for i, row in enumerate(given_rows, 1)]
    tests = [condition(ORDERS[f.field or ""].kind, f.condition, f.value) for f in window]
    wanted = [
        row["entity_id"] for row in table if all(t(row[f.field]) for t, f in zip(tests, window, strict=True))
    ]
    found = Table(ORDERS, rows=table).search(Criteria(tuple((f,) for f in window)))
    assert [row["entity_id"] for row in found.rows] == wanted


@settings(max_examples=examples(60), deadline=None)
@given(rows, st.lists(st.tuples(st.integers(1, 30), st.sampled_from(TIMES)), max_size=20), criterias)
def test_indexes_follow_changes(
    given_rows: list[dict[str, Any]], changes: list[tuple[int, str]], criteria: Criteria
) -> None:
    """After rows changed or came in, a search gives what a table built afresh gives."""
    table = Table(ORDERS, rows=[row | {"entity_id": i} for i, row in enumerate(given_rows, 1)])
    for number, moment in changes:
        row = table.get(number) or {"entity_id": number, "store_id": 1, "status": "new"}
        row["updated_at"] = moment
        table.put(row)
    assert table.search(criteria) == Table(ORDERS, rows=list(table)).search(criteria)


def test_past_the_end_is_empty_or_the_last_page_again() -> None:
    """2.4 sends no rows, 2.3 repeats the last page; the count is true in both."""
    table = Table(ORDERS, rows=[{"entity_id": i} for i in range(1, 6)])
    criteria = Criteria(page_size=2, current_page=9)
    assert table.search(criteria).rows == []
    repeated = table.search(criteria, PastTheEnd.REPEAT)
    assert ([row["entity_id"] for row in repeated.rows], repeated.total) == ([5], 5)


@pytest.mark.parametrize(
    ("kind", "name", "value", "cell", "holds"),
    [
        (ColumnKind.NUMBER, "in", "", 0, False),
        (ColumnKind.NUMBER, "eq", "12abc", 12, True),
        (ColumnKind.NUMBER, "eq", None, 0, False),
        (ColumnKind.TEXT, "eq", "muller ", "Müller", True),
        (ColumnKind.TEXT, "finset", "3", "1,3", True),
        (ColumnKind.TEXT, "finset", "3", "13", False),
        (ColumnKind.TEXT, "nfinset", "3", None, False),
        (ColumnKind.TEXT, "nlike", "a%", None, False),
        (ColumnKind.TEXT, "like", r"50\%", "50%", True),
        (ColumnKind.TEXT, "like", r"50\%", "501", False),
        (ColumnKind.TEXT, "regexp", "^M.+r$", "Müller", True),
        (ColumnKind.TEXT, "seq", "", None, True),
        (ColumnKind.TEXT, "sneq", "", None, False),
        (ColumnKind.TIME, "gt", "yesterday", "2026-11-23 14:00:00", True),
        (ColumnKind.TIME, "gteq", "2026-11-23T14:00:00+02:00", "2026-11-23 14:00:00", True),
        (ColumnKind.TIME, "gt", "2026-11-23T14:00:00Z", "2026-11-23 14:00:00", False),
        (ColumnKind.TIME, "lt", "2026-11-24", "2026-11-23 23:59:59", True),
        (ColumnKind.NUMBER, "ntoa", "10.0.%", 167772161, True),
    ],
)
def test_a_condition_follows_the_database(
    kind: ColumnKind, name: str, value: str | None, cell: Any, holds: bool
) -> None:
    """NULL rules, numbers from text, folded text, times without zone."""
    assert condition(kind, name, value)(cell) is holds


@pytest.mark.parametrize(
    "entry", [ColumnFilter(None, "1"), ColumnFilter("nonsense", "1"), ColumnFilter("status", "x", "is")]
)
def test_broken_sql_is_a_masked_failure(entry: ColumnFilter) -> None:
    """A filter without a known column, or one that is no SQL, breaks the request."""
    with pytest.raises(Broken):
        Table(ORDERS).search(Criteria(((entry,),)))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", '"%fieldName" is required. Enter and try again.'),
        ("searchCriteria[foo_bar]=1", '"%fieldName" is not supported. Correct the field name and try again.'),
        ("searchCriteria[filter_groups][0][filters][0][nope]=1", '"%fieldName" is not supported.'),
        ("searchCriteria[pageSize][0]=1", 'Error occurred during "pageSize" processing. The "array"'),
        ("searchCriteria[sortOrders][0][direction]=up", "The sort order has to be specified as %1"),
    ],
)
def test_criteria_that_cannot_be_read_are_refused(query: str, message: str) -> None:
    """400 with the message of the input processor."""
    with pytest.raises(RequestRejected) as refused:
        parse_criteria(parse_query(query))
    assert refused.value.status == 400
    assert refused.value.message.startswith(message)


def test_brackets_nest_as_in_php() -> None:
    """Empty brackets append, the last value of a key wins, dots in names become underscores."""
    query = "a[b][]=1&a[b][]=2&a[b][7]=x&a[b][]=3&c.d=1&c.d=2&e&f=%2B+"
    assert parse_query(query) == {
        "a": {"b": {"0": "1", "1": "2", "7": "x", "8": "3"}},
        "c_d": "2",
        "e": "",
        "f": "+ ",
    }


def test_twenty_thousand_orders_are_read_page_by_page_quickly() -> None:
    """Keyset pages of 100 over 20,000 orders take a few milliseconds each."""
    moments = [f"2026-11-{1 + i // 1000:02d} {i % 24:02d}:00:00" for i in range(20_000)]
    shop = SimulatedShop.from_orders(
        {"entity_id": i + 1, "created_at": t, "updated_at": t} for i, t in enumerate(moments)
    )
    sorts = (Sort("updated_at", "ASC"), Sort("entity_id", "ASC"))
    bound, last, seen = "2026-11-19 00:00:00", 0, 0
    started = time.perf_counter()
    while True:
        keyset = (ColumnFilter("updated_at", bound, "gt"), ColumnFilter("entity_id", str(last), "gt"))
        groups = ((ColumnFilter("updated_at", bound, "gteq"),), keyset)
        page = shop.orders.search(Criteria(groups, sorts, 100, 1))
        seen += len(page.rows)
        if len(page.rows) < 100:
            break
        bound, last = page.rows[-1]["updated_at"], page.rows[-1]["entity_id"]
    assert seen == 2000
    assert time.perf_counter() - started < 2
