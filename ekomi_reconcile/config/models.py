"""The format of the files as pydantic models: what is accepted.

They are derived from the records that declare the keys (``model.account``, ``config.settings``); formats that
no record has are written here and in ``config.conditions``. The JSON Schemas are generated from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Strict, Tag, model_validator
from pydantic_core import PydanticCustomError

from ekomi_reconcile.config.conditions import ABSENT, Condition, ItemCondition
from ekomi_reconcile.config.order_sources import ORDER_FIELDS, FileColumn, OrdersSettings
from ekomi_reconcile.config.settings import PinnedState, Project
from ekomi_reconcile.config.source_kinds import registered_keys
from ekomi_reconcile.config.types import Also, FixedKeys, Flag, of_kind
from ekomi_reconcile.model import keys
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.rule import DELIVERIES, Deliver


class _OneOf(FixedKeys):
    """Exactly one of these keys is needed."""

    one_of: ClassVar[tuple[str, ...]]

    @model_validator(mode="after")
    def _exactly_one(self) -> _OneOf:
        if len(self.model_fields_set & set(self.one_of)) != 1:
            raise PydanticCustomError("one_of", "not exactly one of two", {"keys": " ".join(self.one_of)})
        return self


@cache
def model_of(record: Any) -> type[BaseModel]:
    """The pydantic model of the mappings from which this record is made."""
    name = getattr(record, "SCHEMA", record.__name__.removesuffix("Settings"))
    return _model(record, name, (record.__doc__ or "").partition("\n\n")[0], keys.keys(record))


def _model(
    record: type,
    name: str,
    description: str,
    declared: tuple[keys.Declared, ...],
    *,
    one_of: tuple[str, ...] | None = None,
) -> type[BaseModel]:
    one_of = one_of or getattr(record, "ONE_OF", None)
    config = ConfigDict()
    if one_of is not None:
        config["json_schema_extra"] = {"oneOf": [{"required": [each]} for each in one_of]}
    if name == getattr(record, "SCHEMA", None) and hasattr(record, "TITLE"):
        config["title"] = record.TITLE
    body: dict[str, Any] = {
        "__module__": __name__,
        "__qualname__": name,
        "__doc__": description,
        "__annotations__": {each.name: _type(each.kind, each.type) for each in declared},
        "model_config": config,
        **({"one_of": one_of} if one_of is not None else {}),
        **{each.name: _field(each) for each in declared},
    }
    base = FixedKeys if one_of is None else _OneOf
    metaclass: Any = type(base)
    made: type[BaseModel] = metaclass(name, (base,), body)
    return made


def type_of(hint: Any) -> Any:
    """The pydantic type of what the files may have for a value of this type."""
    return _type(*keys.kind_of(hint))


def _type(kind: keys.Kind | None, type_: Any) -> Any:
    made: Any = type_
    if isinstance(kind, keys.Format):
        return FORMATS[kind.name]
    if get_origin(type_) is tuple:
        return of_kind(kind or keys.Several(), type_of(get_args(type_)[0]))
    if kind is not None:
        return of_kind(kind)
    if is_dataclass(type_):
        return model_of(made)
    if issubclass(type_, Enum):
        return Literal[tuple(each.value for each in type_)]
    return Flag if type_ is bool else type_


def _field(declared: keys.Declared) -> Any:
    """What editors show of a key. Optional keys have no default there that its ``absent`` says in words."""
    key = declared.key
    extra: dict[str, Any] = {ABSENT: key.absent} if key.absent else {}
    if key.labels:
        extra["enumDescriptions"] = list(key.labels)
    default = ... if declared.is_required else None if key.absent else declared.written_default
    return Field(
        default=default,
        description=key.description,
        examples=list(key.examples) or None,
        json_schema_extra=extra or None,
    )


_NAMES: Final[Any] = type_of(keys.Names)
_NAME: Final[Any] = type_of(keys.Name)
_LOCATION: Final[Any] = type_of(keys.Location)
_SOURCE_NAME: Final[Any] = type_of(keys.SourceName)
_STORE_ID: Final[Any] = type_of(keys.StoreId)


class Exclude(FixedKeys):
    """All but these."""

    exclude: _NAMES = Field(description="Every one is meant but these.", examples=[["NOT LOGGED IN"]])


def _list_or_exclude(value: Any) -> str | None:
    if isinstance(value, list):
        return "#list"
    return "#exclude" if isinstance(value, dict) else None


def _title_or_column(value: Any) -> str | None:
    if isinstance(value, str):
        return "#title"
    return "#column" if isinstance(value, dict) else None


def _text_or_pinned(value: Any) -> str | None:
    if isinstance(value, str):
        return "#text"
    return "#pinned" if isinstance(value, dict) else None


_REGISTERED: Final = tuple(registered_keys())


def _word_or_list(value: Any) -> str | None:
    if isinstance(value, list):
        return "#list"
    return "#word" if isinstance(value, str) else None


_SOURCE_KEYS: Final = tuple(each.name for each in (*keys.keys(OrdersSettings), *_REGISTERED))


def _short_or_named(value: Any) -> str | None:
    if not isinstance(value, dict):
        return None
    return "#short" if any(each in value for each in _SOURCE_KEYS) else "#named"


def _either(choose: Callable[[Any], str | None], **formats: Any) -> Any:
    """One of two formats, by what the value looks like."""
    one, other = (Annotated[each, Tag(f"#{tag}")] for tag, each in formats.items())
    return Annotated[one | other, Discriminator(choose)]


FORMATS: Final[dict[str, Any]] = {
    "condition": Condition,
    "item-condition": ItemCondition,
    "deliver": _either(
        _word_or_list,
        word=Annotated[
            Literal[tuple(each.value for each in Deliver)], Also(enumDescriptions=list(DELIVERIES))
        ],
        list=of_kind(keys.Several(), Literal[Deliver.EKOMI_EMAIL.value, Deliver.EKOMI_SMS.value]),
    ),
    "selection": _either(_list_or_exclude, list=_NAMES, exclude=Exclude),
    "ids": Annotated[
        dict[_STORE_ID, Annotated[_NAME, Also(description="Its code or name in the files.")]],
        Strict(),
        Also(additionalProperties=False),
    ],
    "words": Annotated[
        dict[_NAME, Annotated[_NAME, Also(description="What the word of the file means here.")]],
        Strict(),
        Field(min_length=1),
        Also(additionalProperties=False),
    ],
    "state": _either(_text_or_pinned, text=_LOCATION, pinned=model_of(PinnedState)),
}
"""The formats that are declared by name (``keys.Format``)."""

_EXTENSION: Final = "extension_attributes[.][A-Za-z0-9_]+"
_FIELD: Final[Any] = of_kind(
    keys.Text(pattern=f"^({'|'.join(ORDER_FIELDS).replace('.', '[.]')}|{_EXTENSION})$")
)
_COLUMN: Final[Any] = _either(_title_or_column, title=_NAME, column=model_of(FileColumn))
FORMATS["columns"] = Annotated[
    dict[_FIELD, Annotated[_COLUMN, Also(description="The title of its column, or more about the column.")]],
    Strict(),
    Field(min_length=1),
    Also(additionalProperties=False),
]
FORMATS["defaults"] = _model(
    Account,
    "AccountDefaults",
    "What accounts share: a key that an account does not have is taken from here.",
    tuple(each for each in keys.keys(Account) if not each.key.own),
)
_SOURCE: Final[Any] = _model(
    OrdersSettings,
    OrdersSettings.SCHEMA,
    (OrdersSettings.__doc__ or "").partition("\n\n")[0],
    (*keys.keys(OrdersSettings), *_REGISTERED),
    one_of=(*OrdersSettings.ONE_OF, *(each.name for each in _REGISTERED)),
)
FORMATS["orders"] = _either(
    _short_or_named,
    short=_SOURCE,
    named=Annotated[
        dict[_SOURCE_NAME, _SOURCE],
        Strict(),
        Field(min_length=1),
        Also(properties=dict.fromkeys(_SOURCE_KEYS, False), additionalProperties=False),
    ],
)
AccountDocument: Final = model_of(Account)
ProjectDocument: Final = model_of(Project)
