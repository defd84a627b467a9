"""What a check is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from ekomi_reconcile.doctor.finding import Note
from ekomi_reconcile.doctor.subject import Part, Subject

Run: TypeAlias = Callable[[Subject], Iterator[Note]]
"""Looks at the subject and says what it found; what it raises means that it could not look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check by its stable id. It runs only where all parts that it ``needs`` are there.

    ``online`` checks ask eKomi or a shop, and are left out when the self-test is offline.
    """

    id: str
    run: Run
    needs: frozenset[Part] = frozenset()
    online: bool = False
