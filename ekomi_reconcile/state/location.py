"""Where a state lives: in a file, or in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from ekomi_reconcile.errors import StateError

LOCK_ENDING = ".lock"
"""What the name of a state's lock file has more than that of the state."""

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


def locate(text: str, *, root: Path) -> Location:
    """Read a path (relative to ``root``), ``sqlite:///path`` (``sqlite:////path`` is absolute) or
    ``postgresql://user:password@host:port/database?schema=name``.

    What libpq knows as a connection parameter may follow the ``?``, ``sslmode=require`` for example.

    Raises:
        StateError: this version cannot keep a state there; the message never holds a password.
    """
    if "://" not in text:
        return _file(text, root=root)
    scheme, rest = text.split("://", 1)
    if scheme in _POSTGRES:
        return _postgres(f"postgresql://{rest}")
    if scheme != "sqlite" or urlsplit(text).netloc:
        raise StateError(
            f"{scheme}:// is no place for a state",
            mend="write a path, sqlite:///path (four slashes for an absolute one) or postgresql://…",
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
            mend="install it: pip install 'ekomi-reconcile[postgres]'",
        )


def _file(path: str, *, root: Path) -> FileLocation:
    if not path or path == ":memory:" or "\0" in path:
        raise StateError("the state has no path", mend="write one, for example: .ekomi-reconcile/state.db")
    return FileLocation(Path(root, path))


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
    return PostgresLocation(_name(parts, parameters, schema), schema, parameters)


def _name(parts: SplitResult, parameters: Mapping[str, str], schema: str | None) -> str:
    host = parts.hostname or parameters.get("host", "")
    port = f":{parameters['port']}" if "port" in parameters else ""
    within = f"?schema={schema}" if schema else ""
    return f"postgresql://{host}{port}/{parameters.get('dbname', '')}{within}"


def _unreadable() -> StateError:
    return StateError(
        "the URL of the state cannot be read",
        mend="write postgresql://user:password@host:5432/database; in user and password, signs like "
        "@ : / ? # % are percent-encoded, @ as %40 for example",
    )
