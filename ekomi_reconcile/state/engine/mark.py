"""The mark beside a file state, which shows that the state was rolled back or lost.

Whoever writes keeps it up to date. A state that is behind its mark, or gone from beside its mark or its key,
is lost: to go on with it could invite customers a second time. What rolls back both at once is not noticed.
"""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.errors import StateError, StateLost
from ekomi_reconcile.state.engine.location import FileLocation, create_private, file_errors, sync_folder

if TYPE_CHECKING:
    from sqlalchemy import Connection


if TYPE_CHECKING:
    from sqlalchemy import Connection

_INTERVAL = 0.5
_SOON = 0.05
"""Seconds within which the mark is not written again: after any commit, after one with a journal entry."""

AS_RECORDED = """
    SELECT (SELECT value FROM meta WHERE key = 'lineage'),
           coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'journal'), 0),
           coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'invitation_history'), 0)
"""
"""What a mark holds, as a state has it: the last numbers that were given out, of deleted rows too."""

_RESTORE = "restore the newest copy: ekomi-reconcile state restore FILE"
_ACCEPT = (
    "ekomi-reconcile state accept-loss --since TIME, with a TIME before the first lost record; "
    "`ekomi-reconcile apply --new-state` goes on as if nothing was lost, and may invite a second time"
)
_AGAIN = "where customers may be invited a second time: ekomi-reconcile apply --new-state"


@dataclass(frozen=True, slots=True)
class Mark:
    """The state with this lineage has written so many entries of the journal and of histories."""

    lineage: str
    journal: int
    history: int = 0
    written_at: str = ""

    def ahead_of(self, other: Mark) -> bool:
        """Does it know of more than the other, or of another state?"""
        further = self.journal > other.journal or self.history > other.history
        return further or self.lineage != other.lineage


def read_mark(place: FileLocation) -> Mark | None:
    """The mark beside this state, or ``None`` if there is none.

    Raises:
        StateLost: it cannot be understood.
        StateError: it cannot be read.
    """
    with file_errors(place.mark):
        try:
            content = place.mark.read_bytes()
        except FileNotFoundError:
            return None
    try:
        return msgspec.json.decode(content, type=Mark)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise StateLost(
            f"{place.mark} is damaged: it tells how far the state had come",
            mend=f"{_RESTORE}; to go on with the state as it is, {_AGAIN}",
        ) from None


def lineage_of_mark(place: FileLocation) -> str | None:
    """The lineage of the state that was here, if a readable mark tells and it was ever used."""
    with suppress(StateLost):
        mark = read_mark(place)
        if mark is not None and (mark.journal or mark.history):
            return mark.lineage
    return None


def refuse_lost(place: FileLocation, mark: Mark | None, connection: Connection) -> None:
    """Make sure that this state is not behind its mark, which was read before the state.

    Raises:
        StateLost: it is, or it is another state.
    """
    if mark is None or not mark.ahead_of(found := as_recorded(connection)):
        return
    if mark.lineage != found.lineage:
        raise StateLost(
            f"{place} is another state than the one that was here: its lineage is {found.lineage}, "
            f"{place.mark.name} has {mark.lineage}",
            mend=f"{_RESTORE}; to go on with this one, {_AGAIN}",
        )
    raise StateLost(
        f"{place} has lost what was recorded last: it ends at journal entry {found.journal} and change "
        f"{found.history} of invitations, {place.mark.name} has {mark.journal} and {mark.history}"
        f"{f' (written {mark.written_at})' if mark.written_at else ''}",
        mend=f"{_RESTORE}; to go on with the older one without inviting anybody twice: {_ACCEPT}",
    )


def refuse_gone(place: FileLocation) -> None:
    """Make sure that no state has vanished from here.

    Raises:
        StateLost: its mark or its key is still there.
    """
    with file_errors(place.path):
        left = [each.name for each in (place.mark, place.key) if each.exists()]
    if left:
        raise StateLost(
            f"there is no state at {place}, although {' and '.join(left)} "
            f"{'are' if len(left) > 1 else 'is'} still there: it was lost",
            mend=f"{_RESTORE}; to begin again without it, {_AGAIN}",
        )


class Marker:
    """Keeps the mark of an open state up to date.

    It is written after a commit: soon after one with a journal entry, else at most twice per second.
    ``close`` makes up for what it lacks then.
    """

    def __init__(self, place: FileLocation) -> None:
        self._place = place
        self._noted: Mark | None = None
        self._behind = False
        self._last = float("-inf")

    def begin(self, connection: Connection) -> None:
        """Write it at the start of a run, where it is missing or behind."""
        found, known = as_recorded(connection), None
        with suppress(StateLost):
            known = read_mark(self._place)
        if known is None or replace(known, written_at="") != found:
            self._write(found)

    def before_commit(self, connection: Connection, *, journaled: bool) -> None:
        """Look at what a transaction is about to commit, if it is time to write it down."""
        self._behind = True
        if time.monotonic() >= self._last + (_SOON if journaled else _INTERVAL):
            self._noted = as_recorded(connection)

    def committed(self) -> None:
        """The transaction was committed. What cannot be written now is written at the end."""
        if self._noted is not None:
            with suppress(StateError):
                self._write(self._noted)
                self._behind = False
            self._noted, self._last = None, time.monotonic()

    def close(self, connection: Connection) -> None:
        """Write what it lacks.

        Raises:
            StateError: it cannot be written; the one before is still there.
        """
        if self._behind:
            self._write(as_recorded(connection))
            self._behind = False

    def _write(self, mark: Mark) -> None:
        content = asdict(mark) | {"written_at": instant.iso(instant.now())}
        _replace(self._place.mark, msgspec.json.encode(content) + b"\n")


def as_recorded(connection: Connection) -> Mark:
    """What the mark of this state should hold."""
    return Mark(*connection.exec_driver_sql(AS_RECORDED).one())


def _replace(path: Path, content: bytes) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with file_errors(path):
        try:
            create_private(draft, content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(path.parent)
