"""A comment in the order's history that its customer was invited: off unless the project says so."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ekomi_reconcile.apply.context import Context
from ekomi_reconcile.errors import OrderSourceError
from ekomi_reconcile.model.invitation import Invitation

AT_ONCE = 2
"""A shop answers no faster with more requests at a time."""


def annotate(context: Context, rows: Sequence[Invitation]) -> None:
    """Write a comment for each of these invitations whose source takes one.

    A comment that cannot be written is reported and changes nothing else: the customer was invited. Where the
    credentials of a source do not allow it, that is reported once and not tried again.
    """
    by_source: dict[str, list[Invitation]] = {}
    for row in rows:
        if row.source in context.annotated:
            by_source.setdefault(row.source, []).append(row)
    if not by_source:
        return
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="annotate") as pool:
        for source, wanted in by_source.items():
            _annotate_all(context, pool, source, wanted)


def _annotate_all(context: Context, pool: ThreadPoolExecutor, source: str, rows: list[Invitation]) -> None:
    first = _annotate(context, rows[0])
    if first is not None and first.refused:
        context.result.fail(f"order source {source}: comments on {len(rows)} order(s)", first)
        return
    errors = [first, *pool.map(lambda row: _annotate(context, row), rows[1:])]
    for row, error in zip(rows, errors, strict=True):
        if error is not None:
            context.result.fail(f"{context.name(row.interface_id)}: comment on order {row.number}", error)


def _annotate(context: Context, row: Invitation) -> OrderSourceError | None:
    text = f"Asked for a review through eKomi ({context.name(row.interface_id)})."
    try:
        context.annotate(row.source, row.order_id, text)
    except OrderSourceError as error:
        return error
    return None
