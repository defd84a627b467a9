"""pydantic models and JSON schemas of the files, from the declared keys; pinning a lineage.

They are derived from the records that declare the keys (``model.account``, ``config.settings``); formats that
no record has are written here and in ``config.conditions``. The JSON Schemas are generated from them.

Editors show these texts: every key has a title and a description that also says its default, or what
leaving it out means, once as text and once as Markdown (``markdownDescription``, which the YAML language
server prefers).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import is_dataclass
from enum import Enum
from functools import cache
from typing import Annotated, Any, ClassVar, Final, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Strict, Tag, model_validator
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import PydanticCustomError, core_schema

from ekomi_reconcile.config.conditions import ABSENT, Also, Condition, FixedKeys, Flag, ItemCondition, of_kind
from ekomi_reconcile.config.order_sources import ORDER_FIELDS, FileColumn, OrdersSettings, registered_keys
from ekomi_reconcile.config.settings import PinnedState, Project
from ekomi_reconcile.config.source import Document, KeyPath
from ekomi_reconcile.config.yaml import read
from ekomi_reconcile.formatting.emit import text as scalar
from ekomi_reconcile.model import keys
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.document import DIALECT
from ekomi_reconcile.model.errors import ConfigurationError
from ekomi_reconcile.model.rule import DELIVERIES, Deliver


class _OneOf(FixedKeys):
    """Exactly one of these keys is needed."""

    one_of: ClassVar[tuple[str, ...]]

    @model_validator(mode="after")
    def _exactly_one(self) -> _OneOf:
        if len(self.model_fields_set & set(self.one_of)) != 1:
            raise PydanticCustomError("one_of", "not exactly one of two", {"keys": " ".join(self.one_of)})
        return self


class _NotEmpty(FixedKeys):
    """At least one key: without any it would say nothing."""

    @model_validator(mode="after")
    def _not_empty(self) -> _NotEmpty:
        if not self.model_fields_set:
            raise PydanticCustomError("empty_mapping", "an empty mapping")
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
    not_empty = getattr(record, "NOT_EMPTY", False)
    if not_empty:
        config["json_schema_extra"] = {"minProperties": 1}
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
    base = _NotEmpty if not_empty else FixedKeys if one_of is None else _OneOf
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


_MODELS: Final[dict[str, type[BaseModel]]] = {"account": AccountDocument, "project": ProjectDocument}
KINDS: Final = tuple(_MODELS)
_ACRONYMS: Final = {"api": "API", "id": "id", "qty": "quantity", "sku": "SKU", "srr": "SRR", "url": "URL"}


class _Generator(GenerateJsonSchema):
    """Leaves out the default of optional keys: it is "absent", and ``null`` would be an error."""

    schema_dialect = DIALECT

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Called by pydantic."""
        generated = super().default_schema(schema)
        if generated.get("default", ...) is None:
            del generated["default"]
        return generated


@cache
def schema(kind: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of ``account`` or ``project`` files; not to be changed.

    Raises:
        KeyError: there is no such kind.
    """
    generated = _MODELS[kind].model_json_schema(by_alias=True, schema_generator=_Generator)
    named = generated["$defs"]
    for part in named.values():
        part["title"] = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", part["title"]).capitalize()
        part["description"] = part["description"].replace("``", "`")
    for part in (generated, *named.values()):
        _explain(part, named)
    return {"$schema": DIALECT, "$id": f"urn:ekomi-reconcile:schema:{kind}:1", **generated}


def _explain(part: dict[str, Any], named: dict[str, dict[str, Any]]) -> None:
    """Give the keys of a mapping titles for people, and descriptions that say the default."""
    for name, key in part.get("properties", {}).items():
        # pydantic leaves out a description that says the same as that of the mapping it leads to.
        text = key.get("description") or named[key["$ref"].rpartition("/")[2]]["description"]
        note = _note(key, is_required=name in part.get("required", ()))
        key["title"] = _title(name)
        key["description"] = f"{text} {note.replace('`', '')}".strip()
        key["markdownDescription"] = f"{text}\n\n{note}".strip()


def _note(key: dict[str, Any], *, is_required: bool) -> str:
    """What holds where the key is left out, as Markdown."""
    absent = key.pop(ABSENT, None)
    match key.get("default"):
        case None if is_required:
            return ""
        case None:
            return f"Left out: {absent}." if absent else "No default."
        case list() as values:
            return f"Default: `[{', '.join(map(str, values))}]`"
        case value:
            return f"Default: `{value if isinstance(value, str) else json.dumps(value)}`"


def _title(name: str) -> str:
    words = " ".join(_ACRONYMS.get(word, word) for word in name.split("_"))
    return words[:1].upper() + words[1:]


def account_schema() -> dict[str, Any]:
    """The JSON Schema of one account document."""
    return schema("account")


def project_schema() -> dict[str, Any]:
    """The JSON Schema of ``ekomi-reconcile.yaml``."""
    return schema("project")


def rendered(kind: str) -> str:
    """The schema as the text of its file."""
    return json.dumps(schema(kind), indent=2, ensure_ascii=False) + "\n"


_DEFAULT: Final = str(ProjectDocument.model_fields["state"].default)


def pinned(path: str, content: bytes, lineage: str) -> bytes:
    """The project file in ``content`` with this lineage pinned; ``path`` is how messages name it.

    Comments and layout stay. The result is read again: it says the same as before, but for ``state``.

    Raises:
        ConfigurationError: the file cannot be edited like that; the hint has the line to write by hand.
    """
    documents, problems = read(path, content)
    if problems or len(documents) != 1:
        raise ConfigurationError(f"{path} cannot be read", hint="see: ekomi-reconcile validate")
    document = documents[0]
    location = document.data.get("state", _DEFAULT)
    if isinstance(location, dict):
        location = location.get("location", _DEFAULT)
    value = f"{{location: {scalar(location, in_flow=True)}, lineage: {lineage}}}"
    edited = _edited(document, content.decode("utf-8-sig"), value)
    wanted = {**document.data, "state": {"location": location, "lineage": lineage}}
    encoded = edited.encode("utf-8")
    again, problems = read(path, encoded)
    if problems or [each.data for each in again] != [wanted]:
        raise ConfigurationError(
            f"{path} is written in a way that --pin cannot edit", hint=f"add it by hand: state: {value}"
        )
    return encoded


def _edited(document: Document, text: str, value: str) -> str:
    if "state" in document.data:
        start, end = _span(document, text, ("state",))
        return text[:start] + value + text[end:]
    _, end = _span(document, text, ("version",))
    line_end = text.find("\n", end)
    at = len(text) if line_end < 0 else line_end + 1
    before = text[:at] if text[:at].endswith("\n") else f"{text[:at]}\n"
    return f"{before}state: {value}\n{text[at:]}"


def _span(document: Document, text: str, path: KeyPath) -> tuple[int, int]:
    """Where the value at ``path`` begins and ends in the text, without what follows on its last line."""
    place: Any = document.place(path)
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    start = starts[place.line - 1] + place.column - 1
    end = starts[place.end_line - 1] + place.end_column - 1
    return start, start + len(text[start:end].rstrip())
