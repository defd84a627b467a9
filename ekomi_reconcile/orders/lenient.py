"""Decoding JSON into msgspec structs: fast where it fits, forgiving where it does not.

The strict decoder runs first, at full speed. Only a document that it refuses is read again without
types and bent into shape, field by field: numbers as text and text as numbers, an empty list for an
absent object (PHP knows no difference), a mapping with numbers as keys for a list, JSON as text for
a list or object (the cells of a CSV file), dates without a time. What is still wrong is an error
that names the field, never its value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Generic, TypeAlias, TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")

Reader: TypeAlias = Callable[[Any, str], Any]
"""Bends a JSON value (never ``None``) at this path into shape; ``None`` means absent."""

_MAX_DIGITS = 40
_SPREADSHEET = re.compile(r"\d(?:[.,]\d+)?[eE][+-]?\d{1,3}|\d+(?:[.,]\d+)?[eE][+-]\d+|\d+[.,]0+")

_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def changed_by_spreadsheet(number: str) -> bool:
    """Is this order number one with an exponent (``1.00E+08``) or an empty fraction (``100000005.0``)?"""
    return not number.isdigit() and _SPREADSHEET.fullmatch(number) is not None


class Unfit(ValueError):
    """The document does not fit; the message names the place and what is expected, no values."""


class LenientDecoder(Generic[T]):
    """Reads one kind of struct from JSON."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self._strict = msgspec.json.Decoder(kind)
        self._untyped = msgspec.json.Decoder()

    def decode(self, raw: bytes | msgspec.Raw) -> T:
        """The struct in this JSON text.

        Raises:
            Unfit: it is not JSON, or does not match the expected shape.
        """
        try:
            return self._strict.decode(raw)
        except msgspec.ValidationError:
            return self.convert(self._parse(raw))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unfit(_not_json(error)) from None

    def convert(self, value: Any) -> T:
        """The struct in this parsed JSON value.

        Raises:
            Unfit: it is does not match the expected shape.
        """
        if not isinstance(value, Mapping):
            raise Unfit("an object is expected")
        try:
            return msgspec.convert(_reader(inspect.type_info(self._kind))(value, ""), self._kind)
        except msgspec.ValidationError as error:
            raise Unfit(str(error)) from None

    def _parse(self, raw: bytes | msgspec.Raw) -> Any:
        try:
            return self._untyped.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Unfit(_not_json(error)) from None


def _not_json(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return f"it is not JSON: {error}"


def _reader(shape: inspect.Type) -> Reader:
    """How to bend values into this type; of a union the first kind that has a reader decides."""
    kinds = shape.types if isinstance(shape, inspect.UnionType) else (shape,)
    known = {type(kind): kind for kind in kinds}
    for kind, make in _READERS.items():
        if kind in known:
            return make(known[kind])
    return _as_it_is


def _as_it_is(value: Any, path: str) -> Any:  # noqa: ARG001 - a reader like the others
    return value


def _bool(value: Any, path: str) -> bool | None:
    word = str(value).strip().casefold()
    if not word:
        return None
    if word not in _WORDS:
        raise Unfit(f"{path}: yes or no (1 or 0) is expected")
    return _WORDS[word]


def _number(value: Any, path: str) -> float | int | None:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        text = str(value).strip()
        if not text:
            return None
        number = _parsed_number(text)
        if math.isfinite(number):
            return number
    raise Unfit(f"{path}: a number is expected")


def _parsed_number(text: str) -> float | int:
    """The number, whole where it is written so; NaN where it is none."""
    if len(text) > 300 or "_" in text:
        return math.nan
    try:
        return int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        return math.nan


def _int(value: Any, path: str) -> int | None:
    """An id or a count of things: what a spreadsheet made of it (``1.00E+08``, ``5.0``) is refused."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = value.strip() if isinstance(value, str) else "."
    if not text:
        return None
    if len(text) <= _MAX_DIGITS and text.isascii() and text.lstrip("+-").isdigit():
        with suppress(ValueError):
            return int(text)
    raise Unfit(f"{path}: a whole number without decimal point or exponent is expected")


def _float(value: Any, path: str) -> float | None:
    number = _number(value, path)
    return None if number is None else float(number)


def _text(value: Any, path: str) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        return str(value)
    raise Unfit(f"{path}: text is expected")


def _order_number(value: Any, path: str) -> str:
    """The number people see. One that a spreadsheet changed matches many orders, or none."""
    text = "" if isinstance(value, float) else _text(value, path).strip()
    if isinstance(value, float) or _SPREADSHEET.fullmatch(text):
        raise Unfit(f"{path}: a decimal point or exponent found: a spreadsheet changed the number")
    return text


def _time(value: Any, path: str) -> datetime | None:
    if isinstance(value, str):
        text = value.strip()
        if not text or text.startswith("0000-00-00"):
            return None
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass
    raise Unfit(f"{path}: a time such as 2026-01-31 23:59:59 is expected")


@dataclass(frozen=True, slots=True)
class _ObjectReader:
    fields: tuple[tuple[str, Reader], ...]

    def __call__(self, value: Any, path: str) -> dict[str, Any] | None:
        value = _from_text(value, path)
        if value is None or value == []:
            return None
        if not isinstance(value, Mapping):
            raise Unfit(f"{path}: an object is expected")
        found = {}
        for name, read in self.fields:
            given = value.get(name)
            bent = None if given is None else read(given, f"{path}.{name}" if path else name)
            if bent is not None:
                found[name] = bent
        return found


@dataclass(frozen=True, slots=True)
class _ListReader:
    element: Reader
    splits: str | None

    def __call__(self, value: Any, path: str) -> list[Any]:
        if self.splits and isinstance(value, str) and not value.strip().startswith("["):
            value = [part for part in value.split(self.splits) if part.strip()]
        value = _from_text(value, path)
        if isinstance(value, Mapping) and all(str(key).isdigit() for key in value):
            value = list(value.values())
        if value is None:
            return []
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise Unfit(f"{path}: a list is expected")
        bent = (self.element(each, f"{path}[{at}]") for at, each in enumerate(value) if each is not None)
        return [each for each in bent if each is not None]


def _from_text(value: Any, path: str) -> Any:
    """A list or object may be written as JSON text."""
    if not isinstance(value, str):
        return value
    if not value.strip():
        return None
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        raise Unfit(f"{path}: JSON is expected") from None


@cache
def _object_reader(kind: type[Any]) -> _ObjectReader:
    shape = inspect.type_info(kind)
    assert isinstance(shape, inspect.StructType)  # noqa: S101 - for the type checker
    return _ObjectReader(tuple((each.encode_name, _reader(each.type)) for each in shape.fields))


def _list_reader(shape: Any) -> _ListReader:
    numbers = isinstance(shape.item_type, inspect.IntType)
    return _ListReader(_reader(shape.item_type), "," if numbers else None)


_READERS: dict[type[inspect.Type], Callable[[Any], Reader]] = {
    inspect.StructType: lambda shape: _object_reader(shape.cls),
    inspect.ListType: _list_reader,
    inspect.BoolType: lambda _: _bool,
    inspect.DateTimeType: lambda _: _time,
    inspect.IntType: lambda _: _int,
    inspect.FloatType: lambda _: _float,
    inspect.StrType: lambda shape: _text if shape.min_length is None else _order_number,
}
