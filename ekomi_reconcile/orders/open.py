"""Opening the order sources that a project names."""

from __future__ import annotations

from pathlib import Path

from ekomi_reconcile.config.cache import FOLDER
from ekomi_reconcile.config.settings import OrdersSettings, SourceKind
from ekomi_reconcile.ekomi.values import Stop
from ekomi_reconcile.errors import OrderSourceError
from ekomi_reconcile.orders.file import FileSource
from ekomi_reconcile.orders.source import OrderSource, Uses
from ekomi_reconcile.paths import local_path


def open_source(
    settings: OrdersSettings,
    *,
    root: Path,
    uses: Uses = lambda: None,
    stop: Stop | None = None,
) -> OrderSource:
    """The source that these settings describe; nothing is read yet.

    ``uses`` tells the attributes of orders that rules look at, with ``store_view`` and ``customer_group``
    among them (``None``: not known); a source that waits does so through ``stop``.

    Raises:
        OrderSourceError: the source cannot be opened.
    """
    if settings.kind is SourceKind.FILE and settings.file is not None:
        return FileSource(
            settings.name,
            local_path(
                settings.file,
                root=root,
                what=f"the path of the order file (orders: {settings.name})",
                error=OrderSourceError,
            ),
            stores=settings.stores,
            customer_groups=settings.customer_groups,
            uses=uses,
        )
    if settings.magento is not None:
        from ekomi_reconcile.orders.magento.opening import open_magento

        return open_magento(
            settings, settings.magento, root=root, cache=root / FOLDER, uses=uses(), stop=stop
        )
    raise OrderSourceError(f"order source {settings.name} is neither a shop nor a file")
