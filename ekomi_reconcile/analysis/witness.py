"""An order out of a cube: as the rule code sees it, and as an order file or a rule's test writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ekomi_reconcile.analysis import rules as analysis_rules
from ekomi_reconcile.analysis.cubes import Cube
from ekomi_reconcile.analysis.text import Texts
from ekomi_reconcile.analysis.values import ANY_NUMBER, Numbers, Undecidable, number_in, number_set
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import DAY, Instant, iso
from ekomi_reconcile.model.invitation import Evidence, Reached
from ekomi_reconcile.model.order import Contact, Item, Order, status_key
from ekomi_reconcile.model.rule import Deliver
from ekomi_reconcile.rules.case import Case, KnownFacts
from ekomi_reconcile.rules.conditions import FIELD_PREFIX, fold
from ekomi_reconcile.rules.judge import first_failed
from ekomi_reconcile.rules.order_fields import CUSTOM_ATTRIBUTES, ITEM_PLACES, MADE_UP, PLACES
from ekomi_reconcile.rules.rulebook import usable_email

_CENT: Final = 0.01
_ORDER_ID: Final = 1
_DOMAINS: Final = ("example.com", "example.org", "example.net", "shop.example", "mail.example")
_MOBILE: Final = "+4915112345678"
_UPPER: Final = frozenset({"currency", "shipping_country", "billing_country"})
_GENERAL: Final = "General"

_HEAD: Final = (analysis_rules.STORE_VIEW, analysis_rules.CUSTOMER_GROUP, "state", "status")


@dataclass(frozen=True, slots=True)
class Witness:
    """An order that all of some accounts would take: its values by attribute, missing ones left out."""

    values: Mapping[str, Any]
    statuses: tuple[str, ...]
    created_at: Instant
    email: bool
    mobile: bool

    def order(self) -> Order:
        """The order as rules see it."""
        values = dict(self.values)
        domain = values.pop(analysis_rules.DOMAIN, None)
        items = tuple(_item(each) for each in values.pop(analysis_rules.ITEMS, ()))
        paid = values.get("total_paid", values.get("grand_total"))
        back = values.get("total_refunded", 0)
        fields = {path: (values.pop(name),) for name, path in _named(values)}
        return Order(
            order_id=_ORDER_ID,
            number=str(_ORDER_ID),
            created_at=self.created_at,
            contact=Contact(email=None if domain is None else f"customer@{domain}"),
            items=items,
            fields=fields or None,
            refunded=back > 0 and paid is not None and back >= paid - _CENT,
            **{"has_company": False, "has_vat_id": False, **values},
        )

    def json(self) -> dict[str, Json]:
        """The order as a record of an order file, as small as possible."""
        values = dict(self.values)
        domain, items = values.pop(analysis_rules.DOMAIN, None), values.pop(analysis_rules.ITEMS, ())
        named = [(path, values.pop(name)) for name, path in _named(values)]
        addresses = _addresses(values, telephone=_MOBILE if self.mobile else None)
        date = _date(self.created_at)
        found: dict[str, Json] = {
            "entity_id": _ORDER_ID,
            "increment_id": str(_ORDER_ID),
            "created_at": date,
            **{PLACES.get(name, name): values[name] for name in sorted(values, key=_place_of)},
            **addresses,
        }
        for path, text in named:
            _put(found, path, text)
        if domain is not None:
            found["customer_email"] = f"customer@{domain}"
        if self.statuses:
            found["status_histories"] = [
                {"entity_id": at, "created_at": date, "status": status}
                for at, status in enumerate(self.statuses, start=1)
            ]
        if items:
            found["items"] = [{ITEM_PLACES.get(name, name): each[name] for name in each} for each in items]
        return found

    def joined_by(self, other: analysis_rules.RuleForm, forms: Sequence[analysis_rules.RuleForm]) -> Witness:
        """The same order, with what another account needs beside it: a status it has passed, an address."""
        rule = other.account.invitations
        return replace(
            self,
            statuses=_history(self.values.get("status"), [dict(each.rule.triggers) for each in forms]),
            email=self.email or analysis_rules.needs_email(rule),
            mobile=self.mobile or Deliver.EKOMI_SMS in rule.channels,
        )


def confirmed(order: Order, forms: Sequence[analysis_rules.RuleForm]) -> bool:
    """Does the rule code admit the order for all of these accounts?"""
    reached = Reached(order.created_at, "", Evidence.HISTORY)
    known = KnownFacts(now=order.created_at)
    return all(first_failed(Case(each.rule, order, known.now, reached, known)) is None for each in forms)


def witness_of(
    cube: Cube, likely: Mapping[str, Any], forms: Sequence[analysis_rules.RuleForm], *, now: Instant
) -> Witness | None:
    """An order in the cube, placed today; ``None`` if a fully refunded one cannot be avoided.

    ``likely`` has a value for each of the cube's sets.

    Raises:
        Undecidable: the refund is too close to the payment.
    """
    rules = [each.account.invitations for each in forms]
    email = any(map(analysis_rules.needs_email, rules))
    values = dict(likely)
    if any(each.skip_refunded for each in rules) and (values.get("total_refunded") or 0) > 0:
        paid = _not_refunded(cube)
        if paid is None:
            return None
        values |= paid
    if email and values.get(analysis_rules.DOMAIN) is None:
        values[analysis_rules.DOMAIN] = _DOMAINS[0]
    statuses = _statuses(cube, values, forms)
    return Witness(
        values={name: value for name, value in values.items() if value is not None},
        statuses=statuses,
        created_at=now - now % DAY,
        email=email,
        mobile=any(Deliver.EKOMI_SMS in each.channels for each in rules),
    )


def likely_value(attribute: str, values: Any, spelling: Mapping[str, str], store_views: Sequence[str]) -> Any:
    """A likely value out of a set that is not empty, or else the simplest, as somebody would write it.

    ``spelling`` gives texts by their folded form, ``store_views`` are known names.

    Raises:
        Undecidable: the set is too large a search.
    """
    return _spelled(attribute, _preferred(attribute, values, store_views), spelling)


def _preferred(attribute: str, found: Any, store_views: Sequence[str]) -> Any:
    picked = found.pick()[0]
    if attribute == analysis_rules.DOMAIN and picked is not None:
        likely = (
            *_DOMAINS,
            *(before + picked + after for before in ("", "a", "a.") for after in ("", ".com", "a")),
        )
        return next((each for each in likely if each in found and usable_email(f"a@{each}")), picked)
    if picked is None and attribute in (analysis_rules.STORE_VIEW, analysis_rules.CUSTOMER_GROUP):
        names = store_views if attribute == analysis_rules.STORE_VIEW else (_GENERAL,)
        return next((name for name in names if name not in found.names), None)
    return picked


def _not_refunded(cube: Cube) -> dict[str, Any] | None:
    """Amounts with which a refund is not the whole payment; ``None`` if there are none.

    Raises:
        Undecidable: there may be some, but none was found.
    """
    refunded: Numbers = cube["total_refunded"]
    if (nothing := refunded.meet(number_set("lte", 0)).pick()) is not None:
        return {"total_refunded": nothing[0]}
    total, grand = cube.get("total_paid", ANY_NUMBER), cube.get("grand_total", ANY_NUMBER)
    if total.missing and grand.missing:
        return {}
    rooms = {"total_paid": total, **({"grand_total": grand} if total.missing else {})}
    for back in _small(refunded):
        beyond = number_set("gt", back + 2 * _CENT)
        for name, room in rooms.items():
            if (enough := Numbers(room.parts, missing=False).meet(beyond).pick()) is not None:
                return {"total_refunded": back, name: enough[0]}
    highest = max((part[2] for room in rooms.values() for part in room.parts), default=0)
    lowest = min((part[0] for part in refunded.parts), default=highest)
    if lowest >= highest - _CENT:
        return None
    raise Undecidable("the refund")


def _small(numbers: Numbers) -> Iterator[float]:
    """Positive amounts of the set: simple ones, and ones near its low end."""
    positive = Numbers(numbers.parts, missing=False).meet(number_set("gt", 0))
    for part in positive.parts:
        for width in (float("inf"), 0.01, 0.0001):
            high = part[0] + width
            near = part if high >= part[2] else (part[0], part[1], high, True)
            if (found := number_in(near)) is not None:
                yield found


def _statuses(
    cube: Cube, values: dict[str, Any], forms: Sequence[analysis_rules.RuleForm]
) -> tuple[str, ...]:
    """Choose the order's status and state, and return the history that it needs beside them."""
    triggers = [dict(each.rule.triggers) for each in forms]
    shared = [key for key in triggers[0] if all(key in each for each in triggers)]
    likely = [*shared, *(key for each in triggers for key in each)]
    wanted: Texts | None = cube.get("status")
    if wanted is None:
        values["status"] = likely[0]
    elif values["status"] is None or wanted.only is None:
        values["status"] = next((key for key in likely if key in wanted), values["status"])
    state: Texts | None = cube.get("state")
    if state is None or (values["state"] is not None and "complete" in state):
        values["state"] = "complete"
    spelled = {key: status for each in triggers for key, status in each.items()}
    values["status"] = spelled.get(values["status"] or "", values["status"])
    return _history(values["status"], triggers)


def _history(status: str | None, triggers: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Trigger statuses, one of each account whose trigger the present status is not."""
    now = None if status is None else status_key(status)
    shared = [key for key in triggers[0] if all(key in each for each in triggers)]
    missed = [(shared or [*each])[0] for each in triggers if now not in each]
    spelled = {key: written for each in triggers for key, written in each.items()}
    return tuple(spelled[key] for key in dict.fromkeys(missed))


def _spelled(attribute: str, value: Any, spelling: Mapping[str, str]) -> Any:
    """Texts as somebody writes them; they compare case-insensitively."""
    if attribute == analysis_rules.ITEMS:
        return tuple({name: _spelled(name, each[name], spelling) for name in each} for each in value)
    if not isinstance(value, str) or attribute in (
        analysis_rules.STORE_VIEW,
        analysis_rules.CUSTOMER_GROUP,
        analysis_rules.DOMAIN,
    ):
        return value
    found = spelling.get(value)
    if found is None and attribute in _UPPER and fold(value.upper()) == value:
        found = value.upper()
    if found is None:
        start = max((each for each in spelling if value.startswith(each)), key=len, default="")
        found = spelling.get(start, "") + value[len(start) :]
    return found if fold(found) == value else value


def _place_of(name: str) -> tuple[int, str]:
    """Where an order file has the attribute: its head first."""
    return (_HEAD.index(name) if name in _HEAD else len(_HEAD), name)


def _named(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The attributes that name fields, with the paths of those."""
    return [
        (name, name.removeprefix(FIELD_PREFIX)) for name in sorted(values) if name.startswith(FIELD_PREFIX)
    ]


def _put(order: dict[str, Json], path: str, text: str) -> None:
    """Write the value at its place in an order file; custom attributes are a list."""
    first, *rest = path.split(".")
    if first == CUSTOM_ATTRIBUTES and len(rest) == 1:
        order.setdefault(first, []).append({"attribute_code": rest[0], "value": text})
        return
    for name in rest:
        found = order.get(first)
        order[first] = found if isinstance(found, dict) else {}
        order, first = order[first], name
    order[first] = text


def _item(values: Mapping[str, Any]) -> Item:
    named = {("category_ids" if name == "category_id" else name): values[name] for name in values}
    return Item(**named)


def _addresses(values: dict[str, Any], *, telephone: str | None) -> dict[str, Json]:
    """The addresses, taken out of the values; a virtual order has the billing address only."""
    found: dict[str, dict[str, Json]] = {"billing_address": {}, "shipping_address": {}}
    for name, place in PLACES.items():
        address, _, field = place.rpartition(".")
        if address and name in values and (value := values.pop(name)) is not False:
            found[address][field] = MADE_UP.get(name, value)
    billing, shipping = found["billing_address"], found["shipping_address"]
    if telephone is not None:
        billing["telephone"] = telephone
    if values.get(analysis_rules.VIRTUAL) is True:
        billing, shipping = {**billing, **shipping}, {}
    return {
        name: address
        for name, address in (("billing_address", billing), ("shipping_address", shipping))
        if address
    }


def _date(at: Instant) -> str:
    return iso(at).replace("T", " ").removesuffix("Z")
