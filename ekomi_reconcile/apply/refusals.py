"""Refusals: what one means for the other invitations, and for the products that customers are asked about.

A no about the account, or with a text that nobody knows, says little about the invitation that met it. So
it stays pending, and several of the same text stop the account instead.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from ekomi_reconcile.apply.context import Context
from ekomi_reconcile.apply.delivery import RecordedProducts, deliver
from ekomi_reconcile.ekomi import Receipt
from ekomi_reconcile.ekomi.refusal_texts import refuses_account, refuses_products
from ekomi_reconcile.model import errors
from ekomi_reconcile.model.account import AccountStop
from ekomi_reconcile.model.errors import AccountRefused, CredentialsRefused, EkomiError, RequestRefused
from ekomi_reconcile.model.invitation import Invitation, SendOutcome, Status
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.model.review import OrderedProduct, ProductDetails
from ekomi_reconcile.model.rule import Deliver, ProductIdentifier
from ekomi_reconcile.model.run import Done
from ekomi_reconcile.rules.order_fields import collisions, lacks_identifiers, products_of

MOST_REFUSALS = 5
"""Refusals with the same text, and no success between, after which an account is stopped for the run."""

LAST_REFUSAL = 3
"""At this refusal with an unlisted text an invitation has failed, unless its account was stopped."""


@dataclass(frozen=True, slots=True)
class Ready:
    """An invitation to send, its order as it is now, and the channel that was chosen by it.

    ``shop_name`` is the shop's name at eKomi, ``products`` are those that are asked about, too.
    """

    row: Invitation
    order: Order
    channel: Deliver
    shop_name: str | None = None
    products: tuple[OrderedProduct, ...] = ()


@dataclass(slots=True)
class _Standing:
    """How eKomi treats an account in this run; ``found`` is the stop that the run began with."""

    found: AccountStop | None = None
    lifted: bool = False
    probe: int | None = None
    text: str = ""
    refused: list[int] = field(default_factory=list)
    last: set[int] = field(default_factory=set)

    @property
    def on_probation(self) -> bool:
        """Is one invitation at a time sent, until one succeeds?"""
        return self.found is not None and not self.lifted


@dataclass(slots=True)
class Refusals:
    """Decides for all accounts of a run. One per run; ``stopped`` says why an account is left alone."""

    context: Context
    stopped: dict[str, str] = field(default_factory=dict)
    any_probe: bool = False
    """Can the last probe be the probe again? Set when the account has only this invitation."""
    _accounts: defaultdict[str, _Standing] = field(default_factory=lambda: defaultdict(_Standing))

    def load(self) -> None:
        """Read which accounts are stopped."""
        for key, stop in self.context.state.refusals.read().items():
            self._accounts[key].found = stop

    def ready(self, key: str, lane: deque[Ready]) -> bool:
        """May something of this account be sent now?"""
        known = self._accounts[key]
        return not known.on_probation or (known.probe is None and self._candidate(known, lane) is not None)

    def trusted(self, key: str) -> bool:
        """May an invitation of this account be expected to be sent in this run?"""
        return key not in self.stopped and not self._accounts[key].on_probation

    def take(self, key: str, lane: deque[Ready]) -> Ready | None:
        """Take what is sent next from a lane that is ``ready``; nothing where another run sends the probe."""
        known = self._accounts[key]
        if not known.on_probation:
            return lane.popleft()
        found = self._candidate(known, lane)
        if found is None or not self._begin_probe(key, found.row.id, known):
            self.stopped[key] = "eKomi refuses the account, and another run is trying it"
            return None
        lane.remove(found)
        known.probe = found.row.id
        return found

    def untaken(self, row: Invitation) -> None:
        """Forget the probe that another run has taken."""
        known = self._accounts[row.interface_id]
        if known.probe == row.id:
            self._end_probe(row.interface_id, known, lifted=False)

    def judged(self, row: Invitation, outcome: SendOutcome) -> SendOutcome:
        """Fail an invitation refused again with the text that stopped its account, after a success."""
        known = self._accounts[row.interface_id]
        again = outcome.refusal is not None and outcome.refusal == row.refusal
        if again and known.lifted and known.found is not None and outcome.refusal == known.found.refusal:
            return replace(outcome, status=Status.FAILED, failed_calls=1, refusals=0)
        return outcome

    def settled(self, row: Invitation, outcome: SendOutcome, error: EkomiError | None) -> None:
        """Draw the conclusions for the account from an outcome that is recorded."""
        key = row.interface_id
        known = self._accounts[key]
        if error is None:
            known.text, known.refused = "", []
            if known.on_probation:
                known.lifted = True
                self._end_probe(key, known, lifted=True)
        elif outcome.refusal is not None and outcome.status is Status.PENDING:
            self._refused(row, outcome, error, known)
        elif known.probe == row.id:
            self._end_probe(key, known, lifted=False)
            if not isinstance(error, RequestRefused):
                self.stopped.setdefault(key, "eKomi refuses the account, and the trial had no clear answer")

    def finish(self) -> None:
        """Fail what was refused too often by accounts that were not stopped."""
        for key, known in self._accounts.items():
            if known.last and not known.on_probation and key not in self.stopped:
                done = self.context.state.refusals.fail_refused(known.last, now=self.context.now())
                self.context.result.count(Done.FAILED, done)
                self.context.result.count(Done.RETRY_LATER, -done)

    def _refused(self, row: Invitation, outcome: SendOutcome, error: EkomiError, known: _Standing) -> None:
        key, text = row.interface_id, outcome.refusal or ""
        if text != known.text:
            known.text, known.refused = text, []
        counted = [row.id] if outcome.refusals else []
        known.refused += [row.id]
        if row.refusals + outcome.refusals >= LAST_REFUSAL:
            known.last.add(row.id)
        if known.probe == row.id or key in self.stopped:
            self._stop(row, text, error, counted)
            if known.probe == row.id:
                self._end_probe(key, known, lifted=False)
        elif self._enough(key, text, error, known):
            unlisted = [] if isinstance(error, AccountRefused) else known.refused
            self._stop(row, text, error, unlisted)
            if not isinstance(error, CredentialsRefused):
                self.context.result.fail(f"{self.context.name(key)}: sending stopped", _stopped(error, known))

    def _enough(self, key: str, text: str, error: EkomiError, known: _Standing) -> bool:
        """Is the account refused, as far as this run or another one that sends at the same time knows?"""
        if isinstance(error, CredentialsRefused) or len(known.refused) >= MOST_REFUSALS:
            return True
        other = None if known.on_probation or known.lifted else self.context.state.refusals.read().get(key)
        return other is not None and other.refusal == text

    def _stop(self, row: Invitation, text: str, error: EkomiError, refused: list[int]) -> None:
        key = row.interface_id
        message = error.said or error.message
        stop = AccountStop(interface_id=key, refusal=text, message=message, since=self.context.now())
        self.context.state.refusals.stop(stop, refused=refused)
        credentials = isinstance(error, CredentialsRefused)
        self.stopped.setdefault(
            key, "eKomi refused the credentials" if credentials else "eKomi refuses the account"
        )

    def _begin_probe(self, key: str, row_id: int, known: _Standing) -> bool:
        before = known.found.probe_id if known.found is not None else None
        begun = self.context.state.refusals.begin_probe(key, row_id, before=before, now=self.context.now())
        if begun and known.found is not None:
            known.found = replace(known.found, probe_id=row_id)
        return begun

    def _end_probe(self, key: str, known: _Standing, *, lifted: bool) -> None:
        known.probe = None
        self.context.state.refusals.end_probe(key, lifted=lifted)

    def _candidate(self, known: _Standing, lane: deque[Ready]) -> Ready | None:
        """The next probe: another one than the probe before, if there is another."""
        before = known.found.probe_id if known.found is not None else None
        fresh = next((each for each in lane if each.row.id != before), None)
        return fresh or (next(iter(lane), None) if self.any_probe else None)


def _stopped(error: EkomiError, known: _Standing) -> EkomiError:
    """What is shown once of an account that was stopped."""
    return AccountRefused(
        f"eKomi refused {len(known.refused)} invitation(s) with the same text: {error.message}",
        hint="contact eKomi; the next run tries one invitation first and sends the rest if it succeeds",
    )


@dataclass(slots=True)
class ProductReviews:
    """Adds products to invitations and hands them to eKomi. One per run.

    Accounts whose tariff refuses product reviews are asked about none for the rest of the run.
    """

    context: Context
    _known: dict[str, dict[str, str]] = field(default_factory=dict)
    _recorded: RecordedProducts = field(init=False)
    _without: set[int] = field(default_factory=set)
    _put: dict[str, set[OrderedProduct]] = field(default_factory=lambda: defaultdict(set))
    _refused: set[str] = field(default_factory=set)
    _noted: set[tuple[str, str]] = field(default_factory=set)
    _refusals: list[tuple[Ready, errors.EkomiError]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._recorded = RecordedProducts(self.context.state)

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
                new[key] |= set(each.products)
        self._recorded.record(new)

    def settled(self, ready: Ready, outcome: SendOutcome) -> None:
        """Note what came of a call."""
        self._recorded.settled(ready.row, () if ready.row.id in self._without else ready.products, outcome)

    def finish(self) -> None:
        """Forget the products of which eKomi took no invitation."""
        self._recorded.finish()

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
            self._without.add(ready.row.id)
            return ask(clients.sender(key))
        try:
            if ready.channel is Deliver.LINK:
                self._register(key, products)
            return ask(clients.sender(key), products=products)
        except (errors.AccountRefused, errors.RequestRefused) as error:
            if not _about_products(error):
                raise
            refused = error
        self._without.add(ready.row.id)
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
                hint="exclude one of them: invitations.products.exclude",
            ),
        )
        return False

    def _with_details(self, found: list[Ready]) -> list[Ready]:
        """Products as the shop describes them, where it can be asked; otherwise from the order alone."""
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
