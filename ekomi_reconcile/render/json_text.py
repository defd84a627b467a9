"""JSON output: readable, safe to look at on a terminal, and lists of any length a row at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Mapping

from ekomi_reconcile.model.account import Json

FORMAT_VERSION = "1.0"
"""Of every object that a command writes. Minor versions only add keys; lists are arrays without a version."""

_UNSAFE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What ``json.dumps`` leaves as it is, though a terminal may obey it or UTF-8 cannot hold it."""


def json_text(value: Json, *, indent: int | None = 2) -> str:
    """The value as JSON; characters that could play tricks on a terminal are escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def document_text(fields: Mapping[str, Json]) -> str:
    """One object as the whole output, with the version of its format first."""
    return json_text({"format_version": FORMAT_VERSION, **fields}) + "\n"


def array_text(items: Iterable[Mapping[str, Json]]) -> Generator[str, None, None]:
    """An array with one object per line, a piece at a time."""
    return _lines("[", (json_text(each, indent=None) for each in items), "]\n")


def export_text(
    header: Mapping[str, Json], tables: Iterable[tuple[str, Iterable[Mapping[str, Json]]]]
) -> Generator[str, None, None]:
    """One object: the header's fields, then every table as an array with one row per line."""
    separator = "{\n"
    for key, value in header.items():
        yield f"{separator}{json_text(key)}: {json_text(value, indent=None)}"
        separator = ",\n"
    for name, rows in tables:
        yield f"{separator}{json_text(name)}: "
        yield from _lines("[", (json_text(each, indent=None) for each in rows), "]")
        separator = ",\n"
    yield "\n}\n"


def _lines(opening: str, items: Iterable[str], closing: str) -> Generator[str, None, None]:
    separator = opening
    for each in items:
        yield f"{separator}\n{each}"
        separator = ","
    yield f"{opening}{closing}" if separator == opening else f"\n{closing}"
