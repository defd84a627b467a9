"""Changing the suppression list: addresses become keyed digests, domains stay as they are."""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ekomi_reconcile.errors import ConfigurationError
from ekomi_reconcile.privacy import DIGEST_PREFIX, canonical_address, read_suppression_list

_MODE = 0o644


class Kind(StrEnum):
    """What an entry names."""

    ADDRESS = "address"
    DOMAIN = "domain"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class OptOut:
    """An entry of the list in its line; a plain address is masked."""

    line: int
    kind: Kind
    entry: str


def is_domain(text: str) -> bool:
    """Does ``@example.com`` stand here, and not an address?"""
    return text.startswith("@")


def checked(texts: Sequence[str]) -> list[str]:
    """These addresses and ``@domains`` in their canonical form, each once.

    Raises:
        ValueError: one is neither; the message says which by its place, and never what it is.
    """
    found = []
    for place, text in enumerate(texts, start=1):
        plain = canonical_address(text) or ""
        name, at, domain = plain.rpartition("@")
        if not (at and domain) or any(each.isspace() or each in "#,;<>" for each in plain) or "@" in name:
            raise ValueError(f"number {place} is neither an address nor @domain")
        found.append(plain)
    return list(dict.fromkeys(found))


def list_entries(path: Path) -> list[OptOut]:
    """All entries; a file that does not exist has none.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    return [
        _shown(line, plain)
        for line, text in enumerate(_lines(path), start=1)
        if (plain := _plain(text)) is not None
    ]


def list_plain(path: Path) -> frozenset[str]:
    """The addresses that somebody wrote plain; raises like ``list_entries``."""
    return read_suppression_list(path).addresses if path.exists() else frozenset()


def add_entries(path: Path, entries: Sequence[str]) -> list[str]:
    """Write those that the list lacks at its end, one per line; returns them.

    The file is made if there is none, for everybody to read: it holds no address.

    Raises:
        ConfigurationError: the file cannot be read or written.
    """
    lines = _lines(path)
    known = {_canonical(plain) for text in lines if (plain := _plain(text)) is not None}
    new = [each for each in dict.fromkeys(entries) if _canonical(each) not in known]
    if new:
        begun = "\n" if lines and not lines[-1].endswith("\n") else ""
        _append(path, begun + "".join(f"{each}\n" for each in new))
    return new


def remove_entries(path: Path, entries: Collection[str]) -> int:
    """Take these entries out, whole lines of them; how many lines.

    Raises:
        ConfigurationError: the file cannot be read or written.
    """
    lines, unwanted = _lines(path), {_canonical(each) for each in entries}
    left = [each for each in lines if (plain := _plain(each)) is None or _canonical(plain) not in unwanted]
    if len(left) < len(lines):
        _replace(path, "".join(left))
    return len(lines) - len(left)


def _lines(path: Path) -> list[str]:
    if not path.exists():
        return []
    read_suppression_list(path)  # says what is wrong with it
    return path.read_text("utf-8-sig").splitlines(keepends=True)


def _plain(text: str) -> str | None:
    return canonical_address(text.partition("#")[0])


def _canonical(plain: str) -> str:
    """A domain may stand with or without the ``@``."""
    if plain.startswith(DIGEST_PREFIX) or "@" in plain:
        return plain
    return f"@{plain}"


def _shown(line: int, plain: str) -> OptOut:
    if plain.startswith(DIGEST_PREFIX):
        return OptOut(line, Kind.DIGEST, plain)
    name, _, domain = plain.rpartition("@")
    if not name:
        return OptOut(line, Kind.DOMAIN, f"@{domain}")
    return OptOut(line, Kind.ADDRESS, f"{name[0]}…@{domain}")


def _append(path: Path, text: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _MODE)
        with os.fdopen(descriptor, "ab") as file:
            file.write(text.encode())
    except OSError as error:
        raise _unwritable(path, error) from None


def _replace(path: Path, text: str) -> None:
    """All at once, with the rights that the file has."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        mode = path.stat().st_mode & 0o777
        draft.write_bytes(text.encode())
        draft.chmod(mode)
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"the suppression list {path} cannot be written: {error.strerror}",
        mend="let this user write it, or correct privacy.suppress in the project file",
    )
