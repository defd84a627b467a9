"""What the products of invited orders are called at eKomi."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from ekomi_reconcile.model.product import OrderedProduct
from ekomi_reconcile.state.engine.session import Repository, chunks
from ekomi_reconcile.state.engine.tables import product

_c = product.c


class ProductRepository(Repository):
    """Products that customers were asked about, by account and id at eKomi."""

    def identifiers(self, interface_id: str, product_ids: Iterable[str]) -> dict[str, str]:
        """The shop's own identifiers by id at eKomi, of those that are recorded."""
        key = self._keys.of(interface_id)
        found: dict[str, str] = {}
        for chunk in chunks(product_ids):
            known = select(_c.product_id, _c.identifier).where(_c.account_id == key, _c.product_id.in_(chunk))
            found |= {row.product_id: row.identifier for row in self._session.rows(known)}
        return found

    def save(self, interface_id: str, products: Iterable[OrderedProduct]) -> None:
        """Record these products; the name of one that is recorded already is the latest.

        Raises:
            StateError: there is no such live account.
        """
        rows = {each.product_id: each for each in products}
        if not rows:
            return
        insert = self._session.dialect.insert(product)
        new = insert.excluded
        statement = insert.on_conflict_do_update(
            index_elements=["account_id", "product_id"],
            set_={"name": new.name},
            where=_c.name != new.name,
        )
        with self._session.joined():
            key = self._keys.of(interface_id)
            values = [
                {
                    "account_id": key,
                    "product_id": each.product_id,
                    "identifier": each.identifier,
                    "name": each.name,
                }
                for each in sorted(rows.values(), key=lambda each: each.product_id)
            ]
            self._session.execute(statement, values)
