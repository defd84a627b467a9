"""Progress, logs and events of a run.

Every line is one write, so a killed run leaves whole lines. What cannot be written any more stops nothing:
that is reported on stderr, and the run ends with an error.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from ekomi_reconcile import __version__
from ekomi_reconcile.apply.run_control import Event, Listener, nobody
from ekomi_reconcile.cli.main import Exit
from ekomi_reconcile.cli.options import Command, FilePath, Globals, is_dumb_terminal, option, options
from ekomi_reconcile.config.configuration import redact
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.account import Json
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.model.run import Progress, Running, Stage, Started, Task, Work
from ekomi_reconcile.render.events import FIRST_KEY, Body, event_text, happened, problem_events, version_event
from ekomi_reconcile.render.tables import printable

_LEVELS = (logging.WARNING, logging.INFO, logging.DEBUG)


class _Redacting(logging.Formatter):
    """Formats a record and takes every secret out of the finished text."""

    def format(self, record: logging.LogRecord) -> str:
        from ekomi_reconcile.config.configuration import redact

        return redact(self.line(record))

    def line(self, record: logging.LogRecord) -> str:
        """The record as text, before redaction; exceptions are named, never traced."""
        return f"{record.levelname.lower()}: {record.getMessage()}{_cause(record)}"


class _Json(_Redacting):
    def line(self, record: logging.LogRecord) -> str:
        """One JSON object per line."""
        return json.dumps(
            {
                "@timestamp": instant.iso(int(record.created)),
                "@level": record.levelname.lower(),
                "@module": record.name,
                "@message": record.getMessage() + _cause(record),
            },
            ensure_ascii=False,
        )


def _cause(record: logging.LogRecord) -> str:
    if record.exc_info and record.exc_info[0] is not None:
        return f" ({record.exc_info[0].__name__})"
    return ""


def set_up_logging(chosen: Globals) -> None:
    """Send this project's log to stderr as the common options say."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if chosen.log_format == "json" else _Redacting())
    logger = logging.getLogger("ekomi_reconcile")
    logger.handlers[:] = [handler]
    logger.propagate = False
    quiet = logging.ERROR if chosen.quiet else _LEVELS[min(chosen.verbose, len(_LEVELS) - 1)]
    logger.setLevel(quiet)


LINE_EVERY: Final = 10.0
"""Seconds from one line of a stage to its next; a stage that takes less is not told of at all."""

_TITLES: Final = {
    Stage.ORDERS: "Reading orders",
    Stage.ACCOUNTS: "Changing accounts",
    Stage.FETCHES: "Fetching from eKomi",
    Stage.QUEUE: "Writing the queue",
    Stage.SENDING: "Sending",
}
_STAGES: Final = {Work.SYNC: Stage.FETCHES, Work.IMPORT: Stage.FETCHES, Work.SEND: Stage.SENDING}


@contextmanager
def progress() -> Iterator[Listener]:
    """A listener that shows on stderr how far each stage is."""
    if options().quiet:
        yield nobody
    elif sys.stderr.isatty() and not is_dumb_terminal():
        with _bars() as listen:
            yield listen
    else:
        lines = lines_for(options())
        try:
            yield lines.listen
        finally:
            lines.end()


def lines_for(chosen: Globals, *, every: float = LINE_EVERY) -> ProgressLines:
    """Lines on stderr, in the form of the log."""
    return ProgressLines(_tell_json if chosen.log_format == "json" else _tell, every=every)


def tell_line(line: str) -> None:
    """Print a line on stderr, with the time, in the form of the log; not with ``--quiet``."""
    if not options().quiet:
        lines_for(options()).tell(line)


@contextmanager
def _bars() -> Iterator[Listener]:
    """One bar per stage."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[Stage, TaskID] = {}

        def listen(event: Event) -> None:
            if not isinstance(event, Progress):
                return
            stage = event.stage
            if stage not in tasks:
                tasks[stage] = bars.add_task(_TITLES[stage], total=event.total)
            bars.update(tasks[stage], completed=event.done, total=event.total)

        yield listen


@dataclass(slots=True)
class ProgressLines:
    """Prints the progress of a stage at an interval, and its end if it took that long.

    ``clock`` gives seconds from anywhere; each report is a line without its end.
    """

    tell: Callable[[str], None]
    clock: Callable[[], float] = time.monotonic
    every: float = LINE_EVERY
    _stage: Stage | None = None
    _began: float = 0.0
    _told: float = 0.0
    _last: str = ""

    def listen(self, event: Event) -> None:
        """Something has happened."""
        if isinstance(event, Progress):
            self._enter(event.stage)
            of = "" if event.total is None else f" of {event.total}"
            self._last = f": {event.done}{of}"
            self._tick("")
        elif isinstance(event, Started):
            self._enter_for(event.task)
        elif isinstance(event, Running):
            self._enter_for(event.task)
            self._tick(f", still busy with {_subject(event.task)} after {event.seconds} s")

    def end(self) -> None:
        """The last stage has ended."""
        if self._stage is not None and self._told > self._began:
            self.tell(f"{_TITLES[self._stage]}{self._last}, ended after {self._seconds()} s")
        self._stage = None

    def _enter_for(self, task: Task) -> None:
        """New accounts are fetched while they are made: that is not a stage of its own."""
        stage = _STAGES.get(task.work, Stage.ACCOUNTS)
        if not (stage is Stage.FETCHES and self._stage is Stage.ACCOUNTS):
            self._enter(stage)

    def _enter(self, stage: Stage) -> None:
        if stage is not self._stage:
            self.end()
            self._stage, self._last = stage, ""
            self._began = self._told = self.clock()

    def _tick(self, more: str) -> None:
        now = self.clock()
        if self._stage is not None and now - self._told >= self.every:
            self._told = now
            self.tell(f"{_TITLES[self._stage]}{self._last}{more} ({self._seconds()} s)")

    def _seconds(self) -> int:
        return int(self.clock() - self._began)


def _subject(task: Task) -> str:
    return f"order {task.order}" if task.work is Work.SEND else printable(task.account)


def _tell(line: str) -> None:
    click.echo(f"{instant.iso(instant.now())} {line}", err=True)


def _tell_json(line: str) -> None:
    """A line of the log, at whatever level that is shown."""
    log = logging.getLogger("ekomi_reconcile.progress")
    log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, line, (), None))


_BEGINNING = f'{{"{FIRST_KEY}"'.encode()
_ELSEWHERE = "choose another place for --json-events"


def json_events_option(command: Command) -> Command:
    """``--json-events FILE``."""
    return option(
        "--json-events",
        type=FilePath(path_type=Path),
        metavar="FILE",
        help="Also write events to FILE, one JSON object per line.",
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
            raise ReconcileError(self._told(error), hint=_ELSEWHERE) from None
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
            raise ReconcileError(self.problem, hint=_ELSEWHERE)

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
    """Is the end of the file the end of a line? A file that is not a stream of events is not overwritten."""
    if not path.is_file() or not path.stat().st_size:
        return True
    with path.open("rb") as file:
        if file.read(len(_BEGINNING)) != _BEGINNING:
            raise ReconcileError(f"{path} holds something else than events", hint=_ELSEWHERE)
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


def terminal_width() -> int | None:
    """Columns of the terminal; ``None`` where stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None
