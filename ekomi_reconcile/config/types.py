"""The kinds of values in the files: each as a pydantic type whose JSON Schema says exactly the same.

``$`` is the one part of a pattern on which regular expressions disagree (Python lets it be before a last line
break), hence ``NO_CONTROL`` beside every pattern.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Annotated, Any, Final, TypeAlias, TypeVar

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
)
from pydantic_core import CoreSchema, PydanticCustomError

from ekomi_reconcile.model import keys
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
    """A list whose entries differ."""
    if len(set(values)) != len(values):
        raise PydanticCustomError("duplicate_item", "an entry occurs twice")
    return values


Flag: TypeAlias = Annotated[bool, Strict()]
Integer: TypeAlias = Annotated[int, Strict(), BeforeValidator(whole)]
Number: TypeAlias = Annotated[int | float, PlainValidator(_number), Also(type="number")]
String: TypeAlias = Annotated[str, StringConstraints(strict=True, min_length=1)]


def of_kind(kind: keys.Kind, entry: Any = None) -> Any:
    """The pydantic type of a kind of values; ``entry`` is that of a list's entries."""
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
