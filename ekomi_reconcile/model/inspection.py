"""What was found in an order file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ekomi_reconcile.model.diagnostic import Diagnostic
from ekomi_reconcile.model.order import OrderState


@dataclass(frozen=True, slots=True)
class OrderWord:
    """A word that the orders have, how often, and for a status the state that it means."""

    field: str
    word: str
    count: int
    state: OrderState | None = None


@dataclass(frozen=True, slots=True)
class FileInspection:
    """What was found in an order file.

    ``fields`` tells for every column the field that it has, ``missing`` which fields of those that every
    invitation needs nothing has. ``mapping`` is what to write under ``orders:`` beside ``file``; empty where
    nothing needs to be. ``notes`` say what is left for people to decide.
    """

    path: Path
    layout: str
    fields: Mapping[str, str | None]
    missing: tuple[str, ...]
    mapping: Mapping[str, Any]
    notes: tuple[str, ...]
    orders: int
    words: tuple[OrderWord, ...]
    problems: tuple[Diagnostic, ...]
