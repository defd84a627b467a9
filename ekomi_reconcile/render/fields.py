"""One thing in full: headings, and below each its fields with their values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.instant import Instant, iso
from ekomi_reconcile.render.json_text import json_text
from ekomi_reconcile.render.style import Paint, Tone, moment, printable

_NONE = "-"
_WIDEST = 44
"""Values longer than this do not push the remarks of all others away."""


@dataclass(frozen=True, slots=True)
class Field:
    """A name, its value as text, and a remark beside it."""

    name: str
    value: str
    note: str = ""


def fields_text(title: str, fields: Iterable[Field], paint: Paint) -> str:
    """A heading and one line per field, in three columns."""
    listed = list(fields)
    names = max((len(each.name) for each in listed), default=0)
    values = min(max((len(each.value) for each in listed if each.note), default=0), _WIDEST)
    lines = [paint(Tone.STRONG, printable(title))]
    for each in listed:
        note = "  " + paint(Tone.FAINT, each.note) if each.note else ""
        value = each.value.ljust(values) if each.note else each.value
        lines.append(f"  {each.name.ljust(names)}  {value}{note}".rstrip())
    return "\n".join(lines) + "\n"


def blocks_text(blocks: Sequence[str]) -> str:
    """Blocks with an empty line between them."""
    return "\n".join(blocks)


def plain(value: Json) -> str:
    """A value of the files or the state: absent is ``-``, text as it is, all else as JSON."""
    if value is None:
        return _NONE
    return printable(value if isinstance(value, str) else json_text(value, indent=None))


def at(instant: Instant | None) -> str:
    """An instant as people read it."""
    return _NONE if instant is None else moment(iso(instant))
