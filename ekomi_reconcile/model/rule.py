"""Invitation rules: which orders get an invitation, when, and how, as the files declare it.

Every key of a rule is declared here, once (``model.keys``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Final, TypeAlias

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.instant import HOUR
from ekomi_reconcile.model.keys import Json, Recorded, key
from ekomi_reconcile.model.sender import SenderSettings, sms_sender_fault

_ALWAYS: Final = Recorded.ALWAYS

DELETED_STORE_VIEW = "(deleted)"
"""The store view of an order whose store view the shop no longer has; it is not a valid code."""


class Deliver(StrEnum):
    """Who asks the customer, and how."""

    EKOMI_EMAIL = "ekomi-email"
    EKOMI_SMS = "ekomi-sms"
    LINK = "link"


DELIVERIES: Final = (
    "eKomi writes an e-mail; an order without a usable address is not invited.",
    "eKomi writes a text message; an order without a mobile number is not invited.",
    "Nobody is written to: the review link is in the queue for a mailer of your own.",
)
"""What the ways of ``Deliver`` mean, in their order."""


def _deliver(written: Json) -> Deliver | tuple[Deliver, ...]:
    """The way that a valid file has, or several, the preferred one first; a list of one is that one."""
    found = tuple(map(Deliver, [written] if isinstance(written, str) else written))
    return found[0] if len(found) == 1 else found


def _deliver_form(ways: Deliver | tuple[Deliver, ...]) -> Json:
    return ways.value if isinstance(ways, Deliver) else [each.value for each in ways]


Delivery: TypeAlias = Annotated[
    Deliver | tuple[Deliver, ...],
    keys.Format(name="deliver", parse=_deliver, form=_deliver_form, written=_deliver_form),
]
"""One way to ask, or several: the first for which an order has an address."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which store views or customer groups are meant: all, only ``names``, or all but ``names``."""

    names: frozenset[str] | None = None
    exclude: bool = False

    @classmethod
    def of(cls, written: Json) -> Selection:
        """The selection that a valid file has: a list, or ``exclude`` with a list."""
        if isinstance(written, dict):
            return cls(frozenset(written["exclude"]), exclude=True)
        return cls(frozenset(written))

    def admits(self, name: str | None) -> bool:
        """Is this one meant? An unknown name (``None``) is in no list, so it passes an exclusion.

        A store view that was deleted may be one of those excluded: it passes none.
        """
        if self.names is None:
            return True
        if name == DELETED_STORE_VIEW:
            return False
        return (name in self.names) is not self.exclude

    def canonical(self) -> Json:
        """``"all"``, a sorted list, or ``{"exclude": [...]}``."""
        if self.names is None:
            return "all"
        names = sorted(self.names)
        return {"exclude": names} if self.exclude else names


Chosen: TypeAlias = Annotated[
    Selection, keys.Format(name="selection", parse=Selection.of, form=Selection.canonical)
]


Condition: TypeAlias = Annotated[Mapping[str, Json], keys.Format(name="condition")]
"""A condition in the form of the files: one key per mapping."""


ItemCondition: TypeAlias = Annotated[Mapping[str, Json], keys.Format(name="item-condition")]
"""A condition about one item of an order, in the form of the files."""


class ProductIdentifier(StrEnum):
    """What a product is called at eKomi."""

    ID = "id"
    SKU = "sku"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductRule:
    """Which products of an order the customer is asked about, too."""

    NOT_EMPTY: ClassVar = True

    ask: bool = key("Is the customer asked to review products of the order, too?", default=False)
    max: Annotated[int, keys.Whole(low=1, high=100)] | None = key(
        "The most products of an order; the most expensive come first.",
        default=None,
        absent="every product of the order",
        examples=(5,),
    )
    identifier: ProductIdentifier = key(
        "What a product is called at eKomi. Its reviews belong to that: after a change they start again.",
        default=ProductIdentifier.ID,
        labels=(
            "The shop's id of the product; of a configurable product that of the parent.",
            "The article number; of a configurable product that of the variant.",
        ),
    )
    exclude: ItemCondition | None = key(
        "Products that are not asked about: one condition about an item, as under `any_item`.",
        default=None,
        absent="no product is excluded",
        examples=({"sku": {"starts_with": "GIFT-"}},),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """The customer's consent, as the shop recorded it with the order."""

    field: keys.FieldPath = key(
        "The field of the order that holds it, as a dotted path: `extension_attributes.NAME`, "
        "`custom_attributes.CODE`, or a column of its own. Personal data: never shown, recorded or cached.",
        examples=("extension_attributes.ekomi_optin",),
    )
    accept: keys.Names = key(
        "The values that mean yes, in quotes; upper and lower case are the same, and true is `true`. Of a "
        "list one of its entries is enough. An absent field is not consent.",
        examples=(["1", "true"],),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodOverride:
    """Another pending period, for orders for which a condition holds."""

    when: Condition = key(
        "For which orders: one condition, as under `conditions`.",
        recorded=_ALWAYS,
        examples=({"shipping_country": {"not_in": ["DE"]}},),
    )
    days: keys.Days = key("Days from the trigger status to the invitation.", recorded=_ALWAYS, examples=(21,))


class Weekday(StrEnum):
    """A day of the week."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


_CLOCK: Final = "([01][0-9]|2[0-3]):[0-5][0-9]"
Hours: TypeAlias = Annotated[
    str, keys.Text(pattern=f"^{_CLOCK}-({_CLOCK}|24:00)$", more={"examples": ["09:00-19:00"]})
]
CalendarDay: TypeAlias = Annotated[
    str,
    keys.Text(
        pattern="^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", more={"examples": ["2026-12-24"]}
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class SendBetween:
    """The hours and days of the week in which due invitations leave, in the project's `timezone`."""

    NOT_EMPTY: ClassVar = True

    hours: Hours = key(
        "From the first time on, up to the second, by the local clock. Hours that cross midnight, such as "
        "22:00-02:00, belong to the day on which they begin.",
        default="00:00-24:00",
        recorded=_ALWAYS,
        absent="the whole day",
        examples=("09:00-19:00",),
    )
    days: Annotated[tuple[Weekday, ...], keys.Several()] = key(
        "Days of the week.",
        default=tuple(Weekday),
        recorded=_ALWAYS,
        absent="every day",
        examples=(["mon", "tue", "wed", "thu", "fri"],),
    )

    @property
    def seconds(self) -> tuple[int, int]:
        """When it opens and closes, in seconds of the wall clock after midnight."""
        opens, closes = (clock.split(":") for clock in self.hours.split("-"))
        return int(opens[0]) * HOUR + int(opens[1]) * 60, int(closes[0]) * HOUR + int(closes[1]) * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Days on which no invitation leaves."""

    SCHEMA: ClassVar = "Pause"

    first: CalendarDay = key("The first day.", called="from", examples=("2026-12-24",))
    last: CalendarDay = key(
        "The last day; it is part of the pause.", called="until", examples=("2026-12-26",)
    )
    reason: keys.Name | None = key(
        "Why, for your colleagues.", default=None, absent="no reason", examples=("holidays",)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationRule:
    """Which orders get an invitation, when, and how.

    Periods are whole days of 24 hours, ``spread`` is whole hours in seconds. ``conditions`` is the custom
    condition in the form of the files (design: one key per mapping).
    """

    SCHEMA: ClassVar = "Invitations"

    enabled: bool = key(
        "Are invitations sent at all? While false, pending invitations are held back.",
        default=False,
        recorded=_ALWAYS,
    )
    pending_period: keys.Days = key(
        "Days from the trigger status to the invitation: time for the parcel to arrive and the goods to be "
        "tried. A day is 24 hours.",
        default=14,
        recorded=_ALWAYS,
    )
    spread: keys.Spread = key(
        "The longest additional delay after the pending period. Every order keeps its offset: a "
        "day with many orders does not become a minute with many requests.",
        default=0,
        recorded=_ALWAYS,
        absent="0d, no spread",
        examples=("3d",),
    )
    pending_period_overrides: Annotated[
        tuple[PeriodOverride, ...], keys.Several(distinct=False, ordered=True)
    ] = key(
        "Other pending periods for some orders: the first whose condition holds replaces `pending_period`. "
        "Judged when an order is first scheduled, and again only when the rule changes.",
        default=(),
        absent="every order has the same pending period",
        examples=([{"when": {"shipping_country": {"not_in": ["DE"]}}, "days": 21}],),
    )
    send_between: SendBetween | None = key(
        "When due invitations leave, in the project's `timezone`. It changes no `scheduled_at`: what is due "
        "outside leaves when the window opens.",
        default=None,
        part_of_rule=False,
        absent="at any time",
        examples=({"hours": "09:00-19:00", "days": ["mon", "tue", "wed", "thu", "fri"]},),
    )
    pauses: Annotated[tuple[Pause, ...], keys.Several(distinct=False, ordered=True)] = key(
        "Whole days on which no invitation leaves, in the project's `timezone`; `until` is the last of them.",
        default=(),
        part_of_rule=False,
        absent="no pauses",
        examples=([{"from": "2026-12-24", "until": "2026-12-26", "reason": "holidays"}],),
    )
    skip_orders_older_than: keys.Days = key(
        "Orders older than this number of days are never invited, counted from the order date; an order of "
        "exactly this age still is. 0 means no limit: then a first apply may ask for years back.",
        default=30,
        recorded=_ALWAYS,
    )
    store_views: Chosen = key(
        "Codes of the store views whose orders are meant: a list, or `exclude` with a list.",
        default=Selection(),
        recorded=_ALWAYS,
        absent="all store views",
        examples=(["de", "at"], {"exclude": ["b2b"]}),
    )
    customer_groups: Chosen = key(
        "Names of the customer groups whose orders are meant: a list, or `exclude` with a list. Guests are "
        "the group NOT LOGGED IN.",
        default=Selection(),
        recorded=_ALWAYS,
        absent="all customer groups",
        examples=(["General", "Retailer"], {"exclude": ["NOT LOGGED IN"]}),
    )
    order_statuses: keys.Names = key(
        "Trigger statuses: the first of them that an order reaches starts the clock. A status that means "
        "canceled, closed or on hold is refused.",
        default=("complete",),
        recorded=_ALWAYS,
    )
    cancel_statuses: keys.Names = key(
        "Statuses that end an order although its state does not, such as a status for returned parcels: "
        "the order is not invited, and a pending invitation is cancelled. Upper and lower case are the same.",
        default=(),
        absent="no status ends an order by itself",
        examples=(["returned"],),
    )
    skip_refunded: bool = key(
        "Fully refunded orders are not invited.",
        default=True,
    )
    skip_reviewed: bool = key(
        "Orders that have a review already are not invited: one with the same order number at the same "
        "interface, submitted after the order date. A review that comes later cancels a pending invitation.",
        default=True,
    )
    consent: Consent | None = key(
        "Only orders whose customers consented are invited.",
        default=None,
        absent="consent is not required",
        examples=({"field": "extension_attributes.ekomi_optin", "accept": ["1", "true"]},),
    )
    deliver: Delivery = key(
        "Who asks the customer, and how: one way, or a list of channels of which the first is taken that the "
        "order has an address for. A request that failed is never repeated through another channel.",
        default=Deliver.EKOMI_EMAIL,
        recorded=Recorded.UNDIGESTED,
        examples=(["ekomi-sms", "ekomi-email"],),
    )
    sender: SenderSettings = key(
        "Whom customers see as the sender. A change does not judge pending invitations again.",
        default=SenderSettings(),
        absent="the shop's name at eKomi",
        examples=({"name": "Shop DE", "email": "shop@example.com"},),
        part_of_rule=False,
    )
    products: ProductRule = key(
        "Product reviews. A change does not judge pending invitations again.",
        default=ProductRule(),
        absent="customers review the shop only",
        examples=({"ask": True, "max": 5},),
        part_of_rule=False,
    )
    conditions: Condition | None = key(
        "What else must hold for an order: one attribute with its operators, a test of its items, or a "
        "group (`all`, `any`, `not`).",
        default=None,
        recorded=_ALWAYS,
        absent="nothing else",
        examples=({"all": [{"grand_total": {"gte": 50}}]},),
    )

    @property
    def pending_periods(self) -> tuple[int, ...]:
        """Every pending period that an order can have, in days."""
        return (self.pending_period, *(each.days for each in self.pending_period_overrides))

    @property
    def all_conditions(self) -> tuple[Condition, ...]:
        """The custom condition, and those of other pending periods."""
        own = () if self.conditions is None else (self.conditions,)
        return (*own, *(each.when for each in self.pending_period_overrides))

    @property
    def channels(self) -> tuple[Deliver, ...]:
        """The ways to ask, the preferred one first."""
        return (self.deliver,) if isinstance(self.deliver, Deliver) else self.deliver

    @property
    def only_channel(self) -> Deliver | None:
        """The channel of a rule that has no other one."""
        return self.deliver if isinstance(self.deliver, Deliver) else None

    def sender_name(self, channel: Deliver, shop_name: str | None) -> str | None:
        """The sender that is sent along; ``None`` leaves it to eKomi.

        Without one in the files text messages have ``shop_name``, the shop's name at eKomi, if it fits.
        """
        if self.sender.name is not None or channel is not Deliver.EKOMI_SMS or shop_name is None:
            return self.sender.name
        name = shop_name.strip()
        return name if sms_sender_fault(name) is None else None

    def canonical(self) -> dict[str, Json]:
        """What is recorded of it, as JSON values."""
        return keys.canonical(self)
