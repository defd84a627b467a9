"""The state as a whole: its identity, who holds its writer lock, and what became of its copies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ekomi_reconcile.model.instant import Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """The state itself: ``serial`` counts changes of accounts and state commands."""

    format_version: int
    lineage: str
    serial: int
    created_at: Instant
    tool_version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewState:
    """A state that is about to be created, with the ``key`` of its digests."""

    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockInfo:
    """Who holds the lock: ``ID`` is what ``force-unlock`` asks for, ``Created`` ISO 8601 in UTC.

    ``Info`` says which plan or commit is carried out, ``Version`` is that of the tool, ``Path`` where the
    state is, without a password.
    """

    ID: str
    Operation: str
    Who: str
    Created: str
    PID: int
    Job: str | None = None
    Info: str | None = None
    Version: str | None = None
    Path: str | None = None

    def __str__(self) -> str:
        job = "".join(f", {each}" for each in (self.Info, self.Job) if each)
        return (
            f"{self.Operation} by {self.Who}, process {self.PID}, since {self.Created}{job} (lock {self.ID})"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What replaced the records of a state. ``replaced`` is the copy of the state before, if there was one.

    ``closed_since`` is the number of orders that were closed after the copy or the export was made, and stay
    closed; ``None``: not known, as the state before could not be read. ``key_fits``: the digests in it were
    made with the present key.
    """

    serial: int
    accounts: int
    invitations: int
    replaced: Path | None
    closed_since: int | None
    key_fits: bool = True


@dataclass(frozen=True, slots=True)
class TableDigest:
    """How many rows a table has, and the SHA-256 of all of them in the order of their keys."""

    rows: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A state that was copied to another place: its tables by name, the same in both places.

    ``key_file`` is where the key of the digests is, if it is in a file.
    """

    origin: str
    target: str
    serial: int
    tables: Mapping[str, TableDigest]
    key_file: Path | None
