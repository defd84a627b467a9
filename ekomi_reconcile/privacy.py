"""Who must not be invited: opt-outs, and the limit per customer. Addresses are compared, never kept."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from ekomi_reconcile.model.order import Order
from ekomi_reconcile.plan.view import Cap
from ekomi_reconcile.rules.contact import canonical_address, usable_telephone
from ekomi_reconcile.suppression import NUMBER_PREFIX, SuppressionList

SCRATCH_BYTES = 32


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
        """Is this customer, their domain or their telephone number on the list?"""
        if self.suppressed.empty:
            return False
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
