"""Where output goes, and the files that a command reads and writes.

Characters that the encoding lacks are replaced, a stream that is closed from the start is as ``/dev/null``,
and what cannot be written (a full disk, a reader that went away) is remembered until the run is over.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, TextIO

_SPELLED_OUT: Final = {"→": "->"}
_OTHER: Final = "?"
_JSON: Final = ("{", "[")
_GONE: Final = frozenset({errno.EPIPE, errno.EBADF, errno.EIO})
"""Errors after which no later write can succeed."""


class Output(io.TextIOBase):
    """A text stream whose ``write`` and ``flush`` do not raise; ``problem`` is the first error, in words.

    ``reader_left``: that was a pipe whose reader went away, as in ``… | head``, which is not an error.
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
        """Encode all later output as UTF-8, whatever the locale: for documents that programs read."""
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
