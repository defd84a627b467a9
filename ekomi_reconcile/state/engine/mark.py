"""The key and the mark beside a file state.

Whoever writes keeps it up to date. A state that is behind its mark, or gone from beside its mark or its key,
is lost: to go on with it could invite customers a second time. What rolls back both at once is not noticed.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from ekomi_reconcile.model import instant
from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import StateError, StateLost
from ekomi_reconcile.model.paths import read_bounded
from ekomi_reconcile.state.engine import location

if TYPE_CHECKING:
    from sqlalchemy import Connection


KEY_BYTES = 32
_LARGEST = 4096
CUSTOMER_DIGITS = 32


class Purpose(StrEnum):
    """What a digest is for: equal texts have unequal digests for unequal purposes."""

    PASSWORD = "password"  # noqa: S105
    CUSTOMER = "customer"
    PLAN = "plan"


class KeyedDigest:
    """HMAC-SHA256 in hex for one purpose: it tells equal from unequal, and nothing without the key.

    Of a customer the first 128 bits: there are as many as orders, and all of them are indexed. The key is
    taken in once, which makes many digests twice as fast.
    """

    __slots__ = ("_begun", "_digits")

    def __init__(self, key: bytes, purpose: Purpose) -> None:
        self._begun = _begun(key, purpose.value)
        self._digits = CUSTOMER_DIGITS if purpose is Purpose.CUSTOMER else None

    def __call__(self, text: str) -> str:
        """The digest of this text."""
        return _ended(self._begun, text)[: self._digits]


def check_value(key: bytes) -> str:
    """A value by which a state knows its key again."""
    return _begun(key, "check").hexdigest()


def proven_key(key: bytes | None, expected: str | None) -> bytes:
    """The key, which is certainly the one whose check value is ``expected``, where there is one.

    Raises:
        StateError: there is none, or it is another one.
    """
    if key is None:
        raise StateError(
            "the key of the digests is missing: changed passwords and customers asked before "
            "cannot be noticed",
            hint="restore the file <state>.key, or set privacy.key to the key used before",
        )
    if expected is not None and expected != check_value(key):
        raise StateError(
            "the key of the digests is not the one this state was made with: every password would look "
            "changed, and customers asked before would be asked again",
            hint="set privacy.key (or the file <state>.key) back to the key used before",
        )
    return key


class StateKey:
    """The key of a state's digests: ``value`` was read, ``check`` identifies the recorded one."""

    def __init__(self, value: bytes | None, check: Callable[[], str | None]) -> None:
        self.value = value
        self._check = check

    def require(self) -> bytes:
        """The key, which is certainly the one that the digests were made with.

        Raises:
            StateError: the key is lost, or another one than before.
        """
        return proven_key(self.value, self._check())

    def digest(self, purpose: Purpose, text: str) -> str:
        """The keyed digest of a text, in hex; raises like ``require``."""
        return KeyedDigest(self.require(), purpose)(text)


def key_needed() -> StateError:
    """A database has no place beside it for a key."""
    return StateError(
        "a state on PostgreSQL needs a key of its own for the digests of passwords and customers",
        hint="set one in the project file, the same for all runners: "
        "privacy: {key: ${env:EKOMI_RECONCILE_KEY}}",
    )


def configured_key(text: str) -> bytes:
    """The key in a setting: any text, or what a key file holds, which then is the key of that file."""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    return key if len(key) == KEY_BYTES else text.encode()


def read_key(path: Path) -> bytes | None:
    """The key in a file, or ``None`` without a file.

    Raises:
        StateError: the file cannot be read, or does not hold a key.
    """
    with location.file_errors(path):
        try:
            text = read_bounded(path, _LARGEST).decode("utf-8-sig").strip()
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            text = ""
    try:
        key = bytes.fromhex(text)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise StateError(
            f"{path} does not hold a key of {KEY_BYTES} bytes in hex",
            hint="restore this file, or set privacy.key to the key used before",
        )
    return key


def make_key(path: Path, key: bytes | None = None) -> bytes:
    """Put ``key``, or a random one, into a new file that only its owner may read; another's key is kept.

    Raises:
        StateError: the file cannot be written.
    """
    key = key or secrets.token_bytes(KEY_BYTES)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    with location.file_errors(path):
        try:
            location.create_private(draft, key.hex().encode("ascii") + b"\n")
            location.publish(draft, path)
        except FileExistsError:
            return read_key(path) or key
        finally:
            draft.unlink(missing_ok=True)
    return key


def _begun(key: bytes, domain: str) -> hmac.HMAC:
    return hmac.new(key, f"{domain}\0".encode(), "sha256")


def _ended(begun: hmac.HMAC, text: str) -> str:
    mac = begun.copy()
    mac.update(text.encode())
    return mac.hexdigest()


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
    "ekomi-reconcile apply --no-send, then ekomi-reconcile state accept-loss --since {since}; "
    "`ekomi-reconcile apply --new-state` goes on as if nothing was lost, and may invite a second time"
)
_AGAIN = "where customers may be invited a second time: ekomi-reconcile apply --new-state"


@dataclass(frozen=True, slots=True)
class Mark:
    """How many entries of journal and histories the state with this lineage has written.

    ``lost_since``: a run that sends nothing went on with a state behind this mark, whose last record was made
    then. ``reread``: it also read the orders again, so that what was lost as a whole is there again.
    """

    lineage: str
    journal: int
    history: int = 0
    written_at: str = ""
    lost_since: str = ""
    reread: bool = False

    def ahead_of(self, other: Mark) -> bool:
        """Does it know of more than the other, or of another state?"""
        further = self.journal > other.journal or self.history > other.history
        return bool(self.lost_since) or further or self.lineage != other.lineage


def read_mark(place: location.FileLocation) -> Mark | None:
    """The mark beside this state, or ``None`` if there is none.

    Raises:
        StateLost: it cannot be understood.
        StateError: it cannot be read.
    """
    with location.file_errors(place.mark):
        try:
            content = place.mark.read_bytes()
        except FileNotFoundError:
            return None
    try:
        return msgspec.json.decode(content, type=Mark)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise StateLost(
            f"{place.mark} is damaged: it records how far the state had come",
            hint=f"{_RESTORE}; to continue with the state as it is, {_AGAIN}",
        ) from None


def lineage_of_mark(place: location.FileLocation) -> str | None:
    """The lineage of the state that was here, if a readable mark tells and it was ever used."""
    with suppress(StateLost):
        mark = read_mark(place)
        if mark is not None and (mark.journal or mark.history):
            return mark.lineage
    return None


def refuse_lost(place: location.FileLocation, mark: Mark | None, connection: Connection) -> None:
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
            hint=f"{_RESTORE}; to continue with this state, {_AGAIN}",
        )
    raise StateLost(
        f"{place} has lost what was recorded last: it ends at journal entry {found.journal} and change "
        f"{found.history} of invitations, {place.mark.name} has {mark.journal} and {mark.history}"
        f"{f' (written {mark.written_at})' if mark.written_at else ''}",
        hint=f"{_RESTORE}; to go on with the older one without inviting anybody twice: "
        f"{_ACCEPT.format(since=lost_since(mark, connection))}",
        incident=Incident.STATE_TOO_OLD,
    )


def lost_mark(mark: Mark | None, connection: Connection) -> Mark | None:
    """The mark, where the state is an older one of the same lineage; ``None``: it is not behind."""
    if mark is None or not mark.ahead_of(found := as_recorded(connection)):
        return None
    return mark if mark.lineage == found.lineage else None


def lost_since(mark: Mark, connection: Connection) -> str:
    """When the last record was made before those that this mark knows of and the state has lost; in UTC."""
    found = connection.exec_driver_sql("SELECT coalesce(max(at), 0) FROM journal").scalar_one()
    return mark.lost_since or instant.iso(int(found))


def refuse_unread(place: location.FileLocation, connection: Connection) -> None:
    """Make sure that a run has scheduled again what was lost altogether, where the state is behind its mark.

    Raises:
        StateLost: none has.
    """
    mark = None
    with suppress(StateLost):
        mark = read_mark(place)
    if mark is not None and mark.ahead_of(as_recorded(connection)) and not mark.reread:
        raise StateLost(
            "the orders of the lost time have not been read again: invitations that were scheduled and sent "
            "in it are not in this state, and would be sent a second time",
            hint="ekomi-reconcile apply --no-send --auto-approve, then this command again",
            incident=Incident.STATE_TOO_OLD,
        )


def refuse_gone(place: location.FileLocation) -> None:
    """Make sure that no state has vanished from here.

    Raises:
        StateLost: its mark or its key is still there.
    """
    with location.file_errors(place.path):
        left = [each.name for each in (place.mark, place.key) if each.exists()]
    if left:
        raise StateLost(
            f"no state at {place}, although {' and '.join(left)} "
            f"{'are' if len(left) > 1 else 'is'} still there: it was lost",
            hint=f"{_RESTORE}; to start with a new state, {_AGAIN}",
        )


class Marker:
    """Keeps the mark of an open state up to date.

    It is written after a commit: soon after one with a journal entry, else at most twice per second.
    ``close`` makes up for what it lacks then. With ``lost``, a mark that the state is behind, that one is
    kept, so that other runs still refuse the state.
    """

    def __init__(self, place: location.FileLocation, *, lost: Mark | None = None) -> None:
        self._place = place
        self._lost = lost
        self._noted: Mark | None = None
        self._behind = False
        self._last = float("-inf")

    def begin(self, connection: Connection) -> None:
        """Write it at the start of a run, where it is missing or behind."""
        if self._lost is not None:
            self._lost = replace(self._lost, lost_since=lost_since(self._lost, connection))
            self._write(self._lost)
            return
        found, known = as_recorded(connection), None
        with suppress(StateLost):
            known = read_mark(self._place)
        if known is None or replace(known, written_at="") != found:
            self._write(found)

    def before_commit(self, connection: Connection, *, journaled: bool) -> None:
        """Look at what a transaction is about to commit, if it is time to write it down."""
        self._behind = self._lost is None
        if self._behind and time.monotonic() >= self._last + (_SOON if journaled else _INTERVAL):
            self._noted = as_recorded(connection)

    def committed(self) -> None:
        """The transaction was committed. What cannot be written now is written at the end."""
        if self._noted is not None:
            with suppress(StateError):
                self._write(self._noted)
                self._behind = False
            self._noted, self._last = None, time.monotonic()

    def reread(self) -> None:
        """Note that the orders of the lost time were read again."""
        if self._lost is not None:
            self._write(replace(self._lost, reread=True))

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
    with location.file_errors(path):
        try:
            location.create_private(draft, content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        location.sync_folder(path.parent)
