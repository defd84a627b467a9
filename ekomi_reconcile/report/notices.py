"""What a person should see first, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from ekomi_reconcile.model.instant import HOUR, Instant
from ekomi_reconcile.model.invitation import Status
from ekomi_reconcile.report.data import Notice, Queue, Run, Urgency
from ekomi_reconcile.state.journal import APPLY, INCOMPLETE
from ekomi_reconcile.state.records import AccountRecord

OVERDUE_AFTER = 2 * HOUR
"""From then on something that is due has been forgotten; the self-test judges by the same time."""


def find_notices(
    records: Collection[AccountRecord], queue: Queue, runs: Sequence[Run], *, now: Instant
) -> tuple[Notice, ...]:
    """What there is to do, then what there is to know; ``records`` are the live accounts."""
    found = [*_of_queue(queue, now), *_of_accounts(records), *_of_runs(runs)]
    return tuple(sorted(found, key=lambda each: each.urgency is not Urgency.ACT))


def _of_queue(queue: Queue, now: Instant) -> Iterator[Notice]:
    if count := queue.by_status[Status.UNKNOWN]:
        yield Notice(
            urgency=Urgency.ACT,
            title=f"{_invitations(count)} perhaps sent",
            text="The call to eKomi broke off, so nobody knows whether the customer was asked. They are "
            "never sent again on their own. Look each order up at eKomi, then say what you found.",
            commands=(
                "ekomi-reconcile invitations resolve ID --sent",
                "ekomi-reconcile invitations resolve ID --resend",
            ),
        )
    if count := queue.by_status[Status.FAILED]:
        yield Notice(
            urgency=Urgency.ACT,
            title=f"{_invitations(count)} failed for good",
            text="eKomi refused them, or every attempt was used up. Mend the cause, then try again.",
            commands=(
                "ekomi-reconcile invitations list --status failed",
                "ekomi-reconcile invitations retry ID",
            ),
        )
    if queue.oldest_due is not None and queue.oldest_due < now - OVERDUE_AFTER:
        yield Notice(
            urgency=Urgency.ACT,
            title=f"{_invitations(queue.due)} overdue",
            text="They should have been sent more than two hours ago. Does the scheduled job run? Orders on "
            "hold, and what a limit on sends puts off, wait as well.",
            commands=("ekomi-reconcile doctor",),
        )
    if queue.held:
        yield Notice(
            urgency=Urgency.KNOW,
            title=f"{_invitations(queue.held)} held",
            text="Their accounts are disabled. They go on once invitations are enabled again.",
        )


def _of_accounts(records: Collection[AccountRecord]) -> Iterator[Notice]:
    broken = [each for each in records if each.last_error]
    if broken:
        yield Notice(
            urgency=Urgency.ACT,
            title=f"{_accounts(len(broken))} with a failed call to eKomi",
            text="The last sync or import failed; the figures shown are those from before.",
            commands=("ekomi-reconcile errors", "ekomi-reconcile accounts check"),
        )
    if never := sum(each.last_fetched_at is None for each in records):
        yield Notice(
            urgency=Urgency.KNOW,
            title=f"{_accounts(never)} never synced",
            text="Total, score and name at eKomi come with the first sync.",
            commands=("ekomi-reconcile sync",),
        )


def _of_runs(runs: Sequence[Run]) -> Iterator[Notice]:
    last = next((each for each in runs if each.action == APPLY), None)
    if last is None:
        return
    if last.outcome == INCOMPLETE:
        yield Notice(
            urgency=Urgency.ACT,
            title="The last run is incomplete",
            text="Something failed or was not tried. The next run goes on where this one ended.",
            commands=("ekomi-reconcile errors",),
        )
    elif last.outcome is None:
        yield Notice(
            urgency=Urgency.KNOW,
            title="The last run has no recorded end",
            text="It is still running, or was killed. In that case the next run settles what it left.",
            commands=("ekomi-reconcile lock show",),
        )


def _invitations(count: int) -> str:
    return f"{count:,} invitation{'' if count == 1 else 's'}"


def _accounts(count: int) -> str:
    return f"{count:,} account{'' if count == 1 else 's'}"
