"""Random rules of all operators and random orders near their constants; shares no code with the solver."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.order import Contact, Item, Order
from ekomi_reconcile.model.rule import Deliver, InvitationRule, Selection

NOW = 1_796_000_000 - 1_796_000_000 % 86_400 + 3_600

WORDS = {
    "coupon_code": ["SALE-10", "SALE-20", "STAFF", "staff-1", "X", "ABC"],
    "shipping_country": ["DE", "AT", "CH", "FR"],
    "billing_country": ["DE", "AT", "FR"],
    "shipping_method": ["flatrate_flatrate", "pickup_pickup", "dhl"],
    "payment_method": ["checkmo", "paypal", "paypal_express"],
    "shipping_postcode": ["10115", "10", "101", "80331"],
    "email_domain": ["example.com", "example.org", "shop.example"],
    "status": ["complete", "shipped", "in_dispute", "closed"],
    "state": ["complete", "processing", "closed"],
    "currency": ["EUR", "CHF"],
    "sku": ["BK-1", "BK-2", "BK-", "DL-1", "GIFT-1", "B"],
    "name": ["Book", "Bookshelf", "Gift card"],
    "product_type": ["simple", "configurable", "virtual"],
}
NUMBERS = ["grand_total", "total_paid", "total_refunded", "total_qty", "item_count", "weight", "subtotal"]
FLAGS = ["is_guest", "is_virtual", "has_company", "has_vat_id"]
AMOUNTS = [0, 1, 2, 3, 5, 10, 49.99, 50, 100, -5, 0.5]
SMALL = [0, 1, 2, 3, 5]


class Rules:
    """Random conditions, rules and accounts."""

    def __init__(self, seed: int, *, sums: bool = True) -> None:
        self.random = random.Random(seed)
        self.sums = sums

    def account(self, number: int) -> Account:
        """An enabled account."""
        draw = self.random
        rule = InvitationRule(
            enabled=True,
            store_views=self._selection(["de", "at", "ch"]),
            customer_groups=self._selection(["General", "Wholesale", "NOT LOGGED IN"]),
            order_statuses=tuple(draw.sample(["complete", "shipped", "ready"], draw.randint(1, 2))),
            deliver=draw.choice([Deliver.EKOMI_EMAIL, Deliver.EKOMI_EMAIL, Deliver.LINK]),
            skip_refunded=draw.random() < 0.8,
            cancel_statuses=() if draw.random() < 0.8 else ("in_dispute",),
            conditions=self.condition(draw.randint(0, 3)),
        )
        return Account(
            name=f"Account {number}",
            interface_id=str(10_000 + number),
            interface_password="${env:PASSWORD}",
            priority=draw.randint(0, 1),
            invitations=rule,
        )

    def condition(self, depth: int) -> Mapping[str, Any]:  # noqa: PLR0911
        """A condition over an order."""
        draw = self.random
        if depth > 0 and draw.random() < 0.75:
            kind = draw.choice(["all", "all", "any", "not"])
            if kind == "not":
                return {"not": self.condition(depth - 1)}
            return {kind: [self.condition(depth - 1) for _ in range(draw.randint(1, 3))]}
        kind = draw.random()
        if kind < 0.3:
            return {draw.choice(NUMBERS): self._number(AMOUNTS)}
        if kind < 0.6:
            name = draw.choice([each for each in WORDS if each not in ("sku", "name", "product_type")])
            return {name: self._text(WORDS[name])}
        if kind < 0.7:
            return {draw.choice(FLAGS): {"eq": draw.random() < 0.5}}
        if kind < 0.9 or not self.sums:
            return {
                draw.choice(["any_item", "every_item", "no_item"]): self.item_condition(draw.randint(0, 2))
            }
        where = {"where": self.item_condition(draw.randint(0, 1))} if draw.random() < 0.7 else {}
        return {"sum_items": {"of": draw.choice(["qty", "row_total"]), **where, **self._number(AMOUNTS)}}

    def item_condition(self, depth: int) -> Mapping[str, Any]:
        """A condition over an item."""
        draw = self.random
        if depth > 0 and draw.random() < 0.6:
            kind = draw.choice(["all", "any", "not"])
            if kind == "not":
                return {"not": self.item_condition(depth - 1)}
            return {kind: [self.item_condition(depth - 1) for _ in range(draw.randint(1, 2))]}
        name = draw.choice(
            ["sku", "sku", "name", "product_type", "qty", "qty", "row_total", "price", "category_id"]
        )
        if name == "category_id":
            return {name: {draw.choice(["in", "not_in"]): draw.sample([12, 14, 16], draw.randint(1, 2))}}
        return {name: self._text(WORDS[name]) if name in WORDS else self._number(SMALL)}

    def _number(self, values: list[float]) -> dict[str, Any]:
        draw, found = self.random, dict[str, Any]()
        for _ in range(draw.choice([1, 1, 2])):
            operator = draw.choice(["eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "not_in"])
            if operator == "between":
                found[operator] = sorted(draw.sample(values, 2))
            elif operator in ("in", "not_in"):
                found[operator] = draw.sample(values, draw.randint(1, 3))
            else:
                found[operator] = draw.choice(values)
        return found

    def _text(self, words: list[str]) -> dict[str, Any]:
        draw, found = self.random, dict[str, Any]()
        for _ in range(draw.choice([1, 1, 2])):
            word = draw.choice(words)
            cut = word[draw.randint(0, len(word) - 1) :]
            operator = draw.choice(
                ["eq", "ne", "in", "not_in", "contains", "not_contains", "starts_with", "ends_with", "glob"]
            )
            if operator in ("in", "not_in"):
                found[operator] = draw.sample(words, min(len(words), draw.randint(1, 3)))
            elif operator == "glob":
                found[operator] = draw.choice(
                    [f"*{cut}", f"{word[:2]}*", f"?{word[1:]}", f"{word[0]}*{cut[-1]}", "*"]
                )
            elif operator in ("eq", "ne"):
                found[operator] = word
            elif operator == "starts_with":
                found[operator] = word[: draw.randint(1, len(word))]
            else:
                found[operator] = cut
        return found

    def _selection(self, names: list[str]) -> Selection:
        draw = self.random
        if draw.random() < 0.5:
            return Selection()
        return Selection(frozenset(draw.sample(names, draw.randint(1, 2))), exclude=draw.random() < 0.5)


def constants(*nodes: Any) -> Iterator[Any]:
    """The texts and numbers in conditions."""
    for node in nodes:
        if isinstance(node, Mapping):
            yield from constants(*node.values())
        elif isinstance(node, list | tuple):
            yield from constants(*node)
        elif node is not None and not isinstance(node, bool):
            yield node


class Orders:
    """Random orders as readers could make them, near the constants of some conditions."""

    def __init__(self, seed: int, *conditions: Any) -> None:
        self.random = random.Random(seed)
        found = set(constants(*conditions))
        numbers = {each for each in found if not isinstance(each, str)}
        self.numbers = sorted(
            {near for each in numbers | {0} for near in (each, each - 0.01, each + 0.01, each + 7)}
        )
        texts = {each.replace("*", "").replace("?", "q") for each in found if isinstance(each, str)}
        self.texts = sorted({each for each in texts if each} | {"zz"})

    def order(self) -> Order:
        """One order."""
        draw = self.random
        values: dict[str, Any] = {name: self._maybe(self._text) for name in ORDER_TEXTS}
        values |= {name: self._maybe(self._number) for name in NUMBERS}
        virtual = draw.choice([None, False, True])
        if virtual:
            values |= {"shipping_method": None, "shipping_country": values["billing_country"]}
        domain = self._maybe(self._text)
        back, paid = values["total_refunded"] or 0, values["total_paid"]
        paid = values["grand_total"] if paid is None else paid
        return Order(
            order_id=1,
            number="1",
            created_at=NOW,
            store_view=draw.choice([None, "de", "at", "ch", "fr"]),
            customer_group=draw.choice([None, "General", "Wholesale", "NOT LOGGED IN", "VIP"]),
            contact=Contact(email=None if domain is None or "@" in domain else f"customer@{domain}"),
            items=tuple(self._item() for _ in range(draw.choice([0, 1, 1, 2, 3]))),
            is_guest=draw.choice([None, False, True]),
            is_virtual=virtual,
            has_company=draw.random() < 0.5,
            has_vat_id=draw.random() < 0.5,
            refunded=back > 0 and paid is not None and back >= paid - 0.01,
            **values,
        )

    def _item(self) -> Item:
        draw = self.random
        return Item(
            sku=self._maybe(self._text),
            name=self._maybe(self._text),
            product_type=self._maybe(self._text),
            price=self._maybe(self._number),
            qty=self._maybe(self._number),
            row_total=self._maybe(self._number),
            category_ids=draw.choice([None, (), (12,), (14,), (12, 14), (16,)]),
        )

    def _maybe(self, value: Any) -> Any:
        return None if self.random.random() < 0.25 else value()

    def _number(self) -> float:
        return self.random.choice(self.numbers)

    def _text(self) -> str:
        draw = self.random
        word = draw.choice(self.texts)
        return (
            word
            if draw.random() < 0.7
            else draw.choice([word + draw.choice(self.texts), "q" + word, word + "q"])
        )


ORDER_TEXTS = [name for name in WORDS if name not in ("sku", "name", "product_type", "email_domain")]
