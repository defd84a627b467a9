"""The suppression list: one entry per line, read strictly, all or nothing.

An entry is an address, a domain (``@example.org`` or ``example.org``), the subdomains of a domain
(``@*.example.org``), a telephone number (``tel:+49…``), or a keyed digest of an address (``hmac:…``) or
number (``hmac-tel:…``). ``#`` at the start of a line or after whitespace begins a comment. Any other line
could be a person who opted out: the whole list is refused then, with every faulty line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from ekomi_reconcile.model.diagnostic import Diagnostic, Place, Severity
from ekomi_reconcile.model.errors import ConfigurationError, ConfigurationInvalid
from ekomi_reconcile.model.paths import read_bounded
from ekomi_reconcile.rules import rulebook

DIGEST_PREFIX = "hmac:"
"""Begins the keyed digest of an address."""

NUMBER_DIGEST_PREFIX = "hmac-tel:"
"""Begins the keyed digest of a telephone number, made of its entry (``tel:+49…``)."""

SUBDOMAINS_PREFIX = "@*."
"""Begins a domain all of whose subdomains are meant, and not the domain itself."""

INVALID = "suppression-entry"
MISSING = "suppression-list-missing"

MAX_BYTES = 64 * 1024 * 1024
MAX_SHOWN = 200
"""Faulty lines that are reported one by one; of the others only their number."""

LINE_END = re.compile(r"\r\n|\n|\r")

_COMMENT = re.compile(r"(?:^|\s)#.*")
_DIGEST = re.compile(r"[0-9a-f]{32}")
_HEADERS = frozenset({"email", "e-mail", "mail", "emailaddress", "e-mailaddress", "customeremail"})
_QUOTES = ('"', "'")
_HINT = "write one address, @domain, @*.domain or tel:+49… per line, and nothing else in that line"
_HEADER_HINT = "export the column with the addresses alone: one address per line"


class EntryKind(StrEnum):
    """What an entry names."""

    ADDRESS = "address"
    DOMAIN = "domain"
    SUBDOMAINS = "subdomains"
    NUMBER = "number"
    DIGEST = "digest"
    NUMBER_DIGEST = "number_digest"


@dataclass(frozen=True, slots=True)
class SuppressionEntry:
    """An entry in its line (from 1). ``text`` is its canonical form, a domain's with the ``@``."""

    line: int
    kind: EntryKind
    text: str

    @property
    def value(self) -> str:
        """The form without its prefix: the address, domain, E.164 number or digest."""
        return self.text.removeprefix(_PREFIXES.get(self.kind, ""))


_PREFIXES = {
    EntryKind.DOMAIN: "@",
    EntryKind.SUBDOMAINS: SUBDOMAINS_PREFIX,
    EntryKind.NUMBER: rulebook.NUMBER_PREFIX,
    EntryKind.DIGEST: DIGEST_PREFIX,
    EntryKind.NUMBER_DIGEST: NUMBER_DIGEST_PREFIX,
}


@dataclass(frozen=True, slots=True)
class SuppressionFault:
    """A line that is not an entry. The text never repeats the line: it may be personal."""

    line: int
    problem: str
    hint: str = _HINT


@dataclass(frozen=True, slots=True)
class SuppressionLines:
    """Every line of a list, sorted out: ``passed`` are empty lines, comments and a header."""

    entries: tuple[SuppressionEntry, ...]
    faults: tuple[SuppressionFault, ...]
    passed: int


@dataclass(frozen=True)
class SuppressionList:
    """Who must not be invited."""

    entries: tuple[SuppressionEntry, ...] = ()

    @property
    def empty(self) -> bool:
        """Does it name nobody?"""
        return not self.entries

    @cached_property
    def addresses(self) -> frozenset[str]:
        """Addresses in their canonical form."""
        return self._of(EntryKind.ADDRESS)

    @cached_property
    def digests(self) -> frozenset[str]:
        """Keyed digests of addresses, without their prefix."""
        return self._of(EntryKind.DIGEST)

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Telephone numbers in E.164."""
        return self._of(EntryKind.NUMBER)

    @cached_property
    def number_digests(self) -> frozenset[str]:
        """Keyed digests of telephone numbers, without their prefix."""
        return self._of(EntryKind.NUMBER_DIGEST)

    def has_domain_of(self, address: str) -> bool:
        """Is the domain of this canonical address on the list, or one that it is a subdomain of?"""
        domain = address.rpartition("@")[2]
        if domain in self._domains:
            return True
        parts = domain.split(".")
        return any(".".join(parts[at:]) in self._parents for at in range(1, len(parts)))

    @cached_property
    def aliases(self) -> frozenset[str]:
        """What names customers without their address: domains and numbers, with their prefixes."""
        kinds = (EntryKind.DOMAIN, EntryKind.SUBDOMAINS, EntryKind.NUMBER)
        return frozenset(each.text for each in self.entries if each.kind in kinds)

    @cached_property
    def _domains(self) -> frozenset[str]:
        return self._of(EntryKind.DOMAIN)

    @cached_property
    def _parents(self) -> frozenset[str]:
        return self._of(EntryKind.SUBDOMAINS)

    def _of(self, kind: EntryKind) -> frozenset[str]:
        return frozenset(each.value for each in self.entries if each.kind is kind)


def read_suppression_list(path: Path) -> SuppressionList:
    """Read a suppression list.

    Raises:
        ConfigurationInvalid: lines are faulty; carries all of them. Nobody is invited on part of a list.
        ConfigurationError: the file cannot be read.
    """
    found = sorted_lines(read_text(path))
    if found.faults:
        raise ConfigurationInvalid(list(_shown(path, found.faults)), subject="suppression list")
    return SuppressionList(found.entries)


def check_suppression_list(path: Path) -> Sequence[Diagnostic]:
    """What is wrong with this list; that it is missing is a warning."""
    if not path.exists():
        return [
            Diagnostic(
                severity=Severity.WARNING,
                rule=MISSING,
                message=f"the suppression list {path} does not exist; plan and apply need it",
                hint="create it (it can be empty), or remove privacy.suppress from the project file",
            )
        ]
    try:
        read_suppression_list(path)
    except ConfigurationInvalid as error:
        return error.diagnostics
    except ConfigurationError as error:
        return [
            Diagnostic(
                severity=Severity.ERROR,
                rule=INVALID,
                message=error.message,
                hint=error.hint,
                place=Place(path=str(path)),
            )
        ]
    return []


def read_text(path: Path) -> str:
    """The text of a suppression list, without a byte order mark.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        content = read_bounded(path, MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise ConfigurationError(
                f"{path}: larger than {MAX_BYTES // 2**20} MiB", hint="remove lines that are not needed"
            )
        return content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(
            f"the suppression list {path} cannot be read: {reason}",
            hint="restore it, or correct privacy.suppress in the project file",
        ) from None


def sorted_lines(text: str) -> SuppressionLines:
    """Sort out every line of a list; a last line without a newline counts like the others."""
    entries, faults, passed = list[SuppressionEntry](), list[SuppressionFault](), 0
    first = True
    for number, line in enumerate(physical_lines(text), start=1):
        content = _content(line)
        if not content or (first and _is_header(content)):
            passed += 1
            first = first and not content
            continue
        first = False
        found = parse_entry(content, line=number)
        if isinstance(found, SuppressionEntry):
            entries.append(found)
        else:
            faults.append(found)
    return SuppressionLines(tuple(entries), tuple(faults), passed)


def physical_lines(text: str) -> list[str]:
    """The lines of a text, whether they end in LF, CRLF or CR; nothing after the last line end."""
    lines = LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def parse_entry(text: str, *, line: int = 1) -> SuppressionEntry | SuppressionFault:
    """The entry that this text is, or what is wrong with it."""
    plain = rulebook.canonical_address(_unquoted(text)) or ""
    prefix = next((each for each in _PARSERS if plain.startswith(each)), None)
    if prefix is not None:
        return _PARSERS[prefix](plain, line)
    if "@" in plain[1:]:
        fault = rulebook.address_fault(plain)
        return (
            SuppressionEntry(line, EntryKind.ADDRESS, plain)
            if fault is None
            else SuppressionFault(line, f"not an address: {fault}")
        )
    return _domain("@" + plain.removeprefix("@"), EntryKind.DOMAIN, line)


def _number(plain: str, line: int) -> SuppressionEntry | SuppressionFault:
    number = rulebook.usable_telephone(plain.removeprefix(rulebook.NUMBER_PREFIX), None)
    if number is None:
        return SuppressionFault(
            line, "not a number with its country code", "write it like tel:+4915112345678"
        )
    return SuppressionEntry(line, EntryKind.NUMBER, rulebook.NUMBER_PREFIX + number)


def _digest(plain: str, kind: EntryKind, line: int) -> SuppressionEntry | SuppressionFault:
    if _DIGEST.fullmatch(plain.removeprefix(_PREFIXES[kind])):
        return SuppressionEntry(line, kind, plain)
    return SuppressionFault(
        line,
        f"not a digest: {_PREFIXES[kind]} and 32 hexadecimal digits are expected",
        "write the line again with `ekomi-reconcile suppress add`",
    )


def _domain(plain: str, kind: EntryKind, line: int) -> SuppressionEntry | SuppressionFault:
    fault = rulebook.domain_fault(plain.removeprefix(_PREFIXES[kind]))
    if fault is None:
        return SuppressionEntry(line, kind, plain)
    if "*" in plain:
        return SuppressionFault(line, "`*` is allowed only as @*.example.org (all subdomains of example.org)")
    if any(each in plain for each in ",;\t"):
        return SuppressionFault(line, "several columns, and no address", _HEADER_HINT)
    return SuppressionFault(line, f"neither an address nor a domain: {fault}")


_PARSERS: Mapping[str, Callable[[str, int], SuppressionEntry | SuppressionFault]] = {
    NUMBER_DIGEST_PREFIX: lambda plain, line: _digest(plain, EntryKind.NUMBER_DIGEST, line),
    DIGEST_PREFIX: lambda plain, line: _digest(plain, EntryKind.DIGEST, line),
    rulebook.NUMBER_PREFIX: _number,
    SUBDOMAINS_PREFIX: lambda plain, line: _domain(plain, EntryKind.SUBDOMAINS, line),
}


def _content(line: str) -> str:
    return _COMMENT.sub("", line).strip()


def _unquoted(text: str) -> str:
    """One pair of quotes around everything has a certain meaning."""
    plain = text.strip()
    for quote in _QUOTES:
        if len(plain) > 1 and plain[0] == plain[-1] == quote and plain.count(quote) == 2:
            return plain[1:-1]
    return plain


def _is_header(content: str) -> bool:
    """Is this the name of the only column of a CSV file?"""
    return re.sub(r"[\s_]", "", _unquoted(content).casefold()) in _HEADERS


def _shown(path: Path, faults: Sequence[SuppressionFault]) -> Iterator[Diagnostic]:
    for each in faults[:MAX_SHOWN]:
        yield _error(path, each.line, each.problem, each.hint)
    if len(faults) > MAX_SHOWN:
        more = faults[MAX_SHOWN]
        yield _error(path, more.line, f"{len(faults) - MAX_SHOWN} more faulty lines from here on", more.hint)


def _error(path: Path, line: int, message: str, hint: str) -> Diagnostic:
    return Diagnostic(
        severity=Severity.ERROR,
        rule=INVALID,
        message=message,
        hint=hint,
        place=Place(path=str(path), line=line),
    )
