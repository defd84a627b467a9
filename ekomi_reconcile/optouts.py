"""Changing the suppression list: addresses and numbers become keyed digests, domains stay as they are."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ekomi_reconcile.errors import ConfigurationError
from ekomi_reconcile.suppression import (
    NUMBER_PREFIX,
    Entry,
    Fault,
    Kind,
    parse_entry,
    read_suppression_list,
    read_text,
)

_MODE = 0o644


@dataclass(frozen=True, slots=True)
class OptOut:
    """An entry of the list in its line; a plain address is masked."""

    line: int
    kind: Kind
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
        entry = parse_entry(text)
        written = text.strip().startswith(("@", NUMBER_PREFIX)) or "@" in text
        if isinstance(entry, Fault) or not written:
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
    return frozenset(each.text for each in _entries(path) if each.kind in (Kind.ADDRESS, Kind.NUMBER))


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


def _entries(path: Path) -> tuple[Entry, ...]:
    return read_suppression_list(path).entries if path.exists() else ()


def _lines(path: Path) -> list[str]:
    """The lines with their line ends."""
    if not path.exists():
        return []
    return [each for each in re.split(r"(?<=\n)|(?<=\r)(?!\n)", read_text(path)) if each]


def _shown(each: Entry) -> OptOut:
    if each.kind is Kind.ADDRESS:
        name, _, domain = each.text.rpartition("@")
        return OptOut(each.line, each.kind, f"{name[0]}…@{domain}")
    if each.kind is Kind.NUMBER:
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
        mend="let this user write it, or correct privacy.suppress in the project file",
    )
