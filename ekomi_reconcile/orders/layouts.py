"""Which layout a file of orders has."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from ekomi_reconcile.orders.csv_layout import csv_rows
from ekomi_reconcile.orders.json_layouts import JsonDocument, JsonLines
from ekomi_reconcile.orders.lines import BYTE_ORDER_MARK, TOO_LONG, Lines
from ekomi_reconcile.orders.reader import key_of
from ekomi_reconcile.orders.records import Layout


def layout_of(path: Path, stream: BinaryIO) -> Layout:
    """The layout of this file, by its suffix, else by its content.

    Raises:
        OrderSourceError: it is a CSV file without the columns that every order needs.
    """
    suffix = path.suffix.lower()
    if suffix in {".jsonl", ".ndjson"}:
        return JsonLines()
    if suffix in {".csv", ".tsv"}:
        return csv_rows(stream)
    stream.seek(0)
    start = stream.read(65_536).removeprefix(BYTE_ORDER_MARK).lstrip()
    if not start:
        return JsonLines()
    if start.startswith(b"{"):
        return _lines_or_document(stream)
    return JsonDocument() if suffix == ".json" or start.startswith(b"[") else csv_rows(stream)


def _lines_or_document(stream: BinaryIO) -> Layout:
    """A line that is a whole order begins a file of lines; anything else is one document."""
    for line in Lines(stream, start=0, end=stream.seek(0, 2)):
        if not line.isspace():
            return JsonLines() if line is not TOO_LONG and key_of(line) else JsonDocument()
    return JsonLines()
