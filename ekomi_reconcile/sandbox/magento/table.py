"""Tables of the shop.

Orders know every column of `sales_order`, also those elsewhere in the JSON, such as `shipping_method`.
"""

import bisect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ekomi_reconcile.sandbox.magento import criteria as magento_criteria
from ekomi_reconcile.sandbox.magento.render import Broken
from ekomi_reconcile.sandbox.magento.settings import PastTheEnd

Row = dict[str, Any]
_PHP_INT_MAX = 2**63 - 1
_LOWER, _UPPER = {"gt", "gteq", "from"}, {"lt", "lteq", "to"}


@dataclass(frozen=True, slots=True)
class TableColumn:
    """Where a column's cell is in the row, and how it compares."""

    kind: magento_criteria.ColumnKind
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class TablePage:
    """The rows of one page and the number of all that match."""

    rows: list[Row]
    total: int


class Table:
    """Rows with a unique integer key; `columns` are those a filter or a sort order may name."""

    def __init__(
        self, columns: Mapping[str, TableColumn], key: str = "entity_id", rows: Iterable[Row] = ()
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

    def search(
        self, criteria: magento_criteria.Criteria, past_the_end: PastTheEnd = PastTheEnd.EMPTY
    ) -> TablePage:
        """The page the criteria ask for.

        Raises Broken when a filter or sort order names no column of the table.
        """
        groups = [[self._test(f) for f in group] for group in criteria.groups if group]
        rows = [row for row in self._candidates(criteria) if all(any(t(row) for t in g) for g in groups)]
        self._sort(rows, criteria.sorts)
        return TablePage(_slice(rows, criteria, past_the_end), len(rows))

    def _time(self, row: Row) -> str:
        return str(row.get("updated_at") or "")

    def _cell(self, name: str) -> TableColumn:
        if name not in self.columns:
            raise Broken
        return self.columns[name]

    def _test(self, entry: magento_criteria.ColumnFilter) -> magento_criteria.Test:
        if entry.field is None:
            raise Broken
        column = self._cell(entry.field)
        test = magento_criteria.condition(column.kind, entry.condition, entry.value)
        if len(column.path) == 1:
            name = column.path[0]
            return lambda row: test(row.get(name))
        return lambda row: test(_at(row, column.path))

    def _sort(self, rows: list[Row], sorts: Sequence[magento_criteria.Sort]) -> None:
        """Stable sort from the last level to the first; NULL comes before every value."""
        for level in reversed(sorts):
            if level.field is None:
                continue
            column = self._cell(level.field)
            of = magento_criteria.normal(column.kind)

            def cell(row: Row, path: tuple[str | int, ...] = column.path, of: Any = of) -> tuple[bool, Any]:
                value = _at(row, path)
                return (False, 0) if value is None else (True, of(value))

            ascending = sorted(rows, key=cell, reverse=level.direction != "ASC")
            rows[:] = ascending

    def _candidates(self, criteria: magento_criteria.Criteria) -> list[Row]:
        """Rows within the id and time bounds that whole groups set, in id order."""
        lone = [group[0] for group in criteria.groups if len(group) == 1 and group[0].value is not None]
        low, high = self._id_window([f for f in lone if f.field == self.key])
        first, last = self._time_window([f for f in lone if f.field == "updated_at"])
        if high - low <= last - first:
            return [self._rows[i] for i in self._ids[low:high]]
        return [self._rows[i] for i in sorted(i for _, i in self._times[first:last])]

    def _id_window(self, filters: list[magento_criteria.ColumnFilter]) -> tuple[int, int]:
        low, high = 0, len(self._ids)
        for entry in filters:
            bound = magento_criteria.number(entry.value)
            if entry.condition in _LOWER:
                low = max(low, bisect.bisect_left(self._ids, bound))
            elif entry.condition in _UPPER:
                high = min(high, bisect.bisect_right(self._ids, bound))
        return low, max(low, high)

    def _time_window(self, filters: list[magento_criteria.ColumnFilter]) -> tuple[int, int]:
        low, high = 0, len(self._times)
        for entry in filters:
            bound = magento_criteria.moment(entry.value)
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


def _slice(rows: list[Row], criteria: magento_criteria.Criteria, past_the_end: PastTheEnd) -> list[Row]:
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


_NUMBERS = """
    adjustment_negative adjustment_positive base_adjustment_negative base_adjustment_positive
    base_discount_amount base_discount_canceled base_discount_invoiced base_discount_refunded
    base_discount_tax_compensation_amount base_discount_tax_compensation_invoiced
    base_discount_tax_compensation_refunded base_grand_total base_shipping_amount base_shipping_canceled
    base_shipping_discount_amount base_shipping_discount_tax_compensation_amnt base_shipping_incl_tax
    base_shipping_invoiced base_shipping_refunded base_shipping_tax_amount base_shipping_tax_refunded
    base_subtotal base_subtotal_canceled base_subtotal_incl_tax base_subtotal_invoiced
    base_subtotal_refunded base_tax_amount base_tax_canceled base_tax_invoiced base_tax_refunded
    base_to_global_rate base_to_order_rate base_total_canceled base_total_due base_total_invoiced
    base_total_invoiced_cost base_total_offline_refunded base_total_online_refunded base_total_paid
    base_total_qty_ordered base_total_refunded billing_address_id can_ship_partially
    can_ship_partially_item customer_gender customer_group_id customer_id customer_is_guest
    customer_note_notify discount_amount discount_canceled discount_invoiced discount_refunded
    discount_tax_compensation_amount discount_tax_compensation_invoiced
    discount_tax_compensation_refunded edit_increment email_sent entity_id forced_shipment_with_invoice
    gift_message_id grand_total is_virtual payment_auth_expiration payment_authorization_amount
    paypal_ipn_customer_notified quote_address_id quote_id send_email shipping_amount shipping_canceled
    shipping_discount_amount shipping_discount_tax_compensation_amount shipping_incl_tax
    shipping_invoiced shipping_refunded shipping_tax_amount shipping_tax_refunded store_id
    store_to_base_rate store_to_order_rate subtotal subtotal_canceled subtotal_incl_tax
    subtotal_invoiced subtotal_refunded tax_amount tax_canceled tax_invoiced tax_refunded total_canceled
    total_due total_invoiced total_item_count total_offline_refunded total_online_refunded total_paid
    total_qty_ordered total_refunded weight
"""
_TEXTS = """
    applied_rule_ids base_currency_code coupon_code coupon_rule_name customer_email customer_firstname
    customer_lastname customer_middlename customer_note customer_prefix customer_suffix customer_taxvat
    discount_description ext_customer_id ext_order_id global_currency_code hold_before_state
    hold_before_status increment_id order_currency_code original_increment_id protect_code
    relation_child_id relation_child_real_id relation_parent_id relation_parent_real_id remote_ip
    shipping_description state status store_currency_code store_name x_forwarded_for
"""
_SHIPPING: tuple[str | int, ...] = ("extension_attributes", "shipping_assignments", 0, "shipping")


def _columns(kind: magento_criteria.ColumnKind, names: str | Iterable[str]) -> dict[str, TableColumn]:
    listed = names.split() if isinstance(names, str) else names
    return {name: TableColumn(kind, (name,)) for name in listed}


_TIMES = _columns(magento_criteria.ColumnKind.TIME, "created_at updated_at")

ORDERS = (
    _columns(magento_criteria.ColumnKind.NUMBER, _NUMBERS)
    | _columns(magento_criteria.ColumnKind.TEXT, _TEXTS)
    | _columns(magento_criteria.ColumnKind.TIME, "created_at updated_at customer_dob")
    | {
        "shipping_method": TableColumn(magento_criteria.ColumnKind.TEXT, (*_SHIPPING, "method")),
        "shipping_address_id": TableColumn(
            magento_criteria.ColumnKind.NUMBER, (*_SHIPPING, "address", "entity_id")
        ),
    }
)
ITEMS = (
    _columns(
        magento_criteria.ColumnKind.NUMBER,
        "item_id order_id parent_item_id quote_item_id store_id product_id weight is_virtual qty_canceled "
        "qty_invoiced qty_ordered qty_refunded qty_shipped price base_price original_price row_total "
        "base_row_total discount_amount tax_amount",
    )
    | _columns(magento_criteria.ColumnKind.TEXT, "sku name product_type applied_rule_ids description")
    | _TIMES
)
DOCUMENTS = (
    _columns(
        magento_criteria.ColumnKind.NUMBER,
        "entity_id order_id store_id state grand_total base_grand_total total_qty email_sent "
        "billing_address_id shipping_address_id customer_id",
    )
    | _columns(
        magento_criteria.ColumnKind.TEXT, "increment_id order_currency_code base_currency_code transaction_id"
    )
    | _TIMES
)
GROUPS = _columns(magento_criteria.ColumnKind.NUMBER, "id tax_class_id") | _columns(
    magento_criteria.ColumnKind.TEXT, "code tax_class_name"
)
PRODUCTS = (
    {"entity_id": TableColumn(magento_criteria.ColumnKind.NUMBER, ("id",))}
    | _columns(magento_criteria.ColumnKind.NUMBER, "id attribute_set_id price status visibility weight")
    | _columns(magento_criteria.ColumnKind.TEXT, "sku name type_id")
    | _TIMES
)
CATEGORIES = (
    {"entity_id": TableColumn(magento_criteria.ColumnKind.NUMBER, ("id",))}
    | _columns(magento_criteria.ColumnKind.NUMBER, "id parent_id level position is_active")
    | _columns(magento_criteria.ColumnKind.TEXT, "name path")
    | _TIMES
)
ATTRIBUTE_SETS = _columns(
    magento_criteria.ColumnKind.NUMBER, "attribute_set_id sort_order entity_type_id"
) | _columns(magento_criteria.ColumnKind.TEXT, "attribute_set_name")
