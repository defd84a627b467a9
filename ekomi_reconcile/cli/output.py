"""Where output goes, and the files that a command reads and writes.

Characters that the encoding lacks are replaced, a stream that is closed from the start is as ``/dev/null``,
and what cannot be written (a full disk, a reader that went away) is remembered until the run is over.
"""

from __future__ import annotations

import dataclasses
import errno
import io
import os
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.resources import as_file, files
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Final, TextIO

from ekomi_reconcile.model.diagnostic import Diagnostic, Place
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.paths import read_bounded


def rewrite(path: Path, content: bytes) -> None:
    """Replace the content of a file, whole or not at all; its mode stays, and a link stays a link.

    Raises:
        OSError: it cannot be written; then it is as it was.
    """
    target = path.resolve(strict=True)
    if not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    status = target.stat()
    draft = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            with suppress(PermissionError):
                os.fchown(descriptor, status.st_uid, status.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(status.st_mode))
        draft.replace(target)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


FOLDER = "accounts.d"


def copy_example(target: Path) -> None:
    """Copy the example accounts and the schemas that editors use into a folder."""
    package = files("ekomi_reconcile")
    inside = package / "example"
    source = inside if inside.is_dir() else package / ".."
    for name in (FOLDER, "schemas"):
        with as_file(source / name) as folder:
            shutil.copytree(folder, target / name)


def needs_parquet() -> None:
    """Make sure that Parquet files can be written.

    Raises:
        ReconcileError: the extra is not installed.
    """
    if find_spec("pyarrow") is None:
        raise ReconcileError(
            "writing Parquet needs pyarrow, which is not installed",
            hint="install it: pip install 'ekomi-reconcile[parquet]'",
        )


def needs_sandbox() -> None:
    """Make sure that the sandbox can run.

    Raises:
        ReconcileError: the extra is not installed.
    """
    if any(find_spec(name) is None for name in ("starlette", "uvicorn", "python_multipart")):
        raise ReconcileError(
            "the sandbox is not installed", hint="install it: pip install 'ekomi-reconcile[sandbox]'"
        )


def from_the_top(found: Iterable[Diagnostic], folder: Path) -> tuple[Diagnostic, ...]:
    """The findings with paths from the top of the repository of ``folder``; what lies outside is absolute.

    Without a repository paths start where GitHub checked the files out, or else in the working directory.
    """
    top = _top(folder.absolute())
    return tuple(dataclasses.replace(each, place=each.place and _moved(each.place, top)) for each in found)


def _top(folder: Path) -> Path:
    normal = Path(os.path.normpath(folder))
    outer = (normal, *normal.parents)
    workspace = Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd())
    return next((each for each in outer if (each / ".git").exists()), workspace)


def _moved(place: Place, top: Path) -> Place:
    absolute = Path(os.path.abspath(place.path))  # noqa: PTH100 - links stay as they are written
    seen = absolute.relative_to(top) if absolute.is_relative_to(top) else absolute
    return dataclasses.replace(place, path=seen.as_posix())


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all.

    Raises:
        ReconcileError: it cannot be written.
    """
    with private_file(path) as file:
        file.write(content)


@contextmanager
def private_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that only its owner may read; it gets its name when all of it is written, or never.

    Raises:
        ReconcileError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise ReconcileError(
            f"{path} cannot be written: {error.strerror}", hint="choose another place for it"
        ) from None
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def read_file(path: Path, *, limit: int) -> bytes:
    """Read a file of at most ``limit`` bytes.

    Raises:
        ReconcileError: it cannot be read, or is larger.
    """
    try:
        content = read_bounded(path, limit + 1)
    except OSError as error:
        raise ReconcileError(f"{path} cannot be read: {error.strerror}", hint="check the name") from None
    if len(content) > limit:
        raise ReconcileError(f"{path} is larger than {limit // 2**20} MiB", hint="is it the right file?")
    return content


_SPELLED_OUT: Final = {"→": "->"}
_OTHER: Final = "?"
_JSON: Final = ("{", "[")
_GONE: Final = frozenset({errno.EPIPE, errno.EBADF, errno.EIO})
"""Errors after which no later write can succeed."""


class Output(io.TextIOBase):
    """A text stream whose ``write`` and ``flush`` do not raise; ``problem`` is the first error, in words.

    ``reader_left``: that was a pipe whose reader went away, as in ``… | head``, which is no fault.
    It has no ``buffer``, on purpose: nothing gets past it.
    """

    def __init__(self, stream: TextIO, name: str) -> None:
        self.name = name
        self.problem: str | None = None
        self.reader_left = False
        self._stream = stream
        self._is_gone = False
        self._is_json: bool | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding of the stream; ``utf-8`` where it has none."""
        return getattr(self._stream, "encoding", None) or "utf-8"

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        """How the stream itself treats characters that it cannot encode."""
        return getattr(self._stream, "errors", None)

    def writable(self) -> bool:
        """Always."""
        return True

    def isatty(self) -> bool:
        """Is it a terminal?"""
        return not self._stream.closed and self._stream.isatty()

    def fileno(self) -> int:
        """The descriptor of the stream."""
        return self._stream.fileno()

    def write(self, text: str) -> int:
        """Write text, or remember why that was impossible."""
        if self._is_json is None and self.name == "stdout" and text.strip():
            self._is_json = text.lstrip().startswith(_JSON)
        self._attempt(lambda: self._stream.write(self._encodable(text)))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, or remember why that was impossible."""
        self._attempt(self._stream.flush)

    def write_exactly(self) -> None:
        """From now on encode as UTF-8, whatever the locale: for documents that are read again by programs."""
        stream = self._stream
        if isinstance(stream, io.TextIOWrapper):
            self._attempt(lambda: stream.reconfigure(encoding="utf-8"))

    def settle(self) -> None:
        """Flush for the last time; what remains cannot be written and must not be tried at exit."""
        self.flush()
        if self.problem is not None:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)

    def _attempt(self, act: Callable[[], object]) -> None:
        if self._is_gone or self._stream.closed:
            return
        try:
            act()
        except OSError as error:
            if self.problem is None:
                self.problem = error.strerror or type(error).__name__
                self.reader_left = error.errno == errno.EPIPE
            self._is_gone = error.errno in _GONE

    def _encodable(self, text: str) -> str:
        try:
            text.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            escape = self._is_json or text.startswith('{"')
            return "".join(self._replaced(each, escape=bool(escape)) for each in text)
        return text

    def _replaced(self, character: str, *, escape: bool) -> str:
        with suppress(UnicodeEncodeError):
            character.encode(self.encoding)
            return character
        if not escape:
            return _SPELLED_OUT.get(character, _OTHER)
        units = character.encode("utf-16-be", "surrogatepass")
        return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


@contextmanager
def outputs() -> Iterator[tuple[Output, Output]]:
    """``sys.stdout`` and ``sys.stderr`` as ``Output`` for one run; those of an outer run stay."""
    _open_missing()
    before = sys.stdout, sys.stderr
    found = _wrapped(sys.stdout, "stdout"), _wrapped(sys.stderr, "stderr")
    sys.stdout, sys.stderr = found
    try:
        yield found
    finally:
        sys.stdout, sys.stderr = before


def _wrapped(stream: TextIO, name: str) -> Output:
    return stream if isinstance(stream, Output) else Output(stream, name)


def _open_missing() -> None:
    """Open ``/dev/null`` for streams that are closed (``>&-``), before a file gets their descriptor."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number and not _is_open(number):
                os.dup2(descriptor, number)
                os.close(descriptor)
                descriptor = number
            setattr(sys, name, os.fdopen(descriptor, mode, encoding="utf-8", closefd=False))


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def exact_output() -> None:
    """Write stdout as UTF-8, whatever the locale: the result is a document that programs read."""
    if isinstance(sys.stdout, Output):
        sys.stdout.write_exactly()


def write_result(text: str) -> None:
    """Write a result to stdout."""
    sys.stdout.write(text)
