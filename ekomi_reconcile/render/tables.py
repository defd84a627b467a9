"""Tables, fields, styles and JSON for terminals and pipes.

Long lists are laid out a page at a time, so that a list of any length needs little memory.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from io import StringIO
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import msgspec

from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.document import JsonObject, strings_of
from ekomi_reconcile.model.instant import DAY, HOUR, Instant, iso

if TYPE_CHECKING:
    from rich.text import Text


class Tone(StrEnum):
    """What a piece of text means."""

    ADD = "32"
    CHANGE = "33"
    REMOVE = "31"
    SEND = "36"
    STRONG = "1"
    FAINT = "2"


@dataclass(frozen=True, slots=True)
class Paint:
    """Puts text into colour, or leaves it as it is."""

    colour: bool = False

    def __call__(self, tone: Tone, text: str) -> str:
        return f"\033[{tone.value}m{text}\033[0m" if self.colour else text


def plural(count: int, word: str) -> str:
    """``1 account``, ``2 accounts``, ``2 replies``, ``2 days``."""
    if count == 1:
        return f"1 {word}"
    replies = word.endswith("y") and word[-2:-1] not in "aeiou"
    return f"{count} {word[:-1]}ies" if replies else f"{count} {word}s"


def printable(text: str) -> str:
    """Text from elsewhere with control characters shown, so that it cannot play tricks on a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)


_ESCAPE = re.compile("\033\\[[0-9;]*m")
_WORD = re.compile(r"\s*\S+")
_PHRASE = re.compile(r"\s*[^·]+·?")
_LEAST_ROOM = 24


def folded(text: str, width: int | None, *, hang: int | None = None) -> str:
    """Break lines at spaces to at most ``width`` columns; ``None`` breaks none, and longer words stay whole.

    What follows in a line is indented by ``hang`` columns, or by two more than its beginning.
    """
    return text if width is None else "\n".join(_folded(line, width, hang) for line in text.split("\n"))


def _folded(line: str, width: int, hang: int | None, parts: re.Pattern[str] = _WORD) -> str:
    if _shown_columns(line) <= width:
        return line
    indent = len(line) - len(line.lstrip(" "))
    if hang is None or hang > width - _LEAST_ROOM:
        hang = min(indent + 2, max(width - _LEAST_ROOM, 0))
    lines, used = [""], 0
    for word in parts.findall(line):
        if used + _shown_columns(word) > width and lines[-1].strip():
            lines.append(" " * hang + word.lstrip())
            used = _shown_columns(lines[-1])
        else:
            lines[-1] += word
            used += _shown_columns(word)
    return "\n".join(lines)


def _shown_columns(text: str) -> int:
    return columns_of(_ESCAPE.sub("", text) if "\033" in text else text)


def wrapped(text: str, width: int | None, indent: int = 0) -> list[str]:
    """A text as indented lines, broken between words or, where it has any, phrases (``·``)."""
    line, parts = " " * indent + text, _PHRASE if " · " in text else _WORD
    return (line if width is None else _folded(line, width, indent + 2, parts)).split("\n")


def moment(instant_iso: str) -> str:
    """``2026-11-30T12:00:00Z`` as people read it: ``2026-11-30 12:00 UTC``."""
    return f"{instant_iso[:10]} {instant_iso[11:16]} UTC"


FORMAT_VERSION = "1.0"
"""Of every object that a command writes. Minor versions only add keys; lists are arrays without a version."""

_FORMATS = ("configuration", "events", "plan", "state", "output")


class VersionDocument(JsonObject, frozen=True):
    """The version of the program, of what it reads and writes, and which extras are installed."""

    version: str
    python: str
    formats: Annotated[dict[str, Any], strings_of(_FORMATS)]
    extras: dict[str, bool]


_UNSAFE = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What ``json.dumps`` leaves as it is, though a terminal may obey it or UTF-8 cannot hold it."""


def json_text(value: Json, *, indent: int | None = 2) -> str:
    """The value as JSON; characters that could play tricks on a terminal are escaped."""
    text = json.dumps(value, indent=indent, ensure_ascii=False, default=msgspec.to_builtins)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def document_text(document: JsonObject) -> str:
    """One object as the whole output, with the version of its format first."""
    return json_text({"format_version": FORMAT_VERSION, **msgspec.to_builtins(document)}) + "\n"


def array_text(items: Iterable[JsonObject]) -> Generator[str, None, None]:
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


_NONE = "-"
DASH = "\N{EN DASH}"
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


ROWS_PER_PAGE = 1_000
NARROWEST = 72
"""Columns. A narrower terminal gets lines of this length, which it wraps itself."""

_GAP = "  "


@dataclass(frozen=True, slots=True)
class Cell:
    """One value as it is shown; ``tone`` only adds to what the text says; ``at`` is the instant it tells."""

    text: str
    tone: Tone | None = None
    at: Instant | None = None


Row: TypeAlias = Sequence[Cell]
"""One cell per column, in the order of the layout."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; ``right`` aligns figures, ``whole`` values are never broken into lines."""

    title: str
    right: bool = False
    whole: bool = True


Layout: TypeAlias = Sequence[Sequence[Column]]
"""Columns in groups: where they do not fit side by side, the columns of a group go below each other."""


def cell(value: str | float | None, tone: Tone | None = None) -> Cell:
    """A value as a cell: absent is empty, text on one line, control characters visible."""
    if value is None:
        return Cell("")
    return Cell(printable(" ".join(value.split())) if isinstance(value, str) else str(value), tone)


def time_cell(instant: Instant | None) -> Cell:
    """``2026-11-30 12:00``; the column's title says UTC."""
    return Cell("" if instant is None else iso(instant)[:16].replace("T", " "), at=instant)


def table_text(
    layout: Layout, rows: Iterable[Row], *, width: int | None, paint: Paint, now: Instant | None = None
) -> Generator[str, None, None]:
    """The table, a page of rows at a time; nothing without rows.

    ``width`` is that of the terminal in columns; ``None`` leaves every row on one line. With ``now`` a time
    also says how far away it is, where all columns still fit side by side.
    """
    columns = [column for group in layout for column in group]
    titles = [[Cell(each.title, Tone.STRONG) for each in columns]]
    plain = dated = _grown([0] * len(columns), titles)
    before, rest = _Form.STACKED, iter(rows)
    while page := list(islice(rest, ROWS_PER_PAGE)):
        far = page if now is None else [[_with_distance(each, now) for each in row] for row in page]
        plain, dated = _grown(plain, page), _grown(dated, far)
        form = _form(plain, dated, width)
        heading = titles if form is not before else []
        before = form
        if form is _Form.STACKED:
            yield _stacked(layout, page, width=max(width or 0, NARROWEST), paint=paint)
        else:
            shown, widths = (far, dated) if form is _Form.DATED else (page, plain)
            yield "".join(_line(row, columns, widths, paint) for row in (*heading, *shown))


class _Form(Enum):
    """How a page is laid out; wider pages than before go down this list, never up."""

    DATED = auto()
    PLAIN = auto()
    STACKED = auto()


def _form(plain: Sequence[int], dated: Sequence[int], width: int | None) -> _Form:
    if width is None:
        return _Form.PLAIN
    gaps = len(_GAP) * (len(plain) - 1)
    if sum(dated) + gaps <= width:
        return _Form.DATED
    return _Form.PLAIN if sum(plain) + gaps <= width else _Form.STACKED


def _grown(widths: Sequence[int], rows: Iterable[Row]) -> Sequence[int]:
    for row in rows:
        widths = [max(known, columns_of(each.text)) for known, each in zip(widths, row, strict=True)]
    return widths


def _with_distance(each: Cell, now: Instant) -> Cell:
    return each if each.at is None else replace(each, text=f"{each.text} ({ago(each.at, now)})")


def columns_of(text: str) -> int:
    """How many columns of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _line(row: Row, columns: Sequence[Column], widths: Sequence[int], paint: Paint) -> str:
    parts = []
    for each, column, width in zip(row, columns, widths, strict=True):
        blank = " " * (width - columns_of(each.text))
        text = paint(each.tone, each.text) if each.tone and each.text else each.text
        parts.append(blank + text if column.right else text + blank)
    return _GAP.join(parts).rstrip() + "\n"


def _stacked(layout: Layout, page: Sequence[Row], *, width: int, paint: Paint) -> str:
    """One page with the columns of each group below each other, long values broken into lines."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, show_header=False, padding=(0, len(_GAP), 0, 0), pad_edge=False)
    for group in layout:
        table.add_column(
            justify="right" if all(each.right for each in group) else "left",
            no_wrap=all(each.whole for each in group),
            overflow="fold",
        )
    heading = [Cell(each.title, Tone.STRONG) for group in layout for each in group]
    for row in (heading, *page):
        cells = iter(row)
        table.add_row(*(_stack(list(islice(cells, len(group)))) for group in layout))
    drawn = StringIO()
    console = Console(
        file=drawn,
        width=width,
        color_system="standard" if paint.colour else None,
        force_terminal=paint.colour,
        no_color=not paint.colour,
        legacy_windows=False,
    )
    console.print(table)
    return "".join(line.rstrip() + "\n" for line in drawn.getvalue().splitlines())


_STYLES = {
    Tone.ADD: "green",
    Tone.CHANGE: "yellow",
    Tone.REMOVE: "red",
    Tone.SEND: "cyan",
    Tone.STRONG: "bold",
    Tone.FAINT: "dim",
}


def _stack(cells: Row) -> Text:
    from rich.text import Text

    last = max((number for number, each in enumerate(cells) if each.text), default=0)
    return Text("\n").join(
        Text(each.text, style=_STYLES[each.tone] if each.tone else "") for each in cells[: last + 1]
    )


_UNITS = ((365 * DAY, "year"), (30 * DAY, "month"), (DAY, "day"), (HOUR, "hour"), (60, "minute"))


def ago(instant: Instant, now: Instant) -> str:
    """``3 hours ago``, ``in 2 days``, ``just now``."""
    distance = abs(now - instant)
    for seconds, unit in _UNITS:
        if distance >= seconds:
            count = distance // seconds
            words = f"{count} {unit}{'' if count == 1 else 's'}"
            return f"in {words}" if instant > now else f"{words} ago"
    return "just now" if instant <= now else "in less than a minute"
