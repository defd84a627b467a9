"""Reviews as files for other programs, a piece at a time: CSV, JSON lines, Parquet.

All have the fields of ``reviews list --format json``, under the same names.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Generator, Iterable
from io import StringIO
from itertools import islice

from ekomi_reconcile.model.instant import iso, iso_or_none
from ekomi_reconcile.render.json_text import json_text
from ekomi_reconcile.render.reviews import ListedReview, review_json

COLUMNS = (
    "account",
    "interface_id",
    "order",
    "product_id",
    "submitted_at",
    "rating",
    "title",
    "text",
    "comment",
    "first_seen_at",
    "changed_at",
    "gone_at",
)

BYTE_ORDER_MARK = "\ufeff"

_ROWS_PER_PIECE = 500
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
"""What a formula begins with; the last four are the wide forms of the others."""

_FORMULA = re.compile(
    rf"""^([^\S\t\r\n]*)(?=[{_SIGNS}\t\r\n])|(?<=[,;|\t\r\n"])([^\S\t\r\n]*)(?=[{_SIGNS}])"""
)
"""Where a spreadsheet may see the beginning of a cell, and a formula in it.

Not only at the beginning: a program that takes another separator than the comma begins a cell after that,
one that does not know quotes after a line break. Blanks before the sign do not always help.
"""


def csv_text(reviews: Iterable[ListedReview]) -> Generator[str, None, None]:
    """RFC 4180: a header, commas, CRLF, every text in quotes. No cell is taken for a formula."""
    yield _csv_lines([COLUMNS])
    rows = (_csv_row(each) for each in reviews)
    while page := list(islice(rows, _ROWS_PER_PIECE)):
        yield _csv_lines(page)


def json_lines(reviews: Iterable[ListedReview]) -> Generator[str, None, None]:
    """One object per line."""
    lines = (json_text(review_json(each), indent=None) + "\n" for each in reviews)
    while page := "".join(islice(lines, _ROWS_PER_PIECE)):
        yield page


def harmless(text: str) -> str:
    """The text with an apostrophe before what a spreadsheet could take for a formula (OWASP)."""
    return _FORMULA.sub(r"'\g<0>", text) if text else text


def _csv_row(each: ListedReview) -> tuple[str | float, ...]:
    recorded, review = each.recorded, each.recorded.review
    texts = (review.title, review.text, review.comment)
    return (
        *map(harmless, (each.account, recorded.interface_id, review.order_id, review.product_id)),
        iso(review.submitted_at),
        review.rating,
        *map(harmless, texts),
        iso(recorded.first_seen_at),
        iso(recorded.changed_at),
        iso_or_none(recorded.gone_at) or "",
    )


def _csv_lines(rows: Iterable[Iterable[str | float]]) -> str:
    """Texts are always in quotes, so that a separator in them is none."""
    piece = StringIO(newline="")
    csv.writer(piece, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n").writerows(rows)
    return piece.getvalue()
