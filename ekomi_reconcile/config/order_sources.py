"""Kinds of order sources, and their settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Final, TypeAlias

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.errors import ConfigurationError
from ekomi_reconcile.model.keys import Declared, Json, Key, Recorded, build, key

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS: Final = "ekomi_reconcile.order_sources"
"""An entry point is named like its key under ``orders:`` and leads to an ``orders.source.SourceType``."""

FOREIGN_ERRORS: Final = (
    *(ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError),
    *(NameError, OSError, ReferenceError, RuntimeError, SyntaxError, TypeError, ValueError),
)
"""What code of another package may raise: every kind of exception of Python itself."""

BUILT_IN: Final[Mapping[str, str]] = {
    "magento": "ekomi_reconcile.orders.kinds:MAGENTO",
    "file": "ekomi_reconcile.orders.kinds:FILE",
}
"""What the package itself registers: known also where it is imported without being installed."""


@cache
def source_kinds() -> Mapping[str, EntryPoint]:
    """Every kind with its entry point; nothing is imported. Built-in kinds cannot be replaced.

    Raises:
        ConfigurationError: two packages register the same kind.
    """
    from importlib.metadata import EntryPoint, entry_points

    found = {name: EntryPoint(name, value, ENTRY_POINTS) for name, value in BUILT_IN.items()}
    for each in entry_points(group=ENTRY_POINTS):
        known = found.setdefault(each.name, each)
        if each.name not in BUILT_IN and known.value != each.value:
            raise ConfigurationError(
                f"two packages register the order source kind `{each.name}`: {known.value} and {each.value}",
                hint="uninstall one of them",
            )
    return found


def load_kind(kind: str) -> Any:
    """The ``SourceType`` of this kind.

    Raises:
        ConfigurationError: no package registers it, or it cannot be imported.
    """
    if kind in BUILT_IN:  # without the metadata of installed packages: reading that is slow
        module, _, name = BUILT_IN[kind].partition(":")
        return getattr(import_module(module), name)
    entry = source_kinds().get(kind)
    if entry is None:
        raise ConfigurationError(
            f"unknown order source kind `{kind}`; known kinds: {', '.join(source_kinds())}",
            hint=f"install the package that registers `{kind}`",
        )
    try:
        return entry.load()
    except FOREIGN_ERRORS as error:
        raise ConfigurationError(
            f"the order source kind `{kind}` cannot be imported from {entry.value}: "
            f"{type(error).__name__}: {error}",
            hint="repair or upgrade the package that registers it",
        ) from None


def registered_keys() -> Iterator[Declared]:
    """The keys under ``orders:`` that other packages register.

    Of a kind that cannot be imported every value is taken: opening the source raises the error.
    """
    for kind in source_kinds():
        if kind not in BUILT_IN:
            yield _declared(kind)


def _declared(kind: str) -> Declared:
    settings: Any = dict
    try:
        settings = load_kind(kind).settings
    except ConfigurationError:
        description = "A kind of another package, which cannot be imported."
    else:
        description = (settings.__doc__ or f"Settings of {kind}.").partition("\n\n")[0]
    key = Key(description=description, absent="another kind is given")
    return Declared(name=kind, attribute=kind, key=key, type=settings, kind=None, default=None)


_ALWAYS: Final = Recorded.ALWAYS
_NEVER: Final = Recorded.NEVER

DEFAULT_SOURCE = "default"
"""The name of the order source in the short form of ``orders:``."""


class SourceKind(StrEnum):
    """Where orders are read."""

    MAGENTO = "magento"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthSettings:
    """The four values of a Magento integration, each as a reference."""

    consumer_key: keys.SecretReference = key(
        "The integration's consumer key.", recorded=_ALWAYS, examples=("${env:MAGENTO_CONSUMER_KEY}",)
    )
    consumer_secret: keys.SecretReference = key(
        "The integration's consumer secret.", recorded=_ALWAYS, examples=("${env:MAGENTO_CONSUMER_SECRET}",)
    )
    access_token: keys.SecretReference = key(
        "The integration's access token.", recorded=_ALWAYS, examples=("${env:MAGENTO_ACCESS_TOKEN}",)
    )
    access_token_secret: keys.SecretReference = key(
        "The integration's access token secret.",
        recorded=_ALWAYS,
        examples=("${env:MAGENTO_ACCESS_TOKEN_SECRET}",),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MagentoSettings:
    """A Magento shop, read through its REST interface."""

    ONE_OF: ClassVar = ("token", "oauth")

    base_url: keys.BaseUrl = key("Address of the shop, without /rest.", recorded=_ALWAYS)
    allow_http: bool = key(
        "Allows an address with http:// beyond this machine: the token and customers' addresses are then "
        "sent unencrypted.",
        default=False,
        recorded=_NEVER,
    )
    token: keys.SecretReference | None = key(
        "Reference to the access token of an integration.",
        default=None,
        recorded=_ALWAYS,
        absent="`oauth` is needed",
        examples=("${env:MAGENTO_TOKEN}",),
    )
    oauth: OAuthSettings | None = key(
        "The four values of an integration, each as a reference, instead of a token.",
        default=None,
        recorded=_ALWAYS,
        absent="`token` is needed",
    )
    annotate: bool = key(
        "Writes a comment into the order in the shop when it is invited.",
        default=False,
        recorded=_ALWAYS,
    )
    parallelism: Annotated[int, keys.Whole(low=1, high=16)] = key(
        "Requests at the same time. There are fewer while the shop is slow, or answers 429 or 503.",
        default=2,
        recorded=_NEVER,
    )


def _by_id(names: Mapping[str, str]) -> dict[int, str]:
    return {int(number): name for number, name in names.items()}


def _ids(names: Mapping[int, str]) -> dict[str, str]:
    return {str(number): name for number, name in names.items()}


_Ids: TypeAlias = Annotated[Mapping[int, str], keys.Format(name="ids", parse=_by_id, form=_ids)]

_ADDRESS: Final = (
    *("email", "firstname", "lastname", "company", "vat_id", "telephone"),
    *("city", "region", "postcode", "country_id"),
)
ORDER_FIELDS: Final = (
    *("entity_id", "increment_id", "created_at", "updated_at", "state", "status"),
    *("store_id", "store_code", "customer_group_id", "customer_group"),
    *("customer_id", "customer_is_guest", "customer_email", "customer_firstname", "customer_lastname"),
    *("grand_total", "base_grand_total", "subtotal", "base_subtotal", "discount_amount", "shipping_amount"),
    *("total_paid", "total_refunded", "total_qty_ordered", "total_item_count", "weight"),
    *("order_currency_code", "coupon_code", "is_virtual", "payment_method", "shipping_method"),
    *(f"{where}_address.{name}" for where in ("billing", "shipping") for name in _ADDRESS),
    *("invoices.created_at", "shipments.created_at"),
    *(f"items.{name}" for name in ("item_id", "product_id", "product_type", "sku", "name", "price")),
    *(f"items.{name}" for name in ("qty_ordered", "qty_refunded", "qty_canceled", "row_total")),
)
"""The fields of an order, as paths, that `columns` may lead to columns of a CSV file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileColumn:
    """A column of a CSV file, and how its cells are written."""

    column: keys.Name = key("Title of the column, as in the first line of the file.", examples=("Status",))
    format: keys.Name | None = key(
        "How times are written, in the letters of strptime: %Y year, %m month, %b its short English name, %d "
        "day, %H or %I hour, %M minute, %S second, %p AM or PM, %z offset.",
        default=None,
        absent="as 2026-01-31 23:59:59, with an offset or without",
        examples=("%b %d, %Y %I:%M:%S %p",),
    )
    values: Annotated[Mapping[str, str], keys.Format(name="words")] = key(
        "Words of the file, and what each means here. Case and repeated whitespace do not count; other words "
        "are taken as they are.",
        factory=dict,
        absent="words are taken as they are",
        examples=({"fulfilled": "complete"},),
    )

    def canonical(self) -> Json:
        """What is recorded of it: the title alone, where there is no more."""
        found = keys.canonical(self)
        return found if len(found) > 1 else self.column


def _columns(written: Mapping[str, Any]) -> dict[str, FileColumn]:
    return {
        name: build(FileColumn, {"column": each} if isinstance(each, str) else each)
        for name, each in written.items()
    }


def _column_forms(columns: Mapping[str, FileColumn]) -> dict[str, Json]:
    return {name: column.canonical() for name, column in sorted(columns.items())}


class DecimalMark(StrEnum):
    """What separates the cents."""

    POINT = "."
    COMMA = ","


class ItemRows(StrEnum):
    """Where the items of an order are in a CSV file."""

    IN_ORDER = "in_order"
    PER_ROW = "per_row"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSettings:
    """How a CSV file of another system is read."""

    columns: Mapping[str, FileColumn] = field(default_factory=dict)
    decimal: DecimalMark = DecimalMark.POINT
    timezone: str = "UTC"
    per_row: bool = False

    @property
    def is_plain(self) -> bool:
        """Is the file in Magento's own shape?"""
        return self == _PLAIN


_PLAIN: Final = TableSettings()


@dataclass(frozen=True, slots=True)
class FileSettings:
    """An order file: where it is, relative to the project file, and how it is read."""

    path: str
    table: TableSettings = _PLAIN


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersSettings:
    """Where orders are read: a shop or a file.

    ``name`` is how the project file calls the source; ``registered`` has the settings, as the file writes
    them, of a kind that another package registers. ``file`` is relative to the project file. ``stores`` and
    ``customer_groups`` turn ids into codes and names where an order has only ids.
    """

    SCHEMA: ClassVar = "OrderSource"
    ONE_OF: ClassVar = ("magento", "file")

    name: str
    registered: Mapping[str, Json] = field(default_factory=dict)
    magento: MagentoSettings | None = key(
        "A Magento shop, read through its REST interface.",
        default=None,
        recorded=_ALWAYS,
        absent="`file` is needed",
    )
    file: keys.Location | None = key(
        "A file of Magento-shaped orders as JSONL, JSON or CSV, relative to the project file.",
        default=None,
        recorded=_ALWAYS,
        absent="`magento` is needed",
        examples=("orders.jsonl",),
    )
    columns: Annotated[
        Mapping[str, FileColumn], keys.Format(name="columns", parse=_columns, form=_column_forms)
    ] = key(
        "Of a CSV file whose columns have other titles than Magento's fields: the field, and the title of "
        "its column. Without entity_id an order is known by its increment_id. A column for "
        "consent is extension_attributes.NAME. `orders inspect FILE` prints a mapping.",
        factory=dict,
        absent="columns are called like the fields",
        examples=({"increment_id": "Name", "status": {"column": "Status", "values": {"sent": "complete"}}},),
    )
    decimal: DecimalMark = key(
        "What separates the cents in numbers of a CSV file; the other mark, spaces and currencies are "
        "ignored.",
        default=DecimalMark.POINT,
        labels=("A point, as in 1,234.50.", "A comma, as in 1.234,50."),
    )
    timezone: keys.Zone | None = key(
        "Time zone of times without an offset in a CSV file. A time that occurs twice, when clocks are set "
        "back, is the earlier one.",
        default=None,
        absent="UTC",
        examples=("Europe/Berlin",),
    )
    items: ItemRows = key(
        "Whether a CSV file has one row per order, or one per item.",
        default=ItemRows.IN_ORDER,
        labels=(
            "One row per order, its items as JSON in a column `items`.",
            "One row per item; the rows of an order follow each other.",
        ),
    )
    stores: _Ids = key(
        "Store ids to store view codes, for orders that have an id only.",
        factory=dict,
        recorded=_ALWAYS,
        absent="orders have their code",
        examples=({"1": "de"},),
    )
    customer_groups: _Ids = key(
        "Customer group ids to names, for orders that have an id only.",
        factory=dict,
        recorded=_ALWAYS,
        absent="orders have their group's name",
        examples=({"4": "VIP"},),
    )

    @property
    def kind(self) -> str:
        """Where these orders are read: a ``SourceKind``, or one that another package registers."""
        for kind in self.registered:
            return kind
        return SourceKind.FILE if self.magento is None else SourceKind.MAGENTO

    @property
    def settings(self) -> Any:
        """What is set for this kind: a record, or of a registered kind what the file has."""
        if self.registered or self.file is None:
            return self.registered[self.kind] if self.registered else self.magento
        return FileSettings(self.file, self.table)

    @property
    def table(self) -> TableSettings:
        """How a CSV file is read."""
        return TableSettings(
            columns=self.columns,
            decimal=self.decimal,
            timezone=self.timezone or _PLAIN.timezone,
            per_row=self.items is ItemRows.PER_ROW,
        )

    def canonical(self) -> dict[str, Json]:
        """What is recorded of it, as JSON values."""
        return {"name": self.name, "kind": str(self.kind), **keys.canonical(self), **self.registered}


_SOURCE_KEYS: Final = tuple(each.name for each in keys.keys(OrdersSettings))


def sources_of(written: Mapping[str, Any]) -> dict[str, OrdersSettings]:
    """The order sources of the short form (one source), or of the long one (sources by name)."""
    if any(each in written for each in (*_SOURCE_KEYS, *source_kinds())):
        written = {DEFAULT_SOURCE: written}
    return {name: _source(name, source) for name, source in written.items()}


def _source(name: str, written: Mapping[str, Any]) -> OrdersSettings:
    registered = {key: value for key, value in written.items() if key not in _SOURCE_KEYS}
    own = {key: value for key, value in written.items() if key in _SOURCE_KEYS}
    return build(OrdersSettings, {"name": name, "registered": registered, **own})


def source_forms(sources: Mapping[str, OrdersSettings]) -> dict[str, Json]:
    return {name: source.canonical() for name, source in sources.items()}
