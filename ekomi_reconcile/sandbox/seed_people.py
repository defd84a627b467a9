"""Invented customers and their addresses."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Any

from ekomi_reconcile.sandbox.catalogue import CUSTOMER_GROUPS, FIRST_NAMES, LAST_NAMES, PLACES

_LETTERS = str.maketrans({"ø": "o", "Ø": "o", "ß": "ss"})


@dataclass(frozen=True, slots=True)
class Person:
    """A customer; the same number is always the same person, with the same address to write to."""

    number: int
    first_name: str
    last_name: str
    email: str
    telephone: str
    group_id: int

    @property
    def is_guest(self) -> bool:
        """Whether they order without an account (group 0)."""
        return self.group_id == 0


@lru_cache(maxsize=1024)
def person(index: int) -> Person:
    """The customer at ``index`` (from 0). Every third is a guest; the telephone numbers are fictitious."""
    first = FIRST_NAMES[index % len(FIRST_NAMES)]
    last = LAST_NAMES[index // len(FIRST_NAMES) % len(LAST_NAMES)]
    mobile = f"+49 171 39200{index % 100:02d}"
    landline = f"030 23125{index % 1000:03d}"
    return Person(
        number=index + 1,
        first_name=first,
        last_name=last,
        email=f"{_ascii(first)}.{_ascii(last)}.{index + 1}@example.com",
        telephone=landline if index % 10 == 7 else mobile,
        group_id=0 if index % 3 == 0 else 1 + index % (len(CUSTOMER_GROUPS) - 1),
    )


def ship_to(rng: Random, buyer: Person, *, order_id: int, country: str) -> dict[str, Any]:
    """An address of ``buyer`` in ``country``; the region's keys are missing where it has none."""
    places = PLACES[country]
    place = places[int(rng.random() * len(places))]
    address: dict[str, Any] = {
        "city": place.city,
        "country_id": country,
        "email": buyer.email,
        "firstname": buyer.first_name,
        "lastname": buyer.last_name,
        "parent_id": order_id,
        "postcode": place.postcode,
        "street": [f"Musterweg {buyer.number % 90 + 1}"],
        "telephone": buyer.telephone,
    }
    if place.region:
        address |= {"region": place.region, "region_code": place.region}
    return address


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(_LETTERS))
    return plain.encode("ascii", "ignore").decode().lower()
