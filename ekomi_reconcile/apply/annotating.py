"""A remark in the order's history that its customer was asked: a courtesy, off unless the project says so."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from ekomi_reconcile.apply.context import Context
from ekomi_reconcile.errors import OrderSourceError
from ekomi_reconcile.model.invitation import Invitation

AT_ONCE = 2
"""A shop answers no faster with more requests at a time."""


def annotate(context: Context, rows: Sequence[Invitation]) -> None:
    """Write a remark for each of these rows whose source takes one.

    A remark that cannot be written is told and changes nothing else: the customer was asked.
    """
    wanted = [row for row in rows if row.source in context.annotated]
    if not wanted:
        return
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="annotate") as pool:
        for row, error in zip(wanted, pool.map(lambda row: _annotate(context, row), wanted), strict=True):
            if error is not None:
                context.result.fail(f"{context.name(row.interface_id)}: remark on order {row.number}", error)


def _annotate(context: Context, row: Invitation) -> OrderSourceError | None:
    text = f"Asked for a review through eKomi ({context.name(row.interface_id)})."
    try:
        context.annotate(row.source, row.order_id, text)
    except OrderSourceError as error:
        return error
    return None
