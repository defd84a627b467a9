"""The kinds of values in the files: each as a pydantic type whose JSON Schema says exactly the same.

Patterns use only what Rust, Python and ECMAScript agree on. ``$`` is the exception (Python lets it stand
before a last line break), hence ``NO_CONTROL`` beside every pattern.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
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

from ekomi_reconcile.model.paths import CONTROL as _CONTROL
from ekomi_reconcile.model.paths import SPACE as _BLANK
from ekomi_reconcile.model.paths import UUID

NO_CONTROL: Final = {"not": {"pattern": f"[{_CONTROL}]"}}

_NAME: Final = f"^[^{_CONTROL}{_BLANK}]([^{_CONTROL}]*[^{_CONTROL}{_BLANK}])?$"
_HOST: Final = f"[^{_CONTROL}{_BLANK}/?#@]+"
_REFERENCE_END: Final = f"[^{_CONTROL}{_BLANK}{{}}]"
REFERENCE: Final = f"^\\$\\{{[a-z][a-z0-9_-]*:{_REFERENCE_END}([^{_CONTROL}{{}}]*{_REFERENCE_END})?\\}}$"


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
Whole: TypeAlias = Annotated[int, Strict(), BeforeValidator(whole)]
Days: TypeAlias = Annotated[int, Strict(), Field(ge=0, le=365), BeforeValidator(whole)]
Percent: TypeAlias = Annotated[int, Strict(), Field(ge=0, le=100), BeforeValidator(whole)]
Limit: TypeAlias = Annotated[int, Strict(), Field(ge=0), BeforeValidator(whole)]
Calls: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=64), BeforeValidator(whole)]
Priority: TypeAlias = Annotated[int, Strict(), Field(ge=-1_000_000, le=1_000_000), BeforeValidator(whole)]
CapCount: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=1_000), BeforeValidator(whole)]
CapDays: TypeAlias = Annotated[int, Strict(), Field(ge=1, le=3_650), BeforeValidator(whole)]
Rate: TypeAlias = Annotated[int | float, PlainValidator(_rate), Also(type="number", exclusiveMinimum=0)]
Number: TypeAlias = Annotated[int | float, PlainValidator(_number), Also(type="number")]
Lineage: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True, pattern=f"^({UUID}|\\$\\{{env:[A-Za-z_][A-Za-z0-9_]*\\}})$"),
    Also(examples=["1f0c6a52-9b1e-4d0f-8a57-3c2f5f0e7b11", "${env:STATE_LINEAGE}"], **NO_CONTROL),
]
Text: TypeAlias = Annotated[str, StringConstraints(strict=True, min_length=1)]
Location: TypeAlias = Annotated[
    str, StringConstraints(strict=True, min_length=1, pattern=_NAME), Also(**NO_CONTROL)
]

Name: TypeAlias = Annotated[
    str, StringConstraints(strict=True, min_length=1, max_length=255, pattern=_NAME), Also(**NO_CONTROL)
]
Names: TypeAlias = Annotated[
    list[Name], Strict(), Field(min_length=1), AfterValidator(distinct), Also(uniqueItems=True)
]
InterfaceId: TypeAlias = Annotated[
    str, StringConstraints(strict=True, pattern="^[0-9]{1,20}$"), Also(examples=["28374"], **NO_CONTROL)
]
SecretReference: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True, pattern=REFERENCE),
    Also(examples=["${env:EKOMI_DE_PASSWORD}", "${file:/run/secrets/ekomi}"], **NO_CONTROL),
]
Duration: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True, pattern="^[1-9][0-9]{0,5}[smhdw]$"),
    Also(examples=["30s", "15m", "6h", "14d", "2w"], **NO_CONTROL),
]
Spread: TypeAlias = Annotated[
    str,
    StringConstraints(strict=True, pattern="^((0|[1-9][0-9]{0,2})h|(0|[1-9][0-9]?)d|[1-9]w)$"),
    Also(examples=["3d", "36h", "2w"], **NO_CONTROL),
]
PageUrl: TypeAlias = Annotated[
    str,
    StringConstraints(
        strict=True, max_length=2000, pattern=f"^https?://{_HOST}([/?#][^{_CONTROL}{_BLANK}]*)?$"
    ),
    Also(examples=["https://shop.example.com/"], **NO_CONTROL),
]
BaseUrl: TypeAlias = Annotated[
    str,
    StringConstraints(
        strict=True, max_length=2000, pattern=f"^https?://{_HOST}(/[^{_CONTROL}{_BLANK}?#]*)?$"
    ),
    Also(examples=["https://shop.example.com"], **NO_CONTROL),
]
StoreId: TypeAlias = Annotated[
    str, StringConstraints(strict=True, pattern="^(0|[1-9][0-9]{0,9})$"), Also(**NO_CONTROL)
]
SourceName: TypeAlias = Annotated[
    str, StringConstraints(strict=True, pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"), Also(**NO_CONTROL)
]

_SECONDS: Final[Mapping[str, int]] = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def seconds(duration: str) -> int:
    """The seconds of a ``Duration`` or ``Spread`` such as ``6h``."""
    return int(duration[:-1]) * _SECONDS[duration[-1]]
