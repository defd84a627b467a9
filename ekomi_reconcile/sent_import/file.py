"""Files of requests that another tool sent: CSV with a header, or JSON.

Columns are found by name, in any order and letter case; others are left alone:

- the order by its number (``order``, ``increment_id``, ``order_number``, ``number``) or by the key of its
  source (``order_id``, ``entity_id``), or both,
- the account by name or interface id (``account``, ``interface_id``), if it is known,
- when the customer was asked (``date``, ``sent_at``: ISO 8601, UTC without a zone), if it is known.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

import msgspec

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import OrderId, order_id_of
from ekomi_reconcile.orders.lenient import changed_by_spreadsheet

_NUMBER = ("order", "increment_id", "order_number", "number")
_KEY = ("order_id", "entity_id")
_ACCOUNT = ("interface_id", "account")
_DATE = ("date", "sent_at")
_LINE_END = re.compile(r"\r\n|\n|\r")
_MEND = "the file needs a column order (the order number) or order_id; see the documentation of mark-sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class SentRequest:
    """One request. ``number`` or ``order_id`` is given; ``account`` is a name or an interface id."""

    line: int
    number: str | None = None
    order_id: OrderId | None = None
    account: str | None = None
    at: Instant | None = None


@dataclass(frozen=True, slots=True)
class BadLine:
    """What is wrong with a line. The text never holds what stands there: it may be personal."""

    line: int
    problem: str


def read_past(text: bytes, *, now: Instant) -> tuple[list[SentRequest], list[BadLine]]:
    """The requests that the file tells of, and the lines that cannot be used, both in their order.

    Raises:
        ReconcileError: it is neither CSV with the columns needed nor JSON lines.
    """
    try:
        whole = text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ReconcileError("the file is not UTF-8", mend="save it as UTF-8") from None
    entries: list[SentRequest] = []
    bad: list[BadLine] = []
    for line, row in _json_rows(whole) if whole.lstrip().startswith("{") else _csv_rows(whole):
        found = row if isinstance(row, str) else _entry(line, row, now)
        if isinstance(found, str):
            bad.append(BadLine(line, found))
        else:
            entries.append(found)
    return entries, bad


def _json_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    decoder = msgspec.json.Decoder(dict[str, Any])
    for line, each in enumerate(_LINE_END.split(text), start=1):
        if each.strip():
            try:
                yield line, _named(decoder.decode(each))
            except (msgspec.DecodeError, RecursionError):
                yield line, "not a JSON object"


def _csv_rows(text: str) -> Iterator[tuple[int, Mapping[str, Any] | str]]:
    first = _LINE_END.split(text.lstrip(), maxsplit=1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, strict=True)
    header: list[str] = []
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            if not header:
                raise ReconcileError("the header is not CSV", mend=_MEND) from None
            yield (
                reader.line_num,
                "not CSV: a quote is not closed or in the wrong place, or the row is too long",
            )
            continue
        if not any(each.strip() for each in cells):
            continue
        if not header:
            header = _header(cells)
        elif len(cells) != len(header):
            yield reader.line_num, f"{len(cells)} cells where the header has {len(header)}"
        else:
            yield reader.line_num, dict(zip(header, cells, strict=True))
    if not header:
        raise ReconcileError("the file is empty", mend=_MEND)


def _header(cells: list[str]) -> list[str]:
    header = [_plain(each) for each in cells]
    used = [each for each in header if each in {*_NUMBER, *_KEY, *_ACCOUNT, *_DATE}]
    if not set(used) & {*_NUMBER, *_KEY}:
        raise ReconcileError("the file does not say which orders it is about", mend=_MEND)
    if len(used) > len(set(used)):
        raise ReconcileError("a column occurs twice in the header", mend="remove one of them")
    return header


def _named(row: Mapping[str, Any]) -> dict[str, Any]:
    return {_plain(name): value for name, value in row.items()}


def _plain(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


def _entry(line: int, row: Mapping[str, Any], now: Instant) -> SentRequest | str:
    try:
        number, key, account, date = (_text(row, names) for names in (_NUMBER, _KEY, _ACCOUNT, _DATE))
    except TypeError as error:
        return str(error)
    if (problem := _unclear(number, key)) is not None:
        return problem
    try:
        at = None if date is None else instant.parse(date)
    except ValueError:
        return "the date cannot be read; write it like 2026-11-30 or 2026-11-30T12:00:00Z"
    if at is not None and not 0 <= at <= now:
        return "the date is in the future, or too long ago"
    return SentRequest(
        line=line, number=number, order_id=None if key is None else order_id_of(key), account=account, at=at
    )


def _unclear(number: str | None, key: str | None) -> str | None:
    """What is wrong with the order that these name."""
    if number is None and key is None:
        return "there is no order"
    if any(each is not None and changed_by_spreadsheet(each) for each in (number, key)):
        return "a spreadsheet changed the order number: a decimal point or exponent found"
    return None


def _text(row: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of these cells that is not empty."""
    for name in names:
        value = row.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise TypeError(f"{name} is neither a string nor a whole number")
        if text := str(value).strip():
            return text
    return None
