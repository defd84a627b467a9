"""Reviews as text, JSON, CSV and Parquet.

All have the fields of ``reviews list --format json``, under the same names.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from itertools import islice
from typing import IO, Annotated, Any, TypeAlias

import pyarrow as pa
import pyarrow.parquet as pq

from ekomi_reconcile.model.document import Count, JsonObject, Time, counts_of, from_records
from ekomi_reconcile.model.instant import Instant, iso, iso_or_none
from ekomi_reconcile.model.review import STARS, Period, RecordedReview, ReviewStatistics, Tally
from ekomi_reconcile.render import tables

LAYOUT: tables.Layout = (
    (tables.Column("Submitted (UTC)"), tables.Column("State")),
    (
        tables.Column("Account", whole=False),
        tables.Column("Order", whole=False),
        tables.Column("Product", whole=False),
    ),
    (tables.Column("Rating", right=True),),
    (
        tables.Column("Title", whole=False),
        tables.Column("Text", whole=False),
        tables.Column("Answer", whole=False),
    ),
)


@dataclass(frozen=True, slots=True)
class ListedReview:
    """A review and the name of its account."""

    account: str
    recorded: RecordedReview


class ReviewEntry(JsonObject, frozen=True):
    """A review; ``comment`` is the shop's public answer, ``gone_at`` when eKomi no longer had it.

    ``product_id`` is eKomi's id of a product. ``product`` is the shop's own identifier, where an invitation
    asked about the product, ``product_name`` its name.
    """

    account: str
    interface_id: str
    order: str
    product_id: str | None
    product: str | None
    product_name: str | None
    submitted_at: Time
    rating: float
    title: str | None
    text: str | None
    comment: str | None
    first_seen_at: Time
    changed_at: Time
    gone_at: Time | None


def review_json(each: ListedReview) -> ReviewEntry:
    """One object of ``reviews list --format json``."""
    review = each.recorded.review
    texts = {name: getattr(review, name) or None for name in ("product_id", "title", "text", "comment")}
    return from_records(ReviewEntry, each, each.recorded, review, order=review.order_id, **texts)


def product_text(recorded: RecordedReview) -> str:
    """The product as people know it: the shop's own identifier and its name; else eKomi's id."""
    if recorded.product is None:
        return recorded.review.product_id
    return " ".join(dict.fromkeys((recorded.product, recorded.product_name or recorded.product)))


def review_row(each: ListedReview) -> tables.Row:
    """One line of the list."""
    review = each.recorded.review
    gone = each.recorded.gone_at is not None
    return (
        tables.time_cell(review.submitted_at),
        tables.Cell("gone", tables.Tone.REMOVE) if gone else tables.Cell(""),
        tables.cell(each.account),
        tables.cell(review.order_id),
        tables.cell(product_text(each.recorded)),
        tables.cell(f"{review.rating:g}"),
        tables.cell(review.title),
        tables.cell(review.text),
        tables.cell(review.comment),
    )


LONGEST_TREND = 36
"""Periods that the text shows; JSON has all."""

_BAR = 24
"""Columns of the longest bar."""


Pieces: TypeAlias = Generator[str, None, None]


@dataclass(frozen=True, slots=True)
class Signs:
    """What to draw with: ``eighths`` of a bar's last sign, and the ``steps`` of a line, low to high."""

    full: str
    eighths: str
    steps: str

    def bar(self, share: float) -> str:
        """A bar as long as the share (0 to 1) of the whole; what is not nothing can be seen."""
        parts = len(self.eighths) + 1
        filled = round(share * _BAR * parts)
        if share > 0:
            filled = max(filled, 1)
        whole, rest = divmod(filled, parts)
        return self.full * whole + (self.eighths[rest - 1] if rest else "")

    def line(self, values: Sequence[float | None], *, low: float, high: float) -> str:
        """One sign per value between ``low`` and ``high``; a space where there is none."""
        return "".join(" " if each is None else self._step(each, low, high) for each in values)

    def _step(self, value: float, low: float, high: float) -> str:
        share = (value - low) / (high - low) if high > low else 1.0
        return self.steps[min(len(self.steps) - 1, max(0, int(share * len(self.steps))))]


BLOCKS = Signs(full="█", eighths="▏▎▍▌▋▊▉", steps="▁▂▃▄▅▆▇█")
ASCII = Signs(full="#", eighths="", steps="_.-=+*#@")


def signs_for(encoding: str | None) -> Signs:
    """Blocks where this encoding of a terminal has them."""
    try:
        "".join((BLOCKS.full, BLOCKS.eighths, BLOCKS.steps)).encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return BLOCKS


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedStatistics:
    """The figures of an account, and what they were made of: ``product_id`` of one product only."""

    account: str
    found: ReviewStatistics
    by: Period
    since: Instant | None = None
    product_id: str | None = None


class TallyEntry(JsonObject, frozen=True):
    """How many reviews there are, and their mean rating."""

    reviews: Count
    average: float | None


class PeriodEntry(JsonObject, frozen=True):
    """The reviews of a month or week: ``2026-11``, ``2026-W47``."""

    period: str
    reviews: Count
    average: float | None


class StatisticsEntry(JsonObject, frozen=True):
    """Statistics of the reviews of an account; ``trend`` has every period from the first to the last."""

    account: str
    interface_id: str
    product_id: str | None
    since: Time | None
    reviews: Count
    average: float | None
    distribution: Annotated[dict[str, Any], counts_of(str(star) for star in STARS)]
    answered: Count | None
    answered_share: float | None
    product_reviews: TallyEntry
    by: Period
    trend: list[PeriodEntry]


def statistics_json(each: ListedStatistics) -> StatisticsEntry:
    """One object of ``reviews stats --format json``."""
    found = each.found
    return from_records(
        StatisticsEntry,
        each,
        found,
        found.total,
        distribution={str(star): found.stars.get(star, 0) for star in reversed(STARS)},
        product_reviews=from_records(TallyEntry, found.products),
        trend=[
            PeriodEntry(each.by.label(number), tally.reviews, tally.average)
            for number, tally in _filled(found.trend)
        ],
    )


def statistics_text(all_of_them: Sequence[ListedStatistics], *, signs: Signs, paint: tables.Paint) -> Pieces:
    """A block per account, and a last line about several."""
    for each in all_of_them:
        yield "\n".join(_block(each, signs, paint)) + "\n"
    if len(all_of_them) > 1:
        total = sum((each.found.total for each in all_of_them), Tally())
        yield f"{paint(tables.Tone.STRONG, tables.plural(len(all_of_them), 'account'))}: {_tally(total)}\n"


def _block(each: ListedStatistics, signs: Signs, paint: tables.Paint) -> Iterator[str]:
    found = each.found
    title = tables.printable(f"{each.account} ({found.interface_id})")
    of = "" if each.product_id is None else f" of product {tables.printable(each.product_id)}"
    yield f"{paint(tables.Tone.STRONG, title)}: {_tally(found.total, of)}{_answered(found)}"
    if found.total.reviews:
        yield from _distribution(found, signs)
        yield from _trend(found.trend, each.by, signs)
    if found.products.reviews and each.product_id is None:
        yield f"  of products: {_tally(found.products)}"


def _tally(tally: Tally, of: str = "") -> str:
    count = f"{tally.reviews:,} review{'' if tally.reviews == 1 else 's'}{of}"
    return count if tally.average is None else f"{count}, average {tally.average:.2f}"


def _answered(found: ReviewStatistics) -> str:
    return "" if found.answered_share is None else f", {found.answered_share:.0%} answered"


def _distribution(found: ReviewStatistics, signs: Signs) -> Iterator[str]:
    most = max(found.stars.values(), default=0) or 1
    width = max(len(f"{count:,}") for count in found.stars.values())
    for star in STARS:
        count = found.stars.get(star, 0)
        name = f"{star} star{' ' if star == 1 else 's'}"
        share = count / found.total.reviews
        yield f"  {name}  {count:>{width},}  {share:>4.0%}  {signs.bar(count / most)}".rstrip()


def _trend(trend: Mapping[int, Tally], by: Period, signs: Signs) -> Iterator[str]:
    """Two lines of signs: how many, and how good. An empty period is a space."""
    periods = _filled(trend)
    shown = periods[-LONGEST_TREND:]
    cut = f", the last {len(shown)} of {len(periods)}" if len(shown) < len(periods) else ""
    yield f"  by {by.value}, {by.label(shown[0][0])} to {by.label(shown[-1][0])}{cut}"
    counts = [tally.reviews for _, tally in shown]
    line = signs.line([each or None for each in counts], low=0, high=max(counts))
    yield f"    reviews  {line}  most {max(counts):,}, last {counts[-1]:,}"
    averages = [tally.average for _, tally in shown]
    known = [each for each in averages if each is not None]
    line = signs.line(averages, low=min(known), high=max(known))
    yield f"    average  {line}  {min(known):.2f} to {max(known):.2f}, last {known[-1]:.2f}"


def _filled(trend: Mapping[int, Tally]) -> list[tuple[int, Tally]]:
    """Every period from the first to the last, those without reviews too."""
    if not trend:
        return []
    return [(number, trend.get(number, Tally())) for number in range(min(trend), max(trend) + 1)]


COLUMNS = (
    "account",
    "interface_id",
    "order",
    "product_id",
    "product",
    "product_name",
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
one that does not know quotes after a line break. Spaces before the sign do not always help.
"""


def csv_text(reviews: Iterable[ListedReview]) -> Generator[str, None, None]:
    """RFC 4180: a header, commas, CRLF, every text in quotes. No cell is taken for a formula."""
    yield _csv_lines([COLUMNS])
    rows = (_csv_row(each) for each in reviews)
    while page := list(islice(rows, _ROWS_PER_PIECE)):
        yield _csv_lines(page)


def json_lines(reviews: Iterable[ListedReview]) -> Generator[str, None, None]:
    """One object per line."""
    lines = (tables.json_text(review_json(each), indent=None) + "\n" for each in reviews)
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
        *map(harmless, (recorded.product or "", recorded.product_name or "")),
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


ROWS_PER_GROUP = 10_000

_TIME = pa.timestamp("ms", tz="UTC")
_FIELDS: tuple[tuple[str, Any, Callable[[ListedReview], Any]], ...] = (
    ("account", pa.string(), lambda each: each.account),
    ("interface_id", pa.string(), lambda each: each.recorded.interface_id),
    ("order", pa.string(), lambda each: each.recorded.review.order_id),
    ("product_id", pa.string(), lambda each: each.recorded.review.product_id or None),
    ("product", pa.string(), lambda each: each.recorded.product),
    ("product_name", pa.string(), lambda each: each.recorded.product_name),
    ("submitted_at", _TIME, lambda each: _milliseconds(each.recorded.review.submitted_at)),
    ("rating", pa.float64(), lambda each: each.recorded.review.rating),
    ("title", pa.string(), lambda each: each.recorded.review.title or None),
    ("text", pa.string(), lambda each: each.recorded.review.text or None),
    ("comment", pa.string(), lambda each: each.recorded.review.comment or None),
    ("first_seen_at", _TIME, lambda each: _milliseconds(each.recorded.first_seen_at)),
    ("changed_at", _TIME, lambda each: _milliseconds(each.recorded.changed_at)),
    ("gone_at", _TIME, lambda each: _milliseconds(each.recorded.gone_at)),
)
_SCHEMA = pa.schema([(name, kind) for name, kind, _ in _FIELDS])


def write_parquet(reviews: Iterable[ListedReview], sink: IO[bytes], *, clean: Callable[[str], str]) -> None:
    """Write them into an open file, some thousands at a time; ``clean`` sees every text first."""
    rest = iter(reviews)
    with pq.ParquetWriter(sink, _SCHEMA, compression="zstd") as writer:
        while page := list(islice(rest, ROWS_PER_GROUP)):
            columns = [
                pa.array([_cleaned(read(each), clean) for each in page], type=kind)
                for _, kind, read in _FIELDS
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=_SCHEMA))


def _cleaned(value: Any, clean: Callable[[str], str]) -> Any:
    return clean(value) if isinstance(value, str) else value


def _milliseconds(at: Instant | None) -> int | None:
    return None if at is None else at * 1000
