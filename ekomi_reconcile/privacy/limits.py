"""Who must not be invited, and changing the suppression list."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ekomi_reconcile.model.errors import ConfigurationError
from ekomi_reconcile.model.invitation import CustomerLimit
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.privacy import suppression
from ekomi_reconcile.rules.rulebook import NUMBER_PREFIX, canonical_address, usable_telephone


@dataclass(frozen=True)
class CustomerPrivacy:
    """The privacy settings at work. ``digest`` turns a canonical address into a keyed digest;
    ``lasting`` is false where its key will be forgotten.
    """

    cap: CustomerLimit | None = None
    suppressed: suppression.SuppressionList = field(default_factory=suppression.SuppressionList)
    digest: Callable[[str], str] | None = None
    lasting: bool = True

    def opted_out(self, order: Order) -> bool:
        """Is this customer, their domain or their telephone number on the list?"""
        if self.suppressed.empty:
            return False
        if order.contact.pseudonym is not None:
            return not self._listed_digests.isdisjoint((order.contact.pseudonym, *order.contact.aliases))
        email = canonical_address(order.contact.email)
        if email is not None:
            if email in self.suppressed.addresses or self.suppressed.has_domain_of(email):
                return True
            if self.opted_out_digests and self.customer(order) in self.opted_out_digests:
                return True
        return self.by_number and self._number_opted_out(order)

    @property
    def by_number(self) -> bool:
        """Does the list name telephone numbers, so that orders are needed with theirs?"""
        return bool(self.suppressed.numbers or self.suppressed.number_digests)

    def _number_opted_out(self, order: Order) -> bool:
        number = usable_telephone(order.contact.telephone, order.contact.country)
        if number is None:
            return False
        if number in self.suppressed.numbers:
            return True
        digest = None if self.digest is None else self.digest(NUMBER_PREFIX + number)
        return digest in self.suppressed.number_digests

    def customer(self, order: Order) -> str | None:
        """The keyed digest of the customer's address."""
        if order.contact.pseudonym is not None:
            return order.contact.pseudonym
        email = canonical_address(order.contact.email)
        return None if email is None or self.digest is None else self.digest(email)

    @cached_property
    def opted_out_digests(self) -> frozenset[str]:
        """The digests on the list, and those of its addresses: an order may come without its address."""
        if self.digest is None:
            return self.suppressed.digests
        return self.suppressed.digests | {self.digest(each) for each in self.suppressed.addresses}

    @cached_property
    def _listed_digests(self) -> frozenset[str]:
        """The digests of every entry: a source that kept an order has only those of its customer."""
        if self.digest is None:
            return self.opted_out_digests | self.suppressed.number_digests
        named = {self.digest(each) for each in self.suppressed.aliases}
        return self.opted_out_digests | self.suppressed.number_digests | named


_MODE = 0o644


@dataclass(frozen=True, slots=True)
class OptOut:
    """An entry of the list in its line; a plain address is masked."""

    line: int
    kind: suppression.EntryKind
    entry: str


def is_address(text: str) -> bool:
    """Is this checked text an address, and neither a domain nor a number?"""
    return not text.startswith(("@", NUMBER_PREFIX))


def checked(texts: Sequence[str]) -> list[str]:
    """These addresses, ``@domains`` and ``tel:`` numbers in their canonical form, each once.

    Raises:
        ValueError: one is neither; the message says which by its place, and never what it is.
    """
    found = []
    for place, text in enumerate(texts, start=1):
        entry = suppression.parse_entry(text)
        written = text.strip().startswith(("@", NUMBER_PREFIX)) or "@" in text
        if isinstance(entry, suppression.SuppressionFault) or not written:
            raise ValueError(f"number {place} is not an address, @domain or tel:+… number")
        found.append(entry.text)
    return list(dict.fromkeys(found))


def list_entries(path: Path) -> list[OptOut]:
    """All entries; a file that does not exist has none.

    Raises:
        ConfigurationError: the file cannot be read, or lines of it are faulty.
    """
    return [_shown(each) for each in _entries(path)]


def list_plain(path: Path) -> frozenset[str]:
    """The addresses and numbers that somebody wrote in clear; raises like ``list_entries``."""
    return frozenset(
        each.text
        for each in _entries(path)
        if each.kind in (suppression.EntryKind.ADDRESS, suppression.EntryKind.NUMBER)
    )


def add_entries(path: Path, entries: Sequence[str]) -> list[str]:
    """Write those that the list lacks at its end, one per line; returns them.

    The file is made if there is none, for everybody to read: it holds no address.

    Raises:
        ConfigurationError: the file cannot be read or written.
    """
    lines = _lines(path)
    known = {each.text for each in _entries(path)}
    new = [each for each in dict.fromkeys(entries) if each not in known]
    if new:
        begun = "\n" if lines and not lines[-1].endswith("\n") else ""
        _replace(path, "".join(lines) + begun + "".join(f"{each}\n" for each in new))
    return new


def remove_entries(path: Path, entries: Collection[str]) -> int:
    """Take these entries out, whole lines of them; how many lines.

    Raises:
        ConfigurationError: the file cannot be read or written.
    """
    lines, unwanted = _lines(path), frozenset(entries)
    gone = {each.line for each in _entries(path) if each.text in unwanted}
    left = [each for number, each in enumerate(lines, start=1) if number not in gone]
    if len(left) < len(lines):
        _replace(path, "".join(left))
    return len(lines) - len(left)


def _entries(path: Path) -> tuple[suppression.SuppressionEntry, ...]:
    return suppression.read_suppression_list(path).entries if path.exists() else ()


def _lines(path: Path) -> list[str]:
    """The lines with their line ends."""
    if not path.exists():
        return []
    return [each for each in re.split(r"(?<=\n)|(?<=\r)(?!\n)", suppression.read_text(path)) if each]


def _shown(each: suppression.SuppressionEntry) -> OptOut:
    if each.kind is suppression.EntryKind.ADDRESS:
        name, _, domain = each.text.rpartition("@")
        return OptOut(each.line, each.kind, f"{name[0]}…@{domain}")
    if each.kind is suppression.EntryKind.NUMBER:
        return OptOut(each.line, each.kind, f"{each.text[:-4]}…")
    return OptOut(each.line, each.kind, each.text)


def _replace(path: Path, text: str) -> None:
    """Write beside, flush and rename, with the mode of the file: half a line never passes for an entry."""
    path = path.resolve()  # the file stays where it is, also behind a symbolic link
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else _MODE
        with draft.open("xb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"the suppression list {path} cannot be written: {error.strerror}",
        hint="give this user write permission, or correct privacy.suppress in the project file",
    )
