"""Writing the stream of events into a file, beside what people see.

Every line is one write, so a killed run leaves whole lines. What cannot be written any more stops nothing:
it is told on stderr, and the run ends with an error.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import click

from ekomi_reconcile import __version__
from ekomi_reconcile.apply.events import Event
from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import Command, FilePath, option, options
from ekomi_reconcile.config.secrets import redact
from ekomi_reconcile.errors import ReconcileError
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.render.events import (
    FIRST_KEY,
    Body,
    event_text,
    happened,
    problem_events,
    version_event,
)
from ekomi_reconcile.render.style import printable

_BEGINNING = f'{{"{FIRST_KEY}"'.encode()
_ELSEWHERE = "choose another place for --json-events"


def json_events_option(command: Command) -> Command:
    """``--json-events FILE``."""
    return option(
        "--json-events",
        type=FilePath(path_type=Path),
        metavar="FILE",
        help="Also write what happens to FILE, one JSON object per line.",
    )(command)


class EventFile:
    """A file, pipe or device that gets one line per event.

    ``problem`` says what went wrong once something could not be written; nothing is written after that.
    """

    def __init__(self, path: Path, *, append: bool) -> None:
        """Open it, and write the first line.

        Raises:
            ReconcileError: it cannot be written, or holds something else.
        """
        self.problem: str | None = None
        self._path = path
        try:
            whole = _ends_whole(path)
            self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            if self._regular and not append:
                os.ftruncate(self._descriptor, 0)
            elif not whole:
                self._put(b"\n")
        except OSError as error:
            raise ReconcileError(self._told(error), mend=_ELSEWHERE) from None
        self.write(version_event(__version__))
        self._check()

    def write(self, body: Body) -> None:
        """Write one event, whole or not at all."""
        if self.problem is None:
            try:
                self._put(event_text(_redacted(body), at=instant.now()).encode())
            except OSError as error:
                self.problem = self._told(error)

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)

    def _check(self) -> None:
        if self.problem is not None:
            self.close()
            raise ReconcileError(self.problem, mend=_ELSEWHERE)

    def _put(self, line: bytes) -> None:
        before = os.fstat(self._descriptor).st_size
        try:
            while line:
                line = line[os.write(self._descriptor, line) :]
        except OSError:
            if self._regular:
                with suppress(OSError):
                    os.ftruncate(self._descriptor, before)
            raise

    def _told(self, error: OSError) -> str:
        return f"events cannot be written to {self._path}: {error.strerror}"


class Events:
    """Where events go; without a file nowhere."""

    def __init__(self, file: EventFile | None = None) -> None:
        self._file = file

    def tell(self, bodies: Iterable[Body]) -> None:
        """Write these."""
        if self._file is not None:
            for body in bodies:
                self._file.write(body)

    def listen(self, event: Event) -> None:
        """Write what has just happened."""
        if self._file is not None and (body := happened(event)) is not None:
            self._file.write(body)

    @property
    def problem(self) -> str | None:
        """Why not all events were written, if so."""
        return None if self._file is None else self._file.problem

    def judge(self, code: int) -> int:
        """The exit code of a run that would end with ``code``."""
        return Exit.ERROR if self.problem and code == Exit.OK else code

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def open_events(path: Path | None, *, append: bool = False) -> Events:
    """Events that go to this file, relative to the folder of the run.

    Raises:
        ReconcileError: the file cannot be written, or holds something else.
    """
    return Events(None if path is None else EventFile(options().directory / path, append=append))


@contextmanager
def events_into(path: Path | None) -> Iterator[Events]:
    """The same for one run; what ends it before its end is the last of the events."""
    events = open_events(path)
    try:
        yield events
    except ReconcileError as error:
        events.tell(problem_events(error))
        raise
    finally:
        events.close()
        if events.problem is not None:
            click.echo(f"Error: {printable(redact(events.problem))}", err=True)
            click.echo("  the run itself went on; the file ends with the last whole line", err=True)


def _ends_whole(path: Path) -> bool:
    """Is the end of the file the end of a line? Whatever is not a stream of events is not overwritten."""
    if not path.is_file() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        if file.read(len(_BEGINNING)) != _BEGINNING:
            raise ReconcileError(f"{path} holds something else than events", mend=_ELSEWHERE)
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _redacted(value: Json) -> Json:
    """The values without secrets: in the finished line a secret could be written in another way."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {key: _redacted(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_redacted(each) for each in value]
    return value
