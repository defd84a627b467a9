"""Where a state is stored, private files beside it, and SQLite by its driver alone."""

from __future__ import annotations

import errno
import glob
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlsplit

from ekomi_reconcile.model.diagnostic import Incident
from ekomi_reconcile.model.errors import StateDamaged, StateError, StateLocked, StateMissing
from ekomi_reconcile.model.paths import HINT, flaw, local_path, no_room, read_bounded

_HINTS = {
    errno.EACCES: "let this user write there, or choose another path with --state",
    errno.EPERM: "let this user write there, or choose another path with --state",
    errno.EROFS: "the file system is read-only: choose another path with --state",
    errno.ENOENT: "make the folder, or choose another path with --state",
    errno.ENOTDIR: "a part of the path is a file: choose another path with --state",
    errno.EEXIST: "a part of the path is a file: choose another path with --state",
    errno.EISDIR: "it is a folder: choose the path of a file with --state",
    errno.ENOSPC: "make room on the disk and run again; nothing was lost",
    errno.EDQUOT: "make room on the disk and run again; nothing was lost",
    errno.ENOLCK: "its file system cannot lock: keep the state on a local disk",
    errno.ENOTSUP: "its file system cannot lock: keep the state on a local disk",
}


@contextmanager
def file_errors(path: Path) -> Iterator[None]:
    """Turn errors of the operating system into ``StateError`` with what to do about ``path``.

    Raises:
        StateError: in place of ``OSError``.
    """
    try:
        yield
    except OSError as error:
        said = error.strerror or "cannot be used"
        full = Incident.DISK_FULL if error.errno in (errno.ENOSPC, errno.EDQUOT) else None
        raise StateError(f"{path}: {said}", hint=_HINTS.get(error.errno or 0), incident=full) from error


def make_folder(folder: Path) -> None:
    """Make this folder and those above it, each 0700; one that exists stays as it is."""
    if folder.is_dir():
        return
    make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)


def create_private(path: Path, content: bytes = b"") -> None:
    """Make a file that only its owner may read, from its first instant on.

    Raises:
        FileExistsError: it exists; nothing was written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def publish(draft: Path, path: Path) -> None:
    """Give a finished file its name, all at once and never over another file.

    Raises:
        FileExistsError: the name is taken; both files stay.
    """
    os.link(draft, path)
    draft.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in this folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


LOCK_ENDING = ".lock"
"""What the name of a state's lock file has more than that of the state."""

_WHAT = "the location of the state"
_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


@dataclass(frozen=True, slots=True)
class FileLocation:
    """A file state, and the files beside it."""

    path: Path

    @property
    def lock(self) -> Path:
        """The file of the writer lock."""
        return self.path.with_name(self.path.name + LOCK_ENDING)

    @property
    def key(self) -> Path:
        """The file of a key that was made for this state."""
        return self.path.with_name(self.path.name + ".key")

    @property
    def mark(self) -> Path:
        """The file that says how far this state had come."""
        return self.path.with_name(self.path.name + ".mark")

    def backup(self, label: str) -> Path:
        """Where a copy with this label goes."""
        return self.path.with_name(f"{self.path.name}.{label}.backup")

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class PostgresLocation:
    """A state in a database: ``parameters`` are those of libpq, the password among them.

    ``name`` says where it is without user and password. Without a ``schema`` the state lives in the
    first one of the user's search path.
    """

    name: str
    schema: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return self.name


Location: TypeAlias = FileLocation | PostgresLocation


def copy_path(location: Location, label: str, *, root: Path) -> Path:
    """Where a copy with this label goes: beside a file state, else below ``root``."""
    if isinstance(location, FileLocation):
        return location.backup(label)
    return root / ".ekomi-reconcile" / f"state.{label}.backup"


def no_state(place: Location) -> StateMissing:
    """There is none, or one in which nothing was ever recorded."""
    return StateMissing(
        f"no state at {place}",
        hint="restore a backup: ekomi-reconcile state restore FILE; "
        "or create a new one: ekomi-reconcile state init",
    )


def locate(text: str, *, root: Path) -> Location:
    """Read a path (relative to ``root``), ``sqlite:///path`` (``sqlite:////path`` is absolute) or
    ``postgresql://user:password@host:port/database?schema=name``.

    ``~`` is the home folder, and symbolic links are followed: one file is one place, whatever name leads to
    it. What libpq knows as a connection parameter may follow the ``?``, ``sslmode=require`` for example.

    Raises:
        StateError: this version cannot keep a state there, the text has a flaw, or the file has more than one
            hard link; the message never holds a password.
    """
    if text and (found := flaw(text)) is not None:
        raise StateError(f"{_WHAT} {found}", hint=HINT)
    if "://" not in text:
        return _file(text, root=root)
    scheme, rest = text.split("://", 1)
    if scheme in _POSTGRES:
        return _postgres(f"postgresql://{rest}")
    if scheme != "sqlite" or urlsplit(text).netloc:
        raise StateError(
            f"unsupported state URL: {scheme}://",
            hint="write a path, sqlite:///path (four slashes for an absolute one) or postgresql://…",
        )
    return _file(unquote(rest.removeprefix("/")), root=root)


def needs_postgres() -> None:
    """Make sure that a state on PostgreSQL can be opened.

    Raises:
        StateError: the extra is not installed.
    """
    if find_spec("psycopg") is None:
        raise StateError(
            "the driver of PostgreSQL is not installed",
            hint="install it: pip install 'ekomi-reconcile[postgres]'",
        )


def _file(path: str, *, root: Path) -> FileLocation:
    if not path or path == ":memory:":
        raise StateError("the state has no path", hint="write one, for example: .ekomi-reconcile/state.db")
    real = _real(local_path(path, root=root, what=_WHAT, error=StateError))
    _refuse_second_name(real)
    return FileLocation(real)


def _real(path: Path) -> Path:
    """The file itself, behind all symbolic links, so that it has one lock and one key under every name.

    A path without links stays as it is written.

    Raises:
        StateError: the links lead nowhere.
    """
    with file_errors(path):
        real = os.path.realpath(path)
        if real == os.path.abspath(path):  # noqa: PTH100 - without following links
            return path
        if os.path.islink(real):  # noqa: PTH114 - what realpath leaves when links form a circle
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        return Path(real)


def _refuse_second_name(path: Path) -> None:
    """Refuse a file that other hard links lead to: SQLite would keep a journal for each of its names.

    Raises:
        StateError: it has more than one name, or cannot be looked at.
    """
    with file_errors(path):
        try:
            status = path.stat()
        except FileNotFoundError:
            return
        if status.st_nlink == 1 or not stat.S_ISREG(status.st_mode):
            return
        # What was killed while it made the state leaves the name of a draft behind, which nobody opens.
        drafts = path.parent.glob(f"{glob.escape(path.name)}.*.part")
        names = status.st_nlink - sum(os.path.samestat(each.stat(), status) for each in drafts)
    if names > 1:
        raise StateError(
            f"{path} has {names} names (hard links): two runs could write it at once without noticing "
            "each other",
            hint=f"keep one name and remove the others; to find them: find / -xdev -samefile {path}",
        )


def _postgres(url: str) -> PostgresLocation:
    try:
        parts = urlsplit(url)
        port = parts.port
        query = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
    except ValueError:
        raise _unreadable() from None
    database = parts.path.removeprefix("/")
    # A sign of a password that was not encoded: what follows it would be shown as a part of the address.
    if parts.fragment or "@" in database or "/" in database or "@" in (parts.hostname or ""):
        raise _unreadable()
    given = {
        "host": unquote(parts.hostname or ""),
        "port": "" if port is None else str(port),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "dbname": unquote(database),
    }
    schema = query.pop("schema", None)
    parameters = {name: value for name, value in given.items() if value} | query
    for name, value in (("schema", schema), ("database", parameters.get("dbname"))):
        if value and (found := flaw(value)) is not None:
            raise StateError(f"the {name} in the URL of the state {found}", hint=HINT)
    return PostgresLocation(_name(parts, parameters, schema), schema, parameters)


def _name(parts: SplitResult, parameters: Mapping[str, str], schema: str | None) -> str:
    host = parts.hostname or parameters.get("host", "")
    port = f":{parameters['port']}" if "port" in parameters else ""
    within = f"?schema={schema}" if schema else ""
    return f"postgresql://{host}{port}/{parameters.get('dbname', '')}{within}"


def _unreadable() -> StateError:
    return StateError(
        "the URL of the state cannot be read",
        hint="write postgresql://user:password@host:5432/database; in user and password, characters such as "
        "@ : / ? # % are percent-encoded, @ as %40 for example",
    )


APPLICATION_ID = 0x454B5243
"""Written into the header of the file, so that a foreign database is not taken for a state."""

BUSY_SECONDS = 10.0
"""How long a statement waits for another process; the writer lock makes this rare."""

_HEADER = b"SQLite format 3\0"
_RESTORE = "restore a backup of the state; nothing was changed"
_CHECK = "list all damage: ekomi-reconcile state check; then: ekomi-reconcile state restore FILE"
_MEANINGS: dict[int, tuple[type[StateError], str, str]] = {
    sqlite3.SQLITE_NOTADB: (StateDamaged, "is not a state", _RESTORE),
    sqlite3.SQLITE_CORRUPT: (StateDamaged, "is damaged", "restore a backup of the state"),
    sqlite3.SQLITE_FULL: (
        StateError,
        "has no more room: the disk is full",
        "make room and run again; nothing was lost",
    ),
    sqlite3.SQLITE_READONLY: (
        StateError,
        "cannot be written",
        "let this user write the file and its folder",
    ),
    sqlite3.SQLITE_CANTOPEN: (StateError, "cannot be opened", "check the path and who may use it"),
    sqlite3.SQLITE_PERM: (StateError, "cannot be used", "check who may use the file and its folder"),
    sqlite3.SQLITE_IOERR: (
        StateError,
        "cannot be read or written: the disk reports an error",
        "check the disk, then run again",
    ),
    sqlite3.SQLITE_BUSY: (StateLocked, "is being written by another process", "wait for it and run again"),
    sqlite3.SQLITE_LOCKED: (StateLocked, "is being written by another process", "wait for it and run again"),
}


DRIVER_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What the driver raises: the second where names in the file are damaged."""


def connect(path: Path, *, mode: str, prepare: Callable[[sqlite3.Connection], None]) -> sqlite3.Connection:
    """A connection to an existing file, in one of the modes of SQLite's URIs.

    Raises:
        StateError: it cannot be opened.
    """
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=BUSY_SECONDS, check_same_thread=False
    )
    try:
        prepare(connection)
    except DRIVER_ERRORS as error:
        connection.close()
        raise meaning(error, path) from error
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, and that leaves no files behind where SQLite allows.

    A read-only connection would leave the two files of the write-ahead log behind, a writing one that
    is forbidden to write removes them. Where nothing may be written, nobody writes: ``immutable``.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists():
        return connect(path, mode="ro", prepare=_prepare_reader)
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        return connect(path, mode="rw", prepare=_prepare_reader)
    return connect(path, mode="ro&immutable=1", prepare=_prepare_reader)


def check_header(path: Path) -> None:
    """Refuse what is not an SQLite file before SQLite gets to see it.

    Raises:
        StateDamaged: the file is empty or something else.
    """
    with file_errors(path):
        header = read_bounded(path, len(_HEADER))
    if header != _HEADER:
        said = "is empty" if not header else "is not a state"
        raise StateDamaged(
            f"{path} {said}", hint=f"{_RESTORE}; to start with an empty state, move the file away"
        )


def meaning(error: BaseException, path: Path) -> StateError:
    """What an error of the driver means for a user."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and no_room(path):
        code = sqlite3.SQLITE_FULL
    if code in _MEANINGS:
        kind, said, hint = _MEANINGS[code]
        full = Incident.DISK_FULL if code == sqlite3.SQLITE_FULL else None
        return kind(f"{path} {said}", hint=hint, incident=full)
    if isinstance(error, sqlite3.IntegrityError):
        return StateError(f"{path}: refused by a rule of the database: {error}")
    if isinstance(error, UnicodeDecodeError):  # the driver could not read SQLite's own message about a name
        return StateDamaged(f"{path} is damaged", hint="restore a backup of the state")
    if "Could not decode to UTF-8" in str(error):
        column = str(error).partition("column ")[2].partition(" with text")[0]
        return StateDamaged(f"{path} is damaged: text that is not UTF-8 in column {column}", hint=_CHECK)
    if isinstance(error, sqlite3.OperationalError) and "no such" in str(error):
        return StateDamaged(f"{path} lacks a part of a state: {error}", hint=_RESTORE)
    return StateError(f"{path}: {error}")


def _prepare_reader(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON")
