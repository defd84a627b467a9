"""A searchable table: rows by id, an index on (updated_at, id), and searchCriteria run over both."""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ekomi_reconcile.sandbox.magento.conditions import Kind, Test, condition, moment, normal, number
from ekomi_reconcile.sandbox.magento.criteria import Criteria, Filter, Sort
from ekomi_reconcile.sandbox.magento.refusal import Broken
from ekomi_reconcile.sandbox.magento.settings import PastTheEnd

Row = dict[str, Any]
_PHP_INT_MAX = 2**63 - 1
_LOWER, _UPPER = {"gt", "gteq", "from"}, {"lt", "lteq", "to"}


@dataclass(frozen=True, slots=True)
class Column:
    """Where a column's cell is in the row, and how it compares."""

    kind: Kind
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of one page and the number of all that match."""

    rows: list[Row]
    total: int


class Table:
    """Rows with a unique integer key; `columns` are those a filter or a sort order may name."""

    def __init__(
        self, columns: Mapping[str, Column], key: str = "entity_id", rows: Iterable[Row] = ()
    ) -> None:
        self.columns = columns
        self.key = key
        self._rows: dict[int, Row] = {row[key]: row for row in rows}
        self._ids = sorted(self._rows)
        self._times = sorted((self._time(row), i) for i, row in self._rows.items())
        self._time_of = {i: time for time, i in self._times}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return (self._rows[i] for i in self._ids)

    def get(self, key: int) -> Row | None:
        return self._rows.get(key)

    def last_id(self) -> int:
        return self._ids[-1] if self._ids else 0

    def put(self, row: Row) -> None:
        """Insert a row, or bring the indexes up to date after it changed."""
        key = row[self.key]
        if key in self._rows:
            self._times.pop(bisect.bisect_left(self._times, (self._time_of[key], key)))
        else:
            bisect.insort(self._ids, key)
        self._rows[key] = row
        self._time_of[key] = self._time(row)
        bisect.insort(self._times, (self._time_of[key], key))

    def search(self, criteria: Criteria, past_the_end: PastTheEnd = PastTheEnd.EMPTY) -> Page:
        """The page the criteria ask for.

        Raises Broken when a filter or sort order names no column of the table.
        """
        groups = [[self._test(f) for f in group] for group in criteria.groups if group]
        rows = [row for row in self._candidates(criteria) if all(any(t(row) for t in g) for g in groups)]
        self._sort(rows, criteria.sorts)
        return Page(_slice(rows, criteria, past_the_end), len(rows))

    def _time(self, row: Row) -> str:
        return str(row.get("updated_at") or "")

    def _cell(self, name: str) -> Column:
        if name not in self.columns:
            raise Broken
        return self.columns[name]

    def _test(self, entry: Filter) -> Test:
        if entry.field is None:
            raise Broken
        column = self._cell(entry.field)
        test = condition(column.kind, entry.condition, entry.value)
        if len(column.path) == 1:
            name = column.path[0]
            return lambda row: test(row.get(name))
        return lambda row: test(_at(row, column.path))

    def _sort(self, rows: list[Row], sorts: Sequence[Sort]) -> None:
        """Stable sort from the last level to the first; NULL comes before every value."""
        for level in reversed(sorts):
            if level.field is None:
                continue
            column = self._cell(level.field)
            of = normal(column.kind)

            def cell(row: Row, path: tuple[str | int, ...] = column.path, of: Any = of) -> tuple[bool, Any]:
                value = _at(row, path)
                return (False, 0) if value is None else (True, of(value))

            ascending = sorted(rows, key=cell, reverse=level.direction != "ASC")
            rows[:] = ascending

    def _candidates(self, criteria: Criteria) -> list[Row]:
        """Rows within the id and time bounds that whole groups set, in id order."""
        lone = [group[0] for group in criteria.groups if len(group) == 1 and group[0].value is not None]
        low, high = self._id_window([f for f in lone if f.field == self.key])
        first, last = self._time_window([f for f in lone if f.field == "updated_at"])
        if high - low <= last - first:
            return [self._rows[i] for i in self._ids[low:high]]
        return [self._rows[i] for i in sorted(i for _, i in self._times[first:last])]

    def _id_window(self, filters: list[Filter]) -> tuple[int, int]:
        low, high = 0, len(self._ids)
        for entry in filters:
            bound = number(entry.value)
            if entry.condition in _LOWER:
                low = max(low, bisect.bisect_left(self._ids, bound))
            elif entry.condition in _UPPER:
                high = min(high, bisect.bisect_right(self._ids, bound))
        return low, max(low, high)

    def _time_window(self, filters: list[Filter]) -> tuple[int, int]:
        low, high = 0, len(self._times)
        for entry in filters:
            bound = moment(entry.value)
            if entry.condition in _LOWER:
                low = max(low, bisect.bisect_left(self._times, (bound,)))
            elif entry.condition in _UPPER:
                high = min(high, bisect.bisect_right(self._times, (bound, _PHP_INT_MAX)))
        return low, max(low, high)


def _at(row: Any, path: tuple[str | int, ...]) -> Any:
    """The member at a path of keys and positions, None where it ends early."""
    for step in path:
        try:
            row = row[step]
        except (KeyError, IndexError, TypeError):
            return None
    return row


def _slice(rows: list[Row], criteria: Criteria, past_the_end: PastTheEnd) -> list[Row]:
    """Size 0 or none is everything; sizes and pages below 1 count as 1; an offset PHP cannot hold is 0."""
    if not criteria.page_size:
        return rows
    size, page = max(criteria.page_size, 1), max(criteria.current_page or 1, 1)
    if past_the_end is PastTheEnd.REPEAT:
        page = min(page, max(-(-len(rows) // size), 1))
    offset = size * (page - 1)
    if offset > _PHP_INT_MAX:
        offset = 0
    return rows[offset : offset + size]
