"""Custom conditions as the files write them: one mapping, exactly one key, each key spelled out here.

The models are flat so that an editor can offer every attribute with the operators that fit its type.
That ``between`` has its low end first is the one rule here that JSON Schema cannot say.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainValidator,
    Strict,
    StringConstraints,
    create_model,
    model_validator,
)
from pydantic_core import CoreSchema, PydanticCustomError

from ekomi_reconcile.model import keys
from ekomi_reconcile.model.keys import FieldPath, kind_of
from ekomi_reconcile.model.order import AttributeKind, Item, Order, condition_attributes, declared
from ekomi_reconcile.model.paths import CONTROL

NO_CONTROL: Final = {"not": {"pattern": f"[{CONTROL}]"}}


class Also:
    """Keywords to add to the JSON Schema of a type."""

    def __init__(self, **keywords: Any) -> None:
        self._keywords = keywords

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Called by pydantic."""
        return {**handler(core), **self._keywords}


class FixedKeys(BaseModel):
    """A mapping whose keys are all named by the format."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def whole(value: Any) -> Any:
    """14.0 is a whole number, as in JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _number(value: Any) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number_type", "not a number")
    return value


def _rate(value: Any) -> int | float:
    if _number(value) <= 0:
        raise PydanticCustomError("greater_than", "not above 0")
    return _number(value)


_Item = TypeVar("_Item", bound=Hashable)


def distinct(values: list[_Item]) -> list[_Item]:
    """A list whose entries differ.

    Raises:
        PydanticCustomError: an entry occurs twice.
    """
    if len(set(values)) != len(values):
        raise PydanticCustomError("duplicate_item", "an entry occurs twice")
    return values


Flag: TypeAlias = Annotated[bool, Strict()]
Integer: TypeAlias = Annotated[int, Strict(), BeforeValidator(whole)]
Number: TypeAlias = Annotated[int | float, PlainValidator(_number), Also(type="number")]
String: TypeAlias = Annotated[str, StringConstraints(strict=True, min_length=1)]


def of_kind(kind: keys.Kind, entry: Any = None) -> Any:
    """The pydantic type of a kind of values; ``entry`` is that of a list's entries.

    Raises:
        TypeError: there is no such kind.
    """
    match kind:
        case keys.Text():
            limits = StringConstraints(
                strict=True, min_length=kind.shortest, max_length=kind.longest, pattern=kind.pattern
            )
            return Annotated[str, limits, Also(**kind.more, **NO_CONTROL)]
        case keys.Whole():
            bounds = Field(ge=kind.low, le=kind.high)
            return Annotated[int, Strict(), bounds, BeforeValidator(whole), Also(**kind.more)]
        case keys.Positive():
            return Annotated[int | float, PlainValidator(_rate), Also(type="number", exclusiveMinimum=0)]
        case keys.Several(distinct=True):
            entries = Annotated[list[entry], Strict(), Field(min_length=1)]
            return Annotated[entries, AfterValidator(distinct), Also(uniqueItems=True)]
        case keys.Several():
            return Annotated[list[entry], Strict(), Field(min_length=1)]
    raise TypeError(f"no pydantic type for {kind}")


ABSENT: Final = "absent"
"""Key under which a model says what leaving out an optional key means; the schema says it in words."""

_NOT_OPERATORS: Final = frozenset({"of", "where", "path"})
_MISSING: Final = "Also true where the order has no value."


def optional(
    description: str,
    *,
    alias: str | None = None,
    absent: str | None = None,
    examples: list[Any] | None = None,
) -> Any:
    """An optional key: absent is the only way to leave it out, ``null`` is an error.

    ``absent`` says for editors what leaving it out means.
    """
    extra: dict[str, Any] | None = {ABSENT: absent} if absent else None
    return Field(
        default=None, alias=alias, description=description, examples=examples, json_schema_extra=extra
    )


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
Texts: TypeAlias = Annotated[list[String], Strict(), Field(min_length=1)]
Wholes: TypeAlias = Annotated[list[Integer], Strict(), Field(min_length=1)]


class NumberTest(_Operators):
    """Operators of a number."""

    eq: Number = optional("Equal to.")
    ne: Number = optional(f"Not equal to. {_MISSING}")
    gt: Number = optional("Greater than.")
    gte: Number = optional("Greater than or equal to.")
    lt: Number = optional("Less than.")
    lte: Number = optional("Less than or equal to.")
    between: Range = optional("From low to high, both included.", examples=[[50, 200]])
    in_: Numbers = optional("One of these.", alias="in")
    not_in: Numbers = optional(f"None of these. {_MISSING}")


class TextTest(_Operators):
    """Operators of a text; upper and lower case are the same."""

    eq: String = optional("The same text.")
    ne: String = optional(f"Another text. {_MISSING}")
    in_: Texts = optional("One of these.", alias="in")
    not_in: Texts = optional(f"None of these. {_MISSING}")
    contains: String = optional("Holds this text.")
    not_contains: String = optional(f"Does not hold this text. {_MISSING}")
    starts_with: String = optional("Begins with this text.")
    ends_with: String = optional("Ends with this text.")
    glob: String = optional(
        "Matches a pattern in which `*` is any text and `?` any one character.", examples=["SALE-*"]
    )


class FlagTest(_Operators):
    """The operator of a yes/no value."""

    eq: Flag = optional("true or false.")


class CategoryTest(_Operators):
    """Operators of the category ids of an item."""

    in_: Wholes = optional("Is in one of these categories.", alias="in", examples=[[12, 14]])
    not_in: Wholes = optional("Is in none of these categories.")


def _one_key_schema(part: dict[str, Any]) -> None:
    """Exactly one key; attributes that are declared personal say what is done with their values."""
    # Beside the keys, "maxProperties" would keep editors from offering any of them on an empty line.
    part |= {"minProperties": 1, "allOf": [{"maxProperties": 1}]}
    personal = {name for kind in (Order, Item) for name, flag in declared(kind).items() if flag}
    for name in personal & part["properties"].keys():
        part["properties"][name]["description"] += " Personal data: masked in all output, never cached."


class _OneKey(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, json_schema_extra=_one_key_schema)

    @model_validator(mode="after")
    def _exactly_one(self) -> _OneKey:
        if len(self.model_fields_set) != 1:
            raise PydanticCustomError("one_key", "not exactly one key")
        return self


class _ItemConditionKeys(_OneKey):
    """A condition about one item of an order: a mapping with exactly one key."""

    all: Annotated[list[ItemCondition], Strict(), Field(min_length=1)] = optional("Every one of these holds.")
    any: Annotated[list[ItemCondition], Strict(), Field(min_length=1)] = optional(
        "At least one of these holds."
    )
    not_: ItemCondition = optional("This does not hold.", alias="not")


class _SumOf(_Operators):
    of: Literal["qty", "row_total"] = Field(
        description="What is added up.",
        json_schema_extra={"enumDescriptions": ["Pieces ordered.", "Prices of the rows."]},
    )
    where: ItemCondition = optional("Only items for which this holds are added up.", absent="all items")


class SumTest(NumberTest, _SumOf):
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


class _FieldOf(_Operators):
    path: of_kind(kind_of(FieldPath)[0]) = Field(  # type: ignore[valid-type]
        description="The field, as a dotted path: `extension_attributes.NAME`, `custom_attributes.CODE`, or "
        "a column. The shop is asked for it too."
    )


class FieldTest(TextTest, _FieldOf):
    """A field of the order by its path, and what must hold for its value; of a list one entry is enough."""

    model_config = ConfigDict(
        json_schema_extra={
            "minProperties": 0,
            "anyOf": [
                {"required": [name]}
                for name in (
                    *("eq", "ne", "in", "not_in", "contains", "not_contains"),
                    *("starts_with", "ends_with", "glob"),
                )
            ],
        }
    )


class _ConditionKeys(_OneKey):
    """A condition about an order: a mapping with exactly one key."""

    all: Annotated[list[Condition], Strict(), Field(min_length=1)] = optional("Every one of these holds.")
    any: Annotated[list[Condition], Strict(), Field(min_length=1)] = optional("At least one of these holds.")
    not_: Condition = optional("This does not hold.", alias="not")
    any_item: ItemCondition = optional("At least one item is like this.")
    every_item: ItemCondition = optional("Every item is like this; false for an order without items.")
    no_item: ItemCondition = optional("No item is like this.")
    sum_items: SumTest = optional(
        "A number over the items: what is added up, and what must hold for the sum.",
        examples=[{"of": "qty", "gte": 3}],
    )
    field: FieldTest = optional(
        "Any field of the order by its path. Personal data: masked in all output, never cached.",
        examples=[{"path": "extension_attributes.ekomi_optin", "eq": "1"}],
    )


def _leaves(kind: type[Order | Item]) -> dict[str, Any]:
    """The keys of a condition that compare one attribute: those that the record describes."""
    return {
        name: (_TESTS[each.kind], optional(each.description, examples=each.examples))
        for name, each in condition_attributes(kind).items()
    }


_TESTS: Final = {
    AttributeKind.NUMBER: NumberTest,
    AttributeKind.TEXT: TextTest,
    AttributeKind.FLAG: FlagTest,
}

if TYPE_CHECKING:

    class Condition(_ConditionKeys):
        """A condition about an order: a mapping with exactly one key."""

    class ItemCondition(_ItemConditionKeys):
        """A condition about one item of an order: a mapping with exactly one key."""
else:
    ItemCondition = create_model(
        "ItemCondition",
        __base__=_ItemConditionKeys,
        __doc__=_ItemConditionKeys.__doc__,
        __module__=__name__,
        **_leaves(Item),
        category_id=(
            CategoryTest,
            optional("Ids of the categories that the product is in.", examples=[{"in": [12, 14]}]),
        ),
    )
    Condition = create_model(
        "Condition",
        __base__=_ConditionKeys,
        __doc__=_ConditionKeys.__doc__,
        __module__=__name__,
        **_leaves(Order),
    )
    for _model in (ItemCondition, SumTest, Condition):
        _model.model_rebuild()
