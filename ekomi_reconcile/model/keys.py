"""How the keys of the files are declared: once, as the fields of frozen records.

A field made with ``key`` has a type, a default, a description for editors and a rule about when it is
recorded. Everything else follows from that: the pydantic models and JSON Schemas (``config.models``), the
values (``build``), and the forms that are recorded, shown and digested (``canonical``).

Nothing here needs pydantic: a configuration that is known already is read without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from enum import Enum, auto
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Annotated, Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from ekomi_reconcile.model.instant import duration, seconds
from ekomi_reconcile.model.paths import CONTROL, SPACE, UUID

Json: TypeAlias = Any
"""A JSON value."""

_Record = TypeVar("_Record")


class Recorded(Enum):
    """When a key is part of what is recorded of an account, and of the digests of rule and configuration.

    ``CHANGED``, only with another value than the default, is for every key that is newer than the first
    format: an upgrade changes no account and no digest. Keys of the first format are ``ALWAYS`` there.
    ``UNDIGESTED`` ones are recorded always, but digested only with another value than the default.
    ``NEVER`` is for keys that do not decide what a run does.
    """

    CHANGED = auto()
    ALWAYS = auto()
    UNDIGESTED = auto()
    NEVER = auto()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Kind:
    """What the files may have for a value.

    ``parse`` makes the value of what a valid file has, ``written`` is the way back. ``form`` is the JSON
    value that is recorded and digested. ``more`` are further keywords of the JSON Schema.
    """

    parse: Callable[[Any], Any] | None = None
    written: Callable[[Any], Json] | None = None
    form: Callable[[Any], Json] | None = None
    more: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Text(Kind):
    """A string without control characters.

    The pattern uses only what Rust, Python and ECMAScript agree on.
    """

    pattern: str
    shortest: int | None = None
    longest: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whole(Kind):
    """A whole number, both ends included."""

    low: int
    high: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Positive(Kind):
    """Any number above 0."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Several(Kind):
    """A list of at least one entry. Recorded sorted, each once, unless the order has a meaning."""

    distinct: bool = True
    ordered: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Format(Kind):
    """A value with a format of its own, which ``config.models`` has under this name."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What is declared of a key beside its type and default.

    ``absent`` says what leaving it out means, where the default does not say it; ``labels`` explain the words
    that it takes. ``own`` keys belong to one account, and cannot be set for all of them. ``called`` is the
    name in the files where that is not the one of the field. A change of a key that is not ``part_of_rule``
    is not a rule change: pending invitations are not judged again.
    """

    description: str
    absent: str | None = None
    examples: tuple[Json, ...] = ()
    labels: tuple[str, ...] = ()
    recorded: Recorded = Recorded.CHANGED
    own: bool = False
    called: str | None = None
    part_of_rule: bool = True


def key(description: str, *, default: Any = MISSING, factory: Any = MISSING, **more: Any) -> Any:
    """Declare a key of the files; one without default and factory is required.

    ``more`` are the fields of ``Key``.
    """
    metadata = {"key": Key(description=description, **more)}
    return field(default=default, default_factory=factory, metadata=metadata)


DEFAULT_OF_EACH: Final = "the default of each of its keys"
"""What leaving out a whole section means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A key with its name, its type (without ``None``, which the files never have), kind and default.

    ``attribute`` is the field of the record.
    """

    name: str
    attribute: str
    key: Key
    type: Any
    kind: Kind | None
    default: Any

    @property
    def is_required(self) -> bool:
        """Has it no default?"""
        return self.default is MISSING

    @property
    def is_record(self) -> bool:
        """Is it a mapping with keys of its own?"""
        return self.kind is None and is_dataclass(self.type)

    @property
    def is_free(self) -> bool:
        """May values of several types be recorded for it?"""
        return isinstance(self.kind, Format) or self.default is None

    @property
    def written_default(self) -> Json:
        """The default as the files may have it."""
        if self.kind is not None and self.kind.written is not None:
            return self.kind.written(self.default)
        if isinstance(self.default, tuple):
            return [each.value if isinstance(each, Enum) else each for each in self.default]
        return self.default.value if isinstance(self.default, Enum) else self.default


@cache
def keys(record: Any) -> tuple[Declared, ...]:
    """The keys of a record, in the order of the files."""
    hints = get_type_hints(record, include_extras=True)
    return tuple(
        Declared(
            name=each.metadata["key"].called or each.name,
            attribute=each.name,
            key=each.metadata["key"],
            type=kind_and_type[1],
            kind=kind_and_type[0],
            default=each.default if each.default_factory is MISSING else each.default_factory(),
        )
        for each in fields(record)
        if "key" in each.metadata
        for kind_and_type in (kind_of(hints[each.name]),)
    )


def every_key(record: type) -> Iterator[Declared]:
    """The keys of a record, and of the records in it."""
    for each in keys(record):
        yield each
        if each.is_record:
            yield from every_key(each.type)


def key_paths(record: type) -> Iterator[tuple[str, ...]]:
    """The paths of all values of a record, through the records in it."""
    for each in keys(record):
        if each.is_record:
            yield from ((each.name, *inner) for inner in key_paths(each.type))
        else:
            yield (each.name,)


def kind_of(hint: Any) -> tuple[Kind | None, Any]:
    """The kind in a type, and the type itself without ``None``."""
    if get_origin(hint) in (Union, UnionType):
        inner = [each for each in get_args(hint) if each is not type(None)]
        return kind_of(inner[0]) if len(inner) == 1 else (None, hint)
    if get_origin(hint) is Annotated:
        inner_type, *notes = get_args(hint)
        return next((each for each in notes if isinstance(each, Kind)), None), inner_type
    return None, hint


def build(record: type[_Record], data: Mapping[str, Any]) -> _Record:
    """The record of a valid mapping of the files."""
    kind: Any = record
    values = dict(data)
    for name, attribute, parse in _parsers(kind):
        if name in values:
            value = values.pop(name)
            values[attribute] = value if parse is None else parse(value)
    return record(**values)


@cache
def _parsers(record: Any) -> tuple[tuple[str, str, Callable[[Any], Any] | None], ...]:
    """Of each key whose value, or whose name, is another one in the record: both names, and the parser."""
    found = ((each.name, each.attribute, _parser(each.kind, each.type)) for each in keys(record))
    return tuple(each for each in found if each[2] is not None or each[0] != each[1])


def _parser(kind: Kind | None, type_: Any) -> Callable[[Any], Any] | None:
    if kind is not None and kind.parse is not None:
        return kind.parse
    if get_origin(type_) is tuple:
        entry = _parser(*kind_of(get_args(type_)[0]))
        return tuple if entry is None else lambda values: tuple(map(entry, values))
    if is_dataclass(type_) and isinstance(type_, type):
        return lambda data: build(type_, data)
    return type_ if isinstance(type_, type) and issubclass(type_, Enum) else None


def canonical(record: Any, *, whole: bool = False) -> dict[str, Json]:
    """The keys of a record as JSON values: equal records have equal forms.

    Keys of the first format come first. ``whole``: with those, too, that are left out at their default.
    """
    kind: Any = type(record)
    found = {}
    for name, attribute, left_out, default, form in _forms(kind):
        value = getattr(record, attribute)
        if whole or not left_out or value != default:
            if form is not None and value is not None:
                is_record = form is canonical
                value = canonical(value, whole=whole) if is_record else form(value)
            found[name] = value
    return found


@cache
def undigested(record: Any) -> dict[str, Json]:
    """The keys that are digested only with another value than the default, and the form of the default."""
    whole = canonical(record(), whole=True)
    return {each.name: whole[each.name] for each in keys(record) if each.key.recorded is Recorded.UNDIGESTED}


@cache
def beside_rule(record: Any) -> frozenset[str]:
    """The keys that are not part of the rule: a change of them judges no invitation again."""
    return frozenset(each.name for each in keys(record) if not each.key.part_of_rule)


@cache
def _forms(record: Any) -> tuple[tuple[str, str, bool, Any, Callable[[Any], Json] | None], ...]:
    """Of each key that is recorded: name, field, whether it is left out at its default, default and form."""
    found = [
        (
            each.name,
            each.attribute,
            each.key.recorded is Recorded.CHANGED,
            each.default,
            _form(each.kind, each.type),
        )
        for each in keys(record)
        if each.key.recorded is not Recorded.NEVER
    ]
    return tuple(sorted(found, key=lambda each: each[2]))


def _form(kind: Kind | None, type_: Any) -> Callable[[Any], Json] | None:
    if kind is not None and kind.form is not None:
        return kind.form
    if get_origin(type_) is tuple:
        return _list_form(kind, _form(*kind_of(get_args(type_)[0])))
    if is_dataclass(type_):
        return canonical
    return attrgetter("value") if isinstance(type_, type) and issubclass(type_, Enum) else None


def _list_form(kind: Kind | None, entry: Callable[[Any], Json] | None) -> Callable[[Iterable[Any]], Json]:
    ordered = isinstance(kind, Several) and kind.ordered

    def form(values: Iterable[Any]) -> Json:
        found = values if entry is None else map(entry, values)
        return list(found) if ordered else sorted(set(found))

    return form


_NAME: Final = f"^[^{CONTROL}{SPACE}]([^{CONTROL}]*[^{CONTROL}{SPACE}])?$"
_HOST: Final = f"[^{CONTROL}{SPACE}/?#@]+"
_REFERENCE_END: Final = f"[^{CONTROL}{SPACE}{{}}]"
REFERENCE: Final = f"^\\$\\{{[a-z][a-z0-9_-]*:{_REFERENCE_END}([^{CONTROL}{{}}]*{_REFERENCE_END})?\\}}$"

Days: TypeAlias = Annotated[int, Whole(low=0, high=365)]
Limit: TypeAlias = Annotated[int, Whole(low=0)]
Rate: TypeAlias = Annotated[int | float, Positive()]
Name: TypeAlias = Annotated[str, Text(pattern=_NAME, shortest=1, longest=255)]
Names: TypeAlias = Annotated[tuple[Name, ...], Several()]
Location: TypeAlias = Annotated[str, Text(pattern=_NAME, shortest=1)]
Lineage: TypeAlias = Annotated[
    str,
    Text(
        pattern=f"^({UUID}|\\$\\{{env:[A-Za-z_][A-Za-z0-9_]*\\}})$",
        more={"examples": ["1f0c6a52-9b1e-4d0f-8a57-3c2f5f0e7b11", "${env:STATE_LINEAGE}"]},
    ),
]
InterfaceId: TypeAlias = Annotated[str, Text(pattern="^[0-9]{1,20}$", more={"examples": ["28374"]})]
SecretReference: TypeAlias = Annotated[
    str,
    Text(pattern=REFERENCE, more={"examples": ["${env:EKOMI_DE_PASSWORD}", "${file:/run/secrets/ekomi}"]}),
]
Duration: TypeAlias = Annotated[
    int,
    Text(
        pattern="^[1-9][0-9]{0,5}[smhdw]$",
        parse=seconds,
        written=duration,
        more={"examples": ["30s", "15m", "6h", "14d", "2w"]},
    ),
]
"""Seconds."""

Spread: TypeAlias = Annotated[
    int,
    Text(
        pattern="^((0|[1-9][0-9]{0,2})h|(0|[1-9][0-9]?)d|[1-9]w)$",
        parse=seconds,
        written=duration,
        form=lambda span: duration(span) if span else None,
        more={"examples": ["3d", "36h", "2w"]},
    ),
]
"""Whole hours, in seconds; 0 means none."""

PageUrl: TypeAlias = Annotated[
    str,
    Text(
        pattern=f"^https?://{_HOST}([/?#][^{CONTROL}{SPACE}]*)?$",
        longest=2000,
        more={"examples": ["https://shop.example.com/"]},
    ),
]
BaseUrl: TypeAlias = Annotated[
    str,
    Text(
        pattern=f"^https?://{_HOST}(/[^{CONTROL}{SPACE}?#]*)?$",
        longest=2000,
        more={"examples": ["https://shop.example.com"]},
    ),
]
FieldPath: TypeAlias = Annotated[
    str,
    Text(
        pattern="^[A-Za-z_][A-Za-z0-9_]*(\\.[A-Za-z0-9_]+)*$",
        longest=200,
        more={"examples": ["extension_attributes.ekomi_optin", "custom_attributes.newsletter"]},
    ),
]
"""A value of an order by its dotted path."""

Zone: TypeAlias = Annotated[
    str,
    Text(
        pattern="^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$",
        longest=64,
        more={"examples": ["Europe/Berlin"]},
    ),
]
"""A time zone of the IANA database."""

SourceName: TypeAlias = Annotated[str, Text(pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$")]
StoreId: TypeAlias = Annotated[str, Text(pattern="^(0|[1-9][0-9]{0,9})$")]
