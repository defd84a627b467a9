"""Running the checks: one that cannot run says why, and the others go on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ekomi_reconcile.doctor import ekomi, files, next_apply, orders, queue, secrets, storage
from ekomi_reconcile.doctor.context import Check, CheckNote, CheckResult, DoctorContext, warned
from ekomi_reconcile.model.errors import ReconcileError
from ekomi_reconcile.state.records import UNREADABLE

CHECKS: Mapping[str, Sequence[Check]] = {
    "Files": files.CHECKS,
    "State": storage.CHECKS,
    "Secrets": secrets.CHECKS,
    "eKomi": ekomi.CHECKS,
    "Orders": orders.CHECKS,
    "Queue": queue.CHECKS,
    "Next apply": next_apply.CHECKS,
}
"""All checks in their order, by group."""

_DAMAGE = (OSError, *UNREADABLE)
"""What reading damaged files and rows may raise besides the errors of the project."""


def examine(subject: DoctorContext) -> tuple[CheckResult, ...]:
    """Run every check; offline, those that ask eKomi or a shop are left out."""
    return tuple(
        CheckResult(check.id, group, note)
        for group, checks in CHECKS.items()
        for check in checks
        if not (check.online and subject.offline)
        for note in _notes(check, subject)
    )


def _notes(check: Check, subject: DoctorContext) -> Iterator[CheckNote]:
    lacking = next((part for part in sorted(check.needs) if not subject.has(part)), None)
    if lacking is not None:
        yield warned(f"not checked: {lacking.value}")
        return
    try:
        yield from check.run(subject)
    except ReconcileError as error:
        yield warned(f"could not be checked: {error.message}", mend=error.mend)
    except _DAMAGE as error:
        yield warned(f"could not be checked: {type(error).__name__}", mend="see the checks of the state")
