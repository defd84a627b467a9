"""Progress of long work on a terminal; without one, nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ekomi_reconcile.apply.events import Event, Listener, Progress, Stage, nobody
from ekomi_reconcile.cli.globals import options

_TITLES = {
    Stage.ORDERS: "Reading orders",
    Stage.ACCOUNTS: "Changing accounts",
    Stage.FETCHES: "Fetching from eKomi",
    Stage.QUEUE: "Writing the queue",
    Stage.SENDING: "Sending",
}


@contextmanager
def progress() -> Iterator[Listener]:
    """A listener that draws one bar per stage on stderr."""
    if options().quiet or not sys.stderr.isatty():
        yield nobody
        return
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
