"""Who must not be asked: opt-outs, and the limit per customer. Addresses are compared, never kept."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ekomi_reconcile.errors import ConfigurationError
from ekomi_reconcile.model.order import Order
from ekomi_reconcile.plan.view import Cap

DIGEST_PREFIX = "hmac:"
"""How a keyed digest is written in a suppression list."""

SCRATCH_BYTES = 32

MAX_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class SuppressionList:
    """Addresses, domains and keyed digests of customers who opted out."""

    addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()

    @property
    def empty(self) -> bool:
        """Does it name nobody?"""
        return not (self.addresses or self.domains or self.digests)


@dataclass(frozen=True)
class CustomerPrivacy:
    """The privacy settings at work. ``digest`` turns a canonical address into a keyed digest;
    ``lasting`` is false where its key will be forgotten.
    """

    cap: Cap | None = None
    suppressed: SuppressionList = field(default_factory=SuppressionList)
    digest: Callable[[str], str] | None = None
    lasting: bool = True

    def opted_out(self, order: Order) -> bool:
        """Is this customer, or the whole domain, on the list?"""
        if self.suppressed.empty:
            return False
        email = canonical_address(order.contact.email)
        if email is None:
            return False
        if email in self.suppressed.addresses or email.rpartition("@")[2] in self.suppressed.domains:
            return True
        return bool(self.opted_out_digests) and self.customer(order) in self.opted_out_digests

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


def canonical_address(email: str | None) -> str | None:
    """One form per mailbox as far as that is safe to say: without blanks around, case folded."""
    text = (email or "").strip().casefold()
    return text or None


def read_suppression_list(path: Path) -> SuppressionList:
    """Read a list: per line an address, ``@domain`` or ``domain``, or ``hmac:…``; ``#`` begins a remark.

    Raises:
        ConfigurationError: the file cannot be read. Nobody is asked on the strength of a missing list.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigurationError(f"{path}: larger than {MAX_BYTES // 2**20} MiB", mend="split it")
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(
            f"the suppression list {path} cannot be read: {reason}",
            mend="restore it, or correct privacy.suppress in the project file",
        ) from None
    return parse_suppression_list(text.splitlines())


def parse_suppression_list(lines: Iterable[str]) -> SuppressionList:
    """The entries of these lines."""
    entries = [entry for line in lines if (entry := line.partition("#")[0].strip().casefold())]
    digests = {entry.removeprefix(DIGEST_PREFIX) for entry in entries if entry.startswith(DIGEST_PREFIX)}
    rest = [entry for entry in entries if not entry.startswith(DIGEST_PREFIX)]
    return SuppressionList(
        addresses=frozenset(entry for entry in rest if "@" in entry[1:]),
        domains=frozenset(entry.removeprefix("@") for entry in rest if "@" not in entry[1:]),
        digests=frozenset(digests),
    )


def scratch_key(folder: Path) -> bytes:
    """A random key kept in a cache folder, for plans made before there is a state.

    It lets an interrupted first load go on without any customer in the cache. Where it cannot be kept it is
    made anew: then a load starts from its beginning.
    """
    path = folder / "plan.key"
    with suppress(OSError):
        known = path.read_bytes()
        if len(known) == SCRATCH_BYTES:
            return known
    made = secrets.token_bytes(SCRATCH_BYTES)
    with suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(made)
    return made
