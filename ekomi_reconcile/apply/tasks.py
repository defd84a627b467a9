"""Telling what is being worked at: every task that begins also ends, and long ones say that they go on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ekomi_reconcile.apply.events import Listener
from ekomi_reconcile.apply.fetching import PRODUCTS, Errand, Fetched
from ekomi_reconcile.errors import EkomiError
from ekomi_reconcile.model.event import Ended, Running, Started, Task, Work
from ekomi_reconcile.model.instant import Instant
from ekomi_reconcile.model.invitation import Status

STILL_RUNNING = 10
"""Seconds after which a task that still runs is told again."""


@dataclass(slots=True)
class _Times:
    began: Instant
    told: Instant


@dataclass(slots=True)
class Tasks:
    """The tasks that have begun and not yet ended, told to ``listen``; ``now`` is the clock."""

    listen: Listener
    now: Callable[[], Instant]
    _open: dict[Task, _Times] = field(default_factory=dict)

    def begin(self, tasks: Iterable[Task]) -> None:
        """Tell that these begin now."""
        now = self.now()
        for task in tasks:
            self._open[task] = _Times(now, now)
            self.listen(Started(task))

    def go_on(self) -> None:
        """Tell which have been running for another ``STILL_RUNNING`` seconds."""
        now = self.now()
        for task, times in self._open.items():
            if now - times.told >= STILL_RUNNING:
                times.told = now
                self.listen(Running(task, now - times.began))

    def end(self, task: Task, *, error: str | None = None, status: Status | None = None) -> None:
        """Tell that this one has ended, and how."""
        seconds = max(0, self.now() - self._open.pop(task).began)
        self.listen(Ended(task=task, seconds=seconds, error=error, status=status))


def tasks_of(errand: Errand, account: str) -> Iterator[Task]:
    """What an errand does to its account."""
    works = [errand.change] if errand.change is not None else []
    works += [Work.SYNC] if errand.sync else []
    works += [Work.IMPORT] if errand.reviews else []
    for work in works:
        yield Task(work=work, account=account, interface_id=errand.interface_id)


def error_of(work: Work, fetched: Fetched) -> str | None:
    """Why this part of an errand failed, if it did; that of an import also where only products did."""
    answers = {Work.SYNC: fetched.shop, Work.IMPORT: fetched.reviews}
    answer = fetched.refused or answers.get(work)
    if isinstance(answer, EkomiError):
        return answer.message
    products = fetched.products
    if work is Work.IMPORT and isinstance(products, EkomiError) and not fetched.products_refused:
        return f"{PRODUCTS}: {products.message}"
    return None
