"""Telling the webhooks of the project how a run ended, after everything else is done and shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from ekomi_reconcile.errors import ReconcileError
from ekomi_reconcile.model import instant
from ekomi_reconcile.notify.report import ChangedAccount, RunRecord

if TYPE_CHECKING:
    from ekomi_reconcile.apply.stop import Stop
    from ekomi_reconcile.config.configuration import Configuration
    from ekomi_reconcile.model.result import Result
    from ekomi_reconcile.plan.plan import Plan


class Notifying:
    """A run of ``command``; what becomes of it is put in, and told when the block ends, however it ends.

    A notification that fails is a warning on stderr: neither the exit code nor an error changes by it.
    """

    def __init__(self, configuration: Configuration, command: str, stop: Stop) -> None:
        self._configuration = configuration
        self._stop = stop
        self._record = RunRecord(command=command, began_at=instant.now())

    def ended(self, plan: Plan, result: Result) -> None:
        """The plan was carried out, with this result."""
        ended(self._record, plan, result)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ReconcileError):
            self._record.failed(error.message, error.mend)
        elif isinstance(error, Exception) and self._record.outcome is None:
            self._record.failed(f"internal error: {type(error).__name__}", None)
        sys.stdout.flush()
        for warning in tell(self._configuration, self._record, self._stop):
            click.echo(f"Warning: {warning}", err=True)


def ended(record: RunRecord, plan: Plan, result: Result) -> None:
    """Put into the record that this plan was carried out."""
    changes = (ChangedAccount(each.name, each.action.value) for each in plan.changes if not each.blocked)
    unread = [each.message for each in plan.diagnostics if each.is_error] or ["something could not be read"]
    record.ended(result, changes, [] if plan.complete else unread)


def tell(configuration: Configuration, record: RunRecord, stop: Stop) -> Iterator[str]:
    """Tell those who want to know; what comes out are warnings."""
    hooks = configuration.project.notify
    if not hooks:
        return
    from ekomi_reconcile.notify.notifier import notify

    project = configuration.root.resolve().name
    report = record.report(project=project, ended_at=instant.now())
    if report is not None:
        yield from notify(hooks, report, root=configuration.root, rest=stop.wait)
