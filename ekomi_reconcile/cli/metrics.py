"""The figures of a run for Prometheus: measuring the queue, and the file that ``apply`` leaves behind.

The file is one for the textfile collector of node_exporter: replaced whole, readable to everybody, and
there after a run that failed, too. Where it cannot be written the run goes on, and ends with an error.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from ekomi_reconcile.cli.exits import Exit
from ekomi_reconcile.cli.globals import Command, FilePath, option, options
from ekomi_reconcile.errors import ReconcileError
from ekomi_reconcile.model import instant
from ekomi_reconcile.service.loop import Cycle, Outcome

if TYPE_CHECKING:
    from ekomi_reconcile.config.configuration import Configuration
    from ekomi_reconcile.model.result import Result
    from ekomi_reconcile.service.metrics import RunFigures
    from ekomi_reconcile.state.store import State

_ELSEWHERE = "choose another place for --metrics-out"


def metrics_out_option(command: Command) -> Command:
    """``--metrics-out FILE``."""
    return option(
        "--metrics-out",
        type=FilePath(dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Write the figures of the run to FILE, for Prometheus; e.g. /var/lib/node_exporter/ekomi.prom.",
    )(command)


def measure(figures: RunFigures, configuration: Configuration, state: State) -> None:
    """Put in how many invitations wait, and for how long the oldest that is due."""
    names = {each.interface_id: each.name for each in state.accounts(include_deleted=True)}
    counts = {names[key]: by_status for key, by_status in state.counts().items()}
    senders = [each.interface_id for each in configuration.accounts if each.invitations.enabled]
    now = instant.now()
    oldest = next(state.due(senders, now), None)
    at = None if oldest is None else oldest.scheduled_at
    figures.queue(counts, oldest_due=at, now=now)


class MetricsFile:
    """The figures of one run, written when the block ends, however it ends; without a path nowhere.

    A run in which nothing was done, because somebody said no, leaves the file as it is.
    """

    def __init__(self, path: Path | None) -> None:
        """Read what the last run wrote.

        Raises:
            ReconcileError: the file cannot be read, or holds something else.
        """
        self._path = None if path is None else options().directory / path
        self._figures = None if self._path is None else _figures_after(self._path)
        self._began_at = instant.now()
        self._outcome: Outcome | None = None
        self._lost = False

    def ended(
        self, configuration: Configuration, state: State | None, result: Result, *, complete: bool
    ) -> None:
        """The plan was carried out, with this result; without a state there was nothing to do."""
        if self._figures is not None:
            self._outcome = Outcome.OK if result.succeeded and complete else Outcome.INCOMPLETE
            self._figures.did(result)
            if state is not None:
                measure(self._figures, configuration, state)

    def judge(self, code: int) -> int:
        """The exit code of a run that would end with ``code``."""
        return Exit.ERROR if self._lost and code == Exit.OK else code

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        outcome = self._outcome if error is None else Outcome.FAILED
        if self._figures is None or self._path is None or outcome is None:
            return
        self._figures.cycle(Cycle(outcome=outcome, began_at=self._began_at, ended_at=instant.now()))
        try:
            _replace(self._path, self._figures.text())
        except OSError as problem:
            self._lost = True
            click.echo(f"Error: figures cannot be written to {self._path}: {problem.strerror}", err=True)


def _figures_after(path: Path) -> RunFigures:
    from ekomi_reconcile.service.metrics import RunFigures

    figures = RunFigures()
    try:
        figures.go_on_from(path.read_text("utf-8"))
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise ReconcileError(f"{path.parent} is no folder", mend=_ELSEWHERE) from None
    except OSError as error:
        raise ReconcileError(f"{path} cannot be read: {error.strerror}", mend=_ELSEWHERE) from None
    except ValueError:
        raise ReconcileError(f"{path} holds something else than figures", mend=_ELSEWHERE) from None
    return figures


def _replace(path: Path, content: bytes) -> None:
    """Write the file whole or not at all. Its draft has another ending, which collectors do not look at."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.touch(0o644, exist_ok=False)
        draft.chmod(0o644)
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
