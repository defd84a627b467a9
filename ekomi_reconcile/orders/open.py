"""Opening the order sources that a project names."""

from __future__ import annotations

from pathlib import Path

from ekomi_reconcile.config.settings import OrdersSettings, SourceKind
from ekomi_reconcile.errors import OrderSourceError
from ekomi_reconcile.orders.file import FileSource
from ekomi_reconcile.orders.source import OrderSource


def open_source(settings: OrdersSettings, *, root: Path) -> OrderSource:
    """The source that these settings describe; nothing is read yet.

    Raises:
        OrderSourceError: this kind of source cannot be opened.
    """
    if settings.kind is SourceKind.FILE and settings.file is not None:
        return FileSource(
            settings.name,
            root / settings.file,
            stores=settings.stores,
            customer_groups=settings.customer_groups,
        )
    raise OrderSourceError(
        f"order source {settings.name}: this version reads orders from files only",
        mend="export the orders to JSONL and name the file: orders: {file: orders.jsonl}",
    )
