"""Progress of long work on stderr: bars on a terminal, plain lines with the time where there is none (CI)."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import click

from ekomi_reconcile.apply.events import Event, Listener, Progress, Stage, nobody
from ekomi_reconcile.cli.globals import Globals, is_dumb_terminal, options
from ekomi_reconcile.model import instant
from ekomi_reconcile.model.event import Running, Started, Task, Work
from ekomi_reconcile.render.style import printable

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


def lines_for(chosen: Globals, *, every: float = LINE_EVERY) -> Lines:
    """Lines on stderr, in the form of the log."""
    return Lines(_tell_json if chosen.log_format == "json" else _tell, every=every)


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
class Lines:
    """Tells how far a stage is every so many seconds, and how it ended if it took that long.

    ``clock`` gives seconds from anywhere; what is told is a line without its end.
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
        """New accounts are fetched while they are made: that is no stage of its own."""
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
