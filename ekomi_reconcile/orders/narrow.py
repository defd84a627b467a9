"""Shapes with fewer fields: what nobody asks for is skipped unread, at a fraction of the cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import FieldInfo

S = TypeVar("S", bound=Struct)


@cache
def narrow(kind: type[S], paths: frozenset[str]) -> type[S]:
    """A struct with only these fields of ``kind``, named by their paths (``items.sku``).

    Its instances have the same attributes as those of ``kind``: a field that was left out has its default. A
    path that ends at a struct means all of that struct.
    """
    inner = grouped(paths)
    kept, left = [], {}
    for each in msgspec.structs.fields(kind):
        if each.name in inner:
            kept.append(_field(each, inner[each.name]))
        else:
            left[each.name] = each.default
    made = msgspec.defstruct(kind.__name__, kept, namespace=left, module=__name__, kw_only=True, gc=False)
    return cast("type[S]", made)


def grouped(paths: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """What is wanted below the first name of each path; nothing in particular means everything."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in paths:
        name, _, rest = path.partition(".")
        found[name] |= {rest} if rest else set()
    return {name: frozenset(below) for name, below in found.items()}


def _field(field: FieldInfo, below: frozenset[str]) -> tuple[str, Any] | tuple[str, Any, Any]:
    kind = _narrowed(field.type, below) if below else field.type
    return (field.name, kind) if field.default is NODEFAULT else (field.name, kind, field.default)


def _narrowed(hint: Any, paths: frozenset[str]) -> Any:
    """This annotation, with the structs in it narrowed."""
    if isinstance(hint, type) and issubclass(hint, Struct):
        return narrow(hint, paths)
    origin, parts = get_origin(hint), get_args(hint)
    if not parts or origin is Annotated:
        return hint
    narrowed = tuple(_narrowed(part, paths) for part in parts)
    return Union[narrowed] if origin in (Union, UnionType) else origin[narrowed]  # noqa: UP007 - made at run time
