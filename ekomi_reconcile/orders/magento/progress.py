"""How far a first load has come, so that an interrupted one goes on instead of starting over.

A file in the cache folder holds, window by window, the rule facts of the orders read, without what is
declared personal: the customer, the domain and the telephone number are keyed digests, the address stands
for whether there is a usable one. It may be deleted at any time. A torn or damaged line ends what is used of
it.

Orders change after they were read. So a load that goes on first reads what was updated since it began;
only orders that this did not bring are taken from here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import msgspec

from ekomi_reconcile.model.instant import DAY, Instant
from ekomi_reconcile.model.order import Contact, Order, declared, is_personal, without_personal
from ekomi_reconcile.orders.facts import CONTACT
from ekomi_reconcile.orders.magento.table import Extent
from ekomi_reconcile.rules import rulebook
from ekomi_reconcile.rules.conditions import field_of
from ekomi_reconcile.rules.order_fields import is_consent

KEPT = 2 * DAY
"""Seconds after which a load starts over: by then too much has changed."""

VERSION = 3

Pseudonym = Callable[[str], str]
"""A keyed digest of an address."""


class _Head(msgspec.Struct, frozen=True):
    version: int
    key: str
    since: Instant
    created_from: Instant | None
    low: int
    high: int
    count: int
    below: bool
    above: bool


class Window(msgspec.Struct, frozen=True):
    """One window that was read, up to the id ``high``; ``bad`` are orders that could not be read."""

    high: int
    orders: list[Order]
    bad: list[int]


@dataclass(frozen=True, slots=True)
class Begun:
    """A load that was interrupted: when it began, where its orders are, and up to which id they are read."""

    since: Instant
    extent: Extent
    position: int
    unreadable: frozenset[int]


class LoadProgress:
    """The progress file of one source. ``key`` is of everything that facts depend on."""

    def __init__(self, path: Path, key: str, pseudonym: Pseudonym) -> None:
        self._path = path
        self._key = key
        self._pseudonym = pseudonym
        self._file: BinaryIO | None = None

    def begun(self, created_from: Instant | None, *, now: Instant) -> Begun | None:
        """The interrupted load that can go on, if there is one for at least the same orders."""
        head = self._head()
        if head is None or head.key != self._key or not 0 <= now - head.since <= KEPT:
            return None
        if head.created_from is not None and (created_from is None or created_from < head.created_from):
            return None
        position, bad = 0, set[int]()
        for window in self.windows():
            position = window.high
            bad.update(window.bad)
        extent = Extent(low=head.low, high=head.high, count=head.count, below=head.below, above=head.above)
        return Begun(head.since, extent, position, frozenset(bad))

    def windows(self) -> Iterator[Window]:
        """The windows that are on file, ascending."""
        return map(_WINDOW.decode, self._readable())

    def begin(self, extent: Extent, created_from: Instant | None, *, since: Instant) -> None:
        """Start over. A cache that cannot be written is done without."""
        head = _Head(
            version=VERSION,
            key=self._key,
            since=since,
            created_from=created_from,
            low=extent.low,
            high=extent.high,
            count=extent.count,
            below=extent.below,
            above=extent.above,
        )
        self.end()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
        except OSError:
            return
        self._write(msgspec.json.encode(head))

    def resume(self) -> None:
        """Go on writing after the last window that can be read."""
        whole = len(next(self._lines(), b"")) + sum(len(line) for line in self._readable())
        try:
            self._file = self._path.open("r+b")
            self._file.truncate(whole)
            self._file.seek(whole)
        except OSError:
            self._file = None

    def add(self, high: int, orders: Sequence[Order], unreadable: Iterable[int]) -> None:
        """One more window that was read."""
        facts = [self._facts(order) for order in orders]
        self._write(msgspec.json.encode(Window(high, facts, sorted(unreadable))))

    def end(self) -> None:
        """Write no more."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _head(self) -> _Head | None:
        line = next(self._lines(), b"")
        try:
            head = _HEAD.decode(line)
        except (msgspec.DecodeError, UnicodeError):
            return None
        return head if head.version == VERSION else None

    def _readable(self) -> Iterator[bytes]:
        """The lines of windows, up to the first that is damaged."""
        for line in self._lines(start=1):
            try:
                _WINDOW.decode(line)
            except (msgspec.DecodeError, UnicodeError):
                return
            yield line

    def _lines(self, start: int = 0) -> Iterator[bytes]:
        """The lines from this one on that are whole: a newline ends them."""
        try:
            with self._path.open("rb") as file:
                for at, line in enumerate(file):
                    if not line.endswith(b"\n"):
                        return
                    if at >= start:
                        yield line
        except OSError:
            return

    def _write(self, line: bytes) -> None:
        if self._file is None:
            return
        try:
            self._file.write(line + b"\n")
            self._file.flush()
        except OSError:
            self.end()

    def _facts(self, order: Order) -> Order:
        return without_personal(order, contact=self._withheld(order.contact))

    def _withheld(self, contact: Contact) -> Contact:
        """What is left of a contact: how it can be reached, and digests that tell customers apart."""
        email = rulebook.canonical_address(contact.email)
        mobile = rulebook.mobile_number(contact.telephone, contact.country)
        return Contact(
            email=rulebook.WITHHELD_ADDRESS if rulebook.usable_email(contact.email) else None,
            telephone=None if mobile is None else rulebook.WITHHELD_NUMBER,
            pseudonym=self._pseudonym(email) if email else None,
            aliases=tuple(map(self._pseudonym, rulebook.aliases(contact))),
        )


_HEAD = msgspec.json.Decoder(_Head)
_WINDOW = msgspec.json.Decoder(Window)


def may_be_kept(attributes: Iterable[str]) -> bool:
    """May orders with these attributes be kept? Not where rules judge personal ones by their value.

    Of consent an order has only the verdict.
    """
    left = set(attributes) - {CONTACT, *declared(Contact)}
    return not any(is_personal(field_of(each)) for each in left if not is_consent(each))


def progress_path(folder: Path, source: str) -> Path:
    """The progress file of this source."""
    return folder / f"orders-{blake2b(source.encode(), digest_size=8).hexdigest()}.jsonl"


def forget(path: Path) -> None:
    """A load that was carried out needs no progress any more."""
    path.unlink(missing_ok=True)
