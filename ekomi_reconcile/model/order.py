"""Orders as the rules see them, wherever they come from.

Every attribute is declared ``Public`` or ``Personal``. Personal values are never printed, logged, planned,
recorded or cached: whoever shows or keeps an attribute asks ``is_personal``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from typing import Annotated, Any, Final, TypeAlias, TypeVar, get_args, get_type_hints

import msgspec

from ekomi_reconcile.model.instant import Instant

_PERSONAL: Final = "personal"
_T = TypeVar("_T")

Public: TypeAlias = Annotated[_T, msgspec.Meta(extra={_PERSONAL: False})]
"""An attribute that may be shown and kept."""

Personal: TypeAlias = Annotated[_T, msgspec.Meta(extra={_PERSONAL: True})]
"""An attribute about a person: masked wherever it is shown, and kept nowhere."""


def _about(description: str, *, examples: list[Any] | None = None) -> msgspec.Meta:
    """Make an attribute one of conditions, and describe it for editors; the examples are in their form."""
    return msgspec.Meta(description=description, examples=examples)


MASKED: Final = "(masked)"
"""Shown instead of a personal value."""


class OrderState(StrEnum):
    """The step of an order in its workflow. Order sources map the words of their shop to these."""

    NEW = "new"
    PENDING_PAYMENT = "pending_payment"
    PAYMENT_REVIEW = "payment_review"
    PROCESSING = "processing"
    COMPLETE = "complete"
    CLOSED = "closed"
    CANCELED = "canceled"
    REFUNDED = "refunded"
    ON_HOLD = "holded"
    UNKNOWN = "unknown"
    """A word that the source does not know: no invitation until it does, and a warning with the number."""


class Agreement(StrEnum):
    """What an order says about consent: all that is kept of the field."""

    ABSENT = "absent"
    NOT_ACCEPTED = "not accepted"
    ACCEPTED = "accepted"


STATE_WORDS: Final[Mapping[str, OrderState]] = {
    **{each.value: each for each in OrderState},
    "cancelled": OrderState.CANCELED,
    "voided": OrderState.CANCELED,
    "hold": OrderState.ON_HOLD,
    "on_hold": OrderState.ON_HOLD,
    "onhold": OrderState.ON_HOLD,
    "completed": OrderState.COMPLETE,
    "pending": OrderState.NEW,
}
"""The words of states, separated by underscores."""


@lru_cache(maxsize=4096)
def order_state_of(word: str) -> OrderState | None:
    """The state that this word means, whatever its case and separators; ``None`` if it means none."""
    return STATE_WORDS.get(re.sub(r"[\s_-]+", "_", status_key(word)))


@lru_cache(maxsize=4096)
def status_key(word: str) -> str:
    """The form in which statuses and states compare: without surrounding whitespace, whatever the case."""
    return word.strip().casefold()


OrderId: TypeAlias = int | str
"""The key of an order in its source, such as ``123`` or ``"7f3e-…"``, in the form of ``order_id_of``."""

_WHOLE: Final = re.compile(r"0|-?[1-9][0-9]{0,18}")
_LARGEST: Final = 2**63 - 1


def order_id_of(text: str) -> OrderId:
    """The key that is written like this: a number where it is a plain whole number of 64 bits, else the text.

    Magento's keys are numbers, and stay numbers in JSON. ``007`` and ``1e5`` are texts.
    """
    if len(text) > 19 or _WHOLE.fullmatch(text) is None:
        return text
    number = int(text)
    return number if abs(number) <= _LARGEST else text


def id_rank(order_id: OrderId) -> tuple[int, str]:
    """By what order ids are sorted: shorter ones first, so that numbers are in their own order."""
    text = str(order_id)
    return len(text), text


class _Record(msgspec.Struct, frozen=True, gc=False):
    """A record whose ``repr``, which may end up in a log, shows public attributes only."""

    def __repr__(self) -> str:
        personal = declared(type(self))
        shown = (
            f"{name}={MASKED if personal[name] else repr(getattr(self, name))}"
            for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class HistoryEntry(_Record, frozen=True, gc=False):
    """One entry of an order's history: the status it had at that instant, ``None`` if not said.

    An entry is a remark, not a transition: the first one with a status need not be its beginning.
    """

    status: Public[str | None]
    created_at: Public[Instant]
    entry_id: Public[int] = 0


class Item(_Record, frozen=True, gc=False, kw_only=True):
    """A top-level row of an order: a configurable product counts once.

    ``category_ids`` is ``None`` when the source has not told them.
    """

    sku: Annotated[Public[str | None], _about("Article number.", examples=[{"starts_with": "BK-"}])] = None
    name: Annotated[Public[str | None], _about("Product name.")] = None
    product_type: Annotated[
        Public[str | None],
        _about("Magento product type, such as simple, configurable or virtual.", examples=[{"eq": "simple"}]),
    ] = None
    product_id: Public[int | None] = None
    price: Annotated[Public[float | None], _about("Price of one piece.")] = None
    qty: Annotated[Public[float | None], _about("Pieces ordered of this item.")] = None
    row_total: Annotated[Public[float | None], _about("Price of the row: all pieces of this item.")] = None
    category_ids: Public[tuple[int, ...] | None] = None


class Contact(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who is asked: personal data, used for one call and never stored, logged or planned.

    With a ``pseudonym`` it is what a source kept of an order that it read earlier: no personal data, but
    the keyed digest of the address, and in ``aliases`` those of everything else by which an opt-out may name
    the customer; ``email`` and ``telephone`` only tell whether there is a usable one.
    """

    email: Personal[str | None] = None
    first_name: Personal[str | None] = None
    last_name: Personal[str | None] = None
    telephone: Personal[str | None] = None
    country: Personal[str | None] = None
    customer_id: Personal[int | None] = None
    pseudonym: Public[str | None] = None
    aliases: Public[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        return "Contact(…)"

    __str__ = __repr__


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One order. Amounts are in the order's currency unless named ``base_``; absent is ``None``.

    ``order_id`` is the source's own key (Magento: entity_id; elsewhere any text), ``number`` what people see
    (increment_id). ``state`` is the step of the workflow, an ``OrderState`` as the source writes
    it, ``status`` the shop's own word for it.
    ``first_invoiced_at`` and ``last_shipped_at`` are evidence of processing and complete. ``refunded``: the
    whole order was refunded; ``None`` where that was not asked for. ``shipments_known``: its shipments could
    be read, whether or not there are any. ``misdated`` names the fields with times before ``created_at``,
    which were left out. ``store_id`` and ``customer_group_id`` are given where they have no known name.
    ``fields`` are the texts of fields that conditions name by path, ``consents`` the verdicts on the consent
    that rules ask for (``rules.order_fields``); both only where a source was asked for them.
    """

    order_id: Public[OrderId]
    number: Public[str]
    status: Annotated[
        Public[str | None], _about("Present status of the order.", examples=[{"ne": "in_dispute"}])
    ] = None
    state: Annotated[
        Public[str | None],
        _about(
            "Present state of the order, the fixed step of Magento's workflow.", examples=[{"eq": "complete"}]
        ),
    ] = None
    store_view: Public[str | None] = None
    customer_group: Public[str | None] = None
    store_id: Public[int | None] = None
    customer_group_id: Public[int | None] = None
    created_at: Public[Instant]
    updated_at: Public[Instant | None] = None
    history: Public[tuple[HistoryEntry, ...]] = ()
    first_invoiced_at: Public[Instant | None] = None
    last_invoiced_at: Public[Instant | None] = None
    last_shipped_at: Public[Instant | None] = None
    shipments_known: Public[bool] = False
    misdated: Public[tuple[str, ...]] = ()
    contact: Personal[Contact] = Contact()

    refunded: Public[bool | None] = None
    total_paid: Annotated[Public[float | None], _about("Amount paid, in the order's currency.")] = None
    total_refunded: Annotated[
        Public[float | None],
        _about(
            "Amount refunded, in the order's currency; an order without a refund has no value.",
            examples=[{"gt": 0}],
        ),
    ] = None
    grand_total: Annotated[
        Public[float | None], _about("Total of the order in its currency.", examples=[{"gte": 50}])
    ] = None
    base_grand_total: Annotated[
        Public[float | None], _about("Total of the order in the shop's base currency.")
    ] = None
    subtotal: Annotated[Public[float | None], _about("Total of the items in the order's currency.")] = None
    base_subtotal: Annotated[
        Public[float | None], _about("Total of the items in the shop's base currency.")
    ] = None
    discount_amount: Annotated[
        Public[float | None], _about("Discount; Magento gives it as a negative number.")
    ] = None
    shipping_amount: Annotated[Public[float | None], _about("Shipping costs in the order's currency.")] = None
    total_qty: Annotated[Public[float | None], _about("Pieces ordered (Magento: total_qty_ordered).")] = None
    item_count: Annotated[Public[float | None], _about("Rows of the order (Magento: total_item_count).")] = (
        None
    )
    weight: Annotated[Public[float | None], _about("Weight of the order.")] = None
    currency: Annotated[Public[str | None], _about("Currency of the order.", examples=[{"eq": "EUR"}])] = None
    coupon_code: Annotated[
        Public[str | None], _about("Coupon code used.", examples=[{"glob": "STAFF-*"}])
    ] = None
    payment_method: Annotated[
        Public[str | None],
        _about("Code of the payment method.", examples=[{"in": ["checkmo", "banktransfer"]}]),
    ] = None
    shipping_method: Annotated[
        Public[str | None],
        _about(
            "Code of the shipping method; a virtual order has none.", examples=[{"in": ["flatrate_flatrate"]}]
        ),
    ] = None
    shipping_country: Annotated[
        Public[str | None],
        _about(
            "Country of the shipping address (two letters); of a virtual order, of the billing address.",
            examples=[{"in": ["DE", "AT"]}],
        ),
    ] = None
    shipping_region: Annotated[
        Personal[str | None], _about("Name of the region of the shipping address.")
    ] = None
    shipping_postcode: Annotated[
        Personal[str | None], _about("Postcode of the shipping address.", examples=[{"starts_with": "10"}])
    ] = None
    shipping_city: Annotated[Personal[str | None], _about("City of the shipping address.")] = None
    billing_country: Annotated[
        Public[str | None], _about("Country of the billing address (two letters).", examples=[{"eq": "DE"}])
    ] = None
    is_guest: Annotated[
        Public[bool | None], _about("Ordered without a customer account.", examples=[{"eq": True}])
    ] = None
    is_virtual: Annotated[Public[bool | None], _about("Nothing is shipped.", examples=[{"eq": False}])] = None
    has_company: Annotated[
        Public[bool | None], _about("The billing address has a company.", examples=[{"eq": True}])
    ] = None
    has_vat_id: Annotated[
        Public[bool | None], _about("The billing address has a VAT id.", examples=[{"eq": True}])
    ] = None
    items: Public[tuple[Item, ...]] = ()
    fields: Personal[Mapping[str, tuple[str, ...]] | None] = None
    consents: Public[Mapping[str, Agreement] | None] = None

    def __repr__(self) -> str:
        return f"Order({self.order_id})"

    @property
    def email_domain(
        self,
    ) -> Annotated[
        Personal[str | None],
        _about("What follows the @ of the e-mail address.", examples=[{"ne": "example.com"}]),
    ]:
        """What follows the @ of the customer's address."""
        email = self.contact.email
        if email is None or "@" not in email:
            return None
        return email.rpartition("@")[2] or None


@cache
def declared(kind: type[Any]) -> Mapping[str, bool]:
    """Whether each attribute of this record is personal, its properties included.

    Raises:
        TypeError: an attribute is declared neither ``Public`` nor ``Personal``.
    """
    return {name: _flag(kind, name, hint) for name, hint in _hints(kind).items()}


def _hints(kind: type[Any]) -> dict[str, Any]:
    hints = {name: hint for name, hint in get_type_hints(kind, include_extras=True).items() if name[0] != "_"}
    for name, member in vars(kind).items():
        if isinstance(member, property):
            hints[name] = get_type_hints(member.fget, include_extras=True).get("return")
    return hints


def _flag(kind: type[Any], name: str, hint: Any) -> bool:
    for each in getattr(hint, "__metadata__", ()):
        if isinstance(each, msgspec.Meta) and each.extra is not None and _PERSONAL in each.extra:
            return bool(each.extra[_PERSONAL])
    raise TypeError(f"{kind.__name__}.{name} is declared neither Public nor Personal")


class AttributeKind(StrEnum):
    """What conditions compare an attribute with."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"


_KINDS: Final[Mapping[Any, AttributeKind]] = {
    float: AttributeKind.NUMBER,
    str: AttributeKind.TEXT,
    bool: AttributeKind.FLAG,
}


@dataclass(frozen=True, slots=True)
class ConditionAttribute:
    """An attribute that conditions may look at; ``examples`` are conditions on it."""

    kind: AttributeKind
    description: str
    examples: list[Any] | None


@cache
def condition_attributes(kind: type[msgspec.Struct]) -> Mapping[str, ConditionAttribute]:
    """Return the described attributes of ``Order`` or ``Item``: those that conditions may look at."""
    found = {}
    for name, hint in _hints(kind).items():
        for each in getattr(hint, "__metadata__", ()):
            if isinstance(each, msgspec.Meta) and each.description is not None:
                (base,) = (part for part in get_args(get_args(hint)[0]) if part is not type(None))
                found[name] = ConditionAttribute(_KINDS[base], each.description, each.examples)
    return found


@cache
def is_personal(attribute: str) -> bool:
    """Is this attribute of an order or item about a person? One that nobody declared counts as such."""
    found = [kind[attribute] for kind in (declared(Order), declared(Item)) if attribute in kind]
    return not found or any(found)


def without_personal(order: Order, *, contact: Contact) -> Order:
    """The order with defaults in place of all personal attributes, and this contact."""
    items = order.items
    if _blank(Item):
        items = tuple(msgspec.structs.replace(each, **_blank(Item)) for each in items)
    return msgspec.structs.replace(order, **{**_blank(Order), "items": items, "contact": contact})


@cache
def _blank(kind: type[msgspec.Struct]) -> Mapping[str, Any]:
    """The defaults of the personal attributes of this record."""
    personal = declared(kind)
    return {each.name: each.default for each in msgspec.structs.fields(kind) if personal[each.name]}
