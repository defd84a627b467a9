"""Files of invitations sent by something else, and the orders they name.

An order is looked up in its order source, by its key or else by its number: the source knows its date, its
store view and its customer. The source is the one asked for, else that of the account, else the only one.
Without an account the one is taken that would win the order by its store view.

Columns are found by name, in any order and letter case; others are left alone:

- the order by its number (``order``, ``increment_id``, ``order_number``, ``number``) or by the key of its
  source (``order_id``, ``entity_id``), or both,
- the account by name or interface id (``account``, ``interface_id``), if it is known,
- when the customer was asked (``date``, ``sent_at``: ISO 8601, UTC without a zone), if it is known.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice
from typing import Any, Protocol

import msgspec

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import Account
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.order import Order, OrderId, order_id_of
from ekomi_reconcile.orders.lenient import changed_by_spreadsheet
from ekomi_reconcile.rules.rulebook import RuleBook
from ekomi_reconcile.state.repositories.schedule import Adopted

_NUMBER = ("order", "increment_id", "order_number", "number")
_KEY = ("order_id", "entity_id")
_ACCOUNT = ("interface_id", "account")
_DATE = ("date", "sent_at")
_LINE_END = re.compile(r"\r\n|\n|\r")
_HINT = "the file needs a column order (the order number) or order_id; see the documentation of mark-sent"


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
    """What is wrong with a line. The text never repeats the value: it may be personal."""

    line: int
    problem: str


def read_past(text: bytes, *, now: Instant) -> tuple[list[SentRequest], list[BadLine]]:
    """The requests in the file, and the lines that cannot be used, both in their order.

    Raises:
        ReconcileError: it is neither CSV with the columns needed nor JSON lines.
    """
    try:
        whole = text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ReconcileError("the file is not UTF-8", hint="save it as UTF-8") from None
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
                raise ReconcileError("the header is not CSV", hint=_HINT) from None
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
        raise ReconcileError("the file is empty", hint=_HINT)


def _header(cells: list[str]) -> list[str]:
    header = [_plain(each) for each in cells]
    used = [each for each in header if each in {*_NUMBER, *_KEY, *_ACCOUNT, *_DATE}]
    if not set(used) & {*_NUMBER, *_KEY}:
        raise ReconcileError("the file does not say which orders it is about", hint=_HINT)
    if len(used) > len(set(used)):
        raise ReconcileError("a column occurs twice in the header", hint="remove one of them")
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
        return "no such order"
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


BATCH = 20_000
"""Orders looked up at a time."""


class _Source(Protocol):
    def by_ids(self, order_ids: Collection[OrderId]) -> Mapping[OrderId, Order]: ...
    def find_many(self, numbers: Collection[str]) -> Mapping[str, Sequence[Order]]: ...


@dataclass(frozen=True, kw_only=True)
class Adoption:
    """How orders are found. ``open_source`` gives the order source of a name, ``customer`` a keyed digest.

    ``source`` and ``account`` (an interface id) apply where an entry has none; ``names`` are the
    order sources there are.
    """

    accounts: Sequence[Account]
    names: Sequence[str]
    open_source: Callable[[str], _Source]
    customer: Callable[[Order], str | None]
    source: str | None = None
    account: str | None = None
    _books: dict[str, RuleBook] = field(default_factory=dict, init=False)

    def find(self, entries: Sequence[SentRequest]) -> tuple[list[Adopted], list[BadLine]]:
        """The orders that these entries are about, and the entries that are about none.

        Raises:
            OrderSourceError: a source cannot be read.
        """
        adopted: list[Adopted] = []
        bad: list[BadLine] = []
        by_source: dict[str, list[tuple[SentRequest, Account | None]]] = {}
        for entry in entries:
            try:
                source, account = self._place(entry)
            except LookupError as error:
                bad.append(BadLine(entry.line, str(error)))
            else:
                by_source.setdefault(source, []).append((entry, account))
        for source, members in by_source.items():
            for entry, found in self._adopted(source, members):
                if isinstance(found, str):
                    bad.append(BadLine(entry.line, found))
                else:
                    adopted.append(found)
        return adopted, sorted(bad, key=lambda each: each.line)

    def _place(self, entry: SentRequest) -> tuple[str, Account | None]:
        """The source of this entry, and its account if it has one; raises LookupError with the reason."""
        wanted = self.account if entry.account is None else entry.account
        account = None if wanted is None else self._account(wanted)
        if account is not None and self.source not in (None, account.orders):
            raise LookupError("the account reads its orders from another source")
        source = self.source or (account.orders if account else None)
        if source is None and len(self.names) == 1:
            source = self.names[0]
        if source is None:
            raise LookupError("which order source it is from is not clear: give --source")
        return source, account

    def _account(self, wanted: str) -> Account:
        folded = wanted.casefold()
        found = next((each for each in self.accounts if each.name.casefold() == folded), None)
        found = found or next((each for each in self.accounts if each.interface_id == wanted), None)
        if found is None:
            raise LookupError("there is no such account in the files")
        return found

    def _adopted(
        self, source: str, members: Sequence[tuple[SentRequest, Account | None]]
    ) -> Iterator[tuple[SentRequest, Adopted | str]]:
        opened, rest = self.open_source(source), iter(members)
        while part := list(islice(rest, BATCH)):
            entries = [entry for entry, _ in part]
            by_key = opened.by_ids({each.order_id for each in entries if each.order_id is not None})
            numbers = {each.number for each in entries if each.order_id is None and each.number is not None}
            by_number = opened.find_many(numbers) if numbers else {}
            for entry, account in part:
                order = _order(entry, by_key, by_number)
                yield entry, order if isinstance(order, str) else self._row(source, entry, order, account)

    def _row(self, source: str, entry: SentRequest, order: Order, account: Account | None) -> Adopted | str:
        owner = account or self._winner(source, order)
        if owner is None:
            return "no account reads orders from this source: give --account"
        return Adopted(
            interface_id=owner.interface_id,
            named=account is not None,
            source=source,
            order_id=order.order_id,
            number=order.number,
            order_date=order.created_at,
            store_view=order.store_view,
            order_status=order.status,
            sent_at=entry.at,
            customer=self.customer(order),
        )

    def _winner(self, source: str, order: Order) -> Account | None:
        if source not in self._books:
            self._books[source] = RuleBook([each for each in self.accounts if each.orders == source])
        book = self._books[source]
        return next((rule.account for rule in (*book.candidates(order.store_view), *book.rules)), None)


def _order(
    entry: SentRequest, by_key: Mapping[OrderId, Order], by_number: Mapping[str, Sequence[Order]]
) -> Order | str:
    """The order of an entry, or why there is none."""
    if entry.order_id is not None:
        order = by_key.get(entry.order_id)
        if order is None:
            return "no order with this id in the order source, or it cannot be read"
        if entry.number not in (None, order.number):
            return "the order with this id has another number"
        return order
    found = by_number.get(entry.number or "", ())
    if len(found) > 1:
        return f"{len(found)} orders have this number: give the order_id"
    return found[0] if found else "no order with this number in the order source"
