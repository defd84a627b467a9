"""What was found in an order file, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ekomi_reconcile.model.document import Count, JsonObject
from ekomi_reconcile.model.inspection import FileInspection
from ekomi_reconcile.model.order import OrderState
from ekomi_reconcile.render.tables import Paint, Tone, plural, printable

_SHOWN = 20


class ColumnEntry(JsonObject, frozen=True):
    """A column of the file, and the field of an order that it has; ``None`` where it is not recognised."""

    column: str
    field: str | None


class WordEntry(JsonObject, frozen=True):
    """A word that orders have in a field, and of a status the state that it means."""

    field: str
    word: str
    orders: Count
    state: OrderState | None


class ProblemEntry(JsonObject, frozen=True):
    """What cannot be read, and where."""

    place: str | None
    message: str
    hint: str | None


class InspectionDocument(JsonObject, frozen=True):
    """What was found in an order file; ``mapping`` goes under ``orders:`` beside ``file``."""

    file: str
    layout: str
    orders: Count
    columns: list[ColumnEntry]
    missing: list[str]
    words: list[WordEntry]
    mapping: dict[str, Any]
    notes: list[str]
    problems: list[ProblemEntry]


def inspection_json(found: FileInspection) -> InspectionDocument:
    """The object of ``orders inspect --format json``."""
    return InspectionDocument(
        file=str(found.path),
        layout=found.layout,
        orders=found.orders,
        columns=[ColumnEntry(title, field) for title, field in found.fields.items()],
        missing=list(found.missing),
        words=[WordEntry(each.field, each.word, each.count, each.state) for each in found.words],
        mapping=dict(found.mapping),
        notes=list(found.notes),
        problems=[
            ProblemEntry(None if each.place is None else str(each.place), each.message, each.mend)
            for each in found.problems
        ],
    )


def inspection_text(found: FileInspection, paint: Paint) -> str:
    """The columns, what is missing, the words of statuses, what cannot be read, and a mapping to paste."""
    lines = [f"{printable(str(found.path))}: {found.layout}, {plural(found.orders, 'order')} read"]
    lines += _columns(found)
    lines += [f"missing: {name} ({_MISSING[name]})" for name in found.missing]
    lines += _words(found)
    for each in found.problems:
        place = "" if each.place is None else f"{each.place}: "
        lines.append(paint(Tone.REMOVE, printable(f"{place}{each.message}")))
    if found.mapping:
        lines += ["", f"# for {printable(str(found.path))}, in ekomi-reconcile.yaml:"]
        lines += [f"# {printable(note)}" for note in found.notes]
        lines.append(_yaml(found))
    return "\n".join(lines).rstrip() + "\n"


_MISSING = {
    "increment_id": "the order number; required",
    "created_at": "the order date; required",
    "status": "no order can reach a trigger status",
    "customer_email": "nobody can be invited by e-mail",
}


def _columns(found: FileInspection) -> Iterator[str]:
    known = {title: name for title, name in found.fields.items() if name is not None}
    width = max(map(len, known), default=0)
    yield from (f"  {printable(title):{width}}  -> {name}" for title, name in known.items())
    left = [title for title in found.fields if title and title not in known]
    if left:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        yield f"not used: {printable(', '.join(left[:_SHOWN]))}{more}"


def _words(found: FileInspection) -> Iterator[str]:
    for each in found.words[:_SHOWN]:
        means = f" = {each.state}" if each.state is not None else ""
        yield f"  {each.field} {printable(each.word)}: {plural(each.count, 'order')}{means}"


def _yaml(found: FileInspection) -> str:
    return yaml.safe_dump(
        {"orders": {"file": str(found.path), **found.mapping}}, sort_keys=False, allow_unicode=True
    )
