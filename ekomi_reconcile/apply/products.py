"""Asking about the products of orders: names and pages from the shop, ids at eKomi, refusals of a tariff."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ekomi_reconcile.apply.context import Context
from ekomi_reconcile.apply.delivery import deliver
from ekomi_reconcile.apply.refusals import Ready
from ekomi_reconcile.ekomi.refusal_texts import refuses_account, refuses_products
from ekomi_reconcile.ekomi.wire import Receipt
from ekomi_reconcile.model import errors
from ekomi_reconcile.model.review import OrderedProduct, ProductDetails
from ekomi_reconcile.model.rule import Deliver, ProductIdentifier
from ekomi_reconcile.model.run import Done
from ekomi_reconcile.rules.order_fields import collisions, lacks_identifiers, products_of


@dataclass(slots=True)
class ProductReviews:
    """Adds products to invitations and hands them to eKomi. One per run.

    Accounts whose tariff refuses product reviews are asked about none for the rest of the run.
    """

    context: Context
    _known: dict[str, dict[str, str]] = field(default_factory=dict)
    _recorded: dict[str, set[OrderedProduct]] = field(default_factory=lambda: defaultdict(set))
    _put: dict[str, set[OrderedProduct]] = field(default_factory=lambda: defaultdict(set))
    _refused: set[str] = field(default_factory=set)
    _noted: set[tuple[str, str]] = field(default_factory=set)
    _refusals: list[tuple[Ready, errors.EkomiError]] = field(default_factory=list)

    def add(self, found: Sequence[Ready]) -> list[Ready]:
        """These with their products; where eKomi would take one for another, the invitation waits."""
        asked = [self._with_products(each) for each in found]
        kept = [each for each in asked if not each.products or self._is_distinct(each)]
        return self._with_details(kept)

    def record(self, chosen: Iterable[Ready]) -> None:
        """Keep what the products of these invitations are called at eKomi, before eKomi hears of them."""
        new: dict[str, set[OrderedProduct]] = defaultdict(set)
        for each in chosen:
            key = each.row.interface_id
            if each.products and key not in self._refused:
                new[key] |= set(each.products) - self._recorded[key]
        if any(new.values()):
            with self.context.state.transaction():
                for key, products in new.items():
                    self.context.state.products.save(key, products)
            for key, products in new.items():
                self._recorded[key] |= products

    def call(self, ready: Ready) -> Receipt:
        """Ask for the reviews of an order; without its products where eKomi refuses those. For any thread.

        The turn of one call was taken; every further one takes its own.

        Raises:
            EkomiError: what became of the request, by kind.
        """
        key = ready.row.interface_id
        account, products = self.context.accounts[key], ready.products
        clients = self.context.clients
        ask = partial(
            deliver,
            account=account,
            order=ready.order,
            channel=ready.channel,
            shop_name=ready.shop_name,
        )
        if not products or key in self._refused:
            return ask(clients.sender(key))
        try:
            if ready.channel is Deliver.LINK:
                self._register(key, products)
            return ask(clients.sender(key), products=products)
        except (errors.AccountRefused, errors.RequestRefused) as error:
            if not _about_products(error):
                raise
            refused = error
        receipt = ask(clients.reader(key))
        if refuses_account(_text(refused)):
            self._refused.add(key)
        self._refusals.append((ready, refused))
        return receipt

    def _register(self, key: str, products: Iterable[OrderedProduct]) -> None:
        """Register products, as far as this run has not done it."""
        client = self.context.clients.reader(key)
        for each in products:
            if each not in self._put[key]:
                client.put_product(each)
                self._put[key].add(each)

    def tell(self) -> None:
        """Put the refusals of products into the result, once per account."""
        while self._refusals:
            ready, error = self._refusals.pop()
            key, number = ready.row.interface_id, ready.row.number
            if self._first(key, "refused"):
                self.context.note_error(key, f"products of {number}", error)
                self.context.result.notes.append(
                    f"{self.context.name(key)}: eKomi refused the products of order {number} "
                    f"({_text(error)}); invitations that it refuses are sent without products"
                )

    def _first(self, key: str, what: str) -> bool:
        """Is this the first time in this run?"""
        if (key, what) in self._noted:
            return False
        self._noted.add((key, what))
        return True

    def _with_products(self, ready: Ready) -> Ready:
        key = ready.row.interface_id
        account = self.context.accounts.get(key)
        if account is None or key in self._refused:
            return ready
        wanted = account.invitations.products
        products = products_of(ready.order, wanted)
        if not products and lacks_identifiers(ready.order, wanted) and self._first(key, "identifier"):
            field_name = "sku" if wanted.identifier is ProductIdentifier.SKU else "product_id"
            self.context.result.notes.append(
                f"{self.context.name(key)}: the items of order {ready.row.number} have no {field_name}; "
                "such invitations are sent without products (invitations.products.identifier)"
            )
        return replace(ready, products=products) if products else ready

    def _is_distinct(self, ready: Ready) -> bool:
        key = ready.row.interface_id
        wanted = [each.product_id for each in ready.products]
        known = self._known.setdefault(key, {})
        if missing := set(wanted) - known.keys():
            known |= self.context.state.products.identifiers(key, missing)
        clash = next(collisions(ready.products, known), None)
        if clash is None:
            return True
        product, other = clash
        self.context.result.count(Done.WAITING)
        self.context.result.fail(
            f"{self.context.name(key)}: send {ready.row.number}",
            errors.StateError(
                f'the products "{product.identifier}" and "{other}" have the same id at eKomi '
                f"({product.product_id})",
                hint="leave one of them out: invitations.products.exclude",
            ),
        )
        return False

    def _with_details(self, found: list[Ready]) -> list[Ready]:
        """What the shop tells of the products, where it may be asked; the order alone suffices."""
        wanted: dict[tuple[str, str | None], set[int]] = defaultdict(set)
        for each in found:
            ids = {product.shop_id for product in each.products if product.shop_id is not None}
            if ids:
                wanted[each.row.source, each.order.store_view] |= ids
        details = {place: self._details(*place, ids) for place, ids in wanted.items()}
        return [
            _described(each, details[each.row.source, each.order.store_view])
            if (each.row.source, each.order.store_view) in details
            else each
            for each in found
        ]

    def _details(self, source: str, store_view: str | None, ids: set[int]) -> Mapping[int, ProductDetails]:
        try:
            return self.context.describe_products(source, store_view, ids)
        except errors.OrderSourceError as error:
            if self._first(source, "details"):
                self.context.result.notes.append(
                    f"order source {source}: names, pages and pictures of products could not be read "
                    f"({error.message}); the orders' own names are used"
                )
            return {}


def _text(error: errors.EkomiError) -> str:
    return error.said or error.message


def _about_products(error: errors.EkomiError) -> bool:
    """May the refusal be about the products alone? One about the password or the recipient is not."""
    told = isinstance(error, errors.CredentialsRefused | errors.RecipientRefused)
    return not told and refuses_products(_text(error))


def _described(ready: Ready, details: Mapping[int, ProductDetails]) -> Ready:
    products = tuple(_detailed(each, details) for each in ready.products)
    return replace(ready, products=products)


def _detailed(product: OrderedProduct, details: Mapping[int, ProductDetails]) -> OrderedProduct:
    found = None if product.shop_id is None else details.get(product.shop_id)
    if found is None:
        return product
    return replace(product, name=found.name or product.name, link=found.link, image_url=found.image_url)
