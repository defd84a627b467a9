"""Custom conditions as the files write them: one mapping, exactly one key, each key spelled out here.

The models are flat so that an editor can offer every attribute with the operators that fit its type.
That ``between`` has its low end first is the one rule here that JSON Schema cannot say.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, model_validator
from pydantic_core import PydanticCustomError

from ekomi_reconcile.config.types import Flag, Number, Text, Whole

_NOT_OPERATORS: Final = frozenset({"of", "where"})


def optional(description: str, *, alias: str | None = None, examples: list[Any] | None = None) -> Any:
    """An optional key: absent is the only way to leave it out, ``null`` is an error."""
    return Field(default=None, alias=alias, description=description, examples=examples)


def _low_first(ends: list[int | float]) -> list[int | float]:
    if ends[0] > ends[1]:
        raise PydanticCustomError("between_order", "low above high")
    return ends


class _Operators(BaseModel):
    """Several operators must all hold; at least one is needed."""

    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _has_one(self) -> _Operators:
        if self.model_fields_set <= _NOT_OPERATORS:
            raise PydanticCustomError("no_operator", "no operator")
        return self


Numbers: TypeAlias = Annotated[list[Number], Strict(), Field(min_length=1)]
Range: TypeAlias = Annotated[
    list[Number], Strict(), Field(min_length=2, max_length=2), AfterValidator(_low_first)
]
Texts: TypeAlias = Annotated[list[Text], Strict(), Field(min_length=1)]
Wholes: TypeAlias = Annotated[list[Whole], Strict(), Field(min_length=1)]


class NumberTest(_Operators):
    """Operators of a number."""

    eq: Number = optional("equal to")
    ne: Number = optional("not equal to; also true where the order has no value")
    gt: Number = optional("greater than")
    gte: Number = optional("greater than or equal to")
    lt: Number = optional("less than")
    lte: Number = optional("less than or equal to")
    between: Range = optional("from low to high, both included", examples=[[50, 200]])
    in_: Numbers = optional("one of these", alias="in")
    not_in: Numbers = optional("none of these; also true where the order has no value")


class TextTest(_Operators):
    """Operators of a text; upper and lower case are the same."""

    eq: Text = optional("the same text")
    ne: Text = optional("another text; also true where the order has no value")
    in_: Texts = optional("one of these", alias="in")
    not_in: Texts = optional("none of these; also true where the order has no value")
    contains: Text = optional("holds this text")
    not_contains: Text = optional("does not hold this text; also true where the order has no value")
    starts_with: Text = optional("begins with this text")
    ends_with: Text = optional("ends with this text")
    glob: Text = optional("matches a pattern in which * is any text and ? any character", examples=["SALE-*"])


class FlagTest(_Operators):
    """The operator of a yes/no value."""

    eq: Flag = optional("true or false")


class CategoryTest(_Operators):
    """Operators of the category ids of an item."""

    in_: Wholes = optional("is in one of these categories", alias="in", examples=[[12, 14]])
    not_in: Wholes = optional("is in none of these categories")


class _OneKey(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, json_schema_extra={"minProperties": 1, "maxProperties": 1}
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> _OneKey:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("one_key", "not exactly one key")
        return self


class ItemCondition(_OneKey):
    """A condition about one item of an order: a mapping with exactly one key."""

    all: Annotated[list[ItemCondition], Strict(), Field(min_length=1)] = optional("every one of these holds")
    any: Annotated[list[ItemCondition], Strict(), Field(min_length=1)] = optional(
        "at least one of these holds"
    )
    not_: ItemCondition = optional("this does not hold", alias="not")
    sku: TextTest = optional("article number", examples=[{"starts_with": "BK-"}])
    name: TextTest = optional("product name")
    product_type: TextTest = optional("Magento product type", examples=[{"eq": "simple"}])
    price: NumberTest = optional("unit price")
    qty: NumberTest = optional("quantity ordered")
    row_total: NumberTest = optional("price of the row")
    category_id: CategoryTest = optional("ids of the product's categories", examples=[{"in": [12, 14]}])


class SumTest(NumberTest):
    """A number over all items, and what must hold for it; ``where`` picks the items that count."""

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 0,
            "anyOf": [
                {"required": [name]}
                for name in ("eq", "ne", "gt", "gte", "lt", "lte", "between", "in", "not_in")
            ],
        }
    )

    of: Literal["qty", "row_total"] = Field(description="what is added up")
    where: ItemCondition = optional("only items for which this holds")


class Condition(_OneKey):
    """A condition about an order: a mapping with exactly one key."""

    all: Annotated[list[Condition], Strict(), Field(min_length=1)] = optional("every one of these holds")
    any: Annotated[list[Condition], Strict(), Field(min_length=1)] = optional("at least one of these holds")
    not_: Condition = optional("this does not hold", alias="not")
    any_item: ItemCondition = optional("at least one item is like this")
    every_item: ItemCondition = optional("every item is like this; false for an order without items")
    no_item: ItemCondition = optional("no item is like this")
    sum_items: SumTest = optional("a number over the items", examples=[{"of": "qty", "gte": 3}])
    grand_total: NumberTest = optional("order total in the order's currency", examples=[{"gte": 50}])
    base_grand_total: NumberTest = optional("order total in the shop's base currency")
    subtotal: NumberTest = optional("total of the items in the order's currency")
    base_subtotal: NumberTest = optional("total of the items in the shop's base currency")
    discount_amount: NumberTest = optional("discount; Magento gives it as a negative number")
    shipping_amount: NumberTest = optional("shipping costs")
    total_qty: NumberTest = optional("pieces ordered (Magento: total_qty_ordered)")
    item_count: NumberTest = optional("rows of the order (Magento: total_item_count)")
    weight: NumberTest = optional("weight of the order")
    currency: TextTest = optional("currency of the order", examples=[{"eq": "EUR"}])
    coupon_code: TextTest = optional("coupon used", examples=[{"glob": "STAFF-*"}])
    payment_method: TextTest = optional("payment method code", examples=[{"in": ["checkmo", "banktransfer"]}])
    shipping_method: TextTest = optional("shipping method code", examples=[{"in": ["flatrate_flatrate"]}])
    shipping_country: TextTest = optional("country of the shipping address", examples=[{"in": ["DE", "AT"]}])
    shipping_region: TextTest = optional("region name of the shipping address")
    shipping_postcode: TextTest = optional(
        "postcode of the shipping address", examples=[{"starts_with": "10"}]
    )
    shipping_city: TextTest = optional("city of the shipping address")
    billing_country: TextTest = optional("country of the billing address", examples=[{"eq": "DE"}])
    email_domain: TextTest = optional("what follows the @ of the address", examples=[{"ne": "example.com"}])
    is_guest: FlagTest = optional("ordered without a customer account", examples=[{"eq": True}])
    is_virtual: FlagTest = optional("nothing is shipped", examples=[{"eq": False}])
